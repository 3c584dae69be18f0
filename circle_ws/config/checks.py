"""Whether the options of a client are what they must be, and fit each other and the runtime."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from ..auth.keypair import KeyPair
from ..errors import ConfigError, UnsupportedRuntime
from ..policy.backoff import Backoff
from ..policy.liveness import KeepAlive
from ..urls import ENVIRONMENT, find_proxy_fault, is_loopback, is_plain, is_socks, shown_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..text import Hidden
    from . import ClientConfig

__all__ = [
    "check_choices",
    "check_headers_function",
    "check_is_signer",
    "check_kinds",
    "check_middleware",
    "check_numbers",
    "check_runtime",
    "check_signer",
]


def check_choices(config: ClientConfig, **choices: tuple[Any, ...]) -> None:
    """Check the options that have a few values, named with these.

    Raises:
        ConfigError: One has another.
    """
    for option, allowed in choices.items():
        value = getattr(config, option)
        if value not in allowed:
            raise ConfigError(f"{option} must be one of {', '.join(allowed)}, not {value!r}", option=option)
    if config.policy == "legacy-only" and config.signature_profile.bound:
        raise ConfigError(
            f"profile {config.signature_profile.name} names the circle, which policy legacy-only never does",
            option="policy",
        )


def check_kinds(config: ClientConfig) -> None:
    """Check the options that are functions, switches or values of ours.

    Raises:
        ConfigError: One is something else.
    """
    for option in ("setup", "classifier"):
        value = getattr(config, option)
        if value is not None and not callable(value):
            raise ConfigError(f"{option} must be a function or None, not {value!r}", option=option)
    for option in ("allow_insecure", "compression"):
        value = getattr(config, option)
        if type(value) is not bool:
            raise ConfigError(f"{option} must be True or False, not {value!r}", option=option)
    for option, kind in (("keepalive", KeepAlive), ("backoff", Backoff)):
        value = getattr(config, option)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"{option} must be a {kind.__name__} or None, not {value!r}", option=option)


def check_middleware(middleware: Any) -> tuple[Any, ...]:
    """Check a list of middleware functions, and give it as a tuple.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(middleware, list | tuple) or not all(callable(one) for one in middleware):
        raise ConfigError(
            f"middleware must be a list of async functions (request, call_next), not {middleware!r}",
            option="middleware",
        )
    return tuple(middleware)


def check_numbers(config: ClientConfig) -> None:
    """Check limits of time, size and number.

    Raises:
        ConfigError: One is no number, or not in its range.
    """
    for option in ("open_timeout", "call_timeout", "close_timeout", "drain_timeout", "sign_timeout"):
        value = getattr(config, option)
        if value is not None and (not _is_number(value) or not 0 < value < math.inf):
            if option == "drain_timeout" and value == 0:
                continue
            raise ConfigError(
                f"{option} must be a positive number of seconds, or None for no limit, not {value!r}",
                option=option,
            )
    for option in (
        "max_message_bytes",
        "max_request_bytes",
        "max_in_flight",
        "max_queued",
        "max_queued_bytes",
    ):
        value = getattr(config, option)
        least = 0 if option in ("max_queued", "max_queued_bytes") else 1
        if value is None and option in ("max_message_bytes", "max_request_bytes"):
            continue
        if type(value) is not int or value < least:
            raise ConfigError(f"{option} must be a whole number from {least}, not {value!r}", option=option)


def check_is_signer(given: Hidden[Any]) -> None:
    """Check that what was given as the signer is one, or a key pair, or None.

    Raises:
        ConfigError: It is none; no frame shows it, as it may be a private key.
    """
    if given.value is None or isinstance(given.value, KeyPair):
        return
    if not all(hasattr(given.value, name) for name in ("profiles", "public_key", "sign")):
        raise ConfigError(
            f"signer must have profiles, public_key() and sign(), as circle_ws.Signer says, which "
            f"{type(given.value).__name__} has not; a private key is given as private_key",
            option="signer",
        )


