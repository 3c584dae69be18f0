import { loadPyodide } from "../circle/pyodide.mjs";

const CIRCLE = "ws://127.0.0.1:8765/";

// What comes while Python loads waits for the client.
const connected = connect();
connected.catch(({ message }) => postMessage({ status: `failed: ${message}` }));

onmessage = async ({ data: { id, script } }) => {
  try {
    const client = await connected;
    postMessage({ id, result: await client.play(script) });
  } catch ({ name, message }) {
    postMessage({ id, error: { name, message } });
  }
};

async function connect() {
  const pyodide = await loadPyodide({ packages: ["circle-ws"] });
  return pyodide.pyimport("circle_ws.js").connect(CIRCLE, {
    privateKey: crypto.getRandomValues(new Uint8Array(32)), // For this visit only.
    firstConnect: "retry",
    onStatus: ({ status }) => postMessage({ status }),
  });
}
