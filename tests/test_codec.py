"""The codec: which texts and values it accepts and refuses, with which result, words and costs."""

import collections
import contextlib
import datetime
import decimal
import enum
import math
import random
import re
import sys
import tracemalloc
import types
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import InvalidRequest, ProtocolError
from circle_ws.jsonrpc import codec
from tests.support.cpu import spent

_GOOD: list[tuple[str, Any]] = [
    ("null", None),
    ("true", True),
    (" \t\r\n[ 1 , 2 ]\n", [1, 2]),
    ('{"a":{"b":[]}}', {"a": {"b": []}}),
    ('{"a":1,"a":2}', {"a": 2}),
    ('{"a":1,"\\u0061":2}', {"a": 2}),
    ('{"":1}', {"": 1}),
    ("-0", 0),
    ("-0.0", -0.0),
    ("1E5", 100000.0),
    ("1.0", 1.0),
    ("18446744073709551616", 2**64),
    ("-9223372036854775809", -(2**63) - 1),
    ("9007199254740993", 2**53 + 1),
    ("1" * 1000, int("1" * 1000)),
    ("-" + "1" * 1000, -int("1" * 1000)),
    ("1" + "0" * 308, 10**308),
    ("1" + "0" * 309, 10**309),
    ("1" + "0" * 400 + "e-400", 1.0),
    ("0." + "3" * 2000, 1 / 3),
    ("1.7976931348623157e308", sys.float_info.max),
    ("5e-324", 5e-324),
    ("1e-400", 0.0),
    ("-1e-400", -0.0),
    ('"\\u0000\\u001f\\"\\\\\\/\\b\\f\\n\\r\\t"', '\x00\x1f"\\/\b\f\n\r\t'),
    ('"\x7f\u2028\u2029"', "\x7f\u2028\u2029"),
    ('"\\ud83d\\ude00"', "😀"),
    ('"\\uD83D\\uDE00\\uD83D\\uDE00"', "😀😀"),
    ('"😀 é"', "😀 é"),
    ('"\\\\ud800"', "\\ud800"),
    ('"\\\\\\\\ud800"', "\\\\ud800"),
    ('"\\\\\\ud83d\\ude00"', "\\😀"),
    ('"[[[{{{"', "[[[{{{"),
]

_BAD = [
    "",
    " ",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "[NaN]",
    "+1",
    "01",
    "1.",
    ".5",
    "-",
    "1e",
    "0x10",
    "1_000",
    "٣",
    "1e400",
    "-1e400",
    "[1e500]",
    "1.7976931348623159e308",
    "1" * 400 + ".5",
    "1" * 1001,
    "-" + "1" * 1001,
    "[" + "9" * 5000 + "]",
    '{"a":1,}',
    "[1,]",
    '{"a" 1}',
    "{1:2}",
    "{'a':1}",
    "[]]",
    "{}{}",
    "1 2",
    "1\x00",
    "\x00",
    "//x\n1",
    '"\x1f"',
    '"a\nb"',
    '"\\x41"',
    '"\\u00g0"',
    '"\\u12"',
    '"',
    "\ufeff1",
    "\u00a01",
    "1\u2028",
    "1\x0b",
    '"\ud800"',
    '"\\ud800"',
    '"\\udfff"',
    '"\\ud83d\\u0041"',
    '"\\ude00\\ud83d"',
    '"\\ud83d\\ude00\\ud83d"',
    '"\\ud83d\\ud83d\\ude00"',
    '"\\ud83d\\\\ude00"',
    '"\\\\\\ud800"',
    '{"\\ud800":1}',
    '{"a":"\\ud800","a":1}',
]

_IMPLEMENTATION_DEFINED = {
    "i_number_double_huge_neg_exp.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
    "i_structure_500_nested_arrays.json",
}
"""What JSONTestSuite leaves open and the wire protocol accepts."""


class _Word(enum.StrEnum):
    ONE = "one"


class _Number(enum.IntEnum):
    THREE = 3


class _Flag(enum.IntFlag):
    A = 1
    B = 2


class _Colour(enum.Enum):
    RED = 1


class _Point(collections.namedtuple("_Point", "x y")):
    __slots__ = ()


class _OtherList(list[Any]):
    """Some library's list."""


class _OtherText(str):
    """Some library's text."""


class _OtherFloat(float):
    """Some library's float."""


