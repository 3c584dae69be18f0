// The two forms that ask the circle: a call, with the circle's method names or those of the history, and a script.

import { element, make, remember, remembered } from "./dom.mjs";

const HISTORY = "circle-console.history";
const KEPT = 30;

export class Composer {
  #answers;
  #methods = new Map();
  #history = JSON.parse(remembered(sessionStorage, HISTORY, "[]"));

  constructor(backend, status, answers) {
    this.#answers = answers;
    answers.reuse = (asked) => this.#reuse(asked);
    this.#onSubmit("call", () => this.call());
    this.#onSubmit("play", () => this.play());
    element("script").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        element("play").requestSubmit();
      }
    });
    element("method").addEventListener("input", () => this.#describe());
    element("params").addEventListener("input", () => fault(""));
    element("history").addEventListener("change", ({ target }) => {
      if (target.value) this.#reuse(this.#history[Number(target.value)]);
    });
    backend.on("methods", ({ methods }) => this.#learn(methods));
    status.onChange(() => {
      element("send").disabled = element("run").disabled = !status.active;
    });
    this.#showHistory();
  }

  /** Call the method in the form; returns what is answered, or nothing when the form is wrong. */
  call() {
    const method = element("method").value.trim();
    const params = element("params").value.trim();
    const wrong = method === "" ? "Name a method." : problem(params);
    fault(wrong);
    if (wrong) {
      (method === "" ? element("method") : element("params")).focus();
      return undefined;
    }
    this.#note({ method, params });
    return this.#answers.ask(method, params, seconds("call-timeout"));
  }

  /** Run the script in the form; returns what is answered, or nothing when there is no script. */
  play() {
    const script = element("script").value;
    if (script.trim() === "") {
      element("script").focus();
      return undefined;
    }
    this.#note({ method: null, params: script });
    return this.#answers.ask(null, script, seconds("script-timeout"));
  }

  #onSubmit(id, action) {
    element(id).addEventListener("submit", (event) => {
      event.preventDefault();
      // Enter in a field submits the form of a button that is off, too.
      if (!element(id).querySelector("[type=submit]").disabled) action();
    });
  }

  #reuse({ method, params }) {
    if (method === null) {
      element("script").value = params;
      element("script").focus();
      return;
    }
    element("method").value = method;
    element("params").value = params;
    fault("");
    this.#describe();
    element("params").focus();
  }

  // Names: what the circle tells (OpenRPC), and what was called before.

  #learn(methods) {
    this.#methods = new Map(methods.map((method) => [method.name, method]));
    this.#offer();
    this.#describe();
  }

  #offer() {
    const called = this.#history.filter(({ method }) => method !== null).map(({ method }) => method);
    const names = [...new Set([...this.#methods.keys(), ...called])];
    const options = names.map((name) => make("option", { value: name }, this.#methods.get(name)?.summary ?? ""));
    element("methods").replaceChildren(...options);
  }

  #describe() {
    const known = this.#methods.get(element("method").value.trim());
    element("method-words").textContent = known ? `${known.summary}.` : "";
    const names = known?.params.map((name) => JSON.stringify(name)).join(", ");
    element("params").placeholder = names ? `[…] or {${names}: …}` : "none";
  }

  // The history of this tab.

  #note(asked) {
    const same = ({ method, params }) => method === asked.method && params === asked.params;
    this.#history = [asked, ...this.#history.filter((one) => !same(one))].slice(0, KEPT);
    remember(sessionStorage, HISTORY, JSON.stringify(this.#history));
    this.#showHistory();
    this.#offer();
  }

  #showHistory() {
    const options = this.#history.map(({ method, params }, index) => {
      const words = method === null ? `Script: ${params.split("\n")[0]}` : `${method} ${params}`;
      return make("option", { value: String(index) }, words.length > 60 ? `${words.slice(0, 60)}…` : words);
    });
    const first = make("option", { value: "" }, options.length === 0 ? "none yet" : "choose …");
    element("history").replaceChildren(first, ...options);
    element("history").disabled = options.length === 0;
  }
}

/** Return what is wrong with params, or nothing. */
function problem(params) {
  if (params === "") return "";
  let known;
  try {
    known = JSON.parse(params);
  } catch {
    return "The params are not JSON. Texts and names stand in double quotes, as in [\"a text\", 1] or {\"id\": 7}.";
  }
  return known !== null && typeof known === "object" ? "" : "Params are a list […] or an object {…}.";
}

function fault(words) {
  element("params-fault").textContent = words;
  element("params").setAttribute("aria-invalid", String(words !== ""));
}

/** Return a timeout in seconds; an empty field or 0 waits for ever. */
function seconds(id) {
  const value = Number(element(id).value);
  return value > 0 ? value : null;
}
