"""How a command ends and what it prints: a result laid out for a person, or one sentence and an exit code."""

import asyncio
import json
import logging
import os
from collections.abc import Coroutine, Iterator
from typing import Any, NoReturn, TypeVar

import typer

from ..errors import CircleWsError, ConfigError, InvalidRequest
from ..text import escaped, hide_keys

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "USAGE",
    "fail",
    "laid_out",
    "leave_the_log_alone",
    "printable",
    "reason",
    "run",
]

FAILURE = 1
USAGE = 2
INTERRUPTED = 130

T = TypeVar("T")
_NOWHERE = logging.NullHandler()

MAX_DEPTH = 8
"""Maximum depth that is indented; deeper values stand in one line, as each level makes every line longer."""
MAX_CHARACTERS = 100_000
"""Maximum length of a result printed for a person, in characters."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; an error of this library ends the command with a sentence and an exit code."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (ConfigError, InvalidRequest) as error:
        fail(str(error), code=USAGE)
    except CircleWsError as error:
        fail(str(error))


def leave_the_log_alone() -> None:
    """Keep a client's log records off stderr: the command itself reports what happened, once."""
    logging.getLogger("circle_ws").addHandler(_NOWHERE)


def fail(words: str, *, code: int = FAILURE) -> NoReturn:
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
    """Return a JSON value as text, indented by 2 up to `MAX_DEPTH` and cut at `MAX_CHARACTERS`."""
    parts: list[str] = []
    size = 0
    for part in _parts(result, 0):
        parts.append(part)
        size += len(part)
        if size > MAX_CHARACTERS:
            words = f"\n... and more: over {MAX_CHARACTERS} characters are left out here; | or > gets all of it"
            return "".join(parts)[:MAX_CHARACTERS] + words
    return "".join(parts)


def _parts(value: Any, depth: int) -> Iterator[str]:
    """Yield the text piece by piece, so that a result that is cut is never rendered whole."""
    if not value or not isinstance(value, dict | list) or depth == MAX_DEPTH:
        yield json.dumps(value, ensure_ascii=False)
    else:
        is_dict = isinstance(value, dict)
        margin = "\n" + "  " * (depth + 1)
        yield "{" if is_dict else "["
        for number, item in enumerate(value):
            yield ("," if number else "") + margin
            if is_dict:
                yield json.dumps(item, ensure_ascii=False) + ": "
            yield from _parts(value[item] if is_dict else item, depth + 1)
        yield "\n" + "  " * depth + ("}" if is_dict else "]")
