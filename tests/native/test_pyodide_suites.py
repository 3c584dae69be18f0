"""A user's suite inside Pyodide: what the page is sent, the wheels, the coverage data, and words for what cannot be."""

import importlib.metadata
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from coverage import CoverageData

from circle_ws.bundle import builder, kept, local_wheels
from circle_ws.bundle.cache import ToolError
from circle_ws.testing.pyodide import archive, covered
from circle_ws.testing.pyodide.__main__ import main
from tests.support.limits import PATIENCE
from tools import CHECKOUT


def _make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def _sent(root: Path, *excluded: str) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive.project(root, excluded))) as found:
        return set(found.getnames())


def test_the_page_is_sent_the_project(tmp_path: Path) -> None:
    """Tests, sources, data and settings; no hidden folders, caches, environments or what was built."""
    wanted = {
        "pyproject.toml",
        ".coveragerc",
        "src/it/__init__.py",
        "src/it/build/x.py",
        "tests/data/a..b",
        "tests/t.py",
    }
    left = {".git/config", "build/x.py", "dist/x.whl", "src/it/__pycache__/x.pyc", "src/it.egg-info/PKG-INFO"}
    left |= {"node_modules/x/y.js", "env/pyvenv.cfg", "env/lib/x.py"}
    _make(tmp_path, *wanted, *left)
    assert _sent(tmp_path) == wanted
    assert _sent(tmp_path, "data", "*.toml") == wanted - {"tests/data/a..b", "pyproject.toml"}


def test_too_much_is_refused_with_what_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of data that nobody thought of is named, with what leaves it out."""
    _make(tmp_path, "tests/t.py", "recordings/long.bin")
    monkeypatch.setattr(archive, "MAX_BYTES", 20)
    with pytest.raises(ToolError, match=r"among them are recordings \(0 MiB\).*--exclude NAME"):
        archive.project(tmp_path)
    assert archive.project(tmp_path, ["recordings"])


@pytest.mark.parametrize(
    ("name", "words"),
    [("nothing", "neither a wheel nor the folder of a project"), ("it-1-cp313-cp313-linux_x86_64.whl", "none-any")],
)
def test_a_wheel_that_no_page_can_have(tmp_path: Path, name: str, words: str) -> None:
    """It is refused before anything is downloaded, by its name."""
    (tmp_path / "it-1-cp313-cp313-linux_x86_64.whl").touch()
    (tmp_path / "taken").mkdir()
    with pytest.raises(ToolError, match=words):
        local_wheels.take([tmp_path / name], tmp_path / "taken", Path(sys.executable))


class _Installed(importlib.metadata.Distribution):
    """What an installer leaves of a wheel of circle-ws."""

    version = "0.1.0"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        path = self._folder / "circle_ws-0.1.0.dist-info" / filename
        return path.read_text() if path.exists() else None

    def locate_file(self, path: Any) -> Any:
        return self._folder / path


def test_the_installed_files_make_the_same_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed circle-ws has its wheel: the same files, without scripts, caches and notes of the installer."""
    names = ["circle_ws/__init__.py", "circle_ws/page/index.html", "circle_ws-0.1.0.dist-info/METADATA"]
    left = ["circle_ws/__pycache__/x.pyc", "circle_ws-0.1.0.dist-info/INSTALLER", "../bin/circle-ws"]
    installed = tmp_path / "site"
    _make(installed, *names, *left)
    record = "circle_ws-0.1.0.dist-info/RECORD"
    (installed / record).write_text("".join(f"{name},,\n" for name in [*names, *left, record]))
    monkeypatch.setattr(local_wheels, "distribution", lambda _: _Installed(installed))
    monkeypatch.setattr(local_wheels, "_CHECKOUT", installed)
    made = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        made += local_wheels.take([], tmp_path / place, Path(sys.executable))
    with zipfile.ZipFile(made[0]) as wheel:
        assert sorted(wheel.namelist()) == sorted([*names, record])
        assert all(f"{name},sha256=" in wheel.read(record).decode() for name in names)
    assert made[0].name == "circle_ws-0.1.0-py3-none-any.whl"
    assert made[0].read_bytes() == made[1].read_bytes()


def test_without_a_list_of_files_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of a system that keeps no list: the wheel has to be given."""
    monkeypatch.setattr(local_wheels, "distribution", lambda _: _Installed(tmp_path))
    monkeypatch.setattr(local_wheels, "_CHECKOUT", tmp_path)
    with pytest.raises(ToolError, match="no list of its files: give its wheel with --wheel"):
        local_wheels.take([], tmp_path, Path(sys.executable))


def test_a_bundle_is_kept_until_a_wheel_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same content gives the same bundle, whenever the wheel was built; other content or requirements do not."""
    built = []

    def build(out: Path, **named: Any) -> None:
        out.mkdir(parents=True)
        built.append(named["extra"])

    monkeypatch.setattr(builder, "build", build)
    monkeypatch.setattr(builder, "find_tools", lambda: Path(sys.executable))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wheels = []
    for number, text in enumerate(["same", "same", "other"]):
        path = tmp_path / str(number) / "circle_ws-1-py3-none-any.whl"
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(zipfile.ZipInfo("circle_ws/x.py", (2020 + number, 1, 1, 0, 0, 0)), text)
        wheels.append(path)
    # Of the CDN: any other Pyodide comes from npm, which is not on every machine.
    first, second, third = (kept.bundle([wheel], ["pytest"], "cdn") for wheel in wheels)
    assert first == second != third
    assert kept.bundle([wheels[0]], ["pytest", "more"], "cdn") not in (first, third)
    assert built == [["pytest"], ["pytest"], ["pytest", "more"]]
    home = tmp_path / "cache" / "circle-ws" / "bundles"
    for number in range(9):
        (home / f"unused {number}").mkdir()
        os.utime(home / f"unused {number}", (number, number))
    kept.bundle([wheels[0]], ["pytest", "one more"], "cdn")
    assert {path.name for path in home.glob("unused *")} == {f"unused {number}" for number in range(4, 9)}


