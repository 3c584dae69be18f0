"""Rows 4 to 6: what answers the dial with an HTTP status. A browser shows none, and says so."""

import datetime
from email.utils import format_datetime

import pytest

from circle_ws import Backoff, ConnectionFailed, ConnectionStatus, RedirectRefused
from tests.faults.stage import IN_BROWSER, LONG, Story, behind_faults, http
from tests.support.clients import client
from tests.support.outcomes import later
from tests.support.peers import Peers

S = ConnectionStatus
LONGEST = 300.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426])
async def test_row_04_a_refused_upgrade_is_fatal_on_the_first_connect(peers: Peers, status: int) -> None:
    """Row 4, HTTP 4xx on the upgrade: natively the first connect ends the client; a browser cannot tell."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("refuse", reply=http(status))
    it = client(proxy.url)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert it.status is S.FAILED
    if IN_BROWSER:
        assert failure.http_status is None
        assert "a browser does not tell why" in str(failure)
    else:
        assert failure.http_status == status
        assert f"HTTP {status}" in str(failure)
        assert await proxy.ask("count") == 1
    await it.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426])
async def test_row_04_one_that_keeps_trying_bears_it(peers: Peers, status: int) -> None:
    """Row 4, HTTP 4xx on the upgrade: `first_connect="retry"` waits for the circle that is just being put there."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("refuse", reply=http(status), times=4)
    it = client(proxy.url, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    for wait in await story.waits(4):
        assert isinstance(wait.cause, ConnectionFailed)
        assert wait.cause.http_status == (None if IN_BROWSER else status)
    assert await connecting is None
    assert await it.call("echo", [1]) == 1
    await it.close()


async def test_row_04_and_06_a_deploy_does_not_end_a_service(peers: Peers) -> None:
    """Rows 4 and 6, HTTP 4xx on the upgrade, HTTP 3xx: for some seconds after a good connection they are retried."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    for status in (404, 302, 403):
        await proxy.ask("refuse", reply=http(status, Location=circle.url), times=4)
        await circle.ask("cut_all")
        assert [wait.attempt for wait in await story.waits(5)] == [0, 1, 2, 3, 4]
        await story.until(S.CONNECTED)
    assert await it.call("echo", [1]) == 1
    await it.close()


@pytest.mark.native_only("a browser shows no HTTP status")
@pytest.mark.parametrize("status", [403, 404, 302])
async def test_row_04_and_06_fatal_after_three_in_a_row_and_two_minutes(
    peers: Peers, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows 4 and 6, HTTP 4xx on the upgrade, HTTP 3xx: the third ends the client, were the first long enough ago."""
    monkeypatch.setattr("circle_ws.policy.verdict.ENOUGH_SECONDS", 0.0)
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    await proxy.ask("refuse", reply=http(status, Location=circle.url))
    await circle.ask("cut_all")
    assert [wait.attempt for wait in await story.waits(3)] == [0, 1, 2]
    failed = await story.until(S.FAILED)
    assert isinstance(failed.cause, ConnectionFailed)
    assert (failed.attempt, failed.cause.http_status) == (3, status)
    assert isinstance(failed.cause, RedirectRefused) is (status == 302)
    assert it.failure is failed.cause
    assert await proxy.ask("count") == 1 + 3
    await it.close()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_row_05_what_a_server_may_get_over_is_tried_again(peers: Peers, status: int) -> None:
    """Row 5, HTTP 408, 425, 429 and any 5xx: retry, at the first connect too."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("refuse", reply=http(status))
    it = client(proxy.url, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    wait = await story.until(S.WAITING)
    assert isinstance(wait.cause, ConnectionFailed)
    assert wait.cause.http_status == (None if IN_BROWSER else status)
    await story.until(S.CONNECTING)
    await it.close()
    assert connecting.done()


async def test_row_05_it_is_tried_again_without_end(peers: Peers) -> None:
    """Row 5, HTTP 503: more often than three times, until the server has got over it."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("refuse", reply=http(503), times=4)
    it = client(proxy.url, backoff=Backoff(first=0.01, base=0.01, maximum=0.01, floor=0), first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    await story.waits(4)
    assert await connecting is None
    assert await it.call("echo", [1]) == 1
    await it.close()


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds), usegmt=True)


