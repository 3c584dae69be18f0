// Tests make wallets with it and pass them to Python: js.makeWallet(key).
// Tests have others announce themselves (EIP-6963); the returned function ends that.
globalThis.announceWallets = (...details) => {
  const announce = () => {
    for (const detail of details) {
      dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
    }
  };
  addEventListener("eip6963:requestProvider", announce);
  return () => removeEventListener("eip6963:requestProvider", announce);
};
globalThis.makeWallet = async (key) => (await import("./wallet.mjs")).makeWallet(key);
