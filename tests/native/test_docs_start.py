"""The first pages of the documentation do in five minutes what they say: their files run as processes of their own."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from circle_ws import KeyPair
from circle_ws.server import CircleServer
from tests.native.command_line import environ, invoke, start
from tests.native.test_docs import run

DOCS = Path(__file__).parents[2] / "docs"


def _part(page: str, fence: str) -> str:
    """Return the first block of a page that begins with this fence."""
    found = re.search(rf"^```{re.escape(fence)}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    assert found, fence
    return found[1]


@contextmanager
def _served(port: int = 0) -> Iterator[int]:
    """Run `circle-ws serve`, and end it as its user would; give its port."""
    process = start("serve", "--port", str(port))
    try:
        assert process.stdout
        found = re.search(r"ws://\S+:(\d+)", process.stdout.readline())
        assert found
        yield int(found[1])
        process.send_signal(signal.SIGINT)
    finally:
        process.communicate()


def _program(page: str, name: str, folder: Path, port: int) -> subprocess.Popen[str]:
    """Save a program of a page beside its key, and start it against the circle on this port."""
    assert _part(page, "sh") == "circle-ws keygen --out my.key\ncircle-ws serve\n"
    assert invoke("keygen", "--out", str(folder / "my.key")).exit_code == 0
    text = _part(page, f'python title="{name}"')
    assert "ws://localhost:8765" in text
    (folder / name).write_text(text.replace("localhost:8765", f"127.0.0.1:{port}"))
    command, environment = [sys.executable, name], environ(PYTHONPATH=str(DOCS.parent))
    return subprocess.Popen(
        command, text=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_the_service_goes_on_after_its_circle_was_away(tmp_path: Path) -> None:
    """It prints what the page shows, and says in the log what happened."""
    with _served() as port:
        service = _program("start/service.md", "service.py", tmp_path, port)
        assert service.stdout
        try:
            assert service.stdout.readline() == "40 + 2 is 42\n"
            assert re.fullmatch(r"tick \d+\n", service.stdout.readline())
        except BaseException:
            service.kill()
            raise
    with _served(port):
        try:
            assert re.fullmatch(r"tick \d+\n", service.stdout.readline())
            service.send_signal(signal.SIGINT)
            _, told = service.communicate()
        finally:
            service.kill()
    assert service.returncode == 0
    for line in re.findall(
        r"^(?:WARNING|INFO):.*",
        _part("start/service.md", "text") + (DOCS / "start/service.md").read_text(),
        re.MULTILINE,
    ):
        words = re.sub(r"\d+\.\d+", r"[\\d.]+", re.escape(line).replace(r"\.", "."))
        assert re.search(words.replace("localhost:8765", r"127.0.0.1:\d+"), told), told


def test_the_script_prints_what_the_page_shows(tmp_path: Path) -> None:
    """But for the number of the tick."""
    with _served() as port:
        printed, errors = _program("start/script.md", "script.py", tmp_path, port).communicate()
    assert errors == ""
    assert re.sub(r"is \d+$", "is N", printed, flags=re.MULTILINE) == re.sub(
        r"is \d+$", "is N", _part("start/script.md", "text"), flags=re.MULTILINE
    )


async def test_the_three_lines_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Against a circle that has a light."""
    lights = []
    server = CircleServer(play=lambda script: "42")

    @server.method()
    async def set_light(room: str, on: bool) -> None:
        lights.append((room, on))

    async with server:
        block = _part("index.md", 'python title="three lines"')
        await run("import circle_ws\n" + block, {"url": server.url, "key": KeyPair.generate()})
    assert lights == [("kitchen", True)]
    assert capsys.readouterr().out == "42\n"
