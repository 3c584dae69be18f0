"""The commands, put together."""

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .bench import bench
from .bundle import bundle
from .calls import call, notify, play
from .demo import demo
from .doctor import doctor
from .keys import keygen, pubkey
from .listen import listen
from .output import reported, show
from .serve import serve

__all__ = ["app"]


JSON = "circle_ws.json"
"""The key in a context's `meta` that says whether the command was called with `--json`."""


class _Commands(TyperGroup):
    """The commands; whatever goes wrong in one, wrong arguments too, is reported in the same way."""

    def make_context(self, info_name: Any, args: list[str], *more: Any, **named: Any) -> Any:
        # Looked for in the arguments: those that are wrong may be wrong before the option is read.
        as_json = "--json" in args[: args.index("--") if "--" in args else None]
        with reported(as_json=as_json):
            context = super().make_context(info_name, args, *more, **named)
        context.meta[JSON] = as_json
        return context

    def invoke(self, ctx: Any) -> Any:
        with reported(as_json=ctx.meta[JSON]):
            return super().invoke(ctx)


app: typer.Typer = typer.Typer(
    name="circle-ws",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        show(version("circle-ws"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Talk to a circle: JSON-RPC over WebSocket, signed in with a secp256k1 key."""


for _command in (demo, call, play, notify, listen, doctor, bench, serve, bundle, keygen, pubkey):
    app.command()(_command)
