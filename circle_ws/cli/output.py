"""How a command ends and what it prints: a result for a person or as JSON, or one sentence and an exit code."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from ..errors import (
    AuthError,
    CallTimeout,
    CircleWsError,
    ClientClosed,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    NotConnected,
    OutcomeUnknown,
    RpcError,
)
from ..text import escaped, hide_keys

__all__ = [
    "CommandFailed",
    "ExitCode",
    "Json",
    "beginning",
    "code_of",
    "described",
    "fail",
    "in_json",
    "laid_out",
    "printable",
    "read_stdin",
    "reason",
    "reported",
    "run",
    "show",
    "show_json",
]

T = TypeVar("T")

MAX_CHARACTERS = 100_000
"""Maximum length of a result printed for a person, in characters."""


class ExitCode(IntEnum):
    """The exit codes of every command; the names, in lower case and with `-`, are the kinds of errors in JSON."""

    SUCCESS = 0
    FAILED = 1
    """The circle answered with an error, or the command could not do its work: a port is taken, a file is there."""
    USAGE = 2
    """An argument or an option is wrong."""
    CONNECTION = 3
    """The circle could not be reached, or the connection was lost."""
    SIGN_IN = 4
    """The sign-in failed, the key cannot be read, or the circle requires a sign-in."""
    TIME = 5
    """The time of a call was over."""
    OUTCOME_UNKNOWN = 6
    """The connection was lost after the request was written: it may have run."""
    INTERRUPTED = 128 + 2
    """Ctrl-C (SIGINT), as shells count it."""
    BROKEN_PIPE = 128 + 13
    """The reader of the output has gone, as in `| head`; what a program that SIGPIPE ends has."""
    TERMINATED = 128 + 15
    """SIGTERM."""

    @property
    def kind(self) -> str:
        """The name as it stands in JSON."""
        return self.name.lower().replace("_", "-")


_CODES: tuple[tuple[type[CircleWsError], ExitCode], ...] = (
    (ConfigError, ExitCode.USAGE),
    (InvalidRequest, ExitCode.USAGE),
    (OutcomeUnknown, ExitCode.OUTCOME_UNKNOWN),
    (ConnectionFailed, ExitCode.CONNECTION),
    (ConnectionLost, ExitCode.CONNECTION),
    (NotConnected, ExitCode.CONNECTION),
    (ClientClosed, ExitCode.CONNECTION),
    (AuthError, ExitCode.SIGN_IN),
    (CallTimeout, ExitCode.TIME),
    (CircleWsError, ExitCode.FAILED),
)
"""The exit code of each error; the first class that fits decides."""
_DETAILS = ("code", "data", "phase", "http_status", "retry_after", "option")
"""The attributes of errors that stand in JSON where they have a value."""

Json = Annotated[bool, typer.Option("--json", help="For scripts: print JSON only, also if it fails.")]


class CommandFailed(Exception):
    """A command's own failure: one sentence and an exit code."""

    def __init__(self, words: str, code: ExitCode) -> None:
        super().__init__(words)
        self.code = code


def fail(words: str, *, code: ExitCode = ExitCode.FAILED) -> NoReturn:
    """End the command with one sentence, or its JSON, in which anything like a private key is hidden."""
    raise CommandFailed(words, code)


def code_of(error: CircleWsError | CommandFailed) -> ExitCode:
    """Return the exit code of an error."""
    if isinstance(error, CommandFailed):
        return error.code
    return next(code for kind, code in _CODES if isinstance(error, kind))


def described(error: CircleWsError | CommandFailed) -> dict[str, Any]:
    """Return an error as JSON: kind and message, the class, and what else it knows."""
    told = {"kind": code_of(error).kind, "message": _sentence(error)}
    if isinstance(error, RpcError):
        told["message"] = hide_keys(str(error.message))
    if isinstance(error, CommandFailed):
        return told
    details = {name: getattr(error, name, None) for name in _DETAILS}
    return {**told, "type": type(error).__name__, **{name: it for name, it in details.items() if it is not None}}


@contextmanager
def reported(*, as_json: bool) -> Iterator[None]:
    """Turn whatever ends a command badly into one sentence, or JSON on stdout, and an exit code."""
    try:
        yield
    except (CircleWsError, CommandFailed) as error:
        _report(error, as_json=as_json)
    except typer.Exit:
        raise
    except BaseException as error:
        if (code := _quiet_end(error)) is not None:
            raise typer.Exit(code) from None
        if (words := _usage_error(error)) is None:
            raise
        if as_json or isinstance(error, typer.Abort):
            _report(CommandFailed(words, ExitCode.USAGE), as_json=as_json)
        raise


