"""A page that has no lock file of ours installs circle-ws by micropip, from any package index."""

import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from circle_ws.bundle import compiled, programs
from tests.support.limits import PATIENCE

pytestmark = pytest.mark.harness

_PROGRAM = """
import json, sys
sys.path.insert(0, "/archives/{micropip}")
import micropip
micropip.set_index_urls(["{index}"])
await micropip.install("circle-ws", deps=True)
import circle_ws
from circle_ws.jsonrpc.codec import decode
key = circle_ws.KeyPair.from_hex("01" * 32)
installed = sorted(name for name in micropip.list() if name != "micropip")
print(json.dumps({{"installed": installed, "decoded": decode('[1, null]'), "key": key.public_key}}))
"""


class _Index(ThreadingHTTPServer):
    """An index of the wheels in a folder (PEP 691); `asked` are the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def project(self, name: str) -> bytes:
        """Return the page of a project, as an index has it, or nothing."""
        own = [path for path in self.folder.glob("*.whl") if path.name.partition("-")[0].replace("_", "-") == name]
        files = [
            {
                "filename": path.name,
                "url": f"{self.url}/{path.name}",
                "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            }
            for path in own
        ]
        described = {"meta": {"api-version": "1.0"}, "name": name, "files": files}
        return json.dumps(described).encode() if files else b""


class _Handler(BaseHTTPRequestHandler):
    server: _Index

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        is_wheel = self.path.endswith(".whl")
        name = self.path.strip("/")
        body = (self.server.folder / name).read_bytes() if is_wheel else self.server.project(name)
        self.send_response(200 if body else 404)
        kind = "application/octet-stream" if is_wheel else "application/vnd.pypi.simple.v1+json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def index(wheels: Path) -> Iterator[_Index]:
    """An index with the wheels of the bundle."""
    with _Index(wheels) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_micropip_installs_it_with_what_it_needs(wheels: Path, index: _Index, tmp_path: Path) -> None:
    """From an index on this machine alone: circle-ws, and exactly what it needs in a page, msgspec as compiled code."""
    node = programs.find("node")
    if node is None:
        pytest.skip(programs.advice("node"))
    micropip = Path(shutil.copy(next(wheels.glob("micropip-*.whl")), tmp_path))
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM.format(micropip=micropip.name, index=index.url))
    info = json.dumps(json.loads((wheels / "pyodide-lock.json").read_text())["info"])
    command = [str(it) for it in (node, compiled.RUNNER, wheels, info, program, micropip)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["installed"] == ["circle-ws", "ecdsa", "msgspec", "six"]
    assert told["decoded"] == [1, None]
    assert len(told["key"]) == 130
    assert {path.strip("/") for path in index.asked if not path.endswith(".whl")} == set(told["installed"])
    assert [path for path in index.asked if "msgspec" in path][-1].endswith("_wasm32.whl")
