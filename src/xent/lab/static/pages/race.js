// The race: choose or drop data, start, watch the curves come in, stop and go on, read the verdict, take the report along.

import { el, number, rich as markup } from "../dom.js";
import { broken, choice, field, outputs, problems } from "../controls.js";
import { Panel, ofRuns, plotly } from "../plot.js";

const STANDARD = "quadratic@sigmoid,cross-entropy@sigmoid,cross-entropy@softmax";
const SETS = ["iris", "wine", "breast_cancer", "digits"];
const PARTS = ["accuracy", "gain", "stalled"];
const LANDMARKS = { accuracy: [0, 1], gain: [0, 1], stalled: [0, 1] };
const PAUSE = 700; // milliseconds between two looks at a race that runs

export function race(main, lab) {
  const { say, rich } = lab.words;
  let data = null;
  let timer = 0;
  let gone = false;

  // ── what is chosen ──
  const list = outputs(lab, { standard: STANDARD });
  const sets = el("select", { id: "c-data", "data-key": "data", onchange: () => lab.set({ data: sets.value === "iris" ? "" : sets.value, target: "" }) });
  const file = el("input.unseen", { type: "file", accept: ".csv,text/csv", "data-key": "file", onchange: () => file.files[0] && send(file.files[0]) });
  const drop = el("label.drop", {
    ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); },
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); drop.classList.remove("over"); if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]); },
  }, say("race.drop"), file);
  const target = el("select", { id: "c-target", "data-key": "target", onchange: () => lab.set({ target: target.value }) });
  const column = el("div.control", { hidden: true }, el("label", { for: "c-target" }, say("race.column")), target);
  const fields = {
    hidden: field(lab, "hidden", { label: say("race.hidden"), standard: "10" }), rates: field(lab, "rates", { label: say("race.rates"), standard: "" }),
    seeds: field(lab, "seeds", { label: say("race.seeds"), standard: 10 }), epochs: field(lab, "epochs", { label: say("race.epochs"), standard: 10 }), batch: field(lab, "batch", { label: say("race.batch"), standard: 10 }),
  };
  fields.rates.input.placeholder = say("race.rates_example");
  const activation = choice(lab, "activation", { label: say("race.activation"), of: { sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU" }, standard: "sigmoid" });
  const optimiser = choice(lab, "optimiser", { label: say("race.optimiser"), of: { sgd: "SGD", momentum: "momentum", adam: "Adam" }, standard: "sgd" });
  const wrong = problems();

  // ── what is seen ──
  const start = el("button", { type: "button", "data-key": "start", onclick: () => act("race-start") });
  const stop = el("button.quiet", { type: "button", "data-key": "stop", onclick: () => act("race-stop") }, say("race.stop"));
  const stand = el("p", { role: "status", "data-role": "status" });
  const progress = el("progress", { hidden: true, "aria-label": say("race.title") });
  const verdict = el("ul.verdict");
  const table = el("tbody");
  const summary = el("div.scroll", { hidden: true }, el("table.readout.of-five", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("common.output")),
    ["rate", "accuracy", "epochs", "stalled", "gain"].map((name) => el("th", { scope: "col" }, say(`race.col_${name}`))))), table));
  const places = Object.fromEntries(PARTS.map((part) => [part, el("div.plot")]));
  const panels = Object.fromEntries(PARTS.map((part) => [part, new Panel(places[part], { x: say("race.epoch"), ends: () => [0, data?.epochs ?? 10], limits: ofRuns, landmarks: LANDMARKS[part] })]));
  const legend = el("ul.claims");
  const figures = el("div.grid", { hidden: true }, PARTS.map((part) =>
    el("figure.curve", { "data-part": part }, el("h3", { id: `h-${part}` }, say(`race.${part}`)), el("div.frame", { role: "img", "aria-labelledby": `h-${part}`, "aria-describedby": `s-${part}` }, places[part]),
      el("figcaption", { id: `s-${part}` }, say(`race.${part}_note`)))), el("div", {}, legend));
  const away = el("p.takeaway", { hidden: true });

  main.append(
    el("div.intro", {}, el("h1", {}, say("race.title")), el("p.lead", {}, ...rich("race.lead"))),
    el("div.bench", {},
      el("section.controls", { "aria-label": say("common.settings") },
        el("div.control", {}, el("label", { for: "c-data" }, say("race.data")), sets, drop), column, list.element,
        el("div.fields", {}, Object.values(fields).map(({ element }) => element)), activation.element, optimiser.element),
      el("section.show", { "aria-label": say("common.figures") }, el("div.go", {}, start, stop, progress, stand), wrong.element, verdict, summary, figures, away)));

  async function send(chosen) {
    wrong.say([]);
    const answer = await fetch(`/upload?name=${encodeURIComponent(chosen.name)}`, { method: "POST", body: chosen }).catch(() => null);
    file.value = "";
    if (!answer?.ok) {
      wrong.say([answer ? await answer.text() : say("race.drop")]);
      return;
    }
    const taken = await answer.json();
    lab.set({ data: taken.data, target: taken.columns[taken.columns.length - 1] });
  }

  function act(ask) {
    clearTimeout(timer);
    for (const button of [start, stop]) button.disabled = true;
    lab.ask(ask, answered);
  }

  function answered(answer) {
    if (gone) return;
    clearTimeout(timer);
    if (answer.error) {
      wrong.say([answer.error]);
      if (!data) list.sync(lab.settings.outputs, null);
      buttons();
      return;
    }
    data = answer;
    wrong.say(data.problems);
    offer(data.columns);
    const key = JSON.stringify([lab.settings.outputs, data.outputs]);
    if (key !== list.key) list.sync(lab.settings.outputs, data.outputs);
    list.key = key;
    buttons();
    const looks = data.outputs.map(({ look }) => look);
    figures.hidden = !data.curves.length;
    for (const part of PARTS) {
      const seen = data.curves.some((curve) => curve[part].some(Number.isFinite)); // tuning looks at accuracy only
      places[part].closest("figure").hidden = !seen;
      if (seen) panels[part].draw(data.curves.map((curve) => ({ x: curve.epoch, y: curve[part], label: curve.label, look: looks[curve.side] })));
    }
    const line = (side) => el("span.line", { "data-colour": looks[side].colour, "data-dash": looks[side].dash });
    legend.replaceChildren(...data.curves.map((curve) => el("li", {}, line(curve.side), el("span", {}, say(curve.seeds === 1 ? "race.legend_one" : "race.legend", { name: curve.label, stage: say(`race.stage_${curve.stage}`), rate: number(curve.rate, 3), seeds: curve.seeds })))));
    verdict.replaceChildren(...(data.says ?? []).map((sentence) => el("li", {}, ...markup(sentence))));
    summary.hidden = !data.rows;
    const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)}%`);
    table.replaceChildren(...(data.rows ?? []).map((row) => el("tr", {}, el("th", { scope: "row" }, line(row.side), broken(row.label)),
      [number(row.rate, 3), percent(row.accuracy) + (row.spread === null ? "" : ` ± ${(100 * row.spread).toFixed(1)}`), row.epochs === null ? "–" : row.epochs.toFixed(1), percent(row.stalled), number(row.gain, 3)].map((text) => el("td", {}, text)))));
    away.hidden = data.status !== "done";
    if (!away.hidden) {
      const link = (name, text) => el("a", { href: `/race/${data.key}/${name}`, download: "", "data-key": `save-${name}` }, text);
      away.replaceChildren(el("span", {}, say("common.save")), link(`report-${lab.language}.html`, say("race.report")), link(`race-${lab.language}.png`, "PNG"), link(`race-${lab.language}.svg`, "SVG"), link("race.csv", "CSV"), link("race.py", "Python"));
    }
    if (data.status === "running" || data.busy) timer = setTimeout(() => lab.ask("race", answered), PAUSE);
  }

  /** The columns of a file of one's own, one of which holds the classes. */
  function offer(columns) {
    const wanted = lab.settings.target;
    const named = [...new Set([...columns, wanted].filter(Boolean))];
    if (named.join("\n") !== target.dataset.named) target.replaceChildren(...named.map((name) => el("option", { value: name }, name)));
    target.dataset.named = named.join("\n");
    target.value = wanted;
  }

  function buttons() {
    const status = data?.status ?? "idle";
    start.textContent = say(status === "stopped" || status === "failed" ? "race.resume" : "race.start");
    start.hidden = status === "done" || status === "running";
    start.disabled = Boolean(data?.busy);
    stop.hidden = status !== "running" && !data?.busy;
    stop.disabled = false;
    const stages = Object.entries(data?.progress ?? {});
    const [stage, [done, total]] = stages[stages.length - 1] ?? [null, [0, 0]];
    const what = stage ? say(`race.${stage}`, { done, total }) : say("race.starting");
    stand.textContent = data?.busy ? say("race.busy") : status === "failed" ? "" : say(`race.${status}`, { what });
    progress.hidden = status !== "running";
    if (total) Object.assign(progress, { max: total, value: done });
    else progress.removeAttribute("value");
  }

  const page = {
    update(settings) {
      const chosen = settings.data || "iris";
      const own = !SETS.includes(chosen);
      sets.replaceChildren(...SETS.map((name) => el("option", { value: name, selected: name === chosen }, say(`race.${name}`))), own ? el("option", { value: chosen, selected: true }, say("race.own", { name: chosen.split("/").pop() })) : "");
      column.hidden = !own;
      for (const [name, control] of Object.entries(fields)) control.sync(settings[name]);
      activation.sync(settings.activation);
      optimiser.sync(settings.optimiser);
      lab.ask("race", answered);
    },
    unmount() {
      gone = true;
      clearTimeout(timer);
      for (const panel of Object.values(panels)) panel.remove();
    },
  };
  plotly();
  list.sync(lab.settings.outputs, null);
  page.update(lab.settings);
  return page;
}
