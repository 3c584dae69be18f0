"""The signing backends: the same keys, signatures, verdicts and recoveries, byte for byte."""

import hashlib
import itertools
import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from circle_ws.auth import backend
from tests.support.backends import BACKENDS, CHOSEN

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_FIELD = 2**256 - 2**32 - 977


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


each_backend = pytest.mark.parametrize("module", BACKENDS, ids=_name)


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


_GENERATOR = bytes.fromhex(
    "04"
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)
_DIGEST = hashlib.sha256(b"nonce_01").digest()

_NO_POINTS = {
    "empty": b"",
    "one byte": b"\x02",
    "too short": _GENERATOR[:64],
    "too long": _GENERATOR + b"\0",
    "no prefix": _GENERATOR[1:],
    "hybrid, even": b"\x06" + _GENERATOR[1:],
    "hybrid, odd": b"\x07" + _GENERATOR[1:],
    "unknown prefix": b"\x05" + _GENERATOR[1:33],
    "infinity": b"\0",
    "infinity, padded": bytes(33),
    "compressed prefix, both coordinates": b"\x02" + _GENERATOR[1:],
    "uncompressed prefix, one coordinate": b"\x04" + _GENERATOR[1:33],
    "x is 0": b"\x02" + bytes(32),
    "x without a y": b"\x02" + _number(5),
    "x is the field's size": b"\x02" + _number(_FIELD),
    "x + the field's size": b"\x02" + _number(_FIELD + 1),
    "x is all ones": b"\x03" + b"\xff" * 32,
    "y is off the curve": _GENERATOR[:64] + bytes([_GENERATOR[64] ^ 1]),
    "both 0": b"\x04" + bytes(64),
}


def _samples(count: int) -> list[tuple[bytes, bytes]]:
    """Return private keys and digests, including the edges of their ranges; the same ones each time."""
    rng = random.Random(1)
    edges = [_number(1), _number(2), _number(_ORDER - 1), _number(_ORDER // 2), _number(2**255)]
    digests = [bytes(32), b"\xff" * 32, _number(_ORDER), _number(_ORDER + 1), _number(1)]
    pairs = list(zip(edges, digests, strict=True))
    return pairs + [(_number(rng.randrange(1, _ORDER)), rng.randbytes(32)) for _ in range(count)]


def test_the_choice() -> None:
    """The backend in use is the one of this runtime, with all its functions."""
    for name in backend.__all__:
        if name != "keccak_256":
            assert getattr(backend, name) is getattr(CHOSEN, name)


def test_all_have_the_same_functions() -> None:
    """Each backend exports the same names; what hashes is chosen beside it."""
    for module in BACKENDS:
        assert {*module.__all__, "keccak_256"} == {*backend.__all__}


@each_backend
def test_what_is_signed_verifies_and_recovers(module: ModuleType) -> None:
    """Sign, verify and recover fit together, for ordinary keys and digests and those at the edges."""
    for secret, digest in _samples(5):
        signature, recovery_id = module.sign(secret, digest)
        public_key = module.derive_public_key(secret, compressed=False)
        assert len(signature) == 64
        assert 0 < int.from_bytes(signature[32:], "big") <= _ORDER // 2
        assert module.verify(public_key, digest, signature)
        assert module.verify(module.derive_public_key(secret, compressed=True), digest, signature)
        assert module.recover(digest, signature, recovery_id) == public_key
        assert module.recover(digest, signature, 1 - recovery_id) != public_key


@pytest.mark.native_only("there is one backend in the browser")
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(BACKENDS, 2)), ids=_name)
def test_backends_agree(one: ModuleType, other: ModuleType) -> None:
    """Over 25 random keys and the edges the backends derive, sign, convert, verify and recover the same bytes."""
    samples = _samples(25)
    for (secret, digest), (_, another) in zip(samples, reversed(samples), strict=True):
        assert (made := one.sign(secret, digest)) == other.sign(secret, digest)
        for form in (True, False):
            key = one.derive_public_key(secret, compressed=form)
            assert key == other.derive_public_key(secret, compressed=form)
            assert one.convert_public_key(key, compressed=not form) == other.convert_public_key(
                key, compressed=not form
            )
        for shown in (digest, another):
            assert one.verify(key, shown, made[0]) is other.verify(key, shown, made[0]) is (shown == digest)
            for recovery_id in range(4):
                assert one.recover(shown, made[0], recovery_id) == other.recover(shown, made[0], recovery_id)


