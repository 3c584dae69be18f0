"""`circle-ws` on the command line. It needs the extra `cli`; nothing of it is imported before `main()` runs."""

import io
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process and exit."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("the command line needs typer and rich: pip install 'circle-ws[cli]'")
    except KeyboardInterrupt:
        sys.exit(130)
    _prepare_streams()
    # Not "python -m circle_ws": shells complete the command by its name.
    app(prog_name="circle-ws")


def _prepare_streams() -> None:
    """Make stdout and stderr writable, whatever the shell has done to them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed, as by `>&-`; a socket would else be given its number.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # As stderr: not every encoding has every character.
