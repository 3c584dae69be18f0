"""The two JSON codecs: the same texts and values accepted and refused, with the same result."""

import collections
import contextlib
import datetime
import decimal
import enum
import math
import random
import sys
import tracemalloc
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import InvalidRequest, ProtocolError
from circle_ws.jsonrpc import codec as json
from circle_ws.jsonrpc import codec_stdlib, strict
from tests.support.cpu import spent

if sys.platform == "emscripten" or sys.version_info >= (3, 15):
    _CODECS: list[ModuleType] = [codec_stdlib]
else:
    from circle_ws.jsonrpc import codec_native

    _CODECS = [codec_stdlib, codec_native]


def _name(codec: ModuleType) -> str:
    return codec.__name__.rpartition(".")[2]


_CHOSEN = _name(_CODECS[-1])

each_codec = pytest.mark.parametrize("codec", _CODECS, ids=_name)
with_both_codecs = pytest.mark.skipif(len(_CODECS) < 2, reason="there is one codec here")

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


_SENT: list[tuple[Any, Any]] = [
    *((value, value) for value in (None, True, False, 0, -1, "", [], {}, [None], {"": ""}, {"a": {"b": [1, "x"]}})),
    *((value, value) for value in (2**53, 2**63, 2**64, -(2**63) - 1, 10**999)),
    *((value, value) for value in (0.1, -0.0, 1e16, 1e22, 1.5e-7, 5e-324, sys.float_info.max, 100.0)),
    *((value, value) for value in ("é😀", "\x00\x1f\x7f", '"\\/', "\u2028", "\ufeff", "</script>")),
    ((1, (2,)), [1, [2]]),
    (_Point(1, 2), [1, 2]),
    (_OtherList([1]), [1]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.defaultdict(int, a=1), {"a": 1}),
    (_Word.ONE, "one"),
    ([_Number.THREE, _Flag.A | _Flag.B], [3, 3]),
    (_nested(512), _nested(512)),
]

_NOT_SENT: list[tuple[Any, str]] = [
    (math.nan, "params is nan: JSON has no NaN"),
    ([1, math.inf], "params[1] is inf: JSON has no NaN and no Infinity"),
    ({"a": [0, {"b": -math.inf}]}, "params.a[1].b is -inf"),
    ({1: 2}, "params has the key 1: JSON object keys are strings, not int"),
    ({"a": {None: 1}}, "params.a has the key None"),
    ([{True: 1}], "params[0] has the key True"),
    ({_Word.ONE: 1}, "JSON object keys are strings, not _Word"),
    ({_OtherText("a"): 1}, "JSON object keys are strings, not _OtherText"),
    ({b"a": 1}, "JSON object keys are strings, not bytes"),
    ({1, 2}, "params is a set"),
    ([frozenset()], "params[0] is a frozenset"),
    ({"raw": b"x"}, "params.raw is a bytes"),
    ((bytearray(b"x"),), "params[0] is a bytearray"),
    (1j, "params is a complex"),
    ([range(3)], "params[0] is a range"),
    (_OtherText("a"), "params is a _OtherText"),
    (_OtherFloat(1), "params is a _OtherFloat"),
    (_OtherInt(1), "params is a _OtherInt"),
    (Path("a"), "params is a"),
    (int, "params is a type"),
    (NotImplemented, "params is a NotImplementedType"),
    ([{"id": uuid.UUID(int=1)}, {"id": None}], "params[0].id is a UUID"),
    ({"a": [{"b": (_Colour.RED,)}]}, "params.a[0].b[0] is a _Colour"),
    ([{"a": None, "b": math.nan}, "null"], "params[0].b is nan"),
    ([[math.inf], [None]], "params[0][0] is inf"),
    (_cycle(), "params[0][0][0]"),
    (_cycle(), "is nested more than 512 deep, or contains itself"),
    (_nested(513), "is nested more than 512 deep"),
    ("\ud800", "params cannot be written as JSON"),
    ({"\udfff": 1}, "params cannot be written as JSON"),
    ({"a": ["x\ud83d"]}, "params cannot be written as JSON"),
]


def _outcome(function: Callable[[Any], Any], argument: Any) -> str:
    """Give the result, with its types, or the name of the error."""
    try:
        return repr(function(argument))
    except (InvalidRequest, ProtocolError) as error:
        return type(error).__name__


