"""Make the wheel for pages from the ordinary one: a page loads it anew, so it has what a page can run and no more.

Left out are the modules that only run natively, the docstrings, the comments and what only type checkers read. What is
left keeps its lines, so that tracebacks and coverage name those of the sources, and means the same. All modules but the
package's own lie in one file inside the wheel, from which `page_modules` imports them: the wheel compresses them
together, to two thirds of what they take one by one.

Its version ends in `+page`: a package index takes no such version, and a native `pip install` that is handed the file
gets a package that says in words, at import, what it is.
"""

import ast
import base64
import csv
import hashlib
import io
import json
import tokenize
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

__all__ = [
    "IMPORTER",
    "LEFT_OUT",
    "MODULES",
    "SEARCH",
    "STUBS",
    "add_code",
    "blank",
    "is_text",
    "is_type_checking",
    "make",
]

MODULES = "circle_ws/modules.json"
IMPORTER = "circle_ws/modules.py"
_OWN = "circle_ws/__init__.py"
SEARCH = b"from . import modules"
"""The first line of the package, which makes its modules known. In the sources a docstring begins there."""

LEFT_OUT = (
    "circle_ws/__main__.py",
    "circle_ws/auth/backend_btclib.py",
    "circle_ws/auth/backend_coincurve.py",
    "circle_ws/auth/keccak_native.py",
    "circle_ws/cli/",
    "circle_ws/jsonrpc/codec_native.py",
    "circle_ws/server/",
    "circle_ws/transport/addresses.py",
    "circle_ws/transport/answer.py",
    "circle_ws/transport/environment.py",
    "circle_ws/transport/failures.py",
    "circle_ws/transport/frames.py",
    "circle_ws/transport/link.py",
    "circle_ws/transport/native.py",
    "circle_ws/transport/socks.py",
    "circle_ws/transport/tunnel.py",
)
"""What needs sockets, processes or libraries that no page has: files, and folders with all that is in them."""

STUBS = {
    "circle_ws/transport/native.py": "this is the wheel of circle-ws for pages, which runs in Pyodide only; "
    "natively, install the ordinary one: pip install circle-ws",
    "circle_ws/cli/__init__.py": "the command line of circle-ws runs natively only, not in a page",
    "circle_ws/server/__init__.py": "the reference circle (circle_ws.server) runs natively only, not in a page",
}
"""What is said by the modules that somebody may import all the same."""


def make(wheel: Path) -> Path:
    """Write the wheel for pages beside the ordinary one.

    Args:
        wheel: The ordinary wheel.

    Returns:
        The new file.
    """
    name, version, tags = wheel.name.split("-", 2)
    paged = f"{version}+page"
    with zipfile.ZipFile(wheel) as archive:
        old, new = f"{name}-{version}.dist-info/", f"{name}-{paged}.dist-info/"
        files = {path.replace(old, new): archive.read(path) for path in archive.namelist() if _is_kept(path)}
    modules = {path: blank(files.pop(path)) for path in list(files) if path.endswith(".py")}
    modules |= {path: f"raise ImportError({words!r})\n".encode() for path, words in STUBS.items()}
    metadata = files.pop(f"{new}METADATA")
    files[f"{new}METADATA"] = metadata.replace(f"\nVersion: {version}\n".encode(), f"\nVersion: {paged}\n".encode(), 1)
    files[_OWN] = SEARCH + modules.pop(_OWN)
    files[IMPORTER] = blank(Path(__file__).with_name("page_modules.py").read_bytes())
    inner = {path.removeprefix("circle_ws/"): modules[path].decode() for path in sorted(modules)}
    files[MODULES] = json.dumps(inner, ensure_ascii=False, separators=(",", ":")).encode()
    made = wheel.with_name(f"{name}-{paged}-{tags}")
    _write(made, files)
    return made


def add_code(wheel: Path, packed: Path) -> Path:
    """Put code into the wheel for pages, and write the wheel of the code that it may find beside itself.

    Args:
        wheel: The wheel for pages; it is written anew, and runs with any Python still.
        packed: What `compile_package` made of it.

    Returns:
        The wheel of the code.
    """
    name, paged, tags = wheel.name.split("-", 2)
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(packed) as code:
        files = {path: archive.read(path) for path in archive.namelist() if not path.endswith("/RECORD")}
        files |= {f"{name}/__pycache__/{path}": code.read(path) for path in code.namelist() if path.endswith(".pyc")}
        modules = code.read("modules.code")
    _write(wheel, files)
    info = f"{name}_code-{paged}.dist-info/"
    about = {"Metadata-Version": "2.1", "Name": "circle-ws-code", "Version": paged}
    code_files = {
        f"{name}_code/modules.code": modules,
        f"{info}METADATA": _headers(about),
        # Any Python may have it, and all but one will leave it alone.
        f"{info}WHEEL": _headers({"Wheel-Version": "1.0", "Root-Is-Purelib": "true", "Tag": "py3-none-any"}),
    }
    made = wheel.with_name(f"{name}_code-{paged}-{tags}")
    _write(made, code_files)
    return made


