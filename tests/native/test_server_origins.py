"""What a circle says before a WebSocket is opened: which origins are accepted, and the health check."""

import asyncio
import http.client
import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from circle_ws.errors import ConfigError
from circle_ws.server import CircleServer
from tests.native.by_hand import ask

NEAR = [
    "http://127.0.0.1:8000",
    "http://localhost",
    "https://localhost:3000",
    "http://[::1]:5173",
    "http://127.9.9.9",
    "http://LOCALHOST:80",
]
FOREIGN = [
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://evil.example:8765",
    "chrome-extension://abcdef",
    "file://",
    "http://[::1",
    "http://192.168.1.2",
    "http://2130706433",
    "",
]


async def is_let_in(server: CircleServer, origin: str | None, host: str = "127.0.0.1") -> bool:
    headers = {} if origin is None else {"Origin": origin}
    try:
        async with connect(f"ws://{host}:{server.port}/", additional_headers=headers) as socket:
            return bool((await ask(socket, "rpc.ping"))["result"] == "pong")
    except InvalidStatus as error:
        assert error.response.status_code == 403
        return False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_on_loopback_foreign_pages_are_refused(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """Programs and pages of this machine are accepted; the refusal of others is logged with the option's name, once."""
    async with CircleServer(host) as server:
        dialled = "[::1]" if host == "::1" else host
        for origin in (None, *NEAR):
            assert await is_let_in(server, origin, dialled), origin
        assert [it for it in caplog.records if it.levelno >= logging.WARNING] == []
        for origin in FOREIGN * 2:
            assert not await is_let_in(server, origin, dialled), origin
    words = [it.getMessage() for it in caplog.records if it.levelno >= logging.WARNING]
    assert len(words) == len(FOREIGN)
    assert all("origins=" in one for one in words)
    assert "'https://evil.example'" in words[0]
    assert "--origin" in words[0]


@pytest.mark.parametrize("host", ["Circle.Example", "circle.example."])
async def test_the_host_of_the_public_url_is_no_foreigner(host: str) -> None:
    """A page that is served beside a circle behind a proxy, on any port, is accepted; its subdomains are not."""
    async with CircleServer(public_url=f"wss://{host}:8443/02ab") as server:
        assert await is_let_in(server, "https://circle.example")
        assert await is_let_in(server, "https://circle.example.")
        assert await is_let_in(server, "http://circle.example:8000")
        assert not await is_let_in(server, "https://www.circle.example")


@pytest.mark.parametrize(
    ("origins", "admitted", "refused"),
    [
        (["https://good.example"], ["https://good.example"], [None, *NEAR, *FOREIGN]),
        (["https://good.example", None], ["https://good.example", None], [*NEAR, *FOREIGN]),
        (["*"], [*NEAR, *FOREIGN], [None]),
        (["*", None], [None, *NEAR, *FOREIGN], []),
        (["null"], ["null"], [None, "https://evil.example"]),
        ([], [], [None, *NEAR, *FOREIGN]),
    ],
)
async def test_what_is_named_decides_alone(origins: Any, admitted: Any, refused: Any) -> None:
    """With `origins=` nothing else is asked."""
    async with CircleServer(origins=origins) as server:
        for origin in admitted:
            assert await is_let_in(server, origin), origin
        for origin in refused:
            assert not await is_let_in(server, origin), origin


def test_one_text_is_no_list_of_origins() -> None:
    """Parts of it would be accepted."""
    with pytest.raises(ConfigError, match=r"\['https://good.example'\]") as caught:
        CircleServer(origins="https://good.example")
    assert caught.value.option == "origins"


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "https://app.example/",
        "https://app.example/page",
        "https://App.example",
        "HTTPS://app.example",
        "https://app.example:port",
        "https://user@app.example",
        "https://",
        "https://*.example",
        " https://app.example",
        "",
        "NULL",
        7,
        b"https://app.example",
    ],
)
def test_what_is_no_origin_of_a_page(origin: Any) -> None:
    """A browser's `Origin` never has that form, so the page that is meant would be refused without end."""
    with pytest.raises(ConfigError, match="origins: no page has the origin") as caught:
        CircleServer(origins=["https://good.example", origin])
    assert caught.value.option == "origins"
    assert repr(origin) in str(caught.value)


@pytest.mark.parametrize(
    "origin", ["https://xn--bcher-kva.example:8443", "http://[::1]:5173", "chrome-extension://abc"]
)
async def test_what_is_an_origin_of_a_page(origin: str) -> None:
    """With a port, of an IPv6 address, of an extension."""
    async with CircleServer(origins=[origin]) as server:
        assert await is_let_in(server, origin)


async def test_an_empty_origin_is_no_missing_one(caplog: pytest.LogCaptureFixture) -> None:
    """`None` in `origins` would not let it in, so that is not what the log says; both are told, once each."""
    async with CircleServer() as server:
        assert not await is_let_in(server, "")
    assert "a page of the origin ''" in caplog.text
    assert "None" not in caplog.text
    async with CircleServer(origins=["null"]) as server:
        for _ in range(2):
            assert not await is_let_in(server, "")
            assert not await is_let_in(server, None)
    assert caplog.text.count("a client without an Origin") == 1
    assert caplog.text.count("a page of the origin ''") == 2


async def test_elsewhere_nothing_is_checked() -> None:
    """A circle that other machines reach takes every page unless it is told which."""
    async with CircleServer("0.0.0.0") as server:
        assert await is_let_in(server, "https://app.example")


async def test_two_origins_are_none() -> None:
    """A request with the header twice is refused."""
    async with CircleServer(origins=["*", None]) as server:
        with pytest.raises(InvalidStatus):
            await connect(
                server.url, additional_headers=[("Origin", "http://localhost"), ("Origin", "http://localhost")]
            )


async def test_the_log_of_refusals_is_bounded_and_plain(caplog: pytest.LogCaptureFixture) -> None:
    """Origins without end fill no log, and a long one is cut."""
    async with CircleServer() as server:
        for number in range(150):
            assert not await is_let_in(server, f"https://{number}.example")
    assert len(caplog.records) == 100
    caplog.clear()
    async with CircleServer() as server:
        assert not await is_let_in(server, "https://" + "x" * 5000)
    assert len(caplog.records[0].getMessage()) < 500


async def http_ask(server: CircleServer, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    def exchange() -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    return await asyncio.to_thread(exchange)


@pytest.mark.parametrize("path", ["/health", "/health?probe=1"])
async def test_balancers_are_told_that_it_is_well(path: str) -> None:
    """`GET` gets a little JSON, `HEAD` the same head; the circle counts no connection for it."""
    async with CircleServer() as server:
        status, headers, body = await http_ask(server, "GET", path)
        assert (status, body) == (200, b'{"status":"ok"}\n')
        assert headers["Content-Type"] == "application/json"
        status, headers, body = await http_ask(server, "HEAD", path, Host="10.0.0.1")
        assert (status, body, headers["Content-Length"]) == (200, b"", "16")
        assert server.connections == []


async def test_http_1_0_is_enough_for_health() -> None:
    """As some balancers ask."""
    async with CircleServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 426), ("GET", "/healthy", 426), ("POST", "/health", 405), ("HEAD", "/", 405)],
)
async def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    """Other requests are answered as ever."""
    async with CircleServer() as server:
        assert (await http_ask(server, method, path))[0] == status


async def test_a_client_may_dial_that_path_too() -> None:
    """A WebSocket is opened there like anywhere."""
    async with CircleServer() as server, connect(f"{server.url}health") as socket:
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"
