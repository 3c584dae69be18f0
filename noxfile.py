"""Every check of this repository; `nox` runs them all, `nox -s NAME` one of them."""

import functools
import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import browsers, bundle, debian, interpreters
from tools.cache import ToolError

nox.needs_version = ">=2025.10"
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "venv"

VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
RUNTIMES = ["chromium", "firefox", "node"]
FOUND = {version: interpreters.find_exact(version) for version in VERSIONS}
PYTHONS = [nox.param(str(FOUND[version] or sys.executable), id=version) for version in VERSIONS]

OUTSIDE = {
    "chromium": ["tests/native/test_page_life.py", "-k", "chromium"],
    "firefox": ["tests/native/test_page_life.py", "-k", "firefox"],
    "node": ["tests/native/test_runner.py", "tests/native/test_micropip.py"],
}
"""The tests that start a runtime themselves."""
_HERE = [version for version in VERSIONS if FOUND[version]]
MEASURED = ([version for version in _HERE if version not in debian.PYTHONS] or _HERE)[-1]
"""The native version whose run counts for coverage: the newest that coincurve has wheels for, if there is one."""
PARTS = {
    "3.12": ["tests/contract", "tests/faults", "tests/native", "tests/test_methods.py", "tests/test_jsonrpc_codecs.py"]
}
"""What a version between two others, on which all runs, may do differently."""

CACHE = Path(".cache")
NATIVE_DATA = CACHE / "coverage" / "native"
BROWSER_DATA = CACHE / "coverage" / "chromium"
"""The beginning of the names; there is one file for each page."""

# Two processes collect the same tests only where sets have the same order in both.
TWO_PROCESSES = ["-n", "2", "--dist", "loadfile"]
SAME_ORDER = {"PYTHONHASHSEED": "0"}
TWO_PAGES = ["--pages", "2"]
NODES_PART = ["tests/contract", "tests/faults", "tests/wasm"]
"""What Node, which runs the same Pyodide on the same engine as Chromium, may do differently."""

# A test that blocks the loop's thread cannot be ended from inside: print where it is and stop. The time is for each
# test, and longer than all that those wait for themselves.
WATCHED = ["-o", "faulthandler_timeout=600", "-o", "faulthandler_exit_on_timeout=true"]

_NOT_HERE = 3
"""The code of a `ToolError` that says what this machine cannot do, or lacks."""

_PROJECT = nox.project.load_toml("pyproject.toml")


def _groups(*names: str) -> list[str]:
    return list(nox.project.dependency_groups(_PROJECT, *names))


def _install(session: nox.Session, *groups: str) -> None:
    session.install("-q", "-e", ".[cli]", *_groups(*groups))


def _need(session: nox.Session, *names: str) -> None:
    """Make sure that programs are on this machine, or end the session with what to install."""
    try:
        for name in names:
            browsers.ensure(name)
    except browsers.Missing as missing:
        session.error(str(missing))


@functools.cache
def _bundle_once() -> Path:
    folder = (CACHE / "bundle").resolve()
    bundle.build(folder, extra=_groups("suite", "page"))
    return folder


def _bundle(session: nox.Session) -> Path:
    """Return the folder with Pyodide, circle-ws and what the tests need, made once in each run of nox."""
    _need(session, "npm")
    try:
        return _bundle_once()
    except ToolError as error:
        session.error(str(error))


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code with ruff, and its format."""
    session.install("-q", *_groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, once for each of the two platforms."""
    _need(session, "node")
    _install(session, "types", "test", "example", "bench")
    session.install("-q", "nox", "packaging")
    session.run("mypy", "--platform", "linux", "circle_ws", "tests", "tools", "benchmarks", "noxfile.py")
    session.run("mypy", "--platform", "emscripten", "circle_ws")
    session.run("pyright")


