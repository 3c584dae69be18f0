"""The chapter docs/guide/pages.md: its blocks by the names of their files, and a site of them and a bundle."""

import base64
import functools
import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHAPTER = (Path(__file__).parents[2] / "docs" / "guide" / "pages.md").read_text(encoding="utf-8")
POLICY = "Content-Security-Policy"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript",
    ".py": "text/x-python",
    ".wasm": "application/wasm",
}
_PAGE = "page.html"
"""What an example has that shows no page of its own."""


@functools.cache
def blocks() -> dict[str, str]:
    """Return the blocks of the chapter that have a file's name."""
    return dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', CHAPTER, re.MULTILINE | re.DOTALL))


def folders() -> set[str]:
    """Return the folders of the files; that of the first page is the empty text."""
    return {name.rpartition("/")[0] for name in blocks() if name != POLICY}


class Site(ThreadingHTTPServer):
    """A static server as the chapter asks for one, and an index of packages.

    Args:
        bundle: The folder that is served at `/circle/`.
        circle: The URL that stands in place of the chapter's.
    """

    daemon_threads = True

    def __init__(self, bundle: Path, circle: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bundle = bundle
        self.asked: list[str] = []
        self.tokens = 0
        self.changed: dict[str, str] = {}
        """Files that are served in place of the chapter's."""
        self._circle = circle.rstrip("/")
        self._wheels = {path.name.partition("-")[0]: path.name for path in bundle.glob("*.whl")}
        self.origin = f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Site"]:
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="chapter")
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()

    def localised(self, text: str) -> str:
        """Return a text of the chapter with the addresses, and the versions of wheels, that are real here."""
        text = text.replace("ws://localhost:8765", self._circle).replace("wss://circle.example", self._circle)
        text = text.replace("https://packages.example", self.origin)
        return re.sub(r"(\w+)-[\d.]+-[\w.]+-none-any\.whl", lambda found: self._wheels[found[1]], text)

    def policy(self) -> str:
        """Return the chapter's policy; it lets the first page's own script in by its hash, as the chapter says."""
        inside = re.findall(r"<script[^>]*>(.+?)</script>", self.localised(blocks()["index.html"]), re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(it.encode()).digest()).decode() for it in inside]
        own = "".join(f" 'sha256-{it}'" for it in hashes)
        return self.localised(blocks()[POLICY].strip()).replace("script-src 'self'", f"script-src 'self'{own}")

    def answer(self, path: str) -> bytes | None:
        """Return what is served at a path, if anything."""
        if path.startswith("circle/"):
            file = self.bundle / path.removeprefix("circle/")
            return file.read_bytes() if file.is_file() else None
        if path.startswith("simple/"):
            return self._project(path.split("/")[1])
        if path == "token":
            self.tokens += 1
            return str(self.tokens).encode()
        if path == "favicon.ico":
            return b""
        name = f"{path}index.html" if path in ("", *(f"{it}/" for it in folders())) else path
        text = self.changed.get(name, blocks().get(name))
        if text is None and name.endswith("/index.html"):
            folder = name.removesuffix("/index.html")
            text = blocks()[_PAGE]
            if f"{folder}/main.mjs" not in blocks():
                text = text.replace("main.mjs", "../start.mjs")
        return None if text is None else self.localised(text).encode()

    def _project(self, name: str) -> bytes | None:
        """Return the page of a project, as a package index has it (PEP 503)."""
        file = self._wheels.get(name.replace("-", "_"))
        if file is None:
            return None
        digest = hashlib.sha256((self.bundle / file).read_bytes()).hexdigest()
        return f'<!doctype html><a href="../../circle/{file}#sha256={digest}">{file}</a>'.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/")
        self.server.asked.append(path)
        body = self.server.answer(path)
        kind = "text/html" if path.endswith("/") else _TYPES.get(Path(path).suffix, "application/octet-stream")
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8" if path == "" else kind)
        self.send_header("Content-Security-Policy", self.server.policy())
        lasting = path.startswith("circle/")
        self.send_header("Cache-Control", "public, max-age=31536000, immutable" if lasting else "no-cache")
        if lasting and path.endswith((".mjs", ".wasm", ".json")):
            body = _compressed(body or b"")
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@functools.cache
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 1)
