// With ?report=1 the page uses itself: sign in, call, listen, lose the connection, call again; then it reports what came.

import { element } from "./view/dom.mjs";

const LIMIT = 60_000;

export async function tour(page) {
  const statuses = [];
  page.backend.on("status", ({ status }) => statuses.push(status));
  const report = { runtime: `${element("runtime").textContent}, ${navigator.userAgent}`, error: null };
  try {
    await Promise.race([walk(page, report), tooLate()]);
  } catch (error) {
    report.error = String(error);
  }
  const body = JSON.stringify({ ...report, statuses, faults: page.faults });
  await fetch("report", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

async function walk(page, report) {
  await page.connection.connect();
  await connected(page);
  report.public_key = element("public-key").textContent;
  report.play = JSON.parse((await page.composer.play()).value);
  report.whoami = JSON.parse((await call(page, "whoami", "")).value);
  report.echo = JSON.parse((await call(page, "echo", '[{"value": ["é", null, 1.5]}]')).value);
  report.tick = JSON.parse(await first(page));
  const { error } = await call(page, "drop", "");
  report.lost = `${error?.name}: ${error?.words}`;
  // The client is disconnected now: this call waits for the next connection.
  report.after = JSON.parse((await page.composer.play()).value);
}

function call(page, method, params) {
  element("method").value = method;
  element("params").value = params;
  return page.composer.call();
}

function connected({ status }) {
  return new Promise((resolve) => {
    status.onChange(({ status: now }) => now === "connected" && resolve());
    if (status.now === "connected") resolve();
  });
}

/** Return the params of the first notification. */
async function first({ backend, notifications }) {
  if (notifications.first === null) await new Promise((resolve) => backend.on("notifications", resolve));
  return notifications.first[1];
}

function tooLate() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("the tour took more than a minute")), LIMIT));
}
