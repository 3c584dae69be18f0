"""The imports keep to the architecture: downward only, each foreign library in its one place."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import circle_ws

_PACKAGE = Path(circle_ws.__file__).parent

_FLOORS: tuple[set[str], ...] = (
    {
        "errors",
        "frozen",
        "status",
        "backoff",
        "url",
        "buffer",
        "stats",
        "opening",
        "postponed",
        "proxy",
        "text",
    },
    {"jsonrpc", "auth", "policy", "recovery", "liveness", "typed"},
    {"transport", "waiter"},
    {
        "alarm",
        "authenticator",
        "batch",
        "blame",
        "board",
        "connection_log",
        "call",
        "call_queue",
        "callbacks",
        "calls",
        "caller",
        "client",
        "comeback",
        "config",
        "deadline",
        "goodbyes",
        "handlers",
        "handshake",
        "home",
        "inbound",
        "keepalive",
        "listener",
        "listening",
        "outbox",
        "owner",
        "renewal",
        "request",
        "serving",
        "session",
        "setup",
        "supervisor",
        "tasks",
        "trouble",
        "validation",
    },
    {"builder", "cli", "server", "testing", "sync", "__main__", "__init__"},
)
"""Which modules and sub-packages stand on which floor; each may import its own floor and those below."""

_FOREIGN: dict[str, tuple[str, ...]] = {
    "websockets": ("transport/native.py", "transport/link.py", "server/"),
    "coincurve": ("auth/backend_coincurve.py",),
    "btclib_secp256k1": ("auth/backend_btclib.py",),
    "Crypto": ("auth/keccak_native.py", "auth/keyfile.py"),
    "ecdsa": ("auth/backend_ecdsa.py",),
    "msgspec": ("jsonrpc/codec_native.py",),
    "orjson": ("jsonrpc/codec_native.py",),
    "js": (
        "transport/pyodide.py",
        "transport/flood.py",
        "transport/reading.py",
        "transport/page.py",
        "auth/wallet.py",
        "sync.py",
    ),
    "pyodide": (
        "transport/pyodide.py",
        "transport/flood.py",
        "transport/reading.py",
        "transport/page.py",
        "auth/wallet.py",
        "sync.py",
    ),
    "typing_extensions": ("typed/",),
    "typer": ("cli/",),
    "rich": ("cli/",),
    "cryptography": ("auth/keyfile.py",),
}
"""The only places that may import each library that is not of the standard library or ours."""

_CHOICES = {"transport/__init__.py", "auth/backend.py", "jsonrpc/json.py", "waiter.py"}
"""The files that choose between the runtimes at import."""


@dataclass(frozen=True)
class _Import:
    """One import: in which file, of what, and whether it happens when the module is loaded."""

    file: str
    target: str
    line: int
    at_load: bool

    @property
    def top(self) -> str:
        """The package that is imported; of our own modules `circle_ws`."""
        return self.target.partition(".")[0]

    @property
    def own(self) -> str | None:
        """The first name under `circle_ws`, or None for what is not ours."""
        parts = self.target.split(".")
        if parts[0] != "circle_ws":
            return None
        return parts[1] if len(parts) > 1 else "__init__"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def _files() -> list[str]:
    return sorted(path.relative_to(_PACKAGE).as_posix() for path in _PACKAGE.rglob("*.py"))


def _tree(file: str) -> ast.Module:
    return ast.parse((_PACKAGE / file).read_text(encoding="utf-8"))


def _walk(node: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Give every node, and whether it is reached by loading the module."""
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, at_load
        yield from _walk(child, at_load and not inside)


