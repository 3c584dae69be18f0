"""One call to a circle: `call` and `play`."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from ..auth.types import Dialect, ParamsForm, Policy
from ..builder import CircleWsClientBuilder
from ..client import CircleWsClient
from ..config import DEFAULT
from ..errors import CircleWsError, RpcError
from .keys import VARIABLE, KeyFile, read_key
from .output import USAGE, fail, laid_out, leave_the_log_alone, printable, run

__all__ = ["call", "play"]

AUTHENTICATION_REQUIRED = -32001
T = TypeVar("T")

Url = Annotated[str, typer.Argument(metavar="URL", help="The circle: ws:// or wss://.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="For connecting and signing in, and again for the answer. [default: 10 and 30]"
    ),
]
ProfileName = Annotated[
    Literal["eip191", "eip191-v0", "sha256-compact", "sha256-der"],
    typer.Option(help="How the sign-in is signed where it is not bound to the circle."),
]
PolicyName = Annotated[Policy, typer.Option(help="Whether the signature names the circle.")]
DialectName = Annotated[Dialect, typer.Option(help="Which form of authenticate is spoken.")]
ParamsName = Annotated[
    ParamsForm, typer.Option("--params", help="How the sign-in and play send params; PARAMS go as they are.")
]
AllowInsecure = Annotated[bool, typer.Option("--allow-insecure", help="Sign in over ws:// to other machines too.")]


def call(
    url: Url,
    method: Annotated[str, typer.Argument(metavar="METHOD")],
    params: Annotated[str | None, typer.Argument(metavar="PARAMS", help="JSON: an object or an array.")] = None,
    key_file: KeyFile = None,
    timeout: Timeout = None,
    profile: ProfileName = "eip191",
    policy: PolicyName = "prefer-bound",
    dialect: DialectName = "auto",
    form: ParamsName = "auto",
    allow_insecure: AllowInsecure = False,
) -> None:
    """Call a method and print its result as JSON."""
    asked = None if params is None else _decoded(params)
    auth = {"profile": profile, "policy": policy, "dialect": dialect, "params": form, "allow_insecure": allow_insecure}
    client = _client(url, key_file, timeout, auth)
    _show(run(_ask(client, lambda: client.call(method, asked))))


def play(
    url: Url,
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="What to run; - reads it from stdin.")],
    key_file: KeyFile = None,
    timeout: Timeout = None,
    profile: ProfileName = "eip191",
    policy: PolicyName = "prefer-bound",
    dialect: DialectName = "auto",
    form: ParamsName = "auto",
    allow_insecure: AllowInsecure = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the output as it is, not as JSON.")] = False,
) -> None:
    """Run a script on a circle and print its output, a string, as JSON."""
    if script == "-" and str(key_file) == "-":
        fail("the script and the key cannot both come from stdin", code=USAGE)
    auth = {"profile": profile, "policy": policy, "dialect": dialect, "params": form, "allow_insecure": allow_insecure}
    client = _client(url, key_file, timeout, auth)
    text = sys.stdin.read() if script == "-" else script
    output = run(_ask(client, lambda: client.play(text)))
    if raw:
        typer.echo(output)
    else:
        _show(output)


def _client(url: str, key_file: Path | None, timeout: float | None, auth: dict[str, Any]) -> CircleWsClient:
    leave_the_log_alone()
    key = read_key(key_file)
    seconds = DEFAULT if timeout is None else timeout
    try:
        builder = CircleWsClientBuilder(url).without_reconnect().with_timeouts(open=seconds, call=seconds)
        builder = builder.with_auth(**auth)
        return (builder if key is None else builder.with_keypair(key)).build()
    except CircleWsError as error:
        fail(str(error), code=USAGE)


async def _ask(client: CircleWsClient, ask: Callable[[], Awaitable[T]]) -> T:
    async with client:
        try:
            return await ask()
        except RpcError as error:
            if error.code == AUTHENTICATION_REQUIRED and client.public_key is None:
                fail(f"{error}; set {VARIABLE}, or give --key-file FILE")
            raise


def _decoded(params: str) -> Any:
    try:
        return json.loads(params)
    except ValueError as error:
        fail(f"PARAMS is no JSON: {error}", code=USAGE)


def _show(result: Any) -> None:
    """Print a result: for a person with line breaks and bounded, for a program whole and in one line."""
    if sys.stdout.isatty():
        typer.echo(printable(laid_out(result)))
    else:
        typer.echo(printable(json.dumps(result, ensure_ascii=False)))