class _OtherInt(int):
    """Some library's int."""


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@dataclass
class _User:
    name: str
    seen: datetime.datetime | None = None
    scores: list[float] = field(default_factory=list)


class _Item(msgspec.Struct, rename="camel"):
    """A Struct, with names of its own on the wire."""

    unit_price: Any
    note: str | msgspec.UnsetType = msgspec.UNSET


class _OtherAttrs:
    """What attrs makes of a class."""

    __attrs_attrs__ = (type("Attribute", (), {"name": "number"})(),)

    def __init__(self, number: float) -> None:
        self.number = number


_UTC = datetime.UTC
_SENT: list[tuple[Any, Any]] = [
    *((value, value) for value in (None, True, False, 0, -1, "", [], {}, [None], {"": ""}, {"a": {"b": [1, "x"]}})),
    *((value, value) for value in (2**53, 2**63, 2**64, -(2**63) - 1, 10**999)),
    *((value, value) for value in (0.1, -0.0, 1e16, 1e22, 1.5e-7, 5e-324, sys.float_info.max, 100.0)),
    *((value, value) for value in ("é😀", "\x00\x1f\x7f", '"\\/', "\u2028", "\ufeff", "</script>")),
    *((value, value) for value in (["null", {"null": "nullnull"}], [{"a": None, "b": [1.5, None]}] * 3)),
    ((1, (2,)), [1, [2]]),
    (_Point(1, 2), [1, 2]),
    (_OtherList([1]), [1]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.defaultdict(int, a=1), {"a": 1}),
    (_Word.ONE, "one"),
    ([_Number.THREE, _Flag.A | _Flag.B], [3, 3]),
    ([_Colour.RED], [1]),
    ({_Word.ONE: 1, _OtherText("a"): 2}, {"one": 1, "a": 2}),
    ([{1}, frozenset(["a"])], [[1], ["a"]]),
    ({"raw": b"x", "more": [bytearray(b"xy"), memoryview(b"xyz")]}, {"raw": "eA==", "more": ["eHk=", "eHl6"]}),
    (
        [datetime.datetime(2026, 1, 2, 3, tzinfo=_UTC), datetime.date(2026, 1, 2), datetime.time(3, 4)],
        ["2026-01-02T03:00:00Z", "2026-01-02", "03:04:00"],
    ),
    ([datetime.timedelta(hours=1)], ["PT3600S"]),
    ([uuid.UUID(int=1), decimal.Decimal("1.50")], ["00000000-0000-0000-0000-000000000001", "1.50"]),
    ([_User("a", datetime.datetime(2026, 1, 2))], [{"name": "a", "seen": "2026-01-02T00:00:00", "scores": []}]),
    ({"users": {"a": _User("a")}}, {"users": {"a": {"name": "a", "seen": None, "scores": []}}}),
    ([_Item(1.5), _Item(None, "x")], [{"unitPrice": 1.5}, {"unitPrice": None, "note": "x"}]),
    ([msgspec.Raw(b'{"a": [1]}')], [{"a": [1]}]),
    (_nested(4), _nested(4)),
    (_nested(5), _nested(5)),
    (_nested(512), _nested(512)),
]

