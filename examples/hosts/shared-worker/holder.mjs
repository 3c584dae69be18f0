// The worker: where it holds the lock it holds the connection, and serves all tabs. Others wait for the lock.
import { connect } from "./client.mjs";

const me = crypto.randomUUID();
const announcements = new BroadcastChannel("circle");
let client; // A promise.
let status = "loading Python";

// A SharedWorker is given a port by each tab; the workers of single tabs have one channel among them.
self.onconnect = ({ ports: [port] }) => serve(port);
if (typeof SharedWorkerGlobalScope === "undefined") serve(new BroadcastChannel("circle-calls"));

// The lock is free again when this worker ends, however it does.
navigator.locks.request("circle", () => {
  const announce = () => announcements.postMessage({ holder: me, status });
  const change = (now) => {
    status = now;
    announce();
  };
  announcements.onmessage = ({ data }) => {
    if (!("status" in data)) announce(); // A tab asks who holds the connection.
  };
  announce();
  client = connect((changed) => change(changed.status));
  client.catch(({ message }) => change(`failed: ${message}`));
  return new Promise(() => {});
});

function serve(calls) {
  calls.onmessage = async ({ data: { to, from, id, script } }) => {
    if (to !== me) return;
    try {
      calls.postMessage({ to: from, id, result: await (await client).play(script) });
    } catch ({ name, message }) {
      calls.postMessage({ to: from, id, error: { name, message } });
    }
  };
}