@each_backend
def test_the_generator(module: ModuleType) -> None:
    """The key of 1 is the generator of the curve (SEC 2), and converting goes both ways."""
    compressed = b"\x02" + _GENERATOR[1:33]
    assert module.derive_public_key(_number(1), compressed=False) == _GENERATOR
    assert module.derive_public_key(_number(1), compressed=True) == compressed
    assert module.convert_public_key(compressed, compressed=False) == _GENERATOR
    assert module.convert_public_key(_GENERATOR, compressed=True) == compressed
    assert module.convert_public_key(_GENERATOR, compressed=False) == _GENERATOR


@each_backend
@pytest.mark.parametrize("case", _NO_POINTS)
def test_what_is_no_point(module: ModuleType, case: str) -> None:
    """A key that is no point of the curve, or in another form, is a `ValueError`."""
    words = "^a public key begins with 02, 03 or 04$" if "hybrid" in case and module.CONSTANT_TIME else r"\w \w"
    for compressed in (True, False):
        with pytest.raises(ValueError, match=words):
            module.convert_public_key(_NO_POINTS[case], compressed=compressed)


@each_backend
def test_high_s_is_refused(module: ModuleType) -> None:
    """The other signature of the pair, with n - s, does not verify."""
    for secret, digest in _samples(3):
        signature, _ = module.sign(secret, digest)
        high = signature[:32] + _number(_ORDER - int.from_bytes(signature[32:], "big"))
        assert not module.verify(module.derive_public_key(secret, compressed=False), digest, high)


@each_backend
@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (_ORDER, 1), (1, _ORDER), (_ORDER + 1, 1), (2**256 - 1, 2**256 - 1), (5, 5), (1, 1)],
)
def test_numbers_out_of_range(module: ModuleType, r: int, s: int) -> None:
    """An r or s that is 0, not below the order, or of no signature, verifies nothing, and raises nothing."""
    signature = _number(r) + _number(s)
    assert module.verify(_GENERATOR, _DIGEST, signature) is False
    recovered = [module.recover(_DIGEST, signature, recovery_id) for recovery_id in range(2)]
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        assert recovered == [None, None]
    assert _GENERATOR not in recovered


@each_backend
@pytest.mark.parametrize("number", [1, 3, _ORDER - 1])
def test_verifying_ends_at_infinity(module: ModuleType, number: int) -> None:
    """A digest and an r whose points cancel each other out verify nothing, and raise nothing."""
    r = int.from_bytes(module.derive_public_key(_number(9), compressed=True)[1:], "big")
    public_key = module.derive_public_key(_number(number), compressed=False)
    assert module.verify(public_key, _number(-r * number % _ORDER), _number(r) + _number(5)) is False


@each_backend
@pytest.mark.parametrize("number", [1, 7, 12345, _ORDER - 1])
def test_recovering_ends_at_infinity(module: ModuleType, number: int) -> None:
    """Where one candidate is the point at infinity it is none, and the other one is still found."""
    point = module.derive_public_key(_number(number), compressed=True)
    s = int.from_bytes(_DIGEST, "big") * pow(number, -1, _ORDER) % _ORDER
    signature, parity = point[1:] + _number(s), point[0] - 2
    assert module.recover(_DIGEST, signature, parity) is None
    other = module.recover(_DIGEST, signature, 1 - parity)
    # Q = (s R - e G) / r with R = -kG and s = e / k.
    factor = -2 * int.from_bytes(_DIGEST, "big") * pow(int.from_bytes(point[1:], "big"), -1, _ORDER) % _ORDER
    assert other == module.derive_public_key(_number(factor), compressed=False)


