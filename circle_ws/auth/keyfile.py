"""Private keys at rest: an encrypted PKCS#8 file (RFC 5958, PBES2), which OpenSSL reads and writes too.

The work is done by the package `cryptography`, which the extra `keyfile` brings; it is loaded on first use.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, InvalidKey

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["read_key_file", "refuse_open_file", "write_key_file"]


def write_key_file(path: str | os.PathLike[str], secret: bytes, password: str | bytes) -> None:
    """Write a private key, encrypted, to a new file of mode 0600.

    Args:
        path: Where; an existing file is never overwritten.
        secret: 32 bytes.
        password: Not empty; a str is taken as UTF-8.

    Raises:
        ConfigError: The password is empty, or the extra `keyfile` is not installed.
        FileExistsError: There is a file already.
        OSError: It cannot be written.
    """
    serialization, ec = _cryptography()
    key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(_checked(password)),
    )
    # Made for its owner alone from the start: a chmod afterwards would come too late.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def read_key_file(path: str | os.PathLike[str], password: str | bytes) -> bytes:
    """Read a private key from an encrypted file.

    Args:
        path: A PKCS#8 file in PEM, of mode 0600 or stricter.
        password: A str is taken as UTF-8.

    Returns:
        32 bytes, big-endian.

    Raises:
        InvalidKey: Others may read the file, the password is wrong, or it holds no secp256k1 key.
        ConfigError: The password is empty, or the extra `keyfile` is not installed.
        OSError: It cannot be read.
    """
    serialization, ec = _cryptography()
    refuse_open_file(Path(path))
    text, raw_password = Path(path).read_bytes(), _checked(password)
    try:
        key = serialization.load_pem_private_key(text, raw_password)
    except (ValueError, TypeError):
        # Its own words are not told on: they differ with the version, and the cause quotes the file.
        raise InvalidKey(f"{path}: the password is wrong, or this is no encrypted PKCS#8 key file") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
        raise InvalidKey(f"{path} holds a key, but not one of secp256k1")
    number: int = key.private_numbers().private_value
    return number.to_bytes(32, "big")


def refuse_open_file(path: Path) -> None:
    """Check that only its owner may read and change a file; where the system has such modes.

    Raises:
        InvalidKey: Others may; the message says how to mend it.
        OSError: There is no such file.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise InvalidKey(f"{path} can be read or changed by others (mode {mode:04o}); run: chmod 600 {path}")


def _checked(password: str | bytes) -> bytes:
    raw = password.encode() if isinstance(password, str) else password
    if not raw:
        raise ConfigError("a key file needs a password", option="password")
    return raw


def _cryptography() -> tuple[ModuleType, ModuleType]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise ConfigError(
            "key files need the package cryptography: pip install 'circle-ws[keyfile]'; a page keeps no key files, "
            "use a wallet there",
            option="password",
        ) from None
    return serialization, ec
