"""The commands, put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from .calls import call, play
from .demo import demo
from .keys import keygen, pubkey
from .serve import serve

__all__ = ["app"]

app = typer.Typer(
    name="circle-ws",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("circle-ws"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Talk to a circle: JSON-RPC over WebSocket, signed in with a secp256k1 key."""


for _command in (demo, call, play, serve, keygen, pubkey):
    app.command()(_command)
