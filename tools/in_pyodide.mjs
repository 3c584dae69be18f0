// Runs a Python program inside Pyodide: node in_pyodide.mjs CORE INFO PROGRAM IN OUT
// CORE is the folder of Pyodide's core, INFO the description of it that a lock file holds. The program finds the file IN
// as /in, and what it writes to /out becomes the file OUT.
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [core, info, program, given, made] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${core}/pyodide.mjs`));
const pyodide = await loadPyodide({
  indexURL: `${core}/`,
  lockFileContents: JSON.stringify({ info: JSON.parse(info), packages: {} }),
  // Code that is compiled here knows its lines, but not its columns, which would take a third more.
  args: ["-X", "no_debug_ranges"],
});
pyodide.FS.writeFile("/in", await readFile(given));
pyodide.runPython(await readFile(program, "utf8"), { filename: program });
await writeFile(made, pyodide.FS.readFile("/out"));
process.exit(0);
