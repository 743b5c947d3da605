// The doctor: a diagnosis opened in the browser, its samples to walk through in the picture of error against correction. Nothing is sent.

import { el, number, rich as markup } from "../dom.js";
import { problems } from "../controls.js";
import { colour, plotly } from "../plot.js";

const KEPT = "xent-diagnosis"; // the file that was opened, for as long as the window is
const MARKERS = ["circle", "square", "diamond", "triangle-down", "x", "cross"];
const COLOURS = ["quadratic", "cross-entropy", "focal", "absolute", "other-0", "other-1"];
const KINDS = ["all", "bad", "low"];
const MOST = 8 * 2 ** 20; // bytes of a file

export function doctor(main, lab, kept) {
  const { say, rich } = lab.words;
  let data = null;
  let at = kept?.at ?? (Math.max(0, Math.round(Number(lab.settings.at))) || 0); // the sample that is read out, by its place among those shown
  let which = KINDS.includes(lab.settings.which) ? lab.settings.which : KINDS[0];
  let gone = false;

  const file = el("input.unseen", { type: "file", accept: ".json,application/json", "data-key": "file", onchange: () => file.files[0] && open(file.files[0]) });
  const drop = el("label.drop", {
    ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); },
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); drop.classList.remove("over"); if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]); },
  }, say("doctor.drop"), file);
  const example = el("button.plain", { type: "button", "data-key": "example", onclick: () => { sessionStorage.removeItem(KEPT); look(0); load(); } }, say("doctor.example"));
  const shown = el("p.hint");
  const kinds = KINDS.map((name) => el("button", { type: "button", "data-key": `which-${name}`, onclick: () => { which = name; look(0); draw(); } }, say(`doctor.${name}`)));
  const walk = el("input", { type: "range", id: "c-sample", min: 0, step: 1, "data-key": "sample", oninput: () => { look(Number(walk.value)); point(); } });
  const wrong = problems();
  const summary = el("p.lead");
  const place = el("div.plot.panel.tall");
  const told = el("p.told", { role: "status", id: "s-picture" });
  const findings = el("div");

  main.append(
    el("div.intro", {}, el("h1", {}, say("doctor.title")), el("p.lead", {}, ...rich("doctor.lead"))),
    el("div.bench", {},
      el("section.controls", { "aria-label": say("common.settings") }, el("div.control", {}, drop, shown, example),
        el("div.control", {}, el("span.label", { id: "l-which" }, say("doctor.which")), el("div.switch", { role: "group", "aria-labelledby": "l-which" }, kinds)),
        el("div.control", {}, el("label", { for: "c-sample" }, say("doctor.sample")), walk)),
      el("section.show", { "aria-label": say("common.figures") }, wrong.element, summary,
        el("figure", {}, el("h3", { id: "h-picture" }, say("doctor.picture")), el("div.frame", { role: "img", "aria-labelledby": "h-picture", "aria-describedby": "s-picture" }, place), told, el("figcaption", {}, say("doctor.picture_note"))),
        el("h2", {}, say("doctor.findings")), findings)));

  async function open(chosen) {
    const text = chosen.size <= MOST ? await chosen.text() : "";
    file.value = "";
    const found = read(text);
    if (!found) {
      wrong.say([say("doctor.wrong", { name: chosen.name })]);
      return;
    }
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ name: chosen.name, text }));
    } catch {
      // too large to be kept over a reload; it is shown all the same
    }
    look(0);
    show(found, chosen.name);
  }

  async function load() {
    const stored = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (stored) {
      show(read(stored.text), stored.name);
      return;
    }
    const answer = await fetch(`/static/example-${lab.language}.json`);
    show(read(await answer.text()), "examples/doctor.py");
  }

  function show(found, name) {
    if (gone || !found) return;
    data = found;
    shown.textContent = say("doctor.shown", { name });
    wrong.say([data.samples ? null : say("doctor.old")]);
    summary.textContent = data.gain ? say("doctor.summary", { ...data.gain, median: number(data.gain.median, 3) }) : "";
    findings.replaceChildren(...(data.findings.length ? data.findings.map(finding) : [el("p", {}, say("doctor.nothing"))]), ...unchecked());
    draw();
  }

  /** The places of the samples that are shown, the least corrected first. */
  function chosen() {
    const { error, gain } = data.samples ?? { error: [], gain: [] };
    const most = Math.max(...error, 1);
    const wanted = { all: () => true, bad: (i) => error[i] > most / 2, low: (i) => gain[i] !== null && gain[i] < 0.1 }[which];
    return error.map((_, i) => i).filter(wanted).sort((i, j) => (gain[i] ?? Infinity) - (gain[j] ?? Infinity));
  }

  async function draw() {
    kinds.forEach((button, i) => button.setAttribute("aria-pressed", String(KINDS[i] === which)));
    const Plotly = await plotly();
    if (gone || !place.isConnected) return;
    const all = chosen();
    walk.max = Math.max(all.length - 1, 0);
    const { error, correction, label } = data.samples ?? { error: [], correction: [], label: [] };
    const end = Math.max(...error, 0.01) * 1.06;
    const top = Math.max(end, Math.min(Math.max(...correction, 0) * 1.06, 1.6 * end));
    const line = (slope, name, dash) => ({ x: [0, Math.min(end, top / slope)], y: [0, Math.min(end, top / slope) * slope], name, mode: "lines", line: { color: colour(dash === "solid" ? "ink" : "rule"), width: 1.4, dash }, hoverinfo: "skip" });
    const classes = [...new Set(label)].sort((p, q) => p - q);
    const groups = classes.map((each, k) => {
      const mine = all.filter((i) => label[i] === each);
      return { x: mine.map((i) => error[i]), y: mine.map((i) => Math.min(correction[i], top)), customdata: mine.map((i) => all.indexOf(i)), text: mine.map((i) => say("doctor.sample_at", { n: i, label: each })), mode: "markers", name: String(each),
        marker: { size: 9, opacity: 0.75, symbol: MARKERS[k % MARKERS.length], color: colour(COLOURS[k % COLOURS.length]) }, hovertemplate: "%{text}<br>%{x:.4g} → %{y:.4g}<extra></extra>" };
    });
    const ring = { x: [], y: [], mode: "markers", marker: { size: 18, symbol: "circle-open", color: colour("ink"), line: { width: 2.5 } }, hoverinfo: "skip" };
    const axis = (title, far) => ({ title: { text: title, standoff: 8, font: { size: 12, color: colour("soft") } }, range: [-0.04 * far, far], gridcolor: colour("line"), zeroline: false, showline: true, linecolor: colour("rule"), tickfont: { color: colour("soft"), size: 12 }, nticks: 6 });
    const layout = {
      width: place.clientWidth, height: place.clientHeight, margin: { l: 56, r: 14, t: 10, b: 46 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: false,
      font: { family: colour("sans"), color: colour("ink") }, hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("rule"), font: { color: colour("ink"), size: 12 } },
      xaxis: axis(say("doctor.error"), end), yaxis: axis(say("doctor.correction"), top),
    };
    await Plotly.react(place, [line(1, say("doctor.one"), "solid"), line(0.1, say("doctor.tenth"), "dash"), ...groups, ring], layout, { displayModeBar: false });
    if (!place.listening) {
      place.listening = true;
      place.on("plotly_click", ({ points: [{ customdata }] }) => { if (customdata !== undefined) { look(customdata); point(); } });
    }
    point();
  }

  /** Which sample is read out; it stands in the address. */
  function look(sample) {
    at = sample;
    lab.note({ which: which === KINDS[0] ? "" : which, at: at || "" });
  }

  /** Reads out a sample and puts a ring around it. */
  function point() {
    const all = chosen();
    at = Math.min(at, Math.max(all.length - 1, 0));
    walk.value = at;
    const i = all[at];
    if (i === undefined) {
      told.textContent = say("doctor.none");
      window.Plotly.restyle(place, { x: [[]], y: [[]] }, [place.data.length - 1]);
      return;
    }
    const { error, correction, gain, label } = data.samples;
    told.textContent = say("doctor.told", { n: i, label: label[i], error: number(error[i]), correction: number(correction[i]), gain: number(gain[i]) });
    walk.setAttribute("aria-valuetext", told.textContent);
    window.Plotly.restyle(place, { x: [[error[i]]], y: [[Math.min(correction[i], place.layout.yaxis.range[1])]] }, [place.data.length - 1]);
    document.dispatchEvent(new CustomEvent("painted", { detail: "doctor" }));
  }

  function finding(one) {
    const lines = (words) => el("p", {}, words.trim());
    const code = one.cure ? [el("h4", {}, say("doctor.cure")), el("pre", { tabindex: "0" }, one.cure.trim())] : [];
    const others = one.alternatives?.length ? [el("h4", {}, say("doctor.or")), el("pre", { tabindex: "0" }, one.alternatives.map((text) => text.trim()).join("\n\n"))] : [];
    const trial = one.trial ? el("p.tried", {}, ...markup((one.tried ? say("doctor.tried") : "") + one.trial)) : "";
    return el("article.finding", {}, el("h3", {}, el(`span.mark.${one.severity}`, {}, say(`doctor.${one.severity}_mark`)), one.title), lines(one.what), el("p.why", {}, one.why.trim()), ...code, trial, ...others);
  }

  function unchecked() {
    if (!data.unchecked?.length) return [];
    return [el("h2", {}, say("doctor.unchecked")), el("dl", {}, data.unchecked.flatMap(({ rule, why }) => [el("dt", {}, rule), el("dd", {}, why)]))];
  }

  const size = new ResizeObserver(() => data && place.data && window.Plotly.relayout(place, { width: place.clientWidth, height: place.clientHeight }));
  size.observe(place);
  load();
  return {
    update() {},
    kept: () => ({ at }),
    unmount() {
      gone = true;
      size.disconnect();
      if (window.Plotly) window.Plotly.purge(place);
    },
  };
}

/** The diagnosis in a text, or null for a text that holds none. */
function read(text) {
  try {
    const found = JSON.parse(text);
    const columns = ["error", "correction", "gain", "label"];
    const told = Array.isArray(found.findings) && found.findings.every(({ rule, severity, title, what, why }) => [rule, title, what, why].every((word) => typeof word === "string") && ["error", "warning", "info"].includes(severity));
    const numbers = !found.samples || columns.every((name) => Array.isArray(found.samples[name]) && found.samples[name].length === found.samples.error.length && found.samples[name].every((value) => value === null || Number.isFinite(value)));
    return told && numbers ? found : null;
  } catch {
    return null;
  }
}