def _decoded(codec: ModuleType, path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        # A WebSocket ends with code 1007 before any codec sees it.
        return ProtocolError.__name__
    return _outcome(codec.decode, text)


def _suite(vectors: Path, prefix: str) -> list[Path]:
    return sorted((vectors / "jsontestsuite" / "test_parsing").glob(f"{prefix}_*.json"))


def test_the_choice() -> None:
    """The codec in use is the one of this runtime."""
    assert (_name(sys.modules[json.encode.__module__]), _name(sys.modules[json.decode.__module__])) == (_CHOSEN,) * 2


@each_codec
@pytest.mark.parametrize(("text", "value"), _GOOD, ids=lambda value: ascii(value)[:40])
def test_strict_json_is_read(codec: ModuleType, text: str, value: Any) -> None:
    """Each text becomes exactly this value, the types too."""
    assert repr(codec.decode(text)) == repr(value)


@each_codec
@pytest.mark.parametrize("text", _BAD, ids=lambda value: ascii(value)[:40])
def test_anything_else_is_refused(codec: ModuleType, text: str) -> None:
    """What is not strict JSON, or beyond the limits for numbers, is a `ProtocolError`, and nothing else."""
    with pytest.raises(ProtocolError):
        codec.decode(text)


@each_codec
def test_json_test_suite(codec: ModuleType, vectors: Path) -> None:
    """JSONTestSuite: all 95 valid files are read, all 188 invalid ones refused, and the documented 6 of the free 35."""
    read = {
        prefix: {path.name for path in _suite(vectors, prefix) if _decoded(codec, path) != "ProtocolError"}
        for prefix in "yni"
    }
    assert [len(_suite(vectors, prefix)) for prefix in "yni"] == [95, 188, 35]
    assert read["n"] == set()
    assert {path.name for path in _suite(vectors, "y")} - read["y"] == set()
    assert read["i"] == _IMPLEMENTATION_DEFINED


@with_both_codecs
def test_both_codecs_read_the_same(vectors: Path) -> None:
    """Over the whole of JSONTestSuite the two codecs give equal values of equal types, and equal refusals."""
    one, other = _CODECS
    files = [path for prefix in "yni" for path in _suite(vectors, prefix)]
    assert [path.name for path in files if _decoded(one, path) != _decoded(other, path)] == []


@with_both_codecs
def test_both_codecs_agree_on_spoilt_texts() -> None:
    """5,000 texts, each spoilt in a few places, are read alike by both codecs or refused by both."""
    one, other = _CODECS
    rng = random.Random(1)
    pieces = [*'[]{}:,"0123456789eE+-. \n\\u', "\\ud800", "\\udc00", "1e400", "\x00", "😀", "9" * 400, "null", '"a":']
    read = 0
    for _ in range(5000):
        text = rng.choice(_GOOD)[0]
        for _ in range(rng.randint(1, 3)):
            start = rng.randint(0, len(text))
            text = text[:start] + rng.choice(pieces) + text[start + rng.randint(0, 2) :]
        assert _outcome(one.decode, text) == _outcome(other.decode, text), ascii(text)
        read += _outcome(one.decode, text) != "ProtocolError"
    assert 500 < read < 4500


@each_codec
@pytest.mark.parametrize(("value", "again"), _SENT, ids=lambda value: ascii(value)[:40])
def test_plain_values_are_written(codec: ModuleType, value: Any, again: Any) -> None:
    """What is plain JSON is written compactly, and every codec reads it back, type for type."""
    text = codec.encode(value)
    for reader in _CODECS:
        assert repr(reader.decode(text)) == repr(again)
    if not isinstance(value, str):
        assert " " not in text


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=4)
    | st.sampled_from(["null", "nullnull", _Word.ONE, _Number.THREE, _Flag.A, _Colour.RED, uuid.UUID(int=1)])
    | st.sampled_from([b"x", set(), decimal.Decimal(1), datetime.date.min, _OtherText("a"), _Point(1, 2)])
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=4)
        | st.dictionaries(st.integers() | st.just(_Word.ONE), inner, max_size=1)
    ),
    max_leaves=12,
)


@with_both_codecs
@given(_VALUES)
def test_both_codecs_write_the_same(value: Any) -> None:
    """Whatever is to be sent, both write what reads as the same, or both refuse it with the same words."""
    one, other = _CODECS
    assert _read_back(one, value) == _read_back(other, value)


def _read_back(codec: ModuleType, value: Any) -> str:
    try:
        return repr(codec_stdlib.decode(codec.encode(value)))
    except InvalidRequest as error:
        return str(error)


