"""What each signature profile hashes, and how it looks on the wire."""

import dataclasses
import hashlib
from typing import Any

import pytest

from circle_ws.auth import PROFILES, Profile, SignatureEncoding
from circle_ws.auth.keccak import keccak_256
from circle_ws.auth.profiles import BOUND, audience, bound_statement, find_profile
from circle_ws.errors import ConfigError


def test_each_goes_by_its_name() -> None:
    """The table of profiles has each under its own name, the default first."""
    assert [profile.name for profile in PROFILES.values()] == list(PROFILES)
    assert next(iter(PROFILES)) == "eip191"
    assert set(PROFILES) == {
        "eip191",
        "eip191-v0",
        "sha256-compact",
        "sha256-der",
        "circle-bound-v1",
        "circle-bound-eip191-v1",
    }
    assert BOUND == ("circle-bound-v1", "circle-bound-eip191-v1")


@pytest.mark.parametrize(
    ("name", "encoding", "compressed", "v_offset", "bare", "bound"),
    [
        ("eip191", SignatureEncoding.RECOVERABLE, False, 27, False, False),
        ("eip191-v0", SignatureEncoding.RECOVERABLE, False, 0, False, False),
        ("sha256-compact", SignatureEncoding.COMPACT, True, None, True, False),
        ("sha256-der", SignatureEncoding.DER, True, None, True, False),
        ("circle-bound-v1", SignatureEncoding.COMPACT, True, None, False, True),
        ("circle-bound-eip191-v1", SignatureEncoding.RECOVERABLE, True, 27, False, True),
    ],
)
def test_the_wire_form(
    name: str, encoding: SignatureEncoding, compressed: bool, v_offset: int | None, bare: bool, bound: bool
) -> None:
    """Encoding, form of the key, offset of v, bareness and boundness are those of the protocol."""
    profile = PROFILES[name]
    assert (profile.encoding, profile.compressed) == (encoding, compressed)
    assert (profile.bare, profile.bound) == (bare, bound)
    assert v_offset in (None, profile.v_offset)


@pytest.mark.parametrize("name", ["eip191", "eip191-v0", "circle-bound-eip191-v1"])
@pytest.mark.parametrize(
    ("nonce", "length"),
    [(b"", b"0"), (b"nonce_01", b"8"), (b"a" * 256, b"256"), ("ä😀".encode(), b"6")],
    ids=lambda value: repr(value)[:20],
)
def test_eip191(nonce: bytes, length: bytes, name: str) -> None:
    """The personal message has Ethereum's prefix and the number of bytes, not of characters; Keccak-256 hashes it."""
    profile = PROFILES[name]
    message = profile.message(nonce)
    assert message == b"\x19Ethereum Signed Message:\n" + length + nonce
    assert profile.digest(message) == keccak_256(message)


@pytest.mark.parametrize("name", ["sha256-compact", "sha256-der", "circle-bound-v1"])
@pytest.mark.parametrize("nonce", [b"", b"nonce_01", b"00ff", "ä".encode()])
def test_sha256(nonce: bytes, name: str) -> None:
    """The statement itself is hashed, with nothing around it and never decoded from hex; SHA-256 hashes it."""
    profile = PROFILES[name]
    assert profile.message(nonce) == nonce
    assert profile.digest(nonce) == hashlib.sha256(nonce).digest()


@pytest.mark.parametrize("name", PROFILES)
def test_a_bare_profile_is_one_without_a_prefix(name: str) -> None:
    """`bare` is true exactly where the nonce alone is hashed: the grammar relies on it.

    A bound profile's statement stands before the hash too, but it is never the nonce alone.
    """
    profile = PROFILES[name]
    assert profile.bare is (profile.message(b"nonce_01") == b"nonce_01" and not profile.bound)


@pytest.mark.parametrize("name", BOUND)
def test_the_six_lines(name: str) -> None:
    """A bound statement is six lines of ASCII, each ended by LF, the profile's name the first of them."""
    statement = bound_statement(
        name,
        audience="wss://circle.example/02ab",
        public_key="02" + "ab" * 32,
        nonce="nonce_1234567890_abcdef",
        client_nonce="00" * 16,
        expires_at=0,
    )
    assert statement.decode("ascii") == (
        f"{name}\n"
        "audience=wss://circle.example/02ab\n"
        f"pubkey=02{'ab' * 32}\n"
        "nonce=nonce_1234567890_abcdef\n"
        f"client_nonce={'00' * 16}\n"
        "expires_at=0\n"
    )


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


def test_a_url_without_an_audience() -> None:
    """A URL that is refused is named, without what it may hold of secrets, with what is wrong in it."""
    assert audience("WSS://Circle.Example.:443?x") == "wss://circle.example/"
    with pytest.raises(ConfigError, match=r"^a circle's url 'https://circle\.example/\?\.\.\.' .*wss") as caught:
        audience("https://circle.example/?token=x")
    assert caught.value.option == "url"
