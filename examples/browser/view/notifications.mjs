// Live notifications: a list with a filter and a pause, and the rate of all of them, listed or not.

import { clock, element, make, onceAFrame, write } from "./dom.mjs";

const KEPT = 500;
const ROWS = 60;

export class Notifications {
  #backend;
  #kept = [];
  #rows = [];
  #counts = [];
  #received = 0;
  #dropped = 0;
  #paused = false;
  #missed = 0;
  #wanted = "";
  #draw = onceAFrame(() => this.#drawNow());
  first = null;

  constructor(backend, status) {
    this.#backend = backend;
    backend.on("notifications", (portion) => this.#take(portion));
    element("filter").addEventListener("input", ({ target }) => this.#filter(target.value.trim()));
    element("pause").addEventListener("click", () => this.#pause());
    element("clear-notifications").addEventListener("click", () => {
      this.#kept = [];
      this.#draw();
    });
    setInterval(() => this.#draw(), 1000);
    status.onChange(({ status: now }) => {
      if (now !== "connected") this.#counts = [];
      this.#draw();
    });
    this.#draw();
  }

  #take({ count, dropped, at, rows }) {
    this.#received += count;
    this.#dropped = dropped;
    this.#counts.push([performance.now(), count]);
    this.first ??= rows[0] ?? null;
    if (this.#paused) this.#missed += rows.length;
    else {
      for (const [method, params] of rows) this.#kept.push({ at, method, params });
      if (this.#kept.length > KEPT) this.#kept.splice(0, this.#kept.length - KEPT);
    }
    this.#draw();
  }

  #filter(text) {
    this.#wanted = text.toLowerCase();
    this.#backend.ask("filter", { text });
    this.#draw();
  }

  #pause() {
    this.#paused = !this.#paused;
    this.#missed = 0;
    element("pause").setAttribute("aria-pressed", String(this.#paused));
    this.#draw();
  }

  #drawNow() {
    const since = performance.now() - 1000;
    while (this.#counts.length > 0 && this.#counts[0][0] < since) this.#counts.shift();
    const rate = this.#counts.reduce((sum, [, count]) => sum + count, 0);
    write(element("rate"), rate.toLocaleString("en"));
    write(element("received"), this.#received.toLocaleString("en"));
    element("dropped").hidden = this.#dropped === 0;
    write(element("dropped"), `${this.#dropped.toLocaleString("en")} not shown`);
    write(element("pause"), this.#paused ? `Go on${this.#missed ? ` (${this.#missed.toLocaleString("en")})` : ""}` : "Pause");
    this.#drawList();
  }

  #drawList() {
    const wanted = this.#wanted;
    const fits = ({ method, params }) => !wanted || `${method} ${params}`.toLowerCase().includes(wanted);
    const shown = [];
    for (let at = this.#kept.length - 1; at >= 0 && shown.length < ROWS; at--) {
      if (fits(this.#kept[at])) shown.push(this.#kept[at]);
    }
    const list = element("notifications");
    while (this.#rows.length < shown.length) {
      const row = new Row();
      this.#rows.push(row);
      list.append(row.line);
    }
    this.#rows.forEach((row, index) => row.show(shown[index]));
    list.dataset.empty = shown.length > 0 ? "" : wanted ? "Nothing fits the filter." : "Nothing has come yet.";
  }
}

/** A line of the list, which is written anew instead of made anew: a flood costs no elements. */
class Row {
  constructor() {
    this.parts = [make("time"), make("b"), make("code")];
    this.line = make("div", { className: "line" }, ...this.parts);
  }

  show(notification) {
    if (this.shown === notification) return;
    this.shown = notification;
    this.line.hidden = notification === undefined;
    if (notification === undefined) return;
    const { at, method, params } = notification;
    [clock(at), method, params].forEach((text, index) => write(this.parts[index], text));
  }
}
