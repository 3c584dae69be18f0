"""Every check of this repository; `nox` runs them all, `nox -s NAME` one of them."""

import functools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import browsers, debian  # isort: skip; it makes `circle_ws.bundle` importable
from circle_ws.bundle import builder, interpreters
from circle_ws.bundle.cache import ToolError
from circle_ws.bundle.programs import Missing

# Or each of the thousands of processes would compile all that it imports, and every worker all of the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2025.10"
# Sessions share environments of our own, one for each Python: see `_environment`.
nox.options.default_venv_backend = "none"

VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
RUNTIMES = ["chromium", "firefox", "node"]
FOUND = {version: interpreters.find_exact(version) for version in VERSIONS}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs nox, and all but the native suites."""

OUTSIDE = {"chromium": "chromium", "firefox": "firefox", "node": "not chromium and not firefox and not example_project"}
"""Which of the tests that start a runtime themselves belong to each ..."""
OUTSIDE_FILES = sorted(str(path) for path in Path("tests/native").glob("*.py") if "mark.harness" in path.read_text())
"""... and where they are: to look through all tests takes longer than some of them."""
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
MEASURED = NEWEST if FOUND[NEWEST] or not debian.why_not(NEWEST) else HERE
"""The version whose native run counts for coverage. In the newest that is cheap; 3.11 takes twice as long for it. What
the newest has no wheel of (coincurve) is measured in the session `lowest`."""
BETWEEN = [
    "tests/contract",
    "tests/test_convert.py",
    "tests/test_methods.py",
    "tests/native/test_dev_mode.py",
    "tests/native/test_eager_tasks.py",
    "tests/native/test_native_connection.py",
    "tests/native/test_server.py",
    "tests/native/test_tls.py",
]
"""What the versions between the oldest and the newest, which run all, may do differently."""
PAGES_PART = [
    "tests/contract",
    "tests/faults/test_closes.py",
    "tests/faults/test_dialling.py",
    "tests/faults/test_dropping.py",
    "tests/faults/test_ending.py",
    "tests/faults/test_http.py",
    "tests/faults/test_messages.py",
    "tests/faults/test_silence.py",
    "tests/wasm",
    "tests/test_waiter.py",
]
"""What Firefox and Node, which run the same Pyodide as Chromium, may do differently; other faults meet the engine."""

CACHE = Path(".cache")
NATIVE_DATA = CACHE / "coverage" / "native"
LOWEST_DATA = CACHE / "coverage" / "lowest"
BROWSER_DATA = CACHE / "coverage" / "chromium"
"""The beginning of the names; there is one file for each page."""

# Many tests wait for real times to pass, so there are more processes, and pages, than cores.
# They collect the same tests only where sets have the same order in all.
PROCESSES = ["-n", "5", "--dist", "loadfile"]
SAME_ORDER = {"PYTHONHASHSEED": "0"}
PAGES = ["--pages", "4"]
# A browser for each file is kept busy by one page at a time.
BROWSERS = ["-n", "3", "--dist", "loadfile"]

# A test that blocks the loop's thread cannot be ended from inside: print where it is and stop. The time is for each
# test, and longer than all that those wait for themselves.
WATCHED = ["-o", "faulthandler_timeout=600", "-o", "faulthandler_exit_on_timeout=true"]

MSGSPEC = ["0.18.6", "0.19.0", "0.20.0"]
"""The versions in Pyodide 0.26 to 314; newer ones are tested everywhere."""
CODEC = sorted(str(path) for pattern in ("test_codec*.py", "test_convert*.py") for path in Path("tests").glob(pattern))

EXAMPLES = ["service", "flask", "notebook"]
"""The folders of examples with tests of their own."""

EXTRAS = ["cli", "keyfile", "otel", "socks", "testing"]
"""Each is installed alone, on the oldest Python and the newest; tools/smoke.py uses it."""
DIST = CACHE / "dist"
"""The wheel and the sdist, as they are published ..."""
SBOM = CACHE / "circle-ws.cdx.json"
"""... and the list of what the wheel brings along, in the format CycloneDX."""
LOWEST_PART = [
    "tests/contract",
    "tests/native/test_native_connection.py",
    "tests/native/test_server.py",
    "tests/native/test_tls.py",
    "tests/native/test_cli_calls.py",
    "tests/native/test_cli_keys.py",
    "tests/native/test_keyfile.py",
    "tests/native/test_native_proxy.py",
    "tests/native/test_testing_plugin.py",
    "tests/test_backends.py",
    "tests/test_opentelemetry.py",
    "tests/test_opentelemetry_metrics.py",
    "tests/test_vectors.py",
]
"""What uses the dependencies, and those of the extras; `codec_versions` has the lowest msgspec."""

FUZZED = ["circle", "inbound", "opening", "sign_in", "urls"]

_NOT_HERE = 3
"""The code of a `ToolError` that says what this machine cannot do, or lacks."""

_PROJECT = nox.project.load_toml("pyproject.toml")


def _groups(*names: str) -> list[str]:
    return list(nox.project.dependency_groups(_PROJECT, *names))


def _environment(session: nox.Session, *groups: str, version: str = HERE) -> list[str]:
    """Return the command of a Python that has this checkout and some dependency groups.

    There is one environment for each version, which is kept; each group is installed once in a run of nox.
    """
    inside, python = _interpreter(session, version)
    home = (CACHE / "environments" / version).resolve()
    program = str(home / "bin" / "python")
    uv = [*inside, _uv(session)]
    if not (home / "complete").exists():
        session.run(*uv, "venv", "-q", "--seed", "--clear", "--python", python, str(home))
        (home / "complete").touch()
    if new := [group for group in groups if (version, group) not in _INSTALLED]:
        own = [] if any(done == version for done, _ in _INSTALLED) else ["-e", ".[cli]"]
        session.run(*uv, *_INSTALL, program, *own, *_groups(*new))
        _INSTALLED.update((version, group) for group in new)
    return [*inside, program]


def _uv(session: nox.Session) -> str:
    """Return the program that installs in seconds what takes pip half a minute; it has an environment of its own."""
    home = (CACHE / "environments" / "uv").resolve()
    program = home / "bin" / "uv"
    if not program.exists():
        session.run(sys.executable, "-m", "venv", "--clear", str(home))
        session.run(str(home / "bin" / "python"), "-m", "pip", "install", "-q", *_groups("install"))
    return str(program)


# Copied: what runs inside another root is on another file system than the cache.
_INSTALL = ["pip", "install", "-q", "--link-mode", "copy", "--python"]
_INSTALLED: set[tuple[str, str]] = set()


def _interpreter(session: nox.Session, version: str) -> tuple[list[str], str]:
    """Return what a command begins with to run this version of Python, and its program; or skip the session."""
    if version == HERE:
        return [], sys.executable
    if found := FOUND[version]:
        return [], str(found)
    try:
        return debian.inside(version), f"/usr/bin/python{version}"
    except ToolError as error:
        # Only where there can be no such folder; one that could be and was not made is a failure.
        if error.code != _NOT_HERE:
            session.error(str(error))
        session.skip(f"no working CPython {version} on this machine (install one, or pyenv install {version}); {error}")
    except Missing as missing:
        session.error(str(missing))


def _need(session: nox.Session, *names: str) -> None:
    """Make sure that programs are on this machine, or end the session with what to install."""
    try:
        for name in names:
            browsers.ensure(name)
    except Missing as missing:
        session.error(str(missing))


def _fresh(session: nox.Session, name: str, version: str, *wanted: str) -> list[str]:
    """Return the command of a Python in a new environment that has what is wanted, and nothing of this checkout."""
    inside, python = _interpreter(session, version)
    uv = [*inside, _uv(session)]
    home = (CACHE / "fresh" / f"{name}-{version}").resolve()
    session.run(*uv, "venv", "-q", "--clear", "--python", python, str(home), silent=True)
    program = str(home / "bin" / "python")
    session.run(*uv, *_INSTALL, program, *wanted, silent=True)
    return [*inside, program]


@functools.cache
def _dist_once(python: str) -> tuple[Path, Path]:
    folder = DIST.resolve()
    subprocess.run([python, "-m", "tools.package", str(folder)], check=True)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def _dist(session: nox.Session) -> tuple[Path, Path]:
    """Return the wheel and the sdist, made once in each run of nox."""
    try:
        return _dist_once(_environment(session, "package")[0])
    except subprocess.CalledProcessError:
        session.error("the wheel and the sdist cannot be built, or differ: see above")


@functools.cache
def _bundle_once() -> Path:
    folder = (CACHE / "bundle").resolve()
    builder.build(folder, extra=_groups("suite", "page"), reuse=True)
    return folder


def _bundle(session: nox.Session) -> Path:
    """Return the folder with Pyodide, circle-ws and what the tests need, made once in each run of nox."""
    _need(session, "npm")
    try:
        return _bundle_once()
    except ToolError as error:
        session.error(str(error))


def _side_by_side(
    session: nox.Session, first: list[str], *others: list[str], env: dict[str, str] | None = None
) -> None:
    """Run commands at the same time, each of which alone leaves a core idle; the first prints as it goes."""
    with ThreadPoolExecutor() as pool:
        beside = [pool.submit(session.run, *command, env=env, silent=True) for command in others]
        session.run(*first, env=env)
    for done in beside:
        print(done.result())


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code with ruff, and its format; search all files for secrets; check the files for the forge."""
    _need(session, "node", "npm")
    python = _environment(session, "lint")
    session.run(*python, "-m", "ruff", "check", ".")
    session.run(*python, "-m", "ruff", "format", "--check", ".")
    _side_by_side(session, [*python, "-m", "tools.secret_scan"], [*python, "-m", "tools.forge"])


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, once for each of the two platforms."""
    _need(session, "node")
    python = _environment(session, "types", "test", "example", "bench")
    _side_by_side(
        session,
        [*python, "-m", "mypy", "--platform", "linux", "circle_ws", "tests", "tools", "benchmarks", "noxfile.py"],
        [*python, "-m", "pyright", "--pythonpath", python[-1]],
    )
    # All that a program can reach has a type of its own. What is verified is found by the `python` of the path.
    path = os.pathsep.join([str(Path(python[-1]).parent), os.environ["PATH"]])
    _side_by_side(
        session,
        [*python, "-m", "mypy", "--platform", "emscripten", "circle_ws"],
        [*python, "-m", "pyright", "--verifytypes", "circle_ws", "--ignoreexternal"],
        env={"PATH": path},
    )


@nox.session
@nox.parametrize("version", VERSIONS, ids=VERSIONS)
def tests(session: nox.Session, version: str) -> None:
    """Run the suite natively: all on the oldest Python and, under coverage, the newest; what may differ on the others.

    All of it on each with `-- tests`.
    """
    python = _environment(session, "test", version=version)
    command = [*python, "-m", "pytest", *WATCHED, *PROCESSES]
    runs_all = version in (OLDEST, NEWEST, MEASURED)
    environ = dict(SAME_ORDER)
    if version == MEASURED:
        command += ["--cov", "--cov-report="]
        environ |= _measured(NATIVE_DATA)
    session.run(*command, *(session.posargs or ([] if runs_all else BETWEEN)), env=environ)


def _measured(data: Path) -> dict[str, str]:
    """Return what tells coverage where its data goes; what was there is gone."""
    data.unlink(missing_ok=True)
    return {"COVERAGE_FILE": str(data.resolve())}


@nox.session
def codec_versions(session: nox.Session) -> None:
    """Run the codec's tests with each msgspec that a Pyodide distributes, on a Python that all support."""
    python = _environment(session, "test", version="3.12")
    commands: list[list[str]] = []
    for version in MSGSPEC:
        home = (CACHE / "msgspec" / version).resolve()
        if not home.exists():
            target = ["--no-deps", "--target", str(home)]
            session.run(_uv(session), *_INSTALL, python[-1], *target, f"msgspec=={version}")
        commands.append(["env", f"PYTHONPATH={home}", *python, "-m", "pytest", *WATCHED, *CODEC])
    _side_by_side(session, *commands, env=SAME_ORDER)


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel and the sdist twice, to the same bytes; check them; list what the wheel brings along (SBOM)."""
    python = _environment(session, "package")
    wheel, sdist = _dist(session)
    session.run(*python, "-m", "twine", "check", "--strict", str(wheel), str(sdist))
    session.run(*python, "-m", "check_wheel_contents", str(wheel))
    bare = _fresh(session, "sbom", HERE, str(wheel))[-1]
    listed = ["--of", "JSON", "--output-reproducible", "--output-file", str(SBOM)]
    session.run(*python, "-m", "cyclonedx_py", "environment", *listed, bare)


@nox.session
@nox.parametrize("version", VERSIONS, ids=VERSIONS)
def installed(session: nox.Session, version: str) -> None:
    """Use the wheel and the sdist in new environments; on the oldest Python and the newest each extra alone too."""
    wheel, sdist = _dist(session)
    release = wheel.name.split("-")[1]
    for name, kind in {"wheel": wheel, "sdist": sdist}.items():
        session.run(*_fresh(session, name, version, str(kind)), "-I", "tools/smoke.py", release)
    for extra in EXTRAS if version in (OLDEST, NEWEST) else []:
        python = _fresh(session, extra, version, f"circle-ws[{extra}] @ {wheel.as_uri()}")
        session.run(*python, "-I", "tools/smoke.py", release, extra)


@nox.session
def lowest(session: nox.Session) -> None:
    """Test with the lowest version of every dependency that pyproject.toml allows, on the oldest Python there is.

    All of the suite with `-- tests`. The other sessions take the newest versions.
    """
    everything = f".[{','.join(EXTRAS)}]"
    version = OLDEST if FOUND[OLDEST] else HERE
    python = _fresh(session, "lowest", version, "--resolution=lowest-direct", "-e", everything, "--group=test")
    command = [*python, "-m", "pytest", *WATCHED, *PROCESSES, "--cov", "--cov-report="]
    session.run(*command, *(session.posargs or LOWEST_PART), env=SAME_ORDER | _measured(LOWEST_DATA))


@nox.session(default=False)
def wheels(session: nox.Session) -> None:
    """Ask the package index for which Pythons and platforms what circle-ws needs has wheels: some minutes."""
    session.run(*_environment(session, "wheels"), "-m", "tools.wheel_table", *VERSIONS)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Ask whether anything that circle-ws and its extras bring along has a known vulnerability."""
    python = _fresh(session, "audit", HERE, f".[{','.join(EXTRAS)}]", "pip-audit>=2.9")
    session.run(*python, "-m", "tools.audit", env={"PYTHONPATH": str(Path.cwd())})


