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

__all__ = ["Report", "Site", "judge"]

MAX_REPORT_BYTES = 1024 * 1024
CONTROLS = "/circle"
"""Where the page learns that there are actions on the circle, and below it, posts to them."""
WORKER = "/worker.mjs"
"""The script of the page's worker."""

Report = dict[str, Any]
"""What the page saw: statuses, results, errors. Whether that is right is decided by `judge`."""


class Site(ThreadingHTTPServer):
    """The origin of the page: an HTTP server on loopback.

    Args:
        page: The folder that is served at `/`.
        bundle: The folder that is served at `/bundle/`.
        port: 0 takes a free one.
        perform: Begins an action of the circle's by name, from any thread, and returns whether there is such a one;
            the page posts to `/circle/NAME` for it. None: there is nothing of that kind.

    Raises:
        OSError: The port is taken.
    """

    daemon_threads = True

    def __init__(
        self, page: Path, bundle: Path, port: int = 0, *, perform: Callable[[str], bool] | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.page: Path = page
        self.bundle: Path = bundle
        self.perform = perform
        self._loop = asyncio.get_running_loop()
        self.report: asyncio.Future[Report] = self._loop.create_future()
        """The page's report, once it has come."""
        self.origin: str = f"http://127.0.0.1:{self.server_port}"
        """The URL, without a slash at the end."""
        hosts = {"127.0.0.1", "localhost"}
        self.hosts: set[str] = {f"{host}:{self.server_port}" for host in hosts}
        self.hosts |= hosts if self.server_port == 80 else set()
        """The values of the header `Host` that are accepted; browsers leave out port 80."""
        pyodide = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["cdn"]
        self.cdn: str | None = f"https://{urlsplit(pyodide).netloc}" if pyodide else None
        """Where the page loads Pyodide from, when that is not here; its content security policy must allow it."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve from a thread for the length of a block."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()
            thread.join()

    def index(self) -> str:
        """Return the page, with a policy that lets Pyodide come from where the bundle says."""
        text = (self.page / "index.html").read_text(encoding="utf-8")
        if self.cdn is not None:
            for directive in ("script-src", "connect-src"):
                text = text.replace(f"{directive} 'self'", f"{directive} 'self' {self.cdn}")
        return text

    def take(self, report: Report) -> None:
        """Set the page's report, unless there is one; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._settle, report)

    def _settle(self, report: Report) -> None:
        if not self.report.done():
            self.report.set_result(report)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore lost connections: every browser hangs up when it ends."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    # Said here because a machine's own table may lack them or say otherwise, and browsers insist on them.
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    @property
    def site(self) -> Site:
        assert isinstance(self.server, Site)
        return self.server

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
        if getattr(self, "path", "").partition("?")[0] == WORKER:
            # A worker has the policy that its script came with, and not the page's.
            self.send_header("Content-Security-Policy", _policy(self.site.index()))
        super().end_headers()

    def parse_request(self) -> bool:
        """Read a request, and refuse one whose `Host` is not ours.

        Otherwise a foreign name that resolves to this machine would share this origin (DNS rebinding).
        """
        if not super().parse_request():
            return False
        if self.headers["Host"] not in self.site.hosts:
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
        if self.path == CONTROLS and self.site.perform is not None:
            self._answer("application/json", b"{}")
            return
        if self.path.partition("?")[0] not in ("/", "/index.html"):
            super().do_GET()
            return
        self._answer("text/html", self.site.index().encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Accept the page's report, or an action on the circle, from this origin only."""
        # A body that is left unread would be parsed as the next request.
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        is_control = self.path.startswith(f"{CONTROLS}/")
        if not (is_control or self.path == "/report") or self.headers["Origin"] != self.site.origin:
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        if is_control:
            self._perform(self.path.removeprefix(f"{CONTROLS}/"))
            return
        try:
            if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MAX_REPORT_BYTES:
                raise ValueError
            report = decode(self.rfile.read(int(length)).decode())
            if not isinstance(report, dict):
                raise TypeError
        except (ValueError, TypeError, ProtocolError):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.close_connection = False
        self.site.take(report)
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def _perform(self, name: str) -> None:
        if self.site.perform is None or not self.site.perform(name):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the story is on the terminal."""


def _policy(page: str) -> str:
    """Return the content security policy of a page's `meta` element, on one line."""
    found = re.search(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', page)
    return " ".join(found[1].split()) if found else "default-src 'none'"


def judge(report: Report) -> Iterator[tuple[bool, str]]:
    """Yield each expectation of the page: whether it was met, and its description."""
    for words, name, holds in _CHECKS:
        try:
            good = holds(report)
        except (InvalidKey, LookupError, TypeError, ValueError, AttributeError):
            good = False
        yield good, f"{words} {report.get(name, 'nothing')!r}" if name else words


def _same_key(told: Report) -> bool:
    return bool(format_public_key(told["public_key"], compressed=True) == told["whoami"]["pubkey"])


def _reconnected(told: Report) -> bool:
    before, _, after = " ".join(told["statuses"]).partition("waiting")
    return "connected" in before and after.endswith("connecting authenticating connected")


_CHECKS: tuple[tuple[str, str, Callable[[Report], bool]], ...] = (
    ("signed in with its own key", "", _same_key),
    ('play("40 + 2") gave', "play", lambda told: told["play"] == "42"),
    ("echo gave back", "echo", lambda told: told["echo"] == {"value": ["é", None, 1.5]}),
    ("a notification came in:", "tick", lambda told: told["tick"]["n"] > 0),
    ("the circle dropped it:", "lost", lambda told: told["lost"].startswith("OutcomeUnknown")),
    ("it reconnected and signed in again", "", _reconnected),
    ("a call made meanwhile was answered:", "after", lambda told: told["after"] == "42"),
    ("no errors and no violations of its content security policy:", "faults", lambda told: told["faults"] == []),
)
