"""The table of unanswered requests: each reply finds its own request, and one that names none at most one."""

from typing import Any

import pytest

from circle_ws.jsonrpc.pending import Pending


def table(*ids: int, batches: tuple[range, ...] = ()) -> Pending[str]:
    """Return a table that holds requests with these ids, and batches of some."""
    pending: Pending[str] = Pending()
    while pending.new_id() < 20:
        pass
    for id in ids:
        pending.add(id, f"entry {id}")
    for batch in batches:
        pending.add_batch({id: f"entry {id}" for id in batch})
    return pending


def test_ids_are_never_used_twice() -> None:
    """They count up from 1, whatever becomes of the requests."""
    pending: Pending[str] = Pending()
    for expected in range(1, 6):
        id = pending.new_id()
        assert id == expected
        pending.add(id, "entry")
        if expected % 2:
            pending.take(id)
    pending.take_all()
    assert pending.new_id() == 6
    pending.add_batch({8: "entry", 7: "entry"})
    assert pending.was_sent(8)
    assert not pending.was_sent(9)
    pending = Pending()
    pending.add_batch({})
    assert not pending.was_sent(1)


@pytest.mark.parametrize(
    ("id", "was_sent"),
    [(1, True), (20, True), (0, False), (21, False), (-1, False), ("1", False), (1.0, False), (True, False)],
)
def test_was_an_id_ever_sent(id: Any, was_sent: bool) -> None:
    """One that was used and answered counts, one of another type does not, nor one that waits to be sent."""
    pending = table(20)
    pending.new_id()
    pending.take(20)
    assert pending.was_sent(id) is was_sent


def test_a_reply_takes_its_request_once() -> None:
    """A second reply to the same request finds nothing, and the others stay in their order."""
    pending = table(3, 1, 2)
    assert pending.take(1) == "entry 1"
    assert pending.take(1) is None
    assert list(pending.entries) == [3, 2]


@pytest.mark.parametrize("id", [True, 1.0, "1", None, 0, 4, -1, [1], {}])
def test_only_the_very_id_matches(id: Any) -> None:
    """`take` compares the type too, and survives what cannot be a key."""
    pending = table(1, 2)
    assert pending.take(id) is None
    assert list(pending.entries) == [1, 2]


@pytest.mark.parametrize("id", ["12", 12.0])
def test_an_id_of_another_type(id: Any) -> None:
    """`take_almost` finds the request that it was, and its id as it was sent."""
    pending = table(1, 12)
    assert pending.take_almost(id) == (12, "entry 12")
    assert list(pending.entries) == [1]


def test_true_is_almost_1() -> None:
    """As a reply to the first request it can be about nothing else."""
    assert table(1).take_almost(True) == (1, "entry 1")


@pytest.mark.parametrize(
    "id",
    [12, "", "012", "+12", " 12", "12 ", "12.0", "\u0661\u0662", "²", "9" * 5000, 12.5, 1e400, -12.0, float("nan")],
)
def test_almost_is_not_anything(id: Any) -> None:
    """The very id, other spellings of the number, and what no request has; not the first request either."""
    assert table(1, 12).take_almost(id) is None


@pytest.mark.parametrize("id", [None, [12], {"id": 12}, False, 0.0, "0"])
def test_what_is_no_id_is_not_almost_one(id: Any) -> None:
    """Nothing is raised, and nothing is taken, not the first request either."""
    assert table(1, 12).take_almost(id) is None


def test_the_only_message_is_a_single_request() -> None:
    """It is taken; of two, neither is, and of none, none."""
    pending = table(7)
    assert pending.take_only_message() == ["entry 7"]
    assert pending.take_only_message() == []
    assert table(7, 8).take_only_message() == []


def test_the_only_message_is_a_batch() -> None:
    """All of it is taken, where there is nothing beside it."""
    assert table(batches=(range(1, 3),)).take_only_message() == ["entry 1", "entry 2"]
    assert table(batches=(range(1, 4),)).take_only_message() == ["entry 1", "entry 2", "entry 3"]
    assert table(9, batches=(range(1, 4),)).take_only_message() == []
    assert table(batches=(range(1, 4), range(4, 6))).take_only_message() == []


def test_a_batch_that_is_partly_answered() -> None:
    """What is left of it is one message, unless that is asked not to count; its last request always is one."""
    pending = table(batches=(range(1, 4),))
    pending.take(2)
    assert pending.take_only_message(partly_answered=False) == []
    assert pending.take_only_message() == ["entry 1", "entry 3"]
    pending = table(batches=(range(1, 4),))
    pending.take(1)
    pending.take(2)
    assert pending.take_only_message(partly_answered=False) == ["entry 3"]


def test_a_batch_of_one_is_a_message_of_its_own() -> None:
    """Beside another request it is not taken for it."""
    pending = table(5, batches=(range(1, 2),))
    assert pending.take_only_message() == []
    pending.take(5)
    assert pending.take_only_message() == ["entry 1"]


