// The costs: any outputs laid over each other along the answer or the weighted input, and what there is to know about each.

import { el } from "../dom.js";
import { broken, choice, copyText, outputs, problems, slider, takeaway } from "../controls.js";
import { Panel, ofOutputs, plotly, together } from "../plot.js";
import { split } from "../settings.js";

const STANDARD = "quadratic@sigmoid,cross-entropy@sigmoid";
const PARTS = ["cost", "slope", "delta", "gain"];
const LANDMARKS = { cost: [0], slope: [0], delta: [0], gain: [0, 1] };

export function costs(main, lab, kept) {
  const { say, rich } = lab.words;
  let data = null;
  let chosen = kept?.chosen ?? null;
  let explained = "";

  const list = outputs(lab, { standard: STANDARD, extra: (i) => dials(i) });
  const target = slider(lab, "target", { label: rich("costs.target"), low: 0, high: 1, step: 0.01, standard: 0, hint: say("costs.target_hint") });
  const along = choice(lab, "along", { label: say("costs.along"), of: { answer: say("costs.along_answer"), input: rich("costs.along_input") }, standard: "answer" });
  const wrong = problems();
  const away = takeaway(lab, "costs");
  const places = Object.fromEntries(PARTS.map((part) => [part, el("div.plot")]));
  const ends = () => {
    const drawn = data.outputs.filter(({ x }) => x);
    const near = together(drawn.map(({ x }) => x[x.length - 1] - x[0]));
    const all = drawn.filter((_, i) => near[i]);  // an output that answers far beyond the others goes on outside
    const low = Math.min(...all.map(({ x }) => x[0]));
    const high = Math.max(...all.map(({ x }) => x[x.length - 1]));
    return all.length ? [Math.round(low * 100) / 100, Math.round(high * 100) / 100] : [0, 1];
  };
  const panels = Object.fromEntries(PARTS.map((part) => [part, new Panel(places[part], { x: "", ends, limits: ofOutputs, landmarks: LANDMARKS[part] })]));
  const tabs = el("div.tabs", { role: "tablist", "aria-label": say("costs.about") });
  const about = el("article.explained", { role: "tabpanel", id: "about", tabindex: "0" });

  main.append(
    el("div.intro", {}, el("h1", {}, say("costs.title")), el("p.lead", {}, ...rich("costs.lead"))),
    el("div.bench", {},
      el("section.controls", { "aria-label": say("common.settings") }, list.element, target.element, along.element),
      el("section.show", { "aria-label": say("common.figures") }, wrong.element,
        el("div.grid.first", {}, PARTS.map((part) =>
          el("figure.curve", { "data-part": part }, el("h3", { id: `h-${part}` }, ...rich(`costs.${part}`)),
            el("div.frame", { role: "img", "aria-labelledby": `h-${part}`, "aria-describedby": `s-${part}` }, places[part]), el("figcaption", { id: `s-${part}` }, ...rich(`costs.${part}_note`))))),
        away.element)),
    tabs, about);

  /** The parameters of an output, each on a slider of its own. */
  function dials(i) {
    const shown = data?.outputs[i];
    if (!shown?.dials.length) return [];
    const values = shown.dials.map(({ value }) => String(value));
    return [el("div.dials", {}, shown.dials.map((dial, d) => {
      const control = slider(lab, (text, commit) => {
        values[d] = text;
        const names = split(lab.settings.outputs || STANDARD);
        names[i] = shown.template.replace(/\{(\d+)\}/g, (_, n) => values[n]);
        lab.set({ outputs: names.join(",") }, commit);
      }, { label: el("i", {}, dial.name), low: dial.low, high: dial.high, step: 0.01, standard: dial.value, key: `dial-${i}-${d}` });
      control.sync(dial.value);
      const [label, field, range] = control.element.children;
      range.setAttribute("aria-label", `${dial.name}, ${shown.output}`);
      return el("div.dial", {}, label, range, field);
    }))];
  }

  function answered(answer) {
    main.classList.toggle("bare", Boolean(answer.error && !data));
    if (answer.error) {
      wrong.say([answer.error]);
      if (!data) list.sync(lab.settings.outputs, null);
      return;
    }
    data = answer;
    wrong.say(data.problems);
    const shape = data.outputs.map(({ template }) => template).join();
    if (shape !== list.shape || !document.activeElement.closest(".dials")) list.sync(lab.settings.outputs, data.outputs);
    list.shape = shape;
    const shown = data.outputs.filter(({ x }) => x);
    const kinds = [...new Set(shown.map(({ axis }) => axis))];
    for (const part of PARTS) {
      panels[part].x = kinds.map((kind) => say(`costs.axis_${kind}`)).join(" · ");
      panels[part].draw(shown.map((one) => ({ x: one.x, y: one[part], label: one.label, look: one.look })));
    }
    if (!data.outputs.some(({ template }) => template === chosen)) chosen = [data.outputs[lab.settings.about], ...shown, data.outputs[0]].find(Boolean).template;
    tabs.replaceChildren(...data.outputs.map((one) =>
      el("button", { type: "button", role: "tab", "aria-selected": String(one.template === chosen), "aria-controls": "about", tabindex: one.template === chosen ? 0 : -1, "data-key": `tab-${one.template}`,
        onclick: () => pick(one.template), onkeydown: walk }, broken(one.output))));
    explain();
  }

  function pick(template) {
    chosen = template;
    lab.note({ about: data.outputs.findIndex((one) => one.template === template) || "" });
    for (const [i, tab] of [...tabs.children].entries()) {
      const mine = data.outputs[i].template === template;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
    }
    explain();
  }

  /** Arrow keys go from tab to tab. */
  function walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const all = [...tabs.children];
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    next.click();
    next.focus();
  }

  let waiting = 0;
  function explain() {
    const output = data.outputs.find(({ template }) => template === chosen)?.output;
    if (!output || output === explained) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => lab.ask("explain", (page) => {
      explained = output;
      about.replaceChildren(...(page.error ? [el("div.problems", {}, el("p", {}, page.error))] : paragraphs(page, lab.words)));
    }, { output }), explained ? 150 : 0);
  }

  const page = {
    update(settings) {
      target.sync(settings.target);
      along.sync(settings.along);
      away.sync(settings);
      lab.ask("costs", answered);
    },
    kept: () => ({ chosen }),
    unmount() {
      clearTimeout(waiting);
      for (const panel of Object.values(panels)) panel.remove();
    },
  };
  plotly();
  list.sync(lab.settings.outputs, null);
  page.update(lab.settings);
  return page;
}

