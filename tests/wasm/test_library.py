"""The standard library, of which a bundle has only the code."""

import json
import sys
import traceback

import pytest


def test_tracebacks_name_files_and_lines() -> None:
    """Where an error passed through the library is told with the file of the sources, and the line."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("[")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    library = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    assert (last.filename, last.name) == (f"/lib/{library}/json/decoder.py", "raw_decode")
    code = json.JSONDecoder.raw_decode.__code__
    assert last.lineno is not None and last.lineno > code.co_firstlineno > 300
