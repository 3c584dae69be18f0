"""Frozen dataclasses that are made on use: the same as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import InitVar, field
from typing import Any, Generic, TypeVar

import pytest

from circle_ws import frozen

T = TypeVar("T")


@frozen.dataclass(frozen=True, slots=True)
class Ours(Generic[T]):
    """Have every kind of field."""

    name: str
    secret: str = field(default="s", repr=False)
    items: list[T] = field(default_factory=list)
    given: InitVar[int] = 3

    def __post_init__(self, given: int) -> None:
        self.items.append(given)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.items)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs(Generic[T]):
    """Have every kind of field."""

    name: str
    secret: str = field(default="s", repr=False)
    items: list[T] = field(default_factory=list)
    given: InitVar[int] = 3

    def __post_init__(self, given: int) -> None:
        self.items.append(given)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.items)


def _fresh(**body: Any) -> Any:
    """Make a class that nobody has used yet."""
    body = {"__annotations__": {"x": "int", "y": "int"}, "y": 2, "__module__": __name__, "__doc__": "Test."} | body
    return frozen.dataclass(frozen=True, slots=True)(type("Fresh", (), body))


def _made(kind: Any) -> bool:
    return not any(isinstance(value, frozen._StandIn) for value in vars(kind).values())


@pytest.mark.parametrize(
    "use",
    [
        lambda kind: kind(1),
        lambda kind: kind.__init__,
        lambda kind: kind.__match_args__,
        dataclasses.fields,
        dataclasses.is_dataclass,
        inspect.signature,
    ],
)
def test_it_is_made_on_its_first_use(use: Any) -> None:
    """Until then it has stand-ins; afterwards none is left."""
    kind = _fresh()
    assert not _made(kind)
    use(kind)
    assert _made(kind)


def test_it_has_what_a_dataclass_has() -> None:
    """Nothing is missing that `dataclasses` adds, and nothing is there besides."""
    Ours("a")
    assert set(vars(Ours)) == set(vars(Theirs))
    assert Ours.__slots__ == Theirs.__slots__
    assert str(inspect.signature(Ours)) == str(inspect.signature(Theirs))
    assert (Ours.__doc__, Ours.__qualname__, Ours.__module__) == ("Have every kind of field.", "Ours", __name__)


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_both_behave_alike(kind: Any) -> None:
    """What is tested of ours is true of the standard library's."""
    one = kind("a", secret="hidden", given=7)
    assert one == kind("a", secret="hidden", given=7) != kind("b")
    assert (one.items, one.size) == ([7], 1)
    assert repr(one) == f"{kind.__name__}(name='a', items=[7])"
    assert dataclasses.replace(one, name="b", items=[], given=1) == kind("b", "hidden", given=1)
    assert dataclasses.asdict(one) == {"name": "a", "secret": "hidden", "items": [7]}
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert not hasattr(one, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.name
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    match one:
        case kind(name, secret):
            assert (name, secret) == ("a", "hidden")


def test_equal_ones_have_one_hash() -> None:
    """They can be members of a set."""
    kind = _fresh()
    assert {kind(1), kind(1, 2), kind(2)} == {kind(1), kind(2)}


def test_an_unpickled_one_may_be_the_first() -> None:
    """Pickle makes objects without `__init__`; the class is made all the same."""
    kind = _fresh()
    one = kind.__new__(kind)
    one.__setstate__([1, 5])
    assert one == kind(1, 5)


def test_its_own_methods_stay() -> None:
    """What the class defines itself is not replaced."""
    kind = _fresh(__repr__=lambda self: "mine", __eq__=lambda self, other: True, __hash__=lambda self: 5)
    assert (repr(kind(1)), kind(1) == 9, hash(kind(1))) == ("mine", True, 5)


def test_a_method_that_was_replaced_meanwhile_stays() -> None:
    """Who puts something in the place of a stand-in keeps it."""
    kind = _fresh()
    kind.__repr__ = lambda self: "patched"
    assert repr(kind(1)) == "patched"


def test_a_subclass_can_be_used_first() -> None:
    """A stand-in that is found through a subclass makes the class that it belongs to."""
    kind = _fresh()
    sub = type("Sub", (kind,), {})
    assert (sub(1).x, sub(1).y) == (1, 2)
    assert _made(kind)


def test_a_stand_in_that_somebody_kept_still_works() -> None:
    """Two threads may have found it before one of them made the class."""
    kind = _fresh()
    kept = vars(kind)["__eq__"]
    one = kind(1)
    assert kept.__get__(one, kind)(kind(1)) is True
