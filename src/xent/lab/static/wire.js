// The one WebSocket: questions out as JSON, answers in as the binary messages of wire.py. An answer older than one already shown is dropped.

const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u1: Uint8Array };
const PATIENCE = [300, 1000, 2000, 4000];

/** {id, tree} of a message, its arrays as views: nothing is copied. */
export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = header.arrays.map(({ type, shape, at }) => {
    const size = shape.reduce((n, m) => n * m, 1);
    return Object.assign(new ARRAYS[type](buffer, 4 + length + at, size), { shape });
  });
  return { id: header.id, tree: filled(header.tree, arrays) };
}

function filled(tree, arrays) {
  if (Array.isArray(tree)) return tree.map((part) => filled(part, arrays));
  if (tree === null || typeof tree !== "object") return tree;
  if ("$" in tree) return arrays[tree.$];
  return Object.fromEntries(Object.entries(tree).map(([name, part]) => [name, filled(part, arrays)]));
}

export class Wire {
  #socket = null;
  #next = 1;
  #tries = 0;
  #asked = new Map(); // id → {ask, done}, in the order of asking
  #unsent = new Map(); // ask → message, while there is no connection

  /** `changed` is told true when the lab is there and false when it has gone. */
  constructor(changed) {
    this.changed = changed;
    this.#open();
  }

  /** Asks, and calls done(tree) with the answer unless a newer question of its kind was answered first. */
  ask(ask, settings, done) {
    const id = this.#next++;
    const message = JSON.stringify({ id, ask, with: settings });
    this.#asked.set(id, { ask, done });
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
    else this.#unsent.set(ask, message);
  }

  /** The same as a promise, for what is asked once. */
  once(ask, settings) {
    return new Promise((done) => this.ask(ask, settings, done));
  }

  #open() {
    this.#socket = new WebSocket(`ws://${location.host}/live`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.#tries = 0;
      for (const message of this.#unsent.values()) this.#socket.send(message);
      this.#unsent.clear();
      this.changed(true);
    };
    this.#socket.onmessage = ({ data }) => this.#hear(unpacked(data));
    this.#socket.onclose = () => {
      this.changed(false);
      setTimeout(() => this.#open(), PATIENCE[Math.min(this.#tries++, PATIENCE.length - 1)]);
    };
  }

  #hear({ id, tree }) {
    const answered = this.#asked.get(id);
    if (!answered) return;
    for (const [other, { ask }] of this.#asked) if (ask === answered.ask && other <= id) this.#asked.delete(other);
    answered.done(tree);
  }
}
