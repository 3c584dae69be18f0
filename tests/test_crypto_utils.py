"""Keys and signatures as hex."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from circle_ws.auth import (
    PROFILES,
    crypto_utils,
    derive_public_key,
    generate_private_key,
    parse_private_key,
    sign_message,
    verify_signature,
)
from circle_ws.auth.crypto_utils import format_public_key, recover_public_key, sign_digest
from circle_ws.auth.keccak import keccak_256
from circle_ws.auth.signature import SignatureEncoding, decode
from circle_ws.errors import ConfigError, InvalidKey
from tests.support.backends import BACKENDS

_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_RAW = bytes.fromhex(_KEY)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ONE = "00" * 31 + "01"
_GENERATOR_X = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
_GENERATOR_Y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"


def test_a_private_key_is_in_the_range_of_the_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system's randomness gives beyond it, once in 2**128 times, is not taken."""
    drawn = iter([b"\0" * 32, b"\xff" * 32, _ORDER.to_bytes(32, "big"), _RAW])
    monkeypatch.setattr(os, "urandom", lambda size: next(drawn))
    key = generate_private_key()
    monkeypatch.undo()
    assert key == _KEY


_NO_KEYS: list[Any] = [
    "",
    _KEY[:-1],
    _KEY[:-2],
    _KEY + "0",
    _KEY + "00",
    "0x",
    "0x0x" + _KEY,
    _KEY[:-1] + "g",
    "X" + _KEY[1:],
    _KEY[:32] + " " + _KEY[33:],
    "１" + _KEY[1:],
    "+" + _KEY[1:],
    "0" * 64,
    f"{_ORDER:064x}",
    f"{_ORDER + 1:064x}",
    "f" * 64,
    b"",
    _RAW[:-1],
    _RAW + b"\0",
    bytes(32),
    _ORDER.to_bytes(32, "big"),
    _KEY.encode(),
    None,
    int(_KEY, 16),
    list(_RAW),
]

_NO_PUBLIC_KEYS: list[Any] = [
    "",
    "02",
    _GENERATOR_X,
    _GENERATOR_X + _GENERATOR_Y,
    "02" + _GENERATOR_X[:-1],
    "02" + _GENERATOR_X + "0",
    "02" + _GENERATOR_X + "00",
    "05" + _GENERATOR_X,
    "04" + _GENERATOR_X,
    "02" + _GENERATOR_X + _GENERATOR_Y,
    "04" + _GENERATOR_X + _GENERATOR_Y[:-1] + "9",
    "06" + _GENERATOR_X + _GENERATOR_Y,
    "07" + _GENERATOR_X + _GENERATOR_Y,
    "02" + "f" * 64,
    "02" + "0" * 64,
    "02" + "0" * 63 + "5",
    "04" + "0" * 128,
    "02" + _GENERATOR_X[:-1] + "g",
    "02" + _GENERATOR_X + " " * 64,
    " 02" + _GENERATOR_X,
    "0x" + "0x02" + _GENERATOR_X,
    None,
    7,
    bytes.fromhex("02" + _GENERATOR_X),
]


def _id(value: object) -> str:
    return ascii(value)[:24]


@pytest.mark.parametrize(
    "text",
    [
        _KEY,
        _KEY.upper(),
        "0x" + _KEY,
        "0X" + _KEY.upper(),
        f" {_KEY}\n",
        _RAW,
        bytearray(_RAW),
        memoryview(_RAW),
    ],
    ids=lambda text: type(text).__name__,
)
def test_each_form_of_a_private_key(text: Any) -> None:
    """Hex in either case, with or without `0x`, in a line of a file, and bytes are read alike."""
    assert parse_private_key(text) == _RAW


@pytest.mark.parametrize("number", [1, 2, _ORDER - 1])
def test_the_edges_of_the_range(number: int) -> None:
    """Every number from 1 to below the order is a key."""
    assert parse_private_key(f"{number:064x}") == number.to_bytes(32, "big")


@pytest.mark.parametrize("text", _NO_KEYS, ids=_id)
def test_what_is_no_private_key(text: Any) -> None:
    """Anything else is an `InvalidKey` that says what a key is and repeats nothing of what was given."""
    uses: list[Callable[[], object]] = [
        lambda: parse_private_key(text),
        lambda: derive_public_key(text),
        lambda: sign_message(text, "nonce_01"),
    ]
    for use in uses:
        with pytest.raises(InvalidKey, match="private key is") as caught:
            use()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        for part in (_KEY[:12], _KEY[-12:], str(int(_KEY, 16))[:12], "ffffffffffff", "fffffffe"):
            assert part not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_KEY[1:], "a private key is 64 hex characters or 32 bytes; this text has 63 characters"),
        (f" 0X{_KEY}0\n", "a private key is 64 hex characters or 32 bytes; this text has 65 characters"),
        (_RAW[1:], "a private key is 64 hex characters or 32 bytes; these are 31 bytes"),
        (7, "a private key is 64 hex characters or 32 bytes, not int"),
        (bytes(32), "the private key is zero or not below the order of secp256k1; make one with `circle-ws keygen`"),
    ],
    ids=_id,
)
def test_what_is_wrong_with_a_private_key(text: Any, words: str) -> None:
    """Its length or its kind, and where to get one."""
    with pytest.raises(InvalidKey) as caught:
        parse_private_key(text)
    assert str(caught.value) == words


