"""What a circle demands of its clients and offers them: the same for every connection."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from ..auth.profiles import BOUND
from ..errors import ConfigError
from ..urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import MutableSet, Sequence

    from ..jsonrpc.methods import Method

__all__ = ["DIALECTS", "PARAMS", "Admit", "Origins", "Rules", "ServedDialect", "ServedParams"]

_logger = logging.getLogger("circle_ws.server")

ServedDialect: TypeAlias = Literal["hero-0.2", "circles-1.0", "baobab"]
"""A published form that a circle can speak."""
ServedParams: TypeAlias = Literal["any", "named", "positional"]
"""The forms of params that a circle takes: an object (by name), an array (by position), or either."""
Admit: TypeAlias = Callable[[str], Awaitable[bool]]
"""An async function that decides whether a public key may sign in."""

DIALECTS: tuple[ServedDialect, ...] = get_args(ServedDialect)
PARAMS: tuple[ServedParams, ...] = get_args(ServedParams)
_REFUSED: dict[ServedParams, type] = {"named": list, "positional": dict}

_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[^\s/?#@:*\[\]A-Z]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?|file://")
"""What may be named: any page, one without an origin of its own, or `scheme://host[:port]` as browsers write it."""
_MAX_LOGGED = 100
"""Maximum number of refused origins that are logged, each once; a page can make a browser try without end."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one circle.

    Attributes:
        dialect: Which published form is spoken.
        profiles: The signature profiles that are accepted.
        audience: The circle's public URL, normalised, that a bound signature must name; None offers no bound profile.
        keys: The public keys (66 hex characters) that may sign in; None admits every key.
        nonce_lifetime: How long a nonce is valid, in seconds.
        max_batch: Maximum number of members of a batch.
        signed_bound: The keys (66 hex characters) that ever signed in bound: a legacy signature of theirs is refused,
            it may have been relayed.
        methods: The functions that answer, by the method's name.
        params: Which forms of params are taken.
        admit: Decides at each sign-in whether a key (66 hex characters) may; None admits all.
        sign_in_timeout: How long a client may stay without signing in, in seconds; None sets no limit.
        max_batch_reply_bytes: Maximum size of the replies to the open batches of one client together.
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

    @property
    def refused_params(self) -> type | None:
        """The type of params, as decoded, that is answered with -32602; None refuses neither form."""
        return _REFUSED.get(self.params)

    @property
    def legacy(self) -> tuple[str, ...]:
        """The accepted profiles that do not name the circle."""
        return tuple(name for name in self.profiles if name not in BOUND)

    @property
    def offered(self) -> list[str]:
        """The bound profiles that `fetch_nonce` offers."""
        return [name for name in BOUND if name in self.profiles] if self.audience is not None else []

    def lists(self, public_key: str) -> bool:
        """Return whether `keys` has this key (66 hex characters), or admits every key."""
        return self.keys is None or public_key in self.keys


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
        self._public_host = None if public_url is None else _host(public_url)
        self._logged: set[str | None] = set()

    def admit(self, headers: list[str]) -> bool:
        """Return whether a handshake with these `Origin` headers is admitted; the refusal of an origin is logged once.

        Args:
            headers: The values of all headers of that name: none for programs, one for pages; two are refused.
        """
        if len(headers) < 2 and self._is_admitted(headers[0] if headers else None):
            return True
        self._log(", ".join(headers) if headers else None)
        return False

    def _is_admitted(self, origin: str | None) -> bool:
        if self._admitted is not None:
            return origin in self._admitted or (origin is not None and "*" in self._admitted)
        return origin is None or not self.is_local or self._is_near(origin)

    def _is_near(self, origin: str) -> bool:
        try:
            host = _host(origin)
            return host != "" and (host == self._public_host or is_loopback(origin))
        except ValueError:
            return False

    def _log(self, origin: str | None) -> None:
        if origin in self._logged or len(self._logged) >= _MAX_LOGGED:
            return
        self._logged.add(origin)
        if origin is None:
            _logger.warning("a client without an Origin was refused: add None to origins= to let programs in")
            return
        _logger.warning(
            "a page of the origin %.200r was refused: name it in origins= (on the command line: --origin) to let it in",
            origin,
        )


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


def _host(url: str) -> str:
    """Return the host in the form in which it is compared; empty where there is none."""
    return (urlsplit(url).hostname or "").removesuffix(".")
