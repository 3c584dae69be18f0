// A JSON value as a tree that can be folded; what a circle sent is text and never HTML.

import { make } from "./dom.mjs";

const OPEN_ITEMS = 30;
const SHOWN_ITEMS = 200;
const DEEP = 12;

/** A number that JavaScript cannot hold, as it was written. */
class Exact {
  constructor(source) {
    this.source = source;
  }
}

/** Return the value of a JSON text; a number that JavaScript would change stays as it was written. */
export function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    const source = context?.source;
    return typeof value === "number" && source && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? new Exact(source)
      : value;
  });
}

/** Return a JSON text, indented, with numbers as they were written. */
export function pretty(value, indent = "") {
  const inner = `${indent}  `;
  if (value instanceof Exact) return value.source;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((one) => inner + pretty(one, inner)).join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const items = Object.entries(value).map(([name, one]) => `${inner}${JSON.stringify(name)}: ${pretty(one, inner)}`);
    return items.length === 0 ? "{}" : `{\n${items.join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value);
}

/** Return an element that shows a value. */
export function tree(value, name = null, depth = 0) {
  const label = name === null ? [] : [make("span", { className: "member" }, String(name)), ": "];
  if (value === null || typeof value !== "object" || value instanceof Exact) {
    return make("div", { className: "leaf" }, ...label, leaf(value));
  }
  const items = Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value);
  const [begin, end] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (items.length === 0) return make("div", { className: "leaf" }, ...label, begin + end);
  const count = `${items.length} ${items.length === 1 ? "item" : "items"}`;
  const summary = make("summary", {}, ...label, begin, make("small", {}, ` ${count} `, end));
  const folded = make("details", { open: depth < 3 && items.length <= OPEN_ITEMS }, summary);
  fill(folded, items, depth);
  return folded;
}

/** Put the items in when they are to be seen: a large value costs nothing before. */
function fill(folded, items, depth) {
  let filled = false;
  const show = () => {
    if (filled || !folded.open) return;
    filled = true;
    const shown = items.slice(0, SHOWN_ITEMS).map(([name, one]) => tree(one, name, Math.min(depth + 1, DEEP)));
    const left = items.length - shown.length;
    if (left > 0) shown.push(make("div", { className: "note" }, `and ${left} more: copy it to see all`));
    folded.append(make("div", { className: "branch" }, ...shown));
  };
  show();
  folded.addEventListener("toggle", show);
}

function leaf(value) {
  const kind = value === null ? "null" : value instanceof Exact ? "number" : typeof value;
  return make("span", { className: `value-${kind}` }, value instanceof Exact ? value.source : JSON.stringify(value));
}
