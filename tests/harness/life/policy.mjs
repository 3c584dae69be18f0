// A client in a page, or a worker, that has a content security policy: it tells the test what becomes of it.

globalThis.tell = (told) => fetch("/told", { method: "POST", body: JSON.stringify(told) });
globalThis.addEventListener("error", (event) => tell({ fault: String(event.message) }));
globalThis.addEventListener("unhandledrejection", (event) => tell({ fault: String(event.reason) }));
globalThis.circle = new URL(import.meta.url).searchParams.get("circle");

try {
  const files = `${location.origin}/bundle/`;
  const { loadPyodide } = await import(`${files}pyodide/pyodide.mjs`);
  const pyodide = await loadPyodide({
    indexURL: `${files}pyodide/`,
    lockFileURL: `${files}pyodide-lock.json`,
    packageBaseUrl: files,
    packages: ["circle-ws"],
  });
  const source = await (await fetch(new URL("policy.py", import.meta.url))).text();
  await pyodide.runPythonAsync(source, { filename: "policy.py" });
} catch (error) {
  await tell({ fault: String(error) });
}
