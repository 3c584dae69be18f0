"""The options of every command that connects: where the circle is, how to get there, and how to sign in."""

import dataclasses
import functools
import inspect
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, Literal, ParamSpec

import typer

from ..auth.keyfile import shown_path
from ..auth.types import Dialect, ParamsForm, Policy
from ..builder import CircleWsClientBuilder
from ..config import DEFAULT
from .keys import KeyFile, read_key
from .output import ExitCode, fail, reason

__all__ = ["Connection", "connects"]

P = ParamSpec("P")

_CONNECTION = "Connection"
_SIGN_IN = "Sign-in"


@dataclass(frozen=True, repr=False)
class Connection:
    """The values of the connection options, as they were given: headers and proxy may hold secrets."""

    url: Annotated[str, typer.Argument(metavar="URL", help="The circle: ws:// or wss://.")]
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="For connecting and signing in, and again for the answer; else 10 and 30.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'",
            help="Send this header with the opening handshake; repeat it. @FILE reads one a line, which hides them "
            "from other users of this machine.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    subprotocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Offer this subprotocol; repeat it.", rich_help_panel=_CONNECTION),
    ] = None
    proxy: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A proxy, or none; else the environment's.", rich_help_panel=_CONNECTION),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Trust these certificate authorities (PEM) instead of the system's.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    compression: Annotated[
        bool, typer.Option("--compression", help="Offer to compress messages.", rich_help_panel=_CONNECTION)
    ] = False
    key_file: KeyFile = None
    profile: Annotated[
        Literal["eip191", "eip191-v0", "sha256-compact", "sha256-der"],
        typer.Option(help="How the sign-in is signed where it is not bound to the circle.", rich_help_panel=_SIGN_IN),
    ] = "eip191"
    policy: Annotated[
        Policy, typer.Option(help="Whether the signature names the circle.", rich_help_panel=_SIGN_IN)
    ] = "prefer-bound"
    dialect: Annotated[
        Dialect, typer.Option(help="Which form of authenticate is spoken.", rich_help_panel=_SIGN_IN)
    ] = "auto"
    form: Annotated[
        ParamsForm,
        typer.Option(
            "--params",
            help="How the sign-in and play send params; PARAMS go as they are.",
            rich_help_panel=_SIGN_IN,
        ),
    ] = "auto"
    allow_insecure: Annotated[
        bool,
        typer.Option("--allow-insecure", help="Sign in over ws:// to other machines too.", rich_help_panel=_SIGN_IN),
    ] = False

    def builder(self) -> CircleWsClientBuilder:
        """Return a builder with all of it, and the key.

        It does not reconnect: `with_reconnect()` adds that.

        Raises:
            CommandFailed: A file cannot be read, or what it holds is not what it should be.
            CircleWsError: An option is wrong.
        """
        seconds = DEFAULT if self.timeout is None else self.timeout
        builder = CircleWsClientBuilder(self.url).without_reconnect().with_timeouts(open=seconds, call=seconds)
        builder = builder.with_auth(
            profile=self.profile,
            policy=self.policy,
            dialect=self.dialect,
            params=self.form,
            allow_insecure=self.allow_insecure,
        )
        if self.header:
            builder = builder.with_headers(self.headers())
        if self.subprotocol:
            builder = builder.with_subprotocols(*self.subprotocol)
        if self.proxy is not None:
            builder = builder.without_proxy() if self.proxy == "none" else builder.with_proxy(self.proxy)
        if self.ca_file is not None:
            builder = builder.with_tls(self.tls(self.ca_file))
        if self.compression:
            builder = builder.with_compression()
        key = read_key(self.key_file)
        return builder if key is None else builder.with_keypair(key)

    def headers(self) -> dict[str, str]:
        """Return the headers that were given, and those of files."""
        lines: list[str] = []
        for given in self.header or ():
            lines += _lines_of(Path(given[1:])) if given.startswith("@") else [given]
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                fail("--header is NAME: VALUE, with a colon, or @FILE with one a line", code=ExitCode.USAGE)
            headers[name.strip()] = value.strip()
        return headers

    @staticmethod
    def tls(ca_file: Path) -> ssl.SSLContext:
        """Return a context that trusts the certificates in a file, and no others."""
        try:
            return ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError:
            fail(f"--ca-file {shown_path(ca_file)} holds no certificates in PEM", code=ExitCode.USAGE)
        except OSError as error:
            fail(f"--ca-file {shown_path(ca_file)} cannot be read: {reason(error)}", code=ExitCode.USAGE)


def _lines_of(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        fail(f"--header @{shown_path(file)} is no text in UTF-8", code=ExitCode.USAGE)
    except OSError as error:
        fail(f"--header @{shown_path(file)} cannot be read: {reason(error)}", code=ExitCode.USAGE)


def connects(command: Callable[Concatenate[Connection, P], None]) -> Callable[..., None]:
    """Give a command all connection options; it receives them as its first argument, a `Connection`."""
    fields = dataclasses.fields(Connection)
    keyword = inspect.Parameter.KEYWORD_ONLY
    url, *options = [inspect.Parameter(it.name, keyword, annotation=it.type, default=it.default) for it in fields]
    url = url.replace(default=inspect.Parameter.empty)
    own = [it.replace(kind=keyword) for it in inspect.signature(command).parameters.values()][1:]

    @functools.wraps(command)
    def connecting(**given: Any) -> None:
        connection = Connection(**{it.name: given.pop(it.name) for it in fields})
        command(connection, **given)  # type: ignore[call-arg]

    parameters = [url, *own, *options]
    connecting.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    connecting.__annotations__ = {it.name: it.annotation for it in parameters}
    return connecting
