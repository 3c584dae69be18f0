"""The user's wallet as the signer of a page: the key never enters Python.

The signer requests an account and `personal_sign` (EIP-191) from the browser's `window.ethereum` (EIP-1193). A wallet
does not return the public key, so it is recovered from a first signature over a fixed, harmless text, and kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import SignerFailed, UnsupportedRuntime
from ..text import Hidden, shown
from . import backend
from .crypto_utils import recover_public_key
from .profiles import PROFILES

if TYPE_CHECKING:
    from .types import Challenge

__all__ = ["INTRODUCTION", "Eip1193Signer", "settled"]

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


class Eip1193Signer:
    """A signer that uses the wallet of the page.

    Pass it to `with_signer`. The user has to confirm each sign-in, so also each reconnect, within `sign_timeout`.
    It signs the profiles `eip191`, `eip191-v0` and `circle-bound-eip191-v1`.

    Args:
        js_provider: An EIP-1193 provider; by default the page's `window.ethereum`.

    Raises:
        UnsupportedRuntime: There is no wallet: this is not a page, or a worker, or no wallet is installed.
    """

    profiles = frozenset({"eip191", "eip191-v0", "circle-bound-eip191-v1"})

    __slots__ = ("_account", "_js_provider", "_public_key")

    def __init__(self, js_provider: Any = None) -> None:
        self._js_provider = js_provider if js_provider is not None else _find_provider()
        self._account: str | None = None
        self._public_key: str | None = None

    async def public_key(self) -> str:
        """Return the public key: 130 hex characters. The first call requests an account and a signature of the user.

        Raises:
            SignerFailed: The user refused, or the wallet returned something invalid.
        """
        if self._public_key is None:
            account = self._account = (await self._accounts("eth_requestAccounts"))[0]
            self._public_key = self._signed_by(account, INTRODUCTION, await self._personal_sign(INTRODUCTION, account))
        return self._public_key

    async def sign(self, challenge: Challenge) -> str:
        """Request a signature of the user; return r, s, v as 130 hex characters, with v in the form of the profile.

        Raises:
            SignerFailed: The user refused or changed the account, or the wallet returned something invalid.
        """
        public_key = await self.public_key()
        accounts = await self._accounts("eth_accounts")
        if accounts[0] != self._account:
            raise SignerFailed(
                "the account in the wallet has changed; change it back, or make a new signer for the new account"
            )
        statement = Hidden(challenge.statement.decode())
        signature = Hidden(await self._personal_sign(statement.value, accounts[0]))
        if self._signed_by(accounts[0], statement.value, signature.value) != public_key:
            raise SignerFailed("the wallet signed with another key than before")
        v = int(signature.value[128:], 16) - PROFILES["eip191"].v_offset + PROFILES[challenge.profile].v_offset
        return f"{signature.value[:128]}{v:02x}"

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
    try:
        import js
    except ImportError:
        raise UnsupportedRuntime(
            "a wallet lives in a page of a browser; here use a private key or a signer of your own", option="signer"
        ) from None
    js_provider = getattr(js, "ethereum", None)
    if js_provider is None:
        raise UnsupportedRuntime(
            "this page has no wallet (window.ethereum): install one and reload the page; workers have none",
            option="signer",
        )
    return js_provider
