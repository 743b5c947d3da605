// What a person takes hold of: sliders with their number, choices, the list of outputs, and what is given away.

import { el, number, set } from "./dom.js";
import { address, split } from "./settings.js";

/** A slider, straight or in equal ratios, with a field to type into. `default` is what an empty setting means. */
export function slider(lab, name, { label, low, high, step = null, ratio = false, digits = 3, hint = null, standard, key = name, typed = true }) {
  const id = `c-${key}`;
  const place = (value) => (ratio ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)) * 1000;
  const value = (at) => {
    const exact = ratio ? low * (high / low) ** (at / 1000) : low + ((high - low) * at) / 1000;
    return step ? Math.round(exact / step) * step : exact;
  };
  const written = (v) => String(Number(v.toPrecision(digits)));
  const give = (text, commit) => {
    if (typeof name === "function") name(text, commit);
    else lab.set({ [name]: text }, commit);
  };
  const range = el("input", { type: "range", id, min: 0, max: 1000, step: step ? Math.max(1, (1000 * step) / (high - low)) : 1, "data-key": key });
  const field = typed && el("input.number", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": label, "data-key": `${key}-n` });
  let shown = standard;
  set(range, {
    oninput: () => {
      shown = written(value(Number(range.value)));
      if (field) field.value = shown;
      range.setAttribute("aria-valuetext", shown);
      give(shown, false);
    },
    onchange: () => give(shown, true),
  });
  if (field) set(field, { onchange: () => give(field.value.trim(), true) });
  return {
    element: el("div.control", {}, el("label", { for: id }, ...[label].flat()), field || "", range, hint ? el("p.hint", {}, hint) : ""),
    sync(text) {
      shown = text === undefined || text === "" ? String(standard) : String(text);
      if (field && document.activeElement !== field) field.value = shown;
      const at = Number(shown);
      if (document.activeElement !== range || Math.abs(value(Number(range.value)) - at) > 1e-9) range.value = Number.isFinite(at) ? place(at) : 0;
      range.setAttribute("aria-valuetext", shown);
    },
  };
}

/** A field for one number. `name` is a setting or a function that takes the text. */
export function field(lab, name, { label, standard, key = name, wide = false }) {
  const id = `c-${key}`;
  const input = el("input.number", { type: "text", inputmode: "decimal", autocomplete: "off", id, "data-key": key });
  input.addEventListener("change", () => (typeof name === "function" ? name(input.value.trim()) : lab.set({ [name]: input.value.trim() })));
  return {
    element: el(wide ? "div.field.wide" : "div.field", {}, el("label", { for: id }, ...[label].flat()), input),
    input,
    sync(text) {
      if (document.activeElement !== input) input.value = text === undefined || text === "" ? String(standard) : String(text);
    },
  };
}

/** One of a few. */
export function choice(lab, name, { label, of, standard }) {
  const buttons = Object.entries(of).map(([value, said]) =>
    el("button", { type: "button", "data-key": `${name}-${value}`, onclick: () => lab.set({ [name]: value === standard ? "" : value }) }, ...[said].flat()));
  return {
    element: el("div.control", {}, el("span.label", { id: `l-${name}` }, label), el("div.switch", { role: "group", "aria-labelledby": `l-${name}` }, buttons)),
    sync(value) {
      Object.keys(of).forEach((each, i) => buttons[i].setAttribute("aria-pressed", String(each === (value || standard))));
    },
  };
}