def test_generated_keys() -> None:
    """A generated key is 64 lower-case hex characters, a valid key, and another one each time."""
    keys = {generate_private_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(parse_private_key(key).hex() == key for key in keys)


def test_the_generator() -> None:
    """The public key of 1 is the curve's generator (SEC 2), in both forms; uncompressed is the default."""
    assert derive_public_key(_ONE) == "04" + _GENERATOR_X + _GENERATOR_Y
    assert derive_public_key(_ONE, compressed=False) == "04" + _GENERATOR_X + _GENERATOR_Y
    assert derive_public_key(_ONE, compressed=True) == "02" + _GENERATOR_X
    assert derive_public_key(f"{_ORDER - 1:064x}", compressed=True) == "03" + _GENERATOR_X


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("change", [str, str.upper, lambda text: "0x" + text, lambda text: "0X" + text.upper()])
def test_public_keys_change_their_form(change: Callable[[str], str], compressed: bool) -> None:
    """Either form, in either case, with or without `0x`, becomes the form that is asked for."""
    for given in (True, False):
        text = change(derive_public_key(_KEY, compressed=given))
        assert format_public_key(text, compressed=compressed) == derive_public_key(_KEY, compressed=compressed)


@pytest.mark.parametrize("text", _NO_PUBLIC_KEYS, ids=_id)
def test_what_is_no_public_key(text: Any) -> None:
    """What is no point of the curve, or not in one of the two forms, is an `InvalidKey`, and verifies nothing."""
    with pytest.raises(InvalidKey) as caught:
        format_public_key(text, compressed=True)
    assert str(caught.value) == (
        "a public key is 66 (compressed) or 130 (uncompressed) hex characters that name a point of secp256k1"
    )
    assert verify_signature(text, "nonce_01", sign_message(_KEY, "nonce_01")) is False


@pytest.mark.parametrize("message", ["nonce_01", b"nonce_01", "", "ä😀", b"\x00\xff" * 300], ids=_id)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_signature_verifies(profile: str, message: str | bytes) -> None:
    """Each profile's signature is verified with either form of the key, and as hex in either case."""
    signature = sign_message(_KEY, message, profile)
    assert signature == signature.lower()
    assert sign_message(_RAW, message, PROFILES[profile]) == signature
    for compressed in (True, False):
        key = derive_public_key(_KEY, compressed=compressed)
        for text in (signature, signature.upper(), "0x" + signature, "0X" + signature):
            assert verify_signature(key, message, text, profile) is True


def test_text_is_utf8() -> None:
    """A message as text and as its UTF-8 are the same message."""
    assert sign_message(_KEY, "ä😀") == sign_message(_KEY, "ä😀".encode())


def test_the_default_profile() -> None:
    """Without a profile it is `eip191`."""
    signature = sign_message(_KEY, "nonce_01", "eip191")
    assert sign_message(_KEY, "nonce_01") == signature
    assert verify_signature(derive_public_key(_KEY), "nonce_01", signature)


_TWINS = {
    "eip191": "circle-bound-eip191-v1",
    "circle-bound-eip191-v1": "eip191",
    "sha256-compact": "circle-bound-v1",
    "circle-bound-v1": "sha256-compact",
}
"""Profiles that hash and encode alike; what they sign differs, as the first of the six lines is the profile's name."""


def test_twins_sign_alike() -> None:
    """A bound profile is its twin over another statement: the same text has the same signature under both."""
    for one, other in _TWINS.items():
        assert sign_message(_KEY, "nonce_01", one) == sign_message(_KEY, "nonce_01", other)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_tampered_with_does_not_verify(profile: str) -> None:
    """Another message, key, profile, or one flipped bit anywhere in the signature: False, never an exception."""
    signature = sign_message(_KEY, "nonce_01", profile)
    key, other = derive_public_key(_KEY), derive_public_key(_ONE)
    assert verify_signature(key, "nonce_01", signature, profile) is True
    assert verify_signature(key, "nonce_02", signature, profile) is False
    assert verify_signature(other, "nonce_01", signature, profile) is False
    for another in set(PROFILES) - {profile, _TWINS.get(profile)}:
        assert verify_signature(key, "nonce_01", signature, another) is False
    raw = bytes.fromhex(signature)
    for position in range(0, 8 * len(raw), 37):
        flipped = bytearray(raw)
        flipped[position // 8] ^= 1 << position % 8
        assert verify_signature(key, "nonce_01", flipped.hex(), profile) is False


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text[:-2],
        lambda text: text + "00",
        lambda text: text[2:] + "g0",
        lambda text: text[:2] + " " + text[2:],
        lambda text: text + "\n",
        lambda text: "0x0x" + text,
        lambda text: "0" * 128 + text[128:],
        lambda text: "0" * 64 + text[64:],
        lambda text: text[:64] + "0" * 64 + text[128:],
        lambda text: "f" * 64 + text[64:],
        lambda text: f"{_ORDER:064x}" + text[64:],
        lambda text: text[:64] + f"{_ORDER:064x}" + text[128:],
        lambda text: None,
        lambda text: 7,
        lambda text: bytes.fromhex(text),
    ],
)
def test_what_is_no_signature(spoil: Callable[[str], Any], profile: str) -> None:
    """A text that is no signature at all verifies as False."""
    signature = spoil(sign_message(_KEY, "nonce_01", profile))
    assert verify_signature(derive_public_key(_KEY), "nonce_01", signature, profile) is False


