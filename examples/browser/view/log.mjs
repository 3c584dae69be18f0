// The event log: changes of status with their cause, failed calls, what the browser tells; exported as a JSON file.

import { clock, element, make, onceAFrame } from "./dom.mjs";

const KEPT = 1000;
const SHOWN = 200;

export class Log {
  #events = [];
  #fresh = [];
  #draw = onceAFrame(() => this.#drawNow());

  constructor(backend) {
    backend.on("status", ({ public_key: _, ...change }) => {
      const wait = change.retry_in === null ? "" : `Next attempt in ${change.retry_in.toFixed(1)} s. `;
      this.add(change.status, wait + (change.cause?.words ?? ""), { ...change });
    });
    backend.on("protocol_error", (error) => this.add("protocol error", error.words, error));
    backend.on("answer", ({ error, number }) => error && this.add("call failed", error.words, { number, ...error }));
    for (const name of ["online", "offline"]) addEventListener(name, () => this.add(name, `The browser is ${name}.`));
    document.addEventListener("visibilitychange", () => {
      this.add(document.visibilityState, document.hidden ? "The tab was hidden." : "The tab is shown again.");
    });
    element("export").addEventListener("click", () => this.#export());
    element("clear-log").addEventListener("click", () => {
      this.#events = [];
      this.#fresh = [];
      element("log").replaceChildren();
    });
  }

  /** Add an event; the details are only in the export. */
  add(kind, words, details = {}) {
    const event = { at: details.at ?? Date.now() / 1000, kind, words, ...details };
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events.shift();
    this.#fresh.push(event);
    this.#draw();
  }

  #drawNow() {
    const list = element("log");
    for (const { at, kind, words } of this.#fresh.splice(0)) {
      const line = make("li", { data: { kind } }, make("time", {}, clock(at)), make("span", {}, kind));
      if (words) line.append(make("small", {}, words));
      list.prepend(line);
    }
    while (list.childElementCount > SHOWN) list.lastElementChild.remove();
  }

  #export() {
    const events = this.#events.map((event) => ({ ...event, at: new Date(event.at * 1000).toISOString() }));
    const blob = new Blob([`${JSON.stringify(events, null, 2)}\n`], { type: "application/json" });
    const link = make("a", { href: URL.createObjectURL(blob), download: "circle-events.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
