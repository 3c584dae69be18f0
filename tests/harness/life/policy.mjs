// A client in a page, or a worker, that has a content security policy: it tells the test what becomes of it.

globalThis.tell = (told) => fetch("/told", { method: "POST", body: JSON.stringify(told) });
globalThis.addEventListener("error", (event) => tell({ fault: String(event.message) }));
globalThis.addEventListener("unhandledrejection", (event) => tell({ fault: String(event.reason) }));
globalThis.circle = new URL(import.meta.url).searchParams.get("circle");

try {
  const { loadPyodide } = await import("/bundle/pyodide.mjs");
  const pyodide = await loadPyodide({ packages: ["circle-ws"] });
  const source = await (await fetch(new URL("policy.py", import.meta.url))).text();
  await pyodide.runPythonAsync(source, { filename: "policy.py" });
} catch (error) {
  await tell({ fault: String(error) });
}
