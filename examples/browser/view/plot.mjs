// The plot of the last two minutes of round trips: a scale, a line, and gaps where there was no answer.

import { element, onceAFrame, write } from "./dom.mjs";

const SECONDS = 120;
const LEFT = 42;
const TOP = 8;
const BOTTOM = 20;
const SVG = "http://www.w3.org/2000/svg";

export class Plot {
  #points = [];
  #plot = element("plot");
  #draw = onceAFrame(() => this.#drawNow());

  constructor(backend) {
    backend.on("measured", ({ trip, at }) => {
      this.#points.push({ trip, at });
      while (this.#points.length > 0 && this.#points[0].at < at - SECONDS - 2) this.#points.shift();
      this.#draw();
    });
    new ResizeObserver(this.#draw).observe(this.#plot);
  }

  #drawNow() {
    const known = this.#points.filter(({ trip }) => trip !== null).map(({ trip }) => trip);
    const last = known.at(-1);
    if (last === undefined) return;
    write(element("trip"), last.toFixed(1));
    const sorted = known.toSorted((one, other) => one - other);
    const middle = sorted[Math.floor(sorted.length / 2)];
    const words = `Median ${middle.toFixed(1)} ms, from ${sorted[0].toFixed(1)} to ${sorted.at(-1).toFixed(1)} ms`;
    write(element("trip-words"), `${words} in the last ${SECONDS / 60} minutes.`);
    this.#plot.setAttribute("aria-label", `Round trips. ${words}.`);
    this.#drawLines(step(sorted.at(-1)));
  }

  #drawLines(unit) {
    const { clientWidth: width, clientHeight: height } = this.#plot;
    const highest = unit * 3;
    const end = this.#points.at(-1).at;
    const x = (at) => LEFT + (width - LEFT - 6) * (1 - (end - at) / SECONDS);
    const y = (trip) => TOP + (height - TOP - BOTTOM) * (1 - Math.min(trip, highest) / highest);
    const parts = [];
    for (const mark of [0, unit, 2 * unit, 3 * unit]) {
      parts.push(drawn("path", { class: "grid", d: `M${LEFT},${y(mark)}H${width - 6}` }));
      parts.push(drawn("text", { x: LEFT - 8, y: y(mark) + 4, "text-anchor": "end" }, number(mark)));
    }
    for (const ago of [0, 60, 120]) {
      const anchor = ago === 0 ? "end" : ago === SECONDS ? "start" : "middle";
      const words = ago === 0 ? "now" : `−${ago} s`;
      parts.push(drawn("text", { x: x(end - ago), y: height - 4, "text-anchor": anchor }, words));
    }
    for (const run of runs(this.#points.filter(({ at }) => at >= end - SECONDS))) {
      const line = run.map(({ trip, at }) => `${x(at).toFixed(1)},${y(trip).toFixed(1)}`);
      if (run.length === 1) parts.push(drawn("circle", { class: "dot", cx: x(run[0].at), cy: y(run[0].trip), r: 1.5 }));
      else {
        const [from, to] = [x(run[0].at).toFixed(1), x(run.at(-1).at).toFixed(1)];
        parts.push(drawn("path", { class: "area", d: `M${from},${y(0)}L${line.join("L")}L${to},${y(0)}Z` }));
        parts.push(drawn("path", { class: "line", d: `M${line.join("L")}` }));
      }
    }
    this.#plot.replaceChildren(...parts);
  }
}

/** Return the points in runs without a gap: a measurement without an answer, or none for some seconds, is one. */
function runs(points) {
  const found = [];
  let before = -Infinity;
  let open = false;
  for (const point of points) {
    if (point.trip === null) open = false;
    else {
      if (!open || point.at - before > 7) found.push([]);
      found.at(-1).push(point);
      open = true;
    }
    before = point.at;
  }
  return found;
}

/** Return a third of a round number that is not under the highest value. */
function step(highest) {
  const third = Math.max(highest, 0.3) / 3;
  const power = 10 ** Math.floor(Math.log10(third));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= third);
}

function number(value) {
  return value >= 1000 ? `${value / 1000} s` : String(Number(value.toPrecision(3)));
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
