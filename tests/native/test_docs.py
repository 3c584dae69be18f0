"""The documentation is true: its examples run, its defaults are the code's, its links lead somewhere."""

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import circle_ws
from circle_ws.server import CircleServer
from circle_ws.status import TRANSITIONS
from tests.native.command_line import start
from tests.support.clients import KEY
from tests.support.outcomes import eventually
from tools.diagram import PAGE, redrawn

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


async def run(source: str, names: dict[str, Any]) -> None:
    """Run a block that may await at its top level."""
    code = compile(source, "documentation", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome


@pytest.fixture
def url() -> Iterator[str]:
    """Run `circle-ws serve`, as a reader of the documentation would; give the URL that it prints."""
    process = start("serve", "--port", "0")
    try:
        assert process.stdout
        found = re.search(r"ws://\S+", process.stdout.readline())
        assert found
        yield found[0]
    finally:
        process.kill()
        process.communicate()


async def test_the_guide_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every block of the guide, one after the other."""
    names: dict[str, Any] = {"url": url, "key": KEY}
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    for block in blocks("docs/guide.md"):
        if "circle_ws.sync" in block:
            # As its readers would: with no event loop in sight.
            await asyncio.to_thread(exec, block, names)
        else:
            await run(block, names)
    assert {span.name for span in spans.get_finished_spans()} == {"circle_ws.connect", "echo"}
    told = capsys.readouterr().out
    for words in (
        "42\n",
        "by name",
        "no await\nthe batch returned 1\nno tick yet",
        "echo took 0.",
        "idle -> connecting",
        "the circle answered with an error: -32601",
        "{'n': ",
        "0 were dropped because the reader was too slow",
        "a gap: 0 dropped, disconnected for 0.",
        "{'topic': 'weather', 'described by': 'the client'}",
        "the batch returned 1 2",
        "Ada\n$.tags[1]: expected str, got int",
        "LOUD hello you 2\n",
        "sent to 1\nsent to 1\n['for everyone'] ['for you']",
    ):
        assert words in told
    assert "from memory" in told


def test_the_guide_shows_the_noxfile_of_the_example() -> None:
    """What a reader copies is what the example's own session runs."""
    assert f"```py\n{(ROOT / 'examples/project/noxfile.py').read_text()}```" in (ROOT / "docs/guide.md").read_text()


async def test_the_readme_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The service gets its answer and listens until it is ended; the page's lines work natively too."""
    service, script, page, test = (
        block.replace("ws://localhost:8765", url)
        .replace("wss://circle.example/02ab...", url)
        .replace('os.environ["KEY"]', repr(KEY))
        for block in blocks("README.md")
    )
    names: dict[str, Any] = {}
    await run(service.replace("asyncio.run(main())", ""), names)
    main = asyncio.ensure_future(names["main"]())
    await eventually(lambda: "42" in capsys.readouterr().out)
    main.cancel()
    await asyncio.gather(main, return_exceptions=True)
    await run(page + "\nawait client.close()", {})
    assert "42" in capsys.readouterr().out
    await asyncio.to_thread(exec, script, {})
    assert capsys.readouterr().out == "42\n"
    await run(test, {})


def test_the_status_table_is_the_codes() -> None:
    """The transitions of the reference are those of the one table."""
    text = (ROOT / "docs/reference.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z]+)` \| (`[A-Z]+`.*) \|$", text, re.MULTILINE))
    documented = {origin: set(re.findall(r"`([A-Z]+)`", targets)) for origin, targets in rows.items()}
    coded = {origin.name: {target.name for target in targets} for origin, targets in TRANSITIONS.items() if targets}
    assert documented == coded


def test_the_diagram_is_the_codes() -> None:
    """The drawing of the states is what the table of transitions says."""
    page = PAGE.read_text()
    assert redrawn(page) == page, "run: python -m tools.diagram"
    assert page.count("-->") == sum(map(len, TRANSITIONS.values())) + 2


def test_the_servers_options_are_the_codes() -> None:
    """The table of `CircleServer` has every option, with its default."""
    text = (ROOT / "docs/reference.md").read_text().partition("## circle_ws.server")[2]
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text.partition("| member")[0], re.MULTILINE))
    options = [it for it in inspect.signature(CircleServer).parameters.values() if it.kind is it.KEYWORD_ONLY]
    assert documented.pop("profiles") == "all"
    coded = {it.name: it.default for it in options if it.name != "profiles"}
    assert {name: ast.literal_eval(default.strip("`")) for name, default in documented.items()} == coded


def test_the_errors_are_all_documented() -> None:
    """Each public error stands in the reference."""
    text = (ROOT / "docs/reference.md").read_text()
    names = [name for name in circle_ws.errors.__all__ if name != "CircleWsError"]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and every path of ours that is named exists."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
    for target in re.findall(r"`((?:examples|docs|tests|tools)/[\w./]+)`", page.read_text()):
        assert (ROOT / target).exists(), target


def test_the_loggers_are_those_that_are_documented() -> None:
    """Every logger of the package, and no other, is on the page about them."""
    package = Path(circle_ws.__file__).parent
    used = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r'getLogger\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")
    assert used | {"circle_ws"} == set(re.findall(r"`(circle_ws[a-z._]*)`", page))
