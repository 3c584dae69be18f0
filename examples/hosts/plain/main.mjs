import { loadPyodide } from "../circle/pyodide.mjs";

const pyodide = await loadPyodide({ packages: ["circle-ws"] });
const program = await fetch("main.py");
await pyodide.runPythonAsync(await program.text(), { filename: "main.py" });
