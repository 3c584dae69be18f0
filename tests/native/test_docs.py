"""The documentation is true: its examples run, its defaults are the code's, its links lead somewhere."""

import ast
import asyncio
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import circle_ws
import circle_ws.sync
import circle_ws.testing.nox
from circle_ws import CircleWsClient, CircleWsClientBuilder
from circle_ws.auth import verify_signature
from circle_ws.auth.profiles import bound_statement
from circle_ws.config import ClientOptions, ValueOptions
from circle_ws.contrib import opentelemetry
from circle_ws.server import CircleServer
from circle_ws.status import TRANSITIONS, ConnectionStatus
from circle_ws.testing import Circle
from tests.native.command_line import start
from tests.support.clients import KEY
from tests.support.outcomes import eventually
from tools import wire
from tools.diagram import PICTURE, diagram

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

PUBLIC = [
    circle_ws,
    circle_ws.auth,
    circle_ws.policy,
    circle_ws.server,
    circle_ws.sync,
    circle_ws.testing,
    circle_ws.testing.nox,
    circle_ws.transport,
    opentelemetry,
]
"""The modules that a program may import from."""
SAYING = [
    CircleWsClient.call,
    CircleWsClientBuilder.with_auth,
    CircleWsClientBuilder.with_keepalive,
    CircleWsClientBuilder.with_limits,
    CircleWsClientBuilder.with_reconnect,
    CircleWsClientBuilder.with_timeouts,
    opentelemetry.instrument,
]
"""Functions with many options."""

PRINTED = {
    "docs/migrating.md": ("by hand: 42\n", "with circle-ws: 42\n", "with circle-ws: {'n': "),
    "docs/guide/deploying.md": ("(200, {'status': 'connected'", "(503, {'status': 'closed'"),
    "docs/guide/connecting.md": ("42\n", "by name", "idle -> connecting", "as soon as it is connected", "compressed"),
    "docs/guide/blocking.md": ("no await\nthe batch returned 1\nno news yet",),
    "docs/guide/calling.md": ("the batch returned 1 2", "Ada\n$.tags[1]: expected str, got int", "echo took 0."),
    "docs/guide/failures.md": ("the circle answered with an error: -32601", "retried after", "subscribed"),
    "docs/guide/listening.md": (
        "{'n': ",
        "0 were dropped because the reader was too slow",
        "a gap: 0 dropped, disconnected for 0.",
        "{'topic': 'weather', 'described by': 'the client'}",
    ),
    "docs/guide/signing-in.md": ("signing in to ws://", "not signed: "),
    "docs/guide/testing.md": (
        "it may have run",
        "that nobody has waited",
        "LOUD hello you 2\n",
        "sent to 1\nsent to 1\n['for everyone'] ['for you']",
        "from memory",
    ),
}
"""What a page prints, by its path."""


def blocks(page: Path) -> list[str]:
    """Return the blocks of Python on a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def _named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


async def run(source: str, names: dict[str, Any]) -> None:
    """Run a block that may await at its top level."""
    code = compile(source, "documentation", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome


@pytest.fixture(scope="module")
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


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "README.md" and blocks(page)], ids=_named)
async def test_a_page_runs(page: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every block of Python, one after the other; what its text says that it prints is printed."""
    names: dict[str, Any] = {"url": url, "key": KEY}
    for block in blocks(page):
        if "circle_ws.sync" in block:
            # As its readers would: with no event loop in sight.
            await asyncio.to_thread(exec, block, names)
        else:
            await run(block, names)
    told = capsys.readouterr().out
    missing = [words for words in PRINTED.get(_named(page), ()) if words not in told]
    assert missing == []


def test_only_what_is_named_prints() -> None:
    """The pages whose output is checked are pages that run."""
    assert set(PRINTED) <= {_named(page) for page in PAGES if blocks(page)}


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What the global tracer of OpenTelemetry records."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter


async def test_telemetry_of_the_guide_is_recorded(url: str, spans: InMemorySpanExporter) -> None:
    """By the names that the page tells."""
    names: dict[str, Any] = {"url": url, "key": KEY}
    for block in blocks(ROOT / "docs/guide/observing.md"):
        await run(block, names)
    assert {span.name for span in spans.get_finished_spans()} == {"circle_ws.connect", "echo"}


def test_every_block_of_code_is_of_a_kind_that_a_test_runs() -> None:
    """`python` runs here; the shell's, JavaScript and TypeScript elsewhere; what stays is output, or is shown whole."""
    kinds = {kind for page in PAGES for kind in re.findall(r"^```(\S+)", page.read_text(), re.MULTILINE)}
    assert kinds <= {"python", "py", "sh", "javascript", "typescript", "html", "json", "toml", "console", "text"}
    not_run = [
        page
        for page in PAGES
        for block in re.findall(r"```(?:text|console)\n(.*?)```", page.read_text(), re.DOTALL)
        if "import circle_ws" in block or "from circle_ws" in block
    ]
    assert [_named(page) for page in not_run] == []
    files = {_named(page) for page in PAGES if '```python title="' in page.read_text()}
    # `test_docs_start.py` runs the first three, `tests/example/test_chapter.py` the last.
    assert files == {"docs/index.md", "docs/start/script.md", "docs/start/service.md", "docs/guide/pages.md"}


def test_the_guide_shows_the_noxfile_of_the_example() -> None:
    """What a reader copies is what the example's own session runs."""
    assert (
        f"```py\n{(ROOT / 'examples/project/noxfile.py').read_text()}```"
        in (ROOT / "docs/guide/testing.md").read_text()
    )