@nox.session
@nox.parametrize("python", PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the suite natively, on one Python under coverage; on 3.12 what may differ there (all of it: `-- tests`)."""
    version = session.name.partition("(")[2].rstrip(")")
    if FOUND[version]:
        _install(session, "test")
        python = ["python"]
    else:
        python = _python_of_debian(session, version)
    command = [*python, "-m", "pytest", *WATCHED, *TWO_PROCESSES]
    chosen = session.posargs or PARTS.get(version, [])
    if version != MEASURED:
        session.run(*command, *chosen, env=SAME_ORDER, external=True)
        return
    NATIVE_DATA.unlink(missing_ok=True)
    environ = {**SAME_ORDER, "COVERAGE_FILE": str(NATIVE_DATA.resolve())}
    session.run(*command, "--cov", "--cov-report=", *chosen, env=environ)


def _python_of_debian(session: nox.Session, version: str) -> list[str]:
    """Install the suite into a folder of Debian that has this Python; return what runs it there, or skip."""
    try:
        inside = debian.inside(version)
    except ToolError as error:
        # Only where there can be no such folder; one that could be and was not made is a failure.
        if error.code != _NOT_HERE:
            session.error(str(error))
        session.skip(f"no working CPython {version} on this machine (install one, or pyenv install {version}); {error}")
    except browsers.Missing as missing:
        session.error(str(missing))
    home = Path(session.virtualenv.location).with_name(f"debian-{version}")
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        session.run(*inside, f"/usr/bin/python{version}", "-m", "venv", "--clear", str(home), external=True)
        complete.touch()
    pip = [*inside, str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    session.run(*pip, "-e", ".[cli]", *_groups("test"), external=True)
    return [*inside, str(python)]


@nox.session(default=False)
def wheels(session: nox.Session) -> None:
    """Ask the package index for which Pythons and platforms what circle-ws needs has wheels: some minutes."""
    session.install("-q", "packaging")
    session.run("python", "tools/wheel_table.py", *VERSIONS)


@nox.session(name="bundle")
def check_bundle(session: nox.Session) -> None:
    """Make the bundle for browsers; it loads in each runtime, with exactly the packages it should."""
    _need(session, *RUNTIMES)
    folder = _bundle(session)
    bundle.check(folder)
    _install(session, "test")
    for runtime in RUNTIMES:
        session.run("python", "-m", "tests.harness", runtime, "--bundle", str(folder), "--smoke")


@nox.session
@nox.parametrize("runtime", RUNTIMES, ids=RUNTIMES)
def pyodide(session: nox.Session, runtime: str) -> None:
    """Run the suite inside Pyodide, in Chromium under coverage; then what needs pages, or the harness, of its own.

    In Node, what may differ there; all of it with `-- tests`.
    """
    _need(session, runtime)
    folder = str(_bundle(session))
    _install(session, "test")
    harness = ["python", "-m", "tests.harness", runtime, "--bundle", folder]
    if runtime == "chromium":
        for old in _browser_data():
            old.unlink()
        harness += ["--coverage", str(BROWSER_DATA)]
    session.run(*harness, *(session.posargs or [*TWO_PAGES, *(NODES_PART if runtime == "node" else [])]))
    if not session.posargs:
        session.run("python", "-m", "pytest", "-m", "harness", *OUTSIDE[runtime], env={"CIRCLE_WS_BUNDLE": folder})


@nox.session
def example(session: nox.Session) -> None:
    """Click through the example page in Chromium."""
    _need(session, "chromium", "npm")
    _install(session, "example", "test")
    session.run("python", "-m", "pytest", "tests/example", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Report what the native run and the one in Chromium cover together."""
    missing = [path.name for path in (NATIVE_DATA, *(_browser_data() or [BROWSER_DATA])) if not path.exists()]
    if missing:
        session.error(
            f"no coverage data of: {', '.join(missing)}; run first: nox -s 'tests({MEASURED})' 'pyodide(chromium)'"
        )
    session.install("-q", *_groups("suite"))
    environ = {"COVERAGE_FILE": str(CACHE / "coverage" / "combined")}
    session.run("coverage", "combine", "--keep", "-q", *map(str, [NATIVE_DATA, *_browser_data()]), env=environ)
    session.run("coverage", "report", "--fail-under=95", env=environ)


def _browser_data() -> list[Path]:
    return sorted(BROWSER_DATA.parent.glob(f"{BROWSER_DATA.name}*"))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure, side by side with other clients and with JavaScript, and write docs/benchmarks: takes half an hour.

    With arguments of your own: the native part alone, with those.
    """
    _install(session, "bench", "test")
    session.run("python", "-m", "benchmarks.native", *(session.posargs or ["--out", "docs/benchmarks"]))
    if not session.posargs:
        _need(session, "chromium", "firefox")
        for browser in ("chromium", "firefox"):
            _measure_page(session, browser, "--out", "docs/benchmarks")


@nox.session
def bench_small(session: nox.Session) -> None:
    """Measure everything once, and shortly, to see that it works; prints, and never fails on a time."""
    _install(session, "bench", "test")
    session.run("python", "-m", "benchmarks.native", "--small", *session.posargs)
    _need(session, "chromium")
    _measure_page(session, "chromium", "--small")


def _measure_page(session: nox.Session, browser: str, *options: str) -> None:
    session.run("python", "-m", "benchmarks.browser", browser, "--bundle", str(_bundle(session)), *options)
