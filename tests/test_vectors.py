"""The published signatures of this project's own profiles come out of every door, byte for byte."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from circle_ws.auth import (
    PROFILES,
    Challenge,
    KeyPair,
    backend_ecdsa,
    derive_public_key,
    sign_message,
    verify_signature,
)
from circle_ws.auth.crypto_utils import encode_signature
from circle_ws.auth.keypair import KeyPairSigner

if sys.platform == "emscripten":
    _BACKENDS = [backend_ecdsa]
else:
    from circle_ws.auth import backend_coincurve

    _BACKENDS = [backend_coincurve, backend_ecdsa]

_FILE = Path(__file__).parent / "vectors" / "circle_profiles.json"
_TEXTS = ("eip191", "sha256-compact")
"""The profiles whose message is made from the nonce alone."""

_VECTORS: list[dict[str, Any]] = [
    vector for vector in json.loads(_FILE.read_text())["vectors"] if vector["profile"] in _TEXTS
]

each_vector = pytest.mark.parametrize(
    "vector", _VECTORS, ids=[f"{number}-{vector['profile']}" for number, vector in enumerate(_VECTORS)]
)


def test_all_are_there() -> None:
    """There are nine vectors for each profile."""
    assert [sum(vector["profile"] == name for vector in _VECTORS) for name in _TEXTS] == [9, 9]


@each_vector
def test_messages_and_digests(vector: dict[str, Any]) -> None:
    """The profile makes the published message and digest from the nonce."""
    profile = PROFILES[vector["profile"]]
    message = profile.message(vector["nonce"].encode())
    assert (message.hex(), profile.digest(message).hex()) == (vector["message_hex"], vector["digest"])


@each_vector
def test_keys_and_signatures(vector: dict[str, Any]) -> None:
    """The key and the signature on the wire are the published ones, and verify."""
    key, nonce, name = vector["private_key"], vector["nonce"], vector["profile"]
    assert derive_public_key(key, compressed=PROFILES[name].compressed) == vector["pubkey"]
    assert sign_message(key, nonce, name) == vector["signature"]
    assert verify_signature(vector["pubkey"], nonce, vector["signature"], name)
    assert not verify_signature(vector["pubkey"], nonce + "x", vector["signature"], name)


@each_vector
def test_every_backend(vector: dict[str, Any]) -> None:
    """Each backend signs the digest with the published bytes, and recovers the published key."""
    profile, digest = PROFILES[vector["profile"]], bytes.fromhex(vector["digest"])
    for backend in _BACKENDS:
        signature, recovery_id = backend.sign(bytes.fromhex(vector["private_key"]), digest)
        assert encode_signature(profile, signature, recovery_id) == vector["signature"]
        recovered = backend.recover(digest, signature, recovery_id)
        assert recovered is not None
        assert backend.convert_public_key(recovered, compressed=profile.compressed).hex() == vector["pubkey"]


@each_vector
async def test_the_signer(vector: dict[str, Any]) -> None:
    """What a client would send is the published key and signature."""
    profile, nonce = PROFILES[vector["profile"]], vector["nonce"]
    signer = KeyPairSigner(KeyPair(vector["private_key"]), profile)
    message, digest = bytes.fromhex(vector["message_hex"]), bytes.fromhex(vector["digest"])
    challenge = Challenge(profile.name, "wss://circle.example/", nonce, message, digest)
    assert (await signer.public_key(), await signer.sign(challenge)) == (vector["pubkey"], vector["signature"])
