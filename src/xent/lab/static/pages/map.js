// The stall map: from which starts each output learns, how fast, and from which it never does.

import { el, number } from "../dom.js";
import { choice, field, outputs, problems, slider, takeaway, broken } from "../controls.js";
import { colour } from "../plot.js";
import { steps as ticks } from "../sigmoid.js";


const STANDARD = "quadratic@sigmoid,cross-entropy@sigmoid";
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// cividis at even places, from quick to slow: told apart by every eye and in grey
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const SHADES = shades();

export function map(main, lab, kept) {
  const { say, rich } = lab.words;
  let data = null;
  let cursor = kept?.cursor ?? place(lab.settings.at); // [column, row], the row counted from below
  let planes = [];

  const list = outputs(lab, { standard: STANDARD, vectors: false, most: 6 });
  const plane = choice(lab, "plane", { label: say("map.plane"), of: { start: say("map.plane_start"), rate: say("map.plane_rate") }, standard: "start" });
  const rate = slider(lab, "rate", { label: rich("map.rate"), low: 0.001, high: 10, ratio: true, standard: 0.15 });
  const steps = slider(lab, "steps", { label: say("map.steps"), low: 10, high: 2000, ratio: true, step: 1, standard: 300, digits: 4 });
  const target = slider(lab, "target", { label: rich("map.target"), low: 0, high: 1, step: 0.01, standard: 0 });
  const learned = slider(lab, "learned", { label: rich("map.learned"), low: 0.01, high: 0.5, step: 0.01, standard: 0.1 });
  const x = field(lab, "x", { label: rich("map.x"), standard: 1 });
  const span = field(lab, "span", { label: say("map.span"), standard: 6 });
  const wrong = problems();
  const away = takeaway(lab, "map");
  const maps = el("div.maps", { "aria-busy": "true" });
  const told = el("p.told", { role: "status" }, say("map.first"));
  const last = el("span");
  const bar = el("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  const never = el("canvas.never", { width: 26, height: 11, "aria-hidden": "true" });
  const legend = el("div.scale", {}, el("span", {}, say("map.steps_to_learn"), " 0"), bar, last, el("span.never", {}, never, say("map.never")));

  main.append(
    el("div.intro", {}, el("h1", {}, say("map.title")), el("p.lead", {}, ...rich("map.lead"))),
    el("div.bench", {},
      el("section.controls", { "aria-label": say("common.settings") }, list.element, plane.element, rate.element, steps.element, target.element, learned.element, el("div.fields", {}, x.element, span.element)),
      el("section.show", { "aria-label": say("common.figures") }, wrong.element, legend, maps, told, el("p.hint", {}, say("map.how")), away.element)));
  paintBar(bar);
  hatch(never.getContext("2d"), 26, 11, 1);

  function answered(answer) {
    maps.setAttribute("aria-busy", "false");
    main.classList.toggle("bare", Boolean(answer.error && !data));
    if (answer.error) {
      wrong.say([answer.error]);
      if (!data) list.sync(lab.settings.outputs, null);
      return;
    }
    wrong.say(answer.problems);
    if (!answer.maps.length) { // a user's own cost alone, and it cannot be computed
      list.sync(lab.settings.outputs, answer.outputs.map((output) => ({ output })));
      list.key = null;
      data = null;
      planes = [];
      maps.replaceChildren();
      told.textContent = "";
      return;
    }
    data = answer;
    if (told.textContent === say("map.first")) told.textContent = "";
    last.textContent = String(data.steps);
    const key = JSON.stringify([lab.settings.outputs, data.plane, data.outputs, data.maps.map(({ output }) => output)]);
    if (key !== list.key || planes.length !== data.maps.length) {
      list.sync(lab.settings.outputs, data.outputs.map((output) => ({ output })));
      planes = data.maps.map((one, i) => frame(i));
      maps.replaceChildren(...planes.map(({ element }) => element));
    }
    list.key = key;
    data.maps.forEach((one, i) => planes[i].draw(one));
    if (cursor) point(...cursor);
  }

  /** One output's plane: title, axes, canvas. */
  function frame(i) {
    const canvas = el("canvas", { tabindex: 0, role: "application", "data-key": `map-${i}`, "aria-describedby": "map-how" });
    const cross = el("span.cross", { hidden: true });
    const [upright, level, name, share, across] = [el("div.upright"), el("div.level"), el("span"), el("span"), el("p.axis-name")];
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      const n = data.horizontal.length;
      const at = (part, whole) => Math.min(n - 1, Math.max(0, Math.floor((part / whole) * n)));
      return [at(event.clientX - box.left, box.width), n - 1 - at(event.clientY - box.top, box.height)];
    };
    canvas.addEventListener("pointermove", (event) => data && point(...under(event)));
    canvas.addEventListener("click", (event) => data && go(...under(event)));
    canvas.addEventListener("keydown", (event) => {
      if (!data) return;
      const n = data.horizontal.length;
      cursor ??= [Math.floor(n / 2), Math.floor(n / 2)];
      if (event.key === "Enter") go(...cursor);
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      const far = event.shiftKey ? 16 : 2;
      point(...cursor.map((at, k) => Math.min(n - 1, Math.max(0, at + far * MOVES[event.key][k]))));
      lab.note({ at: cursor.join() });
    });
    canvas.addEventListener("focus", () => data && canvas.matches(":focus-visible") && point(...(cursor ?? [data.horizontal.length >> 1, data.horizontal.length >> 1])));
    const element = el("figure.map", {}, el("h3", {}, name, share), el("div.plane", {}, upright, el("div.field-of", {}, canvas, cross), level), across);
    return {
      element, cross,
      draw(one) {
        name.replaceChildren(broken(one.label));
        share.textContent = say("map.share", { share: `${(100 * one.never).toFixed(one.never > 0 && one.never < 0.0995 ? 1 : 0)}%` });
        canvas.setAttribute("aria-label", say("map.label", { name: one.label, share: `${(100 * one.never).toFixed(1)}%`, steps: data.steps }));
        axes(upright, level, across);
        paint(canvas, one.learned, data.steps);
      },
    };
  }

  function axes(upright, level, across) {
    const { horizontal, vertical } = data;
    const side = (at, from, to) => `${(100 * (at - from)) / (to - from)}%`;
    const [low, high, left, right] = [vertical[0], vertical[vertical.length - 1], horizontal[0], horizontal[horizontal.length - 1]];
    const tick = (name, at, value) => {
      const made = el("span", {}, number(value, 3));
      made.style[name] = at;
      return made;
    };
    if (data.plane === "rate") upright.replaceChildren(...[0.001, 0.01, 0.1, 1, 10].filter((v) => v >= low && v <= high).map((v) => tick("bottom", `calc(${side(Math.log(v), Math.log(low), Math.log(high))} - 1.4em)`, v)));
    else upright.replaceChildren(...ticks(low, high, 6).map((v) => tick("top", side(-v, -high, -low), v)));
    level.replaceChildren(...ticks(left, right, 6).map((v) => tick("left", side(v, left, right), v)));
    across.replaceChildren(...rich(`map.axes_${data.plane}`));
  }

  /** Reads out a place, on all planes. */
  function point(column, row) {
    const n = data.horizontal.length;
    cursor = [Math.min(column, n - 1), Math.min(row, n - 1)];
    [column, row] = cursor;
    for (const { cross } of planes) {
      cross.hidden = false;
      cross.style.left = `${(100 * (column + 0.5)) / n}%`;
      cross.style.top = `${100 - (100 * (row + 0.5)) / n}%`;
    }
    const where = say(`map.at_${data.plane}`, { h: number(data.horizontal[column], 3), v: number(data.vertical[row], 3) });
    const found = data.maps.map(({ label, learned: all, a }) => {
      const step = all[row * n + column];
      return step < 0 ? say("map.told_never", { name: label, a: number(a[row * n + column], 3) }) : say("map.told", { name: label, step });
    });
    told.textContent = `${where} ${found.join(say("map.between"))}`;
  }

  /** That neuron, on the page of the neuron, with everything else as it is here. */
  function go(column, row) {
    point(column, row);
    lab.note({ at: cursor.join() });
    const { outputs: named, rate: pace, steps: many, target: aim, x: input } = lab.settings;
    const exact = (v) => String(Number(v.toPrecision(6)));
    const [h, v] = [exact(data.horizontal[column]), exact(data.vertical[row])];
    const start = data.plane === "start" ? { w: h, b: v, rate: pace } : { share: h, rate: v };
    lab.open("neuron", { outputs: named, steps: many, target: aim, x: input, ...start });
  }

  const page = {
    update(settings) {
      for (const [name, control] of Object.entries({ plane, rate, steps, target, learned, x, span })) control.sync(settings[name]);
      rate.element.hidden = settings.plane === "rate";
      span.element.hidden = settings.plane === "rate";
      away.sync(settings);
      lab.ask("map", answered);
    },
    kept: () => ({ cursor }),
  };
  list.sync(lab.settings.outputs, null);
  page.update(lab.settings);
  return page;
}

