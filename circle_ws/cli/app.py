"""The commands, put together."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..text import hide_keys
from .calls import call, play
from .demo import demo
from .keys import keygen, pubkey
from .serve import serve

__all__ = ["app"]


class _Commands(TyperGroup):
    """The commands; error messages never repeat a private key that was typed in the wrong place."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with _hidden_keys():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _hidden_keys():
            return super().invoke(ctx)


@contextmanager
def _hidden_keys() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(words := getattr(error, "message", None), str):
            error.message = hide_keys(words)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="circle-ws",
    cls=_Commands,
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
