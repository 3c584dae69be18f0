// Runs a Python program inside Pyodide over some files: node in_pyodide.mjs CORE INFO PROGRAM FILE...
// CORE is the folder of Pyodide's core, INFO the description of it that a lock file holds. The program finds each FILE in
// the folder /archives, by its name, and what it leaves there is written back.
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [core, info, program, ...files] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${core}/pyodide.mjs`));
const pyodide = await loadPyodide({
  indexURL: `${core}/`,
  lockFileContents: JSON.stringify({ info: JSON.parse(info), packages: {} }),
  // Code that is compiled here knows its lines, but not its columns, which would take a third more.
  args: ["-X", "no_debug_ranges"],
});
pyodide.FS.mkdir("/archives");
for (const file of files) pyodide.FS.writeFile(`/archives/${basename(file)}`, await readFile(file));
await pyodide.runPythonAsync(await readFile(program, "utf8"), { filename: program });
for (const file of files) await writeFile(file, pyodide.FS.readFile(`/archives/${basename(file)}`));
process.exit(0);
