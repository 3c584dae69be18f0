"""What runs of this repository have beyond those of any project: its tests, vectors, peers and a wallet."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from circle_ws.bundle import npm
from circle_ws.bundle.builder import BROWSER_PACKAGES
from circle_ws.testing.pyodide.archive import tar
from circle_ws.testing.pyodide.run import Run, environ
from tests.peers import PeerError, PeerHost
from tools import CHECKOUT

__all__ = ["smoke", "suite"]

_PAGE = Path(__file__).parent / "page"
_NOT_SENT = {"harness", "native", "example", "hosts", "site"}
"""The folders of tests that run natively only."""

# What the page's wallet signs with (page/wallet.mjs): an implementation that is not ours.
_NPM = {"@noble/secp256k1": "3.2.0", "@noble/hashes": "2.4.0"}


def smoke(runtime: str, bundle: Path) -> Run:
    """Return a run without tests: circle-ws loads, with what it needs and nothing else."""
    expected = sorted({"circle-ws", *BROWSER_PACKAGES})
    program = _PAGE / "smoke.py"
    return Run(runtime, bundle, [], {}, environ(runtime), program=program, packages=["circle-ws"], expected=expected)


def suite(
    runtime: str, bundle: Path, arguments: list[str], host: PeerHost, *, added: list[Path], **options: Any
) -> Run:
    """Return a run of the suite, with `added` files of the checkout, against peers on the host."""
    archives = {"suite": lambda: _suite(added)}
    settings = environ(runtime, "CIRCLE_WS_PART")
    if vectors := os.environ.get("CIRCLE_WS_VECTORS"):
        archives["vectors"] = lambda: tar(Path(vectors), _files(Path(vectors)))
        settings["CIRCLE_WS_VECTORS"] = "/home/pyodide/vectors"
    routes: list[web.AbstractRouteDef] = [web.post("/peers", _answer(host))]
    scripts = []
    if runtime != "node":
        routes += [web.static(f"/npm/{name}", npm.package(name, version)) for name, version in _NPM.items()]
        routes += [web.static("/ours", _PAGE), web.static("/wasm", CHECKOUT / "tests" / "wasm")]
        scripts += ["/ours/wallets.mjs", "/wasm/page.js"]
    return Run(runtime, bundle, arguments, archives, settings, routes=routes, scripts=scripts, **options)


def _answer(host: PeerHost) -> Any:
    """Return the handler of the page's orders for the peers."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        try:
            value = await asyncio.wrap_future(host.call(asked["op"], **asked["arguments"]))
        except PeerError as error:
            return web.json_response({"error": str(error)})
        return web.json_response({"value": value})

    return answer


def _suite(added: list[Path]) -> bytes:
    """Return a tar of the tests, of `added` and of pyproject.toml, which configures pytest and coverage."""
    tests = CHECKOUT / "tests"
    files = [
        path
        for path in _files(tests)
        if path.relative_to(tests).parts[0] not in _NOT_SENT and "__pycache__" not in path.parts
    ]
    return tar(CHECKOUT, [CHECKOUT / "pyproject.toml", *files, *added])


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
