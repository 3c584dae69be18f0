"""Proves the page's HTTP server: types, two folders and nothing beside them, and reports from the page only."""

import asyncio
import http.client
import json
import socket
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from circle_ws.cli.demo.page import MAX_REPORT_BYTES, Site
from tests.support.limits import PATIENCE


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    page, bundle = tmp_path / "page", tmp_path / "bundle-elsewhere"
    (page / "folder").mkdir(parents=True)
    bundle.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    for name in ("index.html", "main.mjs", "page.py", "style.css"):
        (page / name).write_text(name)
    (bundle / "bundle.json").write_text('{"cdn": null}')
    for name in ("pyodide.asm.wasm", "python_stdlib.zip", "some.whl"):
        (bundle / name).write_text(name)
    running = Site(page, bundle)
    async with running.serving():
        yield running


async def _ask(site: Site, path: str, body: object = None, **headers: str) -> tuple[int, str, bytes]:
    """Ask as a browser would, but for the path: this one is not tidied up before it is sent."""

    def ask() -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(site.origin.removeprefix("http://"), timeout=PATIENCE)
        try:
            text = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, text, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type") or "", response.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/?report=1", "text/html"),
        ("/main.mjs", "text/javascript"),
        ("/style.css", "text/css"),
        ("/page.py", "text/x-python"),
        ("/bundle/bundle.json", "application/json"),
        ("/bundle/pyodide.asm.wasm", "application/wasm"),
        ("/bundle/python_stdlib.zip", "application/zip"),
        ("/bundle/some.whl", "application/octet-stream"),
    ],
)
async def test_each_file_has_the_type_that_browsers_insist_on(site: Site, path: str, kind: str) -> None:
    status, found, body = await _ask(site, path)
    assert (status, found) == (200, kind)
    assert body.decode() in path or body in (b"index.html", b'{"cdn": null}')


POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' ws://localhost:*"
)


@pytest.mark.parametrize(
    ("cdn", "script", "connect"),
    [
        (None, "script-src 'self' 'wasm", "connect-src 'self' ws:"),
        (
            "https://cdn.example/v1/full/",
            "script-src 'self' https://cdn.example 'wasm",
            "connect-src 'self' https://cdn.example ws:",
        ),
    ],
)
async def test_the_policy_lets_pyodide_come_from_where_the_bundle_says(
    tmp_path: Path, cdn: str | None, script: str, connect: str
) -> None:
    (tmp_path / "index.html").write_text(POLICY)
    (tmp_path / "bundle.json").write_text(json.dumps({"cdn": cdn}))
    running = Site(tmp_path, tmp_path)
    async with running.serving():
        for path in ("/", "/index.html", "/?report=1"):
            status, found, body = await _ask(running, path)
            assert (status, found) == (200, "text/html")
            assert script in body.decode()
            assert connect in body.decode()
            assert "style-src 'self';" in body.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/absent",
        "/folder/",
        "/bundle/",
        "/../secret.txt",
        "/bundle/../../secret.txt",
        "/bundle/..%2f..%2fsecret.txt",
        "/bundle/%2e%2e/%2e%2e/secret.txt",
        "/bundle/../page/index.html",
    ],
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    status, _, body = await _ask(site, path)
    assert status == 404
    assert b"secret.txt" not in body.replace(path.encode(), b"")


@pytest.fixture
async def controlled(tmp_path: Path) -> AsyncGenerator[tuple[Site, list[str]]]:
    """A site whose page may drop the circle's clients, and what was asked for."""
    (tmp_path / "index.html").write_text(f'<meta http-equiv="Content-Security-Policy"\n content="{POLICY}" />')
    (tmp_path / "worker.mjs").write_text("worker.mjs")
    (tmp_path / "bundle.json").write_text('{"cdn": "https://cdn.example/v1/"}')
    asked: list[str] = []

    def perform(name: str) -> bool:
        asked.append(name)
        return name == "drop"

    running = Site(tmp_path, tmp_path, perform=perform)
    async with running.serving():
        yield running, asked


