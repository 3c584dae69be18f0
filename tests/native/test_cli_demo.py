"""Proves the demo: its story, its page as a judge sees it, and what it says where something is missing.

The browser and the bundle are stand-ins here, real processes that do what the test says; `tests/example` has real ones.
"""

import json
import os
import re
import shutil
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import circle_ws
from circle_ws.auth import derive_public_key, generate_private_key
from circle_ws.bundle import kept, npm, pyodide_core
from circle_ws.bundle.cache import ToolError, folder, run
from circle_ws.bundle.steps import step
from circle_ws.cli.demo.browser import find_browser, running_browser
from circle_ws.cli.demo.files import BundleError, find_checkout, find_page, harmless, make_bundle
from circle_ws.cli.demo.page import judge
from tests.native.command_line import environ, invoke, start
from tests.support.limits import PATIENCE
from tools import CHECKOUT

KEY = generate_private_key()
GOOD: dict[str, Any] = {
    "runtime": "a stand-in",
    "error": None,
    "public_key": derive_public_key(KEY),
    "whoami": {"pubkey": derive_public_key(KEY, compressed=True)},
    "play": "42",
    "echo": {"value": ["é", None, 1.5]},
    "tick": {"n": 1},
    "lost": "OutcomeUnknown: dropped",
    "after": "42",
    "statuses": [
        *("connecting", "authenticating", "connected"),
        *("waiting", "connecting", "authenticating", "connected"),
    ],
    "faults": [],
}

KEPT = """\
from .cache import folder

def bundle(wheels, extra, pyodide):
    (folder() / "bundle.json").write_text('{"cdn": null}')
    return folder()
"""

BROWSER = """\
#!{python}
import os, sys, urllib.request
url = next(one for one in sys.argv if one.startswith("http://"))
origin = url.partition("/?")[0]
for path in ("/", "/bundle/bundle.json"):
    urllib.request.urlopen(origin + path).read()
assert "report=1" in url and "circle=ws://127.0.0.1:" in url, url
headers = {{"Origin": origin, "Content-Type": "application/json"}}
if os.environ["REPORT"]:
    body = os.environ["REPORT"].encode()
    urllib.request.urlopen(urllib.request.Request(origin + "/report", body, headers)).read()
    sys.stdin.read()
    import time; time.sleep(60)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, as if this package ran from there, with a bundler and a browser that are stand-ins."""
    root = tmp_path / "checkout"
    (root / "examples" / "browser").mkdir(parents=True)
    (root / "circle_ws" / "bundle").mkdir(parents=True)
    (root / "examples" / "browser" / "index.html").write_text("the page")
    (root / "pyproject.toml").write_text('[project]\nname = "circle-ws"\n')
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kept, "bundle", _bundler)
    program = tmp_path / "browser"
    program.write_text(BROWSER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("CIRCLE_WS_CHROMIUM", str(program))
    monkeypatch.setattr("circle_ws.cli.demo.tell", _nothing)  # The story has its own tests, and takes seconds.
    monkeypatch.setattr("circle_ws.cli.demo.PACKAGE", root / "circle_ws" / "__init__.py")
    for made in (root, *root.rglob("*")):
        made.chmod(made.stat().st_mode & ~0o022)
    return root


def _bundler(wheels: list[Path], extra: list[str], pyodide: str | None) -> Path:
    """Stand in for what makes bundles."""
    assert (wheels, extra) == ([], [])
    step("putting it together")
    made = folder() / "bundles" / "made"
    made.mkdir(parents=True, exist_ok=True)
    (made / "bundle.json").write_text('{"cdn": null}')
    return made


def _bundle(checkout: Path, pyodide: Path | None = None) -> Path:
    return make_bundle(checkout / "circle_ws" / "__init__.py", pyodide, _said.append)


_said: list[str] = []


async def _nothing(*_: object) -> None:
    """Replace the story by nothing."""


def _demo_with(report: dict[str, Any] | None) -> Result:
    return invoke("demo", "--once", "--page", env={"REPORT": "" if report is None else json.dumps(report)})


# The story.


def test_the_story_is_told_to_its_end() -> None:
    done = invoke("demo", "--once")
    assert (done.exit_code, done.stderr) == (0, "")
    assert not re.search(r"[0-9a-f]{40}", done.stdout), "a key is told by its two ends only"
    words = " ".join(re.sub(r"\d+\.\d+ s", "", done.stdout).split())
    parts = [
        "● connecting ● authenticating ● connected",
        'client.play("40 + 2") → "42"',
        '[1, "two", null]',
        '→ pushed by the circle: {"n": ',
        'client.call("drop") → OutcomeUnknown: the peer closed the connection',
        "● waiting, next attempt in",
        "● connecting ● authenticating ● connected",
        "→ signed in again as 0",
        "● closing ● closed",
    ]
    places = [words.find(part, 0) for part in parts]
    assert -1 not in places, (parts[places.index(-1)], words)
    assert places[0] < places[1] < places[2] < places[3] < places[4] < places[5] < places[7] < places[8]
    assert words.count("● connected") == 2


# The page.


def test_a_page_that_did_everything_is_a_success(checkout: Path) -> None:
    done = _demo_with(GOOD)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("✓") == 8
    assert "✗" not in done.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        {"public_key": derive_public_key(generate_private_key())},
        {"whoami": {"pubkey": None}},
        {"whoami": None},
        {"play": 42},
        {"play": "RpcError"},
        {"echo": {"value": []}},
        {"tick": {}},
        {"lost": "42"},
        {"after": "ClientClosed"},
        {"statuses": GOOD["statuses"][:3]},
        {"statuses": GOOD["statuses"][:-1]},
        {"statuses": GOOD["statuses"][3:]},
        {"faults": ["policy: script-src refused eval"]},
    ],
    ids=lambda wrong: re.sub("04[0-9a-f]{128}", "another key", str(wrong))[:40],
)
def test_the_judge_believes_no_page_that_did_less(wrong: dict[str, Any]) -> None:
    assert all(good for good, _ in judge(GOOD))
    assert [good for good, _ in judge(GOOD | wrong)].count(False) == 1


