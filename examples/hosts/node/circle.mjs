// Plays each line of its input on the circle. Node 22 or later; Node 20 needs --experimental-websocket.
import { createInterface } from "node:readline";
import { loadPyodide } from "../circle/pyodide.mjs";

const CIRCLE = "ws://127.0.0.1:8765/";

const pyodide = await loadPyodide({ packages: ["circle-ws"] });
const client = await pyodide.pyimport("circle_ws.js").connect(CIRCLE, {
  privateKey: process.env.CIRCLE_WS_PRIVATE_KEY ?? crypto.getRandomValues(new Uint8Array(32)),
  firstConnect: "retry",
  onStatus: ({ status }) => console.error(status),
});

for await (const script of createInterface({ input: process.stdin })) {
  try {
    console.log(await client.play(script));
  } catch (error) {
    console.log(`${error.name}: ${error.message}`);
  }
}
await client.close();
process.exit(); // At once: timers of Python's that are of no use any more may last half a minute.
