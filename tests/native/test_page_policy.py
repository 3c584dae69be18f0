"""A page whose content security policy forbids the circle's address, in real browsers, in a page and in a worker."""

from pathlib import Path
from urllib.parse import quote

import pytest

from circle_ws.bundle import programs
from circle_ws.testing.pyodide.launch import Start, launch
from tests.native.test_page_life import PageServer, Told, browser  # noqa: F401
from tests.support.peers import Peers

pytestmark = [pytest.mark.harness, pytest.mark.limit(60)]

_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
_SECRET = "hunter2"

in_both = pytest.mark.parametrize("where", ["page", "worker"])


async def _outcome(browser: str, wheels: Path, where: str, circle: str, **headers: str) -> Told:  # noqa: F811
    page = PageServer(wheels, "policy.html", {name.replace("_", "-"): value for name, value in headers.items()})
    program = programs.find(browser)
    assert program
    async with page.serve():
        start = Start(program, f"{page.url}?where={where}&circle={quote(circle, safe='')}", wheels)
        async with launch(browser, start):
            return await page.told()


@in_both
async def test_a_policy_that_forbids_the_address(browser: str, wheels: Path, peers: Peers, where: str) -> None:  # noqa: F811
    """It is told in words, with what to write where, and fatal: no other attempt could end otherwise."""
    circle = await peers.start("circle")
    url = f"{circle.url}02ab?token={_SECRET}"
    told = await _outcome(browser, wheels, where, url, Content_Security_Policy=_POLICY)
    assert told["outcome"] == "ConfigError"
    assert told["status"] == "closed"
    assert "content security policy (connect-src) forbids to connect to" in told["words"]
    assert f"name ws://127.0.0.1:{circle.port} in connect-src" in told["words"]
    assert _SECRET not in told["words"]


@in_both
async def test_a_policy_that_names_the_address(browser: str, wheels: Path, peers: Peers, where: str) -> None:  # noqa: F811
    """The client connects, and the policy says nothing."""
    circle = await peers.start("circle")
    policy = f"{_POLICY} {circle.url}"
    assert await _outcome(browser, wheels, where, circle.url, Content_Security_Policy=policy) == {
        "outcome": "connected"
    }


async def test_a_policy_that_only_reports(browser: str, wheels: Path, peers: Peers) -> None:  # noqa: F811
    """It forbids nothing, so the client connects."""
    circle = await peers.start("circle")
    headers = {"Content_Security_Policy_Report_Only": _POLICY}
    assert await _outcome(browser, wheels, "page", circle.url, **headers) == {"outcome": "connected"}
