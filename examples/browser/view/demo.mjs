// The buttons that make trouble for the demo's circle; they are there only where the demo serves this page.

import { element, write } from "./dom.mjs";

const WORDS = {
  drop: "The circle closed every connection.",
  freeze: "The circle is frozen: its sockets are open, and it does nothing. It thaws by itself after a minute.",
  thaw: "The circle works again.",
  restart: "The circle was killed and starts again in three seconds.",
  flood: "The circle sends 5,000 notifications a second for ten seconds.",
};

export class Demo {
  #log;
  #frozen = false;

  constructor(backend, log) {
    this.#log = log;
    for (const button of document.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this.#act(button.dataset.action));
    }
    backend.on("notifications", () => this.#freeze(false));
  }

  /** Show the buttons if this page comes from the demo, which names its circle in the address. */
  async find() {
    if (!new URLSearchParams(location.search).has("circle")) return;
    const response = await fetch("circle", { cache: "no-store" });
    element("demo").hidden = !response.ok;
  }

  async #act(action) {
    const wanted = action === "freeze" && this.#frozen ? "thaw" : action;
    const response = await fetch(`circle/${wanted}`, { method: "POST" }).catch(() => null);
    if (!response?.ok) {
      write(element("demo-words"), "The demo does not answer: it has ended, or this browser is offline.");
      return;
    }
    write(element("demo-words"), WORDS[wanted]);
    this.#log.add("demo", WORDS[wanted]);
    this.#freeze(wanted === "freeze");
  }

  #freeze(frozen) {
    this.#frozen = frozen;
    write(element("freeze"), frozen ? "Thaw" : "Freeze");
    for (const button of document.querySelectorAll("[data-action]")) {
      button.disabled = frozen && button.id !== "freeze";
    }
  }
}
