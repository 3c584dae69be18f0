"""Row 35: a client without references ends by itself."""

import asyncio
import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from circle_ws import Backoff, CircleWsClient, ConnectionStatus
from tests.faults.stage import LONG
from tests.support.clients import client
from tests.support.outcomes import eventually, until
from tests.support.peers import Peers

S = ConnectionStatus


@contextmanager
def one_warning() -> Iterator[None]:
    """Expect one `ResourceWarning` of a client that is dropped, and no other."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert "dropped without close()" in str(caught[0].message)


async def reached(it: CircleWsClient, status: ConnectionStatus) -> None:
    """Return when it has this status; a closure of the test's own would hold it."""
    await eventually(lambda: it.status is status)


async def test_row_35_a_dropped_client_is_collected(peers: Peers) -> None:
    """Row 35, client dropped without `close()`: it is collected, its socket closes, its tasks end, one warning."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    assert len(await circle.ask("public_keys")) == 1
    with one_warning():
        del it
    await until(circle, "public_keys", lambda keys: not keys)


async def test_row_35_while_it_waits_for_the_next_attempt(peers: Peers) -> None:
    """Row 35, client dropped without `close()`: in the pause between attempts it ends too, and dials no more."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=Backoff(first=LONG, floor=LONG, maximum=LONG))
    await it.connect()
    await circle.ask("cut_all")
    await reached(it, S.WAITING)
    with one_warning():
        del it
    await asyncio.sleep(0.05)
    assert await circle.ask("public_keys") == []


async def test_row_35_while_it_dials(peers: Peers) -> None:
    """Row 35, client dropped without `close()`: in the middle of an attempt, on a reconnect, which ends as well."""
    circle = await peers.start("circle")
    proxy = await peers.start("fault_proxy", target=circle.url)
    it = client(proxy.url, open_timeout=LONG)
    await it.connect()
    await proxy.ask("black_hole")
    await proxy.ask("end", how="reset")
    await reached(it, S.CONNECTING)
    with one_warning():
        del it
    await proxy.ask("answer")
    await until(proxy, "open_connections", lambda count: not count)


async def test_row_35_where_warnings_are_errors(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 35, client dropped without `close()`: the warning that is raised keeps nothing from being cleaned up."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    raised: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: raised.append(report.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del it
        gc.collect()
    assert raised == [ResourceWarning]
    await until(circle, "public_keys", lambda keys: not keys)


@pytest.mark.parametrize("what", ["a handler", "a status callback", "a protocol callback", "nothing"])
async def test_row_35_what_was_to_be_called_is_told_of(
    peers: Peers, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 35, client dropped without `close()`: one that had callbacks or handlers also logs a WARNING."""
    circle = await peers.start("circle")
    it = client(circle.url)
    if what == "a handler":
        it.handle("f", len)
    elif what == "a status callback":
        it.on_status(print)
    elif what == "a protocol callback":
        it.on_protocol_error(print)
    await it.connect()
    with one_warning():
        del it
    await until(circle, "public_keys", lambda keys: not keys)
    told = [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "not called any more" in record.getMessage()
    ]
    assert len(told) == (0 if what == "nothing" else 1)
    assert all("keep a reference to the client" in words for words in told)


async def test_row_35_a_client_that_was_closed_is_dropped_in_silence(peers: Peers) -> None:
    """Row 35: neither one that never began, nor one that was closed or gave up, has anything to warn of."""
    circle = await peers.start("circle")
    never, closed, failed = client(circle.url), client(circle.url), client(circle.url, backoff=None)
    await closed.connect()
    await closed.close()
    await failed.connect()
    await circle.ask("cut_all")
    await reached(failed, S.FAILED)
    await asyncio.sleep(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del never, closed, failed
        gc.collect()
    assert caught == []
