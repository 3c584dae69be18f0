"""Keys on the command line: made, kept in a file, read; never an argument, which every user of a machine can see."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..auth.crypto_utils import derive_public_key, generate_private_key
from ..auth.keypair import KeyPair
from ..errors import InvalidKey
from .running import USAGE, fail, reason

__all__ = ["VARIABLE", "KeyFile", "keygen", "pubkey", "read_key"]

VARIABLE = "CIRCLE_WS_PRIVATE_KEY"
"""The environment variable that may hold a private key, in hex."""

KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help=f"A file with the private key; - is stdin. Else ${VARIABLE}."),
]


def read_key(file: Path | None) -> KeyPair | None:
    """Read the private key from a file, or else from the environment; None when there is none."""
    text = _read(file) if file is not None else os.environ.get(VARIABLE, "")
    if not text.strip() and file is None:
        return None
    try:
        return KeyPair.from_hex(text)
    except InvalidKey as error:
        where = VARIABLE if file is None else "stdin" if str(file) == "-" else file
        fail(f"{where}: {error}")


def keygen(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a new file that only you can read.")
    ] = None,
) -> None:
    """Make a private key. It goes to stdout, or to a file; its public key is told."""
    private_key = generate_private_key()
    public_key = derive_public_key(private_key)
    if out is None:
        typer.echo(private_key)
        typer.echo(f"its public key is {public_key}", err=True)
    else:
        _write(out, private_key)
        typer.echo(public_key)


def pubkey(
    key_file: KeyFile = None,
    compressed: Annotated[bool, typer.Option("--compressed", help="66 characters instead of 130.")] = False,
) -> None:
    """Print the public key of a private key, in hex."""
    key = read_key(key_file)
    if key is None:
        fail(
            f"there is no private key: set {VARIABLE}, or give --key-file FILE (- is stdin); "
            "circle-ws keygen --out FILE makes one",
            code=USAGE,
        )
    typer.echo(key.format_public_key(compressed=compressed))


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="ascii")
    except UnicodeDecodeError:
        fail(f"{file}: a private key is 64 hex characters; this file holds something else")
    except OSError as error:
        fail(f"the key file {file} cannot be read: {reason(error)}")


def _write(file: Path, private_key: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"{file} is there already and is not overwritten: a key that is gone cannot be made again")
    except OSError as error:
        fail(f"{file} cannot be written: {reason(error)}")
    with os.fdopen(descriptor, "w") as opened:
        opened.write(private_key + "\n")