_NOT_SENT: list[tuple[Any, str]] = [
    (math.nan, "params is nan: JSON has no NaN"),
    ([1, math.inf], "params[1] is inf: JSON has no NaN and no Infinity"),
    ({"a": [0, {"b": -math.inf}]}, "params.a[1].b is -inf"),
    ([decimal.Decimal("NaN")], "params[0] is NaN"),
    ([decimal.Decimal("-Infinity")], "params[0] is -Infinity"),
    ([decimal.Decimal("sNaN")], "params[0] is sNaN"),
    ([_User("a", None, [1.0, math.nan])], "params[0].scores[1] is nan"),
    ({"a": _Item(math.nan)}, "params.a.unit_price is nan"),
    ([_OtherAttrs(math.inf)], "params[0].number is inf"),
    ([{1.5, math.inf}], "] is inf"),
    ({1: 2}, "params has the key 1: JSON object keys are strings, not int"),
    ({"a": 1, 2: 3}, "params has the key 2: JSON object keys are strings, not int"),
    ({1.5: 2}, "JSON object keys are strings, not float"),
    ({"a": {None: 1}}, "params.a has the key None"),
    ([{True: 1}], "params[0] has the key True"),
    ({uuid.UUID(int=1): 1}, "JSON object keys are strings, not UUID"),
    ([{}, {datetime.date(2026, 1, 2): 1}], "JSON object keys are strings, not date"),
    ({_Number.THREE: 1}, "JSON object keys are strings, not _Number"),
    ({b"a": 1}, "JSON object keys are strings, not bytes"),
    ([_Item([{b"a": 1}])], "params[0].unit_price[0] has the key b'a'"),
    (1j, "params is a complex"),
    ([range(3)], "params[0] is a range"),
    ([{"a": object()}, None], "params[0].a is a object"),
    (_OtherText("a"), "params is a _OtherText"),
    (_OtherFloat(1), "params is a _OtherFloat"),
    (_OtherInt(1), "params is a _OtherInt"),
    (Path("a"), "params is a"),
    (int, "params is a type"),
    (_User, "params is a type"),
    (NotImplemented, "params is a NotImplementedType"),
    (types.MappingProxyType({"a": 1}), "params is a mappingproxy"),
    ([{"a": None, "b": math.nan}, "null"], "params[0].b is nan"),
    ([[math.inf], [None]], "params[0][0] is inf"),
    ([msgspec.Raw(b"NaN")], "params[0] is a Raw"),
    ([msgspec.Raw(b"[1")], "params[0] is a Raw"),
    (_cycle(), "params[0][0][0]"),
    (_cycle(), "is nested more than 512 deep, or contains itself"),
    (_nested(513), "is nested more than 512 deep"),
    ("\ud800", "params cannot be written as JSON"),
    ({"\udfff": 1}, "params cannot be written as JSON"),
    ({"a": ["x\ud83d"]}, "params cannot be written as JSON"),
]


def _endless_user() -> _User:
    user = _User("a")
    user.seen = user  # type: ignore[assignment]
    return user


def _is_read(path: Path) -> bool:
    try:
        codec.decode(path.read_bytes().decode())
    except (ProtocolError, UnicodeDecodeError):
        # For bytes that are no UTF-8 a WebSocket ends with code 1007 before any codec sees them.
        return False
    return True


def _suite(vectors: Path, prefix: str) -> list[Path]:
    return sorted((vectors / "jsontestsuite" / "test_parsing").glob(f"{prefix}_*.json"))


def _shown(value: object) -> str:
    """Return a test's name; without addresses, as all processes of a run must collect the same names."""
    return re.sub(r" object at 0x\w+", "", ascii(value))[:40]


@pytest.mark.parametrize(("text", "value"), _GOOD, ids=lambda value: ascii(value)[:40])
def test_strict_json_is_read(text: str, value: Any) -> None:
    """Each text becomes exactly this value, the types too."""
    assert repr(codec.decode(text)) == repr(value)


@pytest.mark.parametrize("text", _BAD, ids=lambda value: ascii(value)[:40])
def test_anything_else_is_refused(text: str) -> None:
    """What is not strict JSON, or beyond the limits for numbers, is a `ProtocolError`, and nothing else."""
    with pytest.raises(ProtocolError):
        codec.decode(text)


def test_the_words_about_a_text() -> None:
    """What is wrong with it, in msgspec's words or ours."""
    with pytest.raises(ProtocolError, match=r"^the message is not strict JSON: Input data was truncated$"):
        codec.decode("[1,")
    with pytest.raises(ProtocolError, match=r"^the message holds an integer over 1000 digits$"):
        codec.decode("[" + "7" * 1001 + "]")


def test_json_test_suite(vectors: Path) -> None:
    """JSONTestSuite: all 95 valid files are read, all 188 invalid ones refused, and the documented 6 of the free 35."""
    read = {prefix: {path.name for path in _suite(vectors, prefix) if _is_read(path)} for prefix in "yni"}
    assert [len(_suite(vectors, prefix)) for prefix in "yni"] == [95, 188, 35]
    assert read["n"] == set()
    assert {path.name for path in _suite(vectors, "y")} - read["y"] == set()
    assert read["i"] == _IMPLEMENTATION_DEFINED