@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("runtime", "error")])
def test_the_judge_believes_no_page_that_leaves_something_out(name: str) -> None:
    assert not all(good for good, _ in judge({one: GOOD[one] for one in GOOD if one != name}))


def test_a_page_that_did_less_is_a_failure(checkout: Path) -> None:
    done = _demo_with(GOOD | {"after": "nothing came"})
    assert done.exit_code == 1
    assert done.stdout.count("✗") == 1
    assert done.stderr == "the page did not do what it should\n"


def test_a_page_that_failed_is_quoted(checkout: Path) -> None:
    done = _demo_with({"error": "There is no bundle"})
    assert done.exit_code == 1
    assert "There is no bundle" in done.stderr


def test_a_browser_that_ends_without_a_report_is_a_failure(checkout: Path) -> None:
    done = _demo_with(None)
    assert done.exit_code == 1
    assert "no report" in done.stderr


def test_without_once_the_page_is_served_until_ctrl_c(checkout: Path) -> None:
    # A process of its own runs from the checkout when the package is there, with a bundler that takes no time.
    package = checkout / "circle_ws"
    shutil.copytree(Path(circle_ws.__file__).parent, package, dirs_exist_ok=True)
    (package / "bundle" / "kept.py").write_text(KEPT)
    process = start("demo", env=environ(), cwd=checkout)
    assert process.stdout
    address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?circle=ws://127\.0\.0\.1:\d+/", address)
    assert (process.returncode, errors) == (130, "")


# What may be missing.


def _fail(*_: object) -> Path:
    raise ToolError("npm is not on this machine")


def test_a_bundle_that_cannot_be_made_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "bundle", _fail)
    done = _demo_with(GOOD)
    assert done.exit_code == 1
    assert "npm is not on this machine" in done.stderr


def test_without_page_it_is_no_failure(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "bundle", _fail)
    done = invoke("demo")
    assert done.exit_code == 0
    assert "npm is not on this machine" in " ".join(done.stdout.split())


