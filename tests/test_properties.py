"""What holds for every key, nonce, signature, URL and clock, not only for chosen examples."""

import itertools
import string
from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from circle_ws.auth import PROFILES, Profile, SignatureEncoding, backend_ecdsa, crypto_utils, keypair
from circle_ws.auth.crypto_utils import derive_public_key, recover_public_key, sign_message, verify_signature
from circle_ws.auth.flow import read_nonce
from circle_ws.auth.keypair import BURST, INTERVAL, reserve_signature
from circle_ws.auth.profiles import BOUND, audience, bound_statement
from circle_ws.auth.signature import HALF_ORDER, ORDER, decode, encode
from circle_ws.errors import ConfigError, InvalidNonce
from tests.support.backends import BACKENDS, COMPILED

_PAIRS = list(itertools.product(BACKENDS, repeat=2))
_STRIDES = {**dict.fromkeys(COMPILED, 1), backend_ecdsa: 5 if COMPILED else 7}
"""Every bit is tried where verifying is fast, one in so many where it is slow."""


def _name(value: Any) -> str:
    return str(value.__name__.rpartition(".")[2]) if isinstance(value, ModuleType) else str(value)


# The edges of the range of keys are tried as often as all that lies between.
keys = st.one_of(
    st.integers(1, ORDER - 1),
    st.sampled_from([1, 2, HALF_ORDER, HALF_ORDER + 1, ORDER - 2, ORDER - 1]),
).map(lambda number: f"{number:064x}")
nonces = st.text(string.ascii_letters + string.digits + "_-+/=:", min_size=8, max_size=256)
hex_of_16 = st.binary(min_size=16, max_size=16).map(bytes.hex)
profiles = st.sampled_from(list(PROFILES.values()))


@st.composite
def statements(draw: st.DrawFn, profile: Profile, key: str) -> bytes:
    """Write what a sign-in with this profile would sign."""
    nonce = draw(nonces)
    if profile.name not in BOUND:
        return nonce.encode()
    return bound_statement(
        profile.name,
        audience=draw(st.sampled_from(["wss://circle.example/", "ws://127.0.0.1:8765/02ab", "wss://[2001:db8::1]/"])),
        public_key=derive_public_key(key, compressed=True),
        nonce=nonce,
        client_nonce=draw(hex_of_16),
        expires_at=draw(st.integers(0, 2**53 - 1)),
    )


@pytest.mark.parametrize(("signer", "verifier"), _PAIRS, ids=_name)
@settings(max_examples=40)
@given(data=st.data(), key=keys, profile=profiles)
def test_what_one_signs_the_other_verifies(
    signer: ModuleType, verifier: ModuleType, data: st.DataObject, key: str, profile: Profile
) -> None:
    """Any key signs any statement under any profile; the signature is deterministic, low-S, and verifies anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crypto_utils, "backend", signer)
        public_key = derive_public_key(key, compressed=data.draw(st.booleans(), label="compressed"))
        statement = data.draw(statements(profile, key), label="statement")
        signature = sign_message(key, statement, profile)
        patch.setattr(crypto_utils, "backend", verifier)
        assert sign_message(key, statement, profile) == signature
        assert verify_signature(public_key, statement, signature, profile)
        if profile.encoding is SignatureEncoding.RECOVERABLE:
            assert recover_public_key(statement, signature, profile) == derive_public_key(key)


@given(data=st.data(), key=keys, profile=profiles)
def test_no_changed_bit_is_accepted(data: st.DataObject, key: str, profile: Profile) -> None:
    """One flipped bit, anywhere in the signature, the key or the statement, and it does not verify."""
    statement = data.draw(statements(profile, key), label="statement")
    signature = bytes.fromhex(sign_message(key, statement, profile))
    public_key = bytes.fromhex(derive_public_key(key, compressed=data.draw(st.booleans(), label="compressed")))
    for part in (signature, public_key, statement):
        bit = data.draw(st.integers(0, 8 * len(part) - 1), label="bit")
        changed = [_flipped(one, bit) if one is part else one for one in (public_key, statement, signature)]
        assert not verify_signature(changed[0].hex(), changed[1], changed[2].hex(), profile)


@pytest.mark.parametrize("module", dict.fromkeys(verifier for _, verifier in _PAIRS), ids=_name)
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_each_bit_counts(profile: Profile, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one signature, key and statement every single bit is tried; with the slow backend a sample of them."""
    monkeypatch.setattr(crypto_utils, "backend", module)
    key, statement = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", b"nonce_1234567890_abcdef"
    signature = bytes.fromhex(sign_message(key, statement, profile))
    tried = 0
    for compressed in (True, False):
        public_key = bytes.fromhex(derive_public_key(key, compressed=compressed))
        assert verify_signature(public_key.hex(), statement, signature.hex(), profile)
        parts = {"key": public_key} if not compressed else {"key": public_key, "nonce": statement, "proof": signature}
        for name, part in parts.items():
            for bit in range(0, 8 * len(part), _STRIDES[module]):
                changed = {"key": public_key, "nonce": statement, "proof": signature, name: _flipped(part, bit)}
                verdict = verify_signature(changed["key"].hex(), changed["nonce"], changed["proof"].hex(), profile)
                assert not verdict, (name, bit)
                tried += 1
    assert tried >= (8 * (33 + 65 + len(statement) + len(signature))) // _STRIDES[module]


