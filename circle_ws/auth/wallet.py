"""The user's wallet as the signer of a page: the key never enters Python.

The signer requests an account and `personal_sign` (EIP-191) from the browser's `window.ethereum` (EIP-1193). A wallet
does not return the public key, so it is recovered from a first signature over a fixed, harmless text, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import SignerFailed, UnsupportedRuntime
from ..text import Hidden, shown
from . import backend
from .crypto_utils import recover_public_key
from .profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .types import Challenge

__all__ = ["INTRODUCTION", "Eip1193Signer", "Wallet", "find_wallets", "settled"]

INTRODUCTION = (
    "circle-ws asks for your public key.\n\n"
    "Signing this text shows it to this page. It signs you in nowhere and moves nothing."
)
"""The text that the wallet shows and signs once, so that the public key can be recovered."""

_WORDS = {
    4001: "the person refused in the wallet",
    4100: "the wallet does not allow this page to use the account; connect the page in the wallet",
    -32002: "the wallet is asking already; open it and answer there",
}
"""By error code (EIP-1193 and EIP-1474)."""
_CHANGED = "the account in the wallet has changed; connect() asks for the present one"
_TAKEN = "the wallet no longer shows this page its account: it is locked or disconnected; connect() asks for one"


class Eip1193Signer:
    """A signer that uses the wallet of the page.

    Pass it to `with_signer`, one to each client. The user has to confirm each sign-in, so also each reconnect, within
    `sign_timeout`. It signs the profiles `eip191`, `eip191-v0` and `circle-bound-eip191-v1`.

    A client never goes on under another account. Where the wallet tells that the account has changed, or is gone, the
    client ends with `SignerFailed`; its next `connect()` asks for an account anew. After the wallet's `disconnect` the
    client stays signed in, and the next sign-in asks for the account anew.

    Args:
        js_provider: An EIP-1193 provider, as `Wallet` has one; by default the page's `window.ethereum`.

    Raises:
        UnsupportedRuntime: There is no wallet: this is not a page, or a worker, or no wallet is installed.
    """

    profiles: frozenset[str] = frozenset({"eip191", "eip191-v0", "circle-bound-eip191-v1"})

    __slots__ = ("_account", "_disconnected", "_js_provider", "_public_key")

    def __init__(self, js_provider: Any = None) -> None:
        self._js_provider = js_provider if js_provider is not None else _find_provider()
        self._account: str | None = None
        self._public_key: str | None = None
        self._disconnected = False
        """Whether the wallet has disconnected since it was last asked for its account."""

    async def public_key(self) -> str:
        """Return the public key: 130 hex characters. The first call requests an account and a signature of the user.

        Raises:
            SignerFailed: The user refused, or the wallet returned something invalid.
        """
        if self._public_key is None or self._disconnected:
            account = (await self._accounts("eth_requestAccounts"))[0]
            self._disconnected = False
            self._check_account([account])
            if self._public_key is None:
                signature = await self._personal_sign(INTRODUCTION, account)
                self._account, self._public_key = account, self._signed_by(account, INTRODUCTION, signature)
        return self._public_key

    async def sign(self, challenge: Challenge) -> str:
        """Request a signature of the user; return r, s, v as 130 hex characters, with v in the form of the profile.

        Raises:
            SignerFailed: The user refused or changed the account, or the wallet returned something invalid.
        """
        await self.public_key()
        accounts = await self._accounts("eth_accounts")
        self._check_account(accounts)
        statement = Hidden(challenge.statement.decode())
        signature = Hidden(await self._personal_sign(statement.value, accounts[0]))
        # The account is the hash of the public key, so this is the one that was given before.
        self._signed_by(accounts[0], statement.value, signature.value)
        v = int(signature.value[128:], 16) - PROFILES["eip191"].v_offset + PROFILES[challenge.profile].v_offset
        return f"{signature.value[:128]}{v:02x}"

    def watch_account(self, gone: Callable[[SignerFailed], None]) -> Callable[[], None]:
        """Call `gone` when the wallet tells that the account has changed or is gone (EIP-1193, `accountsChanged`).

        Returns:
            A function that ends that.
        """
        js_provider = self._js_provider
        if not hasattr(js_provider, "on") or not hasattr(js_provider, "removeListener"):
            return lambda: None
        from pyodide.ffi import create_proxy

        def changed(js_accounts: Any = None, *_: Any) -> None:
            # Called by JavaScript, so it must not raise.
            accounts = [str(account).lower() for account in js_accounts or ()]
            try:
                self._check_account(accounts)
            except SignerFailed as error:
                gone(error)

        def disconnected(*_: Any) -> None:
            self._disconnected = True

        js_listeners = {"accountsChanged": create_proxy(changed), "disconnect": create_proxy(disconnected)}
        for event, js_listener in js_listeners.items():
            js_provider.on(event, js_listener)

        def remove() -> None:
            for event, js_listener in js_listeners.items():
                js_provider.removeListener(event, js_listener)
                js_listener.destroy()
            js_listeners.clear()

        return remove

    def _check_account(self, accounts: list[str]) -> None:
        """Check that the wallet's account is the one that signed in; if not, forget it, so that it is asked for anew.

        Raises:
            SignerFailed: It is another one, or there is none.
        """
        if self._public_key is not None and accounts[:1] != [self._account]:
            self._account = self._public_key = None
            raise SignerFailed(_CHANGED if accounts else _TAKEN)

    async def _accounts(self, method: str) -> list[str]:
        accounts = await self._request(method, [])
        if not isinstance(accounts, list) or not accounts or not all(isinstance(it, str) for it in accounts):
            raise SignerFailed("the wallet shows this page no account; unlock it and connect the page in it")
        return [account.lower() for account in accounts]

    async def _personal_sign(self, text: str, account: str) -> str:
        """Return r, s, v as 130 lower-case hex characters, with v being 27 or 28."""
        shown_text = Hidden("0x" + text.encode().hex())
        del text
        answer = await self._request("personal_sign", [shown_text.value, account])
        signature = answer.lower().removeprefix("0x") if isinstance(answer, str) else ""
        # Some hardware wallets return the recovery id itself.
        if signature[128:] in ("00", "01"):
            signature = f"{signature[:128]}{27 + int(signature[128:]):02x}"
        return signature

    def _signed_by(self, account: str, text: str, signature: str) -> str:
        """Return the public key that made the signature, after checking that it belongs to the account."""
        given = Hidden((text, signature))
        del text, signature
        try:
            public_key = recover_public_key(*given.value)
        except ValueError as error:
            raise SignerFailed("the wallet gave something that is no signature (r, s, v as hex)") from error
        if "0x" + backend.keccak_256(bytes.fromhex(public_key)[1:])[-20:].hex() != account:
            raise SignerFailed("the wallet's signature is not that of its account; smart-contract accounts have no key")
        return public_key

    async def _request(self, method: str, params: list[str]) -> Any:
        from js import Object
        from pyodide.ffi import JsProxy, to_js

        js_request = to_js({"method": method, "params": params}, dict_converter=Object.fromEntries)
        del params
        js_outcome = await settled(self._js_provider.request.bind(self._js_provider), js_request)
        if js_outcome.status == "rejected":
            raise _failure(js_outcome.reason)
        js_answer = js_outcome.value
        return js_answer.to_py() if isinstance(js_answer, JsProxy) else js_answer


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet of the page, as it announced itself (EIP-6963). Its texts are the wallet's own; escape them in HTML.

    Attributes:
        name: For people, for instance `MetaMask`.
        icon: A `data:` URL of an image, for an `<img>`; empty if it is none.
        rdns: The reversed domain name of its maker, which stays the same over versions; empty if unknown.
        uuid: Its id in this page, another one each time; empty if unknown.
        js_provider: Its EIP-1193 provider.
    """

    name: str
    icon: str
    rdns: str
    uuid: str
    js_provider: Any = field(repr=False)

    def signer(self) -> Eip1193Signer:
        """Return a signer that uses this wallet."""
        return Eip1193Signer(self.js_provider)


