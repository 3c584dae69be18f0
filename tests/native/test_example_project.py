"""The example of a project tests itself as its authors would: from a wheel, away from the checkout, by its noxfile."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from circle_ws.bundle import builder, local_wheels
from tests.support.limits import PATIENCE
from tools import CHECKOUT

pytestmark = pytest.mark.harness

_FAILS = "def test_that_fails():\n    assert 1 == 2\n"

Nox = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, away from the checkout."""
    return Path(
        shutil.copytree(
            CHECKOUT / "examples" / "project",
            tmp_path_factory.mktemp("author") / "weather",
            ignore=shutil.ignore_patterns(".*", "__pycache__"),
        )
    )


@pytest.fixture(scope="module")
def nox(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Nox:
    """Runs nox in the project, in an environment that has nox and the built wheel of circle-ws alone."""
    home = tmp_path_factory.mktemp("fresh")
    local_wheels.take([CHECKOUT], home, builder.find_tools())
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "NOX"))}
    environ |= {"PIP_FIND_LINKS": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    python = home / "environment" / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install", "-q", "nox", "circle-ws[testing]"]
    make: list[str | Path] = [sys.executable, "-m", "venv", home / "environment"]
    for command in (make, install):
        subprocess.run(command, env=environ, cwd=home, check=True, timeout=PATIENCE)

    def run(*arguments: str) -> tuple[int, str]:
        command: list[str | Path] = [python, "-m", "nox", *arguments]
        done = subprocess.run(
            command, cwd=project, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        print(done.stdout)
        return done.returncode, done.stdout

    return run


def test_as_many_tests_pass_in_every_runtime(nox: Nox) -> None:
    """Natively, in Chromium, in Firefox and in Node, from the wheel: every test passes, and none is left out."""
    code, output = nox()
    assert code == 0
    closing = re.findall(r"=+ (.*) in [\d.]+s =+", output)
    assert len(closing) == 4
    assert set(closing) == {"7 passed"}


def test_a_failing_test_fails_the_session(nox: Nox, project: Path) -> None:
    """Its assertion is shown, and the session of nox ends with an error."""
    (project / "tests" / "test_fails.py").write_text(_FAILS)
    code, output = nox("-s", "page(runtime='node')", "--", "tests/test_fails.py")
    assert code == 1
    assert "E       assert 1 == 2" in output
    assert "1 failed in" in output
