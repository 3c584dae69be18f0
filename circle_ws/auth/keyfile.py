"""Private keys at rest: an encrypted PKCS#8 file (RFC 5958, PBES2), which OpenSSL reads and writes too; or hex alone.

The package `cryptography` (extra `keyfile`) reads every such file, and pycryptodome writes ours: for PKCS#8
`cryptography` supports only PBKDF2 with 2,048 rounds, and the PKCS#12 that it writes has a checksum of 2,048 rounds,
against which passwords can be guessed. Both are loaded on first use.
"""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConfigError, InvalidKey
from ..text import PLACEHOLDER, Hidden, looks_like_key, shown
from .crypto_utils import parse_private_key

if TYPE_CHECKING:
    Path: TypeAlias = str | os.PathLike[str]
    Password: TypeAlias = str | bytes

__all__ = ["SHORTEST_PASSWORD", "is_encrypted", "read_key_file", "refuse_key", "shown_path", "write_key_file"]

SHORTEST_PASSWORD = 8
"""Minimum number of characters of the password of a new file."""
_SCRYPT = {"iteration_count": 2**14, "block_size": 8, "parallelization": 5, "salt_size": 16}
"""Minimum parameters of OWASP; of those, the ones with the most memory that OpenSSL reads (its limit is 32 MiB)."""
_EC_PUBLIC_KEY, _SECP256K1 = "1.2.840.10045.2.1", "1.3.132.0.10"
_PEM = b"-----BEGIN "
_LONGEST = 64 * 1024
"""Maximum size of a key file, in bytes."""


def write_key_file(path: Path, secret: bytes, password: Password) -> None:
    """Write a private key of 32 bytes, encrypted, to a new file of mode 0600, as `KeyPair.to_file` describes."""
    given, where = Hidden((secret, password)), Hidden(path)
    del secret, password, path
    refuse_key(where.value)
    encoded = Hidden(_encoded(given.value[1]))
    if encoded.value is None:
        # Raised here: Python's own error holds the password.
        raise ConfigError("the password of a key file is bytes, or a str without lone surrogates", option="password")
    if len(given.value[1]) < SHORTEST_PASSWORD:
        raise ConfigError(f"a key file needs a password of {SHORTEST_PASSWORD} characters or more", option="password")
    _libraries()
    text = Hidden(_encrypted(given.value[0], encoded.value))
    # Made for its owner alone from the start: a chmod afterwards would come too late.
    descriptor = os.open(where.value, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.value)


def read_key_file(path: Path, password: Password | None = None) -> bytes:
    """Return the 32 bytes of the private key in a file, as `KeyPair.from_file` describes."""
    secret, where = Hidden(password), Hidden(path)
    del password, path
    text = Hidden(_read(where))
    if text.value.startswith(_PEM):
        return _decrypted(where, text, secret)
    try:
        key = parse_private_key(text.value.decode("ascii"))
    except (InvalidKey, UnicodeDecodeError) as error:
        fault = str(error) if isinstance(error, InvalidKey) else "a private key is 64 hex characters"
    else:
        if not secret.value:
            return key
        del key
        fault = "this key is not encrypted; omit the password, or write the key again with a password"
    wanted = "the password is wrong, or this is no encrypted PKCS#8 key file; " if secret.value else ""
    raise InvalidKey(f"{shown_path(where.value)}: {wanted}{fault}")


def is_encrypted(path: Path) -> bool:
    """Return whether reading a key file needs a password; raises as `read_key_file` does."""
    where = Hidden(path)
    del path
    return _read(where).startswith(_PEM)


def shown_path(path: Path) -> str:
    """Return a path for a message, or a placeholder if it looks like a key that was typed in its place."""
    return f"{PLACEHOLDER} (it looks like a key)" if _looks_like_key(path) else shown(os.fsdecode(path))


def refuse_key(path: Path) -> None:
    """Check that the path of a new file is not a private key, which the file name would then reveal."""
    where = Hidden(path)
    del path
    if _looks_like_key(where.value):
        raise ConfigError(
            "what was given as the path of a key file looks like a private key; nothing was written (a name with an "
            "extension, as in .pem, does not)"
        )