def test_an_installed_package_has_the_page(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a checkout the console is that of the wheel, and the same is done with it."""
    package = tmp_path / "site-packages" / "circle_ws" / "__init__.py"
    assert find_page(package) == package.parent / "cli" / "demo" / "console"
    shutil.copytree(checkout / "examples" / "browser", find_page(package))
    monkeypatch.setattr("circle_ws.cli.demo.PACKAGE", package)
    assert _demo_with(GOOD).exit_code == 0


def test_the_wheel_has_the_whole_console() -> None:
    """What the page is made of, and nothing that lies beside it, such as a bundle."""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    home = CHECKOUT / "examples" / "browser"
    parts = {path.name for path in home.iterdir() if path.name not in ("README.md", "bundle")}
    assert declared["force-include"] == {
        f"examples/browser/{name}": f"circle_ws/cli/demo/console/{name}" for name in parts
    }


@pytest.mark.parametrize(
    "changed",
    [
        ".",
        "pyproject.toml",
        "circle_ws/bundle",
        "circle_ws/bundle/other.py",
        "circle_ws/bundle/in_pyodide.mjs",
        "circle_ws/bundle/folder",
        "examples/browser",
        "examples/browser/index.html",
    ],
)
@pytest.mark.parametrize(("how", "words"), [("owner", "belongs to another user"), ("mode", "written by other users")])
def test_a_checkout_that_others_can_change_is_not_run(checkout: Path, changed: str, how: str, words: str) -> None:
    """Nothing of it may be another user's, or writable by one."""
    bundler = checkout / "circle_ws" / "bundle"
    for name in ("other.py", "in_pyodide.mjs"):
        (bundler / name).touch(0o644)
    (bundler / "folder").mkdir(0o755)
    assert (_bundle(checkout) / "bundle.json").is_file()
    shutil.rmtree(folder())
    path = checkout / changed
    if how == "mode":
        path.chmod(path.stat().st_mode | 0o002)
    elif os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        pytest.skip("only root can give files away")
    with pytest.raises(BundleError, match=words) as caught:
        _bundle(checkout)
    assert str(path) in str(caught.value)
    assert not (folder() / "bundles").exists()


def test_a_cache_that_others_can_change_is_not_served(checkout: Path) -> None:
    """What was made there before may have been changed since."""
    (folder() / "bundles").mkdir()
    (folder() / "bundles").chmod(0o777)
    with pytest.raises(BundleError, match="written by other users"):
        _bundle(checkout)


def test_a_cache_that_cannot_be_made_is_told(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BundleError, match="the bundle cannot be made: .*Not a directory"):
        _bundle(checkout)


@pytest.mark.parametrize("is_private", [True, False])
def test_a_private_group_has_no_other_member(checkout: Path, is_private: bool) -> None:
    """Where each user has a group, files are often writable by that."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    bundler = checkout / "circle_ws" / "bundle"
    os.chown(bundler, -1, 0 if is_private else 12345)
    bundler.chmod(0o775)
    if is_private:
        _bundle(checkout)
        return
    with pytest.raises(BundleError, match="written by other users"):
        _bundle(checkout)


def test_the_bundler_gets_no_secrets(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is what it needs: nothing that may be a secret, nothing that adds code, nothing unknown."""
    secrets = {
        "CIRCLE_WS_PRIVATE_KEY": KEY,
        "CIRCLE_WS_KEY_PASSWORD": "hidden",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "GITHUB_TOKEN": "hidden",
        "NPM_CONFIG__AUTH": "hidden",
        "pip_password": "hidden",
        "DATABASE_URL": "hidden",
        "PYTHONPATH": "hidden",
    }
    for name, value in {**secrets, "HTTPS_PROXY": "http://proxy.example", "PIP_INDEX_URL": "http://index"}.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []

    def tell(*_: object) -> Path:
        told.append(run(Path(sys.executable), "-c", "import json, os; print(json.dumps(dict(os.environ)))"))
        return folder()

    monkeypatch.setattr(kept, "bundle", tell)
    _bundle(checkout)
    given = json.loads(told[0])
    assert not set(given) & set(secrets)
    assert {"PATH", "HOME", "HTTPS_PROXY", "PIP_INDEX_URL"} <= set(given)


def test_what_is_needed_is_kept() -> None:
    """In whatever case a name is written."""
    kept = dict.fromkeys(("PATH", "HOME", "https_proxy", "npm_config_registry", "LC_ALL", "XDG_CACHE_HOME"), "x")
    assert harmless({**kept, "LD_PRELOAD": "x", "npm_config_//r/:_authToken": "x"}) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_INDEX_URL", "https://user:word@index.example/simple"),
        ("PIP_EXTRA_INDEX_URL", "https://one.example/ https://word@two.example/"),
        ("npm_config_registry", "https://user:word@registry.example/"),
        ("https_proxy", "http://user:word@proxy.example:3128"),
        ("HTTP_PROXY", "user:word@proxy.example:3128"),
    ],
)
def test_no_password_in_a_url_reaches_the_bundler(name: str, value: str) -> None:
    """The same without one does."""
    assert harmless({name: value}) == {}
    without = {name: value.replace("user:", "").replace("word@", "")}
    assert harmless(without) == without


