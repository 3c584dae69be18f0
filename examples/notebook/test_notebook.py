"""Runs the notebook, as Jupyter does, against a circle of `circle-ws serve`."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "circle.ipynb"


@pytest.fixture
def url() -> Iterator[str]:
    serve = [sys.executable, "-m", "circle_ws", "serve", "--port", "0", "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as circle:
        try:
            yield json.loads(circle.stdout.readline())["url"]
        finally:
            circle.terminate()


def test_it_runs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_URL", url)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    results = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    assert re.fullmatch(r"\{'n': \d+\}", results.pop(4))
    assert results == [
        "<ConnectionStatus.CONNECTED: 'connected'>",
        "'42'",
        "[1, 2, 3]",
        "4950",
        "'42'",
        "<ConnectionStatus.CLOSED: 'closed'>",
    ]
    printed = [output for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output]
    assert printed == []


def test_it_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert [cell for cell in cells if cell.get("outputs")] == []