def test_the_page_of_the_hosts_shows_their_examples() -> None:
    """What a reader copies is what the session `hosts` runs."""
    texts = [_squeezed(path.read_text()) for path in (ROOT / "examples/hosts").rglob("*.*") if path.suffix in _SHOWN]
    page = (ROOT / "docs/guide/hosts.md").read_text()
    shown = re.findall(r"```(?!console)\w+(?: title=\S+)?\n(.*?)```", page, re.DOTALL)
    assert len(shown) >= 6
    assert [block for block in shown if not any(_squeezed(block) in text for text in texts)] == []


_SHOWN = {".html", ".json", ".mjs", ".toml"}


def _squeezed(text: str) -> str:
    """Return a text without indents and empty lines."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


async def test_the_readme_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines get their answer and listen until they are ended."""
    (block,) = blocks(ROOT / "README.md")
    listening = asyncio.ensure_future(run(block.replace("wss://circle.example/02ab...", url), {"key": KEY}))
    told = ""

    def printed() -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return "42\n" in told and "{'n': " in told

    await eventually(printed)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


def test_the_diagram_is_the_codes() -> None:
    """The drawing of the states is what the table of transitions says, and a page shows it."""
    picture = PICTURE.read_text(encoding="utf-8")
    assert picture == diagram(), "run: python -m tools.diagram"
    drawn = re.findall(r'class="([A-Z]+)-([A-Z]+)"', picture)
    assert drawn == [(it.name, to.name) for it in ConnectionStatus for to in ConnectionStatus if to in TRANSITIONS[it]]
    assert "](states.svg)" in (ROOT / "docs/reliability.md").read_text()


async def test_the_messages_of_the_protocol_are_those_that_are_sent() -> None:
    """Byte by byte, as a client with fixed secrets sends them; the bound text of the page is what was signed."""
    page = wire.PAGE.read_text(encoding="utf-8")
    assert await asyncio.to_thread(wire.rewritten, page) == page, "run: python -m tools.wire"
    frames = [json.loads(line[2:]) for line in re.findall(r"^→ .*", page, re.MULTILINE)]
    *_, proof = [it["params"] for it in frames if isinstance(it, dict) and it["method"] == "authenticate"]
    text = bound_statement(
        proof["profile"],
        audience=wire.URL,
        public_key=proof["pubkey"],
        nonce="5d41402abc4b2a76b9719d911017c592",
        client_nonce=proof["client_nonce"],
        expires_at=proof["expires_at"],
    )
    assert verify_signature(proof["pubkey"], text, proof["signature"], proof["profile"])


def test_the_table_of_options_is_the_codes() -> None:
    """Each option of a client is in it, with its default and the method of the builder."""
    text = (ROOT / "docs/guide/connecting.md").read_text().partition("| builder |")[2]
    rows = re.findall(r"^\| (`(?:with|without)_.*?) \|(.*?)\|(.*?)\|", text, re.MULTILINE)
    methods = {name for builder, _, _ in rows for name in re.findall(r"`(\w+)\(", builder)}
    assert methods == {name for name in vars(CircleWsClientBuilder) if name.startswith(("with_", "without_"))}
    named = [(re.findall(r"`(\w+)`", fields), re.findall(r"`(.*?)`", defaults)) for _, fields, defaults in rows]
    documented = {
        field: eval(default, {"Backoff": circle_ws.Backoff, "KeepAlive": circle_ws.KeepAlive})
        for fields, defaults in named
        for field, default in zip_longest(fields, defaults, fillvalue="None")
    }
    config = circle_ws.ClientConfig("wss://circle.example/")
    coded = {name: getattr(config, name, None) for name in ClientOptions.__annotations__ | ValueOptions.__annotations__}
    coded["profile"] = config.signature_profile.name
    # The runtime's own, which is no literal.
    assert documented.pop("transport") is None
    assert coded.pop("transport") is not None
    assert documented == coded


def test_the_comparison_has_the_measured_figures() -> None:
    """Its table is the one that the benchmarks wrote."""
    table = (ROOT / "docs/compare.md").read_text().partition("## Calls a second")[2].partition("| client |")[2].rstrip()
    assert (
        f"### Calls a second, as a multiple of base\n\n| client |{table}\n"
        in (ROOT / "docs/benchmarks/native.md").read_text()
    )


def test_the_errors_are_all_documented() -> None:
    """Each public error stands in the table of what to do."""
    text = (ROOT / "docs/guide/failures.md").read_text()
    names = [name for name in circle_ws.errors.__all__ if name != "CircleWsError"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_public_name_has_its_place_in_the_reference() -> None:
    """Each is on one page; the reference itself is generated from the docstrings."""
    text = "".join(page.read_text() for page in sorted((ROOT / "docs/reference").glob("*.md")))
    found = [_resolved(name) for name in re.findall(r"^::: (\S+)", text, re.MULTILINE)]
    placed = {id(it) for it in found}
    assert len(placed) == len(found)
    placed |= {id(getattr(it, name)) for it in found for name in getattr(it, "__all__", ())}
    missing = [
        f"{module.__name__}.{name}"
        for module in PUBLIC
        for name in module.__all__
        # Of what differs in each runtime there are words only.
        if id(getattr(module, name)) not in placed and f"`{module.__name__}.{name}`" not in text
    ]
    assert missing == []


def _resolved(name: str) -> Any:
    """Return what a dotted name of a public module stands for."""
    module, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last)
    except AttributeError:
        return importlib.import_module(name)


@pytest.mark.parametrize("it", [CircleServer, circle_ws.ClientConfig, Circle, *SAYING], ids=lambda it: it.__qualname__)
def test_every_option_is_explained(it: Any) -> None:
    """Where there are many: in the docstring, which the reference shows."""
    names = [name for name in inspect.signature(it).parameters if name != "self"]
    assert [name for name in names if not re.search(rf"^ +\*?{name}: ", it.__doc__, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
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
