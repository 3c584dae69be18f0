"""The harness tells the truth: what fails inside Pyodide, or keeps it from ending, is never a success."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from circle_ws.bundle import compiled, programs
from tests.support.limits import PATIENCE
from tools import CHECKOUT

pytestmark = pytest.mark.harness

_SAMPLES = "tests/native/samples"


_FAILING = """#!/bin/sh
# Fails once for each line of a file, then is Node; it has no switches.
case "$*" in *--eval*) exit 1;; esac
if [ -s {failures} ]; then
    head -n 1 {failures}
    sed -i 1d {failures}
    exit 9
fi
exec {node} --experimental-websocket --experimental-wasm-stack-switching "$@"
"""


def _harness(wheels: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run the harness in Node; return its exit code and all that it printed."""
    if programs.find("node") is None:
        pytest.skip(programs.advice("node"))
    command = [sys.executable, "-m", "tests.harness", "node", "--bundle", str(wheels), *arguments]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def _run_sample(wheels: Path, name: str, *arguments: str) -> tuple[int, str]:
    sample = f"{_SAMPLES}/{name}.py"
    return _harness(wheels, "--add", sample, sample, *arguments)


def test_failures_and_leaks_are_reported(wheels: Path) -> None:
    """A false assertion, a hang, a task, an error and a proxy left behind: all fail, inside as outside."""
    code, output = _run_sample(wheels, "wrong", "--tb=short")
    assert code == 1
    assert "3 failed, 3 passed, 3 errors in" in output
    assert "assert 1 == 2" in output
    assert "still running after its limit of 0.1 s" in output
    assert "a task is still running: <PyodideTask pending name='forgotten'" in output
    assert "the event loop reported: an error: ValueError('nobody looked')" in output
    assert "JavaScript still holds a proxy of <function test_leaves_a_proxy" in output


def test_the_same_natively() -> None:
    """The checks of the native runtime see the same mistakes, proxies apart."""
    command = [sys.executable, "-m", "pytest", f"{_SAMPLES}/wrong.py"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "3 failed, 2 passed, 2 errors in" in done.stdout


def test_no_tests_is_not_a_success(wheels: Path) -> None:
    """Nothing collected stays pytest's exit code 5."""
    code, output = _harness(wheels, "tests/test_status.py", "-k", "no_test_has_this_name")
    assert code == 5
    assert "deselected" in output


def test_a_blocked_page_is_ended(wheels: Path) -> None:
    """A page whose thread hangs is ended by the host, with words."""
    code, output = _run_sample(wheels, "stuck", "--patience", "10")
    assert code == 70
    assert "harness: nothing was heard of the page for 10 s" in output


def test_an_uncaught_javascript_error_fails_the_run(wheels: Path) -> None:
    """An exception that leaves a callback fails the run although every test passed."""
    code, output = _run_sample(wheels, "uncaught")
    assert code == 70
    assert "1 passed" in output
    assert "nobody caught in JavaScript" in output
    assert "ValueError: out of a callback" in output


def test_a_process_that_quits_is_no_success(wheels: Path) -> None:
    """A process that ends with code 0 before its tests do fails the run."""
    code, output = _run_sample(wheels, "quits")
    assert code == 70
    assert "harness: " in output
    assert "before its tests" in output


def test_a_browser_that_is_gone_before_the_tests_is_started_again(wheels: Path, tmp_path: Path) -> None:
    """Nothing has run then. It is said, and given up when it comes to nothing several times."""
    if (node := programs.find("node")) is None:
        pytest.skip(programs.advice("node"))
    program, failures = tmp_path / "node", tmp_path / "failures"
    program.write_text(_FAILING.format(node=node, failures=failures))
    program.chmod(0o755)
    for left, code in ((3, 70), (1, 0)):
        failures.write_text("broken\n" * left)
        done, output = _harness(wheels, "tests/test_status.py", CIRCLE_WS_NODE=str(program))
        assert done == code
        assert output.count("harness: node ended with code 9 before its tests did\nbroken\n") == left
        assert " passed" in output or code


def test_the_library_is_code(wheels: Path) -> None:
    """Of the standard library a bundle has the code that its own Pyodide made, without anything to compare it with."""
    with zipfile.ZipFile(wheels / compiled.LIBRARY) as archive:
        names = archive.namelist()
        heads = {archive.read(name)[:8] for name in names if name.endswith(".pyc")}
    assert {"json/__init__.pyc", "pyodide/webloop.pyc"} <= set(names)
    assert not [name for name in names if name.endswith(".py")]
    # One magic number, and the flags of PEP 552 that say that there is no source to check.
    assert len(heads) == 1
    assert heads.pop()[4:] == b"\1\0\0\0"


def test_the_wheels_keep_their_sources(wheels: Path) -> None:
    """A wheel of a bundle has every source that it was published with, and the code of each beside it."""
    for path in wheels.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        sources = {name for name in names if name.endswith(".py")}
        assert len([name for name in names if name.endswith(".pyc")]) == len(sources) > 0
        assert {name.rpartition("/")[2].partition(".")[0] for name in names if name.endswith(".pyc")} == {
            name.rpartition("/")[2].removesuffix(".py") for name in sources
        }


def test_several_pages_share_the_files(wheels: Path) -> None:
    """Each file runs in one of two pages, and a failure in either fails the run."""
    files = ["tests/test_status.py", "tests/test_urls.py"]
    code, output = _harness(wheels, "--pages", "2", *files)
    assert code == 0
    assert output.count(" passed, ") == 2
    assert all(output.count(f"{file} .") == 1 for file in files)
    sample = f"{_SAMPLES}/wrong.py"
    code, output = _harness(wheels, "--pages", "2", "--add", sample, sample, files[0])
    assert code == 1
    assert "3 failed, 3 passed" in output
    assert f"{files[0]} ." in output