async def find_wallets(*, patience: float = 0.1) -> list[Wallet]:
    """Return the wallets of this page, of which there may be several (EIP-6963), as they announce themselves.

    One that announces nothing is found as `window.ethereum`, if none else is.

    Args:
        patience: How long to wait for announcements, in seconds.

    Raises:
        UnsupportedRuntime: This is not a page, or a worker, which has no wallets.
    """
    js = _page()
    from pyodide.ffi import create_proxy

    found: dict[str, Wallet] = {}

    def announced(js_event: Any) -> None:
        # Called by JavaScript, so it must not raise, whatever was announced.
        wallet = _announced(getattr(js_event, "detail", None))
        if wallet is not None:
            found.setdefault(wallet.uuid, wallet)

    js_listener = create_proxy(announced)
    js_wait = create_proxy(lambda js_resolve, _js_reject: js.setTimeout(js_resolve, patience * 1000) and None)
    js.addEventListener("eip6963:announceProvider", js_listener)
    try:
        js.dispatchEvent(js.Event.new("eip6963:requestProvider"))
        await js.Promise.new(js_wait)
    finally:
        js.removeEventListener("eip6963:announceProvider", js_listener)
        js_listener.destroy()
        js_wait.destroy()
    if not found and getattr(js, "ethereum", None) is not None:
        return [Wallet("the wallet of this browser", "", "", "", js.ethereum)]
    return list(found.values())