def test_without_a_browser_it_says_what_to_install(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WS_CHROMIUM", "/nowhere/browser")
    monkeypatch.setenv("CIRCLE_WS_FIREFOX", "/nowhere/browser")
    done = _demo_with(GOOD)
    assert done.exit_code == 1
    assert "chromium" in done.stderr


def test_a_port_that_is_taken_is_one_sentence(checkout: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = invoke("demo", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 1
    assert "address already in use" in done.stderr


def test_the_checkout_is_the_one_of_the_package(checkout: Path, tmp_path: Path) -> None:
    package = checkout / "circle_ws" / "__init__.py"
    assert find_checkout(package) == checkout.resolve()
    assert find_checkout(tmp_path / "circle_ws" / "__init__.py") is None
    assert find_checkout(checkout / "examples" / "browser" / "circle_ws" / "__init__.py") is None


def test_this_package_has_its_checkout() -> None:
    """The suite runs from one."""
    assert find_checkout(Path(circle_ws.__file__)) == Path(__file__).parents[2]


def test_the_bundler_gets_the_pyodide_that_is_named(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that is given; without one that of npm, or, where there is no npm, the CDN's."""
    asked: list[str | None] = []

    def note(wheels: list[Path], extra: list[str], pyodide: str | None) -> Path:
        asked.append(pyodide)
        return folder()

    monkeypatch.setattr(kept, "bundle", note)
    (tmp_path / "npm").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for given in (tmp_path, None):
        _bundle(checkout, given)
    monkeypatch.setenv("PATH", str(checkout))
    _bundle(checkout)
    npm.place("pyodide", pyodide_core.VERSION).mkdir()
    _bundle(checkout)
    assert asked == [str(tmp_path), None, "cdn", None]


def test_the_steps_are_told(checkout: Path) -> None:
    _said.clear()
    _bundle(checkout)
    assert _said == ["putting it together"]


def test_a_browser_is_found_by_name(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = str(checkout.parent / "browser")
    assert find_browser("chromium") == stand_in
    monkeypatch.setenv("CIRCLE_WS_FIREFOX", stand_in)
    assert find_browser("firefox") == stand_in


async def test_firefox_gets_a_profile_of_its_own(tmp_path: Path) -> None:
    program = tmp_path / "firefox"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\ncat "$4/user.js" >> {tmp_path}/arguments\n'
    )
    program.chmod(0o755)
    async with running_browser("firefox", str(program), "http://127.0.0.1/") as process:
        await process.wait()
    *options, profile, url, preferences = (tmp_path / "arguments").read_text().split("\n", 5)
    assert (options, url) == (["--headless", "--no-remote", "--profile"], "http://127.0.0.1/")
    assert "circle-ws-" in profile
    assert "user_pref" in preferences
