// A tab's end: it uses the connection that all tabs of this site share, wherever that is.
//
// With SharedWorker all tabs have one worker, which lives as long as any of them. Without, each has a worker of its
// own, of which one holds the connection; when its tab is closed another takes over.

const me = crypto.randomUUID();
const waiting = new Map(); // The calls without an answer, by their ids.
const seen = new Set(); // The holders so far: a late word of a former one changes nothing.
const listeners = new Set();
let holder; // The worker that holds the connection.
let id = 0;

const announcements = new BroadcastChannel("circle");
const known = new Promise((resolve) => {
  announcements.onmessage = ({ data }) => {
    if (!("status" in data)) return; // Another tab asks who holds the connection.
    if (data.holder !== holder) {
      if (seen.has(data.holder)) return;
      seen.add((holder = data.holder));
      giveUpWaiting();
      resolve();
    }
    for (const listener of listeners) listener(data.status);
  };
});

const script = new URL("holder.mjs", import.meta.url);
const shared = typeof SharedWorker === "function" ? new SharedWorker(script, { type: "module" }) : null;
const own = shared ? null : new Worker(script, { type: "module" });
const calls = shared ? shared.port : new BroadcastChannel("circle-calls");
calls.onmessage = ({ data }) => {
  if (data.to !== me) return;
  const call = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) call?.reject(Object.assign(new Error(data.error.message), data.error));
  else call?.resolve(data.result);
};
(shared ?? own).onerror = () => listeners.forEach((listener) => listener("failed: the worker cannot be loaded"));

// Who holds the connection, and what is its status? Asked again by a tab that comes back from the browser's cache.
const ask = () => announcements.postMessage({ from: me });
addEventListener("pageshow", (event) => event.persisted && ask());
ask();

/** Call `listener(status)` with each status of the connection. */
export function onStatus(listener) {
  listeners.add(listener);
}

/** Run a script on the circle and return its output. */
export async function play(script) {
  await known;
  return new Promise((resolve, reject) => {
    waiting.set(++id, { resolve, reject });
    calls.postMessage({ to: holder, from: me, id, script });
  });
}

// The former holder's tab was closed. Nobody knows which of its calls ran, so none is made again.
function giveUpWaiting() {
  for (const { reject } of waiting.values()) {
    const error = new Error("the tab with the connection was closed before the answer came: the call may have run");
    reject(Object.assign(error, { name: "OutcomeUnknown" }));
  }
  waiting.clear();
}
