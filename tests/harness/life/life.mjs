// A page with a client of its own: it tells the test what happens to both, and does what the test says.

import { obey } from "./orders.mjs";

// Beacons arrive even while the page goes away. Python uses it too.
globalThis.tell = (told) => navigator.sendBeacon("/told", JSON.stringify(told));

let tab;
const orders = {
  leave: () => {
    location.href = "elsewhere.html";
    return true;
  },
  hide: () => {
    tab = open("tab.html");
  },
  show: () => {
    tab.close();
  },
  collect: () => {
    pyodide.runPython("import gc; gc.collect()");
    tell({ collected: true });
  },
};

addEventListener("error", (event) => tell({ fault: String(event.message) }));
addEventListener("unhandledrejection", (event) => tell({ fault: String(event.reason) }));
document.addEventListener("visibilitychange", () => tell({ visibility: document.visibilityState }));
addEventListener("pagehide", (event) => tell({ hidden: true, persisted: event.persisted }));
addEventListener("pageshow", (event) => {
  tell({ shown: true, persisted: event.persisted });
  if (event.persisted) {
    obey(orders);
  }
});

const { loadPyodide } = await import("/bundle/pyodide.mjs");
const pyodide = await loadPyodide({ packages: ["circle-ws"] });
const script = new URLSearchParams(location.search).get("script") ?? "life.py";
const source = await (await fetch(script)).text();
const running = pyodide.runPythonAsync(source, { filename: script });
if (script === "life.py") {
  await running;
}
obey(orders);
await running;
