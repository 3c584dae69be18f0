"""A headless browser, started on a page with a fresh profile and ended with all its processes."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

__all__ = ["BrowserName", "find_browser", "running_browser"]

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


def find_browser(name: BrowserName) -> str | None:
    """Return the program of a browser, if it is installed; CIRCLE_WS_CHROMIUM and CIRCLE_WS_FIREFOX name programs."""
    named = os.environ.get(f"CIRCLE_WS_{name.upper()}")
    found = map(shutil.which, [named] if named else _COMMANDS[name])
    return next((program for program in found if program), None)


@asynccontextmanager
async def running_browser(name: BrowserName, program: str, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a browser on `url` for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="circle-ws-", ignore_cleanup_errors=True) as profile:
        if name == "firefox":
            (Path(profile) / "user.js").write_text(_FIREFOX)
            options = ["--headless", "--no-remote", "--profile", profile]
        else:
            # Chromium's sandbox refuses to run as root; the page is our own.
            as_root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
            options = [*_CHROMIUM, *as_root, f"--user-data-dir={profile}"]
        null = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            program, *options, url, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