@nox.session(default=False)
@nox.parametrize("target", FUZZED, ids=FUZZED)
def fuzz(session: nox.Session, target: str) -> None:
    """Fuzz one target for a minute, or as `-- -max_total_time=SECONDS` says."""
    python = _environment(session, "fuzz", version="3.13")
    session.run(*python, "-m", "fuzz", target, *(session.posargs or ["-max_total_time=60"]))


@nox.session(name="bundle")
def check_bundle(session: nox.Session) -> None:
    """Make the bundle for browsers; it loads in each runtime, with exactly the packages it should."""
    _need(session, *RUNTIMES)
    python = _environment(session, "test")
    folder = _bundle(session)
    # The command finds the same one, fresh.
    extra = [option for one in _groups("suite", "page") for option in ("--with", one)]
    session.run(*python, "-m", "circle_ws", "bundle", "--out", str(folder), *extra)
    builder.check(folder)
    smoke = ["--bundle", str(folder), "--smoke"]
    _side_by_side(session, *([*python, "-m", "tests.harness", runtime, *smoke] for runtime in RUNTIMES))


@nox.session
@nox.parametrize("runtime", RUNTIMES, ids=RUNTIMES)
def pyodide(session: nox.Session, runtime: str) -> None:
    """Run the suite inside Pyodide: all in Chromium, under coverage, and what may differ in Firefox and Node.

    All of it in each with `-- tests`. Then the tests that need pages, or the harness, of their own.
    """
    _need(session, runtime)
    folder = str(_bundle(session))
    python = _environment(session, "test")
    harness = [*python, "-m", "tests.harness", runtime, "--bundle", folder]
    if runtime == "chromium":
        for old in _browser_data():
            old.unlink()
        harness += ["--coverage", str(BROWSER_DATA)]
    if session.posargs:
        session.run(*harness, *session.posargs)
        return
    suite = [*harness, *PAGES, *([] if runtime == "chromium" else PAGES_PART)]
    outside = [*python, "-m", "pytest", "-n", "2", "-m", "harness", "-k", OUTSIDE[runtime], *OUTSIDE_FILES]
    _side_by_side(session, suite, outside, env=SAME_ORDER | {"CIRCLE_WS_BUNDLE": folder})


