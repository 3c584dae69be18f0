// Starts Python in this page and shows the progress, or what is missing. Everything else is in page.py.

const MODULES = ["view.py", "page.py", "tour.py"];

const reporting = new URLSearchParams(location.search).get("report") === "1";
const element = (id) => document.getElementById(id);
const faults = [];

addEventListener("error", (event) => faults.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => faults.push(`rejection: ${event.reason}`));
document.addEventListener("securitypolicyviolation", (event) => {
  faults.push(`policy: ${event.effectiveDirective} refused ${event.blockedURI}`);
});

try {
  await boot();
} catch (error) {
  await explain(error);
}

async function boot() {
  step(0, "Looking for the bundle.");
  const files = new URL("bundle/", document.baseURI);
  const bundle = await (await get(new URL("bundle.json", files), "There is no bundle")).json();
  step(1, `Fetching Pyodide ${bundle.pyodide_version}: about 10 MB the first time.`);
  const indexURL = new URL(bundle.index_url, files).href;
  const { loadPyodide } = await import(new URL("pyodide.mjs", indexURL));
  const pyodide = await loadPyodide({
    indexURL,
    lockFileURL: new URL(bundle.lock, files).href,
    packageBaseUrl: files.href,
  });
  step(2, "Installing circle-ws.");
  await pyodide.loadPackage(bundle.packages, { messageCallback: () => {} });
  const missing = bundle.packages.filter((name) => !(name in pyodide.loadedPackages));
  if (missing.length > 0) {
    throw new Error(`The bundle lacks ${missing.join(", ")}: build it again with tools/bundle.py.`);
  }
  step(3, "Starting the page.");
  await Promise.all(MODULES.map((name) => install(pyodide, name)));
  await start(pyodide);
  step(4, "Ready.");
}

async function start(pyodide) {
  const page = pyodide.pyimport("page");
  element("boot").hidden = true;
  element("page").hidden = false;
  await page.start(faults, reporting);
  addEventListener("pagehide", (event) => {
    // A page in the back/forward cache (persisted) may return: it keeps its client, which then reconnects by itself.
    if (!event.persisted) {
      page.stop();
      page.destroy();
    }
  });
}

async function install(pyodide, name) {
  const response = await get(new URL(name, document.baseURI), `${name} is missing`);
  pyodide.FS.writeFile(`/home/pyodide/${name}`, await response.text());
}

async function get(url, otherwise) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${otherwise}: ${url.pathname} answered ${response.status}. See README.md beside this page.`);
  }
  return response;
}

function step(number, words) {
  element("boot-progress").value = number;
  element("boot-step").textContent = words;
}

async function explain(error) {
  console.error(error);
  document.body.dataset.status = "failed";
  element("status").textContent = "Not started";
  element("status-detail").textContent = "Python could not be started in this page.";
  element("boot").hidden = false;
  element("boot-progress").hidden = true;
  element("boot-step").classList.add("bad");
  element("boot-step").textContent = error.message || String(error);
  if (reporting) {
    const headers = { "Content-Type": "application/json" };
    await fetch("report", { method: "POST", headers, body: JSON.stringify({ error: String(error), faults }) });
  }
}
