"""The published signatures of this project's own profiles come out of every door, byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from circle_ws.auth import (
    PROFILES,
    Challenge,
    KeyPair,
    derive_public_key,
    sign_message,
    verify_signature,
)
from circle_ws.auth.keypair import KeyPairSigner
from circle_ws.auth.profiles import BOUND, audience, bound_statement
from circle_ws.auth.signature import decode, encode
from circle_ws.errors import ConfigError
from tests.support.backends import BACKENDS

_FOLDER = Path(__file__).parent / "vectors"
_GIVEN = json.loads((_FOLDER / "circle_profiles.json").read_text())
_MORE = json.loads((_FOLDER / "circle_profiles_more.json").read_text())
_VECTORS: list[dict[str, Any]] = [*_GIVEN["vectors"], *_MORE["vectors"]]

each_vector = pytest.mark.parametrize(
    "vector", _VECTORS, ids=[f"{number}-{vector['profile']}" for number, vector in enumerate(_VECTORS)]
)
each_backend = pytest.mark.parametrize(
    "backend", BACKENDS, ids=[backend.__name__.rpartition(".")[2] for backend in BACKENDS]
)


def _statement(vector: dict[str, Any]) -> bytes:
    """Write what the profile signs, by the library's own means."""
    if vector["profile"] not in BOUND:
        return str(vector["nonce"]).encode()
    return bound_statement(
        vector["profile"],
        audience=audience(vector["url"]),
        public_key=derive_public_key(vector["private_key"], compressed=True),
        nonce=vector["nonce"],
        client_nonce=vector["client_nonce"],
        expires_at=vector["expires_at"],
    )


def test_all_are_there() -> None:
    """There are nine vectors for each profile: 36 that were given, 18 that were added."""
    assert (len(_GIVEN["vectors"]), len(_MORE["vectors"])) == (36, 18)
    assert [sum(vector["profile"] == name for vector in _VECTORS) for name in PROFILES] == [9] * 6


def test_ours_are_the_given_ones(vectors: Path) -> None:
    """The file in this repository is the one that was given."""
    assert json.loads((vectors / "circle_profiles" / "profiles.json").read_text()) == _GIVEN


@each_vector
def test_messages_and_digests(vector: dict[str, Any]) -> None:
    """The profile makes the published message and digest, of a bound one from the URL as it was dialled."""
    profile = PROFILES[vector["profile"]]
    message = profile.message(_statement(vector))
    assert (message.hex(), profile.digest(message).hex()) == (vector["message_hex"], vector["digest"])


@each_vector
def test_keys_and_signatures(vector: dict[str, Any]) -> None:
    """The key and the signature on the wire are the published ones, and verify."""
    key, statement, name = vector["private_key"], _statement(vector), vector["profile"]
    assert derive_public_key(key, compressed=PROFILES[name].compressed) == vector["pubkey"]
    assert sign_message(key, statement, name) == vector["signature"]
    assert verify_signature(vector["pubkey"], statement, vector["signature"], name)
    assert not verify_signature(vector["pubkey"], statement + b"x", vector["signature"], name)


@each_vector
@each_backend
def test_every_backend(backend: Any, vector: dict[str, Any]) -> None:
    """Each backend signs the digest with the published bytes, verifies them, and recovers the published key."""
    profile, digest = PROFILES[vector["profile"]], bytes.fromhex(vector["digest"])
    signature, recovery_id = backend.sign(bytes.fromhex(vector["private_key"]), digest)
    raw = encode(profile.encoding, signature, profile.v_offset + recovery_id)
    assert raw.hex() == vector["signature"]
    pair, v = decode(profile.encoding, raw)
    assert pair == signature
    assert v in (None, profile.v_offset + recovery_id)
    assert backend.verify(bytes.fromhex(vector["pubkey"]), digest, pair)
    recovered = backend.recover(digest, signature, recovery_id)
    assert recovered is not None
    assert backend.convert_public_key(recovered, compressed=profile.compressed).hex() == vector["pubkey"]


@each_vector
async def test_the_signer(vector: dict[str, Any]) -> None:
    """What a client would send is the published key and signature."""
    profile, statement = PROFILES[vector["profile"]], _statement(vector)
    signer = KeyPairSigner(KeyPair(vector["private_key"]), profile)
    message, digest = bytes.fromhex(vector["message_hex"]), bytes.fromhex(vector["digest"])
    challenge = Challenge(profile.name, "wss://circle.example/", vector["nonce"], statement, message, digest)
    assert (await signer.public_key(), await signer.sign(challenge)) == (vector["pubkey"], vector["signature"])


@pytest.mark.parametrize("vector", [vector for vector in _VECTORS if "audience" in vector], ids=lambda it: it["digest"])
def test_audiences_of_the_signatures(vector: dict[str, Any]) -> None:
    """The audience in a published bound signature is made from the URL that was dialled."""
    assert audience(vector["url"]) == vector["audience"]


@pytest.mark.parametrize(("url", "written"), _GIVEN["audience"], ids=lambda value: value)
def test_accepted_audiences(url: str, written: str) -> None:
    """Each listed URL has the listed audience, which is its own audience."""
    assert audience(url) == written
    assert audience(written) == written


@pytest.mark.parametrize("url", [url for url, _ in _GIVEN["audience_rejected"]], ids=ascii)
def test_refused_audiences(url: str) -> None:
    """Each listed URL is refused."""
    with pytest.raises(ConfigError) as caught:
        audience(url)
    assert caught.value.option == "url"


@pytest.mark.parametrize(
    ("url", "written"),
    [
        # Python writes these with dots from 3.13 on and without before; browsers write them without.
        ("wss://[::ffff:127.0.0.1]/", "wss://[::ffff:7f00:1]/"),
        ("wss://[::FFFF:7f00:1]/", "wss://[::ffff:7f00:1]/"),
        ("wss://[::ffff:0.0.0.1]/", "wss://[::ffff:0:1]/"),
        ("wss://[::ffff:0:0]:443", "wss://[::ffff:0:0]/"),
        ("wss://[::127.0.0.1]/", "wss://[::7f00:1]/"),
        ("wss://[0:0:0:0:0:0:0:0]/", "wss://[::]/"),
        ("wss://circle.example:/", "wss://circle.example/"),
        ("ws://circle.example:0443/", "ws://circle.example:443/"),
        ("wss://127.0.0.1./", "wss://127.0.0.1/"),
    ],
)
def test_audiences_that_runtimes_write_differently(url: str, written: str) -> None:
    """What Python's versions and browsers disagree about has one form here."""
    assert audience(url) == written
    assert audience(written) == written


def test_the_lists_of_audiences_are_complete() -> None:
    """Eight are accepted, fifteen refused."""
    assert (len(_GIVEN["audience"]), len(_GIVEN["audience_rejected"])) == (8, 15)
