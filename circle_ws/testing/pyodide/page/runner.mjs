// What a run does, in a browser and in Node alike: load Pyodide and the wheels, unpack the tests, run them,
// stream their output to the host over the control connection, and send the exit code at the end.

const HOME = "/home/pyodide";
const LAST_EXCEPTION = "''.join(traceback.format_exception(sys.last_exc))";

export async function run({ base, loadPyodide, onFault, prepare }) {
  const control = await connect(`${base.replace("http", "ws")}/control`);
  const send = (report) => control.send(JSON.stringify(report));
  const faults = [];
  onFault((fault) => faults.push(describe(fault)));
  try {
    const code = await perform({ base, loadPyodide, prepare, control });
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (faults.length > 0) {
      send({ failure: `${faults.length} errors that nobody caught in JavaScript:\n${faults.join("\n")}` });
    } else {
      send({ exit: code });
    }
  } catch (error) {
    send({ failure: [describe(error), ...faults].join("\n") });
  }
  await closed(control);
}

async function perform({ base, loadPyodide, prepare, control }) {
  const settings = await (await fetch(`${base}/settings.json`)).json();
  await prepare?.(settings);
  const pyodide = await load(await loadPyodide(), settings);
  const output = {
    write: (bytes) => (control.send(bytes.slice()), bytes.length),
    isatty: settings.tty,
  };
  pyodide.runPython("import sys, traceback"); // Once now: Pyodide keeps a proxy from its first use.
  lastException = () => pyodide.runPython(LAST_EXCEPTION);
  pyodide.setStdout(output);
  pyodide.setStderr(output);
  for (const name of settings.archives) {
    await unpack(pyodide, `${base}/archives/${name}.tar`, `${HOME}/${name}`);
  }
  const program = await (await fetch(`${base}/program.py`)).text();
  pyodide.FS.writeFile(`${HOME}/settings.json`, JSON.stringify(settings));
  // The asynchronous form, so that Python may switch stacks.
  const code = await pyodide.runPythonAsync(program, { filename: "program.py" });
  if (settings.coverage) {
    const body = pyodide.FS.readFile(`${HOME}/coverage`);
    await fetch(`${base}/coverage`, { method: "POST", body });
  }
  return code;
}

async function load(loadPyodide, settings) {
  const pyodide = await loadPyodide({ packages: settings.packages });
  // A package that fails to load is not an error to Pyodide. Some are listed under two spellings.
  const names = Object.keys(pyodide.loadedPackages).map((name) => name.toLowerCase().replaceAll("_", "-"));
  const loaded = [...new Set(names)].sort().join(", ");
  const expected = settings.expected.toSorted().join(", ");
  if (loaded !== expected) {
    throw new Error(`loaded are ${loaded}, but it should be ${expected}`);
  }
  return pyodide;
}

async function unpack(pyodide, url, extractDir) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${url}: HTTP status ${response.status}`);
  }
  pyodide.unpackArchive(await response.arrayBuffer(), "tar", { extractDir });
}

function connect(url) {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`no connection to ${url}`));
  });
}

function closed(socket) {
  return new Promise((resolve) => {
    socket.onclose = resolve;
    socket.close();
  });
}

let lastException = () => "";

function describe(error) {
  // `type` is the class of a Python exception, whose words are still in Python.
  if (!(error instanceof Error)) {
    return String(error);
  }
  const words = `${error.name}: ${error.message || (error.type ? lastException() : "")}`;
  return error.type ? words : `${words}\n${error.stack}`;
}
