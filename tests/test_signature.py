"""Signatures as bytes: what each encoding looks like, and that there is one form of each signature."""

import pytest

from circle_ws.auth.signature import HALF_ORDER, ORDER, SignatureEncoding, decode, encode

_DER, _COMPACT, _RECOVERABLE = SignatureEncoding.DER, SignatureEncoding.COMPACT, SignatureEncoding.RECOVERABLE


def _pair(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("r", "s", "der"),
    [
        (1, 1, "3006020101020101"),
        (0x7F, 0x80, "300702017f02020080"),
        (0x5800, 0x58, "300702025800020158"),
        (0xFF00, 0x100, "3009020300ff0002020100"),
        (ORDER - 1, HALF_ORDER, f"3045022100{ORDER - 1:064x}0220{HALF_ORDER:064x}"),
    ],
    ids=ascii,
)
def test_der(r: int, s: int, der: str) -> None:
    """Each integer is as short as it can be, with a zero before it where it would be negative; and is read again."""
    raw = bytes.fromhex(der)
    assert encode(_DER, _pair(r, s), 27) == raw
    assert decode(_DER, raw) == (_pair(r, s), None)


def test_zero_in_der() -> None:
    """It has one digit; no signature has it."""
    assert encode(_DER, bytes(64), 27).hex() == "3006020100020100"


def test_the_other_encodings() -> None:
    """r and s alone, or with v behind them."""
    assert encode(_COMPACT, _pair(1, 2), 28) == _pair(1, 2)
    assert encode(_RECOVERABLE, _pair(1, 2), 28) == _pair(1, 2) + b"\x1c"
    assert decode(_COMPACT, _pair(1, 2)) == (_pair(1, 2), None)
    assert decode(_RECOVERABLE, _pair(1, 2) + b"\xff") == (_pair(1, 2), 255)


_NO_SEQUENCE = "this is no DER sequence"
_NO_INTEGER = "this is no DER integer of up to 32 bytes"
_NOT_SHORTEST = "a DER integer is negative or not as short as it can be"
_OUT_OF_RANGE = "r or s is out of range, or s is above half of the order"


@pytest.mark.parametrize(
    ("der", "words"),
    [
        ("", _NO_SEQUENCE),
        ("30", _NO_SEQUENCE),
        ("3106020101020101", _NO_SEQUENCE),
        ("3007020101020101", _NO_SEQUENCE),
        ("3005020101020101", _NO_SEQUENCE),
        ("3081" + "00" * 129, _NO_SEQUENCE),
        (f"3082{'0201' * 65}", _NO_SEQUENCE),
        ("3000", _NO_INTEGER),
        ("3003020101", _NO_INTEGER),
        ("3005020101" + "0201", _NO_INTEGER),
        ("3005020002" + "0101", _NO_INTEGER),
        ("3006030101020101", _NO_INTEGER),
        ("3006020101020201", _NO_INTEGER),
        (f"3027022200{'81' * 33}020101", _NO_INTEGER),
        ("3006020180020101", _NOT_SHORTEST),
        ("3006020101020180", _NOT_SHORTEST),
        ("300702020001020101", _NOT_SHORTEST),
        ("30070202007f020101", _NOT_SHORTEST),
        ("300702020000020101", _NOT_SHORTEST),
        ("30080203000001020101", _NOT_SHORTEST),
        (f"30260221{'01' * 33}020101", "a DER integer has more than 32 bytes"),
        ("300902010102010102" + "0101", "something follows the signature"),
        ("300702010102010100", "something follows the signature"),
        ("3006020100020101", _OUT_OF_RANGE),
        ("3006020101020100", _OUT_OF_RANGE),
        (f"3026022100{ORDER:064x}020101", _OUT_OF_RANGE),
        (f"30250201010220{HALF_ORDER + 1:064x}", _OUT_OF_RANGE),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_der(der: str, words: str) -> None:
    """Nothing but the strict form is read: a second form of a signature would be a second signature."""
    with pytest.raises(ValueError, match=f"^{words}$"):
        decode(_DER, bytes.fromhex(der))


@pytest.mark.parametrize("encoding", [_COMPACT, _RECOVERABLE])
def test_other_lengths(encoding: SignatureEncoding) -> None:
    """r and s are 32 bytes each, v is one."""
    right = 64 if encoding is _COMPACT else 65
    for length in (0, 63, 64, 65, 66):
        if length != right:
            words = f"^{length} bytes are no signature in the encoding '{encoding.value}'$"
            with pytest.raises(ValueError, match=words):
                decode(encoding, bytes(length))


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (ORDER + 1, 1), (1, HALF_ORDER + 1), (1, ORDER - 1)])
def test_out_of_range(r: int, s: int) -> None:
    """In every encoding r is from 1 to the order, and s to the half of it."""
    for encoding in SignatureEncoding:
        with pytest.raises(ValueError, match=f"^{_OUT_OF_RANGE}$"):
            decode(encoding, encode(encoding, _pair(r, s), 27))