def blank(source: bytes) -> bytes:
    """Take out of a module what has no meaning when it runs; every statement stays in its line and means the same.

    That is docstrings and comments, what only type checkers see (`if TYPE_CHECKING:`), and the annotations of
    functions, but not those of fields, which make dataclasses.
    """
    tree = ast.parse(source)
    lines = [bytearray(line) for line in source.splitlines()]
    cuts = [*_comments(source), *_texts(tree), *_type_checking(tree), *_annotations(tree, lines)]
    # From the end: what stands before keeps its place. Of two that begin in one place, the longer one is the outer one.
    outer: list[_Cut] = []
    for cut in sorted(cuts, key=lambda one: (one.start, (-one.end[0], -one.end[1]))):
        if not outer or cut.start >= outer[-1].end:
            outer.append(cut)
    for cut in reversed(outer):
        _apply(lines, cut)
    return b"".join(line.rstrip() + b"\n" for line in lines)


def is_text(node: ast.AST) -> bool:
    """Tell whether a statement is a text and nothing else: a docstring, or the description of what stands before it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    """Tell whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@dataclass(frozen=True)
class _Cut:
    """What is taken out: from where to where, each a row from 1 and a column in bytes, and what comes instead."""

    start: tuple[int, int]
    end: tuple[int, int]
    instead: bytes = b""


def _is_kept(path: str) -> bool:
    # A page has no console for scripts.
    return not path.startswith(LEFT_OUT) and not path.endswith(("/RECORD", "/entry_points.txt"))


def _comments(source: bytes) -> Iterator[_Cut]:
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start[0], len(token.line[: token.start[1]].encode())
            yield _Cut((row, column), (row, column + len(token.string.encode())))


def _texts(tree: ast.Module) -> Iterator[_Cut]:
    """Find every text that is a statement of its own.

    For a docstring `pass` comes in its place where its block has nothing else; for any other text always, because such
    a line counts for coverage.
    """
    for node in ast.walk(tree):
        statements = getattr(node, "body", None)
        if isinstance(statements, list):
            texts = [statement for statement in statements if is_text(statement)]
            alone = len(texts) == len(statements) and not isinstance(node, ast.Module)
            for text in texts:
                yield _cut(text, text, b"" if text is statements[0] and not alone else b"pass")


def _type_checking(tree: ast.Module) -> Iterator[_Cut]:
    for node in ast.walk(tree):
        if is_type_checking(node):
            yield _cut(node.body[0], node.body[-1], b"pass")


def _annotations(tree: ast.Module, lines: list[bytearray]) -> Iterator[_Cut]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            cut = _cut(node, node.annotation)
            yield replace(cut, start=(node.lineno, node.col_offset + len(node.arg.encode())))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            cut = _cut(node.returns, node.returns)
            arrow = lines[cut.start[0] - 1].rfind(b"->", 0, cut.start[1])
            # Outside of brackets nothing may go over the end of a line.
            if arrow >= 0 and cut.start[0] == cut.end[0]:
                yield replace(cut, start=(cut.start[0], arrow))


def _cut(first: ast.stmt | ast.expr | ast.arg, last: ast.stmt | ast.expr, instead: bytes = b"") -> _Cut:
    end = (last.end_lineno or last.lineno, last.end_col_offset or 0)
    return _Cut((first.lineno, first.col_offset), end, instead)


def _apply(lines: list[bytearray], cut: _Cut) -> None:
    (first, start), (last, end) = cut.start, cut.end
    rest = lines[last - 1][end:]
    for row in range(first, last):
        lines[row].clear()
    lines[first - 1][start:] = cut.instead
    lines[last - 1 if last > first else first - 1] += rest


def _headers(values: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in values.items()).encode()


def _write(wheel: Path, files: dict[str, bytes]) -> None:
    folder = next(path.partition("/")[0] for path in files if path.endswith(".dist-info/METADATA"))
    record = f"{folder}/RECORD"
    wheel.write_bytes(_zip({**files, record: _record(files, record)}))


def _record(files: dict[str, bytes], own: str) -> bytes:
    """Write the list of files with their digests, as the specification of wheels asks for."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    for path, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(body)])
    rows.writerow([own, "", ""])
    return written.getvalue().encode()


def _zip(files: dict[str, bytes]) -> bytes:
    """Make an archive; the same files make the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, body in files.items():
            info = zipfile.ZipInfo(path, (2020, 2, 2, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()
