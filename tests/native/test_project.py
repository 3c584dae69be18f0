"""What the project says of itself; the versions of Python, and the folder that newer ones come out of."""

import ast
import os
import platform
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from circle_ws.bundle import interpreters
from circle_ws.bundle.cache import ToolError
from circle_ws.bundle.wheels import requires
from tools import audit, debian, forge, mutation, wheel_table
from tools.wheel_table import PLATFORMS, Target

_CHECKOUT = Path(__file__).resolve().parents[2]
_PROJECT = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
_CLASSIFIER = "Programming Language :: Python :: "
_PROMISED = [it.removeprefix(_CLASSIFIER) for it in _PROJECT["classifiers"] if it.startswith(f"{_CLASSIFIER}3.")]


def _constants(file: str) -> dict[str, Any]:
    """Return the constants of a module that is not imported here; nox is not part of the suite."""
    found = {}
    for node in ast.parse((_CHECKOUT / file).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_what_is_promised_is_tested() -> None:
    """The classifiers, `requires-python` and the sessions of nox name the same versions."""
    assert _constants("noxfile.py")["VERSIONS"] == _PROMISED
    assert _PROJECT["requires-python"] == f">={_PROMISED[0]}"


def test_the_project_says_whose_it_is_and_where() -> None:
    """Authors as in the licence, and the addresses that an index shows; each file that they name is there."""
    authors = [author["name"] for author in _PROJECT["authors"]]
    assert f"Copyright (c) 2026 {authors[0]}" in (_CHECKOUT / "LICENSE").read_text()
    urls = _PROJECT["urls"]
    assert set(urls) == {"Homepage", "Source", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(urls["Homepage"]) for url in urls.values())
    for url in urls.values():
        _, found, path = url.partition("/blob/main/")
        assert not found or (_CHECKOUT / path).is_file(), url


def test_what_a_part_names_is_there() -> None:
    """The parts that some versions and browsers run instead of all name files and folders of the suite."""
    constants = _constants("noxfile.py")
    named = [path for name in ("BETWEEN", "PAGES_PART", "LOWEST_PART") for path in constants[name]]
    assert all((_CHECKOUT / path).exists() for path in named)


@pytest.mark.parametrize("file", ["README.md", "docs/development.md"])
def test_the_docs_name_the_same_versions(file: str) -> None:
    """The README gives the range, the page about the checks each of them."""
    text = (_CHECKOUT / file).read_text()
    if file == "README.md":
        assert f"CPython {_PROMISED[0]} to {_PROMISED[-1]} |" in text
    else:
        assert f"Python {', '.join(_PROMISED[:-1])} and {_PROMISED[-1]} are looked for" in text


def test_interpreters_up_to_the_newest_are_looked_for() -> None:
    """No version that is promised is beyond what is looked for."""
    assert _constants("circle_ws/bundle/interpreters.py")["_NEWEST_MINOR"] >= int(_PROMISED[-1].partition(".")[2])
    assert interpreters.find_exact("3.99") is None


def test_each_version_has_one_library_that_signs() -> None:
    """Whatever the version and the platform, exactly one of the two over libsecp256k1 is installed."""
    for version in _PROMISED:
        for name in PLATFORMS:
            names = {it.name for it in requires(_PROJECT["dependencies"], Target(version, name).markers(), ())}
            later = tuple(map(int, version.split("."))) >= (3, 14)
            assert names & {"coincurve", "btclib-secp256k1"} == {"btclib-secp256k1" if later else "coincurve"}
            assert "ecdsa" not in names


def test_a_folder_needs_debian_and_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems, as another user, and for a version that it lacks: an error with the reason, and no folder."""
    monkeypatch.setattr(debian, "_folder", lambda: pytest.fail("a folder is made"))
    with pytest.raises(ToolError, match=r"has no CPython 3\.12"):
        debian.inside("3.12")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ToolError, match="on Debian only, and as root"):
        debian.inside("3.15")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "fedora"})
    with pytest.raises(ToolError, match="on Debian only, and as root"):
        debian.inside("3.15")


def test_a_folder_needs_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where mounting is not allowed, as in many containers, the reason says so."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian"})
    monkeypatch.setattr(debian, "_UNSHARE", ["false"])
    with pytest.raises(ToolError, match="needs mounts"):
        debian.inside("3.15")


def test_the_table_of_wheels() -> None:
    """A cell says yes, no, where not, or where alone it is asked for."""
    places = [Target("3.11", "Linux x86-64"), Target("3.11", "macOS arm64"), Target("3.15", "Linux x86-64")]
    told = [{"all": True, "some": True, "here": True}, {"all": True, "some": False}, {"all": True, "some": False}]
    assert wheel_table.table(dict(zip(places, told, strict=True))).splitlines() == [
        "| package | 3.11 | 3.15 |",
        "|---|---|---|",
        "| `all` | yes | yes |",
        "| `here` | yes (Linux x86-64) | not needed |",
        "| `some` | not on macOS arm64 | none |",
    ]


def test_wheels_are_asked_for_with_all_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a package needs is asked for too, with the markers of the target; one that is missing hides no other."""
    index = {
        "a": ["b[extra]; python_version >= '3.15'", "windows-only; sys_platform == 'win32'"],
        "b": ["c; extra == 'extra'", "d; extra == 'other'"],
        "c": [],
    }

    def ask(_: Target, wanted: Any) -> dict[str, Any] | None:
        return {"requires_dist": index[wanted.name]} if wanted.name in index else None

    monkeypatch.setattr(Target, "ask", ask)
    needs = ["a>=1", "gone; sys_platform != 'emscripten'"]
    assert wheel_table.wheels(needs, Target("3.11", "musl x86-64")) == {"a": True, "gone": False}
    assert wheel_table.wheels(needs, Target("3.15", "musl x86-64")) == {"a": True, "gone": False, "b": True, "c": True}


def test_the_table_in_the_docs_has_every_dependency() -> None:
    """The page with the reasons shows the wheels of all that a program may have to install."""
    page = (_CHECKOUT / "docs/dependencies.md").read_text()
    extras = [more for name, more in _PROJECT["optional-dependencies"].items() if name != "bundle"]
    every = [*_PROJECT["dependencies"], *(one for more in extras for one in more)]
    for text in every:
        name = re.split(r"[^\w-]", text)[0]
        if name != "ecdsa":
            assert f"\n| `{name}` |" in page.partition("## Wheels")[2], name


def _sessions() -> set[str]:
    """Return the names of all sessions of nox."""
    lists = _constants("noxfile.py")
    form = r'@nox\.session(?:\((.*)\))?\n(?:@nox\.parametrize\("\w+", (\w+).*\n)?def (\w+)'
    names: set[str] = set()
    for options, ids, function in re.findall(form, (_CHECKOUT / "noxfile.py").read_text()):
        given = re.search(r'name="(\w+)"', options)
        name = given[1] if given else function
        names |= {f"{name}({id})" for id in lists[ids]} if ids else {name}
    return names


def test_the_workflows_run_sessions_that_there_are() -> None:
    """Each one that they name; and together all that nox runs by itself, but for what only prints figures."""
    named: set[str] = set()
    for path in forge.SCHEMAS["vendor.github-workflows"]:
        named |= forge.sessions(path.read_text(), _PROMISED)
    assert {"lowest", "tests(3.11)", "installed(3.15)", "pyodide(firefox)"} <= named
    assert named <= _sessions()
    unnamed = {name for name in _sessions() - named if not name.startswith("fuzz(")}
    assert unnamed == {"bench", "bench_small", "mutation", "repeat", "wheels"}


def test_an_audit_that_asked_nothing_is_none() -> None:
    """What the service said nothing about is named; a finding is told with what mends it."""
    packages: list[dict[str, Any]] = [
        {"name": "circle-ws", "skip_reason": "not on the index"},
        {"name": "a", "skip_reason": "not found"},
        {"name": "b", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2", "3"]}]},
        {"name": "c", "version": "1", "vulns": []},
    ]
    assert audit.unasked({"dependencies": packages}) == ["a"]
    assert audit.findings({"dependencies": packages}) == ["b 1: CVE-1, mended in 2, 3"]


def test_mutants_are_counted_for_each_module() -> None:
    """One whose tests end no more is killed, one that no test reaches survived; one that did not run does not count."""
    names = ["x_encode__mutmut_1: killed", "x_encode__mutmut_2: timeout", "xǁDecoderǁread__mutmut_1: no tests"]
    results = [f"    circle_ws.jsonrpc.codec.{name}" for name in names]
    results += ["    circle_ws.policy.backoff.xǁBackoffǁdelay__mutmut_1: survived"]
    results += ["    circle_ws.auth.flow.x_read__mutmut_1: not checked"]
    assert mutation.table(results)[2:] == [
        "| `jsonrpc.codec` | 3 | 66.7 % | 1 |",
        "| `policy.backoff` | 1 | 0.0 % | 1 |",
        "| `all` | 4 | 50.0 % | 2 |",
    ]


def test_the_tests_of_the_mutants_are_there() -> None:
    """Each file, and each test, that the settings of mutmut name."""
    settings = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["tool"]["mutmut"]
    for name in settings["pytest_add_cli_args_test_selection"]:
        file, _, test = name.partition("::")
        assert not test or f"def {test}(" in (_CHECKOUT / file).read_text()
        assert (_CHECKOUT / file).is_file()
