// Python in a module worker: what it posts goes to the page, and what the page asks for goes to it.

import { startPython } from "./runtime.mjs";

const asked = new Map();
let handle;

addEventListener("error", (event) => fault(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => fault(`rejection: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => {
  fault(`policy: ${event.effectiveDirective} refused ${event.blockedURI}`);
});

addEventListener("message", async ({ data }) => {
  if (data.start) {
    await start(data.start);
  } else if (data.settled) {
    const { number, value, reason } = data.settled;
    const { resolve, reject } = asked.get(number);
    asked.delete(number);
    if (reason === undefined) resolve(value);
    else reject(reason);
  } else {
    handle(data.message);
  }
});

// A worker has no wallet: the page is asked, which has one.
const wallet = {
  request(request) {
    return new Promise((resolve, reject) => {
      const number = asked.size === 0 ? 0 : Math.max(...asked.keys()) + 1;
      asked.set(number, { resolve, reject });
      postMessage({ wallet: { number, request } });
    });
  },
};

async function start(base) {
  try {
    const post = (message) => postMessage({ message });
    handle = await startPython(base, post, (step, words) => postMessage({ progress: [step, words] }), wallet);
    postMessage({ started: true });
  } catch (error) {
    postMessage({ failed: error.message || String(error) });
  }
}

function fault(words) {
  postMessage({ message: JSON.stringify({ event: "fault", words }) });
}
