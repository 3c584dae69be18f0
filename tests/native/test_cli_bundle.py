"""Proves `circle-ws bundle` without a browser: what is collected and locked, what is refused, in which words.

`tests/example/test_bundle.py` makes real ones, and loads them.
"""

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from circle_ws.bundle import builder, interpreters, kept, pyodide_core
from circle_ws.bundle.cache import ToolError
from circle_ws.bundle.steps import step, telling
from circle_ws.bundle.wheels import Collection, Unavailable
from tests.native.command_line import invoke

MARKER = {"python_version": "3.14", "sys_platform": "emscripten", "platform_system": "Emscripten"}
PLATFORM = "pyemscripten_2026_0_wasm32"
COMPILED = f"cp314-cp314-{PLATFORM}"


def _wheel(folder: Path, name: str, *requires: str, tag: str = "py3-none-any", files: tuple[str, ...] = ()) -> Path:
    folder.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    path = folder / f"{module}-1.0-{tag}.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(path, "w") as wheel:
        for file in files or (f"{module}/__init__.py",):
            wheel.writestr(file, "")
        wheel.writestr(f"{module}-1.0.dist-info/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{module}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{module}-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for its index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """Pyodide's own distribution: one package over a library that no index has."""
    home = tmp_path / "stock"
    packages = {}
    for name, depends in (("number-crunch", ["libfast", "tiny"]), ("libfast", []), ("tiny", [])):
        path = _wheel(home, name, "whatever-it-says", tag=COMPILED)
        packages[name] = {
            "name": name,
            "version": "1.0",
            "file_name": path.name,
            "depends": depends,
            "imports": [name],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "tool": {},
        }
    (home / "pyodide-lock.json").write_text(json.dumps({"packages": packages}))
    return home


def _collection(tmp_path: Path, stock: Path, lock: Path | None = None, *, remote: bool = False) -> Collection:
    (tmp_path / "out").mkdir(exist_ok=True)
    return Collection(tmp_path / "out", MARKER, PLATFORM, distribution=f"{stock.as_uri()}/", stock=lock, remote=remote)


def _collected(tmp_path: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in (tmp_path / "out").iterdir()}


def test_a_compiled_wheel_is_locked_with_what_it_needs_and_has(tmp_path: Path, index: Path, stock: Path) -> None:
    """Its dependencies by the markers of Pyodide and the extras that are asked for; its modules, however named."""
    files = ("fast/__init__.py", "fast/a.so", "_fast.cpython-314-wasm32-emscripten.so", "one.py", "fast.libs/x.so")
    needs = ["pure", "extra-one; extra == 'more'", "other; extra == 'other'", "uvloop; sys_platform != 'emscripten'"]
    _wheel(index, "fast", *needs, tag=COMPILED, files=files)
    for name in ("pure", "extra-one"):
        _wheel(index, name)
    found = _collection(tmp_path, stock)
    found.collect([Requirement("fast[more]")])
    assert _collected(tmp_path) == {"fast", "pure", "extra_one"}
    assert found.entries() == {
        "fast": {
            "name": "fast",
            "version": "1.0",
            "file_name": f"fast-1.0-{COMPILED}.whl",
            "install_dir": "site",
            "package_type": "package",
            "imports": ["_fast", "fast", "one"],
            "depends": ["extra-one", "pure"],
            "unvendored_tests": False,
        }
    }


def test_what_only_pyodide_has_is_downloaded_with_its_libraries(tmp_path: Path, index: Path, stock: Path) -> None:
    """By the entries of Pyodide's lock file, not by what the wheel says; what is there already is not taken twice."""
    _wheel(index, "mine", "tiny", "number_crunch>=1")
    _wheel(index, "tiny")
    found = _collection(tmp_path, stock)
    found.collect([Requirement("mine")])
    assert _collected(tmp_path) == {"mine", "tiny", "number_crunch", "libfast"}
    assert {name: entry["depends"] for name, entry in found.entries().items()} == {
        "number-crunch": ["libfast", "tiny"],
        "libfast": [],
    }


def test_pages_take_it_from_the_cdn_where_that_is_asked_for(tmp_path: Path, index: Path, stock: Path) -> None:
    """Nothing is downloaded; the lock has the full address, and the digest that Pyodide's has."""
    found = _collection(tmp_path, stock, lock=stock / "pyodide-lock.json", remote=True)
    found.collect([Requirement("number-crunch")])
    assert _collected(tmp_path) == set()
    locked = json.loads((stock / "pyodide-lock.json").read_text())["packages"]
    assert {name: (entry["file_name"], entry["sha256"]) for name, entry in found.entries().items()} == {
        name: (f"{stock.as_uri()}/{entry['file_name']}", entry["sha256"]) for name, entry in locked.items()
    }


def test_another_file_than_the_one_that_is_locked_is_refused(tmp_path: Path, index: Path, stock: Path) -> None:
    next(stock.glob("libfast*")).write_bytes(b"something else")
    with pytest.raises(Unavailable, match="libfast.* is not the file that Pyodide's lock file names"):
        _collection(tmp_path, stock).collect([Requirement("number-crunch")])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("nowhere", "nowhere cannot be had for a page: the index has no wheel .* Pyodide's own packages have none"),
        ("tiny>=2", "tiny>=2 cannot be had for a page: .*; among Pyodide's own packages it is 1.0"),
    ],
)
def test_what_nothing_has_is_said(tmp_path: Path, index: Path, stock: Path, wanted: str, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        _collection(tmp_path, stock).collect([Requirement(wanted)])


def test_a_cdn_that_cannot_be_reached_is_said(tmp_path: Path, index: Path) -> None:
    """With the way out."""
    with pytest.raises(Unavailable, match=r"cannot be reached \(.*No such file.*\); with --cdn pages take them"):
        _collection(tmp_path, tmp_path / "absent").collect([Requirement("numpy")])


def test_versions_that_do_not_fit_are_said(tmp_path: Path, index: Path, stock: Path) -> None:
    _wheel(index, "mine", "tiny>=2")
    with pytest.raises(Unavailable, match=r"tiny 1.0 was taken, but tiny>=2 is needed too"):
        _collection(tmp_path, stock).collect([Requirement("tiny"), Requirement("mine")])


# The command.


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the bundler, which is none, was asked for."""
    asked: list[dict[str, Any]] = []

    def build(out: Path, **options: Any) -> bool:
        asked.append(options)
        step("putting it together")
        out.mkdir(parents=True, exist_ok=True)
        cdn = "https://cdn.example/full/" if options["pyodide"] == "cdn" else None
        told = {"pyodide_version": "1", "cdn": cdn, "packages": ["circle-ws"]}
        (out / "bundle.json").write_text(json.dumps(told))
        return len(asked) == 1

    monkeypatch.setattr(builder, "build", build)
    return asked


def test_what_is_asked_for_reaches_the_bundler(stand_in: list[dict[str, Any]], tmp_path: Path) -> None:
    options = ["--with", "one", "--with", "two>=2", "--wheel", "w.whl", "--pyodide", "core", "--force"]
    done = invoke("bundle", "--out", str(tmp_path / "app" / "circle"), *options)
    assert done.exit_code == 0
    assert stand_in == [{"pyodide": "core", "extra": ["one", "two>=2"], "wheels": [Path("w.whl")], "reuse": False}]
    assert done.stderr == "putting it together\n"
    assert 'import { loadPyodide } from "./circle/pyodide.mjs";' in done.stdout
    assert f"--directory {tmp_path / 'app'} " in done.stdout


def test_a_script_is_told_in_json(stand_in: list[dict[str, Any]], tmp_path: Path) -> None:
    told = [json.loads(invoke("bundle", "--out", str(tmp_path / "it"), "--cdn", "--json").stdout) for _ in range(2)]
    assert told[0] == {
        "out": str(tmp_path / "it"),
        "reused": False,
        "bytes": (tmp_path / "it" / "bundle.json").stat().st_size,
        "pyodide": "1",
        "cdn": "https://cdn.example/full/",
        "packages": ["circle-ws"],
    }
    assert told[1] == told[0] | {"reused": True}
    again = invoke("bundle", "--out", str(tmp_path / "it"), "--cdn").stdout
    assert "is fresh and stays as it is (--force makes it anew)" in again
    assert "script-src 'self' https://cdn.example 'wasm-unsafe-eval'" in again


def test_two_sources_of_pyodide_are_wrong(tmp_path: Path) -> None:
    done = invoke("bundle", "--out", str(tmp_path / "it"), "--cdn", "--pyodide", "core")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--cdn leaves Pyodide to its CDN" in done.stderr


def test_a_foreign_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are a file, and the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for name, words in (("mine", "is there and is no bundle"), ("mine/notes.txt", "is a file"), ("", "in it")):
        done = invoke("bundle", "--out", str(tmp_path / name))
        assert done.exit_code == 1
        assert words in done.stderr
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    done = invoke("bundle", "--out", str(tmp_path / "it"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith(f"{tmp_path / 'it'} cannot be made: not a directory\n")


def test_without_a_python_that_can_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on 3.11 alone on a machine; the extra, where it is installed, needs no other one."""
    monkeypatch.setattr(builder, "_is_installed", lambda name: False)
    monkeypatch.setattr(interpreters, "find", lambda: None)
    done = invoke("bundle", "--out", str(tmp_path / "it"))
    assert done.exit_code == 1
    assert "pyodide-build, which needs Python 3.12 or later, and none was found on this machine" in done.stderr
    monkeypatch.setattr(builder, "_is_installed", lambda name: True)
    monkeypatch.setattr(builder, "_command", lambda python: python)
    assert builder.find_tools() == Path(sys.executable)


def test_a_bundle_is_fresh_while_its_files_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same things, in the same week, and with every file as it was made."""
    own = _wheel(tmp_path / "own", "circle-ws")
    made: list[str] = []

    def fill(folder: Path, *_: Any) -> None:
        made.append(folder.name)
        for name in pyodide_core.FILES:
            (folder / name).touch()
        sha256 = hashlib.sha256(own.read_bytes()).hexdigest()
        entry = {"file_name": own.name, "sha256": sha256, "depends": []}
        (folder / "pyodide-lock.json").write_text(json.dumps({"packages": {"circle-ws": entry}}))

    core = pyodide_core.Core("1", {}, tmp_path, None)
    monkeypatch.setattr(builder, "find_tools", lambda: Path(sys.executable))
    monkeypatch.setattr(pyodide_core, "release", lambda _: core)
    monkeypatch.setattr(builder, "_fill", fill)
    monkeypatch.setattr(builder, "check", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "out"

    def build(*extra: str, reuse: bool = True) -> bool:
        return builder.build(out, extra=extra, wheels=[own], reuse=reuse)

    assert [build(), build(), build("more"), build("more")] == [True, False, True, False]
    assert build("more", reuse=False) is True
    (out / own.name).write_bytes(b"changed")
    assert [build("more"), build("more")] == [True, False]
    (out / "pyodide.mjs").unlink()
    assert build("more") is True


def test_steps_are_told_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """By lines on stdout, or to a function, and after the block by lines again."""
    told: list[str] = []
    step("one")
    with telling(told.append):
        step("two")
    step("three")
    assert told == ["two"]
    assert capsys.readouterr().out == "bundle: one\nbundle: three\n"


@pytest.mark.parametrize("wanted", ["-r other.txt", "it @ https://host.example/it.whl", ""])
def test_what_is_no_requirement_is_said(wanted: str, tmp_path: Path, index: Path) -> None:
    """An option of pip's, a URL: words, and no program is given it."""
    from circle_ws.bundle.wheels import _requirement

    with pytest.raises(Unavailable, match="is no requirement|names a URL"):
        _requirement(wanted)


def test_the_working_directory_is_not_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there may be anybody's: pip is the installed one."""
    for name in ("pip", "packaging", "venv"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text("[build-system]\nrequires = ['no-such-thing']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(builder, "find_tools", lambda: Path(sys.executable))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ToolError, match="no-such-thing"):
        kept.bundle([tmp_path / "project"], [])
    assert not (tmp_path / "ran").exists()
