"""URL, headers and subprotocols of an opening handshake (RFC 6455 section 4.1), and functions that give them anew."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ..errors import ConfigError

__all__ = [
    "HeaderSource",
    "HeadersFunction",
    "OpeningHeaders",
    "SubprotocolSource",
    "SubprotocolsFunction",
    "UrlFunction",
    "UrlSource",
    "check_given_subprotocols",
    "check_subprotocols",
]

_TOKEN_CHARACTER = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_TOKEN = f"{_TOKEN_CHARACTER}+"
_TOKEN_START = f"{_TOKEN_CHARACTER}*"
_VALUE_START = r"[\t -~]*"

_OWNED = frozenset({"host", "upgrade", "connection", "content-length", "transfer-encoding"})


class OpeningHeaders(Mapping[str, str]):
    """Checked headers. They are immutable, and their values, which may be secrets, are not shown.

    Args:
        given: Names and values.

    Raises:
        ConfigError: It is no mapping, or a header cannot be sent; the message does not show its value.
    """

    __slots__ = ("_values",)

    def __init__(self, given: Mapping[str, str]) -> None:
        if not isinstance(given, Mapping):
            raise _wrong(f"must be a mapping of names to values, not {type(given).__name__}")
        self._values = dict(given)
        names = set[str]()
        for name, value in self._values.items():
            _check_name(name)
            _check_value(name, value)
            if name.lower() in names:
                raise _wrong(f"has {name!r} twice, in upper and lower case, which are the same to HTTP")
            names.add(name.lower())

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"<headers: {', '.join(self._values) or 'none'}>"


HeadersFunction: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
"""A user's async function that returns the headers of one attempt."""

HeaderSource: TypeAlias = Mapping[str, str] | HeadersFunction
"""Where the headers of an attempt come from."""

UrlFunction: TypeAlias = Callable[[], str | Awaitable[str]]
"""A user's function, sync or async, that returns the URL of one attempt."""

UrlSource: TypeAlias = str | UrlFunction
"""Where the URL of an attempt comes from."""

SubprotocolsFunction: TypeAlias = Callable[[], Sequence[str] | Awaitable[Sequence[str]]]
"""A user's function, sync or async, that returns the subprotocols of one attempt."""

SubprotocolSource: TypeAlias = Sequence[str] | SubprotocolsFunction
"""Where the subprotocols of an attempt come from."""


def check_subprotocols(names: Sequence[str]) -> tuple[str, ...]:
    """Check names of subprotocols and return them as a tuple.

    Raises:
        ConfigError: They are no sequence of different tokens (RFC 9110 section 5.6.2).
    """
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise ConfigError(
            f"subprotocols must be a sequence of names, like ('circle.v1',), not {names!r}", option="subprotocols"
        )
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(_TOKEN, name):
            raise ConfigError(
                f"subprotocols has {name!r}, but a name is one or more letters, digits and signs, without spaces, "
                "commas, slashes and brackets",
                option="subprotocols",
            )
    # Some browsers refuse names that differ in case only.
    if len({name.lower() for name in names}) < len(names):
        raise ConfigError(f"subprotocols has a name twice: {', '.join(names)}", option="subprotocols")
    return tuple(names)


def check_given_subprotocols(names: Sequence[str]) -> tuple[str, ...]:
    """Check the names that a function returned; they may be secrets, as a page has no headers to put a token into.

    Raises:
        ConfigError: They are no sequence of different tokens; the message does not show them.
    """
    try:
        return check_subprotocols(names)
    except ConfigError:
        # Outside of the handler: the context would show the names.
        pass
    kind = type(names).__name__ if isinstance(names, str | bytes) or not isinstance(names, Sequence) else "others"
    raise ConfigError(
        "subprotocols must be a sequence of different names, of one or more letters, digits and signs, without spaces, "
        f"commas, slashes and brackets, not {kind}",
        option="subprotocols",
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise _wrong(f"has a name that is no text, but {type(name).__name__}")
    good = re.match(_TOKEN_START, name)
    end = good.end() if good else 0
    if end < len(name) or not name:
        # The rest is not shown: it may be a value that was given as the name.
        raise _wrong(f"has a name that begins with {name[:end]!r} and then has what no name may have, or nothing")
    lower = name.lower()
    if lower in _OWNED or lower.startswith("sec-websocket-"):
        raise _wrong(f"has {name!r}, which the handshake itself sets; leave it out{_instead(lower)}")
    if lower.startswith("proxy-"):
        raise _wrong(f"has {name!r}, but headers go to the circle; name and password of a proxy belong into its URL")


def _instead(lower: str) -> str:
    if lower == "sec-websocket-protocol":
        return " and name subprotocols in the option subprotocols"
    return " and use the option compression" if lower == "sec-websocket-extensions" else ""


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise _wrong(f"has a value for {name!r} that is no text, but {type(value).__name__}")
    good = re.match(_VALUE_START, value)
    if (end := good.end() if good else 0) < len(value):
        raise _wrong(
            f"has a value for {name!r} with a line break, a control character or one beyond ASCII "
            f"(character {end + 1} of {len(value)}); take it out, or encode it"
        )


def _wrong(words: str) -> ConfigError:
    return ConfigError(f"headers {words}", option="headers")
