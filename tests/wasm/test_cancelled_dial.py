"""A dial that is cancelled in the very turn in which the browser tells that it came to nothing."""

import asyncio

import js
import pytest

from circle_ws.errors import ConnectionLost
from circle_ws.transport import TransportOptions
from circle_ws.transport.pyodide import PyodideTransport
from tests.support.outcomes import until
from tests.support.peers import Peers
from tests.support.recorder import Recorder


@pytest.mark.parametrize("name", ["open", "error", "close"])
async def test_an_event_between_the_cancellation_and_its_handling(peers: Peers, name: str) -> None:
    """JavaScript calls before Python has learnt of the cancellation: nothing is raised into it, and no proxy stays."""
    silent = await peers.start("tcp")
    recorder = Recorder()
    transport = PyodideTransport(silent.url, recorder, TransportOptions())
    dialling = asyncio.ensure_future(transport.opened())
    await until(silent, "count")
    dialling.cancel()
    js_event = js.Event.new(name)
    js_event.code, js_event.reason = 1006, ""
    # What this raises the harness takes for a fault of the whole run.
    transport._js_socket.dispatchEvent(js_event)
    with pytest.raises(asyncio.CancelledError):
        await dialling
    assert recorder.losses == []
    with pytest.raises(ConnectionLost):
        transport.send("too late")
