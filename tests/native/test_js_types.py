"""The types of circle_ws.js for TypeScript: the compiler takes what a page may write, and they name what there is."""

import re
import subprocess
from pathlib import Path
from shutil import copy, which

import pytest

import circle_ws.js
from circle_ws import Backoff, ConnectionStatus, KeepAlive, UnsupportedRuntime
from circle_ws.auth import PROFILES
from circle_ws.bundle import npm
from circle_ws.bundle.cache import ToolError
from circle_ws.config import ClientOptions

_TYPES = Path(circle_ws.js.__file__).parent / "index.d.ts"
_PAGE = Path(__file__).parent / "samples" / "page.ts"
_GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
_PRELUDE = """
declare const pyodide: { pyimport(name: "circle_ws.js"): typeof import("./circle_ws.js") };
declare const key: string;
"""
_TYPESCRIPT = "5.9.3"
_NOT_IN_A_PAGE = {"headers", "tls", "proxy", "compression", "middleware", "classifier", "transport"}


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def test_the_compiler_agrees(tmp_path: Path) -> None:
    """Under `strict`: with the sample, of which each wrong line is an error that is expected, and with the guide."""
    if which("node") is None:
        pytest.skip("Node is not on this machine")
    try:
        compiler = npm.package("typescript", _TYPESCRIPT) / "bin" / "tsc"
    except ToolError as error:
        pytest.skip(f"there is no TypeScript: {error}")
    options = "--noEmit --strict --useUnknownInCatchVariables false --skipDefaultLibCheck --target es2022"
    options += " --module nodenext --lib es2022,dom"
    guide = tmp_path / "guide.mts"
    blocks = re.findall(r"```(?:java|type)script\n(.*?)```", _GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 2
    guide.write_text(_PRELUDE + "\n".join(blocks), encoding="utf-8")
    copy(_TYPES, tmp_path / "circle_ws.d.ts")
    command = ["node", str(compiler), *options.split(), str(_PAGE), str(guide)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_types_name_the_options() -> None:
    """Every option that makes sense in a page, and no other."""
    text = _TYPES.read_text(encoding="utf-8")
    options = {_camel(name) for name in set(ClientOptions.__annotations__) - _NOT_IN_A_PAGE} | {"onStatus"}
    nested = {_camel(name) for kind in (KeepAlive, Backoff) for name in kind.__dataclass_fields__}
    named = set(re.findall(r"(\w+)\?:", text.partition("interface Options")[2].partition("interface CallOptions")[0]))
    assert named - nested == options - nested
    assert nested <= named | {"interval"}


def test_the_types_name_the_values() -> None:
    """The states and the profiles."""
    text = _TYPES.read_text(encoding="utf-8")
    states = text.partition("type Status =")[2].partition(";")[0]
    assert re.findall('"(.*?)"', states) == [status.value for status in ConnectionStatus]
    assert re.findall('"(.*?)"', text.partition("profile?:")[2].partition(";")[0]) == list(PROFILES)


def test_python_is_told_where_it_belongs() -> None:
    """The module can be imported anywhere; connecting needs a page."""
    with pytest.raises(UnsupportedRuntime, match="JavaScript around Pyodide"):
        circle_ws.js.connect("wss://circle.example/")
