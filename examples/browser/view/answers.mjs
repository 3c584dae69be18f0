// The calls and their answers: waiting ones can be stopped, results are pretty, folded, and copied by a button.

import { copy, element, make } from "./dom.mjs";
import { parse, pretty, tree } from "./tree.mjs";

const KEPT = 50;

export class Answers {
  #backend;
  #status;
  #waiting = new Map();
  #last = 0;

  /**
   * @param {(asked: {method: string|null, params: string}) => void} reuse Puts a call back into its form.
   */
  constructor(backend, status, reuse) {
    this.#backend = backend;
    this.#status = status;
    this.reuse = reuse;
    backend.on("answer", (answer) => this.#settle(answer));
    element("clear-answers").addEventListener("click", () => this.#clear());
  }

  /** Ask the circle; returns what is answered: `{value}`, a JSON text, or `{error}`. */
  ask(method, params, timeout) {
    const number = ++this.#last;
    const card = new Card(method, params, {
      stop: () => this.#backend.ask("stop", { number }),
      again: () => this.reuse({ method, params }),
    });
    card.wait(this.#status.now === "connected" ? "Waiting for the answer" : "Waiting for the connection");
    const list = element("answers");
    list.prepend(card.item);
    while (list.childElementCount > KEPT) list.lastElementChild.remove();
    element("no-answers").hidden = true;
    element("clear-answers").disabled = false;
    this.#backend.ask("call", { number, method, params, timeout });
    return new Promise((resolve) => this.#waiting.set(number, { card, resolve }));
  }

  #settle({ number, ms, value, error }) {
    const { card, resolve } = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error) card.fail(error, ms);
    else card.show(value, ms);
    resolve({ value, error });
  }

  #clear() {
    for (const item of [...element("answers").children]) if (item.dataset.state !== "waiting") item.remove();
    element("no-answers").hidden = element("answers").childElementCount > 0;
    element("clear-answers").disabled = element("answers").childElementCount === 0;
  }
}

class Card {
  constructor(method, params, { stop, again }) {
    const title = make("code", { className: "asked" }, method ?? params.split("\n")[0]);
    if (method !== null && params) title.append(make("span", { className: "given" }, ` ${params}`));
    this.badge = make("span", { className: "badge" });
    this.stop = button("Stop", stop);
    this.copy = button("Copy", () => copy(this.text, this.copy));
    this.copy.disabled = true;
    const kind = method === null ? "Script" : "Call";
    const tools = make("span", { className: "tools" }, this.stop, button("Again", again), this.copy);
    this.body = make("div", { className: "body" });
    const head = make("div", { className: "head" }, make("small", {}, kind), title, this.badge, tools);
    // What is folded open may need to be scrolled, also without a mouse.
    this.body.addEventListener("toggle", () => this.#reach(), { capture: true });
    this.item = make("li", { data: { state: "waiting" } }, head, this.body);
  }

  wait(words) {
    this.body.replaceChildren(make("p", { className: "note" }, words));
  }

  show(value, ms) {
    const known = parse(value);
    this.text = typeof known === "string" ? known : pretty(known);
    const shown = typeof known === "string" ? make("pre", {}, known) : tree(known);
    this.#end("good", duration(ms), shown);
  }

  fail(error, ms) {
    const details = [];
    if (error.code !== undefined) details.push(make("small", {}, `code ${error.code}`));
    const words = make("p", { className: "words" }, error.words);
    const name = make("small", {}, error.name);
    this.text = pretty(error);
    const data = error.data === undefined || error.data === null ? [] : [tree(error.data, "data")];
    const about = make("p", { className: "name" }, name, " ", ...details);
    this.#end(error.name === "Stopped" ? "stopped" : "bad", duration(ms), words, about, ...data);
  }

  #end(state, words, ...content) {
    this.item.dataset.state = state;
    this.badge.textContent = words;
    const hadFocus = document.activeElement === this.stop;
    this.stop.remove();
    this.copy.disabled = false;
    if (hadFocus) this.copy.focus();
    this.body.replaceChildren(...content);
    this.#reach();
  }

  #reach() {
    const scrolls = this.body.scrollHeight > this.body.clientHeight + 1;
    this.body.tabIndex = scrolls ? 0 : -1;
    if (!scrolls) this.body.removeAttribute("tabindex");
    this.body.role = scrolls ? "region" : null;
    this.body.ariaLabel = scrolls ? "Answer" : null;
  }
}

function button(words, action) {
  const made = make("button", { type: "button", className: "small" }, words);
  made.addEventListener("click", action);
  return made;
}

function duration(ms) {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
