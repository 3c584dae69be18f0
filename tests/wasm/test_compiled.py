"""What a bundle has compiled: the standard library, of which it has only the code, and our own modules."""

import json
import sys
import traceback
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

import circle_ws
from circle_ws.urls import check_url


def test_tracebacks_name_files_and_lines_of_the_library() -> None:
    """Where an error passed through the library is told with the file of the sources, and the line."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("[")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    library = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    assert (last.filename, last.name) == (f"/lib/{library}/json/decoder.py", "raw_decode")
    code = json.JSONDecoder.raw_decode.__code__
    assert last.lineno is not None and last.lineno > code.co_firstlineno > 300


def test_our_code_is_compiled() -> None:
    """Every module of circle-ws that the bundle brings has its code beside it, in this Python's version."""
    home = Path(circle_ws.__file__).parent
    cached = Path(cache_from_source(str(home / "client.py")))
    # A bundle that is made without Node has sources only.
    assert cached.is_file() == cached.parent.is_dir()
    if cached.is_file():
        assert cached.read_bytes()[:8] == MAGIC_NUMBER + (1).to_bytes(4, "little")
        assert all(Path(cache_from_source(str(source))).is_file() for source in home.rglob("*.py"))


def test_tracebacks_show_our_lines() -> None:
    """A traceback names our files and lines, and shows the lines, though the code was compiled elsewhere."""
    with pytest.raises(circle_ws.ConfigError) as caught:
        check_url("http://circle.example/")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name) == (f"{Path(circle_ws.__file__).parent}/urls.py", "check_url")
    assert last.line is not None and last.line.startswith('raise ConfigError(f"url {shown(url)!r} {fault}"')
    assert check_url.__code__.co_firstlineno < (last.lineno or 0) < check_url.__code__.co_firstlineno + 20
