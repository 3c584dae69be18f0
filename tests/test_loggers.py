"""The loggers: a tree by concern, silent unless the program asks, with fields for logs that machines read."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import circle_ws
from circle_ws import ConnectionFailed, ConnectionLost, ConnectionStatus, StatusChange
from circle_ws.engine.notifications import DropLog
from circle_ws.engine.observers import ConnectionLog, ProtocolErrors
from circle_ws.errors import ProtocolError
from circle_ws.stats import Counters
from tests.support.clients import KEY, client
from tests.support.peers import Peers

S = ConnectionStatus


def test_a_program_that_configures_no_logging_is_told_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a handler of the program's, nothing reaches stderr: `logging` would print warnings there."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for name in ("circle_ws.connection", "circle_ws.transport", "circle_ws.server"):
        logging.getLogger(name).error("not to be seen")
    logging.getLogger("elsewhere").error("to be seen")
    assert capsys.readouterr().err == "to be seen\n"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All records of the test."""
    with caplog.at_level(logging.DEBUG, "circle_ws"):
        yield caplog


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name.startswith("circle_")}


def test_records_of_the_connection_have_fields(log: pytest.LogCaptureFixture) -> None:
    """For a log that machines read: URL, status, attempt, delay and the kind of error, apart from the words."""
    connection = ConnectionLog("wss://circle.example/02ab?token=hunter2")
    connection.note(StatusChange(S.WAITING, S.CONNECTED, 0.0, 0, 0.75, ConnectionLost.closed(1006)))
    connection.note(StatusChange(S.FAILED, S.CONNECTING, 0.0, 3, None, ConnectionFailed("refused")))
    shown = {"circle_url": "wss://circle.example/02ab?..."}
    lost = {"circle_status": "waiting", "circle_attempt": 0, "circle_retry_in": 0.75, "circle_error": "ConnectionLost"}
    failed = {
        "circle_status": "failed",
        "circle_attempt": 3,
        "circle_retry_in": None,
        "circle_error": "ConnectionFailed",
    }
    warned = [record for record in log.records if record.levelno > logging.DEBUG]
    assert [fields(record) for record in warned] == [shown | lost, shown | failed]
    assert {record.name for record in log.records} == {"circle_ws.connection"}
    # Where it was written, not the helper that writes them all.
    assert {record.funcName for record in log.records} == {"note", "_note_failure"}


def test_other_records_have_fields(log: pytest.LogCaptureFixture) -> None:
    """What a listener dropped, and what kind of error the circle made."""
    DropLog("tick").note(7)
    errors = ProtocolErrors(Counters())
    errors.report(ProtocolError("no JSON"))
    assert [(record.name, fields(record)) for record in log.records] == [
        ("circle_ws.notifications", {"circle_method": "tick", "circle_dropped": 7}),
        ("circle_ws.protocol", {"circle_error": "ProtocolError"}),
    ]


async def test_calls_are_not_logged(peers: Peers, log: pytest.LogCaptureFixture) -> None:
    """Nothing is written for a call or a notification, whatever the level; and no record has a secret."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        before = len(log.records)
        for n in range(3):
            await it.call("echo", [n])
            await it.notify("echo", [n])
        with pytest.raises(circle_ws.RpcError):
            await it.call("no such method")
        assert len(log.records) == before
    assert not [record for record in log.records if KEY in str(vars(record))]