@each_codec
def test_text_goes_out_as_it_is(codec: ModuleType) -> None:
    """Characters beyond ASCII are not escaped: the limit for requests counts UTF-8."""
    assert codec.encode({"ä": "😀"}) == '{"ä":"😀"}'


@each_codec
@pytest.mark.parametrize(
    "seldom", ["", '"', "\\", "\n", "\r\t", '\\"\n', "\x00", "\x1f", "\x7f", "é", "😀", "\\\x0b"], ids=ascii
)
def test_long_texts_are_written_as_short_ones_are(codec: ModuleType, seldom: str) -> None:
    """A text that is so long that it is written in another way means and looks the same, wherever it stands."""
    long = f"{seldom}{'x' * 3000}{seldom}y{seldom}"
    for value in ([long], (1, long), [long, [long]], {"a": 1, long: long}, {"script": long, "é": None}):
        parts = codec.encode([seldom])[2:-2].join(("", "x" * 3000, "y", ""))
        assert parts in codec.encode(value)
        assert codec_stdlib.decode(codec.encode(value)) == (list(value) if type(value) is tuple else value)


@each_codec
def test_half_a_pair_is_refused_in_a_long_text(codec: ModuleType) -> None:
    """It is no character there either."""
    for value in (["x" * 3000 + "\ud800"], {"a": "\udc00" + "\n" * 3000}, {"\ud800" * 3000: 1}):
        with pytest.raises(InvalidRequest, match="params cannot be written as JSON"):
            codec.encode(value)


@each_codec
@pytest.mark.parametrize(("value", "words"), _NOT_SENT, ids=lambda value: ascii(value)[:40])
def test_other_values_are_refused(codec: ModuleType, value: Any, words: str) -> None:
    """What is not finite plain JSON with string keys is an `InvalidRequest` that names where it stands."""
    with pytest.raises(InvalidRequest) as caught:
        codec.encode(value)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


@each_codec
def test_a_value_used_twice_is_no_cycle(codec: ModuleType) -> None:
    """The same list in two places is written twice."""
    shared = [1]
    assert codec.encode({"a": shared, "b": [shared, shared]}) == '{"a":[1],"b":[[1],[1]]}'


@each_codec
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_absurd_nesting_is_survived(codec: ModuleType, opening: str) -> None:
    """100,000 levels are refused, and the codec goes on."""
    with pytest.raises(ProtocolError):
        codec.decode(opening * 100_000)
    assert codec.decode("[1]") == [1]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"a":[', "]}")])
@each_codec
def test_depth(codec: ModuleType, opening: str, closing: str) -> None:
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
@each_codec
def test_brackets_that_are_no_depth(codec: ModuleType, text: str) -> None:
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
    inner = codec_stdlib.encode(values)
    text = f"[{inner},{'[' * levels}{inner}{']' * levels},{inner},{','.join(['[[[]]]'] * 300)}]"
    assert strict._is_deep(text) is (_depth(text) > 512)
    assert _depth(text) == levels + 1 + _depth(inner)


@given(st.text(st.sampled_from('[]{}"\\x'), min_size=600, max_size=3000), st.integers(0, 600))
def test_what_is_no_json_never_gets_past_it_deep(noise: str, levels: int) -> None:
    """A parser goes as deep as the brackets go before the first fault: never deeper than 512."""
    text = "[" * levels + noise
    if not strict._is_deep(text):
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
            strict.refuse_deep_nesting(text)

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
        strict.refuse_deep_nesting(text)
        strict.refuse_long_integers(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(text)


@each_codec
@pytest.mark.parametrize("place", ["{}", "[{}]", '{{"a":{}}}', "[0,{},0]", " {} ", '["{}",{}]', '["\\"",{}]'])
@pytest.mark.parametrize("before", [0, 1, 499, 500, 501, 997, 1203])
def test_long_integers_are_found_everywhere(codec: ModuleType, place: str, before: int) -> None:
    """1,001 digits are refused wherever they stand; 1,000 are read, and digits in a string are no number."""
    padding = " " * before
    long, longest = "7" * 1001, "7" * 1000
    codec.decode(padding + place.format(longest, longest))
    with pytest.raises(ProtocolError, match=r"integer|digits"):
        codec.decode(padding + place.format(long, long))
    assert codec.decode(f'{padding}["{long}","\\"{long}"]') == [long, '"' + long]