/** The outputs that stand side by side: a row for each, with what `extra` adds to it, and a list to add from. */
export function outputs(lab, { standard, vectors = true, most = 8, extra = () => [], changed = (list) => ({ outputs: list.join(",") }) }) {
  const { say, data } = lab.words;
  const mine = data.mine.filter(({ vector }) => vectors || !vector);
  const known = [...mine, ...data.catalogue.filter(({ vector }) => vectors || !vector)];
  const rows = el("ul.outputs", { "aria-label": say("common.outputs") });
  const names = el("datalist", { id: "known" }, known.map(({ name, title }) => el("option", { value: name }, title)));
  const input = el("input", { type: "text", list: "known", id: "add", autocomplete: "off", spellcheck: "false", placeholder: say("common.add_example"), "data-key": "add" });
  const add = () => {
    if (!input.value.trim()) return;
    const name = input.value.trim();
    input.value = "";
    lab.set(changed([...list(), name], list().length, name));
  };
  let list = () => [standard];
  const offer = mine.map(({ name, title }) => el("button", { type: "button", title, "aria-label": say("own.add", { name }), "data-key": `own-${name}`,
    onclick: () => lab.set(changed([...list(), name], list().length, name)) }, broken(name)));
  const offers = el("p.mine", { hidden: !mine.length }, el("span", {}, say("own.offered")), offer);
  const form = el("form.add", { onsubmit: (event) => { event.preventDefault(); add(); } },
    el("label", { for: "add" }, say("common.add")), el("div.row", {}, input, el("button", { type: "submit", "data-key": "add-go" }, say("common.add_go"))), names);
  input.addEventListener("input", (event) => {
    if (event.inputType === "insertReplacementText" || (!event.inputType && known.some(({ name }) => name === input.value))) add(); // picked from the list
  });
  return {
    element: el("div.control", {}, el("span.label", {}, say("common.outputs")), rows, form, offers),
    /** `found` are the outputs as the library names them, with their look. */
    sync(text, found) {
      list = () => split(text || standard);
      const asked = list();
      const held = rows.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      form.hidden = asked.length >= most;
      mine.forEach(({ name }, i) => (offer[i].hidden = form.hidden || asked.includes(name) || Boolean(found?.some((one) => one?.output === name))));
      offers.hidden = offer.every(({ hidden }) => hidden);
      rows.replaceChildren(...asked.map((name, i) => {
        const look = found?.[i]?.look;
        const label = found?.[i]?.output ?? name;
        return el("li", {},
          el("span.line", { "data-colour": look?.colour ?? "none", "data-dash": look?.dash ?? "solid" }),
          el("span.name", { title: label }, broken(label)),
          asked.length > 1
            ? el("button.remove", { type: "button", "aria-label": say("common.remove", { name: label }), title: say("common.remove", { name: label }), "data-key": `remove-${i}`,
              onclick: () => lab.set(changed(asked.filter((_, j) => j !== i), i, null)) }, "×")
            : "",
          ...extra(i, label));
      }));
      if (held) (rows.querySelector(`[data-key="${CSS.escape(held)}"]`) ?? [...rows.querySelectorAll(".remove")].pop() ?? input).focus();
    },
  };
}

/** A name that may break before its @. */
export function broken(name) {
  const at = name.lastIndexOf("@");
  return at < 0 ? name : [name.slice(0, at), el("wbr"), name.slice(at)].reduce((all, part) => (all.append(part), all), document.createDocumentFragment());
}

/** The figure as files, the script that makes it, and the address itself. */
export function takeaway(lab, page) {
  const { say } = lab.words;
  const links = ["png", "svg", "csv", "py"].map((kind) => el("a", { download: "", "data-key": `save-${kind}`, "data-kind": kind, href: "#" }, kind === "py" ? "Python" : kind.toUpperCase()));
  const copied = el("span", { role: "status" });
  const copy = el("button.plain", { type: "button", "data-key": "copy-link", onclick: async () => { await copyText(location.href); copied.textContent = say("common.copied"); } }, say("common.copy_link"));
  return {
    element: el("p.takeaway", {}, el("span", {}, say("common.save")), links, copy, copied),
    sync(settings) {
      for (const link of links) link.href = address(`export/${page}.${link.dataset.kind}`, { ...settings, lang: lab.language, theme: lab.theme });
    },
  };
}

/** Text to the clipboard; where the browser forbids it, through a selection. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "unseen" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** Where what is wrong is said: one sentence each. */
export function problems() {
  const element = el("div.problems", { role: "alert" });
  return {
    element,
    say(messages) {
      const said = messages.filter(Boolean);
      if (element.dataset.said === said.join("\n")) return;
      element.dataset.said = said.join("\n");
      element.replaceChildren(...said.map((message) => el("p", {}, ...commands(message))));
    },
  };
}

/** A message with what is typed in it set as code. */
function commands(message) {
  return message.split(/(`[^`]*`)/).map((piece) => (/^`.+`$/.test(piece) ? el("code", {}, piece.slice(1, -1)) : piece));
}

export { number };
