// What a page's JavaScript does with circle_ws.js: each function is the half of a test in test_js.py that is JavaScript.
// A page loads it as a script, as a strict content security policy demands; Node evaluates it.

async function thrown(promise) {
  try {
    await promise;
    return "nothing";
  } catch (error) {
    return error instanceof Error ? { ...error, name: error.name, message: error.message } : String(error);
  }
}

const wrong = {
  misspelt: {privatKey: "aa"},
  noOption: {zzz: 1},
  number: 7,
  array: [],
  time: {openTimeout: 'soon'},
  backoff: {backoff: {firts: 1}},
  interval: {keepalive: {interval: -1}},
  noInterval: {keepalive: {timeout: 1}},
  ping: {keepalive: {interval: 1, mode: 'ping'}},
  headers: {headers: {a: 'b'}},
  tls: {tls: null},
  key: {privateKey: 'not a key'},
  signer: {signer: {}},
  setup: {setup: 1},
  subprotocols: {subprotocols: 'circle.v1'},
};

const scenarios = {
  async wrongOptions({ circle, url }, which) {
    return await thrown(circle.connect(url, wrong[which]));
  },

  async promisesAndPlainValues({ circle, pyodide, url, key, quick }, more) {
    const client = await circle.connect(url, quick);
    const echo = async (value) => await client.call("echo", [value]);
    const value = {a: [1, 2.5, null, true, "x"], __proto__: null};
    const back = await echo(value);
    const promise = client.call("echo", [1]);
    const big = await echo({n: 2n ** 60n, m: [null, -(2n ** 60n)], t: "1234567890123456"});
    const left = await echo({a: undefined, b: null, c: [undefined]});
    const found = {
      keys: Object.keys(client).join(),
      names: [client.call.name, typeof client.call, client.call instanceof Function].join(),
      promise: promise instanceof Promise && await promise === 1,
      json: JSON.stringify(back),
      plain: Object.getPrototypeOf(back) === Object.prototype && Array.isArray(back.a),
      big: big.n === 2n ** 60n && big.m[1] === -(2n ** 60n) && big.m[0] === null,
      left: JSON.stringify(left),
      nothing: await echo(null) === null,
      text: await client.play("40 + 2"),
      notified: await client.notify("echo", {value: 1}) === undefined,
      byName: await client.call("echo", {value: 7}),
      whoami: typeof (await client.call("whoami")).pubkey,
    };
    found.closed = await client.close() === undefined;
    return found;
  },

  async errorsAreErrors({ circle, pyodide, url, key, quick }, more) {
    const client = await circle.connect(url, quick);
    const deep = {}; deep.deep = deep;
    const found = {
      rpc: await thrown(client.call("no_such_method")),
      time: await thrown(client.call("hold", [1], {timeout: 0.01})),
      date: await thrown(client.call("echo", {when: [new Date(0)]})),
      bytes: await thrown(client.call("echo", [new Uint8Array(2)])),
      nan: await thrown(client.call("echo", [NaN])),
      single: await thrown(client.call("echo", "text")),
      deep: await thrown(client.call("echo", deep)),
      option: await thrown(client.call("echo", [1], {timeOut: 1})),
      options: await thrown(client.call("echo", [1], 5)),
      method: await thrown(client.call()),
    };
    await client.close();
    return found;
  },

  async notificationsAndStatus({ circle, pyodide, url, key, quick }, more) {
    const seen = [], all = [], states = [];
    const client = await circle.connect(url, {...quick, onStatus: (change) => states.push(change.status)});
    const changes = [];
    const forget = client.onStatus((change) => changes.push(change));
    const complaints = console.error;
    let complained = 0;
    console.error = () => { complained += 1; };
    const broken = client.on("tick", () => { throw new Error("a listener's own"); });
    let three;
    const reached = new Promise((resolve) => { three = resolve; });
    const stop = client.on("tick", (params, method) => {
      seen.push([params, method]);
      if (seen.length === 3) { stop(); stop(); three(); }
    });
    const stopAll = client.on(null, (params, method) => { all.push(method); });
    await client.call("tick", [3]);
    await reached;
    broken();
    await client.call("tick", [1]);
    console.error = complaints;
    forget();
    await client.close();
    stopAll();
    return {seen, all, states, complained, changes: changes.length};
  },

  async afterTheEndNothingIsHeldAndEverythingAnswers({ circle, pyodide, url, key, quick }, more) {
    const client = await circle.connect(url, quick);
    const {call, close, on, onStatus, play} = client;
    const stop = client.on("tick", () => {});
    await Promise.all([close(), close()]);
    await close();
    stop();
    on("tick", () => {})();
    onStatus(() => {})();
    const held = [...pyodide._module.pyproxy_alloc_map.keys()].map(String).filter((it) => it.includes("circle_ws"));
    return [(await thrown(call("echo"))).name, (await thrown(play("1"))).name, held.length];
  },

  async aLostConnection({ circle, pyodide, url, key, quick }, more) {
    const steps = [];
    let kept;
    const setup = async (session) => {
      kept = session;
      const failure = await thrown(session.call("no_such_method"));
      await session.notify("echo", [1]);
      steps.push([await session.call("echo", {value: steps.length}), failure.name]);
    };
    const client = await circle.connect(url, {...quick, setup});
    const changes = [];
    client.onStatus((change) => changes.push([change.status, change.cause && change.cause.name, change.retryIn]));
    const lost = await thrown(client.call("drop", [1001]));
    const again = await client.call("echo", ["again"], {idempotent: true});
    const late = await thrown(kept.call("echo", [1]));
    await client.close();
    return {steps, lost, again, late, waiting: changes[0]};
  },

  async aClientThatGivesUp({ circle, pyodide, url, key, quick }, more) {
    const client = await circle.connect(url, {...quick, backoff: null});
    const statuses = [];
    const failed = new Promise((resolve) => {
      client.onStatus((change) => { statuses.push(change.status); if (change.status === "failed") resolve(); });
    });
    client.on("tick", () => {});
    const lost = await thrown(client.call("drop", [1001]));
    await failed;
    const missing = [await thrown((async () => client.on("tick"))()), await thrown((async () => client.onStatus(1))())];
    await client.close();
    return {lost, statuses, missing};
  },

  async aSetupThatFails({ circle, pyodide, url, key, quick }, more) {
    const setup = (session) => session.call("no_such_method");
    const failed = await thrown(circle.connect(url, {...quick, setup}));
    const mistake = new TypeError("a mistake");
    const same = await circle.connect(url, {...quick, setup: () => { throw mistake; }}).catch((error) => error);
    const text = await thrown(circle.connect(url, {...quick, setup: () => Promise.reject("text")}));
    return {failed, same: same === mistake, text};
  },

  async functionsForTheUrlAndSubprotocols({ circle, pyodide, url, key, quick }, more) {
    const asked = [];
    const ask = async () => { asked.push(1); return url + "?token=" + asked.length; };
    const client = await circle.connect(ask, {...quick, subprotocols: () => []});
    await thrown(client.call("drop", [1001]));
    await client.call("echo", [1], {idempotent: true});
    await client.close();
    const other = await circle.connect(() => new URL(url), quick);
    await other.close();
    const third = await circle.connect(new URL(url), quick);
    await third.close();
    const object = () => Promise.reject({code: 7});
    return {
      asked: asked.length,
      thrown: await thrown(circle.connect(object, quick)),
      error: await thrown(circle.connect(() => { throw new Error("no token"); }, quick)),
      nothing: await thrown(circle.connect(() => undefined, quick)),
    };
  },

  async everyOption({ circle, pyodide, url, key, quick }, more) {
    const privateKey = Uint8Array.from(key.match(/../g), (byte) => parseInt(byte, 16));
    const client = await circle.connect(url, {
      privateKey, signer: undefined, profile: "eip191", policy: "prefer-bound", dialect: "auto", params: "auto",
      allowInsecure: true, openTimeout: null, callTimeout: 20.5, closeTimeout: 2, drainTimeout: 0,
      signTimeout: null,
      keepalive: {interval: 20, timeout: 10, mode: "auto"}, backoff: {resetAfter: 5, attempts: 2},
      firstConnect: "retry", maxMessageBytes: null, maxRequestBytes: 100000, maxInFlight: 10, maxQueued: 10,
      maxQueuedBytes: 1000, subprotocols: [], onStatus: () => {},
    });
    await client.close({drain: 0});
    const bare = await circle.connect(url, {keepalive: null, backoff: null, privateKey: null, signer: null});
    await bare.close();
    const none = await circle.connect(url);
    await none.close();
    return "done";
  },

  async aWalletOfJavascripts({ circle, pyodide, url, key, quick }, more) {
    const wallet = more;
    const client = await circle.connect(url, {signer: wallet});
    const known = await client.call("whoami");
    await client.close();
    wallet.answer = {refuse: 4001, as: "object"};
    return [typeof known.pubkey, await thrown(circle.connect(url, {signer: wallet}))];
  },

  async callsAtTheSameTime({ circle, pyodide, url, key, quick }, more) {
    const client = await circle.connect(url, quick);
    const answers = await Promise.all(Array.from({length: 300}, (_, n) => client.call("echo", [n])));
    await client.close();
    return answers;
  },

  async aConnectThatFails({ circle, pyodide, url, key, quick }, more) {
    return await thrown(circle.connect('ws://127.0.0.1:1/', {privateKey: key}));
  },
};

globalThis.playScenario = async (name, pyodide, url, key, more) => {
  const circle = pyodide.pyimport("circle_ws.js");
  const quick = { privateKey: key, backoff: { first: 0.05, base: 0.05, maximum: 0.1, floor: 0.01 } };
  try {
    return await scenarios[name]({ circle, pyodide, url, key, quick }, more);
  } finally {
    circle.destroy();
  }
};
