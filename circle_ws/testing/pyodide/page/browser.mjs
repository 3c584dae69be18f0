// A run in a browser: everything comes from the server of this page.
import { run } from "./runner.mjs";

const base = location.origin;
const loadPyodide = async () => (await import(`${base}/bundle/pyodide.mjs`)).loadPyodide;
const onFault = (report) => {
  addEventListener("error", (event) => report(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => report(event.reason));
};
const prepare = (settings) => Promise.all(settings.scripts.map((url) => import(url)));
await run({ base, loadPyodide, onFault, prepare });
