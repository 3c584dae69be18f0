"""Keys on the command line: made, kept in a file, read; never an argument, which every user of a machine can see."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ..auth.crypto_utils import derive_public_key, generate_private_key
from ..auth.keyfile import is_encrypted, refuse_key, shown_path
from ..auth.keypair import KeyPair
from ..errors import ConfigError, InvalidKey
from .output import ExitCode, Json, fail, read_stdin, reason, show, show_json

__all__ = ["VARIABLE", "KeyFile", "keygen", "pubkey", "read_key"]

VARIABLE = "CIRCLE_WS_PRIVATE_KEY"
"""The environment variable that may hold a private key, in hex."""
PASSWORD = "CIRCLE_WS_KEY_PASSWORD"
"""The environment variable that may hold the password of an encrypted key file."""

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help=f"A file with the private key, encrypted or not; - is stdin. Else ${VARIABLE}.",
        rich_help_panel="Sign-in",
    ),
]


def read_key(file: Path | None) -> KeyPair | None:
    """Read the private key from a file, or else from the environment; None when there is none."""
    if file is not None and str(file) != "-":
        return _from_file(file)
    text = os.environ.get(VARIABLE, "") if file is None else read_stdin()
    if not text.strip() and file is None:
        return None
    try:
        return KeyPair.from_hex(text)
    except InvalidKey as error:
        fail(f"{VARIABLE if file is None else 'stdin'}: {error}", code=ExitCode.SIGN_IN)


def _from_file(file: Path) -> KeyPair:
    try:
        password = None
        if is_encrypted(file):
            question = f"password of {shown_path(file)}"
            password = os.environ.get(PASSWORD) or typer.prompt(question, hide_input=True, err=True)
        return KeyPair.from_file(file, password)
    except (InvalidKey, ConfigError) as error:
        fail(str(error), code=ExitCode.SIGN_IN)
    except OSError as error:
        fail(f"the key file {shown_path(file)} cannot be read: {reason(error)}", code=ExitCode.SIGN_IN)


def keygen(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a new file that only you can read.")
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help=f"Encrypt the file with a password that is asked for, or in ${PASSWORD}.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a private key. It goes to stdout, or to a file; its public key is printed."""
    private_key = generate_private_key()
    public_key = derive_public_key(private_key)
    if out is not None:
        _write(out, private_key, encrypt=encrypt)
    elif encrypt:
        fail("--encrypt needs --out FILE", code=ExitCode.USAGE)
    if as_json:
        where = {"private_key": private_key} if out is None else {"file": str(out)}
        show_json({"public_key": public_key, **where})
    elif out is None:
        show(private_key)
        typer.echo(f"its public key is {public_key}", err=True)
    else:
        show(public_key)


def _write(out: Path, private_key: str, *, encrypt: bool) -> None:
    """Write a key to a new file of mode 0600."""
    try:
        if encrypt:
            question = f"password for {shown_path(out)}"
            password = os.environ.get(PASSWORD) or typer.prompt(
                question, hide_input=True, confirmation_prompt=True, err=True
            )
            KeyPair(private_key).to_file(out, password)
        else:
            refuse_key(out)
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(private_key + "\n")
    except FileExistsError:
        fail(f"{shown_path(out)} is there already and is not overwritten: a key that is gone cannot be made again")
    except OSError as error:
        fail(f"{shown_path(out)} cannot be written: {reason(error)}")
    except ConfigError as error:
        fail(str(error))


def pubkey(
    key_file: KeyFile = None,
    compressed: Annotated[bool, typer.Option("--compressed", help="66 characters instead of 130.")] = False,
    as_json: Json = False,
) -> None:
    """Print the public key of a private key, in hex."""
    key = read_key(key_file)
    if key is None:
        fail(
            f"there is no private key: set {VARIABLE}, or give --key-file FILE (- is stdin); "
            "circle-ws keygen --out FILE makes one",
            code=ExitCode.USAGE,
        )
    public_key = key.format_public_key(compressed=compressed)
    if as_json:
        show_json({"public_key": public_key})
    else:
        show(public_key)
