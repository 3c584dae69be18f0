// Light, dark or the system's; Python in a worker or in the page.

import { element, remember, remembered } from "./dom.mjs";

const THEME = "circle-console.theme";
const THREAD = "circle-console.thread";

export class Settings {
  constructor() {
    const theme = element("theme");
    theme.value = remembered(localStorage, THEME, "system");
    this.#dress(theme.value);
    theme.addEventListener("change", () => {
      remember(localStorage, THEME, theme.value);
      this.#dress(theme.value);
    });
    const thread = element("thread");
    thread.value = new URLSearchParams(location.search).get("python") ?? remembered(localStorage, THREAD, "worker");
    thread.addEventListener("change", () => {
      remember(localStorage, THREAD, thread.value);
      // Python cannot move: it starts anew, in a page without the wish of the address.
      const address = new URL(location.href);
      address.searchParams.delete("python");
      location.replace(address);
    });
  }

  /** Whether Python runs in a worker. */
  get inWorker() {
    return element("thread").value !== "page";
  }

  #dress(theme) {
    document.documentElement.dataset.theme = theme;
  }
}
