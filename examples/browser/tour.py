"""An automatic tour of the page: sign in, call, listen, lose the connection, call again; then report what happened."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import js
from pyodide.http import pyfetch

if TYPE_CHECKING:
    from page import Page

LIMIT = 60.0


async def tour(page: "Page", js_faults: Any, runtime: str) -> None:
    """Run the tour and POST a report, also of a failure."""
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
    # The client is disconnected now: this call waits for the next connection.
    report["after"] = await page.play()