@pytest.mark.parametrize(("value", "again"), _SENT, ids=_shown)
def test_what_is_sent(value: Any, again: Any) -> None:
    """What msgspec writes is written compactly, and read back as plain values, type for type."""
    text = codec.encode(value)
    assert repr(codec.decode(text)) == repr(again)
    if not isinstance(value, str | list):
        assert " " not in text


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["null", "nullnull"])
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_plain_values_come_back(value: Any) -> None:
    """Whatever is sent is read as the same, type for type."""
    assert repr(codec.decode(codec.encode(value))) == repr(value)


def _spoilt(value: Any, rng: random.Random, bad: Any) -> Any:
    """Put something bad anywhere into a value."""
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        return [*value[:place], _spoilt(value[place], rng, bad), *value[place + 1 :]]
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        return {**value, key: _spoilt(value[key], rng, bad)}
    return rng.choice([bad, [value, bad], {"x": bad, "y": value}])


@given(_VALUES, st.randoms(use_true_random=False))
def test_nothing_bad_is_sent_in_silence(value: Any, rng: random.Random) -> None:
    """A number that is not finite, or a key that is no string, is found wherever it stands."""
    for bad in (math.nan, -math.inf, {"a": 1, 7: 2}, {uuid.UUID(int=1): None}, 1j):
        with pytest.raises(InvalidRequest, match="^params"):
            codec.encode(_spoilt(value, rng, bad))


def test_text_goes_out_as_it_is() -> None:
    """Characters beyond ASCII are not escaped: the limit for requests counts UTF-8."""
    assert codec.encode({"ä": "😀"}) == '{"ä":"😀"}'


def test_half_a_pair_is_refused_in_a_long_text() -> None:
    """It is no character there either."""
    for value in (["x" * 3000 + "\ud800"], {"a": "\udc00" + "\n" * 3000}, {"\ud800" * 3000: 1}):
        with pytest.raises(InvalidRequest, match="params cannot be written as JSON"):
            codec.encode(value)


@pytest.mark.parametrize(("value", "words"), _NOT_SENT, ids=_shown)
def test_other_values_are_refused(value: Any, words: str) -> None:
    """What is not finite plain JSON with string keys is an `InvalidRequest` that names where it stands."""
    with pytest.raises(InvalidRequest) as caught:
        codec.encode(value)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert caught.value.__context__ is None


def test_what_to_do_about_it() -> None:
    """An object of a class that JSON has no form for can be converted before."""
    with pytest.raises(InvalidRequest) as caught:
        codec.encode({"a": [range(3)]})
    assert str(caught.value) == (
        "params.a[0] is a range, which cannot be written as JSON: convert it first "
        "(to plain values, a dataclass or a Struct)"
    )


def test_what_the_words_call_it() -> None:
    """A result is not called params."""
    with pytest.raises(InvalidRequest, match=r"^the result\[0\] is nan"):
        codec.encode([math.nan], "the result")
    with pytest.raises(InvalidRequest, match="^the result cannot be written as JSON"):
        codec.encode("\ud800", "the result")


def test_what_is_nested_too_deep_is_named() -> None:
    """By the beginning of its path."""
    with pytest.raises(InvalidRequest) as caught:
        codec.encode(_cycle())
    path = f"params{'[0]' * 40}"[:80]
    assert str(caught.value) == f"{path}... is nested more than 512 deep, or contains itself"


class _Odd(enum.Enum):
    NAN = math.nan
    ENDLESS = list[Any]()


def test_the_value_of_an_enum_is_checked() -> None:
    """What is wrong in it has the path of the member."""
    with pytest.raises(InvalidRequest, match=r"^params\[0\] is nan: "):
        codec.encode([_Odd.NAN])
    _Odd.ENDLESS.value[:] = [_Odd.ENDLESS]
    with pytest.raises(InvalidRequest, match="is nested more than 512 deep, or contains itself"):
        codec.encode([_Odd.ENDLESS])


def test_an_attribute_that_is_missing_is_passed_over() -> None:
    """As msgspec writes no such member; what is bad beside it is found."""
    user = _User("a")
    del user.name
    assert codec.encode(user) == '{"seen":null,"scores":[]}'
    user.scores = [math.nan]
    with pytest.raises(InvalidRequest, match=r"^params\.scores\[0\] is nan"):
        codec.encode(user)


@pytest.mark.parametrize("make", [lambda: _nested(3000), lambda: [_endless_user()]], ids=["lists", "dataclass"])
def test_endless_values_are_refused(make: Callable[[], Any]) -> None:
    """However deep a value is, and if a dataclass contains itself, the interpreter lives on."""
    with pytest.raises(InvalidRequest, match="is nested more than 512 deep, or contains itself"):
        codec.encode(make())


