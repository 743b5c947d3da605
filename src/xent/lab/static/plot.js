// Curves, drawn by plotly in the colours of the style sheet. plotly is loaded when the first figure wants it.

let loading = null;
let style = null;

/** plotly, once it is there. */
export function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/plotly.js";
    script.onload = () => done(window.Plotly);
    script.onerror = () => failed(new Error("plotly did not load"));
    document.head.append(script);
  });
  return loading;
}

/** The colours have changed. */
export function restyled() {
  style = null;
}

/** A colour of the style sheet by its name. */
export function colour(name) {
  style ??= getComputedStyle(document.documentElement);
  return style.getPropertyValue(`--${name}`).trim();
}

const PLAIN = { displayModeBar: false, responsive: false, showTips: false, doubleClick: "reset" };

/** One panel of curves: draw([{x, y, label, look}]), and a playhead that moves over it without drawing anew. */
export class Panel {
  #size = new ResizeObserver(() => this.#resize());
  #drawn = null;
  #at = null;

  /** `place` is an empty element, `ends` gives the limits of x, `limits` those of y from the curves' values and the landmarks. */
  constructor(place, { x, ends = null, limits = ofRuns, landmarks = [0], onPick = null }) {
    Object.assign(this, { place, x, ends, limits, landmarks, onPick });
    this.canvas = document.createElement("div");
    this.head = Object.assign(document.createElement("div"), { className: "playhead", hidden: true });
    this.dots = [];
    place.classList.add("panel");
    place.append(this.canvas, this.head);
    this.#size.observe(place);
  }

  async draw(curves) {
    this.curves = curves;
    const Plotly = await plotly();
    if (this.curves !== curves || !this.place.isConnected) return;
    const traces = curves.map(({ x, y, label, look }) => ({
      x, y, name: label, mode: y.length < 3 ? "markers" : "lines", type: "scatter", line: { color: colour(look.colour), dash: look.dash, width: 2.2 },
      marker: { color: colour(look.colour), size: 8 }, hovertemplate: "%{y:.4g}",
    }));
    this.#drawn = Plotly.react(this.canvas, traces, this.#layout(curves), PLAIN);
    await this.#drawn;
    if (!this.listening && this.onPick) {
      this.listening = true;
      this.canvas.on("plotly_click", (event) => this.onPick(event.points[0].x));
    }
    this.#move();
  }

  /** Moves the playhead to a place on the x axis. */
  at(step) {
    this.#at = step;
    this.#move();
  }

  remove() {
    this.#size.disconnect();
    if (window.Plotly) window.Plotly.purge(this.canvas);
  }

  #layout(curves) {
    const axis = {
      gridcolor: colour("line"), zeroline: false, linecolor: colour("rule"), tickcolor: colour("rule"), showline: true, ticks: "outside",
      ticklen: 4, nticks: 6, fixedrange: matchMedia("(pointer: coarse)").matches, tickfont: { color: colour("soft"), size: 12 },
    };
    const limits = this.limits(curves.map(({ y }) => y), this.landmarks);
    return {
      autosize: false, width: this.place.clientWidth, height: this.place.clientHeight, margin: { l: 52, r: 14, t: 10, b: 42 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x unified", dragmode: "zoom",
      font: { family: colour("sans"), color: colour("ink"), size: 12 }, separators: ".",
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("rule"), font: { color: colour("ink"), family: colour("sans"), size: 12 } },
      xaxis: { ...axis, showgrid: false, title: { text: this.x, standoff: 6, font: { size: 12, color: colour("soft") } }, range: this.ends?.() ?? null, autorange: !this.ends },
      yaxis: { ...axis, range: limits, exponentformat: "power", minexponent: 4 },
    };
  }

  #move() {
    const layout = this.canvas._fullLayout;
    if (!layout || this.#at === null || !this.curves) return;
    const { xaxis, yaxis } = layout;
    const left = xaxis._offset + xaxis.l2p(this.#at);
    this.head.hidden = false;
    this.head.style.transform = `translate(${left}px, ${yaxis._offset}px)`;
    this.head.style.height = `${yaxis._length}px`;
    while (this.dots.length < this.curves.length) {
      const dot = Object.assign(document.createElement("div"), { className: "dot" });
      this.dots.push(dot);
      this.place.append(dot);
    }
    this.dots.forEach((dot, i) => {
      const curve = this.curves[i];
      const value = curve?.y[Math.min(Math.round(this.#at), curve.y.length - 1)];
      const top = yaxis.l2p(value);
      dot.hidden = !curve || !Number.isFinite(value) || top < -1 || top > yaxis._length + 1;
      if (dot.hidden) return;
      dot.style.background = colour(curve.look.colour);
      dot.style.transform = `translate(${left}px, ${yaxis._offset + top}px)`;
    });
  }

  async #resize() {
    if (!this.#drawn || !this.place.clientWidth) return;
    await this.#drawn;
    if (this.place.isConnected) await window.Plotly.relayout(this.canvas, { width: this.place.clientWidth, height: this.place.clientHeight });
    this.#move();
  }
}

const DRAWABLE = 1e250;
const BLOW_UP = 1e3;
const MIDDLE = 0.06;
const POLE = 30;
const APART = 20;
const LOW = 0.02;

const largest = (values) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
const drawable = (rows) => rows.flatMap((y) => Array.from(y)).filter((v) => Math.abs(v) < DRAWABLE);

function median(sizes) {
  const sorted = sizes.sort((p, q) => p - q);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 1;
}

/** Limits of y for curves by step: every value, unless one blows up and would leave nothing else to see. */
export function ofRuns(rows, landmarks) {
  let shown = drawable(rows);
  const usual = BLOW_UP * Math.max(1, median(shown.map(Math.abs)));
  if (largest(shown) > usual) shown = shown.filter((v) => Math.abs(v) <= usual);
  return withAir(shown, landmarks);
}

const middle = (y) => y.slice(Math.floor(MIDDLE * y.length), Math.ceil((1 - MIDDLE) * y.length));

/** Which of these heights are not far beyond all lower ones. */
export function together(heights) {
  const sorted = heights.map((h) => Math.max(h, LOW)).sort((p, q) => p - q);
  const gap = sorted.findIndex((h, i) => i > 0 && h > APART * sorted[i - 1]);
  return heights.map((h) => gap < 0 || h < sorted[gap]);
}

/** Limits of y for curves by answer, a curve with a pole at an end, or far above all others, leaves the picture,
 *  as in the library's figures. */
export function ofOutputs(rows, landmarks) {
  const near = together(rows.map((y) => largest(drawable([middle(y)]))));
  rows = rows.filter((_, i) => near[i]);
  const whole = drawable(rows);
  const inner = drawable(rows.map(middle));
  let shown = largest(whole) <= 2 * largest(inner) ? whole : inner;
  const usual = median(shown.map(Math.abs).filter((v) => v > 0));
  if (largest(shown) > POLE * usual) shown = shown.filter((v) => Math.abs(v) <= (POLE / 3) * usual);
  return withAir(shown, landmarks);
}

function withAir(shown, landmarks) {
  const low = shown.reduce((m, v) => Math.min(m, v), Math.min(...landmarks));
  const high = shown.reduce((m, v) => Math.max(m, v), Math.max(...landmarks));
  const air = 0.06 * (high - low) || 0.5;
  return [low < 0 ? low - air : low - air / 4, high + air];
}
