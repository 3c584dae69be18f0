// What a page in TypeScript may write, and what it may not: `tsc` checks it against circle_ws/js/index.d.ts.
import type { CircleWsError, Options, Wallet } from "../../../circle_ws/js/index.js";

declare const pyodide: { pyimport(name: string): any };
declare const ethereum: Wallet;

const circle: typeof import("../../../circle_ws/js/index.js") = pyodide.pyimport("circle_ws.js");

export async function main(key: string): Promise<void> {
  const options: Options = { privateKey: key, openTimeout: 5, backoff: null, subprotocols: async () => ["circle.v1"] };
  const client = await circle.connect("wss://circle.example/02ab", options);
  const user = await client.call<{ name: string }>("get_user", { id: 7 }, { timeout: 5, idempotent: true });
  const name: string = user.name;
  const output: string = await client.play("40 + 2");
  const stop: () => void = client.on<number[]>("tick", ([first], method) => console.log(first, method, name, output));
  client.onStatus((change) => console.log(change.status, change.retryIn, change.cause?.phase));
  stop();
  try {
    await client.notify("seen", [1n, null]);
  } catch (error) {
    console.log((error as CircleWsError).code);
  }
  await client.close({ drain: 0 });
  await circle.connect(() => new URL("wss://circle.example/"), { signer: ethereum, keepalive: { interval: 20 } });

  // @ts-expect-error: an unknown option
  await circle.connect("wss://circle.example/", { privatKey: key });
  // @ts-expect-error: a page cannot do it
  await circle.connect("wss://circle.example/", { headers: {} });
  // @ts-expect-error: params are no single value
  await client.call("echo", "text");
  // @ts-expect-error: an unknown status
  client.onStatus((change) => change.status === "online");
}
