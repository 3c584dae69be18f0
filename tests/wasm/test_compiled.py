"""What a bundle has compiled: the standard library, of which it has only the code, and our own modules."""

import json
import sys
import traceback
from importlib import import_module
from pathlib import Path

import pytest

import circle_ws
from circle_ws.url import check_url


def test_tracebacks_name_files_and_lines_of_the_library() -> None:
    """Where an error passed through the library is told with the file of the sources, and the line."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("[")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    library = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    assert (last.filename, last.name) == (f"/lib/{library}/json/decoder.py", "raw_decode")
    code = json.JSONDecoder.raw_decode.__code__
    assert last.lineno is not None and last.lineno > code.co_firstlineno > 300


def test_our_code_is_taken_where_it_is() -> None:
    """The code that the bundle brings fits its Python and its sources, and every program's modules are in it."""
    modules = import_module("circle_ws.modules")
    assert bool(modules.CODE) == Path(f"{modules.HOME}_code").exists()
    assert not modules.CODE or {"client.py", "transport/pyodide.py", "jsonrpc/__init__.py"} <= set(modules.CODE)


def test_tracebacks_show_our_lines() -> None:
    """An error from code that was not compiled here is told with file and line, and the line is shown."""
    with pytest.raises(circle_ws.ConfigError) as caught:
        check_url("http://circle.example/")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name) == (f"{Path(circle_ws.__file__).parent}/url.py", "check_url")
    assert last.line is not None and last.line.startswith('raise ConfigError(f"url {shown(url)!r} {fault}"')
    assert check_url.__code__.co_firstlineno < (last.lineno or 0) < check_url.__code__.co_firstlineno + 20
