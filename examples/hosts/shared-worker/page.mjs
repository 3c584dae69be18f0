import { onSubmit, showStatus } from "../view.mjs";
import { onStatus, play } from "./tab.mjs";

onStatus(showStatus);
onSubmit(play);
