"""Make `tests/vectors/circle_profiles_more.json` anew: `python -m tests.native.make_vectors`.

Every signature is made by libsecp256k1 and by python-ecdsa and found equal, without this project's own code but for
Keccak-256, over the keys, nonces and URLs of `circle_profiles.json`.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import ecdsa  # type: ignore[import-untyped,unused-ignore]
from btclib_secp256k1 import dsa, recovery
from ecdsa.util import (  # type: ignore[import-untyped,unused-ignore]
    sigencode_der_canonize,
    sigencode_string_canonize,
)

from circle_ws.auth.keccak import keccak_256

__all__ = ["FILE", "make"]

_FOLDER = Path(__file__).resolve().parent.parent / "vectors"
_GIVEN = _FOLDER / "circle_profiles.json"
FILE = _FOLDER / "circle_profiles_more.json"
_DESCRIPTION = (
    "circle_ws signature-profile vectors for sha256-der and circle-bound-eip191-v1, over the keys, nonces, URLs and "
    "times of circle_profiles.json; every signature produced by libsecp256k1 and by ecdsa and found equal; "
    "RFC 6979, low-S; made by tests/native/make_vectors.py"
)


def make() -> dict[str, Any]:
    """Make the content of the file."""
    given = json.loads(_GIVEN.read_text())["vectors"]
    made = [_der(vector) for vector in given if vector["profile"] == "sha256-compact"]
    made += [_bound(vector) for vector in given if vector["profile"] == "circle-bound-v1"]
    return {"description": _DESCRIPTION, "vectors": made}


def _der(vector: dict[str, Any]) -> dict[str, Any]:
    digest = sha256(vector["nonce"].encode()).digest()
    return {
        **vector,
        "profile": "sha256-der",
        "signature": _both(vector["private_key"], digest, _der_of_libsecp256k1, _der_of_ecdsa),
    }


def _bound(vector: dict[str, Any]) -> dict[str, Any]:
    statement = bytes.fromhex(vector["message_hex"]).replace(b"circle-bound-v1\n", b"circle-bound-eip191-v1\n", 1)
    message = b"\x19Ethereum Signed Message:\n%d%s" % (len(statement), statement)
    digest = keccak_256(message)
    return {
        **vector,
        "profile": "circle-bound-eip191-v1",
        "message_hex": message.hex(),
        "digest": digest.hex(),
        "signature": _both(vector["private_key"], digest, _recoverable_of_libsecp256k1, _recoverable_of_ecdsa),
    }


def _both(key: str, digest: bytes, *makers: Callable[[bytes, bytes], bytes]) -> str:
    one, other = (maker(bytes.fromhex(key), digest) for maker in makers)
    if one != other:
        raise AssertionError(f"the libraries disagree about {digest.hex()}")
    return one.hex()


def _der_of_libsecp256k1(secret: bytes, digest: bytes) -> bytes:
    return dsa.sign(digest, secret)


def _der_of_ecdsa(secret: bytes, digest: bytes) -> bytes:
    key = ecdsa.SigningKey.from_string(secret, ecdsa.SECP256k1)
    return bytes(key.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=sigencode_der_canonize))


def _recoverable_of_libsecp256k1(secret: bytes, digest: bytes) -> bytes:
    made, recovery_id = recovery.sign(digest, secret)
    return made + bytes([27 + recovery_id])


def _recoverable_of_ecdsa(secret: bytes, digest: bytes) -> bytes:
    key = ecdsa.SigningKey.from_string(secret, ecdsa.SECP256k1)
    made = bytes(key.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=sigencode_string_canonize))
    # python-ecdsa does not tell the recovery id: of the keys that fit it gives the one with the even point first.
    found = ecdsa.VerifyingKey.from_public_key_recovery_with_digest(made, digest, ecdsa.SECP256k1, hashfunc=sha256)
    own = key.verifying_key.to_string()
    return made + bytes([27 + [candidate.to_string() for candidate in found].index(own)])


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n")
    print(f"wrote {FILE}")
