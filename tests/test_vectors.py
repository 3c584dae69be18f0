"""The published signatures of this project's own profiles come out of every door, byte for byte."""

import json
from collections.abc import Callable
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


def _named(vector: dict[str, Any]) -> str:
    return f"{_VECTORS.index(vector)}-{vector['profile']}"


def _mismatches(check: Callable[[dict[str, Any]], bool]) -> list[str]:
    """Return the names of the vectors that do not pass a check."""
    return [_named(vector) for vector in _VECTORS if not check(vector)]


def test_messages_and_digests() -> None:
    """The profile makes the published message and digest, of a bound one from the URL as it was dialled."""

    def check(vector: dict[str, Any]) -> bool:
        profile = PROFILES[vector["profile"]]
        message = profile.message(_statement(vector))
        return (message.hex(), profile.digest(message).hex()) == (vector["message_hex"], vector["digest"])

    assert _mismatches(check) == []


def test_keys_and_signatures() -> None:
    """The key and the signature on the wire are the published ones, and verify; over another text they do not."""

    def check(vector: dict[str, Any]) -> bool:
        key, statement, name = vector["private_key"], _statement(vector), vector["profile"]
        return (
            derive_public_key(key, compressed=PROFILES[name].compressed) == vector["pubkey"]
            and sign_message(key, statement, name) == vector["signature"]
            and verify_signature(vector["pubkey"], statement, vector["signature"], name)
            and not verify_signature(vector["pubkey"], statement + b"x", vector["signature"], name)
        )

    assert _mismatches(check) == []


@each_backend
def test_every_backend(backend: Any) -> None:
    """Each backend signs the digest with the published bytes, verifies them, and recovers the published key."""

    def check(vector: dict[str, Any]) -> bool:
        profile, digest = PROFILES[vector["profile"]], bytes.fromhex(vector["digest"])
        signature, recovery_id = backend.sign(bytes.fromhex(vector["private_key"]), digest)
        raw = encode(profile.encoding, signature, profile.v_offset + recovery_id)
        pair, v = decode(profile.encoding, raw)
        recovered = backend.recover(digest, signature, recovery_id)
        return (
            raw.hex() == vector["signature"]
            and pair == signature
            and v in (None, profile.v_offset + recovery_id)
            and backend.verify(bytes.fromhex(vector["pubkey"]), digest, pair)
            and backend.convert_public_key(recovered, compressed=profile.compressed).hex() == vector["pubkey"]
        )

    assert _mismatches(check) == []


async def test_the_signer() -> None:
    """What a client would send is the published key and signature."""
    wrong = []
    for vector in _VECTORS:
        profile, statement = PROFILES[vector["profile"]], _statement(vector)
        signer = KeyPairSigner(KeyPair(vector["private_key"]), profile)
        message, digest = bytes.fromhex(vector["message_hex"]), bytes.fromhex(vector["digest"])
        challenge = Challenge(profile.name, "wss://circle.example/", vector["nonce"], statement, message, digest)
        if (await signer.public_key(), await signer.sign(challenge)) != (vector["pubkey"], vector["signature"]):
            wrong.append(_named(vector))
    assert wrong == []


def test_audiences_of_the_signatures() -> None:
    """The audience in a published bound signature is made from the URL that was dialled."""
    bound = [vector for vector in _VECTORS if "audience" in vector]
    assert {vector["profile"] for vector in bound} == set(BOUND)
    assert [audience(vector["url"]) for vector in bound] == [vector["audience"] for vector in bound]


def test_accepted_audiences() -> None:
    """Each listed URL has the listed audience, which is its own audience."""
    assert len(_GIVEN["audience"]) == 8
    assert [[url, audience(url)] for url, _ in _GIVEN["audience"]] == _GIVEN["audience"]
    assert [audience(written) for _, written in _GIVEN["audience"]] == [written for _, written in _GIVEN["audience"]]


def test_refused_audiences() -> None:
    """Each listed URL is refused."""
    assert len(_GIVEN["audience_rejected"]) == 15
    for url, _ in _GIVEN["audience_rejected"]:
        with pytest.raises(ConfigError) as caught:
            audience(url)
        assert caught.value.option == "url", url


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
