"""How a command ends and what it prints: a result laid out for a person, or one sentence and an exit code."""

import asyncio
import json
import logging
import os
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from ..errors import CircleWsError, ConfigError, InvalidRequest
from ..text import escaped, hide_keys

__all__ = ["USAGE", "fail", "laid_out", "leave_the_log_alone", "printable", "reason", "run"]

USAGE = 2
"""The exit code for wrong arguments."""

T = TypeVar("T")
_NOWHERE = logging.NullHandler()

MAX_CHARACTERS = 100_000
"""Maximum length of a result printed for a person, in characters."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; an error of this library ends the command with a sentence and an exit code."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ConfigError, InvalidRequest) as error:
        fail(str(error), code=USAGE)
    except CircleWsError as error:
        fail(str(error))


def leave_the_log_alone() -> None:
    """Keep a client's log records off stderr: the command itself reports what happened, once."""
    logging.getLogger("circle_ws").addHandler(_NOWHERE)


def fail(words: str, *, code: int = 1) -> NoReturn:
    """End the command with one line on stderr, in which anything like a private key is hidden."""
    typer.echo(printable(hide_keys(" ".join(words.split()))), err=True)
    raise typer.Exit(code)


def printable(text: str) -> str:
    """Return `text` with control characters escaped: a peer's text must not command the terminal."""
    return escaped(text, kept="\n")


def reason(error: OSError) -> str:
    """Return the operating system's words for an error, without those that asyncio adds."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def laid_out(result: Any) -> str:
    """Return a JSON value as text, indented and cut at `MAX_CHARACTERS`."""
    text = ""
    # Piece by piece: a result that is cut, perhaps deep or long, is never rendered whole.
    for part in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(result):
        text += part
        if len(text) > MAX_CHARACTERS:
            words = f"\n... and more: over {MAX_CHARACTERS} characters are left out here; | or > gets all of it"
            return text[:MAX_CHARACTERS] + words
    return text