def _targets(node: ast.AST, file: str) -> list[str]:
    """Name in full what an import statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = [node.module] if node.module else []
    if node.level:
        folder = ["circle_ws", *Path(file).parent.parts]
        base = folder[: len(folder) - (node.level - 1)] + base
    return [".".join([*base, alias.name]) for alias in node.names]


def _imports(file: str) -> list[_Import]:
    return [
        _Import(file, target, getattr(node, "lineno", 0), at_load)
        for node, at_load in _walk(_tree(file))
        for target in _targets(node, file)
    ]


def _name(file: str) -> str:
    """Name the module, or the sub-package, whose floor counts for a file."""
    return Path(file).parts[0].removesuffix(".py")


def _floor(name: str) -> int:
    return next((floor for floor, names in enumerate(_FLOORS) if name in names), len(_FLOORS))


def _allowed(file: str, places: tuple[str, ...]) -> bool:
    return any(file == place or (place.endswith("/") and file.startswith(place)) for place in places)


def test_every_module_has_a_floor() -> None:
    """A new module is put on a floor before anything else."""
    assert {_name(file) for file in _files()} <= set().union(*_FLOORS)


def test_no_module_stands_on_two_floors() -> None:
    """Each name is in the table once."""
    assert sum(map(len, _FLOORS)) == len(set().union(*_FLOORS))


@pytest.mark.parametrize("file", _files())
def test_imports_go_downward(file: str) -> None:
    """A module imports its own floor and those below; values only errors, `frozen`, `text` and `url`."""
    floor = _floor(_name(file))
    for found in _imports(file):
        if found.own is None:
            continue
        assert _floor(found.own) <= floor, f"{found}, which stands above"
        if floor == 0:
            assert found.own in {"errors", "frozen", "text", "url"}, f"{found}, but a value may import only those"


@pytest.mark.parametrize("file", _files())
def test_foreign_libraries_have_their_place(file: str) -> None:
    """A foreign library is imported by the files that may, and no unknown one by anybody."""
    known = sys.stdlib_module_names | set(_FOREIGN) | {"circle_ws"}
    for found in _imports(file):
        assert found.top in known, f"{found}, for which no place is set"
        if found.top in _FOREIGN:
            assert _allowed(file, _FOREIGN[found.top]), f"{found}, which only {_FOREIGN[found.top]} may"


@pytest.mark.parametrize("file", [file for file in _files() if _floor(_name(file)) < 2])
def test_no_loop_below_the_transports(file: str) -> None:
    """Values and pure cores do no I/O, have no loop and no clock; signing in among them."""
    for found in _imports(file):
        assert found.top not in {"asyncio", "socket", "ssl", "threading", "select", "time", "websockets"}, str(found)


def test_ecdsa_is_loaded_on_use() -> None:
    """The slow backend imports its library inside a function, so that loading the package does not."""
    found = [one for file in _files() for one in _imports(file) if one.top == "ecdsa"]
    assert found
    assert not [str(one) for one in found if one.at_load]


@pytest.mark.parametrize("file", [file for file in _files() if _name(file) == "server"] or ["server"])
def test_the_server_is_no_client(file: str) -> None:
    """The reference circle stands on the same wire rules, and on nothing of the client's engine."""
    if file == "server":
        pytest.skip("there is no server yet")
    for found in _imports(file):
        assert found.own not in {"client", "supervisor", "session", "builder", "__init__"}, str(found)


def _asks_where_it_runs(file: str, node: ast.AST) -> bool:
    """Tell whether a node asks for the runtime; the command line and key files may ask for the operating system."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        asked = (node.value.id, node.attr) in {("sys", "platform"), ("platform", "system"), ("os", "name")}
        return asked and _name(file) != "cli" and file != "auth/keyfile.py"
    return isinstance(node, ast.Constant) and node.value in ("emscripten", "wasm32")


def test_the_platform_decides_in_three_files() -> None:
    """Only the three choices, and the default of the keep-alive, ask where they run; nothing else sniffs."""
    asking = {file for file in _files() if any(_asks_where_it_runs(file, node) for node in ast.walk(_tree(file)))}
    assert asking == _CHOICES | {"config.py"}


@pytest.mark.parametrize("file", sorted(_CHOICES))
def test_a_choice_is_an_if_on_the_platform(file: str) -> None:
    """Each choice is one `if sys.platform == "emscripten"` at the top of the module, as type checkers read it."""
    tests = [ast.unparse(node.test) for node in _tree(file).body if isinstance(node, ast.If)]
    assert [test.partition(" or ")[0] for test in tests if "TYPE_CHECKING" not in test] == [
        "sys.platform == 'emscripten'"
    ]
    tries = [node for node in ast.walk(_tree(file)) if isinstance(node, ast.Try)]
    assert not [one for node in tries for one in ast.walk(node) if isinstance(one, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("file", _files())
def test_no_javascript_is_evaluated(file: str) -> None:
    """A strict content security policy forbids `eval`; so do we, in either language."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            assert called not in {"eval", "exec", "run_js", "eval_code", "Function"}, f"{file}:{node.lineno} {called}"
