// Uses circle-ws in some Pyodide, from its sources: `node older.mjs PYODIDE SOURCES CIRCLE [WHEEL OF MSGSPEC]`.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, sources, circle, wheel] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
const pyodide = await loadPyodide();
pyodide.FS.mkdirTree("/sources");
pyodide.mountNodeFS("/sources", sources);
pyodide.runPython("import sys; sys.path.append('/sources')");

try {
  pyodide.pyimport("circle_ws");
} catch (error) {
  console.log(`without msgspec: ${error.message}`);
}
if (wheel) pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
else await pyodide.loadPackage("msgspec", { errorCallback: () => {} });
try {
  pyodide.pyimport("msgspec");
} catch {
  console.log("absent: msgspec");
  process.exit();
}
const client = await pyodide.pyimport("circle_ws.js").connect(circle, {
  privateKey: pyodide.pyimport("circle_ws.auth").generate_private_key(),
});
console.log(`answer: ${await client.play("40 + 2")}`);
process.exit();
