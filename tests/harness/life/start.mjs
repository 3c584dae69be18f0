// Runs policy.mjs in this page, or with `?where=worker` in a worker of it.

if (new URLSearchParams(location.search).get("where") === "worker") {
  new Worker(`policy.mjs${location.search}`, { type: "module" });
} else {
  await import(`./policy.mjs${location.search}`);
}
