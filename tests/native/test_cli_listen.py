"""Proves `listen`: what it shows in a pipe and on a terminal, over reconnects, with slow readers, and how it ends."""

import asyncio
import fcntl
import io
import json
import os
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from rich.console import Console

from circle_ws import CallTimeout, ConnectionLost, ConnectionStatus, Gap, Notification, StatusChange
from circle_ws.auth import generate_private_key
from circle_ws.cli.lines import JsonLines, Lines
from circle_ws.cli.listen import _show_all
from circle_ws.cli.output import ExitCode
from circle_ws.cli.table import INTERVAL, MAX_ROWS, MAX_SHOWN, OTHERS, LiveTable
from circle_ws.server import CircleServer
from tests.native.command_line import circle_in_thread, environ, invoke, start
from tests.native.terminal import on_terminal
from tests.support.limits import PATIENCE

SIGNED = {"CIRCLE_WS_PRIVATE_KEY": generate_private_key()}
NASTY = "\x1b[2J\x9b31m\u202eevil"
S = ConnectionStatus


@pytest.fixture(scope="module")
def circle() -> Iterator[CircleServer]:
    with circle_in_thread() as running:
        yield running


def changed(status: ConnectionStatus, at: float, **more: object) -> StatusChange:
    return StatusChange(status, S.CONNECTING, at, **more)  # type: ignore[arg-type]


def test_notifications_are_json_lines_in_a_pipe(circle: CircleServer) -> None:
    """Those asked for by a call after the sign-in; it ends after as many as were asked for."""
    done = invoke("listen", circle.url, "tick", "--setup", "tick [3]", "--count", "3", env=SIGNED)
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(it["type"], it["method"]) for it in lines] == [("notification", "tick")] * 3
    assert {"n": 0} in [it["params"] for it in lines]
    assert all(abs(it["at"] - time.time()) < PATIENCE for it in lines)
    assert done.stderr == f"connected to {circle.url}\n"


@pytest.mark.parametrize("methods", [[], ["tick", "news"], ["tick", "tick"]])
def test_several_methods_or_all(circle: CircleServer, methods: list[str]) -> None:
    done = invoke("listen", circle.url, *methods, "--setup", "tick [2]", "--count", "2", env=SIGNED)
    assert [json.loads(line)["method"] for line in done.stdout.splitlines()] == ["tick", "tick"]


def test_with_json_everything_is_a_line(circle: CircleServer) -> None:
    done = invoke("listen", circle.url, "tick", "--setup", "tick", "--count", "1", "--json", env=SIGNED)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it.get("status") for it in lines] == ["connecting", "authenticating", "connected", None]
    assert [it["type"] for it in lines] == ["status"] * 3 + ["notification"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--setup", "tick {"], ExitCode.USAGE, "PARAMS is no JSON"),
        (["--setup", "tick -"], ExitCode.USAGE, "not from stdin"),
        (["--count", "0"], ExitCode.USAGE, "--count"),
        (["--setup", "absent"], ExitCode.CONNECTION, "absent"),
    ],
)
def test_what_cannot_work_is_said(circle: CircleServer, arguments: list[str], code: ExitCode, words: str) -> None:
    done = invoke("listen", circle.url, "tick", *arguments, env={**SIGNED, "COLUMNS": "200"})
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr


def test_it_survives_a_reconnect_and_says_so() -> None:
    """It listens again, its setup has run again, and stderr tells how long there was no connection."""
    with circle_in_thread() as circle:
        arguments = ["listen", circle.url, "tick", "--setup", "tick [1]", "--gaps"]
        process = start(*arguments, env=environ(**SIGNED))
        assert process.stdout and process.stderr
        assert json.loads(process.stdout.readline())["method"] == "tick"
        assert process.stderr.readline() == f"connected to {circle.url}\n"
        for connection in circle.connections:
            connection.abort()
        assert process.stderr.readline().startswith("not connected, next attempt in ")
        gap, status = sorted([process.stderr.readline(), process.stderr.readline()], reverse=True)
        assert gap.startswith("notifications may be missing here: there was no connection for ")
        assert status.startswith("connected again after ")
        while json.loads(process.stdout.readline())["params"] != {"n": 0}:
            pass
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (ExitCode.INTERRUPTED, "")


