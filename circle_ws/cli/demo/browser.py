"""A headless browser, started on a page with a fresh profile and ended with all its processes."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Browser", "BrowserName", "find_browser", "running_browser"]

BrowserName = Literal["chromium", "firefox"]

_COMMANDS: dict[BrowserName, tuple[str, ...]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
}

_CHROMIUM = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-default-browser-check",
    "--no-first-run",
)

# Without these Firefox also connects to servers of its maker.
_FIREFOX = """\
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""


@dataclass(frozen=True)
class Browser:
    """A browser on this machine.

    Attributes:
        name: Its kind.
        program: The program.
    """

    name: BrowserName
    program: Path

    def command(self, url: str, profile: Path) -> list[str]:
        """Return the command that opens `url` with the empty folder `profile`."""
        if self.name == "firefox":
            (profile / "user.js").write_text(_FIREFOX)
            return [str(self.program), "--headless", "--no-remote", "--profile", str(profile), url]
        # Chromium's sandbox refuses to run as root; the page is our own.
        as_root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        return [str(self.program), *_CHROMIUM, *as_root, f"--user-data-dir={profile}", url]


def find_browser(names: Sequence[BrowserName] = ("chromium", "firefox")) -> Browser | None:
    """Return the first of these browsers that is installed; CIRCLE_WS_CHROMIUM and CIRCLE_WS_FIREFOX name programs."""
    for name in names:
        told = os.environ.get(f"CIRCLE_WS_{name.upper()}")
        for command in (told,) if told else _COMMANDS[name]:
            program = shutil.which(command)
            if program is not None:
                return Browser(name, Path(program))
    return None


@asynccontextmanager
async def running_browser(browser: Browser, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run it on `url` for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="circle-ws-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *browser.command(url, Path(folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
