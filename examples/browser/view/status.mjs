// The status strip: state, cause in words, attempt, a countdown that counts, "reconnect now".

import { element, write } from "./dom.mjs";

const DETAILS = {
  idle: "Choose a circle and connect.",
  connecting: "Opening the connection.",
  authenticating: "Signing in.",
  connected: "Signed in.",
  closing: "Closing the connection.",
  closed: "Not connected.",
};
const ACTIVE = new Set(["connecting", "authenticating", "connected", "waiting"]);
const QUIET = 2.5;

export class Status {
  #backend;
  #retry = null;
  #heard = 0;
  #silent = null;
  #listeners = [];
  now = "idle";

  constructor(backend) {
    this.#backend = backend;
    backend.on("status", (change) => this.#show(change));
    backend.on("measured", ({ trip }) => trip !== null && this.#hear());
    backend.on("notifications", () => this.#hear());
    element("reconnect").addEventListener("click", () => backend.ask("reconnect"));
    for (const name of ["online", "offline"]) addEventListener(name, () => this.#showDetail());
    setInterval(() => this.#watch(), 500);
  }

  /** Whether there is a client that takes calls, connected or on its way. */
  get active() {
    return ACTIVE.has(this.now);
  }

  /** Call a function with each status. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Show a status that no client has: before the first, and after a fault. */
  set(status, detail) {
    this.#show({ status, cause: detail ? { words: detail } : null, attempt: 0, retry_in: null });
  }

  #show(change) {
    this.now = change.status;
    this.change = change;
    this.#hear();
    document.body.dataset.status = change.status;
    document.body.dataset.live = change.status === "connected" ? "yes" : "no";
    write(element("status"), change.status[0].toUpperCase() + change.status.slice(1));
    this.#showDetail();
    const tried = change.attempt > 1 || (change.attempt === 1 && change.status === "waiting");
    element("attempt").hidden = !(tried && this.active && change.status !== "connected");
    write(element("attempt"), `Attempt ${change.attempt}`);
    element("reconnect").disabled = !(change.status === "waiting" || change.status === "connected");
    this.#count(change.retry_in);
    for (const listener of this.#listeners) listener(change);
  }

  #showDetail() {
    const { status, cause } = this.change ?? { status: this.now };
    let words = DETAILS[status] ?? "";
    if (cause && status !== "connected") words = cause.words;
    if (status === "connected" && this.#silent !== null) words = `No answer for ${this.#silent} s.`;
    if (!navigator.onLine && status !== "connected") words = `This browser is offline. ${words}`;
    write(element("status-detail"), words);
  }

  #count(seconds) {
    const bar = element("wait");
    const text = element("countdown");
    this.#retry = seconds === null ? null : performance.now() + seconds * 1000;
    text.hidden = bar.hidden = this.#retry === null;
    if (this.#retry === null) return;
    // Reading the layout in between makes the browser restart the animation.
    bar.style.animation = "none";
    void bar.offsetWidth;
    bar.style.animation = "";
    bar.style.animationDuration = `${seconds}s`;
    const retry = this.#retry;
    const draw = () => {
      if (this.#retry !== retry) return;
      write(text, `Next in ${Math.max(0, (retry - performance.now()) / 1000).toFixed(1)} s`);
      requestAnimationFrame(draw);
    };
    draw();
  }

  // A circle that is frozen: the client finds out by itself within seconds; meanwhile the strip says what is seen.

  #hear() {
    this.#heard = performance.now();
    if (this.#silent !== null) {
      this.#silent = null;
      this.#showDetail();
    }
  }

  #watch() {
    const silent = Math.floor((performance.now() - this.#heard) / 1000);
    if (this.now === "connected" && silent > QUIET && !document.hidden) {
      this.#silent = silent;
      this.#showDetail();
    }
  }
}