@pytest.mark.parametrize("profile", PROFILES)
def test_high_s_is_refused(profile: str) -> None:
    """The other half of the malleable pair, n - s, is not accepted, with whatever v."""
    signature = sign_message(_KEY, "nonce_01", profile)
    high = f"{_ORDER - int(signature[64:128], 16):064x}"
    for v in ("1b", "1c", "00", "01") if len(signature) == 130 else ("",):
        assert verify_signature(derive_public_key(_KEY), "nonce_01", signature[:64] + high + v, profile) is False


def test_only_the_right_v() -> None:
    """With `eip191` v is 27 or 28, and only the one that gives the key back."""
    signature = sign_message(_KEY, "nonce_01")
    key = derive_public_key(_KEY)
    good = [v for v in range(256) if verify_signature(key, "nonce_01", f"{signature[:128]}{v:02x}")]
    assert good == [int(signature[128:], 16)]
    assert good[0] in (27, 28)


@pytest.mark.parametrize("profile", ["", "eip192", None])
def test_an_unknown_profile_is_the_callers_fault(profile: Any) -> None:
    """A profile that there is not is a `ConfigError`, also where a bad signature would be False."""
    with pytest.raises(ConfigError, match="profile must be one of"):
        sign_message(_KEY, "nonce_01", profile)
    with pytest.raises(ConfigError, match="profile must be one of"):
        verify_signature("", "nonce_01", "", profile)


@pytest.fixture(params=BACKENDS, ids=lambda module: module.__name__.rpartition(".")[2])
def _each_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test over each backend of this runtime."""
    monkeypatch.setattr(crypto_utils, "backend", request.param)


each_backend = pytest.mark.usefixtures("_each_backend")


@each_backend
def test_personal_sign_of_others(vectors: Path) -> None:
    """What Ethereum's libraries publish as hashes, signatures and addresses comes out, byte for byte."""
    cases = json.loads((vectors / "eip191" / "personal_sign.json").read_text())["vectors"]
    profile = PROFILES["eip191"]
    hashed = [case for case in cases if "message_hash" in case]
    for case in hashed:
        assert profile.digest(profile.message(bytes.fromhex(case["message_hex"]))).hex() == case["message_hash"]
    signed = [case for case in cases if "signature" in case]
    for case in signed:
        message = bytes.fromhex(case["message_hex"])
        signature = sign_message(case["private_key"], message)
        assert (signature, int(signature[128:], 16)) == (case["signature"], case["v"]), case["source"]
        public_key = derive_public_key(case["private_key"])
        assert verify_signature(public_key, message, signature)
    # The address is the end of the hash of the key that the signature alone gives back.
    named = [case for case in signed if "address" in case]
    for case in named:
        recovered = recover_public_key(bytes.fromhex(case["message_hex"]), case["signature"])
        address = keccak_256(bytes.fromhex(recovered)[1:])[-20:].hex()
        assert address == case["address"].removeprefix("0x").lower()
    assert (len(hashed), len(signed), len(named)) == (11, 7, 4)


