// The page's side of the talk with Python, which runs in a worker or in the page itself.

export class Backend extends EventTarget {
  #send;
  #wallet;

  /** @param {{request: (asked: object) => Promise<unknown>}} wallet The wallet that the person chose. */
  constructor(wallet) {
    super();
    this.#wallet = wallet;
  }

  /** Start Python; `progress` is told of each step. */
  async start(inWorker, progress) {
    await (inWorker ? this.#startWorker(progress) : this.#startHere(progress));
  }

  /** Ask Python for something. What comes of it comes as events. */
  ask(what, fields = {}) {
    this.#send(JSON.stringify({ do: what, ...fields }));
  }

  /** Call a function with each event of a kind. */
  on(kind, listener) {
    this.addEventListener(kind, (event) => listener(event.detail));
  }

  #tell(message) {
    const { event, ...fields } = JSON.parse(message);
    this.dispatchEvent(new CustomEvent(event, { detail: fields }));
  }

  async #startHere(progress) {
    const { startPython } = await import("./runtime.mjs");
    this.#send = await startPython(document.baseURI, (message) => this.#tell(message), progress, this.#wallet);
  }

  #startWorker(progress) {
    const worker = new Worker(new URL("worker.mjs", document.baseURI), { type: "module" });
    this.#send = (message) => worker.postMessage({ message });
    return new Promise((resolve, reject) => {
      worker.addEventListener("error", () => reject(new Error("The worker could not be started.")));
      worker.addEventListener("message", ({ data }) => {
        if (data.message) this.#tell(data.message);
        else if (data.progress) progress(...data.progress);
        else if (data.wallet) void this.#askWallet(worker, data.wallet);
        else if (data.failed) reject(new Error(data.failed));
        else if (data.started) resolve();
      });
      worker.postMessage({ start: document.baseURI });
    });
  }

  async #askWallet(worker, { number, request }) {
    let settled;
    try {
      settled = { number, value: await this.#wallet.request(request) };
    } catch (reason) {
      // Wallets reject with anything, mostly with an object; only plain ones can be sent.
      settled = { number, reason: { code: reason?.code, message: String(reason?.message ?? reason) } };
    }
    worker.postMessage({ settled });
  }
}
