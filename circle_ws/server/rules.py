"""The options of a circle that all its connections share."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from ..auth.profiles import BOUND
from ..errors import ConfigError
from ..urls import host_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import MutableSet, Sequence

    from ..jsonrpc.methods import Method

__all__ = ["Admit", "Origins", "Rules", "ServedDialect", "ServedParams", "check_count", "check_seconds"]

_logger = logging.getLogger("circle_ws.server")

ServedDialect: TypeAlias = Literal["hero-0.2", "circles-1.0", "baobab"]
"""A published form that a circle can speak."""
ServedParams: TypeAlias = Literal["any", "named", "positional"]
"""The forms of params that a circle takes: an object (by name), an array (by position), or either."""
Admit: TypeAlias = Callable[[str], Awaitable[bool]]
"""An async function that decides whether a public key may sign in."""

_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[^\s/?#@:*\[\]A-Z]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?|file://")
"""What may be named: any page, one without an origin of its own, or `scheme://host[:port]` as browsers write it."""
_MAX_LOGGED = 100
"""Maximum number of refused origins that are logged, each once; a page can make a browser try without end."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The options of `CircleServer` that every connection is held to; see there.

    Attributes:
        audience: The circle's public URL, normalised, that a bound signature must name; None offers no bound profile.
        keys: The public keys (66 hex characters) that may sign in; None admits every key.
        methods: The functions that answer, by the method's name.
        sign_in: Whether the methods are only for clients that have signed in.
    """

    dialect: ServedDialect
    profiles: tuple[str, ...]
    audience: str | None
    keys: frozenset[str] | None
    nonce_lifetime: float
    max_batch: int = 1000
    signed_bound: MutableSet[str] = field(default_factory=set)
    methods: dict[str, Method] = field(default_factory=dict)
    params: ServedParams = "any"
    admit: Admit | None = None
    sign_in_timeout: float | None = None
    max_batch_reply_bytes: int = 10 * 1024 * 1024
    sign_in: bool = True

    def __post_init__(self) -> None:
        for option, choices in (("dialect", get_args(ServedDialect)), ("params", get_args(ServedParams))):
            value = getattr(self, option)
            _check(option, value, value in choices, f"one of {', '.join(choices)}")
        check_count("max_batch", self.max_batch)
        check_count("max_batch_reply_bytes", self.max_batch_reply_bytes)
        if self.sign_in_timeout is not None:
            check_seconds("sign_in_timeout", self.sign_in_timeout)

    @property
    def offered(self) -> list[str]:
        """The bound profiles that `fetch_nonce` offers."""
        return [name for name in BOUND if name in self.profiles] if self.audience is not None else []


class Origins:
    """The pages that may connect, by the header `Origin` of their opening handshake.

    Args:
        admitted: The values of the header that are admitted (None: no header, `*`: any); None admits programs, pages
            of this machine and of `public_url`'s host where the circle is on loopback, and everything elsewhere.
        public_url: The URL that clients dial, or None.

    Raises:
        ConfigError: The origins are one text, or one has a form that browsers never send.

    Attributes:
        is_local: Whether the circle can be reached from this machine only.
    """

    def __init__(self, admitted: Sequence[str | None] | None, public_url: str | None) -> None:
        self.is_local = True
        self._admitted = None if admitted is None else _checked(admitted)
        self._public_host = None if public_url is None else host_of(urlsplit(public_url))
        self._logged: set[str | None] = set()

    def admit(self, headers: list[str]) -> bool:
        """Return whether a handshake with these `Origin` headers is admitted; the refusal of an origin is logged once.

        Args:
            headers: The values of all headers of that name: none for programs, one for pages; two are refused.
        """
        if len(headers) < 2 and self._is_admitted(headers[0] if headers else None):
            return True
        refused = ", ".join(headers) if headers else None
        if refused not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(refused)
            if refused is None:
                _logger.warning("a client without an Origin was refused: add None to origins= to let programs in")
            else:
                how = "name it in origins= (on the command line: --origin) to let it in"
                _logger.warning("a page of the origin %.200r was refused: %s", refused, how)
        return False

    def _is_admitted(self, origin: str | None) -> bool:
        if self._admitted is not None:
            return origin in self._admitted or (origin is not None and "*" in self._admitted)
        if origin is None or not self.is_local:
            return True
        try:
            host = host_of(urlsplit(origin))
            return host != "" and (host == self._public_host or is_loopback(origin))
        except ValueError:
            return False


def _check(option: str, value: object, good: bool, kind: str) -> None:
    """Raise a `ConfigError` that names the option, unless its value is good."""
    if not good:
        raise ConfigError(f"{option} must be {kind}, not {value!r}", option=option)


def check_count(option: str, value: object) -> None:
    """Check an option that is a maximum."""
    _check(option, value, type(value) is int and value >= 1, "a whole number from 1")


def check_seconds(option: str, value: object) -> None:
    """Check an option that is a time limit."""
    _check(option, value, type(value) in (int, float) and value > 0, "a positive number of seconds")  # type: ignore[operator]


def _checked(origins: Sequence[str | None]) -> tuple[str | None, ...]:
    if isinstance(origins, str):
        raise ConfigError(f"origins is a list of texts, as [{origins!r}], not one text", option="origins")
    for origin in origins:
        if origin is not None and (not isinstance(origin, str) or _ORIGIN.fullmatch(origin) is None):
            raise ConfigError(
                f"origins: no page has the origin {origin!r}: browsers send 'https://app.example' or, with a port, "
                "'https://app.example:8443', in lower case and without a path, or 'null'; '*' is any page, None none",
                option="origins",
            )
    return tuple(origins)