def test_a_reader_that_does_not_read_does_not_keep_it_from_ending(circle: CircleServer) -> None:
    """Ctrl-C ends it at once, while the pipe is full."""
    arguments = ["listen", circle.url, "tick", *["--setup", "tick [1000]"] * 3]
    process = start(*arguments, env=environ(**SIGNED))
    assert process.stdout
    full = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ) - select.PIPE_BUF
    waiting, end = 0, time.monotonic() + PATIENCE
    while waiting < full:
        assert time.monotonic() < end
        time.sleep(0.02)
        waiting = struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4))[0]
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE)
    process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED


def test_a_reader_that_has_gone_ends_it(circle: CircleServer) -> None:
    """As in `| head -1`."""
    process = start("listen", circle.url, "tick", "--setup", "tick [3]", env=environ(**SIGNED))
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == ExitCode.BROKEN_PIPE
    assert process.stderr.read() == f"connected to {circle.url}\n"
    process.stderr.close()


class Shown:
    """A view that keeps what it is given."""

    interval: float | None = None

    def __init__(self) -> None:
        self.told: list[object] = []

    def add(self, method: str, params: object) -> None:
        self.told.append((method, params))

    def gap(self, gap: Gap) -> None:
        self.told.append(gap)

    def status(self, change: StatusChange) -> None: ...

    async def flush(self) -> None: ...


@pytest.mark.parametrize("gaps", [False, True])
async def test_what_was_dropped_is_always_said(gaps: bool) -> None:
    """A time without a connection in which nothing need be missing only if it is asked for; it ends in mid-batch."""

    class Listening:
        async def batch(self) -> list[object]:
            return [Gap(2, 0.0), Notification("a", 1), Gap(0, 3.0), Notification("b", 2), *[Notification("a", 3)] * 9]

    view, listening = Shown(), cast("Any", Listening())
    await _show_all(listening, view, None, frozenset({"a"}), 2, gaps=gaps)
    assert view.told == [Gap(2, 0.0), ("a", 1), *([Gap(0, 3.0)] if gaps else []), ("a", 3)]


async def test_a_time_out_of_the_client_is_not_time_to_redraw() -> None:
    """It ends the command, as every other failure of the client does."""

    class Listening:
        async def batch(self) -> list[object]:
            raise CallTimeout("the client gave up")

    with pytest.raises(CallTimeout):
        await _show_all(cast("Any", Listening()), Shown(), None, frozenset(), None, gaps=False)


def test_without_a_key_it_says_so(circle: CircleServer) -> None:
    """Such a client may wait for ever."""
    process = start("listen", circle.url)
    assert process.stderr
    assert process.stderr.readline() == f"connected to {circle.url} (not signed in)\n"
    process.kill()
    process.communicate()


async def test_a_slow_reader_holds_up_nothing_but_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on while a pipe is full, and no line is lost or torn."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        lines = Lines("ws://circle.example/")
        for number in range(3000):
            lines.add("tick", {"n": number, "text": "é" * 20})
        flushing = asyncio.create_task(lines.flush())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not flushing.done()
        told = b""
        while not flushing.done():
            told += await asyncio.to_thread(os.read, reading, 50_000)
        await flushing
        monkeypatch.undo()
    while part := os.read(reading, 100_000):
        told += part
    os.close(reading)
    assert [json.loads(line)["params"]["n"] for line in told.splitlines()] == list(range(3000))


async def test_events_are_sentences_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    """How long it was down counts from the first failure; what a peer says is escaped."""
    view = Lines("ws://circle.example/")
    view.status(changed(S.CONNECTING, 0.0))
    view.status(changed(S.CONNECTED, 1.0))
    view.status(changed(S.WAITING, 5.0, retry_in=1.25, cause=ConnectionLost(NASTY)))
    view.status(changed(S.WAITING, 7.0, retry_in=2.0, cause=None))
    view.status(changed(S.CONNECTED, 9.5))
    view.gap(Gap(3, 4.5))
    view.gap(Gap(2, 0.0))
    await view.flush()
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        (
            "connected to ws://circle.example/\n"
            "not connected, next attempt in 1.2 s: \\u001b[2J\\u009b31m\\u202eevil\n"
            "not connected, next attempt in 2.0 s\n"
            "connected again after 4.5 s\n"
            "notifications may be missing here: 3 were dropped, because the output is read too slowly; "
            "there was no connection for 4.5 s\n"
            "notifications may be missing here: 2 were dropped, because the output is read too slowly\n"
        ),
    )


