"""What a circle may give us to sign, and what it may not."""

from typing import Any

import pytest

from circle_ws.auth.flow import read_nonce, refuse_digest
from circle_ws.errors import InvalidNonce

_SAMPLE = "nonce_1234567890_abcdef"

_GOOD = [
    _SAMPLE,
    "a" * 8,
    "a" * 256,
    "AZaz09_-+/=:",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "q83vEjRWeJA=",
    "2025-06-01T12:00:00+00:00",
    "0123456789abcdef0123456789ABCDEF",
    "0" * 64,
]

_BAD = [
    "",
    "a" * 7,
    "a" * 257,
    "a" * 100_000,
    "eyJhbGciOiJFUzI1NksifQ.eyJzdWIiOiJhbGljZSJ9",
    "example.com wants you to sign in with your Ethereum account:",
    '{"to":"0x0000000000000000000000000000000000000000"}',
    "0x19Ethereum Signed Message:\n32",
    "circle-bound-v1\naudience=wss://circle.example/\n",
    _SAMPLE + "\n",
    "\n" + _SAMPLE,
    _SAMPLE + "\r\n",
    _SAMPLE + "\x00",
    _SAMPLE + "\x1b[31m",
    _SAMPLE + "\x7f",
    _SAMPLE + "\x85",
    _SAMPLE + "\u2028",
    _SAMPLE + " ",
    " " + _SAMPLE,
    "nonce 1234567890",
    "nonce_１２３４５６７８",
    "nonce_١٢٣٤٥٦٧٨",
    "nonce_²³",
    "nоnce_1234567890",
    "nonce_1234567890é",
    "nonce_1234567890\u0301",
    "nonce_1234567890\u200b",
    "nonce_1234567890\ud800",
    *(f"nonce_12345{character}67890" for character in ".,;!?%&#@$*()[]{}<>|\\^~`\"'"),
]


def _read(answer: Any, *, hashed_bare: bool = True) -> Any:
    """Read a nonce as the sign-in does that hashes it with, or without, something before it."""
    nonce = read_nonce(answer)
    if hashed_bare:
        refuse_digest(nonce)
    return nonce


@pytest.mark.parametrize("hashed_bare", [True, False])
@pytest.mark.parametrize("value", _GOOD, ids=lambda value: value[:40])
def test_good_nonces(value: str, hashed_bare: bool) -> None:
    """Both published shapes of the answer give the nonce, unchanged."""
    assert _read(value, hashed_bare=hashed_bare).value == value
    assert _read({"nonce": value}, hashed_bare=hashed_bare).value == value


@pytest.mark.parametrize("hashed_bare", [True, False])
@pytest.mark.parametrize("value", _BAD, ids=lambda value: ascii(value)[:40])
def test_bad_nonces(value: str, hashed_bare: bool) -> None:
    """A text that may mean something elsewhere, or is not what it looks like, is refused and not repeated."""
    for answer in (value, {"nonce": value}):
        with pytest.raises(InvalidNonce) as caught:
            _read(answer, hashed_bare=hashed_bare)
        assert caught.value.phase == "nonce"
        assert str(caught.value) == (
            "the circle's nonce is not 8 to 256 characters of A-Z a-z 0-9 _ - + / = : ; nothing was signed"
        )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        7,
        1.5,
        [],
        [_SAMPLE],
        {},
        {"Nonce": _SAMPLE},
        {"nonce": None},
        {"nonce": 12345678},
        {"nonce": [_SAMPLE]},
        {"nonce": {"nonce": _SAMPLE}},
    ],
    ids=repr,
)
def test_what_is_no_nonce(answer: Any) -> None:
    """Any other answer than a string, or an object with the string `nonce`, is refused."""
    words = "^fetch_nonce answered neither a string nor an object with a string member 'nonce'$"
    with pytest.raises(InvalidNonce, match=words):
        _read(answer)


@pytest.mark.parametrize("value", ["g" * 32, "0123456789abcdef0123456789abcde_", "A" * 31 + "-", "nonce_" + "0" * 26])
def test_32_characters_must_be_hex_where_they_are_hashed_bare(value: str) -> None:
    """Any 32 bytes could be the digest of something else: a profile without a prefix needs hex for 32 characters."""
    assert len(value) == 32
    with pytest.raises(
        InvalidNonce, match="^the circle's nonce is 32 characters but not hexadecimal; nothing was signed$"
    ):
        _read(value, hashed_bare=True)
    assert _read(value, hashed_bare=False).value == value


@pytest.mark.parametrize("length", [31, 33, 64])
def test_other_lengths_need_not_be_hex(length: int) -> None:
    """The rule for 32 characters is for 32 characters."""
    assert _read("g" * length).value == "g" * length


@pytest.mark.parametrize(
    ("members", "expires_at"),
    [
        ({}, None),
        ({"expires_at": 1750000000}, 1750000000),
        ({"expires_at": 0}, 0),
        ({"expires_at": "soon"}, None),
        ({"expires_at": 1.5}, None),
        ({"expires_at": True}, None),
        ({"expires_at": None}, None),
        ({"expires_at": 2**53 - 1}, 2**53 - 1),
        ({"expires_at": 2**53}, None),
        ({"expires_at": -1}, None),
        ({"expires_at": "1750000000"}, None),
        ({"expires_at": 1750000000.0}, None),
    ],
    ids=repr,
)
def test_expiry(members: dict[str, Any], expires_at: int | None) -> None:
    """`expires_at` is read where it is a whole number that JavaScript can hold; anything else counts as none."""
    nonce = _read({"nonce": _SAMPLE, **members})
    assert nonce.expires_at == expires_at
    assert type(nonce.expires_at) is type(expires_at)


@pytest.mark.parametrize(
    ("offered", "profiles"),
    [
        ([], set()),
        (["circle-bound-v1"], {"circle-bound-v1"}),
        (["circle-bound-v1", "circle-bound-v1", "unheard-of"], {"circle-bound-v1", "unheard-of"}),
        (["circle-bound-v1", 7, None, ["circle-bound-eip191-v1"], {}], {"circle-bound-v1"}),
        ("circle-bound-v1", set()),
        ({"circle-bound-v1": True}, set()),
        (True, set()),
        (None, set()),
    ],
    ids=repr,
)
def test_what_is_offered(offered: Any, profiles: set[str]) -> None:
    """The names in an array `auth_profiles` are what the circle offers; whatever else is there offers nothing."""
    assert _read({"nonce": _SAMPLE, "auth_profiles": offered}).profiles == profiles


def test_a_text_says_nothing_more() -> None:
    """A nonce that came as a bare string has neither an expiry nor an offer."""
    nonce = _read(_SAMPLE)
    assert (nonce.expires_at, nonce.profiles) == (None, frozenset())


def test_a_nonce_is_not_printed() -> None:
    """The `repr` of a nonce, which ends up in logs, does not show it."""
    nonce = _read({"nonce": _SAMPLE, "expires_at": 7})
    assert _SAMPLE not in f"{nonce!r} {nonce}"
    assert "7" in repr(nonce)
