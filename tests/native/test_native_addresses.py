"""A host with several addresses: which is tried when, and what becomes of the others."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from circle_ws.transport import native_addresses as addresses
from circle_ws.transport.native_addresses import find_addresses, first_of, open_socket
from tests.support.outcomes import eventually, later

V4, V6 = socket.AF_INET, socket.AF_INET6


class Attempts:
    """Attempts that end when a test says so, each with a socket of its own or with an error."""

    def __init__(self, count: int) -> None:
        self.begun: list[int] = []
        self.cancelled: list[int] = []
        self.sockets = [socket.socket() for _ in range(count)]
        self.ends = [asyncio.get_running_loop().create_future() for _ in range(count)]

    def all(self) -> list[Callable[[], Coroutine[Any, Any, socket.socket]]]:
        def attempt(number: int) -> Callable[[], Coroutine[Any, Any, socket.socket]]:
            return lambda: self._run(number)

        return [attempt(number) for number in range(len(self.ends))]

    async def _run(self, number: int) -> socket.socket:
        self.begun.append(number)
        try:
            await self.ends[number]
        except asyncio.CancelledError:
            self.cancelled.append(number)
            self.sockets[number].close()
            raise
        return self.sockets[number]

    def open(self) -> list[int]:
        return [number for number, one in enumerate(self.sockets) if one.fileno() != -1]

    def close(self) -> None:
        for one in self.sockets:
            one.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt is begun at once."""
    monkeypatch.setattr(addresses, "DELAY", 0.0)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt is begun when the one before has failed, and not before."""
    monkeypatch.setattr(addresses, "DELAY", 1000.0)


def test_a_quarter_of_a_second() -> None:
    """RFC 8305 section 8 recommends it."""
    assert addresses.DELAY == 0.25


async def test_the_first_that_answers_is_taken(at_once: None) -> None:
    """The others are cancelled before the result is there."""
    them = Attempts(3)
    result = later(first_of(them.all()))
    await eventually(lambda: them.begun == [0, 1, 2])
    them.ends[1].set_result(None)
    assert await result is them.sockets[1]
    assert them.cancelled == [0, 2] or them.cancelled == [2, 0]
    assert them.open() == [1]
    them.close()


async def test_one_that_is_still_alone_is_left_alone(never: None) -> None:
    """Nothing else is begun while the first may still answer in time."""
    them = Attempts(2)
    result = later(first_of(them.all()))
    await eventually(lambda: them.begun == [0])
    them.ends[0].set_result(None)
    assert await result is them.sockets[0]
    assert them.begun == [0]
    them.close()


async def test_the_next_begins_when_one_has_failed(never: None) -> None:
    """There is no reason to wait for its quarter of a second."""
    them = Attempts(3)
    result = later(first_of(them.all()))
    for number in range(2):
        await eventually(lambda number=number: them.begun == list(range(number + 1)))  # type: ignore[misc]
        them.ends[number].set_exception(OSError("no route"))
    await eventually(lambda: them.begun == [0, 1, 2])
    them.ends[2].set_result(None)
    assert await result is them.sockets[2]
    them.close()


async def test_one_that_fails_while_another_may_still_answer(at_once: None) -> None:
    """It is waited for, though there is none left to begin."""
    them = Attempts(2)
    result = later(first_of(them.all()))
    await eventually(lambda: them.begun == [0, 1])
    them.ends[1].set_exception(OSError("no route"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    them.ends[0].set_result(None)
    assert await result is them.sockets[0]
    them.close()


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([OSError("no route"), ConnectionRefusedError("refused"), OSError("also no route")], "refused"),
        ([OSError("first"), OSError("last")], "last"),
        ([ConnectionRefusedError("only")], "only"),
    ],
)
async def test_when_all_fail_the_most_telling_is_told(never: None, errors: list[OSError], told: str) -> None:
    """A refusal, if there was one."""
    them = Attempts(len(errors))
    for end, error in zip(them.ends, errors, strict=True):
        end.set_exception(error)
    failure = await later(first_of(them.all()))
    assert str(failure) == told
    them.close()


async def test_two_that_answer_in_the_same_turn(at_once: None) -> None:
    """One is taken, and the other is closed."""
    them = Attempts(2)
    result = later(first_of(them.all()))
    await eventually(lambda: len(them.begun) == 2)
    for end in them.ends:
        end.set_result(None)
    winner = await result
    assert isinstance(winner, socket.socket)
    assert len(them.open()) == 1
    assert winner.fileno() != -1
    them.close()


async def test_a_cancelled_one_leaves_nothing(at_once: None) -> None:
    """All of its attempts are cancelled, too."""
    them = Attempts(3)
    task = asyncio.ensure_future(first_of(them.all()))
    await eventually(lambda: len(them.begun) == 3)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert them.open() == []
    assert sorted(them.cancelled) == [0, 1, 2]


def known(monkeypatch: pytest.MonkeyPatch, *found: tuple[int, str]) -> None:
    """Resolve every name to these addresses."""

    def look_up(host: str, port: int, family: int = 0, type: int = 0, *more: Any, **options: Any) -> list[Any]:
        assert type == socket.SOCK_STREAM
        return [
            (kind, type, 6, "", (address, port) if kind == V4 else (address, port, 0, 0))
            for kind, address in found
            if family in (0, kind)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


async def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8305 section 4: the system's first family first; each address once."""
    known(monkeypatch, (V6, "::1"), (V6, "::2"), (V6, "::3"), (V4, "127.0.0.1"), (V4, "127.0.0.2"), (V6, "::1"))
    found = await find_addresses("circle.test", 80)
    assert [where[0] for _, where in found] == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]
    assert [where[0] for _, where in await find_addresses("circle.test", 80, V4)] == ["127.0.0.1", "127.0.0.2"]


async def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes a thread."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await find_addresses("127.0.0.1", 80) == [(V4, ("127.0.0.1", 80))]
    assert await find_addresses("::1", 80) == [(V6, ("::1", 80))]


async def test_an_address_family_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where IPv6 is turned off: the next address is tried at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        known(monkeypatch, (12345, "::1"), (V4, "127.0.0.1"))
        with await open_socket("circle.test", server.getsockname()[1]) as opened:
            assert opened.getpeername() == server.getsockname()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "circle..test"])
async def test_a_name_that_cannot_be_one_is_unknown(host: str) -> None:
    """Python does not ask the system for it, and says so by an error of its own."""
    with pytest.raises(socket.gaierror) as caught:
        await find_addresses(host, 80)
    assert caught.value.errno == socket.EAI_NONAME
