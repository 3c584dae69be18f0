"""One message to a circle: `call`, `play` and `notify`."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from ..client import CircleWsClient
from ..errors import RpcError
from .connection import Connection, connects
from .keys import VARIABLE
from .output import ExitCode, Json, fail, laid_out, printable, read_stdin, run, show, show_json
from .progress import follow

__all__ = ["Params", "call", "decoded", "notify", "play"]

AUTHENTICATION_REQUIRED = -32001
T = TypeVar("T")

Method = Annotated[str, typer.Argument(metavar="METHOD")]
Params = Annotated[
    str | None, typer.Argument(metavar="PARAMS", help="JSON: an object or an array; - reads it from stdin.")
]


@connects
def call(connection: Connection, method: Method, params: Params = None, as_json: Json = False) -> None:
    """Call a method and print its result as JSON."""
    asked = decoded(params, connection)
    client = connection.builder().build()
    _show(run(_ask(client, lambda: client.call(method, asked))), as_json=as_json)


@connects
def notify(connection: Connection, method: Method, params: Params = None, as_json: Json = False) -> None:
    """Send a notification, which is not answered; print nothing."""
    asked = decoded(params, connection)
    client = connection.builder().build()
    run(_ask(client, lambda: client.notify(method, asked)))
    if as_json:
        show_json({"sent": True})


@connects
def play(
    connection: Connection,
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="What to run; - reads it from stdin.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the output itself, not as JSON; into a pipe as it is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a script on a circle and print its output, a string, as JSON."""
    if raw and as_json:
        fail("--raw and --json exclude each other", code=ExitCode.USAGE)
    text = _given("script", script, connection)
    client = connection.builder().build()
    output = run(_ask(client, lambda: client.play(text)))
    if raw:
        show(printable(output, kept="\n\t") if sys.stdout.isatty() else output)
    else:
        _show(output, as_json=as_json)


async def _ask(client: CircleWsClient, ask: Callable[[], Awaitable[T]]) -> T:
    with follow(client):
        async with client:
            try:
                return await ask()
            except RpcError as error:
                if error.code == AUTHENTICATION_REQUIRED and client.public_key is None:
                    fail(f"{error}; set {VARIABLE}, or give --key-file FILE", code=ExitCode.SIGN_IN)
                raise


def decoded(params: str | None, connection: Connection) -> Any:
    """Return the params that were given as JSON, perhaps on stdin."""
    if params is None:
        return None
    text = _given("params", params, connection)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        fail(f"PARAMS is no JSON: {error}", code=ExitCode.USAGE)


def _given(what: str, argument: str, connection: Connection) -> str:
    """Return an argument, or stdin if it is `-`."""
    if argument != "-":
        return argument
    if str(connection.key_file) == "-":
        fail(f"the {what} and the key cannot both come from stdin", code=ExitCode.USAGE)
    return read_stdin()


def _show(result: Any, *, as_json: bool) -> None:
    """Print a result: for a person with line breaks and bounded, for a program whole and in one line."""
    if as_json:
        show_json({"result": result})
    elif sys.stdout.isatty():
        show(printable(laid_out(result)))
    else:
        show_json(result)
