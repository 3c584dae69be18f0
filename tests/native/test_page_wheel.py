"""The wheel for pages: small, valid, and in meaning and in lines the same as the sources."""

import ast
import base64
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import circle_ws
from tests.support.limits import PATIENCE
from tools import page_wheel

_CHECKOUT = Path(circle_ws.__file__).parents[1]
_MOST = 90_000
"""The size that a page may be asked to load, in bytes."""
_SOURCES = sorted(path.relative_to(_CHECKOUT).as_posix() for path in (_CHECKOUT / "circle_ws").rglob("*.py"))
_DIST = "circle_ws-1.2.3+page.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for pages, made of an ordinary one as build backends write it."""
    ordinary = tmp_path_factory.mktemp("wheel") / "circle_ws-1.2.3-py3-none-any.whl"
    old = "circle_ws-1.2.3.dist-info"
    with zipfile.ZipFile(ordinary, "w") as archive:
        for name in _SOURCES:
            archive.write(_CHECKOUT / name, name)
        archive.writestr("circle_ws/py.typed", "")
        words = (_CHECKOUT / "README.md").read_text()
        archive.writestr(f"{old}/METADATA", f"Metadata-Version: 2.4\nName: circle-ws\nVersion: 1.2.3\n\n{words}")
        archive.writestr(f"{old}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{old}/entry_points.txt", "[console_scripts]\ncircle-ws = circle_ws.cli:main\n")
        archive.writestr(f"{old}/RECORD", "")
    return page_wheel.make(ordinary)


@pytest.fixture(scope="module")
def modules(wheel: Path) -> dict[str, bytes]:
    """The modules in it, by the path that they have in the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        inner = json.loads(archive.read(page_wheel.MODULES))
        found = {f"circle_ws/{name}": source.encode() for name, source in inner.items()}
        return found | {"circle_ws/__init__.py": archive.read("circle_ws/__init__.py")}


def _plain(source: str | bytes) -> ast.Module:
    """Parse, and leave out what the wheel for pages leaves out, but keep the lines of all else."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if page_wheel.is_type_checking(node):
            node.body = []
        elif isinstance(body := getattr(node, "body", None), list):
            body[:] = [it for it in body if not page_wheel.is_text(it) and not isinstance(it, ast.Pass)]
    return tree


