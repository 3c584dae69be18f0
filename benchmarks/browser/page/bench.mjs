// The page: measures what the settings ask for, round by round, and posts what it found to the host.
import { probing } from "./probe.mjs";
import * as javascript from "./raw.mjs";

const HOME = "/home/pyodide";

async function post(path, value) {
  await fetch(path, { method: "POST", body: JSON.stringify(value) });
}

async function main() {
  const settings = await (await fetch("/settings.json")).json();
  const { loadPyodide } = await import("/bundle/pyodide.mjs");
  const pyodide = await loadPyodide();
  await post("/loaded", await load(pyodide));
  const loads = Number(new URLSearchParams(location.search).get("loads"));
  if (loads > 1) {
    // A page of its own for each, as only the first import in an interpreter is one.
    location.replace(`/?loads=${loads - 1}`);
    return;
  }
  const rivals = await open(pyodide, settings);
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const cell of settings.cells) {
      await post("/round", { cell: cell.name, ...(await measure(rivals, cell, round)) });
    }
    await post("/flooded", { javascript: await flooded(rivals.javascript, settings.flood) });
    await post("/flooded", { ours: await flooded(rivals.ours, settings.flood) });
    await post("/streamed", { javascript: await streamed(rivals.javascript, settings.stream) });
    await post("/streamed", { ours: await streamed(rivals.ours, settings.stream) });
  }
  await post("/end", {});
}

// From an interpreter that is there to an imported circle_ws: the wheels, then the import.
async function load(pyodide) {
  const began = performance.now();
  await pyodide.loadPackage("circle-ws");
  const loaded = performance.now();
  // A package that fails to load is not an error to Pyodide; the import is one.
  pyodide.pyimport("circle_ws").destroy();
  return { wheels: loaded - began, import: performance.now() - loaded, total: performance.now() - began };
}

async function open(pyodide, settings) {
  const url = settings.circle;
  pyodide.FS.writeFile(`${HOME}/clients.py`, await (await fetch("/page/clients.py")).text());
  const clients = pyodide.pyimport("clients");
  const python = async (client) => ({
    work: (calls, flight, payload, latencies) => clients.work(client, calls, flight, payload, latencies),
    flood: async (count, rate) => (await clients.flood(client, count, rate)).toJs(),
    stream: async (count, rate, latencies) =>
      (await clients.stream(client, count, rate, latencies, () => performance.now())).toJs(),
  });
  const raw = await javascript.Raw.open(url);
  return {
    javascript: {
      work: (calls, flight, payload, latencies) => javascript.run(raw, calls, flight, JSON.parse(payload), latencies),
      flood: async (count, rate) => [await javascript.flood(raw, count, rate), 0],
      stream: async (count, rate, latencies) => [await javascript.stream(raw, count, rate, latencies), 0],
    },
    ours: await python(await clients.open_ours(url)),
    floor: await python(await clients.open_floor(url)),
    careful: await python(await clients.open_careful(url)),
    naive: await python(await clients.open_naive(url)),
  };
}

// Every other round goes backwards, so that none has always the same one before it.
async function measure(rivals, cell, round) {
  const names = Object.keys(cell.calls);
  const found = { rates: {}, latencies: {} };
  for (const name of round % 2 === 0 ? names : names.toReversed()) {
    const calls = cell.calls[name];
    await rivals[name].work(Math.ceil(calls / 10), cell.flight, cell.payload);
    const took = await rivals[name].work(calls, cell.flight, cell.payload);
    found.rates[name] = (calls / took) * 1000;
    if (cell.latencies) {
      const latencies = [];
      await rivals[name].work(calls, cell.flight, cell.payload, latencies);
      found.latencies[name] = latencies;
    }
  }
  return found;
}

async function flooded(rival, { count, rate }) {
  const probe = probing();
  const began = performance.now();
  const [got, dropped] = await rival.flood(count, rate);
  return { got, dropped, seconds: (performance.now() - began) / 1000, ...(await probe.end()) };
}

async function streamed(rival, { count, rate }) {
  const latencies = [];
  const flooding = { flood: (count, rate) => rival.stream(count, rate, latencies) };
  return { ...(await flooded(flooding, { count, rate })), latencies };
}

try {
  await main();
} catch (error) {
  await post("/failure", `${error}\n${error?.stack}`);
}
