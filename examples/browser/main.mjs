// The page: makes its parts, starts Python, and shows what is missing where it cannot be started.

import { Backend } from "./backend.mjs";
import { Answers } from "./view/answers.mjs";
import { Composer } from "./view/composer.mjs";
import { Connection } from "./view/connection.mjs";
import { Demo } from "./view/demo.mjs";
import { element, write } from "./view/dom.mjs";
import { Log } from "./view/log.mjs";
import { Notifications } from "./view/notifications.mjs";
import { Plot } from "./view/plot.mjs";
import { Settings } from "./view/settings.mjs";
import { Stats } from "./view/stats.mjs";
import { Status } from "./view/status.mjs";
import { Wallets } from "./wallets.mjs";

const reporting = new URLSearchParams(location.search).get("report") === "1";
const faults = [];

addEventListener("error", (event) => faults.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => faults.push(`rejection: ${event.reason}`));
document.addEventListener("securitypolicyviolation", (event) => {
  faults.push(`policy: ${event.effectiveDirective} refused ${event.blockedURI}`);
});

const settings = new Settings();
const wallets = new Wallets();
const backend = new Backend(wallets);
const status = new Status(backend);
const log = new Log(backend);
const answers = new Answers(backend, status);
const composer = new Composer(backend, status, answers);
const connection = new Connection(backend, status, wallets);
const notifications = new Notifications(backend, status);
const demo = new Demo(backend, log);
new Plot(backend);
new Stats(backend);

backend.on("ready", ({ runtime }) => write(element("runtime"), runtime));
backend.on("fault", ({ words }) => {
  faults.push(words);
  log.add("fault", words);
});
addEventListener("pageshow", (event) => {
  // A worker is not told that its page came back out of the back/forward cache, with a socket that was cut.
  if (event.persisted && settings.inWorker && status.active) backend.ask("reconnect");
});

try {
  await backend.start(settings.inWorker, (step, words) => {
    element("boot-progress").value = step;
    write(element("boot-step"), words);
  });
  element("boot").hidden = true;
  element("page").hidden = false;
  await demo.find();
  if (reporting) {
    const { tour } = await import("./tour.mjs");
    await tour({ backend, composer, connection, notifications, status, faults });
  } else {
    await connection.connect();
  }
} catch (error) {
  await explain(error);
}

async function explain(error) {
  console.error(error);
  document.body.dataset.status = "failed";
  write(element("status"), "Not started");
  write(element("status-detail"), "Python could not be started.");
  element("boot").hidden = false;
  element("boot-progress").hidden = true;
  element("boot-step").classList.add("bad");
  write(element("boot-step"), error.message || String(error));
  if (reporting) {
    const headers = { "Content-Type": "application/json" };
    await fetch("report", { method: "POST", headers, body: JSON.stringify({ error: String(error), faults }) });
  }
}