async def test_events_are_lines_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonLines("ws://circle.example/")
    view.add(NASTY, [NASTY])
    view.status(changed(S.WAITING, 5.0, attempt=2, retry_in=1.25, cause=ConnectionLost(NASTY)))
    view.gap(Gap(3, 4.5))
    await view.flush()
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told
    notification, status, gap = map(json.loads, told.splitlines())
    assert (notification["method"], notification["params"]) == (NASTY, [NASTY])
    assert (status["type"], status["status"], status["attempt"], status["retry_in"]) == ("status", "waiting", 2, 1.25)
    assert (gap["type"], gap["dropped"], gap["downtime"]) == ("gap", 3, 4.5)


def drawn(view: LiveTable, stream: io.StringIO) -> str:
    """Return what the table writes by its end."""
    with view:
        pass
    return stream.getvalue()


def test_the_table_counts_and_measures() -> None:
    now = 100.0
    stream = io.StringIO()
    view = LiveTable(Console(file=stream, width=100), "ws://circle.example/", ["tick", "news"], clock=lambda: now)
    view.status(changed(S.CONNECTED, 1.0))
    with view:
        for number in range(20):
            view.add("tick", {"n": number})
        now += 2.0
    told = stream.getvalue().split("connected")[-1]
    assert "ws://circle.example/  10.0 a second  20 in all" in told
    assert [cell.strip() for cell in told.split("tick")[1].split("\n")[0].split("│")][1:5] == [
        *("20", "10.0", "0 s"),
        '{"n": 19}',
    ]
    assert " news " in told


def test_the_table_tells_what_was_dropped() -> None:
    """Once where it happened, and in all."""
    stream = io.StringIO()
    view = LiveTable(Console(file=stream, width=120), "ws://circle.example/", ["tick"])
    view.gap(Gap(3, 0.0))
    view.gap(Gap(4, 0.0))
    told = drawn(view, stream)
    assert "3 were dropped" in told and "4 were dropped" in told
    assert "0 in all  7 dropped" in told


async def test_the_table_is_drawn_a_few_times_a_second_at_most() -> None:
    """However fast notifications come."""
    now = 0.0
    stream = io.StringIO()
    view = LiveTable(Console(file=stream, width=100, force_terminal=True), "ws://c/", [], clock=lambda: now)
    with view:
        for number in range(1000):
            now += 0.001
            view.add("tick", {"n": number})
            await view.flush()
    # The first, the last, and one in each interval.
    assert stream.getvalue().count(" in all") <= 2 + 1.0 / INTERVAL


def test_the_table_is_bounded_and_what_it_shows_harmless() -> None:
    """Many methods share a row; large params are cut and not kept; no text commands the terminal."""
    stream = io.StringIO()
    view = LiveTable(Console(file=stream, width=2000), f"ws://c/{NASTY}", [])
    view.status(changed(S.WAITING, 1.0, cause=ConnectionLost(NASTY)))
    for number in range(MAX_ROWS + 50):
        view.add(f"{NASTY}{number}", {"text": NASTY * 1000, "deep": [[[]]]})
    told = drawn(view, stream)
    assert f" {OTHERS} " in told
    assert told.count("evil") > MAX_ROWS
    assert max(map(len, told.splitlines())) <= 2000
    assert all(one.isprintable() or one == "\n" for one in told)
    assert max(cell.count("evil") for cell in told.split("│")) < MAX_SHOWN


def test_on_a_terminal_it_is_a_live_table(circle: CircleServer) -> None:
    """With a row for each method; Ctrl-C leaves the last table and gives the cursor back."""
    with on_terminal("listen", circle.url, "tick", "news", "--setup", "tick [3]", env=SIGNED) as terminal:
        terminal.read_until('{"n": ')
        assert "connected" in terminal.text
        assert "news" in terminal.text
        terminal.process.send_signal(signal.SIGINT)
        told = terminal.read_to_the_end()
    assert terminal.process.returncode == ExitCode.INTERRUPTED
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    assert "Traceback" not in told
