"""Use an installed circle-ws as a new program does: `python -I smoke.py VERSION [EXTRA]`.

It imports nothing of this checkout. Without an extra the package itself works, and what needs one says which.
"""

import asyncio
import importlib.metadata
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import circle_ws
import circle_ws.sync
from circle_ws.server import CircleServer

__all__ = ["EXTRAS"]

_KEY = "11" * 32


async def _talk() -> None:
    """Sign in to a circle of the package and call it, with the async client and with the blocking one."""
    server = CircleServer(play=str.upper)
    async with server:
        async with circle_ws.connect(server.url, private_key=_KEY) as client:
            assert await client.play("async") == "ASYNC"
        assert await asyncio.to_thread(_block, server.url) == "BLOCKING"


def _block(url: str) -> str:
    with circle_ws.sync.connect(url, private_key=_KEY) as client:
        return client.play("blocking")


def _bare() -> None:
    done = subprocess.run(_command("--version"), capture_output=True, text=True)
    if find_spec("typer") is None:
        assert done.returncode == 1
        assert "pip install 'circle-ws[cli]'" in done.stderr, done.stderr


def _cli() -> None:
    done = subprocess.run(_command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout == f"{circle_ws.__version__}\n", done.stdout
    done = subprocess.run(_command("keygen", "--json"), capture_output=True, text=True, check=True)
    assert "public_key" in done.stdout, done.stdout


def _command(*arguments: str) -> list[str]:
    return [str(Path(sysconfig.get_path("scripts")) / "circle-ws"), *arguments]


def _otel() -> None:
    from circle_ws.contrib.opentelemetry import instrument

    instrument(circle_ws.CircleWsClientBuilder("ws://localhost:1")).build()


def _keyfile() -> None:
    key = circle_ws.KeyPair.from_hex(_KEY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.pem"
        key.to_file(path, "correct horse")
        assert circle_ws.KeyPair.from_file(path, "correct horse").public_key == key.public_key


def _socks() -> None:
    async def dial() -> None:
        builder = circle_ws.CircleWsClientBuilder("ws://circle.example").with_proxy("socks5://127.0.0.1:1")
        try:
            await builder.build().connect()
        except circle_ws.ConnectionFailed as error:
            assert "127.0.0.1" in str(error) or "proxy" in str(error), error

    asyncio.run(dial())


def _testing() -> None:
    import circle_ws.testing.pyodide.launch
    import circle_ws.testing.pytest_plugin  # noqa: F401
    from circle_ws.testing import Circle

    async def call() -> None:
        circle = Circle()
        circle.method("add")(lambda a, b: a + b)
        async with circle.connect() as client:
            assert await client.call("add", [1, 2]) == 3

    asyncio.run(call())


EXTRAS: dict[str, Callable[[], None]] = {
    "": _bare,
    "cli": _cli,
    "otel": _otel,
    "keyfile": _keyfile,
    "socks": _socks,
    "testing": _testing,
}


def main() -> None:
    """Check the version, talk to a circle, and use what the extra adds."""
    version, extra = sys.argv[1], "".join(sys.argv[2:])
    installed = Path(circle_ws.__file__)
    assert "site-packages" in installed.parts, f"{installed} is not installed"
    assert (installed.parent / "py.typed").exists()
    assert circle_ws.__version__ == importlib.metadata.version("circle-ws") == version
    asyncio.run(_talk())
    EXTRAS[extra]()
    print(f"circle-ws {version}{f'[{extra}]' * bool(extra)} works on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