def _flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


scalars = st.one_of(
    st.integers(1, ORDER - 1),
    st.integers(0, 255).flatmap(lambda bits: st.integers(max(1, 2**bits - 2), min(ORDER - 1, 2**bits + 2))),
)
pairs = st.tuples(scalars, scalars.map(lambda s: min(s, ORDER - s))).map(
    lambda pair: pair[0].to_bytes(32, "big") + pair[1].to_bytes(32, "big")
)


@pytest.mark.parametrize("encoding", SignatureEncoding)
@given(pair=pairs, v=st.integers(0, 255))
def test_encodings_go_both_ways(encoding: SignatureEncoding, pair: bytes, v: int) -> None:
    """Each r and s in range is read back as it was written; DER is never longer than 71 bytes, as s is low."""
    raw = encode(encoding, pair, v)
    assert decode(encoding, raw) == (pair, v if encoding is SignatureEncoding.RECOVERABLE else None)
    if encoding is SignatureEncoding.DER:
        assert 8 <= len(raw) <= 71
        assert raw[0] == 0x30
        assert raw[1] == len(raw) - 2


@st.composite
def almost_der(draw: st.DrawFn) -> bytes:
    """Write a DER signature and damage it a little: change, put in or leave out bytes."""
    raw = bytearray(encode(SignatureEncoding.DER, draw(pairs), 0))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(raw)))
        kind = draw(st.sampled_from(["set", "insert", "delete", "length"]))
        if kind == "insert":
            raw[position:position] = draw(st.binary(min_size=1, max_size=2))
        elif kind == "delete":
            del raw[position : position + 1]
        elif kind == "set" and position < len(raw):
            raw[position] = draw(st.integers(0, 255))
        elif len(raw) > 1:
            # An inner change whose outer length is right again: what a lax parser would take.
            raw[1] = (len(raw) - 2) & 0xFF
    return bytes(raw)


@given(raw=st.one_of(almost_der(), st.binary(max_size=80)))
@example(raw=b"")
@example(raw=b"\x30\x00")
@example(raw=bytes.fromhex("3006020101020101"))
@example(raw=bytes.fromhex("300702020001020101"))
@example(raw=bytes.fromhex("30060201ff020101"))
@example(raw=bytes.fromhex("300802010102010100" + "00"))
@example(raw=bytes.fromhex("30810602010102" + "0101"))
def test_der_is_read_in_one_way(raw: bytes) -> None:
    """Whatever is read as DER is exactly what would be written: there is no second encoding of a signature."""
    try:
        pair, _ = decode(SignatureEncoding.DER, raw)
    except ValueError:
        return
    assert encode(SignatureEncoding.DER, pair, 0) == raw


