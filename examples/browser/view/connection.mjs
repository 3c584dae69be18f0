// The form to connect: the circle's URL, and a key that is made here, pasted, or in a wallet.

import { copy, element, make, remember, remembered, write } from "./dom.mjs";

const STORED = "circle-ws.private-key";
const DEFAULT_CIRCLE = "ws://127.0.0.1:8765/";
const PANELS = { made: "key-made", pasted: "key-pasted", wallet: "key-in-wallet" };

export class Connection {
  #backend;
  #status;
  #wallets;
  #keyComes = null;

  constructor(backend, status, wallets) {
    this.#backend = backend;
    this.#status = status;
    this.#wallets = wallets;
    element("url").value = new URLSearchParams(location.search).get("circle") ?? DEFAULT_CIRCLE;
    element("connection").addEventListener("submit", (event) => {
      event.preventDefault();
      void (status.active ? backend.ask("disconnect") : this.connect());
    });
    for (const radio of document.querySelectorAll("[name=key]")) {
      radio.addEventListener("change", () => this.#choose(radio.value));
    }
    element("new-key").addEventListener("click", () => this.#renew());
    element("copy-key").addEventListener("click", () => copy(element("public-key").textContent, element("copy-key")));
    element("wallet").addEventListener("change", ({ target }) => wallets.choose(Number(target.value)));
    wallets.onFound(() => this.#offerWallets());
    backend.on("key", ({ private_key: key }) => this.#keyComes?.(key));
    backend.on("refused", ({ field, words }) => this.#refuse(field, words));
    status.onChange((change) => this.#show(change));
  }

  /** Connect with what is in the form. */
  async connect() {
    for (const field of ["url", "key"]) write(element(`${field}-fault`), "");
    element("url").removeAttribute("aria-invalid");
    const key = await this.#key();
    this.#backend.ask("connect", { url: element("url").value.trim(), private_key: key });
  }

  /** Return the private key; null leaves the signing to the wallet. */
  async #key() {
    const kind = document.querySelector("[name=key]:checked").value;
    if (kind === "wallet") return null;
    if (kind === "pasted") return element("private-key").value.trim();
    return remembered(sessionStorage, STORED, null) ?? this.#make();
  }

  async #make() {
    const key = await new Promise((resolve) => {
      this.#keyComes = resolve;
      this.#backend.ask("make_key");
    });
    remember(sessionStorage, STORED, key);
    return key;
  }

  async #renew() {
    await this.#make();
    await this.connect();
  }

  #choose(kind) {
    for (const [name, id] of Object.entries(PANELS)) element(id).hidden = name !== kind;
    write(element("key-fault"), "");
  }

  #offerWallets() {
    const options = this.#wallets.names.map((name, index) => make("option", { value: String(index) }, name));
    element("wallet").replaceChildren(...options);
    element("key-wallet").disabled = options.length === 0;
    element("no-wallet").hidden = options.length > 0;
  }

  #refuse(field, words) {
    write(element(`${field}-fault`), words);
    if (field === "url") element("url").setAttribute("aria-invalid", "true");
    this.#status.set("failed", words);
    element(field === "url" ? "url" : "private-key").focus();
  }

  #show(change) {
    element("connection-fields").disabled = this.#status.active;
    const button = element("connect");
    write(button, this.#status.active ? "Disconnect" : "Connect");
    button.classList.toggle("primary", !this.#status.active);
    button.disabled = change.status === "closing";
    if (change.public_key) {
      write(element("public-key"), change.public_key);
      element("copy-key").disabled = false;
    }
  }
}