@pytest.mark.parametrize("relative", [False, True])
def test_coverage_has_the_paths_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    """The installed package is the one of the project, in `src` too; what is not the project's stays as it was."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.coverage.run]\nrelative_files = {relative}".lower())
    _make(tmp_path, "src/it/__init__.py", "flat/__init__.py", "tests/t.py")
    monkeypatch.chdir(tmp_path)
    data = CoverageData(basename=str(tmp_path / "page"))
    site = "/lib/python3.14/site-packages"
    names = [f"{site}/it/__init__.py", f"{site}/flat/__init__.py", "/home/pyodide/suite/tests/t.py", f"{site}/six.py"]
    data.add_lines({name: [1] for name in names})
    data.write()
    covered.adopt((tmp_path / "page").read_bytes(), tmp_path / "out" / "data")
    own = {"src/it/__init__.py", "flat/__init__.py", "tests/t.py"}
    own = own if relative else {str(tmp_path / name) for name in own}
    assert _measured(tmp_path / "out" / "data") == {*own, f"{site}/six.py"}


def _measured(file: Path) -> set[str]:
    found = CoverageData(basename=str(file))
    found.read()
    return found.measured_files()


_SETTINGS = """
[tool.pytest.ini_options]
addopts = "--cov=it --cov-report=term -n 2 --strict-markers --strict-config"
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
timeout = 30
filterwarnings = ["error"]
"""

_TESTS = """
import asyncio, os, unittest
import pytest
import it

@pytest.fixture
async def value():
    await asyncio.sleep(0)
    yield it.VALUE
    await asyncio.sleep(0)

async def test_unmarked(value):
    assert value == 41

@pytest.mark.asyncio(loop_scope="session")
async def test_asyncio(value):
    await asyncio.sleep(0.001)
    assert value == 41

@pytest.mark.anyio
async def test_anyio(anyio_backend):
    assert anyio_backend == "asyncio"

class TestCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.loop = asyncio.get_running_loop()

    async def test_unittest(self):
        self.assertIs(asyncio.get_running_loop(), self.loop)

def test_run():
    assert asyncio.run(asyncio.sleep(0.001, 5)) == 5

@pytest.mark.timeout(5)
def test_wrong():
    assert os.environ["CIRCLE_WS_RUNTIME"] == "node"
    assert it.VALUE == 42
"""


@pytest.mark.harness
def test_a_suite_that_was_written_for_other_plugins(wheels: Path, tmp_path: Path) -> None:
    """Its settings do no harm, its coroutine tests run, its failure is pytest's own, and its coverage is written."""
    _make(tmp_path, "it.py")
    (tmp_path / "it.py").write_text("VALUE = 41\n")
    (tmp_path / "pyproject.toml").write_text(_SETTINGS)
    (tmp_path / "test_it.py").write_text(_TESTS)
    program = [sys.executable, "-m", "circle_ws.testing.pyodide", "node"]
    done = subprocess.run(
        [*program, "--bundle", wheels, "--coverage", "data", "-q", "--tb=short"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed, 5 passed in" in done.stdout
    assert "E   assert 41 == 42" in done.stdout
    assert str(tmp_path / "it.py") in _measured(tmp_path / "data")


def test_what_cannot_be_is_said_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option of pytest-cov, and a program that is not there: words, and a code that is not pytest's for failures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCLE_WS_NODE", sys.executable)
    monkeypatch.setattr(sys, "argv", ["pyodide", "node", "--cov=it"])
    assert main() == 1
    assert (
        "harness: --cov=it is of pytest-cov, which does not run in a page: use --coverage FILE"
        in capsys.readouterr().err
    )
    monkeypatch.setattr(sys, "argv", ["pyodide", "node", "--bundle", "made"])
    assert main() == 1
    assert "harness: made is no bundle: it has no bundle.json" in capsys.readouterr().err
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "bundle.json").write_text('{"cdn": null, "packages": ["circle-ws"]}')
    assert main() == 1
    assert "harness: made lacks pytest: make it with these packages" in capsys.readouterr().err
    monkeypatch.setenv("CIRCLE_WS_NODE", "/nowhere/node")
    assert main() == 3
    assert "harness: CIRCLE_WS_NODE is '/nowhere/node', which is no program" in capsys.readouterr().err