/** A place as the address has it. */
function place(text) {
  const found = (text ?? "").split(",").map(Number);
  return found.length === 2 && found.every((at) => Number.isInteger(at) && at >= 0) ? found : null;
}

/** The colours from quick to slow, 256 of them, as numbers that lie in memory as pixels do. */
function shades() {
  const stops = CIVIDIS.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = stops[k].map((from, j) => Math.round(from + (at - k) * (stops[k + 1][j] - from)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

function paintBar(canvas) {
  const image = new ImageData(256, 1);
  new Uint32Array(image.data.buffer).set(SHADES);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** What never learns: a tint with hatches, told apart without colour. */
function hatch(context, width, height, scale) {
  context.fillStyle = colour("tint");
  context.fillRect(0, 0, width, height);
  context.strokeStyle = colour("rule");
  context.lineWidth = scale;
  context.beginPath();
  for (let x = -height; x < width; x += 7 * scale) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
}

/** A pixel for each start, and the edge of what never learns drawn in. */
function paint(canvas, learned, steps) {
  const n = learned.shape[0];
  const scale = Math.max(1, Math.round(Math.min(devicePixelRatio, 2)));
  const size = n * Math.max(1, Math.ceil((360 * scale) / n));
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  hatch(context, size, size, size / 360);
  const image = new ImageData(n, n);
  const pixels = new Uint32Array(image.data.buffer);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour("quadratic").slice(at, at + 2), 16));
  const edge = (255 << 24) | (b << 16) | (g << 8) | r;
  for (let row = 0; row < n; row++) {
    const above = (n - 1 - row) * n; // pictures count rows from the top
    for (let column = 0; column < n; column++) {
      const at = row * n + column;
      if (learned[at] < 0) continue;
      const beside = (column > 0 && learned[at - 1] < 0) || (column < n - 1 && learned[at + 1] < 0) || (row > 0 && learned[at - n] < 0) || (row < n - 1 && learned[at + n] < 0);
      pixels[above + column] = beside ? edge : SHADES[Math.round((255 * learned[at]) / Math.max(steps, 1))];
    }
  }
  const sheet = (canvas.sheet ??= document.createElement("canvas"));
  if (sheet.width !== n) sheet.width = sheet.height = n;
  sheet.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, 0, 0, size, size);
}