@nox.session
def example(session: nox.Session) -> None:
    """Click through the example page, and the pages of the documentation, in Chromium."""
    _need(session, "chromium", "node", "npm")
    folder = str(_bundle(session))
    python = _environment(session, "example", "test")
    environ = SAME_ORDER | {"CIRCLE_WS_BUNDLE": folder}
    session.run(*python, "-m", "pytest", *BROWSERS, "tests/example", *session.posargs, env=environ)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site strictly, follow its links, and search it in Chromium."""
    _need(session, "chromium")
    python = _environment(session, "docs", "example", "test")
    session.run(*python, "-m", "mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run(*python, "-m", "pytest", "tests/site", *session.posargs)


@nox.session
def hosts(session: nox.Session) -> None:
    """Use the examples of hosts (PyScript, JupyterLite, workers, Node) as a person does, offline, in Chromium."""
    _need(session, "chromium", "node", "npm")
    python = _environment(session, "example", "hosts", "test")
    report = str(CACHE / "hosts.xml")
    told = ["--junitxml", report, "-o", "junit_family=xunit1"]
    session.run(*python, "-m", "pytest", *BROWSERS, "tests/hosts", *told, *session.posargs, env=SAME_ORDER)
    if not session.posargs:
        session.run(*python, "-m", "tools.support_table", report, "--check")


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples' own tests: a web service, a WSGI app, a notebook."""
    python = _environment(session, "examples", "suite")
    session.run(*python, "-m", "pytest", *(f"examples/{name}" for name in EXAMPLES), *session.posargs)


