"""The HTTP server of the demo's page: static files from two folders, and one place where the page reports."""

import asyncio
import json
import re
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import ProtocolError
from ...jsonrpc.codec import decode

__all__ = ["Site", "serving"]

MAX_REPORT_BYTES = 1024 * 1024


class Site:
    """Be the page's origin.

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
        """What the page tells of itself, once it does."""
        self._loop = loop
        self.policy_addition = _cdn_origin(bundle)
        """Where the page loads Pyodide from, when that is not here; its content security policy must allow it."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.site = self

    @property
    def origin(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def hosts(self) -> list[list[str]]:
        """The headers `Host` that are meant for it."""
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
        """Take the page's report, in whatever thread."""
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
    """Read the header `Content-Length`; None when it is no number, or not there."""
    return int(header) if header is not None and re.fullmatch("[0-9]{1,9}", header) else None


def _report(body: bytes) -> dict[str, Any] | None:
    """Read a report; None when it is none."""
    try:
        report = decode(body.decode())
    except (ProtocolError, UnicodeDecodeError):
        return None
    return report if type(report) is dict else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a browser hangs up, as each does when it ends."""
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
        # Nobody's page may show this one in a frame; in a page's own policy browsers ignore this.
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        super().end_headers()

    def parse_request(self) -> bool:
        """Read a request; one that was meant for another host is refused.

        A name of somebody else's that points to this machine would make this the origin of that one's page (DNS
        rebinding).
        """
        if not super().parse_request():
            return False
        if self.headers.get_all("Host") not in self.site.hosts:
            self.close_connection = True
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return False
        return True

    def send_head(self) -> Any:
        """Open a file; no file has NUL in its name, or half a character, or a name that is no URL."""
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
        """Take the page's report, from the page and nobody else."""
        # What the body holds that is not read here would be taken for the next request.
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
        """Say nothing: the terminal belongs to the story."""