NO_HEADERS = pytest.mark.native_only("a browser shows no HTTP headers")


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("120", 120, 120),
        pytest.param("301", LONGEST, LONGEST, marks=NO_HEADERS),
        pytest.param("999999999", LONGEST, LONGEST, marks=NO_HEADERS),
        pytest.param("date", 190, 200, marks=NO_HEADERS),
        pytest.param("0", 0, 0.1, marks=NO_HEADERS),
    ],
)
async def test_row_05_retry_after_is_a_floor(peers: Peers, retry_after: str, least: float, most: float) -> None:
    """Row 5, HTTP 503 with `Retry-After`: no earlier than that, up to 300 s; a browser does not show it."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    value = in_seconds(200) if retry_after == "date" else retry_after
    await proxy.ask("refuse", reply=http(503, Retry_After=value), times=1)
    await circle.ask("cut_all")
    wait = (await story.waits(2))[1]
    assert wait.retry_in is not None
    if IN_BROWSER:
        assert wait.retry_in <= 0.1
    else:
        assert least <= wait.retry_in <= most
    it.reconnect()
    await story.until(S.CONNECTED)
    await it.close()


@pytest.mark.native_only("a browser shows no HTTP status")
@pytest.mark.parametrize("status", [404, 429, 503])
async def test_row_04_and_05_words_say_where_to_look(peers: Peers, status: int) -> None:
    """Rows 4 and 5, HTTP 4xx on the upgrade, 429, 5xx: the path is to be checked where that may help."""
    peer = await peers.start("tcp", reply=http(status))
    failure = await later(client(peer.url, key=None).connect())
    assert isinstance(failure, ConnectionFailed)
    assert ("check the path" in str(failure)) is (status == 404)


@NO_HEADERS
@pytest.mark.parametrize("status", [404, 302])
async def test_row_04_and_06_retry_after_is_a_floor_there_too(peers: Peers, status: int) -> None:
    """Rows 4 and 6, HTTP 4xx on the upgrade, HTTP 3xx: a maintenance page may say when it is over."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    await proxy.ask("refuse", reply=http(status, Retry_After="120", Location="/"), times=1)
    await circle.ask("cut_all")
    assert (await story.waits(2))[1].retry_in == 120
    await it.close()


@NO_HEADERS
async def test_row_05_a_date_that_is_none_is_no_reason_to_give_up(peers: Peers) -> None:
    """Row 5, HTTP 503: a `Retry-After` with a zone of twenty digits is as none."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    value = f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}"
    await proxy.ask("refuse", reply=http(503, Retry_After=value), times=1)
    await circle.ask("cut_all")
    wait = (await story.waits(2))[1]
    assert isinstance(wait.cause, ConnectionFailed)
    assert (wait.cause.http_status, wait.cause.retry_after) == (503, None)
    await story.until(S.CONNECTED)
    await it.close()


@NO_HEADERS
async def test_row_05_headers_that_come_twice_are_no_reason_to_give_up(peers: Peers) -> None:
    """Row 5, HTTP 503: a server, with a proxy before it, that sends `Retry-After` twice; the first one counts."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    twice = "HTTP/1.1 503 No\r\nRetry-After: 20\r\nRetry-After: 30\r\nDate: a\r\nDate: b\r\nContent-Length: 0\r\n\r\n"
    await proxy.ask("refuse", reply=twice, times=1)
    await circle.ask("cut_all")
    assert (await story.waits(2))[1].retry_in == 20
    await it.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_row_06_a_redirect_is_never_followed(peers: Peers, status: int) -> None:
    """Row 6, HTTP 3xx: `RedirectRefused`, fatal on the first connect; a browser cannot tell that it was one."""
    elsewhere, proxy = await behind_faults(peers, "scripted")
    await proxy.ask("refuse", reply=http(status, Location=elsewhere.url))
    it = client(proxy.url, key=None)
    failure = await later(it.connect())
    assert it.status is S.FAILED
    if not IN_BROWSER:
        assert isinstance(failure, RedirectRefused)
        assert failure.http_status == status
        assert await proxy.ask("count") == 1
    await it.close()
    assert await elsewhere.ask("count") == 0


async def test_row_06_a_redirect_is_not_followed_on_the_way_back_either(peers: Peers) -> None:
    """Row 6, HTTP 3xx: a client that was connected before waits for the maintenance to end, and dials what it did."""
    elsewhere = await peers.start("scripted")
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    await proxy.ask("refuse", reply=http(302, Location=elsewhere.url), times=4)
    await circle.ask("cut_all")
    waits = await story.waits(5)
    assert all(isinstance(wait.cause, ConnectionFailed if IN_BROWSER else RedirectRefused) for wait in waits[1:])
    await story.until(S.CONNECTED)
    await it.close()
    assert await elsewhere.ask("count") == 0


