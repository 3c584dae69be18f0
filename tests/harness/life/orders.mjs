// What the test tells a page to do: it is asked for by short requests, as one that is open keeps a page out of the
// back/forward cache. An order that gives true is the last one.

export async function obey(orders) {
  for (;;) {
    const { order } = await (await fetch("/order", { method: "POST" })).json();
    if (order && orders[order]()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