def test_an_integer_that_python_does_not_write() -> None:
    """Its limit is 4,300 digits."""
    with pytest.raises(InvalidRequest, match="params cannot be written as JSON: Exceeds the limit"):
        codec.encode([10**5000])


def test_a_value_used_twice_is_no_cycle() -> None:
    """The same list in two places is written twice."""
    shared = [1]
    assert codec.encode({"a": shared, "b": [shared, shared]}) == '{"a":[1],"b":[[1],[1]]}'


def test_depth_beside_what_is_nearly_as_deep() -> None:
    """Several parts of 511 levels are taken, and one of 512 among them is refused."""
    part = "[" * 511 + "0" + "]" * 511
    assert codec.decode(f"[{part},{part},{part}]") == [codec.decode(part)] * 3
    with pytest.raises(ProtocolError, match="^the message is nested more than 512 deep$"):
        codec.decode(f"[{part},[{part}],{part}]")


def test_depth_behind_half_a_pair() -> None:
    """Where JavaScript hands over what is no UTF-8, brackets are counted all the same."""
    with pytest.raises(ProtocolError, match="nested more than 512 deep"):
        codec.decode('["\ud800",' + "[" * 600)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_absurd_nesting_is_survived(opening: str) -> None:
    """100,000 levels are refused, and the codec goes on."""
    with pytest.raises(ProtocolError):
        codec.decode(opening * 100_000)
    assert codec.decode("[1]") == [1]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"a":[', "]}")])
def test_depth(opening: str, closing: str) -> None:
    """512 levels are taken and no more, whatever they are made of, closed or not, in every runtime."""
    levels = 512 // len(closing)
    codec.decode(opening * levels + "0" + closing * levels)
    for text in (
        "[" + opening * levels + "0" + closing * levels + "]",
        "[[],[" + opening * levels + "0" + closing * levels + "]]",
        opening * (levels + 1),
        opening * 5000 + "0" + closing * 5000,
    ):
        with pytest.raises(ProtocolError, match="nested more than 512 deep"):
            codec.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        '"' + "[" * 2000 + '"',
        '["' + '\\"[' * 2000 + '"]',
        '["\\\\",' + '"[",' * 2000 + "0]",
        "[" + "[]," * 2000 + "0]",
        '{"' + "{" * 2000 + '":[{},{}]}',
    ],
    ids=["in a string", "after escaped quotes", "after an escaped backslash", "side by side", "in a key"],
)
def test_brackets_that_are_no_depth(text: str) -> None:
    """Brackets in strings, and those that were closed again, do not count."""
    codec.decode(text)


def _depth(text: str) -> int:
    """Count character by character, as the grammar says."""
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside, escaped = escaped or character != '"', not escaped and character == "\\"
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


_NESTED = st.recursive(
    st.sampled_from(['"', "[", '"["', "\\", '\\"[', "[{", "é]", "\n", "", "}"]) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["[", "]\\", '"', "é"]), inner),
    max_leaves=20,
)


@given(st.lists(_NESTED, min_size=1, max_size=4), st.integers(500, 516))
def test_the_depth_is_seen_without_parsing(values: list[Any], levels: int) -> None:
    """Whatever is beside it, in strings, escaped or not: deeper than 512 is refused, and nothing else is."""
    inner = codec.encode(values)
    text = f"[{inner},{'[' * levels}{inner}{']' * levels},{inner},{','.join(['[[[]]]'] * 300)}]"
    assert codec._is_deep(text) is (_depth(text) > 512)
    assert _depth(text) == levels + 1 + _depth(inner)


@given(st.text(st.sampled_from('[]{}"\\x'), min_size=600, max_size=3000), st.integers(0, 600))
def test_what_is_no_json_never_gets_past_it_deep(noise: str, levels: int) -> None:
    """A parser goes as deep as the brackets go before the first fault: never deeper than 512."""
    text = "[" * levels + noise
    if not codec._is_deep(text):
        # As far as it could be JSON: no bracket closes what is not open, no backslash stands outside of a string.
        end = len(text)
        depth, inside, escaped = 0, False, False
        for index, character in enumerate(text):
            if inside:
                inside, escaped = escaped or character != '"', not escaped and character == "\\"
            elif character == "\\" or depth < 0:
                end = index
                break
            else:
                inside = character == '"'
                depth += (character in "[{") - (character in "]}")
        assert _depth(text[:end]) <= 512