def _announced(js_detail: Any) -> Wallet | None:
    """Return the wallet of an announcement, or None for one that is incomplete."""
    js_info, js_provider = getattr(js_detail, "info", None), getattr(js_detail, "provider", None)
    name, icon, rdns, uuid = (getattr(js_info, key, None) for key in ("name", "icon", "rdns", "uuid"))
    if not isinstance(name, str) or not isinstance(uuid, str) or not hasattr(js_provider, "request"):
        return None
    # Any other URL would tell its server of the visit.
    image = icon if isinstance(icon, str) and icon.startswith("data:image/") else ""
    return Wallet(name, image, rdns if isinstance(rdns, str) else "", uuid, js_provider)


async def settled(js_function: Any, js_argument: Any) -> Any:
    """Return the outcome of a function of JavaScript's, sync or async, as `Promise.allSettled` reports it.

    Wallets reject with any value, mostly with a plain object. Pyodide makes a future of every promise that a function
    returns to Python, and a future whose promise is rejected with anything but an `Error` never completes. So Python
    only receives arrays of promises, and a promise that is never rejected. The function is called by `then`, which
    turns a synchronous exception into a rejection.
    """
    from js import Array, Object, Promise

    js_map = getattr(Array, "from")
    # Taken from the prototype: the `then` of a promise's proxy is Pyodide's own.
    js_then = Object.getOwnPropertyDescriptor(Promise.prototype, "then").value
    js_begun = js_map(Array.of(js_argument), Promise.resolve, Promise)
    js_answers = js_map(Array.of(js_function), js_then, js_begun[0])
    js_outcomes = await Promise.allSettled(js_answers)
    return js_outcomes[0]


def _failure(reason: Any) -> SignerFailed:
    """Return an error for the value that a wallet threw: an `Error`, an object, a text, or nothing."""
    code = getattr(reason, "code", None)
    words = _WORDS.get(code) if isinstance(code, int) else None
    if words is None:
        message = reason if isinstance(reason, str) else getattr(reason, "message", None)
        told = shown(str(message)) if message else "it gave no reason"
        words = f"the wallet failed: {told}" + (f" ({shown(str(code))})" if code is not None else "")
    failure = SignerFailed(words)
    failure.__cause__ = reason if isinstance(reason, BaseException) else None
    return failure


def _find_provider() -> Any:
    js_provider = getattr(_page(), "ethereum", None)
    if js_provider is None:
        raise UnsupportedRuntime(
            "this page has no wallet (window.ethereum): install one and reload the page; workers have none",
            option="signer",
        )
    return js_provider


def _page() -> Any:
    """Return the global scope of the page."""
    try:
        import js
    except ImportError:
        page = None
    else:
        page = js if hasattr(js, "document") else None
    if page is None:
        raise UnsupportedRuntime(
            "a wallet lives in a page of a browser, not in a worker; here use a private key or a signer of your own",
            option="signer",
        )
    return page
