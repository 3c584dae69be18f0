"""The imports keep to the architecture: an allow-list of rooms, no circle, each foreign library in its one place."""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import circle_ws

_PACKAGE = Path(circle_ws.__file__).parent

_VALUES = {"errors", "status", "stats", "text"}
_PURE = _VALUES | {"urls", "policy", "jsonrpc", "hooks", "auth"}
_CLIENT = _PURE | {"transport", "config", "engine"}
_MAY_IMPORT: dict[str, set[str]] = {
    "text": set(),
    "errors": {"text"},
    "status": {"errors"},
    "stats": {"errors"},
    "urls": {"errors", "text"},
    "policy": {"errors", "text"},
    "jsonrpc": {"errors", "text"},
    "hooks": {"jsonrpc"},
    "auth": {"errors", "text", "urls", "jsonrpc"},
    "transport": {"errors", "text", "urls"},
    "config": {"auth", "transport", "policy", "hooks", "urls", "errors", "text"},
    "engine": _PURE | {"transport", "config"},
    "batch": _CLIENT,
    "client": _CLIENT | {"batch"},
    "sync": _CLIENT | {"client", "batch"},
    "builder": {"client", "config", "auth", "policy", "transport", "hooks", "errors", "text", "sync"},
    "server": {"auth", "jsonrpc", "urls", "errors", "text"},
    "bundle": set(),
    "testing": _CLIENT | {"builder", "client", "batch", "server", "sync", "bundle"},
    "js": _CLIENT | {"client"},
    "cli": _CLIENT | {"builder", "client", "batch", "server", "bundle"},
    "contrib": _CLIENT | {"builder", "client"},
    "__init__": _CLIENT | {"builder", "client", "batch"},
    "__main__": {"cli"},
}
"""The rooms (modules and sub-packages of the top level) that each room may import, type-only imports included."""

_ENGINE: tuple[set[str], ...] = (
    {"clock", "wakeup", "tasks", "loop_affinity"},
    {"pending_call", "handlers", "listener", "closing"},
    {"session", "notifications", "reconnect", "call_queue"},
    {"send_queue", "observers", "authenticator"},
    {"connector", "session_loop", "inbound"},
    {"supervisor"},
    {"pipeline"},
)
"""The engine's inner order: a module imports only modules that stand before its own group."""

_MAXIMA = {
    "entries on the top level": 25,
    "rooms": 26,
    "floors": 11,
    "lines of the longest module": 400,
    "lines of the longest function": 60,
    "lines of a function, p95": 35,
}
"""A room is a module or sub-package of the top level; floors are the longest chain of imports between rooms."""

_FOREIGN: dict[str, tuple[str, ...]] = {
    "websockets": (
        "transport/native.py",
        "transport/native_connection.py",
        "transport/native_proxy.py",
        "transport/native_errors.py",
        "server/circle.py",
        "server/socket.py",
    ),
    "coincurve": ("auth/backend_coincurve.py",),
    "btclib_secp256k1": ("auth/backend_btclib.py",),
    "Crypto": ("auth/backend.py", "auth/keyfile.py"),
    "ecdsa": ("auth/backend_ecdsa.py",),
    "msgspec": ("jsonrpc/codec.py", "jsonrpc/messages.py", "jsonrpc/convert.py"),
    "js": ("transport/pyodide*.py", "auth/wallet.py", "js/*"),
    "pyodide": ("transport/pyodide*.py", "auth/wallet.py", "js/*", "sync/jspi.py", "testing/loop.py"),
    "_typeshed": ("jsonrpc/messages.py",),
    "typing_extensions": ("jsonrpc/convert.py", "client.py", "batch.py", "engine/listener.py"),
    "typer": ("cli/*", "cli/demo/*", "cli/doctor/*"),
    "rich": ("cli/*", "cli/demo/*", "cli/doctor/*"),
    "opentelemetry": ("contrib/opentelemetry/*",),
    "cryptography": ("auth/keyfile.py",),
    "packaging": ("bundle/wheels.py",),
    "aiohttp": ("testing/pyodide/*",),
    "pytest": ("testing/pytest_*.py", "testing/pyodide/plugin.py", "testing/pyodide/page/inside.py"),
    "coverage": ("testing/pyodide/covered.py", "testing/pyodide/page/inside.py"),
    "nox": ("testing/nox.py",),
}
"""The only places that may import each library that is not of the standard library or ours."""

_CHOICES = {"transport/__init__.py", "auth/backend.py", "transport/waiter.py", "sync/runner.py", "testing/loop.py"}
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
        """The room that is imported, or None for what is not ours."""
        parts = self.target.split(".")
        if parts[0] != "circle_ws":
            return None
        return parts[1] if len(parts) > 1 and parts[1] in _rooms() else "__init__"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


@functools.cache
def _files() -> list[str]:
    return sorted(path.relative_to(_PACKAGE).as_posix() for path in _PACKAGE.rglob("*.py"))


@functools.cache
def _rooms() -> set[str]:
    return {_room(file) for file in _files()}


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse((_PACKAGE / file).read_text(encoding="utf-8"))


