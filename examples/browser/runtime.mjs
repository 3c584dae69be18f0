// Starts Pyodide, in a worker or in a page, and in it the console's half in Python.

const MODULES = ["words.py", "calls.py", "feed.py", "console.py"];

/**
 * Start Python.
 * @param {string} base The URL of the page.
 * @param {(message: string) => void} post Takes the messages of Python's.
 * @param {(step: number, words: string) => void} progress Is told of each step.
 * @param {{request: (asked: object) => Promise<unknown>}} wallet Who signs, where no key is given.
 * @returns {Promise<(message: string) => void>} Takes the messages for Python.
 */
export async function startPython(base, post, progress, wallet) {
  progress(0, "Looking for the bundle.");
  const files = new URL("bundle/", base);
  const bundle = await (await get(new URL("bundle.json", files), "There is no bundle")).json();
  progress(1, `Fetching Pyodide ${bundle.pyodide_version}: about 10 MB the first time.`);
  const { loadPyodide } = await import(new URL("pyodide.mjs", files));
  const pyodide = await loadPyodide();
  progress(2, "Installing circle-ws.");
  await pyodide.loadPackage(bundle.packages, { messageCallback: () => {} });
  const missing = bundle.packages.filter((name) => !(name in pyodide.loadedPackages));
  if (missing.length > 0) throw new Error(`The bundle lacks ${missing.join(", ")}: make it again.`);
  progress(3, "Starting the console.");
  await Promise.all(MODULES.map((name) => install(pyodide, base, name)));
  const console = pyodide.pyimport("console").Console(post, wallet);
  progress(4, "Ready.");
  return (message) => console.handle(message);
}

async function install(pyodide, base, name) {
  const response = await get(new URL(`python/${name}`, base), `${name} is missing`);
  pyodide.FS.writeFile(`/home/pyodide/${name}`, await response.text());
}

async function get(url, otherwise) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${otherwise}: ${url.pathname} answered ${response.status}. See README.md beside this page.`);
  }
  return response;
}
