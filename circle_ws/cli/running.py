"""How a command runs and how it ends: one sentence and an exit code, never a traceback."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from ..errors import CircleWsError, ConfigError, InvalidRequest
from ..text import escaped, hide_keys

__all__ = ["FAILURE", "INTERRUPTED", "USAGE", "fail", "leave_the_log_alone", "printable", "reason", "run"]

FAILURE = 1
USAGE = 2
INTERRUPTED = 130

T = TypeVar("T")
_NOWHERE = logging.NullHandler()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end; what goes wrong on purpose becomes a sentence and an exit code."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (ConfigError, InvalidRequest) as error:
        fail(str(error), code=USAGE)
    except CircleWsError as error:
        fail(str(error))


def leave_the_log_alone() -> None:
    """Keep what a client logs off stderr: a command says itself, once and in its own words, what became of it."""
    logging.getLogger("circle_ws").addHandler(_NOWHERE)


def fail(words: str, *, code: int = FAILURE) -> NoReturn:
    """Say on stderr what went wrong, without what may be a private key, and end the command."""
    typer.echo(printable(hide_keys(" ".join(words.split()))), err=True)
    raise typer.Exit(code)


def printable(text: str) -> str:
    """Write what a terminal might take for a command as an escape; the text may come from a peer."""
    return escaped(text, kept="\n")


def reason(error: OSError) -> str:
    """Give the system's own words; asyncio puts more around them."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
