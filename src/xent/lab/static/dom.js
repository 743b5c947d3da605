// Elements and words: how a page is put together.

/** An element with attributes and children; on… are listeners, true sets a bare attribute, null and false leave it out. */
export function el(name, given = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag || "div");
  if (classes.length) made.className = classes.join(" ");
  set(made, given);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for a picture. */
export function svg(tag, given = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  set(made, given);
  made.append(...children);
  return made;
}

export function set(element, given) {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
  return element;
}

/** Light markup as nodes: *variable*, **strong**, `code`. */
export function rich(text) {
  const kinds = [["**", "strong"], ["*", "i"], ["`", "code"]];
  return text.split(/(`[^`]*`|\*\*.+?\*\*|\*[^*]+?\*)/).filter(Boolean).map((piece) => {
    const kind = kinds.find(([mark]) => piece.length > 2 * mark.length && piece.startsWith(mark) && piece.endsWith(mark));
    return kind ? el(kind[1], {}, piece.slice(kind[0].length, -kind[0].length)) : document.createTextNode(piece);
  });
}

/** The words of a page: say("neuron.title"), with names in braces filled in. */
export class Words {
  constructor(data) {
    this.data = data;
  }

  say = (key, values = {}) => {
    const text = key.split(".").reduce((part, name) => part?.[name], this.data);
    if (typeof text !== "string") throw new Error(`no words for ${key}`);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  };

  rich = (key, values = {}) => rich(this.say(key, values));
}

/** A number as a person reads it: four digits, a real minus sign. */
export function number(value, digits = 4) {
  if (value === null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(digits - 2) : String(Number(value.toPrecision(digits)));
  return text.replace(/-/g, "−");
}
