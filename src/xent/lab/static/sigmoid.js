// The activation with every neuron on it: its point, its tangent, and the start to drag.

import { svg, set, number } from "./dom.js";

const WIDTH = 760;
const HEIGHT = 300;
const EDGE = { left: 44, right: 16, top: 14, bottom: 34 };
const STRIDE = { ArrowLeft: -0.1, ArrowRight: 0.1, ArrowDown: -0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 };

export class Sigmoid {
  #data = null;
  #step = 0;

  constructor({ say, moved }) {
    this.say = say;
    this.moved = moved;
    this.axes = svg("g", { class: "axes" });
    this.curves = svg("g", { class: "activations" });
    this.marks = svg("g", {});
    this.handle = svg("g", { class: "handle", tabindex: 0, role: "slider", "aria-label": say("neuron.handle"), "data-key": "handle" }, svg("circle", { r: 22, class: "grip" }), svg("circle", { r: 8, class: "knob" }));
    this.element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sigmoid", role: "group", "aria-label": say("neuron.sigmoid_label") }, this.axes, this.curves, this.marks, this.handle);
    this.#drag();
    this.#size = new ResizeObserver(() => this.#fit());
    this.#size.observe(this.element);
  }

  #size;
  #scale = { x: WIDTH, y: HEIGHT };

  draw(data) {
    this.#data = data;
    const curves = data.activations;
    const seen = data.runs.flatMap(({ a }) => [a[0], a[a.length - 1]]).filter(Number.isFinite);
    this.left = curves[0]?.z[0] ?? -6;
    this.right = -this.left;
    const bounded = curves.filter(({ low }) => low !== null);
    this.low = Math.min(0, ...bounded.map(({ low }) => low), ...seen.map((v) => Math.max(v, -10)));
    this.high = Math.max(1, ...bounded.map(({ high }) => high), ...seen.map((v) => Math.min(v, 10)));
    this.#redraw();
  }

  at(step) {
    this.#step = step;
    this.#move();
  }

  #x = (z) => EDGE.left + ((z - this.left) / (this.right - this.left)) * (this.#scale.x - EDGE.left - EDGE.right);
  #y = (a) => this.#scale.y - EDGE.bottom - ((a - this.low) / (this.high - this.low)) * (this.#scale.y - EDGE.top - EDGE.bottom);

  /** The drawing has as many units as pixels, so that its letters stay as they are on a phone. */
  #fit() {
    const { width, height } = this.element.getBoundingClientRect();
    if (!width || !height) return;
    this.#scale = { x: width, y: height };
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#redraw();
  }

  #redraw() {
    if (!this.#data) return;
    const text = (x, y, words, anchor = "middle") => Object.assign(svg("text", { x, y, "text-anchor": anchor }), { textContent: words });
    const ticks = steps(this.left, this.right, this.#scale.x < 480 ? 4 : 8);
    const heights = steps(this.low, this.high, 4);
    const foot = this.#scale.y - EDGE.bottom;
    this.axes.replaceChildren(
      ...heights.flatMap((a) => [svg("line", { x1: EDGE.left, x2: this.#scale.x - EDGE.right, y1: this.#y(a), y2: this.#y(a) }), text(EDGE.left - 8, this.#y(a) + 4, number(a, 3), "end")]),
      ...ticks.map((z) => text(this.#x(z), foot + 18, number(z, 3))),
      Object.assign(svg("text", { x: this.#scale.x - EDGE.right, y: foot + 32, "text-anchor": "end", class: "name" }), { textContent: "z" }),
      Object.assign(svg("text", { x: EDGE.left + 6, y: EDGE.top + 2, "text-anchor": "start", class: "name" }), { textContent: "a" }));
    this.curves.replaceChildren(...this.#data.activations.map(({ z, a }) => {
      const points = Array.from(z, (each, i) => [each, a[i]]).filter(([, v]) => v >= this.low - 0.2 && v <= this.high + 0.2);
      return svg("path", { d: "M" + points.map(([each, v]) => `${this.#x(each).toFixed(1)},${this.#y(v).toFixed(1)}`).join("L") });
    }));
    this.marks.replaceChildren(...this.#data.runs.flatMap(({ look }) => [
      svg("line", { class: "tangent", "data-colour": look.colour, "data-dash": look.dash }), svg("circle", { class: "point", r: 6.5, "data-colour": look.colour })]));
    this.#move();
  }

  #move() {
    if (!this.#data) return;
    this.#data.runs.forEach(({ z, a, slope }, i) => {
      const step = Math.min(this.#step, z.length - 1);
      const [tangent, point] = [this.marks.children[2 * i], this.marks.children[2 * i + 1]];
      const inside = Number.isFinite(z[step]) && Math.abs(z[step]) <= this.right && a[step] >= this.low - 0.05 && a[step] <= this.high + 0.05;
      for (const mark of [tangent, point]) set(mark, { visibility: inside ? null : "hidden" });
      if (!inside) return;
      const [x, y] = [this.#x(z[step]), this.#y(a[step])];
      const rise = (this.#y(a[step] + slope[step]) - y) / (this.#x(z[step] + 1) - x); // in pixels
      const reach = 70 / Math.hypot(1, rise);
      set(tangent, { x1: x - reach, x2: x + reach, y1: y - reach * rise, y2: y + reach * rise });
      set(point, { cx: x, cy: y });
    });
    const first = this.#data.runs[0];
    set(this.handle, { visibility: first && Math.abs(first.z[0]) <= this.right ? null : "hidden" });
    if (!first) return;
    const z = first.z[0];
    set(this.handle, {
      transform: `translate(${this.#x(z)} ${this.#y(Math.min(Math.max(first.a[0], this.low), this.high))})`,
      "aria-valuemin": number(this.left, 3), "aria-valuemax": number(this.right, 3), "aria-valuenow": z.toFixed(3),
      "aria-valuetext": this.say("neuron.handle_at", { z: number(z, 3), a: number(first.a[0], 3) }),
    });
  }

  #drag() {
    const grip = this.handle;
    let held = null;
    const where = (event) => {
      const { left } = this.element.getBoundingClientRect();
      const z = held.left + ((event.clientX - left - EDGE.left) / (this.#scale.x - EDGE.left - EDGE.right)) * (held.right - held.left);
      return Math.min(Math.max(z, held.left), held.right);
    };
    set(grip, {
      onpointerdown: (event) => {
        held = { left: this.left, right: this.right };
        grip.setPointerCapture(event.pointerId);
        event.preventDefault();
        grip.focus({ preventScroll: true });
      },
      onpointermove: (event) => held && this.moved(where(event), false),
      onpointerup: (event) => {
        if (!held) return;
        const z = where(event);
        held = null;
        this.moved(z, true);
      },
      onpointercancel: () => (held = null),
      onkeydown: (event) => {
        if (!(event.key in STRIDE)) return;
        event.preventDefault();
        this.moved(Math.min(Math.max(this.#data.runs[0].z[0] + STRIDE[event.key], -30), 30), true);
      },
    });
  }
}

/** Some round numbers between two ends. */
export function steps(low, high, about) {
  const rough = (high - low) / about;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * ten).find((each) => each >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}