def _quiet_end(error: BaseException) -> ExitCode | None:
    """Return the exit code for what ends a command without a word; None for anything else."""
    context = error.__context__
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, typer.Abort) and not isinstance(context, EOFError):
        return ExitCode.INTERRUPTED  # Ctrl-C where a password was asked for.
    if isinstance(error, BrokenPipeError) or (isinstance(error, SystemExit) and isinstance(context, BrokenPipeError)):
        _silence_stdout()  # rich has done so before it raised SystemExit.
        return ExitCode.BROKEN_PIPE
    return None


def _usage_error(error: Any) -> str | None:
    """Return the words of one of typer's own errors, about arguments, and hide keys in it; None for other errors."""
    if isinstance(error, typer.Abort):
        return "a password was asked for, and the input ended"
    # The classes depend on the version of typer.
    if not isinstance(getattr(error, "message", None), str) or not isinstance(getattr(error, "exit_code", None), int):
        return None
    error.message = hide_keys(error.message)
    return str(error.format_message())


def _report(error: CircleWsError | CommandFailed, *, as_json: bool) -> NoReturn:
    with suppress(OSError, CommandFailed):  # If it cannot be written, the exit code alone tells it.
        if as_json:
            show_json({"error": described(error)})
        else:
            typer.echo(printable(_sentence(error)), err=True)
    raise typer.Exit(code_of(error)) from None


def _sentence(error: Exception) -> str:
    return hide_keys(" ".join(str(error).split()))


def _silence_stdout() -> None:
    """Send what is still buffered nowhere: the interpreter flushes it at its end, and would say that it cannot."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; SIGTERM cancels it, so that the terminal and the connection are left in order."""
    terminated = False

    async def until_terminated() -> T:
        task = asyncio.current_task()
        assert task is not None
        cancel = task.cancel

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            cancel()

        with suppress(NotImplementedError):  # On Windows, where a process is ended without being asked.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await main

    try:
        return asyncio.run(until_terminated())
    except asyncio.CancelledError:
        if not terminated:
            raise
        raise typer.Exit(ExitCode.TERMINATED) from None


def show(text: str) -> None:
    """Print text to stdout at once.

    Raises:
        BrokenPipeError: Its reader has gone.
        CommandFailed: It cannot be written: a disk is full.
    """
    try:
        # Else typer would take colours out of raw output.
        typer.echo(text, color=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence_stdout()
        fail(f"the output cannot be written: {reason(error)}")


def show_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    show(in_json(value))


def in_json(value: Any) -> str:
    """Return a value as JSON for stdout: on one line, and no character of it commands a terminal."""
    encoding: str = getattr(sys.stdout, "encoding", None) or ""
    return printable(json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf")))


def read_stdin() -> str:
    """Return all of stdin."""
    if sys.stdin is None:
        fail("there is no stdin to read", code=ExitCode.USAGE)
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        # Without its own words, which show some of the input.
        encoding = sys.stdin.encoding
    fail(f"stdin is no text in {encoding}", code=ExitCode.USAGE)


def printable(text: str, *, kept: str = "\n") -> str:
    """Return `text` with control characters escaped: a peer's text must not command the terminal."""
    return escaped(text, kept=kept)


def reason(error: OSError) -> str:
    """Return the operating system's words for an error, without those that asyncio adds."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def laid_out(result: Any) -> str:
    """Return a JSON value as text, indented and cut at `MAX_CHARACTERS`."""
    text = _rendered(result, MAX_CHARACTERS, indent=2)
    if len(text) <= MAX_CHARACTERS:
        return text
    words = f"\n... and more: over {MAX_CHARACTERS} characters are left out here; | or > gets all of it"
    return text[:MAX_CHARACTERS] + words


def beginning(result: Any, limit: int) -> str:
    """Return a JSON value on one line, printable, and cut at `limit` characters."""
    text = _rendered(result, limit)
    # Escapes are longer than the characters that they replace.
    safe = escaped(text[:limit])
    return safe if len(safe) <= limit and len(text) <= limit else f"{safe[:limit]}..."


def _rendered(result: Any, limit: int, indent: int | None = None) -> str:
    """Return a JSON value as text, or at least the first `limit` characters of it."""
    text = ""
    # Piece by piece: a result that is cut, perhaps deep or long, is never rendered whole.
    for part in json.JSONEncoder(ensure_ascii=False, indent=indent).iterencode(result):
        text += part
        if len(text) > limit:
            break
    return text
