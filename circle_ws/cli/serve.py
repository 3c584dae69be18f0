"""`serve`: a circle to try things with."""

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Annotated, Any

import typer

from ..errors import CircleWsError
from .demo.circle import ServedDialect, ServedParams, running_circle
from .output import Json, fail, reason, run, show, show_json

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    dialect: Annotated[ServedDialect, typer.Option(help="Which published form is spoken.")] = "hero-0.2",
    params: Annotated[ServedParams, typer.Option(help="In which form params are taken.")] = "any",
    key: Annotated[
        list[str] | None, typer.Option(metavar="PUBKEY", help="Admit this public key; repeat it. Else every key.")
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where clients dial it; with it, signatures bound to the circle are offered."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Accept pages of this origin, as https://app.example, or of any (*); repeat it. Else, on loopback, "
            "pages of this machine and of URL's host.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve a circle with play (arithmetic), echo, whoami, ask_back, tick and drop, until Ctrl-C."""
    logging.basicConfig(format="%(message)s")
    # Programs send no Origin; `--origin` is about pages.
    origins = [*origin, None] if origin else None
    options = {"dialect": dialect, "params": params, "keys": key or None, "public_url": public_url, "origins": origins}
    run(_serve(host, port, as_json=as_json, **options))


async def _serve(host: str, port: int, *, as_json: bool, **options: Any) -> None:
    ended = asyncio.Event()
    with suppress(NotImplementedError):  # On Windows, where a process is ended without being asked.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    try:
        async with running_circle(host, port, **options) as circle:
            if as_json:
                show_json({"url": circle.url, "dialect": options["dialect"]})
            else:
                show(f"{circle.url} speaks {options['dialect']}; Ctrl-C ends it")
            await ended.wait()
    except OSError as error:
        fail(f"{host} port {port} cannot be listened on: {reason(error)}")
    except CircleWsError as error:
        fail(str(error))
