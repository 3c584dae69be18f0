"""Options as JavaScript gives them: objects whose names are in camelCase."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import js

from ..auth.keypair import KeyPair
from ..auth.wallet import Eip1193Signer
from ..config import ClientConfig, checks
from ..errors import ConfigError
from ..policy import Backoff, KeepAlive
from ..text import Hidden
from ..transport import connect as runtime_connect
from .functions import answer_of
from .values import from_javascript, is_null, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["NAMES", "ON_STATUS", "client_options", "read", "source_of_url"]

_NOT_HERE = {"middleware", "classifier", "transport"}
"""What only Python can give."""
_PYTHONS = {"tls", "proxy", "headers", "compression"}
"""What no page can do."""
ON_STATUS = "on_status"


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


NAMES = {name: _camel(name) for name in ClientConfig.__annotations__ if name not in _NOT_HERE | {"url"}}
"""The options of a client, and what they are called in JavaScript."""


def read(js_options: Any, known: Collection[str], what: str) -> dict[str, Hidden[Any]]:
    """Return the members of an object, by their Python names; one that is undefined is left out.

    Args:
        js_options: An object, null or undefined.
        known: The Python names.
        what: What the object is, for an error.

    Raises:
        ConfigError: It is no object, or a member is unknown.
    """
    if js_options is None or is_null(js_options):
        return {}
    if not is_object(js_options) or js.Array.isArray(js_options):
        raise ConfigError(f"{what} must be an object")
    names = {_camel(name): name for name in known}
    given = {}
    for key in js.Object.keys(js_options):
        if key not in names:
            raise ConfigError(_unknown(key, names, what), option=key)
        value = Hidden(js.Reflect.get(js_options, key))
        if value.value is not None:
            given[names[key]] = value
    return given


def _unknown(key: str, names: Collection[str], what: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, names, n=1)
    return f"unknown option {key} in {what}; " + (f"is it {near[0]}?" if near else f"there are {', '.join(names)}")


def client_options(js_options: Any) -> dict[str, Any]:
    """Return the keywords for a client, and `on_status`.

    Raises:
        ConfigError: An option is wrong or unknown; the message names it.
        UnsupportedRuntime: A page cannot do what an option asks for.
        InvalidKey: It is not a private key.
    """
    given = read(js_options, {*NAMES, ON_STATUS}, "options")
    checks.supported(runtime_connect.capabilities, [name for name in given if name in _PYTHONS])
    return {name: _CONVERTERS.get(name, _value)(value) for name, value in given.items()}


def source_of_url(js_url: Any) -> Any:
    """Return the URL that was given: a text, or a function that returns one."""
    return _asking(js_url, _text_of) if callable(js_url) else _text_of(js_url)


def _text_of(url: Any) -> Any:
    return getattr(url, "href", url)


def _value(given: Hidden[Any]) -> Any:
    return None if is_null(given.value) else given.value


def _key(given: Hidden[Any]) -> KeyPair | None:
    if is_null(given.value):
        return None
    # A `Uint8Array` has its bytes.
    return KeyPair(given.value.to_bytes() if hasattr(given.value, "to_bytes") else given.value)


def _signer(given: Hidden[Any]) -> Eip1193Signer | None:
    if is_null(given.value):
        return None
    if not hasattr(given.value, "request"):
        raise ConfigError("signer must be a wallet: an object with request(), as EIP-1193 says", option="signer")
    return Eip1193Signer(given.value)


def _dataclass_of(kind: type[Any], name: str) -> Callable[[Hidden[Any]], Any]:
    def convert(given: Hidden[Any]) -> Any:
        if is_null(given.value):
            return None
        known = [field.name for field in fields(kind)]
        try:
            return kind(**{key: _value(value) for key, value in read(given.value, known, name).items()})
        except TypeError as error:
            raise ConfigError(f"{name}: {error}", option=name) from None

    return convert


def _subprotocols(given: Hidden[Any]) -> Any:
    return _asking(given.value, _list_of) if callable(given.value) else _list_of(given.value)


def _list_of(value: Any) -> Any:
    return from_javascript(value, "subprotocols")


def _asking(js_function: Any, convert: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a Python function that asks one of JavaScript's."""

    async def ask() -> Any:
        return convert(await answer_of(js_function))

    return ask


def _function(given: Hidden[Any]) -> Any:
    if not callable(given.value):
        raise ConfigError("setup and onStatus must be functions")
    return given.value


_CONVERTERS: dict[str, Callable[[Hidden[Any]], Any]] = {
    "private_key": _key,
    "signer": _signer,
    "keepalive": _dataclass_of(KeepAlive, "keepalive"),
    "backoff": _dataclass_of(Backoff, "backoff"),
    "subprotocols": _subprotocols,
    "setup": _function,
    ON_STATUS: _function,
}