@nox.session
def example_project(session: nox.Session) -> None:
    """Test the example of a project as its authors would: with the built wheel, natively and in each runtime."""
    _need(session, *RUNTIMES, "npm")
    python = _environment(session, "test")
    session.run(*python, "-m", "pytest", "-m", "harness", "tests/native/test_example_project.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Report what the native runs and the one in Chromium cover together: every line, and every branch."""
    data = [NATIVE_DATA, LOWEST_DATA, *(_browser_data() or [BROWSER_DATA])]
    if missing := [path.name for path in data if not path.exists()]:
        runs = f"nox -s 'tests({MEASURED})' lowest 'pyodide(chromium)'"
        session.error(f"no coverage data of: {', '.join(missing)}; run first: {runs}")
    command = [*_environment(session, "suite"), "-m", "coverage"]
    environ = {"COVERAGE_FILE": str(CACHE / "coverage" / "combined")}
    session.run(*command, "combine", "--keep", "-q", *map(str, data), env=environ)
    # All of it is covered; a line that in one run no race happened to reach fails no run.
    session.run(*command, "report", "--fail-under=99.9", env=environ)


def _browser_data() -> list[Path]:
    return sorted(BROWSER_DATA.parent.glob(f"{BROWSER_DATA.name}*"))


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Change the parts without I/O in thousands of small ways, one at a time, and count which changes no test notices.

    Takes most of an hour. With `-- PATTERN` the mutants of that name alone: `'circle_ws.policy.*'`.
    """
    python = _environment(session, "test", "mutation", version="3.13")
    session.run(*python, "-m", "tools.mutation", *session.posargs, env=SAME_ORDER)


@nox.session(default=False)
def repeat(session: nox.Session) -> None:
    """Run the whole suite 20 times in a row, or as often as `-- TIMES` says, natively and in Chromium at once."""
    _need(session, "chromium")
    python = _environment(session, "test", version="3.13")
    times = session.posargs or ["20"]
    how = [str(_bundle(session)), PAGES[1], *WATCHED, *PROCESSES]
    session.run(*python, "-m", "tools.repeat", *times, *how, env=SAME_ORDER)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure, side by side with other clients and with JavaScript, and write docs/benchmarks: takes half an hour.

    With arguments of your own: the native part alone, with those.
    """
    python = _environment(session, "bench", "test")
    session.run(*python, "-m", "benchmarks.native", *(session.posargs or ["--out", "docs/benchmarks"]))
    if not session.posargs:
        _need(session, "chromium", "firefox")
        for browser in ("chromium", "firefox"):
            _measure_page(session, python, browser, "--out", "docs/benchmarks")


@nox.session
def bench_small(session: nox.Session) -> None:
    """Measure everything once, and shortly, to see that it works; prints, and never fails on a time."""
    python = _environment(session, "bench", "test")
    session.run(*python, "-m", "benchmarks.native", "--small", *session.posargs)
    _need(session, "chromium")
    _measure_page(session, python, "chromium", "--small")


def _measure_page(session: nox.Session, python: list[str], browser: str, *options: str) -> None:
    session.run(*python, "-m", "benchmarks.browser", browser, "--bundle", str(_bundle(session)), *options)
