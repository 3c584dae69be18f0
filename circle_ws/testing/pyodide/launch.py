"""Start a browser or Node on a URL, in a process group of its own, and always end the whole group."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RUNTIMES", "Launched", "Start", "launch", "node_command"]

_HOST = Path(__file__).parent / "page" / "host.mjs"

# Without these Firefox talks to its maker's servers and asks questions.
_FIREFOX_PREFERENCES = {
    "app.normandy.enabled": "false",
    "app.update.enabled": "false",
    "browser.aboutConfig.showWarning": "false",
    "browser.safebrowsing.malware.enabled": "false",
    "browser.safebrowsing.phishing.enabled": "false",
    "browser.shell.checkDefaultBrowser": "false",
    "browser.startup.homepage_override.mstone": '"ignore"',
    "datareporting.healthreport.uploadEnabled": "false",
    "datareporting.policy.dataSubmissionEnabled": "false",
    "dom.disable_open_during_load": "false",
    "extensions.update.enabled": "false",
    "media.gmp-manager.updateEnabled": "false",
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "services.settings.server": '"data:,"',
    "toolkit.telemetry.enabled": "false",
    "toolkit.telemetry.reportingpolicy.firstRun": "false",
}


@dataclass(frozen=True)
class Start:
    """What to start: the program, the page, and the bundle, which Node reads from the disk."""

    program: Path
    url: str
    bundle: Path


@dataclass(frozen=True)
class Launched:
    """A running browser."""

    process: asyncio.subprocess.Process
    log: Path

    def last_words(self) -> str:
        """Return the end of what the browser printed."""
        return self.log.read_text(errors="replace")[-2000:].strip()


def _chromium(start: Start, profile: Path) -> list[str]:
    switches = [
        "--headless=new",
        "--disable-background-networking",
        "--disable-background-timer-throttling",
        "--disable-breakpad",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-popup-blocking",
        "--no-default-browser-check",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ]
    if os.geteuid() == 0:
        switches.append("--no-sandbox")
    return [str(start.program), *switches, start.url]


def _firefox(start: Start, profile: Path) -> list[str]:
    lines = [f'user_pref("{name}", {value});\n' for name, value in _FIREFOX_PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    return [str(start.program), "--headless", "--no-remote", "--profile", str(profile), start.url]


def node_command(program: Path) -> list[str]:
    """Return what a command of Node begins with: the program, and the switches for what it does not have built in."""
    # Node 20 needs both, later versions have both built in and may know the switches no more.
    switches = ["--experimental-websocket", "--experimental-wasm-stack-switching"]
    return [str(program), *(switch for switch in switches if _node_knows(program, switch))]


def _node(start: Start, profile: Path) -> list[str]:
    return [*node_command(start.program), str(_HOST), start.url, str(start.bundle)]


def _node_knows(program: Path, switch: str) -> bool:
    return subprocess.run([program, switch, "--eval", "0"], capture_output=True).returncode == 0


RUNTIMES: dict[str, Callable[[Start, Path], list[str]]] = {
    "chromium": _chromium,
    "firefox": _firefox,
    "node": _node,
}


@asynccontextmanager
async def launch(runtime: str, start: Start) -> AsyncIterator[Launched]:
    """Run a program on its page, with a new profile, until the block ends."""
    with tempfile.TemporaryDirectory(prefix=f"circle-ws-{runtime}-", ignore_cleanup_errors=True) as folder:
        profile, log = Path(folder) / "profile", Path(folder) / "log"
        profile.mkdir()
        command = RUNTIMES[runtime](start, profile)
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        try:
            yield Launched(process, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
