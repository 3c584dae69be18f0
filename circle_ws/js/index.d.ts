// Types of what `pyodide.pyimport("circle_ws.js")` returns. All times are in seconds, all sizes in bytes of UTF-8.

/** A plain value of JSON. A result has a `bigint` where an integer is over 2^53 - 1; params may have one anywhere. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

/** Params: an array (by position) or an object (by name). Members that are undefined are left out. */
export type Params = readonly unknown[] | object | null;

/** The connection's state; `failed`: it gave up, close it and connect anew. */
export type Status =
  | "idle" | "connecting" | "authenticating" | "connected" | "waiting" | "failed" | "closing" | "closed";

/** An error of circle-ws; `name` is the class of the Python exception, such as `RpcError` or `CallTimeout`. */
export interface CircleWsError extends Error {
  /** The circle's error code (`RpcError`), or the close code (`ConnectionLost`, `OutcomeUnknown`). */
  code?: number;
  /** The additional data of a circle's error. */
  data?: Json;
  /** The step that failed: `open`, `nonce`, `sign`, `authenticate`, `setup`, `queue`, `reply` ... */
  phase?: string;
  path?: string;
  /** The option that is wrong. */
  option?: string;
}

export interface StatusChange {
  status: Status;
  previous: Status;
  /** Seconds since 1970. */
  at: number;
  /** Which attempt to connect this is. */
  attempt: number | null;
  /** Seconds until the next attempt, with `waiting`. */
  retryIn: number | null;
  cause: CircleWsError | null;
}

/** A wallet: an EIP-1193 provider. */
export interface Wallet {
  request(request: { method: string; params?: any }): Promise<unknown>;
}

/** A new connection, for the setup function. */
export interface SetupSession {
  call<T = Json>(method: string, params?: Params): Promise<T>;
  notify(method: string, params?: Params): Promise<void>;
}

export interface Options {
  /** 64 hex characters, or 32 bytes. Any script of the page can read it; a wallet keeps its key to itself. */
  privateKey?: string | Uint8Array | null;
  signer?: Wallet | null;
  profile?: "eip191" | "eip191-v0" | "sha256-compact" | "sha256-der" | "circle-bound-v1" | "circle-bound-eip191-v1";
  policy?: "prefer-bound" | "require-bound" | "legacy-only";
  dialect?: "auto" | "hero-0.2" | "circles-1.0" | "baobab";
  params?: "auto" | "named" | "positional";
  allowInsecure?: boolean;
  /** For one attempt to connect and sign in, without the time of the signer. Null: no limit, as for the others. */
  openTimeout?: number | null;
  callTimeout?: number | null;
  closeTimeout?: number | null;
  /** How long `close()` waits for calls in flight. */
  drainTimeout?: number | null;
  /** How long the wallet may take. */
  signTimeout?: number | null;
  /** Null: a dead connection is not looked for. */
  keepalive?: { interval: number; timeout?: number; mode?: "auto" | "rpc" } | null;
  /** The delays between attempts to reconnect; null: no reconnects. */
  backoff?: {
    first?: number;
    base?: number;
    maximum?: number;
    floor?: number;
    resetAfter?: number;
    attempts?: number | null;
    seed?: number | null;
  } | null;
  /** `once`: `connect()` makes one attempt. `retry`: it keeps trying. */
  firstConnect?: "once" | "retry";
  maxMessageBytes?: number | null;
  maxRequestBytes?: number | null;
  maxInFlight?: number;
  maxQueued?: number;
  maxQueuedBytes?: number;
  /** Names to offer, or a function that returns them at every attempt. */
  subprotocols?: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  /** Runs after every sign-in, before queued calls are written: to subscribe anew. */
  setup?: (session: SetupSession) => unknown;
  /** As `client.onStatus`, from the first attempt on. */
  onStatus?: (change: StatusChange) => unknown;
}

export interface CallOptions {
  /** Seconds until the result must be there; null: no limit. */
  timeout?: number | null;
  /** Whether running it twice has the same effect as once: then it survives a lost connection. */
  idempotent?: boolean;
}

/** All promises are rejected with a `CircleWsError`. */
export interface Client {
  call<T = Json>(method: string, params?: Params, options?: CallOptions): Promise<T>;
  /** Run a script on the circle; return its output. */
  play(script: string, options?: { timeout?: number | null }): Promise<string>;
  /** Send a notification; done when it is written. */
  notify(method: string, params?: Params, options?: { timeout?: number | null }): Promise<void>;
  /** Call a function with each notification; null stands for all methods. Returns a function that unsubscribes. */
  on<T = Json>(method: string | null, callback: (params: T, method: string) => unknown): () => void;
  /** Call a function at each change of status. Returns a function that unsubscribes. */
  onStatus(callback: (change: StatusChange) => unknown): () => void;
  /** Wait for calls in flight, up to `drain` seconds, and close. Final; until then the client stays connected. */
  close(options?: { drain?: number | null }): Promise<void>;
}

/** What gives a circle's URL: itself, or a function that is called at every attempt, for a token that expires. */
export type UrlSource = string | URL | (() => string | URL | Promise<string | URL>);

/** Connect to a circle and sign in. */
export declare function connect(url: UrlSource, options?: Options): Promise<Client>;