@each_backend
@pytest.mark.parametrize(("s", "is_low"), [(_ORDER // 2, True), (_ORDER // 2 + 1, False)], ids=["half", "above"])
def test_the_greatest_s(module: ModuleType, s: int, is_low: bool) -> None:
    """Half of the order is low, and one more is not: the key is chosen so that the signature would be right."""
    r = int.from_bytes(module.derive_public_key(_number(7), compressed=True)[1:], "big")
    secret = (7 * s - int.from_bytes(_DIGEST, "big")) * pow(r, -1, _ORDER) % _ORDER
    public_key = module.derive_public_key(_number(secret), compressed=False)
    assert module.verify(public_key, _DIGEST, _number(r) + _number(s)) is is_low


@each_backend
def test_recovering_at_the_edges(module: ModuleType) -> None:
    """r and s may be 1, and neither 0 nor the order."""
    recovered = [module.recover(_DIGEST, _number(r) + _number(s), 0) for r, s in ((1, 1), (1, 2), (2, 1))]
    assert [key and key[1:9].hex() for key in recovered] == ["6b2bec6ad9ea6499", "d484783250c6dc75", "ca566e02e3d38784"]
    for r, s in ((0, 1), (1, 0), (_ORDER, 1), (1, _ORDER)):
        assert module.recover(_DIGEST, _number(r) + _number(s), 0) is None


@each_backend
@pytest.mark.parametrize("recovery_id", [-1, 2, 3, 4, 27, 255, 256])
def test_recovery_ids_out_of_range(module: ModuleType, recovery_id: int) -> None:
    """Only 0 and 1 recover a key from an ordinary signature."""
    signature, _ = module.sign(_number(7), _DIGEST)
    assert module.recover(_DIGEST, signature, recovery_id) is None


@each_backend
@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signatures_of_another_length(module: ModuleType, length: int) -> None:
    """What is not 64 bytes long verifies nothing."""
    signature = (module.sign(_number(7), _DIGEST)[0] * 2)[:length]
    assert module.verify(module.derive_public_key(_number(7), compressed=False), _DIGEST, signature) is False


@each_backend
def test_rfc_6979(module: ModuleType, vectors: Path) -> None:
    """The signatures are made with the published k: r is the x of k times the generator."""
    cases = json.loads((vectors / "rfc6979" / "python_ecdsa_secp256k1_k.json").read_text())["vectors"]
    assert len(cases) == 6
    for case in cases:
        digest = hashlib.sha256(case["message"].encode()).digest()
        signature, _ = module.sign(bytes.fromhex(case["private_key"]), digest)
        x = module.derive_public_key(bytes.fromhex(case["k"]), compressed=True)[1:]
        assert signature[:32] == _number(int.from_bytes(x, "big") % _ORDER)


def _tiny(vectors: Path) -> Any:
    return json.loads((vectors / "tiny_secp256k1" / "ecdsa.json").read_text())


@each_backend
def test_tiny_secp256k1_signatures(module: ModuleType, vectors: Path) -> None:
    """Published signatures and recovery ids come out byte for byte; of slow python-ecdsa every fourth is tried."""
    cases = _tiny(vectors)["valid"]
    assert len(cases) == 2020
    for case in cases[:: 4 if module.__name__.endswith("_ecdsa") else 1]:
        made = module.sign(bytes.fromhex(case["d"]), bytes.fromhex(case["m"]))
        assert made == (bytes.fromhex(case["signature"]), case["recoveryId"]), case


@each_backend
def test_tiny_secp256k1_refusals(module: ModuleType, vectors: Path) -> None:
    """What is published as a bad point or signature is refused, in verifying as in recovering."""
    invalid = _tiny(vectors)["invalid"]
    assert len(invalid["verify"]) == 25
    assert len(invalid["recover"]) == 8
    for case in invalid["verify"]:
        key, digest, signature = (bytes.fromhex(case[name]) for name in ("Q", "m", "signature"))
        try:
            checked = module.convert_public_key(key, compressed=False)
        except ValueError:
            assert case.get("exception") == "Expected Point", case
        else:
            assert case.get("exception") != "Expected Point", case
            assert module.verify(checked, digest, signature) is False, case
    # Digests have 32 bytes by contract, so the case of another length is none of ours.
    for case in [case for case in invalid["recover"] if case["exception"] != "Expected Hash"]:
        digest, signature = bytes.fromhex(case["m"]), bytes.fromhex(case["signature"])
        for recovery_id in [case["recoveryId"]] if "recoveryId" in case else [0, 1]:
            assert module.recover(digest, signature, recovery_id) is None, case
