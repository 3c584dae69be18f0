"""What a circle looks at before a WebSocket is opened: where a page comes from, and who only asks for its health."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Response

from ..errors import ConfigError
from ..urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

__all__ = ["HEALTH", "Gate"]

_logger = logging.getLogger("circle_ws.server")

HEALTH = "/health"
"""The path that load balancers ask."""
_GOOD_HEALTH = b'{"status":"ok"}\n'
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[^\s/?#@:*\[\]A-Z]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?|file://")
"""What may be named: any page, one without an origin of its own, or `scheme://host[:port]` as browsers write it."""
_MOST_NAMED = 100
"""So many origins are logged when they are refused, each once; a page can make a browser try without end."""


class Gate:
    """What a circle answers to opening handshakes.

    Args:
        origins: The values of the header `Origin` that are let in (None: no header, `*`: any); None lets in programs,
            pages of this machine and of `public_url`'s host, where the circle is on loopback, and all elsewhere.
        public_url: Where clients dial the circle, or None.

    Raises:
        ConfigError: The origins are one text, or one is in no form that browsers send.

    Attributes:
        is_local: Whether the circle can be reached from this machine only.
    """

    def __init__(self, origins: Sequence[str | None] | None, public_url: str | None) -> None:
        self.is_local = True
        self._origins = None if origins is None else _checked(origins)
        self._public_host = None if public_url is None else _host(public_url)
        self._named: set[str | None] = set()

    def look(self, link: ServerConnection, request: Request) -> Response | None:
        """Give the HTTP response to a request that is not to become a WebSocket; None lets it in."""
        if _asks_for_health(request):
            return _health(request)
        origins = request.headers.get_all("Origin")
        if len(origins) > 1 or not self._admits(origins[0] if origins else None):
            self._log(", ".join(origins), is_none=not origins)
            return link.respond(403, "Pages of this origin are not admitted; the circle's log says how to.\n")
        return None

    def _admits(self, origin: str | None) -> bool:
        if self._origins is not None:
            return origin in self._origins or (origin is not None and "*" in self._origins)
        return origin is None or not self.is_local or self._is_near(origin)

    def _is_near(self, origin: str) -> bool:
        try:
            host = _host(origin)
            return host != "" and (host == self._public_host or is_loopback(origin))
        except ValueError:
            return False

    def _log(self, origin: str, *, is_none: bool) -> None:
        named = None if is_none else origin
        if named in self._named or len(self._named) >= _MOST_NAMED:
            return
        self._named.add(named)
        if is_none:
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
    """Give the host in the form in which it is compared; empty where there is none."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def _asks_for_health(request: Request) -> bool:
    is_one = request.method in ("GET", "HEAD") and request.path.partition("?")[0] == HEALTH
    return is_one and "Upgrade" not in request.headers


def _health(request: Request) -> Response:
    headers = Headers(
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(_GOOD_HEALTH))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
    )
    return Response(200, "OK", headers, b"" if request.method == "HEAD" else _GOOD_HEALTH)