async def test_the_page_acts_on_the_circle(controlled: tuple[Site, list[str]]) -> None:
    site, asked = controlled
    assert (await _ask(site, "/circle"))[:2] == (200, "application/json")
    assert (await _ask(site, "/circle/drop", b"", Origin=site.origin))[0] == 204
    assert (await _ask(site, "/circle/other", b"", Origin=site.origin))[0] == 404
    assert asked == ["drop", "other"]


async def test_other_pages_do_not(controlled: tuple[Site, list[str]]) -> None:
    site, asked = controlled
    for origin in ("http://evil.example", "null"):
        assert (await _ask(site, "/circle/drop", b"", Origin=origin))[0] == 403
    assert asked == []


async def test_a_site_without_controls_says_so(site: Site) -> None:
    assert (await _ask(site, "/circle"))[0] == 404
    assert (await _ask(site, "/circle/drop", b"", Origin=site.origin))[0] == 404


async def test_the_worker_has_the_policy_of_the_page(controlled: tuple[Site, list[str]]) -> None:
    """A worker does not inherit it: its own script must come with one."""
    site, _ = controlled

    def policies(path: str) -> list[str]:
        connection = http.client.HTTPConnection(site.origin.removeprefix("http://"), timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().headers.get_all("Content-Security-Policy") or []
        finally:
            connection.close()

    allowed = POLICY.replace("'self'", "'self' https://cdn.example").replace(
        "style-src 'self' https://cdn.example", "style-src 'self'"
    )
    assert await asyncio.to_thread(policies, "/worker.mjs") == ["frame-ancestors 'none'", allowed]
    assert await asyncio.to_thread(policies, "/bundle.json") == ["frame-ancestors 'none'"]


async def test_the_first_report_of_the_page_is_taken(site: Site) -> None:
    assert (await _ask(site, "/report", {"play": "42"}, Origin=site.origin))[0] == 204
    assert (await _ask(site, "/report", {"play": "43"}, Origin=site.origin))[0] == 204
    assert await asyncio.wait_for(site.report, PATIENCE) == {"play": "42"}


@pytest.mark.parametrize(
    ("path", "origin", "body", "status"),
    [
        ("/report", "http://evil.example", {"play": "42"}, 403),
        ("/report", "null", {"play": "42"}, 403),
        ("/other", None, {"play": "42"}, 403),
        ("/report", None, "x" * MAX_REPORT_BYTES, 400),
        ("/report", None, b"{", 400),
        ("/report", None, 42, 400),
    ],
)
async def test_other_reports_are_not(site: Site, path: str, origin: str | None, body: object, status: int) -> None:
    try:
        found = (await _ask(site, path, body, Origin=origin or site.origin))[0]
    except ConnectionError:
        # The server hangs up without reading what is too large; how far the writing came is a matter of luck.
        found = 400
    assert found == status
    await asyncio.sleep(0.05)
    assert not site.report.done()


@pytest.mark.parametrize("length", ["-5", "-1", "abc", "1_0", "+5", "5,5", "", "9" * 30])
async def test_a_strange_length_is_refused_at_once(site: Site, length: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is read, and nothing waits for more; the terminal sees nothing of it."""
    status = await _raw(site, f"Origin: {site.origin}\r\nContent-Length: {length}\r\n", '{"play": "42"}')
    assert status == 400
    assert not site.report.done()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000, b'{"a": NaN}', b"[[1, 2]]", b'{"a": "\\ud800"}', b""]
)
async def test_a_strange_report_is_refused(site: Site, body: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Deep, broken, of another kind: an answer and no traceback."""
    assert (await _ask(site, "/report", body, Origin=site.origin))[0] == 400
    assert not site.report.done()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("path", ["/%00", "/bundle/a%00b", "/" + "x" * 5000, "/%ff%fe", "/%", "/a%0d%0ab"])
async def test_a_strange_path_is_no_file(site: Site, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """An answer and no traceback."""
    assert (await _ask(site, path))[0] in (301, 404)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1:PORT.evil.example"]
)
async def test_another_host_is_refused(site: Site, host: str) -> None:
    """A foreign name that points here is not this page's origin."""
    port = site.origin.rpartition(":")[2]
    named = host.replace("PORT", port)
    assert await _raw(site, f"Origin: {site.origin}\r\n", "", host=named, line="GET / HTTP/1.1") == 421
    body = '{"play": "42"}'
    head = f"Origin: {site.origin}\r\nContent-Length: {len(body)}\r\n"
    assert await _raw(site, head, body, host=named) == 421
    assert await _raw(site, "", "", host=None, line="GET / HTTP/1.1") == 421
    assert await _raw(site, "", "", host=f"localhost:{port}", line="GET / HTTP/1.1") == 200


async def _raw(
    site: Site, head: str, body: str, *, host: str | None = "own", line: str = "POST /report HTTP/1.1"
) -> int:
    """Send a request as it is written here; give the status."""
    address, _, port = site.origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    name = f"{address}:{port}" if host == "own" else host
    named = "" if name is None else f"Host: {name}\r\n"
    writer.write(f"{line}\r\n{named}{head}\r\n{body}".encode())
    try:
        return int((await asyncio.wait_for(reader.readline(), PATIENCE)).split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/", "/main.mjs", "/absent", "/bundle/some.whl"])
async def test_it_may_not_be_framed(site: Site, path: str) -> None:
    """The header says so, which the policy in the page cannot."""

    def ask() -> str | None:
        connection = http.client.HTTPConnection(site.origin.removeprefix("http://"), timeout=PATIENCE)
        connection.request("GET", path)
        found = connection.getresponse().getheader("Content-Security-Policy")
        connection.close()
        return found

    assert await asyncio.to_thread(ask) == "frame-ancestors 'none'"


async def test_a_port_that_is_taken_is_an_error(site: Site) -> None:
    with pytest.raises(OSError, match="in use"):
        Site(site.page, site.bundle, int(site.origin.rpartition(":")[2]))


async def test_a_browser_that_hangs_up_is_no_news(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    def hang_up() -> None:
        host, _, port = site.origin.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as link:
            link.sendall(b"GET / HTTP/1.1\r\n")
            # Closing with a reset, as a browser that is killed does.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    await asyncio.to_thread(hang_up)
    assert (await _ask(site, "/"))[0] == 200
    await asyncio.sleep(0.1)
    assert capfd.readouterr().err == ""


async def test_a_header_without_end_is_refused(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert await _raw(site, f"X: {'x' * 100_000}\r\n", "", line="GET / HTTP/1.1") == 431
    assert (await _ask(site, "/"))[0] == 200
    assert capfd.readouterr().err == ""


async def test_a_fault_of_the_server_itself_is_news(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends that one connection."""

    def fail() -> str:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(site, "index", fail)
    with pytest.raises(http.client.RemoteDisconnected):
        await _ask(site, "/")
    monkeypatch.undo()
    assert (await _ask(site, "/"))[0] == 200
    assert "a fault of ours" in capfd.readouterr().err


@pytest.mark.parametrize("path", ["/%ED%A0%80", "http://[/../../", "/a%00b"])
async def test_a_path_that_is_none_is_not_found(site: Site, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Half a character, a broken URL and NUL are answered, and no traceback is printed."""

    def ask() -> bytes:
        host = site.origin.removeprefix("http://")
        name, _, port = host.partition(":")
        with socket.create_connection((name, int(port)), timeout=PATIENCE) as plain:
            plain.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return plain.recv(1000)

    assert (await asyncio.to_thread(ask)).startswith(b"HTTP/1.1 404 ")
    assert capfd.readouterr().err == ""
