"""Checks of single option values; each raises a `ConfigError` that names the option."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from ..auth.keypair import KeyPair
from ..auth.profiles import BOUND
from ..errors import ConfigError, UnsupportedRuntime
from ..urls import ENVIRONMENT, find_proxy_fault, is_loopback, is_plain, is_socks, shown_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..auth.types import Policy, Profile
    from ..text import Hidden
    from ..transport import Capabilities

__all__ = [
    "choice",
    "count",
    "is_signer",
    "middleware",
    "optional",
    "profile",
    "proxy",
    "seconds",
    "secure",
    "source",
    "supported",
    "switch",
    "tls",
    "transport",
]

_UNSUPPORTED = {
    "keepalive": ("ping", "sends no ping frames; use keep-alive mode 'auto' or 'rpc'"),
    "headers": (
        "headers",
        "does not let a page set the headers of a WebSocket; sign in with a key, or use subprotocols",
    ),
    "subprotocols": ("subprotocols", "offers none to the server"),
    "compression": ("compression", "decides by itself whether it compresses"),
    "tls": ("tls", "decides by itself whom it trusts; add your CA to the browser's or the system's"),
    "proxy": ("proxy", "goes through the proxies of its own settings"),
}
"""By option: the capability that it needs, and what a runtime without it does instead."""

_SOURCES = {
    "url": "a text like 'wss://circle.example/...', or a function without arguments that returns one",
    "headers": "a mapping of names to values, or an async function without arguments that returns one",
    "subprotocols": "a sequence of names, or a function without arguments that returns one",
}
"""By option that a function may give at every attempt: what it must be."""


def choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Check an option with a few possible values."""
    if value not in choices:
        raise ConfigError(f"{option} must be one of {', '.join(choices)}, not {value!r}", option=option)


def switch(option: str, value: Any) -> None:
    """Check an option that is True or False."""
    if type(value) is not bool:
        raise ConfigError(f"{option} must be True or False, not {value!r}", option=option)


def optional(option: str, value: Any, kind: str, *, fits: bool) -> None:
    """Check an option that is of a kind or None; `fits` says whether the value is of that kind."""
    if value is not None and not fits:
        raise ConfigError(f"{option} must be a {kind} or None, not {value!r}", option=option)


def seconds(option: str, value: Any, *, zero: bool = False) -> None:
    """Check a time limit in seconds; None means no limit, and 0 is allowed where `zero` is true."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (number and (0 < value < math.inf or (zero and value == 0))):
        return
    raise ConfigError(
        f"{option} must be a positive number of seconds, or None for no limit, not {value!r}", option=option
    )


def count(option: str, value: Any, minimum: int) -> None:
    """Check a maximum size or number."""
    if type(value) is not int or value < minimum:
        raise ConfigError(f"{option} must be a whole number from {minimum}, not {value!r}", option=option)


def middleware(middleware: Any) -> tuple[Any, ...]:
    """Return a sequence of middleware functions as a tuple."""
    if not isinstance(middleware, list | tuple) or not all(callable(one) for one in middleware):
        raise ConfigError(
            f"middleware must be a list of async functions (request, call_next), not {middleware!r}",
            option="middleware",
        )
    return tuple(middleware)


def is_signer(given: Hidden[Any]) -> None:
    """Check that a value is a signer, a key pair or None; it is hidden, as it may be a private key."""
    if given.value is None or isinstance(given.value, KeyPair):
        return
    if not all(hasattr(given.value, name) for name in ("profiles", "public_key", "sign")):
        raise ConfigError(
            f"signer must have profiles, public_key() and sign(), as circle_ws.Signer says, which "
            f"{type(given.value).__name__} has not; a private key is given as private_key",
            option="signer",
        )


def profile(profile: Profile, policy: Policy, signable: frozenset[str] | None) -> None:
    """Check that profile, policy and the profiles that the signer can sign (None without a signer) fit each other."""
    if policy == "legacy-only" and profile.bound:
        raise ConfigError(
            f"profile {profile.name} names the circle, which policy legacy-only never does", option="policy"
        )
    if signable is None:
        return
    if profile.name not in signable:
        raise ConfigError(
            f"the signer cannot sign profile {profile.name!r}, only {', '.join(sorted(signable))}", option="profile"
        )
    if policy == "require-bound" and not (profile.bound or signable.intersection(BOUND)):
        raise ConfigError(
            f"policy require-bound needs a signer that can sign one of {', '.join(BOUND)}, "
            f"not only {', '.join(sorted(signable))}",
            option="policy",
        )


def secure(url: str) -> None:
    """Check that signing in at `url` is safe: over TLS, or on this machine."""
    if is_plain(url) and not is_loopback(url):
        raise ConfigError(
            "signing in over ws:// to another machine lets an attacker on the path take over the session; "
            "use wss://, or allow_insecure=True where you know the network",
            option="allow_insecure",
        )


def source(option: str, function: Callable[..., Any]) -> None:
    """Check that the source of an option can be called without arguments."""
    words = f"{option} must be {_SOURCES[option]}"
    if not callable(function):
        raise ConfigError(f"{words}, not {type(function).__name__}", option=option)
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Some functions that are written in C have no signature.
        return
    try:
        signature.bind()
    except TypeError as error:
        raise ConfigError(f"{words}: {error}", option=option) from None


def transport(transport: Any) -> None:
    """Check that a transport can be called and says what it can do."""
    if not callable(transport) or not hasattr(transport, "capabilities"):
        raise ConfigError(
            f"transport must be called to connect and have capabilities, as circle_ws.transport.Connect says, not "
            f"{transport!r}",
            option="transport",
        )


def supported(capabilities: Capabilities, options: Iterable[str]) -> None:
    """Check that the transport can do what these options ask for; else it is an `UnsupportedRuntime`."""
    for option in options:
        capability, words = _UNSUPPORTED[option]
        if not getattr(capabilities, capability):
            raise UnsupportedRuntime(f"{option} is not for this runtime, which {words}", option=option)


def tls(tls: Any, url: str) -> None:
    """Check that `tls` is an `ssl.SSLContext`, for a `wss://` URL."""
    if not hasattr(tls, "wrap_bio"):
        raise ConfigError(f"tls must be an ssl.SSLContext or None, not {tls!r}", option="tls")
    if is_plain(url):
        raise ConfigError("tls is given, but the url begins with ws://; use wss://", option="tls")


def proxy(proxy: Any, *, socks: bool) -> None:
    """Check the option `proxy`; `socks` says whether the transport can use a SOCKS proxy."""
    if proxy is None or proxy == ENVIRONMENT:
        return
    if not isinstance(proxy, str):
        raise ConfigError(f"proxy must be a URL, 'environment' or None, not {type(proxy).__name__}", option="proxy")
    if (fault := find_proxy_fault(proxy)) is not None:
        raise ConfigError(f"proxy {shown_proxy(proxy)!r} {fault}", option="proxy")
    if is_socks(proxy) and not socks:
        raise ConfigError(
            f"proxy {shown_proxy(proxy)!r} is a SOCKS proxy, for which a package is missing: "
            "python3 -m pip install 'circle-ws[socks]'",
            option="proxy",
        )