def check_signer(config: ClientConfig) -> None:
    """Check that the signer can sign what it will be asked for, where that is safe.

    Raises:
        ConfigError: It cannot, or others could take the session over.
    """
    # No variable is the signer itself: its `repr` may show a key.
    if config.signer is None:
        return
    profiles = config.signer.profiles
    if config.signature_profile.name not in profiles:
        raise ConfigError(
            f"the signer cannot sign profile {config.signature_profile.name!r}, only {', '.join(sorted(profiles))}",
            option="profile",
        )
    from ..auth.profiles import BOUND

    if config.policy == "require-bound" and not (config.signature_profile.bound or profiles.intersection(BOUND)):
        raise ConfigError(
            f"policy require-bound needs a signer that can sign one of {', '.join(BOUND)}, "
            f"not only {', '.join(sorted(profiles))}",
            option="policy",
        )
    if is_plain(config.url) and not is_loopback(config.url) and not config.allow_insecure:
        raise ConfigError(
            "signing in over ws:// to another machine lets anybody on the path take the session over; "
            "use wss://, or allow_insecure=True where you know the network",
            option="allow_insecure",
        )


def check_headers_function(function: Callable[..., Any]) -> None:
    """Check that what gives the headers can be called as it will be.

    Raises:
        ConfigError: It cannot.
    """
    words = "headers must be a mapping of names to values, or an async function without arguments that returns one"
    if not callable(function):
        raise ConfigError(f"{words}, not {type(function).__name__}", option="headers")
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Some functions that are written in C have none.
        return
    try:
        signature.bind()
    except TypeError as error:
        raise ConfigError(f"{words}: {error}", option="headers") from None


def check_runtime(config: ClientConfig) -> None:
    """Check that the transport can do what the options ask for.

    Raises:
        ConfigError: It is none, or an option for it is wrong.
        UnsupportedRuntime: It cannot.
    """
    transport = config.transport
    if not callable(transport) or not hasattr(transport, "capabilities"):
        raise ConfigError(
            f"transport must be called to connect and have capabilities, as circle_ws.transport.Connect says, not "
            f"{transport!r}",
            option="transport",
        )
    can = transport.capabilities
    if config.keepalive is not None and config.keepalive.mode == "ping" and not can.ping:
        raise _unsupported("keepalive", "sends no ping frames; use keep-alive mode 'auto' or 'rpc'")
    if config.headers is not None and not can.headers:
        raise _unsupported(
            "headers", "does not let a page set the headers of a WebSocket; sign in with a key, or use subprotocols"
        )
    if config.subprotocols and not can.subprotocols:
        raise _unsupported("subprotocols", "offers none to the server")
    if config.compression and not can.compression:
        raise _unsupported("compression", "decides by itself whether it compresses")
    _check_tls(config)
    _check_proxy(config)


def _check_tls(config: ClientConfig) -> None:
    if config.tls is None:
        return
    if not config.transport.capabilities.tls:
        raise _unsupported("tls", "decides by itself whom it trusts; add your CA to the browser's or the system's")
    if not hasattr(config.tls, "wrap_bio"):
        raise ConfigError(f"tls must be an ssl.SSLContext or None, not {config.tls!r}", option="tls")
    if is_plain(config.url):
        raise ConfigError("tls is given, but the url begins with ws://; use wss://", option="tls")


def _check_proxy(config: ClientConfig) -> None:
    proxy = config.proxy
    if proxy == ENVIRONMENT:
        return
    if not config.transport.capabilities.proxy:
        raise _unsupported("proxy", "goes through the proxies of its own settings")
    if proxy is None:
        return
    if not isinstance(proxy, str):
        raise ConfigError(f"proxy must be a URL, 'environment' or None, not {type(proxy).__name__}", option="proxy")
    if (fault := find_proxy_fault(proxy)) is not None:
        raise ConfigError(f"proxy {shown_proxy(proxy)!r} {fault}", option="proxy")
    if is_socks(proxy) and not config.transport.capabilities.socks:
        raise ConfigError(
            f"proxy {shown_proxy(proxy)!r} is a SOCKS proxy, for which a package is missing: "
            "python3 -m pip install 'circle-ws[socks]'",
            option="proxy",
        )


def _unsupported(option: str, words: str) -> UnsupportedRuntime:
    return UnsupportedRuntime(f"{option} is not for this runtime, which {words}", option=option)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
