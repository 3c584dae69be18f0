"""The page uses itself: sign in, ask, listen, be dropped, ask again; then it reports what it saw."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import js
from pyodide.http import pyfetch

if TYPE_CHECKING:
    from page import Page

LIMIT = 60.0


async def tour(page: "Page", js_faults: Any, runtime: str) -> None:
    """Go through everything and POST a report, also of what went wrong."""
    report: dict[str, Any] = {"runtime": f"{runtime}, {js.navigator.userAgent}", "error": None}
    try:
        async with asyncio.timeout(LIMIT):
            await _walk(page, report)
    except Exception as error:
        report["error"] = f"{type(error).__name__}: {error}"
    report |= {"statuses": page.statuses, "faults": list(js_faults)}
    await pyfetch("report", method="POST", headers={"Content-Type": "application/json"}, body=json.dumps(report))


async def _walk(page: "Page", report: dict[str, Any]) -> None:
    await page.connect()
    report["public_key"] = page.client.public_key if page.client else None
    report["play"] = await page.play()
    report["whoami"] = json.loads(await page.call())
    page.view.fill("method", "echo")
    page.view.fill("params", '[{"value": ["é", null, 1.5]}]')
    report["echo"] = json.loads(await page.call())
    report["tick"] = await page.first_tick
    report["lost"] = await page.drop()
    # There is no link now: this waits for the next one.
    report["after"] = await page.play()
