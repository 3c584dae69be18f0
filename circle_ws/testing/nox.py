"""A project's suite inside Pyodide, as a session of nox."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nox

__all__ = ["pyodide"]


def pyodide(session: nox.Session, runtime: str, *arguments: str) -> None:
    """Run the suite of the noxfile's project inside Pyodide; the session fails where pytest does.

    The wheel of the project is built, and a page is given that, what it needs, and the files of the project. The
    session needs no environment of its own (`@nox.session(python=False)`): nox's own must have `circle-ws[testing]`.

    Args:
        session: The session.
        runtime: `"chromium"`, `"firefox"` or `"node"`, which must be on this machine.
        arguments: Those of `python -m circle_ws.testing.pyodide`, and of pytest.
    """
    command = [sys.executable, "-m", "circle_ws.testing.pyodide", runtime, "--wheel", "."]
    session.run(*command, *arguments, external=True)