def test_a_new_key_is_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Randomness that is zero, or not below the order, makes no key; the next one is drawn. One is a key."""
    drawn = [bytes(32), bytes.fromhex(f"{_ORDER:064x}"), b"\xff" * 32, bytes.fromhex(_ONE), _RAW]
    monkeypatch.setattr(os, "urandom", lambda size: drawn.pop(0) if size == 32 else b"")
    assert [generate_private_key(), generate_private_key()] == [_ONE, _KEY]
    assert drawn == []


@pytest.mark.parametrize(("length", "v_offset"), [(31, 27), (33, 27), (0, 27), (32, -1), (32, 253)])
def test_a_profile_that_cannot_be_signed(length: int, v_offset: int) -> None:
    """A user's own hash of another length, or an offset with which v is no byte, is told with the profile's name."""
    mine = dataclasses.replace(PROFILES["eip191"], name="mine", v_offset=v_offset)
    with pytest.raises(ConfigError) as caught:
        sign_digest(_RAW, bytes(length), mine)
    assert str(caught.value) == (
        f"profile 'mine' needs a digest of 32 bytes, not {length}, and a v_offset from 0 to 252, not {v_offset}"
    )
    assert caught.value.option == "profile"


@pytest.mark.parametrize("v_offset", [0, 252])
def test_the_least_and_the_greatest_offset(v_offset: int) -> None:
    """The recovery id is added to the profile's offset."""
    mine = dataclasses.replace(PROFILES["eip191"], v_offset=v_offset)
    signature = sign_message(_KEY, "nonce_01", mine)
    assert int(signature[-2:], 16) - v_offset in (0, 1)
    assert verify_signature(derive_public_key(_KEY), "nonce_01", signature, mine)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_key_that_cannot_be_recovered(profile: str) -> None:
    """It is an error, for a signature without v, for what is none, and for one with a v of another profile."""
    signature = sign_message(_KEY, "nonce_01", profile)
    bad = ["", "zz", signature[:-2], "00" * 65, signature[:-2] + "05"]
    if PROFILES[profile].encoding is not SignatureEncoding.RECOVERABLE:
        bad.append(signature)
    else:
        assert recover_public_key("nonce_01", signature, profile) == derive_public_key(_KEY)
    for text in bad:
        with pytest.raises(
            ValueError, match=r"^no public key can be recovered: .* no low-S signature in the profile's"
        ):
            recover_public_key("nonce_01", text, profile)


def _der_integers(signature: str) -> tuple[int, int]:
    """Read r and s of a valid DER signature, by other means than the library's."""
    raw = bytes.fromhex(signature)
    end = 4 + raw[3]
    return int.from_bytes(raw[4:end], "big"), int.from_bytes(raw[end + 2 :], "big")


def _wycheproof(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in json.loads(path.read_text())["testGroups"]:
        for case in group["tests"]:
            yield group["publicKey"]["uncompressed"], case


@each_backend
@pytest.mark.parametrize(
    ("file", "profile", "count"),
    [
        ("ecdsa_secp256k1_sha256_p1363_test.json", "sha256-compact", 252),
        ("ecdsa_secp256k1_sha256_test.json", "sha256-der", 476),
    ],
    ids=["P1363", "DER"],
)
def test_wycheproof(vectors: Path, file: str, profile: str, count: int) -> None:
    """Of Wycheproof's signatures exactly the valid ones with a low s are accepted, in either encoding."""
    cases = high = accepted = 0
    for public_key, case in _wycheproof(vectors / "wycheproof" / file):
        valid = case["result"] == "valid"
        s = 0
        if valid:
            s = int(case["sig"][64:], 16) if profile == "sha256-compact" else _der_integers(case["sig"])[1]
        verdict = verify_signature(public_key, bytes.fromhex(case["msg"]), case["sig"], profile)
        assert verdict is (valid and s <= _ORDER // 2), case["tcId"]
        accepted += verdict
        high += valid and s > _ORDER // 2
        cases += 1
    assert (cases, high) == (count, 72)
    assert accepted > 50


@each_backend
def test_tiny_secp256k1_through_the_profiles(vectors: Path) -> None:
    """The published signatures are the library's, in every encoding, and verify in it; a sample of the 2,020."""
    cases = json.loads((vectors / "tiny_secp256k1" / "ecdsa.json").read_text())["valid"][::101]
    assert len(cases) == 20
    for case in cases:
        secret, digest = bytes.fromhex(case["d"]), bytes.fromhex(case["m"])
        for profile in PROFILES.values():
            # The profile's own hash has no part in this: the digest is given.
            plain = dataclasses.replace(profile, message=bytes, digest=bytes)
            signature = sign_digest(secret, digest, plain)
            pair, v = decode(profile.encoding, bytes.fromhex(signature))
            assert pair.hex() == case["signature"]
            assert v in (None, profile.v_offset + case["recoveryId"])
            assert verify_signature(derive_public_key(secret), digest, signature, plain)