def _statements(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            yield node.lineno, ast.dump(node)


def _is_left_out(name: str) -> bool:
    return name.startswith(page_wheel.LEFT_OUT)


def test_it_is_small(wheel: Path) -> None:
    """A page loads it anew in every profile, over whatever network it has."""
    assert wheel.stat().st_size <= _MOST


def test_its_name_says_what_it_is(wheel: Path) -> None:
    """The local version is in the name of the file, of its folder and in its metadata; an index refuses such a one."""
    assert wheel.name == "circle_ws-1.2.3+page-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert b"\nVersion: 1.2.3+page\n" in archive.read(f"{_DIST}/METADATA")
        assert f"{_DIST}/entry_points.txt" not in archive.namelist()


def test_it_has_all_that_a_page_can_run(modules: dict[str, bytes]) -> None:
    """Every module is there but those that are left out by name; of these only the ones that say so."""
    kept = {name for name in _SOURCES if not _is_left_out(name)}
    assert set(modules) == kept | set(page_wheel.STUBS)


@pytest.mark.parametrize("place", page_wheel.LEFT_OUT)
def test_what_is_left_out_exists(place: str) -> None:
    """A module that was renamed is not forgotten in the list."""
    assert any(name.startswith(place) for name in _SOURCES)


@pytest.mark.parametrize("name", [name for name in _SOURCES if not _is_left_out(name)])
def test_each_module_means_the_same(modules: dict[str, bytes], name: str) -> None:
    """Apart from docstrings, annotations and what type checkers read, the trees are equal, line by line."""
    paged = modules[name].removeprefix(page_wheel.SEARCH) if name == "circle_ws/__init__.py" else modules[name]
    ours, theirs = _plain((_CHECKOUT / name).read_bytes()), _plain(paged)
    assert ast.dump(theirs) == ast.dump(ours)
    assert list(_statements(theirs)) == list(_statements(ours))


@pytest.mark.parametrize("name", [name for name in _SOURCES if not _is_left_out(name)])
def test_no_module_has_words_for_people(modules: dict[str, bytes], name: str) -> None:
    """No docstring and no comment is left."""
    assert b"#" not in b"".join(line for line in modules[name].splitlines() if line.lstrip().startswith(b"#"))
    assert not [node for node in ast.walk(ast.parse(modules[name])) if page_wheel.is_text(node)]


def test_its_record_is_right(wheel: Path) -> None:
    """Every file is in it once, with its digest and its size; the record itself has neither."""
    _check_record(wheel, _DIST)


def _check_record(wheel: Path, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        rows = list(csv.reader(io.StringIO(archive.read(f"{folder}/RECORD").decode())))
        assert sorted(row[0] for row in rows) == sorted(archive.namelist())
        assert rows[-1] == [f"{folder}/RECORD", "", ""]
        for path, digest, size in rows[:-1]:
            body = archive.read(path)
            expected = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={expected}", len(body)), path


def test_it_is_made_the_same_every_time(wheel: Path, tmp_path: Path) -> None:
    """The same sources give the same bytes, so that the digest in a lock file tells what is in it."""
    again = tmp_path / "circle_ws-1.2.3-py3-none-any.whl"
    again.write_bytes((wheel.parent / again.name).read_bytes())
    assert page_wheel.make(again).read_bytes() == wheel.read_bytes()


def _import(wheel: Path, folder: Path, name: str) -> str:
    """Import from the unpacked wheel in a fresh interpreter; gives the last line that it complains with."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    program = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); import {name}"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE)
    return (done.stderr.strip().splitlines() or [""])[-1]


@pytest.fixture
def unpacked(wheel: Path, tmp_path: Path) -> Path:
    """The folder that it is unpacked in; the package imports nothing, as most of it runs in pages only."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "circle_ws" / "__init__.py").write_bytes(page_wheel.SEARCH + b"\n")
    return tmp_path


def _printed(folder: Path, program: str) -> str:
    """Run a program that can import from a folder, in a fresh interpreter; gives what it prints, errors too."""
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {program}"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE).stdout


def test_modules_are_found_in_one_file(unpacked: Path) -> None:
    """The package's path leads into it: `errors` needs no runtime, but the package around it does."""
    assert _printed(unpacked, "import circle_ws.errors, circle_ws.frozen, circle_ws.typed.converter") == ""


def test_what_is_not_in_it_is_not_found(unpacked: Path) -> None:
    """A module that there is not is missed in the usual words, in the package and in a package within."""
    for name in ("circle_ws.nothing", "circle_ws.typed.nothing"):
        assert _printed(unpacked, f"import {name}").endswith(f"ModuleNotFoundError: No module named '{name}'\n")


def test_its_modules_are_listed(unpacked: Path) -> None:
    """`pkgutil` walks through the package as if each module were a file."""
    walk = "[it.name for it in pkgutil.iter_modules(circle_ws.__path__) if it.ispkg]"
    listed = f"import pkgutil, circle_ws; print({walk})"
    assert _printed(unpacked, listed) == "['auth', 'cli', 'jsonrpc', 'server', 'transport', 'typed']\n"
    within = "[it.name for it in pkgutil.iter_modules(circle_ws.jsonrpc.__path__, 'circle_ws.jsonrpc.')]"
    kept = [name for name in _SOURCES if name.startswith("circle_ws/jsonrpc/") and not _is_left_out(name)]
    names = [name.removesuffix(".py").replace("/", ".") for name in kept if not name.endswith("__init__.py")]
    assert _printed(unpacked, f"import pkgutil, circle_ws.jsonrpc; print({within})") == f"{names}\n"


_PUT_CODE = """
import lzma, marshal, os
from circle_ws import modules
code = compile("said = 'code'", f"{modules.HOME}/postponed.py", "exec")
os.mkdir(f"{modules.HOME}_code")
with open(f"{modules.HOME}_code/modules.code", "wb") as file:
    file.write(modules.KEY + lzma.compress(marshal.dumps({"postponed.py": code})))
"""
_WHAT_WAS_TAKEN = "import circle_ws.postponed; print(getattr(circle_ws.postponed, 'said', 'source'))"


@pytest.mark.parametrize(
    ("spoil", "taken"),
    [
        (lambda code: code, "code"),
        (lambda code: b"\0" + code[1:], "source"),
        (lambda code: code[:4] + b"\0" + code[5:], "source"),
        (lambda code: b"", "source"),
    ],
    ids=["that fits", "of another Python", "of other sources", "of nothing"],
)
def test_code_is_taken_only_where_it_fits(unpacked: Path, spoil: Callable[[bytes], bytes], taken: str) -> None:
    """Code of another Python, or of other sources, is left alone; the sources are there for everybody."""
    assert _printed(unpacked, f"exec({_PUT_CODE!r})") == ""
    file = unpacked / "circle_ws_code" / "modules.code"
    file.write_bytes(spoil(file.read_bytes()))
    assert _printed(unpacked, _WHAT_WAS_TAKEN) == f"{taken}\n"


def test_code_is_not_taken_for_changed_sources(unpacked: Path) -> None:
    """One letter more in the sources, and they are compiled."""
    assert _printed(unpacked, f"exec({_PUT_CODE!r})") == ""
    sources = unpacked / page_wheel.MODULES
    sources.write_bytes(sources.read_bytes() + b" ")
    assert _printed(unpacked, _WHAT_WAS_TAKEN) == "source\n"


def test_the_wheels_with_code_are_valid(wheel: Path, tmp_path: Path) -> None:
    """The wheel takes the two `.pyc`, and stays small; the code is a wheel of its own; both have a right record."""
    packed, own = tmp_path / "packed.zip", tmp_path / wheel.name
    own.write_bytes(wheel.read_bytes())
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("modules.code", b"code")
        archive.writestr("__init__.cpython-314.pyc", b"pyc")
    code = page_wheel.add_code(own, packed)
    assert code.name == "circle_ws_code-1.2.3+page-py3-none-any.whl"
    for path, folder in ((own, _DIST), (code, "circle_ws_code-1.2.3+page.dist-info")):
        _check_record(path, folder)
    with zipfile.ZipFile(own) as new, zipfile.ZipFile(wheel) as old:
        assert set(new.namelist()) - set(old.namelist()) == {"circle_ws/__pycache__/__init__.cpython-314.pyc"}
        assert all(new.read(name) == old.read(name) for name in old.namelist() if not name.endswith("/RECORD"))
    with zipfile.ZipFile(code) as archive:
        assert archive.read("circle_ws_code/modules.code") == b"code"


def test_natively_it_says_what_it_is(wheel: Path, tmp_path: Path) -> None:
    """Who installs it natively is told which one to take."""
    words = page_wheel.STUBS["circle_ws/transport/native.py"]
    assert _import(wheel, tmp_path, "circle_ws") == f"ImportError: {words}"
    assert not (tmp_path / "circle_ws" / "errors.py").exists(), "it must not write where it was installed"


@pytest.mark.parametrize("source", ["x = 1\n", "def f(a: int = 3, *b: str, **c: 'x') -> int: return a\n"])
def test_small_sources(source: str) -> None:
    """Statements in one line keep their meaning."""
    assert ast.dump(_plain(page_wheel.blank(source.encode()))) == ast.dump(_plain(source))


def test_texts_that_are_values_stay() -> None:
    """Only what stands alone is a docstring; a `#` inside of a text is no comment; umlauts count their bytes."""
    source = (
        'x = "# ä"  # ö\ndef f():\n    """Alone."""\nclass A:\n    """Doc."""\n    y: "int" = 1\n    """About y."""\n'
    )
    expected = 'x = "# ä"\ndef f():\n    pass\nclass A:\n\n    y: "int" = 1\n    pass\n'
    assert page_wheel.blank(source.encode()).decode() == expected