def test_nothing_is_kept_of_a_batch_that_is_done() -> None:
    """Whether its requests were answered, given up or not written; a request beside it is taken as ever."""
    pending = table(9, batches=(range(1, 4), range(4, 6)))
    assert pending.take(9) == "entry 9"
    assert [pending.take(1), pending.take(4), pending.take(5)] == ["entry 1", "entry 4", "entry 5"]
    assert pending.give_up(2)
    assert pending.remove(3)
    assert not pending._batches


def test_a_request_that_was_given_up_may_be_meant() -> None:
    """Until the next reply there is no only message."""
    pending = table(1, 2, 3)
    assert pending.give_up(1)
    assert not pending.give_up(1)
    pending.take_almost("9")
    pending.take(2)
    assert pending.take_only_message() == ["entry 3"]
    pending = table(1, 2)
    pending.give_up(1)
    assert pending.take_only_message() == []
    assert list(pending.entries) == [2]


def test_a_reply_ends_the_time_since_the_last_one() -> None:
    """One that finds its request does; one to nothing does not."""
    pending = table(1, 2)
    pending.notified = True
    pending.take(9)
    assert pending.notified
    pending.take(1)
    assert not pending.notified


def test_the_end_of_a_connection() -> None:
    """Everything is given back in its order, and the next connection begins anew, with other ids."""
    pending = table(8, batches=(range(1, 3),))
    pending.give_up(2)
    pending.notified = True
    assert pending.take_all() == ["entry 8", "entry 1"]
    assert not pending.entries
    assert not pending.notified
    pending.add(pending.new_id(), "another")
    assert list(pending.entries) == [21]
    assert pending.take_only_message() == ["another"]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({"id": 2}, ["entry 2"]),
        ({"id": "2", "error": None}, ["entry 2"]),
        ({"id": 2.0, "error": {"code": -32600}}, ["entry 2"]),
        ({"id": 7, "error": {"code": -32600}}, []),
        ({"id": [2]}, []),
        ({"id": None}, []),
        ({"error": {"code": -32603}}, []),
        ({"error": "words"}, []),
    ],
)
def test_a_broken_reply_is_about_the_request_that_it_names(reply: dict[str, Any], found: list[str]) -> None:
    """Also by an id of another type; one without an id that says nothing more is about none."""
    pending = table(2)
    assert pending.take_broken(reply) == found
    assert len(pending.entries) == 1 - len(found)


@pytest.mark.parametrize("code", [-32700, -32600])
def test_an_error_about_a_message_that_was_not_read(code: int) -> None:
    """It is about the only message, unless there is another, or one was sent that gets no reply."""
    error = {"id": None, "error": {"code": code}}
    assert table(1).take_broken(error) == ["entry 1"]
    assert table(1, 2).take_broken(error) == []
    assert table(1).take_unread() == ["entry 1"]
    pending = table(1)
    pending.notified = True
    assert pending.take_broken(error) == pending.take_unread() == []
    batch = table(batches=(range(1, 4),))
    batch.take(2)
    assert batch.take_broken(error, partly_answered=False) == []
    assert batch.take_broken(error) == ["entry 1", "entry 3"]
    batch = table(batches=(range(1, 4),))
    batch.take(2)
    assert batch.take_unread() == ["entry 1", "entry 3"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"jsonrpc":"2.0","id":2,"result":NaN}', ["entry 2"]),
        ('[{"id":2,"result":NaN},{"id":3,"result":1}]', ["entry 2", "entry 3"]),
        ('{"id":2,"method":"f","params":[NaN]}', []),
        ('{"id":9,"result":NaN}', []),
        ('{"jsonrpc":"2.0","error":{"code":-32700,"message":NaN},"id":null}', []),
        ("no JSON", []),
    ],
)
def test_what_is_no_json_is_about_the_requests_in_plain_sight(text: str, found: list[str]) -> None:
    """One by one and in batches; an error without an id says nothing where two messages are open."""
    pending = table(2, 3)
    assert pending.take_undecoded(text) == found
    assert pending.take_named_in(text) == []


def test_an_error_that_is_no_json_is_about_the_only_message() -> None:
    """In an array it may be about what is left of a batch, and otherwise only about a whole one."""
    error = '{"jsonrpc":"2.0","error":{"code":-32700,"message":NaN},"id":null}'
    assert table(1).take_undecoded(error) == ["entry 1"]
    assert table().take_undecoded(error) == []
    assert table(1).take_undecoded("no JSON") == []
    for before in (" ", "\ufeff"):
        batch = table(batches=(range(1, 4),))
        batch.take(2)
        assert batch.take_undecoded(error) == []
        assert batch.take_undecoded(f"{before}[{error}]") == ["entry 1", "entry 3"]


def test_a_request_that_was_not_written_is_not_given_up() -> None:
    """Its removal leaves no doubt which of the others an error without an id is about."""
    pending: Pending[str] = Pending()
    pending.add(1, "written")
    pending.add(2, "refused")
    assert pending.remove(2)
    assert not pending.remove(2)
    assert pending.take_only_message() == ["written"]
    pending.add_batch({3: "a", 4: "b"})
    assert all([pending.remove(3), pending.remove(4)])
    pending.add(5, "next")
    assert pending.take_unread() == ["next"]
