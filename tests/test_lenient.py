"""The ids of replies that cannot be parsed: found only where they are in plain sight, in a time that is linear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.jsonrpc import codec as json
from circle_ws.jsonrpc.lenient import LOOKED_AT, is_nameless_error, reply_error, reply_ids
from tests.support.cpu import spent

FOUND: list[tuple[str, list[int]]] = [
    ('{"jsonrpc":"2.0","id":1,"result":NaN}', [1]),
    ('{"result":[{"id":5}],"id":7 }x', [7]),
    (' \n{ "id" : 12 , "res', [12]),
    ('\ufeff{"id":1}', [1]),
    ('{"x":"]]}}\\"","id":4}}', [4]),
    ('{"id":1,"id":2,}', [2]),
    ('{"id":1,"result":' + "[" * 6000, [1]),
    ('[{"id":1,"result":NaN},{"id":2,"error":{"code":1,"id":9}},{"id":3,"method":"f"},{"id":"x"},{"id":5', [1, 2]),
    ('{"jsonrpc":"2.0","id":"1","result":NaN}', [1]),
    ('{"result":NaN,"id":1.00 }', [1]),
    ('[{"id":"1","result":NaN},{"id":2.0,"x":[]},{"id":3,"x":1}', [1, 2, 3]),
    ('{"id":1,"result":[1],"x":NaN', [1]),
    ('[{"result":NaN,"id":1},[{"id":2}],{"id":3,"x":1', [1, 3]),
]
NOT_FOUND = [
    "",
    'X{"id":1,',
    "no JSON",
    '"id":1',
    '{"id":3,"method":"x","params":[NaN]}',
    '{"params":[NaN],"method":"x","id":3}',
    '{"method":"x","params":[NaN],"id":3}',
    '{"id":3,"params":[NaN],"method":"x"}',
    '{"result":{"id":9',
    '{"a":"\\"id\\":5,","id":12',
    '{"\\"id":1,}',
    '{"id":"01",NaN}',
    '{"id":"1 ",NaN}',
    '{"id":"1',
    '{"id":"1"',
    '{"id":"' + "1" * 19 + '",}',
    '{"id":1.5,"r',
    '{"id":1.0',
    '{"id":1e5}',
    '{"id":-1,}',
    '{"id":' + "1" * 19 + ",}",
    '{"id":null,"error":NaN}',
    '[[{"id":1}]]',
    "{}" + '{"id":1}',
    '{"x":"' + "y" * LOOKED_AT + '","id":1}',
    '{"x":[' + "[]," * 5000 + '0],"id":1}',
]
LONG = [
    "{" * LOOKED_AT,
    '{"' + "\\" * LOOKED_AT,
    "{" + '"' * LOOKED_AT,
    "{" + "a" * LOOKED_AT,
    "{" + '"id":' * 20_000,
    "{" + "[]" * 40_000,
    '{"id" ' + " " * LOOKED_AT,
    "{" + ('"id"' + " " * 100) * 1000,
    '{"id":' + "1" * LOOKED_AT,
    '{"id":"' + "1" * LOOKED_AT + '",}',
    '{"id":1.' + "0" * LOOKED_AT + "x",
    '[{"id":1,' + '},{"id":1,' * 7000,
]


@pytest.mark.parametrize(("text", "ids"), FOUND, ids=lambda value: ascii(value)[:40])
def test_in_plain_sight(text: str, ids: list[int]) -> None:
    """The member `id` of the outermost object, or of each object in the outermost array."""
    assert reply_ids(text) == ids


@pytest.mark.parametrize("text", NOT_FOUND, ids=lambda value: ascii(value)[:40])
def test_not_in_plain_sight(text: str) -> None:
    """What is deeper, in a string, cut off, of another type, far behind, or a request's."""
    assert reply_ids(text) == []


NAMELESS = [
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"\\ud800"},"id":null}',
    ' { "error" : { "message" : "\\ud800 \\"id\\":5" , "code" : -32700 } }',
    '\ufeff[{"error":{"code":-32600}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"mess',
]
NOT_NAMELESS = [
    "no JSON",
    'X{"error":{"code":-32600}',
    '{"jsonrpc":"2.0","id":null,"result":NaN}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-326000,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600.5,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","error":{"code":-32600,"message":"\\ud800"},"id":"x"}',
    '{"error":{"code":-32600,"message":"\\ud800"},"id":null,"method":"f"}',
]


@pytest.mark.parametrize("text", NAMELESS, ids=ascii)
def test_a_nameless_error(text: str) -> None:
    """It says that a message could not be read, and no id stands in it."""
    assert is_nameless_error(text)
    assert reply_ids(text) == []


@pytest.mark.parametrize("text", [*NOT_NAMELESS, *(text for text, _ in FOUND)], ids=lambda value: ascii(value)[:40])
def test_not_a_nameless_error(text: str) -> None:
    """Another code, an id of whatever type, or no error at all."""
    assert not is_nameless_error(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"\\ud800"}}', '{"code":-32000,"me'),
        ('{"id":"1","jsonrpc":"2.0","error" : "no', '"no'),
        (' {"error":{"code":1}}', '{"code":1}}'),
        ('{"jsonrpc":"2.0","id":1,"result":NaN}', ""),
        ('{"result":{"error":1}', ""),
        ("no JSON", ""),
    ],
    ids=ascii,
)
def test_the_error_in_a_broken_reply(text: str, words: str) -> None:
    """Its beginning, as it stands in the text, so that a caller can be told; nothing where no error begins."""
    assert reply_error(text, 18) == words


@pytest.mark.parametrize("text", LONG, ids=lambda value: value[:10])
def test_it_takes_no_time(text: str) -> None:
    """Whatever the text is: a few thousand steps at most."""
    assert spent(lambda: reply_ids(text)) < 0.5
    for nameless in (text, '{"error":{"code":-32600,' + text[1:], '{"error":{"message":"' + text[1:]):
        assert spent(lambda nameless=nameless: is_nameless_error(nameless)) < 0.5  # type: ignore[misc]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(['"id":7,', '\\"', "]}", "method"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.just("id"), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.integers(1, 10**17),
    st.dictionaries(st.text(max_size=4).filter(lambda key: key not in ("id", "method")), VALUES, max_size=4),
    st.dictionaries(st.text(max_size=4).filter(lambda key: key not in ("id", "method")), VALUES, max_size=4),
)
def test_it_finds_what_a_parser_would(id: int, before: dict[str, object], behind: dict[str, object]) -> None:
    """Of any well-formed reply it gives the id, wherever that stands, and of what is broken behind the id, too."""
    text = json.encode({**before, "id": id, **{key: value for key, value in behind.items() if key not in before}})
    assert reply_ids(text) == [id]
    assert reply_ids(f"[{text},{text}]") == [id, id]
    assert reply_ids(text[:-1] + ',"x":NaN}') == [id]
