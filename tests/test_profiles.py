"""What each signature profile hashes, and how it looks on the wire."""

import dataclasses
import hashlib
from typing import Any

import pytest

from circle_ws.auth import PROFILES, Profile, SignatureEncoding
from circle_ws.auth.keccak import keccak_256
from circle_ws.auth.profiles import find_profile
from circle_ws.errors import ConfigError


def test_each_goes_by_its_name() -> None:
    """The table of profiles has each under its own name, the default first."""
    assert [profile.name for profile in PROFILES.values()] == list(PROFILES)
    assert next(iter(PROFILES)) == "eip191"
    assert {"eip191", "sha256-compact"} <= set(PROFILES)


@pytest.mark.parametrize(
    ("name", "encoding", "compressed", "v_offset", "bare"),
    [
        ("eip191", SignatureEncoding.RECOVERABLE, False, 27, False),
        ("sha256-compact", SignatureEncoding.COMPACT, True, None, True),
    ],
)
def test_the_wire_form(
    name: str, encoding: SignatureEncoding, compressed: bool, v_offset: int | None, bare: bool
) -> None:
    """Encoding, form of the key, offset of v and bareness are those of the protocol."""
    profile = PROFILES[name]
    assert (profile.encoding, profile.compressed, profile.bare) == (encoding, compressed, bare)
    assert v_offset in (None, profile.v_offset)


@pytest.mark.parametrize(
    ("nonce", "length"),
    [(b"", b"0"), (b"nonce_01", b"8"), (b"a" * 256, b"256"), ("ä😀".encode(), b"6")],
    ids=lambda value: repr(value)[:20],
)
def test_eip191(nonce: bytes, length: bytes) -> None:
    """The personal message has Ethereum's prefix and the number of bytes, not of characters; Keccak-256 hashes it."""
    profile = PROFILES["eip191"]
    message = profile.message(nonce)
    assert message == b"\x19Ethereum Signed Message:\n" + length + nonce
    assert profile.digest(message) == keccak_256(message)


@pytest.mark.parametrize("nonce", [b"", b"nonce_01", b"00ff", "ä".encode()])
def test_sha256(nonce: bytes) -> None:
    """The nonce itself is hashed, with nothing around it and never decoded from hex; SHA-256 hashes it."""
    profile = PROFILES["sha256-compact"]
    assert profile.message(nonce) == nonce
    assert profile.digest(nonce) == hashlib.sha256(nonce).digest()


@pytest.mark.parametrize("name", PROFILES)
def test_a_bare_profile_is_one_without_a_prefix(name: str) -> None:
    """`bare` is true exactly where the message is the nonce: the grammar relies on it."""
    profile = PROFILES[name]
    assert profile.bare is (profile.message(b"nonce_01") == b"nonce_01")


def test_the_table_cannot_be_altered() -> None:
    """A program cannot change what another one signs."""
    with pytest.raises(TypeError):
        PROFILES["eip191"] = PROFILES["sha256-compact"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROFILES["eip191"].v_offset = 0  # type: ignore[misc]


def test_finding() -> None:
    """A profile is found by its name, and a profile of one's own is taken as it is."""
    mine = Profile("mine", bytes, bytes, SignatureEncoding.COMPACT, compressed=True)
    assert find_profile("eip191") is PROFILES["eip191"]
    assert find_profile(mine) is mine


@pytest.mark.parametrize("profile", ["", "EIP191", "eip191 ", "sha256", None, 7, b"eip191", ["eip191"]])
def test_unknown_profiles(profile: Any) -> None:
    """A name that there is not is refused, with the names that there are; nothing is guessed."""
    with pytest.raises(ConfigError, match="profile must be one of eip191, .*sha256-compact") as caught:
        find_profile(profile)
    assert caught.value.option == "profile"
    assert repr(profile) in str(caught.value)
