// A wallet as pages know it (EIP-1193), which really signs (EIP-191 personal_sign) with a library that is not ours.
import { getPublicKey, recoverPublicKey, signAsync } from "/npm/@noble/secp256k1/index.js";
import { keccak_256 } from "/npm/@noble/hashes/sha3.js";

const fromHex = (hex) => Uint8Array.from(hex.replace(/^0x/, "").match(/../g) ?? [], (byte) => parseInt(byte, 16));
const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function addressOf(key) {
  return "0x" + toHex(keccak_256(getPublicKey(key, false).slice(1)).slice(-20));
}

function digestOf(message) {
  const prefix = new TextEncoder().encode(`\x19Ethereum Signed Message:\n${message.length}`);
  return keccak_256(new Uint8Array([...prefix, ...message]));
}

function refusal(code, message) {
  return Object.assign(new Error(message), { code });
}

// Wallets throw whatever they like, few of them an Error.
const reasons = {
  error: (code, message) => refusal(code, message),
  object: (code, message) => ({ code, message }),
  bare: (code) => Object.assign(Object.create(null), { code }),
  text: (_, message) => message,
  number: (code) => code,
  null: () => null,
  nothing: () => undefined,
};

export function makeWallet(hex) {
  const wallet = {
    key: fromHex(hex),
    answer: null, // What the next requests are answered with: {refuse: code, as: a reason, message, atOnce}, {give: value}, {hang: true}.
    asked: [], // What the person was shown.
    rawRecoveryId: false,
    methods: [], // Of all requests.
    listeners: [], // Of events, as EIP-1193 has them: [event, listener].
    on(event, listener) {
      wallet.listeners.push([event, listener]);
    },
    removeListener(event, listener) {
      wallet.listeners = wallet.listeners.filter(([its, one]) => its !== event || one !== listener);
    },
    emit(event, value) {
      wallet.listeners.filter(([its]) => its === event).forEach(([, listener]) => listener(value));
    },
    choose(hex) {
      // The person takes another account, or none.
      wallet.locked = hex === null;
      wallet.key = hex === null ? wallet.key : fromHex(hex);
      wallet.emit("accountsChanged", wallet.locked ? [] : [addressOf(wallet.key)]);
    },
    request(request) {
      wallet.methods.push(request.method);
      if (wallet.answer?.refuse === undefined) {
        return wallet.respond(request);
      }
      const words = wallet.answer.message ?? "User denied the request.";
      const reason = reasons[wallet.answer.as ?? "error"](wallet.answer.refuse, words);
      if (wallet.answer.atOnce) {
        throw reason;
      }
      return Promise.reject(reason);
    },
    async respond({ method, params }) {
      if (wallet.answer?.give !== undefined && method === "personal_sign") {
        return wallet.answer.give;
      }
      if (wallet.answer?.hang) {
        await new Promise(() => {});
      }
      if (method === "eth_requestAccounts" || method === "eth_accounts") {
        return wallet.locked ? [] : [addressOf(wallet.key)];
      }
      if (method === "personal_sign") {
        return await personalSign(...params);
      }
      throw refusal(4200, `unsupported method ${method}`);
    },
  };

  async function personalSign(text, account) {
    if (account.toLowerCase() !== addressOf(wallet.key)) {
      throw refusal(4100, "unauthorized");
    }
    const message = fromHex(text);
    wallet.asked.push(new TextDecoder().decode(message));
    // noble's form is recovery id, r, s; Ethereum's is r, s, v.
    const signature = await signAsync(digestOf(message), wallet.key, { prehash: false, format: "recovered" });
    const v = signature[0] + (wallet.rawRecoveryId ? 0 : 27);
    return "0x" + toHex(signature.slice(1)) + v.toString(16).padStart(2, "0");
  }

  return wallet;
}