/** Text that the library wrote as HTML. */
function html(name, text) {
  const made = el(name);
  made.innerHTML = text;
  return made;
}

function paragraphs(page, { say }) {
  const formulas = page.formulas.map(({ mathml }) => html("div.formula", mathml));
  const facts = el("dl", {}, page.facts.flatMap(({ name, value }) => [el("dt", {}, name), html("dd", marked(value))]));
  const steps = el("ol.derivation", {}, page.derivation.map(({ mathml, reason }) => {
    const line = el("li", {}, html("div.formula", mathml));
    line.append(html("p", reason));
    return line;
  }));
  const sections = page.sections.flatMap(({ title, body }) => [el("h3", {}, title), html("p", body)]);
  const codes = page.code.map(({ library, name, line, note }) => {
    const head = name ? `${library} · ${name}` : library;
    const copy = el("button.copy", { type: "button", "aria-label": say("costs.copy_of", { name: head }), onclick: async () => { await copyText(line); copy.textContent = say("common.copied"); setTimeout(() => (copy.textContent = say("common.copy")), 1500); } }, say("common.copy"));
    return el("div.code", {}, el("h4", {}, head), el("pre", { tabindex: "0" }, line), copy, note ? html("p.note", note) : "");
  });
  return [
    el("h2", {}, page.title), el("p.aka", {}, page.name, page.aka ? ` · ${page.aka}` : ""),
    el("section", {}, html("p", page.idea), formulas.length ? el("h3", {}, say("costs.formula")) : "", ...formulas, facts, el("h3", {}, say("costs.derivation")), steps),
    el("section", {}, ...sections, el("h3", {}, say("costs.code")), ...codes, el("h3", {}, say("costs.source")), el("p", {}, page.source)),
  ];
}

/** A fact's light markup; the library sends these few words as they are. */
function marked(text) {
  const box = el("span");
  box.textContent = text;
  return box.innerHTML.replace(/\*\*(.+?)\*\*/g, "<strong>$1</strong>").replace(/\*([^*]+)\*/g, "<i>$1</i>");
}
