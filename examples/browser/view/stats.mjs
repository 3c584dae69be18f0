// The client's statistics.

import { element, make, onceAFrame, write } from "./dom.mjs";

const SHOWN = {
  connects: ["Connected", count],
  reconnects: ["Reconnects", count],
  calls: ["Calls", count],
  failures: ["Failed calls", count],
  notifications: ["Notifications", count],
  dropped: ["Dropped", count],
  protocol_errors: ["Protocol errors", count],
  bytes_in: ["Received", bytes],
  bytes_out: ["Sent", bytes],
  connected_since: ["Connected for", since],
};

export class Stats {
  #stats = {};
  #values = {};
  #draw = onceAFrame(() => this.#drawNow());

  constructor(backend) {
    for (const [name, [words]] of Object.entries(SHOWN)) {
      this.#values[name] = make("dd", {}, "–");
      element("stats").append(make("div", {}, make("dt", {}, words), this.#values[name]));
    }
    backend.on("measured", ({ stats }) => {
      this.#stats = stats;
      this.#draw();
    });
  }

  #drawNow() {
    for (const [name, [, format]] of Object.entries(SHOWN)) write(this.#values[name], format(this.#stats[name]));
  }
}

function count(value) {
  return value.toLocaleString("en");
}

function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

function since(at) {
  if (at === null) return "–";
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 - at));
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  if (minutes === 0) return `${rest} s`;
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
