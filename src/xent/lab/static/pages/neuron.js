// The neuron: take hold of its start, watch it learn, step by step, under several outputs at once.

import { el, number, rich as markup } from "../dom.js";
import { field, outputs, problems, slider, takeaway, broken } from "../controls.js";
import { Panel, ofRuns, plotly } from "../plot.js";
import { Sigmoid } from "../sigmoid.js";
import { split } from "../settings.js";

const PAIR = "quadratic@sigmoid,cross-entropy@sigmoid";
const PARTS = ["cost", "a", "delta", "gain"];
const LANDMARKS = { cost: [0], a: [0, 1], delta: [0], gain: [0, 1] };
const EXPERIMENTS = {
  one: { w: "0.6", b: "0.9" },
  two: { w: "2", b: "2" },
  fair: { w: "2", b: "2", rates: "0.15,0.025" },
};
const SPEEDS = [15, 60, 240]; // steps a second

export function neuron(main, lab, kept) {
  const { say, rich } = lab.words;
  let data = null;
  let step = kept?.step ?? (Math.max(0, Math.round(Number(lab.settings.at))) || 0);
  let playing = null;
  let speed = SPEEDS[lab.settings.speed] ?? SPEEDS[1];

  // ── what is taken hold of ──
  const list = outputs(lab, {
    standard: PAIR,
    vectors: false,
    changed: (names, at, added) => {
      const rates = (lab.settings.rates ?? "").split(",");
      if (added === null) rates.splice(at, 1);
      return { outputs: names.join(","), rates: rates.some(Boolean) ? rates.slice(0, names.length).join(",") : "" };
    },
    extra: (i, label) => {
      const own = (lab.settings.rates ?? "").split(",")[i] ?? "";
      const input = el("input.number.own", { type: "text", inputmode: "decimal", autocomplete: "off", value: own, placeholder: lab.settings.rate || "0.15",
        "aria-label": say("neuron.own_rate", { name: label }), title: say("neuron.own_rate", { name: label }), "data-key": `rate-${i}` });
      input.addEventListener("change", () => {
        const rates = Array.from({ length: split(lab.settings.outputs || PAIR).length }, (_, j) => (lab.settings.rates ?? "").split(",")[j] ?? "");
        rates[i] = input.value.trim();
        lab.set({ rates: rates.some(Boolean) ? rates.join(",") : "" });
      });
      return [el("span.rate", {}, el("i", {}, "η"), input)];
    },
  });
  const anew = { w: "", b: "", z: "", first: "", share: "", seed: "" }; // a neuron has one start
  const other = { w: "b", b: "w" };
  const start = Object.fromEntries(["w", "b"].map((name) => [name, field(lab, (text) => {
    const given = data ? String(data.start[other[name]]) : "2";
    lab.set({ ...anew, [other[name]]: given, [name]: text });
  }, { label: el("i", {}, name), standard: "2", key: name })]));
  const first = field(lab, (text) => lab.set({ ...anew, first: text }), { label: rich("neuron.first"), standard: "", key: "first" });
  const target = slider(lab, "target", { label: rich("neuron.target"), low: 0, high: 1, step: 0.01, standard: 0, hint: say("neuron.target_hint") });
  const rate = slider(lab, "rate", { label: rich("neuron.rate"), low: 0.001, high: 10, ratio: true, standard: 0.15 });
  const steps = field(lab, "steps", { label: say("neuron.steps"), standard: 300 });
  const x = field(lab, "x", { label: rich("neuron.x"), standard: 1 });
  const wrong = problems();
  const away = takeaway(lab, "neuron");

  const presets = Object.entries(EXPERIMENTS).map(([name, given]) =>
    el("button.preset", { type: "button", "data-key": `preset-${name}`, "data-preset": name, onclick: () => { stop(); show(0); lab.set({ ...blank(lab.settings), ...given }); } },
      el("strong", {}, say(`neuron.preset_${name}`)), el("span", {}, ...rich(`neuron.preset_${name}_note`))));
  const draw = el("button.preset", { type: "button", "data-key": "preset-draw", onclick: () => { show(0); lab.set({ ...anew, at: "", seed: String(1 + Math.floor(Math.random() * 99999)) }); } },
    el("strong", {}, say("neuron.preset_draw")), el("span", {}, ...rich("neuron.preset_draw_note")));

  // ── what is seen ──
  const sigmoid = new Sigmoid({ say, moved: (z, commit) => { if (step) show(0); lab.set({ ...anew, at: "", z: String(Number(z.toFixed(3))) }, commit); } });
  const places = Object.fromEntries(PARTS.map((part) => [part, el("div.plot")]));
  const panels = Object.fromEntries(PARTS.map((part) => [part, new Panel(places[part], {
    x: say("neuron.step"), landmarks: LANDMARKS[part], limits: ofRuns, ends: () => [0, Math.max(data?.steps ?? 300, 1)], onPick: (at) => { stop(); show(at); rest(); },
  })]));
  const claims = Object.fromEntries(PARTS.map((part) => [part, el("ul.claims")]));
  const figures = el("div.grid", {}, PARTS.map((part) =>
    el("figure.curve", { "data-part": part }, el("h3", { id: `h-${part}` }, ...rich(`neuron.${part}`)), el("div.frame", { role: "img", "aria-labelledby": `h-${part}`, "aria-describedby": `s-${part}` }, places[part]),
      el("figcaption", { id: `s-${part}` }, claims[part]))));

  const play = el("button.play", { type: "button", "data-key": "play", onclick: () => (playing ? rest() : begin()) });
  const scrub = el("input", { type: "range", min: 0, value: 0, step: 1, "aria-label": say("neuron.playhead"), "data-key": "scrub", oninput: () => { stop(); show(Number(scrub.value)); }, onchange: rest });
  const now = el("span.now", { "data-role": "step" });
  const pace = el("select", { "aria-label": say("neuron.speed"), "data-key": "speed", onchange: () => { speed = Number(pace.value); lab.note({ speed: speed === SPEEDS[1] ? "" : String(SPEEDS.indexOf(speed)) }); } },
    SPEEDS.map((value, i) => el("option", { value, selected: value === speed }, say(`neuron.speed_${i}`))));
  const table = el("tbody");
  const readout = el("div.scroll", {}, el("table.readout", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("common.output")), ...["a", "error", "gain", "delta", "cost"].map((name) => el("th", { scope: "col" }, ...rich(`neuron.col_${name}`))), el("th", { scope: "col" }, say("neuron.col_learned")))), table));

  main.append(
    el("div.intro", {}, el("h1", {}, say("neuron.title")), el("p.lead", {}, ...rich("neuron.lead"))),
    el("div.presets", { role: "group", "aria-label": say("neuron.presets") }, presets, draw),
    el("div.bench", {},
      el("section.controls", { "aria-label": say("common.settings") }, list.element,
        el("div.control", {}, el("span.label", {}, say("neuron.start")), el("div.fields", {}, start.w.element, start.b.element, first.element)),
        target.element, rate.element, el("div.fields", {}, steps.element, x.element)),
      el("section.show", { "aria-label": say("common.figures") }, wrong.element,
        el("figure.sigmoid", {}, el("h3", {}, ...rich("neuron.sigmoid")), sigmoid.element, el("figcaption", {}, ...rich("neuron.sigmoid_note"))),
        el("div.player", { role: "group", "aria-label": say("neuron.player") }, play, scrub, now, pace),
        readout, figures, away.element)));

  // ── how it moves ──
  function show(at) {
    step = at;
    if (!data) return;
    const here = Math.min(Math.max(0, Math.round(at)), data.steps);
    scrub.value = here;
    now.textContent = say("neuron.at", { step: here, steps: data.steps });
    scrub.setAttribute("aria-valuetext", now.textContent);
    sigmoid.at(here);
    for (const part of PARTS) panels[part].at(here);
    table.replaceChildren(...data.runs.map((run) => el("tr", {},
      el("th", { scope: "row" }, el("span.line", { "data-colour": run.look.colour, "data-dash": run.look.dash }), broken(run.label)),
      el("td", {}, number(run.a[here])), bar(run.error[here], 1, run), bar(run.gain[here], 1, run), bar(run.delta[here], 1, run), el("td", {}, number(run.cost[here])),
      el("td", {}, run.learned === null ? say("common.never") : String(run.learned)))));
  }

  function begin() {
    if (!data) return;
    let from = step >= data.steps ? 0 : step;
    let last = performance.now();
    const tick = (time) => {
      from += ((time - last) * speed) / 1000;
      last = time;
      show(Math.min(from, data.steps));
      if (from >= data.steps) rest();
      else playing = requestAnimationFrame(tick);
    };
    playing = requestAnimationFrame(tick);
    label();
  }

  function stop() {
    if (playing) cancelAnimationFrame(playing);
    playing = null;
    step = Math.round(step);
    label();
  }

  /** It stands still: where, is in the address. */
  function rest() {
    stop();
    lab.note({ at: step ? String(step) : "" });
  }

  function label() {
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", say(playing ? "neuron.pause" : "neuron.play"));
  }

  function answered(answer) {
    main.classList.toggle("bare", Boolean(answer.error && !data));
    if (answer.error) {
      wrong.say([answer.error]);
      list.sync(lab.settings.outputs, data?.runs);
      return;
    }
    data = answer;
    wrong.say(data.problems);
    const shown = data.outputs.map((output) => data.runs.find((run) => run.output === output) ?? { output });
    const key = JSON.stringify([lab.settings.outputs, lab.settings.rates, lab.settings.rate, data.outputs, data.runs.map(({ output }) => output)]);
    if (key !== list.key) list.sync(lab.settings.outputs, shown);
    list.key = key;
    start.w.sync(number(data.start.w).replace("−", "-"));
    start.b.sync(number(data.start.b).replace("−", "-"));
    if (data.runs.length) first.sync(lab.settings.first || number(data.runs[0].a[0]).replace("−", "-"));
    readout.hidden = !data.runs.length;
    scrub.max = data.steps;
    sigmoid.draw(data);
    for (const part of PARTS) {
      panels[part].draw(data.runs.map((run) => ({ x: run.steps ??= Array.from(run.a.keys()), y: run[part], label: run.label, look: run.look })));
      claims[part].replaceChildren(...data.runs.map((run) => el("li", {}, el("span.line", { "data-colour": run.look.colour, "data-dash": run.look.dash }), el("span", {}, el("span.unseen", {}, `${run.label}: `), ...markup(run.says[part])))));
    }
    show(Math.min(step, data.steps));
  }

  const page = {
    update(settings) {
      target.sync(settings.target);
      rate.sync(settings.rate);
      steps.sync(settings.steps);
      x.sync(settings.x);
      away.sync(settings);
      for (const preset of main.querySelectorAll("[data-preset]")) preset.setAttribute("aria-pressed", String(is(settings, EXPERIMENTS[preset.dataset.preset])));
      lab.ask("neuron", answered);
    },
    kept: () => ({ step }),
    unmount() {
      stop();
      for (const panel of Object.values(panels)) panel.remove();
      removeEventListener("keydown", keys);
    },
  };

  /** Space plays and pauses where nothing else wants it. */
  function keys(event) {
    if (event.key !== " " || event.target.closest("input, button, select, a, textarea, [role=slider]")) return;
    event.preventDefault();
    play.click();
  }

  addEventListener("keydown", keys);
  plotly();
  label();
  list.sync(lab.settings.outputs, null);
  page.update(lab.settings);
  return page;
}

/** A number with a bar as long as it, full at `whole`. */
function bar(value, whole, run) {
  const length = Math.min(Math.abs(value) / whole, 1);
  const stripe = el("span.bar", { "data-colour": run.look.colour });
  stripe.style.width = `${Number.isFinite(length) ? 100 * length : 100}%`;
  return el("td.barred", {}, el("span", {}, number(value)), el("span.track", {}, stripe));
}

/** The settings of an experiment are its own and the usual ones: all others go. */
function blank(settings) {
  return Object.fromEntries(Object.keys(settings).filter((name) => !["lang", "theme", "speed"].includes(name)).map((name) => [name, ""]));
}

function is(settings, experiment) {
  const own = Object.fromEntries(Object.entries(settings).filter(([name, value]) => value && !["lang", "theme", "at", "speed"].includes(name)));
  const usual = own.z || own.first || own.share || own.seed ? "" : "2";
  const whole = { ...own, w: own.w ?? usual, b: own.b ?? usual };
  const names = new Set([...Object.keys(whole), ...Object.keys(experiment)]);
  return [...names].every((name) => (whole[name] ?? "") === (experiment[name] ?? ""));
}
