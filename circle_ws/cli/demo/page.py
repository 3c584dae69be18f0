"""The demo's web page: the HTTP server of its files, to which the page reports, and what the report must hold."""

import asyncio
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...auth.crypto_utils import format_public_key
from ...errors import InvalidKey, ProtocolError
from ...jsonrpc.codec import decode

__all__ = ["Report", "Site", "judge", "serving"]

MAX_REPORT_BYTES = 1024 * 1024

Report = dict[str, Any]
"""What the page saw: statuses, results, errors. Whether that is right is decided by `judge`."""


class Site:
    """The origin of the page: an HTTP server on loopback.

    Args:
        page: The folder that is served at `/`.
        bundle: The folder that is served at `/bundle/`.
        port: 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, page: Path, bundle: Path, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self.page, self.bundle = page, bundle
        self.report: asyncio.Future[dict[str, Any]] = loop.create_future()
        """The page's report, once it has come."""
        self._loop = loop
        self.policy_addition = _cdn_origin(bundle)
        """Where the page loads Pyodide from, when that is not here; its content security policy must allow it."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.site = self

    @property
    def origin(self) -> str:
        """The URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def hosts(self) -> list[list[str]]:
        """The values of the header `Host` that are accepted."""
        port = self._server.server_port
        names = ("127.0.0.1", "localhost")
        # Port 80 goes without saying.
        return [[f"{name}:{port}"] for name in names] + [[name] for name in names if port == 80]

    def serve(self) -> None:
        """Serve until `close()`; for a thread."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop serving; blocks until it has."""
        self._server.shutdown()
        self._server.server_close()

    def take(self, report: dict[str, Any]) -> None:
        """Set the page's report; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._settle, report)

    def _settle(self, report: dict[str, Any]) -> None:
        if not self.report.done():
            self.report.set_result(report)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[None]:
    """Serve from a thread for the length of a block."""
    thread = threading.Thread(target=site.serve, name="circle-ws demo page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        site.close()
        thread.join()


def _cdn_origin(bundle: Path) -> str | None:
    parts = urlsplit(json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["index_url"])
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def _size(header: str | None) -> int | None:
    """Return the value of a header `Content-Length`; None when it is no number, or missing."""
    return int(header) if header is not None and re.fullmatch("[0-9]{1,9}", header) else None


def _report(body: bytes) -> dict[str, Any] | None:
    """Return the report in a request's body; None when it is no JSON object."""
    try:
        report = decode(body.decode())
    except (ProtocolError, UnicodeDecodeError):
        return None
    return report if type(report) is dict else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore lost connections: every browser hangs up when it ends."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    # Said here because a machine's own table may lack them, and browsers insist on some.
    extensions_map = {
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".py": "text/x-python; charset=utf-8",
        ".wasm": "application/wasm",
        ".zip": "application/zip",
    }

    @property
    def site(self) -> Site:
        assert isinstance(self.server, _Server)
        return self.server.site

    def translate_path(self, path: str) -> str:
        in_bundle = path.startswith("/bundle/")
        self.directory = str(self.site.bundle if in_bundle else self.site.page)
        return super().translate_path(path.removeprefix("/bundle") if in_bundle else path)

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        # No other page may frame this one. As a header, since browsers ignore this directive in a page's own policy.
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        super().end_headers()

    def parse_request(self) -> bool:
        """Read a request, and refuse one whose `Host` is not ours.

        Otherwise a foreign name that resolves to this machine would share this origin (DNS rebinding).
        """
        if not super().parse_request():
            return False
        if self.headers.get_all("Host") not in self.site.hosts:
            self.close_connection = True
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return False
        return True

    def send_head(self) -> Any:
        """Open a file; a name that no file can have (NUL, half a character, no URL) is not found."""
        try:
            return super().send_head()
        except ValueError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None

    def do_GET(self) -> None:
        """Serve a file; the page itself with a policy that lets Pyodide come from where the bundle says."""
        if self.site.policy_addition is None or self.path.partition("?")[0] not in ("/", "/index.html"):
            super().do_GET()
            return
        text = (self.site.page / "index.html").read_text(encoding="utf-8")
        for directive in ("script-src", "connect-src"):
            text = text.replace(f"{directive} 'self'", f"{directive} 'self' {self.site.policy_addition}")
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.extensions_map[".html"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Accept the page's report, from this origin only."""
        # A body that is left unread would be parsed as the next request.
        self.close_connection = True
        size = _size(self.headers.get("Content-Length"))
        if self.path != "/report" or self.headers.get("Origin") != self.site.origin or (size or 0) > MAX_REPORT_BYTES:
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        report = None if size is None else _report(self.rfile.read(size))
        if report is None:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.close_connection = False
        self.site.take(report)
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the story is on the terminal."""


def judge(report: Report) -> Iterator[tuple[bool, str]]:
    """Yield each expectation of the page: whether it was met, and its description."""
    for words, holds in _CHECKS:
        try:
            good = holds(report)
        except (InvalidKey, LookupError, TypeError, ValueError, AttributeError):
            good = False
        yield good, words.format_map(_Shown(report))


class _Shown(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "nothing"


def _same_key(told: Report) -> bool:
    return bool(format_public_key(told["public_key"], compressed=True) == told["whoami"]["pubkey"])


def _reconnected(told: Report) -> bool:
    statuses = told["statuses"]
    after = statuses[statuses.index("waiting") :]
    return "connected" in statuses[: statuses.index("waiting")] and after[-3:] == [
        "connecting",
        "authenticating",
        "connected",
    ]


_CHECKS: tuple[tuple[str, Callable[[Report], bool]], ...] = (
    ("signed in with its own key", _same_key),
    ('play("40 + 2") gave {play!r}', lambda told: told["play"] == "42"),
    ("echo gave back {echo!r}", lambda told: told["echo"] == {"value": ["é", None, 1.5]}),
    ("a notification came in: {tick!r}", lambda told: told["tick"]["n"] > 0),
    ("the circle dropped it: {lost}", lambda told: told["lost"].startswith("OutcomeUnknown")),
    ("it reconnected and signed in again", _reconnected),
    ("a call made meanwhile was answered: {after!r}", lambda told: told["after"] == "42"),
    ("no errors and no violations of its content security policy: {faults!r}", lambda told: told["faults"] == []),
)
