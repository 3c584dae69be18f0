// Tests make wallets with it and pass them to Python: js.makeWallet(key).
globalThis.makeWallet = async (key) => (await import("./wallet.mjs")).makeWallet(key);
