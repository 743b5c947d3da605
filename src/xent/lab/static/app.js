// The lab as a whole: header, the page of this address, language and colours, and the line to the library.

import { Words, el } from "./dom.js";
import { address, settings, shared } from "./settings.js";
import { Wire } from "./wire.js";
import { restyled } from "./plot.js";
import { neuron } from "./pages/neuron.js";
import { costs } from "./pages/costs.js";
import { map } from "./pages/map.js";
import { race } from "./pages/race.js";
import { doctor } from "./pages/doctor.js";

const PAGES = { neuron, costs, map, race, doctor };
const LANGUAGES = { en: "English", zh: "中文" };
const TAGS = { en: "en", zh: "zh-Hans" };
const TOGETHER = 700; // milliseconds: changes of one thing in quick succession are one step back
const SOON = 200; // a browser allows only so many changes of the address
const dark = matchMedia("(prefers-color-scheme: dark)");

class Lab {
  #page = null;
  #mounted = null;
  #words = new Map();
  #last = { held: null, at: 0 };
  #later = 0;

  constructor(root) {
    this.root = root;
    this.wire = new Wire((there) => this.#connection(there));
    addEventListener("popstate", () => this.show(true));
    addEventListener("pagehide", () => this.#settle());
    dark.addEventListener("change", () => this.show());
    addEventListener("click", (event) => this.#follow(event));
  }

  get language() {
    const chosen = settings().lang ?? localStorage.getItem("xent-lang");
    return chosen in LANGUAGES ? chosen : document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  }

  get theme() {
    const chosen = settings().theme ?? localStorage.getItem("xent-theme");
    return ["light", "dark"].includes(chosen) ? chosen : dark.matches ? "dark" : "light";
  }

  /** Shows what the address says; `anew` where it was gone back to, which forgets what was not in it. */
  async show(anew = false) {
    if (anew) this.#forget();
    const name = location.pathname.slice(1);
    const page = name in PAGES ? name : "neuron";
    const language = this.language;
    if (!this.#words.has(language)) this.#words.set(language, fetch(`/words/${language}.json`).then((r) => r.json()));
    this.words = new Words(await this.#words.get(language));
    if (language !== this.language) return;
    const html = document.documentElement;
    html.lang = TAGS[language];
    html.dataset.theme = this.theme;
    restyled();
    document.title = `${this.words.say(`${page}.title`)} · ${this.words.say("shell.title")}`;
    const again = page === this.#page;
    const kept = again && !anew ? this.#mounted?.kept?.() : null; // where the playhead stood
    const focused = again ? document.activeElement?.dataset?.key : null;
    this.#mounted?.unmount?.();
    this.#page = page;
    const main = el("main", { id: "main", tabindex: "-1" });
    this.root.replaceChildren(this.#header(page), this.lost ?? "", main);
    this.#mounted = PAGES[page](main, this, kept);
    if (focused) this.root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    if (!again) scrollTo(0, 0);
  }

  /** Changes settings of the page; once a change is committed it stands in the address and Back undoes it. */
  set(changes, commit = true) {
    this.draft = { ...(this.draft ?? settings()), ...changes };
    if (commit) {
      const [held, at] = [document.activeElement?.dataset.key, performance.now()];
      const again = held && held === this.#last.held && at - this.#last.at < TOGETHER; // a key held down
      this.#last = { held, at };
      if (again) this.#soon();
      else this.#write("pushState");
    }
    this.#mounted.update(this.settings);
  }

  /** Puts what is looked at into the address, without a step to go back: nothing is computed anew. */
  note(changes) {
    this.draft = { ...(this.draft ?? settings()), ...changes };
    this.#soon();
  }

  #soon() {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.#write("replaceState"), SOON);
  }

  #write(how) {
    const draft = this.draft;
    this.#forget();
    const place = draft && address(this.#page, draft);
    if (place && place !== location.pathname + location.search) history[how](null, "", place);
  }

  /** What was to be written soon is written now; what was not committed is forgotten. */
  #settle() {
    if (this.#later) this.#write("replaceState");
    this.#forget();
  }

  #forget() {
    clearTimeout(this.#later);
    this.#later = 0;
    this.draft = null;
  }

  /** Another page, or this one with other settings altogether. */
  open(page, given) {
    this.#settle();
    history.pushState(null, "", address(page, { ...given, ...shared(settings()) }));
    this.show();
  }

  get settings() {
    return this.draft ?? settings();
  }

  /** Asks the library about the present settings, or others. */
  ask(ask, done, given = this.settings) {
    this.wire.ask(ask, { ...given, lang: this.language, theme: this.theme }, (answer) => {
      done(answer);
      requestAnimationFrame(() => document.dispatchEvent(new CustomEvent("painted", { detail: ask })));
    });
  }

  #header(page) {
    const { say } = this.words;
    const link = (name) =>
      el("a", { href: address(name, shared(settings())), "aria-current": name === page ? "page" : null, "data-page": name, "data-key": `nav-${name}` }, say(`shell.${name}`));
    const language = el("div.switch", { role: "group", "aria-label": say("shell.language") },
      Object.entries(LANGUAGES).map(([code, name]) =>
        el("button", { type: "button", lang: TAGS[code], "aria-pressed": String(code === this.language), "data-key": `lang-${code}`, onclick: () => this.#choose("lang", code) }, name)));
    const theme = el("div.switch", { role: "group", "aria-label": say("shell.theme") },
      ["light", "dark"].map((name) =>
        el("button", { type: "button", "aria-pressed": String(name === this.theme), "data-key": `theme-${name}`, onclick: () => this.#choose("theme", name) }, say(`shell.${name}`))));
    return el("header", {},
      el("a.skip", { href: "#main" }, say("shell.skip")),
      el("a.brand", { href: address("neuron", shared(settings())), "data-page": "neuron" }, "xent ", el("span", {}, say("shell.lab"))),
      el("nav", { "aria-label": say("shell.pages") }, Object.keys(PAGES).map(link)),
      el("div.switches", {}, language, theme));
  }

  #choose(name, value) {
    localStorage.setItem(`xent-${name}`, value);
    this.#settle();
    history.replaceState(null, "", address(this.#page, { ...settings(), [name]: value }));
    this.show();
  }

  /** Links between pages keep the page and its connection. */
  #follow(event) {
    const link = event.target.closest?.("a[data-page]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.#settle();
    history.pushState(null, "", link.getAttribute("href"));
    this.show();
  }

  #connection(there) {
    if (there) {
      if (!this.lost) return;
      this.lost.remove();
      this.lost = null;
      this.#words.clear(); // another lab may be there, with other costs of its user's
      this.show();
    } else if (!this.lost && this.words) {
      this.lost = el("p.lost", { role: "alert" }, this.words.rich("shell.lost"));
      this.root.querySelector("header")?.after(this.lost);
    }
  }
}

export const lab = new Lab(document.getElementById("lab"));
lab.show();
