"""The driver of the sign-in: whose time is whose. What a circle may ask for and answer is in test_sign_in.py."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from circle_ws import Challenge, ClientConfig, ConnectionFailed, ConnectionLost, QueueFull, SignerFailed
from circle_ws.auth import PROFILES, derive_public_key, sign_message
from circle_ws.auth.flow import Ask
from circle_ws.engine.authenticator import Authenticator
from circle_ws.engine.session import Session
from circle_ws.engine.tasks import DeadlinePassed, UserTasks
from circle_ws.text import Hidden
from tests.support.clients import KEY
from tests.support.virtual import VirtualLoop
from tests.support.wire import Line

NONCE = "nonce_1234567890_abcdef"
INFINITY = float("inf")


@pytest.fixture
def loop() -> Generator[VirtualLoop]:
    """A loop whose time passes when nothing is to be done."""
    it = VirtualLoop()
    yield it
    it.close()


class Person:
    """A signer that takes `seconds` for each answer."""

    def __init__(self, seconds: float) -> None:
        self.profiles = frozenset(PROFILES)
        self._seconds = seconds

    async def public_key(self) -> str:
        await asyncio.sleep(self._seconds)
        return derive_public_key(KEY)

    async def sign(self, challenge: Challenge) -> str:
        await asyncio.sleep(self._seconds)
        return sign_message(KEY, challenge.statement, challenge.profile)


class Circle:
    """Answers each request of a sign-in on a line after `seconds`, but for a method that it is `deaf` to."""

    def __init__(self, seconds: float = 0.0, deaf: str = "") -> None:
        self.line = Line()
        self.methods: list[str] = []
        self.line.wire.on_send = self._take
        self._seconds = seconds
        self._deaf = deaf

    def _take(self, text: str) -> None:
        request = json.loads(text)
        self.methods.append(request["method"])
        result = NONCE if request["method"] == "fetch_nonce" else True
        reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
        if request["method"] != self._deaf:
            asyncio.get_running_loop().call_later(self._seconds, self.line.hand_in, reply)


def signing_in(
    deadline: float, *, circle: Callable[[], Circle] = Circle, signer: Any = None, **options: Any
) -> Coroutine[Any, Any, float]:
    """Sign in with a signer, or else a key pair, and return the deadline that is left."""

    async def sign_in() -> float:
        key = {"private_key": KEY} if signer is None else {"signer": signer}
        config = ClientConfig("ws://localhost/", **key, **options)
        assert config.signer is not None
        return await Authenticator(config, config.signer, UserTasks()).sign_in(circle().line.session, deadline)

    return sign_in()


@pytest.mark.parametrize("deadline", [10.0, INFINITY])
def test_the_time_of_the_circle_counts(loop: VirtualLoop, deadline: float) -> None:
    """A key in this process takes none: the deadline stays where it was."""
    assert loop.run(signing_in(deadline, circle=lambda: Circle(2.0))) == deadline
    assert loop.time() == 4.0


def test_the_time_of_the_signer_does_not_count(loop: VirtualLoop) -> None:
    """A person is asked for the key and for the signature; the deadline is later by the time of both."""
    assert loop.run(signing_in(10.0, circle=lambda: Circle(2.0), signer=Person(30.0), sign_timeout=60.0)) == 70.0
    assert loop.time() == 64.0


@pytest.mark.parametrize(("deaf", "ends"), [("fetch_nonce", 3.0), ("authenticate", 3.5)])
def test_a_circle_that_does_not_answer(loop: VirtualLoop, deaf: str, ends: float) -> None:
    """The deadline passes, later by the time that the signer took until then."""
    with pytest.raises(DeadlinePassed):
        loop.run(signing_in(2.5, circle=lambda: Circle(1.0, deaf), signer=Person(0.5)))
    assert loop.time() == pytest.approx(ends)


def test_a_signer_that_does_not_answer(loop: VirtualLoop) -> None:
    """It has its own time, for each answer."""
    with pytest.raises(SignerFailed, match="sign_timeout"):
        loop.run(signing_in(INFINITY, signer=Person(30.0), sign_timeout=7.0))
    assert loop.time() == 7.0


def test_a_connection_that_is_lost_while_a_person_signs(loop: VirtualLoop) -> None:
    """It is noticed at once: no signature is of use any more."""
    circles: list[Circle] = []

    def circle() -> Circle:
        circles.append(Circle())
        asyncio.get_running_loop().call_later(45.0, circles[0].line.session.lost, ConnectionLost.closed(1006))
        return circles[0]

    with pytest.raises(ConnectionFailed) as caught:
        loop.run(signing_in(10.0, circle=circle, signer=Person(30.0), sign_timeout=None))
    assert caught.value.phase == "sign"
    assert loop.time() == 45.0
    assert circles[0].methods == ["fetch_nonce"]
    assert not circles[0].line.session.signing_in


async def test_whatever_ends_a_step_is_a_copy_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also an error that no step ends with today."""

    async def fail(self: Session, method: str, params: object = None) -> object:
        raise QueueFull("no room for hunter2")

    monkeypatch.setattr(Session, "request", fail)
    line = Line()
    authenticator = Authenticator(ClientConfig("ws://localhost/"), Person(0), UserTasks())
    step = Ask("nonce", "fetch_nonce", {}, Hidden(("hunter2",)))
    with pytest.raises(QueueFull, match="no room for") as caught:
        await authenticator._ask(step, line.session)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
