# /// script
# dependencies = ["nox", "circle-ws[testing]"]
# ///
import nox

from circle_ws.testing.nox import pyodide


@nox.session
def tests(session: nox.Session) -> None:
    session.install(".", "circle-ws[testing]")
    session.run("pytest", *session.posargs)


@nox.session(python=False)
@nox.parametrize("runtime", ["chromium", "firefox", "node"])
def page(session: nox.Session, runtime: str) -> None:
    pyodide(session, runtime, *session.posargs)
