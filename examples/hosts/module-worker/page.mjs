import { onSubmit, showStatus } from "../view.mjs";

const worker = new Worker("worker.mjs", { type: "module" });
const waiting = new Map(); // The calls without an answer, by their ids.
let id = 0;

onSubmit(
  (script) =>
    new Promise((resolve, reject) => {
      waiting.set(++id, { resolve, reject });
      worker.postMessage({ id, script });
    }),
);

worker.onmessage = ({ data }) => {
  if (data.status) return showStatus(data.status);
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) reject(data.error);
  else resolve(data.result);
};
