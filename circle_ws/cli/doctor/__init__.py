"""`doctor`: where the way to a circle is broken, and what to do about it."""

import os
import platform
import ssl
import sys
import textwrap
from contextlib import ExitStack
from importlib.metadata import version
from shutil import get_terminal_size
from typing import Any

import typer

from ...config import ClientConfig
from ..connection import Connection, connects
from ..output import Json, code_of, described, printable, run, show, show_json
from ..progress import spinner
from .examination import examine
from .timeline import Step

__all__ = ["doctor"]

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "failed": typer.colors.RED}
_INDENT = " " * 9


@connects
def doctor(connection: Connection, as_json: Json = False) -> None:
    """Examine the way to a circle, step by step, and say what is wrong and what to do about it.

    If the circle rejects the key, fresh keys sign in too, to tell whether the key or the profile is wrong.
    """
    config = connection.builder().config()
    steps = run(examine(config) if as_json else _shown(config))
    if as_json:
        healthy = all(step.error is None for step in steps)
        show_json({**_about(config), "healthy": healthy, "steps": [_plain(step) for step in steps]})
    failed = next((step.error for step in steps if step.error is not None), None)
    if failed is not None:
        raise typer.Exit(code_of(failed))


async def _shown(config: ClientConfig) -> list[Step]:
    """Examine, and print each step as it ends."""
    about = _about(config)
    show(printable(f"{about['url']} (circle-ws {about['circle_ws']}, Python {about['python']}, {about['tls']})"))
    with ExitStack() as waiting:

        def tell(step: Step) -> None:
            # The spinner first gives back its line.
            waiting.close()
            for line in _lines(step):
                show(line)
            waiting.enter_context(spinner("examining"))

        waiting.enter_context(spinner("examining"))
        steps = await examine(config, tell)
    bad = [step for step in steps if step.outcome != "ok"]
    show("all is well" if not bad else f"to do: {', '.join(step.name for step in bad if step.remedy)}")
    return steps


def _about(config: ClientConfig) -> dict[str, Any]:
    """Return what is examined, and by what."""
    return {
        "url": config.shown_url,
        "circle_ws": version("circle-ws"),
        "python": platform.python_version(),
        "tls": ssl.OPENSSL_VERSION,
    }


def _plain(step: Step) -> dict[str, Any]:
    """Return a step as JSON."""
    told: dict[str, Any] = {"name": step.name, "outcome": step.outcome, "found": step.found}
    if step.remedy:
        told["remedy"] = step.remedy
    if step.seconds is not None:
        told["seconds"] = round(step.seconds, 6)
    if step.error is not None:
        told["error"] = described(step.error)
    return told


def _lines(step: Step) -> list[str]:
    """Return a step as lines for a person: its outcome in colour, the remedy below."""
    taken = "" if step.seconds is None else f"{step.seconds * 1000:,.1f} ms"
    head = f"{step.outcome:7}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        head = typer.style(head, fg=_COLOURS[step.outcome])
    lines = [f"{head}  {step.name:12}{taken:>11}  {printable(step.found)}"]
    if step.remedy:
        # In a pipe one line, which can be searched.
        width = get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
        remedy = printable(f"-> {step.remedy}")
        wrapped = textwrap.wrap(
            remedy, max(width, 40), initial_indent=_INDENT, subsequent_indent=f"{_INDENT}   ", break_on_hyphens=False
        )
        lines += wrapped
    return lines