def _looks_like_key(path: Path) -> bool:
    return (isinstance(path, bytes) and len(path) == 32) or looks_like_key(os.fsdecode(path))


def _read(where: Hidden[Path]) -> bytes:
    """Read a file that belongs to this user and that no other user may read or change."""
    try:
        # Checked by its descriptor: the path may name another file a moment later (TOCTOU).
        with open(where.value, "rb") as file:
            _check_owner(where.value, os.fstat(file.fileno()))
            return file.read(_LONGEST)
    except OSError as error:
        if not _looks_like_key(where.value):
            raise
        failed = type(error)(error.errno, f"{os.strerror(error.errno or 0)}: {shown_path(where.value)}")
    # Raised outside of the handler: the system's own error, which holds the path, must not become the context.
    raise failed


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Check that a file is this user's, and that only its owner may read and change it (on POSIX)."""
    if os.name != "posix":  # pragma: no cover - Windows: its rights are not told by these numbers
        return
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        raise InvalidKey(
            f"{shown_path(path)} belongs to another user (uid {status.st_uid}), who may change it and knows it; "
            f"use a key file of your own"
        )
    if mode & 0o077:
        name = shown_path(path)
        raise InvalidKey(f"{name} can be read or changed by others (mode {mode:04o}); run: chmod 600 {name}")


def _encrypted(secret: bytes, password: bytes) -> bytes:
    """Return PKCS#8. Its frame holds the key, so it does nothing that can fail."""
    libraries = _libraries()
    serialization, ec = libraries.serialization, libraries.ec
    key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    wrapped = libraries.PKCS8.wrap(
        plain,
        _EC_PUBLIC_KEY,
        passphrase=password,
        protection="scryptAndAES256-CBC",
        prot_params=_SCRYPT,
        key_params=libraries.asn1.DerObjectId(_SECP256K1),
    )
    return f"{libraries.PEM.encode(wrapped, 'ENCRYPTED PRIVATE KEY')}\n".encode("ascii")


def _decrypted(where: Hidden[Path], text: Hidden[bytes], password: Hidden[Password | None]) -> bytes:
    if not password.value:
        raise ConfigError(f"{shown_path(where.value)} is encrypted and needs its password", option="password")
    libraries = _libraries()
    key, fault = None, "the password is wrong, or this is no encrypted PKCS#8 key file"
    try:
        given = Hidden(password.value.encode() if isinstance(password.value, str) else password.value)
        key = libraries.serialization.load_pem_private_key(text.value, given.value)
    except (ValueError, TypeError):
        pass
    except libraries.UnsupportedAlgorithm:
        fault = "its kind of key or of encryption is not supported; a key of secp256k1 is needed"
    if key is None:
        # Not chained: the text of the original error differs by version, and its cause quotes the file.
        raise InvalidKey(f"{shown_path(where.value)}: {fault}")
    ec = libraries.ec
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
        raise InvalidKey(f"{shown_path(where.value)} holds a key, but not one of secp256k1")
    return bytes(key.private_numbers().private_value.to_bytes(32, "big"))


def _encoded(password: Any) -> bytes | None:
    """Return the password of a new file as bytes; None if it is neither bytes nor a text that UTF-8 can encode."""
    try:
        return password.encode() if isinstance(password, str) else password if isinstance(password, bytes) else None
    except UnicodeEncodeError:
        return None


def _libraries() -> Any:
    try:
        from Crypto.IO import PEM, PKCS8
        from Crypto.Util import asn1
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise ConfigError(
            "encrypted key files need a package more: pip install 'circle-ws[keyfile]'; a page keeps no key files, "
            "use a wallet there",
            option="password",
        ) from None
    return SimpleNamespace(
        PEM=PEM, PKCS8=PKCS8, asn1=asn1, serialization=serialization, ec=ec, UnsupportedAlgorithm=UnsupportedAlgorithm
    )
