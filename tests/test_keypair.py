"""A private key in memory: what forms it takes, and what never leaves it."""

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from circle_ws.auth import PROFILES, Challenge, KeyPair, Profile, sign_message, verify_signature
from circle_ws.auth.keypair import KeyPairSigner
from circle_ws.errors import InvalidKey

_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_PUBLIC = (
    "044e3b81af9c2234cad09d679ce6035ed1392347ce64ce405f5dcd36228a25de6e"
    "47fd35c4215d1edf53e6f83de344615ce719bdb0fd878f6ed76f06dd277956de"
)
_SECRETS = (_KEY, _KEY.upper(), str(int(_KEY, 16)), repr(bytes.fromhex(_KEY))[2:-1], str(list(bytes.fromhex(_KEY))))


def _challenge(profile: Profile, nonce: str = "nonce_01") -> Challenge:
    statement = nonce.encode()
    message = profile.message(statement)
    return Challenge(profile.name, "wss://circle.example/", nonce, statement, message, profile.digest(message))


@pytest.mark.parametrize("key", [_KEY, "0x" + _KEY.upper(), bytes.fromhex(_KEY), bytearray.fromhex(_KEY)], ids=type)
def test_each_form_of_the_key(key: Any) -> None:
    """Hex and bytes make the same key pair."""
    assert KeyPair(key).public_key == _PUBLIC
    assert KeyPair.from_hex(_KEY).public_key == _PUBLIC


def test_the_public_key_in_both_forms() -> None:
    """Uncompressed as published circles name theirs, compressed on request, the same each time."""
    pair = KeyPair(_KEY)
    for _ in range(2):
        assert pair.public_key == pair.format_public_key(compressed=False) == _PUBLIC
        assert pair.format_public_key(compressed=True) == "02" + _PUBLIC[2:66]


def test_what_it_looks_like() -> None:
    """Its kind, and that something is left out."""
    assert repr(KeyPair(_KEY)) == "KeyPair(private_key=<hidden>)"


def test_generated_pairs_differ() -> None:
    """Each new key pair is another one, and signs."""
    pairs = [KeyPair.generate() for _ in range(5)]
    assert len({pair.public_key for pair in pairs}) == 5
    profile = PROFILES["eip191"]
    signature = pairs[0].sign(_challenge(profile).digest, profile)
    assert verify_signature(pairs[0].public_key, "nonce_01", signature)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_signs_as_sign_message_does(profile: str) -> None:
    """A digest signed by the pair is the message signed by the key."""
    chosen = PROFILES[profile]
    assert KeyPair(_KEY).sign(_challenge(chosen).digest, chosen) == sign_message(_KEY, "nonce_01", profile)


@pytest.mark.parametrize("holder", [KeyPair(_KEY), KeyPairSigner(KeyPair(_KEY), PROFILES["eip191"])], ids=type)
def test_it_never_prints_its_secret(holder: object, caplog: pytest.LogCaptureFixture) -> None:
    """No way to turn it into text, alone or in a container, shows the key."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("circle_ws").debug("%s %r", holder, [holder])
    texts = [
        repr(holder),
        str(holder),
        f"{holder}",
        f"{holder!r:>200}",
        f"{[holder]} { ({'key': holder}) }",
        caplog.text,
    ]
    for text in texts:
        assert type(holder).__name__ in text
        for secret in _SECRETS:
            assert secret not in text


@pytest.mark.parametrize("holder", [KeyPair(_KEY), KeyPairSigner(KeyPair(_KEY), PROFILES["eip191"])], ids=type)
def test_it_has_no_open_attributes(holder: object) -> None:
    """There is no `__dict__` for a debugger or a logger to dump, nor any public attribute with the secret."""
    assert not hasattr(holder, "__dict__")
    public = {name: getattr(holder, name) for name in dir(holder) if not name.startswith("_")}
    for secret in _SECRETS:
        assert secret not in repr(public)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    """Pickling fails instead of writing the key in the clear, of what holds a pair too."""
    pair = KeyPair(_KEY)
    for holder in (pair, [pair], {"key": pair}):
        with pytest.raises(TypeError, match=r"^a KeyPair is not pickled: .* in the clear(\n|$)"):
            pickle.dumps(holder, protocol)


def test_it_is_not_copied_deeply_nor_written_as_json() -> None:
    """Other ways to serialise it fail too."""
    with pytest.raises(TypeError):
        copy.deepcopy(KeyPair(_KEY))
    with pytest.raises(TypeError):
        json.dumps(KeyPair(_KEY))


@pytest.mark.parametrize("key", [_KEY[:-1], _KEY + "0", "z" + _KEY[1:], bytes.fromhex(_KEY)[1:], "f" * 64, ""])
def test_a_bad_key_is_not_repeated(key: Any) -> None:
    """The printed traceback of a bad key shows nothing of it."""
    with pytest.raises(InvalidKey) as caught:
        KeyPair(key)
    printed = "".join(traceback.format_exception(caught.value))
    for part in (_KEY[1:12], _KEY[-12:-1], repr(bytes.fromhex(_KEY)[1:4])[2:-1], "ffffffff"):
        assert part not in printed


async def test_the_signer_gives_key_and_signature_in_the_profiles_form() -> None:
    """A signer made from a pair answers in the form of the profile it was made for."""
    for profile in PROFILES.values():
        signer = KeyPairSigner(KeyPair(_KEY), profile)
        public_key = await signer.public_key()
        assert public_key == signer.own_public_key
        assert len(public_key) == (66 if profile.compressed else 130)
        assert await signer.sign(_challenge(profile)) == sign_message(_KEY, "nonce_01", profile)


async def test_the_signer_knows_every_profile() -> None:
    """It signs all profiles of the library, and the one it was made for."""
    mine = dataclasses.replace(PROFILES["sha256-compact"], name="mine")
    signer = KeyPairSigner(KeyPair(_KEY), mine)
    assert signer.profiles == {"mine", *PROFILES}
    for profile in (mine, *PROFILES.values()):
        assert await signer.sign(_challenge(profile)) == sign_message(_KEY, "nonce_01", profile)
        other = signer.for_profile(profile)
        assert (other is signer) is (profile is mine)
        assert (other.keypair, repr(other)) == (signer.keypair, f"KeyPairSigner({profile.name})")
