// The one connection: Python, and a client of circle-ws.
import { loadPyodide } from "../circle/pyodide.mjs";

const CIRCLE = "ws://127.0.0.1:8765/";

export async function connect(onStatus) {
  const pyodide = await loadPyodide({ packages: ["circle-ws"] });
  return pyodide.pyimport("circle_ws.js").connect(CIRCLE, {
    privateKey: crypto.getRandomValues(new Uint8Array(32)), // For this visit only.
    firstConnect: "retry",
    onStatus,
  });
}
