"""`circle-ws` on the command line. It needs the extra `cli`; nothing of it is imported before `main()` runs."""

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
    # Not "python -m circle_ws": shells complete the command by its name.
    app(prog_name="circle-ws")
