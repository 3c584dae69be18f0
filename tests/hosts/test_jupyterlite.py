"""Proves that a notebook in JupyterLite signs in, calls and reconnects, offline, in Chromium."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.hosts.conftest import Circle, Open, Supports, picture


@pytest.fixture(scope="module")
def lite(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the site as the documentation says; return the path of the notebook's page."""
    builder = Path(sys.executable).with_name("jupyter-lite")
    options = ["--lite-dir", "jupyterlite", "--output-dir", "lite", "--apps", "notebooks", "--no-sourcemaps"]
    done = subprocess.run([builder, "build", *options], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return "lite/notebooks/index.html?path=circle.ipynb"


def run(page: Page, number: int) -> Locator:
    """Run a code cell and return where its output will be."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea")


def test_a_notebook_signs_in_calls_and_reconnects(lite: str, opened: Open, circle: Circle, supports: Supports) -> None:
    supports(f"JupyterLite {version('jupyterlite-core')}", "Chromium")
    with opened(lite) as page:
        page.set_viewport_size({"width": 1000, "height": 700})
        expect(run(page, 0)).to_contain_text(re.compile("authenticating\\s+connected"))
        assert circle.key()
        answer = run(page, 1)
        expect(answer).to_contain_text("'42'")
        # The cell that ran last gets what is printed later.
        circle.stop()
        expect(answer).to_contain_text("waiting")
        circle.start()
        expect(answer).to_contain_text(re.compile("waiting.*authenticating\\s+connected", re.DOTALL))
        picture(page, "jupyterlite")
        assert circle.key()
        expect(run(page, 1)).to_have_text("[3]:'42'")