@given(raw=st.binary(max_size=70), encoding=st.sampled_from([SignatureEncoding.COMPACT, SignatureEncoding.RECOVERABLE]))
def test_other_lengths_are_no_signature(raw: bytes, encoding: SignatureEncoding) -> None:
    """r and s have their length, and their range; what is read is written again as it was."""
    try:
        pair, v = decode(encoding, raw)
    except ValueError:
        return
    assert encode(encoding, pair, v or 0) == raw
    assert 0 < int.from_bytes(pair[32:], "big") <= HALF_ORDER


labels = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8)
hosts = st.one_of(
    st.lists(labels, min_size=1, max_size=3).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded.upper()}]"),
)
paths = st.text(string.ascii_letters + string.digits + "/.%~:@!$&'()*+,;=-_", max_size=20).map(lambda text: "/" + text)
urls = st.tuples(
    st.sampled_from(["ws", "wss", "WS", "Wss"]),
    hosts,
    st.sampled_from(["", "."]),
    st.one_of(st.just(""), st.integers(0, 65536).map(lambda port: f":{port}"), st.sampled_from([":80", ":443", ":"])),
    st.one_of(st.just(""), paths),
    st.sampled_from(["", "?token=x", "#f", "?a#b", "?"]),
).map(lambda parts: f"{parts[0]}://{''.join(parts[1:])}")


@settings(max_examples=2 * settings.default.max_examples if settings.default else 200)
@given(url=st.one_of(urls, st.text(max_size=40), st.text(max_size=20).map(lambda text: f"wss://{text}")))
@example(url="wss://[2001:DB8::0:1]:8443/x")
@example(url="WSS://Circle.Example.:443")
@example(url="wss://[::ffff:127.0.0.1]/")
@example(url="wss://circle.example:/")
@example(url="wss://circle.example:00443/")
def test_an_audience_is_its_own(url: str) -> None:
    """Whatever has an audience has one that is its own audience: ASCII, one line, nothing that could start another."""
    try:
        written = audience(url)
    except ConfigError:
        return
    assert audience(written) == written
    assert written.isascii()
    assert written.isprintable()
    assert " " not in written
    assert "#" not in written
    assert "?" not in written
    assert written.startswith(("ws://", "wss://"))


@given(host=st.lists(labels, min_size=1, max_size=3).map(".".join), path=paths, port=st.integers(1, 65535))
def test_ways_to_write_one_circle(host: str, path: str, port: int) -> None:
    """However the scheme, the host and the default port are written, one circle has one audience."""
    try:
        written = audience(f"wss://{host}:{port}{path}")
    except ConfigError:
        assume(False)
        return
    assert audience(f"WSS://{host.upper()}.:{port}{path}?token#top") == written
    assert (audience(f"wss://{host}{path}") == written) is (port == 443)


@given(text=st.one_of(st.text(max_size=300), nonces))
def test_what_is_read_as_a_nonce_is_in_the_grammar(text: str) -> None:
    """Whatever passes has 8 to 256 of the allowed characters and is given on unchanged; all of those pass."""
    allowed = set(string.ascii_letters + string.digits + "_-+/=:")
    good = 8 <= len(text) <= 256 and set(text) <= allowed
    if good:
        assert read_nonce(text).value == text
        return
    with pytest.raises(InvalidNonce):
        read_nonce(text)


@given(waits=st.lists(st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 500)), max_size=60))
def test_turns_to_sign_are_bounded(waits: list[float]) -> None:
    """In any stretch of time there are at most the burst and one for each interval, however often it is asked."""
    keypair._full_at.clear()
    now = 1000.0
    turns = list[float]()
    for wait in waits:
        now += wait
        delay = reserve_signature("key", now)
        assert delay >= 0
        turns.append(now + delay)
    for first, last in itertools.combinations(range(len(turns)), 2):
        assert last - first + 1 <= BURST + (turns[last] - turns[first]) / INTERVAL + 1e-6


@given(waits=st.lists(st.floats(INTERVAL, 100), max_size=30))
def test_rare_signatures_never_wait(waits: list[float]) -> None:
    """Who asks no more often than once in an interval never waits."""
    keypair._full_at.clear()
    now = 0.0
    for wait in waits:
        now += wait
        assert reserve_signature("key", now) == 0