@pytest.mark.parametrize(
    "text", ["[" + "[]," * 350_000 + "0]", ("[" * 500 + "0" + "]" * 500 + ",") * 1000, "[" * 2**20]
)
def test_looking_for_depth_is_quick(text: str) -> None:
    """A mebibyte of brackets takes milliseconds natively and a fraction of a second in a page."""

    def look() -> None:
        with contextlib.suppress(ProtocolError):
            codec.decode(text)

    assert spent(look) < 1


@pytest.mark.parametrize(
    "text",
    [
        '["' + "x" * 1_000_000 + '"' + ",[]" * 600 + "]",
        '["' + '\\"' * 500_000 + '"' + ",[]" * 600 + "]",
        '["' + "1" * 1_000_000 + '"' + ",[]" * 600 + "]",
    ],
    ids=["letters", "escapes", "digits"],
)
def test_looking_costs_little_memory(text: str) -> None:
    """Looking for depth and for long integers costs a few times the text, not a hundred times."""
    tracemalloc.start()
    try:
        codec._is_deep(text)
        codec._has_long_integer(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(text)


@pytest.mark.parametrize("place", ["{}", "[{}]", '{{"a":{}}}', "[0,{},0]", " {} ", '["{}",{}]', '["\\"",{}]'])
@pytest.mark.parametrize("before", [0, 1, 499, 500, 501, 997, 1203])
def test_long_integers_are_found_everywhere(place: str, before: int) -> None:
    """1,001 digits are refused wherever they stand; 1,000 are read, and digits in a string are no number."""
    padding = " " * before
    long, longest = "7" * 1001, "7" * 1000
    codec.decode(padding + place.format(longest, longest))
    with pytest.raises(ProtocolError, match=r"integer|digits"):
        codec.decode(padding + place.format(long, long))
    assert codec.decode(f'{padding}["{long}","\\"{long}"]') == [long, '"' + long]


class _Half(enum.Enum):
    HALF = 0.5


def test_what_older_versions_of_msgspec_do_not_write() -> None:
    """Members of an Enum that are neither integers nor texts (0.18); docs/guide/calling.md has the table."""
    if msgspec.__version__.startswith("0.18."):
        with pytest.raises(InvalidRequest):
            codec.encode([_Half.HALF])
    else:
        assert codec.encode([_Half.HALF]) == "[0.5]"


def test_what_is_deeper_than_one_pass_is_checked_by_its_parts() -> None:
    """Nearly all parts of a deep value are shallow: what is good in them is not walked, what is bad has its path."""
    good: Any = [0.5] * 10
    for _ in range(20):
        good = {"a": good, "b": [1]}
    assert codec.decode(codec.encode(good)) == good
    for depth in (3, 9, 480):
        bad: Any = [0.5, float("inf")]
        for _ in range(depth):
            bad = {"a": bad}
        with pytest.raises(InvalidRequest, match=r"a\[1\] is inf"):
            codec.encode(bad)


def test_what_needs_no_closer_look() -> None:
    """The type of one pass takes finite plain values with string keys, so many levels deep, and nothing else."""
    form = codec._plain_type(2)
    most = sys.float_info.max
    plain: list[Any] = [None, True, 1, 2**70, "a", 1.5, -most, most, [1.5, ["a", None]], {"a": {"b": -1.5}, "c": [1]}]
    for value in plain:
        assert msgspec.convert(value, form) == value
    others: list[Any] = [math.nan, math.inf, -math.inf, [[-math.inf]], {"a": [math.inf]}, [[[1]]], [{"a": {}}], {1: 2}]
    for value in others:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, form)


def test_a_stack_that_is_deep_already_is_told_of() -> None:
    """What does not fit on what is left of it is refused in words, not by a `RecursionError`."""
    value: Any = [1]
    for _ in range(500):
        value = [value]

    def descend(levels: int) -> None:
        if levels:
            descend(levels - 1)
        else:
            codec.encode(value)

    with pytest.raises(InvalidRequest, match="nested too deep"):
        descend(sys.getrecursionlimit() - 200)
