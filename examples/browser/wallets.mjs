// The wallets of this browser: those that announce themselves (EIP-6963), else the one that is simply there (EIP-1193).

export class Wallets {
  #found = [];
  #chosen = 0;
  #listeners = [];

  constructor() {
    addEventListener("eip6963:announceProvider", ({ detail }) => {
      if (this.#found.some(({ info }) => info.uuid === detail.info.uuid)) return;
      this.#found.push(detail);
      this.#tell();
    });
    dispatchEvent(new Event("eip6963:requestProvider"));
  }

  /** The names of the wallets. */
  get names() {
    if (this.#found.length > 0) return this.#found.map(({ info }) => info.name);
    return globalThis.ethereum ? ["This browser’s wallet"] : [];
  }

  /** Use a wallet, by its place in `names`. */
  choose(index) {
    this.#chosen = index;
  }

  /** Call a function now, and when another wallet is found. */
  onFound(listener) {
    this.#listeners.push(listener);
    listener();
  }

  /** Ask the chosen wallet (EIP-1193). */
  request(asked) {
    const provider = this.#found[this.#chosen]?.provider ?? globalThis.ethereum;
    if (!provider) return Promise.reject({ message: "there is no wallet in this browser" });
    return provider.request(asked);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