def _walk(node: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node, and whether it is reached by loading the module."""
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


@functools.cache
def _imports(file: str) -> list[_Import]:
    return [
        _Import(file, target, getattr(node, "lineno", 0), at_load)
        for node, at_load in _walk(_tree(file))
        for target in _targets(node, file)
    ]


def _room(file: str) -> str:
    return Path(file).parts[0].removesuffix(".py")


def _graph() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    arrows: dict[str, set[str]] = {}
    for file in _files():
        room = arrows.setdefault(_room(file), set())
        room.update(found.own for found in _imports(file) if found.own is not None and found.own != _room(file))
    return arrows


def _allowed(file: str, places: tuple[str, ...]) -> bool:
    return any(Path(file).match(place) for place in places)


@pytest.mark.parametrize("file", _files())
def test_a_room_imports_what_it_may(file: str) -> None:
    """Imports between rooms, also those for types only or inside functions, are those of the table."""
    room = _room(file)
    assert room in _MAY_IMPORT, f"{room} is a new room: put it into the table"
    for found in _imports(file):
        assert found.own is None or found.own == room or found.own in _MAY_IMPORT[room], str(found)


def _heights(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Return for each node the length of the longest chain of arrows that begins there; a circle fails the test."""
    found: dict[str, int] = {}

    def height(node: str, above: tuple[str, ...]) -> int:
        assert node not in above, f"a circle of imports: {' -> '.join((*above, node))}"
        if node not in found:
            found[node] = 1 + max((height(target, (*above, node)) for target in arrows[node]), default=0)
        return found[node]

    for node in arrows:
        height(node, ())
    return found


def test_modules_do_not_import_each_other() -> None:
    """No circle within a room either: modules by name, packages by their `__init__`."""
    names = {file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in _files()}
    names = {("circle_ws." + name).removesuffix(".__init__"): file for name, file in names.items()}
    arrows: dict[str, set[str]] = {}
    for name, file in names.items():
        targets = {found.target for found in _imports(file)}
        found = {target if target in names else target.rpartition(".")[0] for target in targets}
        arrows[name] = {one for one in found if one in names and one != name}
    _heights(arrows)


def _engine_group(module: str) -> int:
    return next(group for group, names in enumerate(_ENGINE) if module in names)


@pytest.mark.parametrize("file", [file for file in _files() if _room(file) == "engine"])
def test_the_engine_keeps_its_order(file: str) -> None:
    """Within the engine, a module imports only what stands before it."""
    module = Path(file).stem
    if module == "__init__":
        return
    for found in _imports(file):
        parts = found.target.split(".")
        if parts[:2] == ["circle_ws", "engine"] and len(parts) > 2:
            assert _engine_group(parts[2]) < _engine_group(module), str(found)


def _figures() -> dict[str, int]:
    """Return the sizes of the house, by what they are sizes of."""
    sizes = sorted(size for file in _files() for size in _function_sizes(file))
    return {
        "entries on the top level": len([path for path in _PACKAGE.iterdir() if path.name != "__pycache__"]),
        "rooms": len(_rooms()),
        "floors": max(_heights(_graph()).values()),
        "lines of the longest module": max(map(_lines, _files())),
        "lines of the longest function": sizes[-1],
        "lines of a function, p95": sizes[len(sizes) * 95 // 100],
    }


@pytest.mark.parametrize("what", sorted(_MAXIMA))
def test_the_house_stays_small(what: str) -> None:
    """The top level, the rooms, the floors, the modules and the functions are few and short enough to be read."""
    assert _figures()[what] <= _MAXIMA[what]


def _lines(file: str) -> int:
    return len((_PACKAGE / file).read_text(encoding="utf-8").splitlines())


def _function_sizes(file: str) -> Iterator[int]:
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("file", _files())
def test_foreign_libraries_have_their_place(file: str) -> None:
    """A foreign library is imported by the files that may, and no other foreign library is imported."""
    # annotationlib is new in Python 3.14; its import is guarded by the version.
    known = sys.stdlib_module_names | set(_FOREIGN) | {"circle_ws", "annotationlib"}
    for found in _imports(file):
        assert found.top in known, f"{found}, for which no place is set"
        if found.top in _FOREIGN:
            assert _allowed(file, _FOREIGN[found.top]), f"{found}, which only {_FOREIGN[found.top]} may"


@pytest.mark.parametrize("file", [file for file in _files() if _room(file) in _PURE])
def test_no_loop_below_the_transports(file: str) -> None:
    """Values and pure cores do no I/O, have no loop and no clock; signing in among them."""
    for found in _imports(file):
        assert found.top not in {"asyncio", "socket", "ssl", "threading", "select", "time", "websockets"}, str(found)


def test_ecdsa_is_loaded_on_use() -> None:
    """The slow backend imports its library inside a function, so that loading the package does not."""
    found = [one for file in _files() for one in _imports(file) if one.top == "ecdsa"]
    assert found
    assert not [str(one) for one in found if one.at_load]


def _asks_where_it_runs(file: str, node: ast.AST) -> bool:
    """Return whether a node asks for the runtime; the command line and key files may ask for the operating system."""
    if _room(file) == "bundle":  # It describes another Python, and is for developers' machines only.
        return False
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        asked = (node.value.id, node.attr) in {("sys", "platform"), ("platform", "system"), ("os", "name")}
        return asked and _room(file) != "cli" and file != "auth/keyfile.py"
    return isinstance(node, ast.Constant) and node.value in ("emscripten", "wasm32")


def test_the_platform_decides_in_few_files() -> None:
    """Only the choices, and the default of the keep-alive, ask where they run; nothing else sniffs."""
    asking = {file for file in _files() if any(_asks_where_it_runs(file, node) for node in ast.walk(_tree(file)))}
    assert asking == _CHOICES | {"config/__init__.py"}


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


if __name__ == "__main__":
    for what, figure in _figures().items():
        print(f"{figure:4} {what} (at most {_MAXIMA[what]})")
    print(f"{sum(map(_lines, _files())):4} lines in {len(_files())} modules")