UNREADABLE = {
    "HTTP/1.0": "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 77\r\n\r\n",
    "no reason phrase": "HTTP/1.1 503\r\nRetry-After: 77\r\n\r\n",
    "no reason phrase, but its space": "HTTP/1.1 503 \r\nRetry-After: 77\r\n\r\n",
    "a body without an end": "HTTP/1.1 503 No\r\nRetry-After: 77\r\n\r\n" + "x" * 3_000_000,
    "a body that is longer than it says": "HTTP/1.1 503 No\r\nRetry-After: 77\r\nContent-Length: 5\r\n\r\n" + "x" * 99,
    "a body that is shorter than it says": "HTTP/1.1 503 No\r\nRetry-After: 77\r\nContent-Length: 99\r\n\r\nx",
    "a body in broken chunks": "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\nRetry-After: 77\r\n\r\nx\r\n",
    "a body that is compressed": "HTTP/1.1 503 No\r\nTransfer-Encoding: gzip\r\nRetry-After: 77\r\n\r\nx",
    "a header of 9 KB": f"HTTP/1.1 503 No\r\nX-Trace: {'x' * 9000}\r\nRetry-After: 77\r\n\r\n",
    "a reason phrase of 9 KB": f"HTTP/1.1 503 {'x' * 9000}\r\nRetry-After: 77\r\n\r\n",
    "200 headers": "HTTP/1.1 503 No\r\n" + "X-Trace: x\r\n" * 200 + "Retry-After: 77\r\n\r\n",
    "headers without an end": "HTTP/1.1 503 No\r\nRetry-After: 77\r\n" + "X-Trace: x\r\n" * 10_000,
    "headers that are none": "HTTP/1.1 503 No\r\nX Trace\r\n: x\r\n\x01: \xff\r\nRetry-After: 77\r\n\r\n",
    "lines that end like a text's": "HTTP/1.1 503 No\nRetry-After: 77\n\n",
    "behind interim answers": "HTTP/1.1 103 No\r\nRetry-After: 5\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 77\r\n\r\n",
    "a status line in lower case letters": "HTTP/1.1 503 no\r\nretry-after:77\r\n\r\n",
}
"""Refusals that a strict reader does not read, or not whole."""


@pytest.mark.native_only("a browser shows no HTTP status")
@pytest.mark.parametrize("hang_up", [True, False], ids=["and hangs up", "and stays"])
@pytest.mark.parametrize("reply", UNREADABLE.values(), ids=UNREADABLE)
async def test_row_40_the_head_of_a_refusal_decides(peers: Peers, reply: str, hang_up: bool) -> None:
    """Row 40, an HTTP refusal that is not read whole: its status and `Retry-After` are known as soon as they came."""
    peer = await peers.start("tcp", reply=reply, hang_up=hang_up)
    it = client(peer.url, key=None, open_timeout=LONG)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert (failure.http_status, failure.retry_after) == (503, 77)
    await it.close()


@pytest.mark.native_only("a browser shows no HTTP status")
@pytest.mark.parametrize(
    ("reply", "retry_after"),
    [
        ("HTTP/1.1 503", None),
        ("HTTP/1.1 503 Service Un", None),
        ("HTTP/1.0 503 No\r\nRetry-After: 77\r\n", 77),
        ("HTTP/1.1 503 No\r\nRetry-After: 77\r\nX-Tr", 77),
        ("HTTP/1.1 503 No\r\nRetry-After: 7", None),
    ],
)
async def test_row_40_half_a_head_is_enough(peers: Peers, reply: str, retry_after: float | None) -> None:
    """Row 40, an HTTP refusal that is not read whole: one that was cut off counts as far as its lines are whole."""
    peer = await peers.start("tcp", reply=reply)
    failure = await later(client(peer.url, key=None).connect())
    assert isinstance(failure, ConnectionFailed)
    assert (failure.http_status, failure.retry_after) == (503, retry_after)


@pytest.mark.parametrize(
    ("status_line", "more"),
    [("HTTP/1.1 101", ""), ("HTTP/1.1 101 ", ""), ("HTTP/1.1 101 Switching Protocols", f"X-Trace: {'x' * 9000}\r\n")],
    ids=["no reason phrase", "but its space", "a header of 9 KB"],
)
async def test_row_40_an_acceptance_is_read_in_the_same_way(peers: Peers, status_line: str, more: str) -> None:
    """Row 40, no reason phrase, huge headers: a 101 of that kind opens the connection, natively and in a browser."""
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n"
    peer = await peers.start("tcp", reply=f"{status_line}\r\n{upgrade}{more}\r\n", hang_up=False)
    it = client(peer.url, key=None, close_timeout=0.1)
    assert await later(it.connect()) is None
    assert it.is_connected()
    await it.close()
