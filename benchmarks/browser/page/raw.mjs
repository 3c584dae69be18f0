// The floor: a WebSocket, a Map of promises, JSON.parse and JSON.stringify; no time limits, no checks.
export class Raw {
  #socket;
  #next = 0;
  #waiting = new Map();
  onTick = () => {};

  static open(url) {
    const raw = new Raw();
    raw.#socket = new WebSocket(url);
    raw.#socket.onmessage = (event) => raw.#take(JSON.parse(event.data));
    return new Promise((resolve, reject) => {
      raw.#socket.onopen = () => resolve(raw);
      raw.#socket.onerror = () => reject(new Error(`no connection to ${url}`));
    });
  }

  call(method, params) {
    const id = ++this.#next;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  #take(message) {
    if (message.id === undefined) {
      this.onTick(message.params);
      return;
    }
    this.#waiting.get(message.id)(message.result);
    this.#waiting.delete(message.id);
  }
}

// `calls` calls, `flight` of them at a time; each waits for its reply. Gives milliseconds.
export async function run(raw, calls, flight, params, latencies) {
  let left = calls;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      if (latencies) {
        const began = performance.now();
        await raw.call("echo", params);
        latencies.push(performance.now() - began);
      } else {
        await raw.call("echo", params);
      }
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: flight }, work));
  return performance.now() - began;
}

// Gives how many of the notifications came.
export async function flood(raw, count, rate) {
  let got = 0;
  const all = new Promise((resolve) => {
    raw.onTick = () => {
      got += 1;
      if (got === count) {
        resolve();
      }
    };
  });
  await raw.call("flood", [count, rate]);
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 10_000))]);
  return got;
}

// As `flood`, while a call is made every 250 ms, whose time goes to `latencies`.
export async function stream(raw, count, rate, latencies) {
  let running = true;
  const calling = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      if (!running) {
        return;
      }
      const began = performance.now();
      await raw.call("echo", ["x"]);
      latencies.push(performance.now() - began);
    }
  };
  const called = calling();
  const got = await flood(raw, count, rate);
  running = false;
  await called;
  return got;
}
