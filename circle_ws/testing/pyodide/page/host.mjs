// A run in Node: Pyodide and the wheels are read from the disk, the rest comes from the server.
import process from "node:process";
import { run } from "./runner.mjs";

if (typeof WebSocket === "undefined") {
  throw new Error(`Node ${process.version} has no WebSocket: Node 20.10 or later is needed`);
}
const base = new URL(process.argv[2]).origin;
const loadPyodide = async () => (await import(`${process.argv[3]}/pyodide.mjs`)).loadPyodide;
const onFault = (report) => {
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
};
await run({ base, loadPyodide, onFault });
process.exit(0);
