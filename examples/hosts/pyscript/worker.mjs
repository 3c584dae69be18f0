import { hooks } from "../pyscript-core/core.js";
import { onSubmit, showStatus } from "../view.mjs";

// `sync` is where the page and the worker offer each other functions.
hooks.main.onWorker.add((_, { sync }) => {
  sync.show_status = showStatus;
  sync.ready = () => onSubmit(sync.play);
});
