"""A private key in memory, its signer, and the limit on signatures where signing is not constant-time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..text import Hidden
from . import backend
from .crypto_utils import generate_private_key, parse_private_key, sign_digest
from .keyfile import read_key_file, write_key_file
from .profiles import PROFILES

if TYPE_CHECKING:
    import os

    from .types import Challenge, Profile

__all__ = ["BURST", "INTERVAL", "KeyPair", "KeyPairSigner", "reserve_signature", "signing_delay"]

BURST = 5
"""Number of signatures that a key may make in quick succession."""
INTERVAL = 10.0
"""Seconds between signatures after that."""


class KeyPair:
    """A secp256k1 private key, which is never printed.

    Args:
        private_key: 64 hex characters, in upper or lower case, with or without `0x`; or 32 bytes.

    Attributes:
        limited: Whether the key may only sign so often, because signing is not constant-time here.

    Raises:
        InvalidKey: It is not a private key; the message does not contain it.
    """

    __slots__ = ("_point", "_secret", "limited")

    def __init__(self, private_key: str | bytes) -> None:
        given = Hidden(private_key)
        del private_key
        self._secret = parse_private_key(given.value)
        # This loads the signing library, so a broken installation fails here, not in the middle of a sign-in.
        self.limited: bool = not backend.CONSTANT_TIME
        self._point: bytes | None = None

    @classmethod
    def generate(cls) -> KeyPair:
        """Return a new key from the system's randomness."""
        return cls(generate_private_key())

    @classmethod
    def from_hex(cls, private_key: str) -> KeyPair:
        """Read a private key of 64 hex characters.

        Raises:
            InvalidKey: It is not a private key; the message does not contain it.
        """
        given = Hidden(private_key)
        del private_key
        return cls(given.value)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], password: str | bytes | None = None) -> KeyPair:
        """Read a key file: an encrypted one (PKCS#8 in PEM), as `to_file`, `circle-ws keygen` and OpenSSL write it.

        Or one that holds the key as hex, as `circle-ws keygen --out FILE` writes it without `--encrypt`. An encrypted
        one needs the extra `keyfile`.

        Args:
            path: A file of this user that no other user may read (mode 0600 or stricter).
            password: A str is taken as UTF-8; None for a file that is not encrypted.

        Raises:
            InvalidKey: The file is another user's, others may read it, the password is wrong, or it holds no secp256k1
                key.
            ConfigError: The password is missing, or the extra is not installed.
            OSError: It cannot be read.
        """
        given = Hidden((path, password))
        del path, password
        return cls(read_key_file(*given.value))

    def to_file(self, path: str | os.PathLike[str], password: str | bytes) -> None:
        """Write an encrypted key file (PKCS#8 in PEM) of mode 0600. Needs the extra `keyfile`.

        Args:
            path: The new file; an existing one is never overwritten.
            password: Of 8 characters or more; a str is taken as UTF-8.

        Raises:
            ConfigError: The password is too short or cannot be encoded, the extra is not installed, or the path is a
                private key.
            FileExistsError: There is a file already.
            OSError: It cannot be written.
        """
        given = Hidden((path, password))
        del path, password
        write_key_file(given.value[0], self._secret, given.value[1])

    @property
    def public_key(self) -> str:
        """The public key: 130 lower-case hex characters (uncompressed, as published circles name theirs)."""
        return self.format_public_key(compressed=False)

    def format_public_key(self, *, compressed: bool) -> str:
        """Return the public key as 66 (compressed) or 130 lower-case hex characters."""
        if self._point is None:
            self._point = backend.derive_public_key(self._secret, compressed=False)
        point = self._point
        # SEC 1, section 2.3.3: the compressed form is x after a byte for the parity of y.
        return (bytes([2 + point[64] % 2]) + point[1:33] if compressed else point).hex()

    def sign(self, digest: bytes, profile: Profile) -> str:
        """Sign a 32-byte digest; return hex in the profile's encoding."""
        return sign_digest(self._secret, digest, profile)

    def wait_to_sign(self, now: float) -> float:
        """Reserve the next signature; return the seconds until then, always 0 where signing is constant-time."""
        return reserve_signature(self.public_key, now) if self.limited else 0.0

    def signing_delay(self, now: float) -> float:
        """Return the seconds until the next signature is allowed, always 0 where signing is constant-time."""
        return signing_delay(self.public_key, now) if self.limited else 0.0

    def __repr__(self) -> str:
        return "KeyPair(private_key=<hidden>)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a KeyPair is not pickled: that would write the private key in the clear")


class KeyPairSigner:
    """A signer with a key pair that this process holds.

    Args:
        keypair: The key, also an attribute.
        profile: The profile to sign, given as an object so that users' own profiles work too.
    """

    __slots__ = ("_profile", "keypair")

    def __init__(self, keypair: KeyPair, profile: Profile) -> None:
        self.keypair: KeyPair = keypair
        self._profile = profile

    def for_profile(self, profile: Profile) -> KeyPairSigner:
        """Return a signer of the same key for another profile."""
        return self if profile == self._profile else KeyPairSigner(self.keypair, profile)

    @property
    def profiles(self) -> frozenset[str]:
        """Every built-in profile, and the one that the signer was made for."""
        return frozenset(PROFILES) | {self._profile.name}

    @property
    def own_public_key(self) -> str:
        """The public key in the profile's form, without awaiting."""
        return self.keypair.format_public_key(compressed=self._profile.compressed)

    async def public_key(self) -> str:
        """Return the public key in the profile's form."""
        return self.own_public_key

    async def sign(self, challenge: Challenge) -> str:
        """Sign the challenge's digest."""
        own = challenge.profile == self._profile.name
        return self.keypair.sign(challenge.digest, self._profile if own else PROFILES[challenge.profile])

    def __repr__(self) -> str:
        return f"KeyPairSigner({self._profile.name})"


_full_at: dict[str, float] = {}
"""When each key, by its public key, may make a whole burst again; all clients of this process share a key's limit."""


def signing_delay(public_key: str, now: float) -> float:
    """Return the seconds until the next signature of a key is allowed.

    Args:
        public_key: Hex, always in the same form.
        now: A clock, in seconds.
    """
    for key in [key for key, full_at in _full_at.items() if full_at <= now]:
        del _full_at[key]
    return max(0.0, _full_at.get(public_key, now) - now - (BURST - 1) * INTERVAL)


def reserve_signature(public_key: str, now: float) -> float:
    """Reserve the next signature of a key; return the seconds until then, as `signing_delay` does."""
    delay = signing_delay(public_key, now)
    # A token bucket, stored as the time at which it will be full again: each signature adds one interval.
    _full_at[public_key] = _full_at.get(public_key, now) + INTERVAL
    return delay
