# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""The type of a result follows from `returns`: of any type, of a function, of nothing at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
    assert_type,
)

from circle_ws import BatchResult, CircleWsClient, Listener, StatusChange
from circle_ws.jsonrpc.convert import converter_for

if TYPE_CHECKING:
    from circle_ws.jsonrpc.convert import TypeForm

T = TypeVar("T")


@dataclass
class User:
    id: int


@dataclass
class Page(Generic[T]):
    items: list[T]


class Movie(TypedDict):
    title: str


class Point(NamedTuple):
    x: int
    y: int


class Color(Enum):
    RED = "red"


class Model:
    """As Pydantic's: keywords to make one, a class method to validate."""

    def __init__(self, *, id: int) -> None: ...

    @classmethod
    def model_validate(cls, obj: Any, *, strict: bool | None = None) -> Model:
        return cls(id=obj["id"])


UserId = NewType("UserId", int)
Scalar = int | str


async def types(client: CircleWsClient, chosen: type[User]) -> None:
    """Every sort of type gives itself."""
    assert_type(await client.call("m"), Any)
    assert_type(await client.call("m", returns=Any), Any)
    assert_type(await client.call("m", returns=object), object)
    assert_type(await client.call("m", returns=None), None)
    assert_type(await client.call("m", returns=int), int)
    assert_type(await client.call("m", returns=User), User)
    assert_type(await client.call("m", returns=chosen), User)
    assert_type(await client.call("m", returns=list[User]), list[User])
    assert_type(await client.call("m", returns=dict[str, list[int]]), dict[str, list[int]])
    assert_type(await client.call("m", returns=Mapping[str, float]), Mapping[str, float])
    assert_type(await client.call("m", returns=tuple[int, ...]), tuple[int, ...])
    assert_type(await client.call("m", returns=tuple[int, str]), tuple[int, str])
    assert_type(await client.call("m", returns=User | None), User | None)
    assert_type(await client.call("m", returns=Optional[User]), User | None)  # noqa: UP045
    assert_type(await client.call("m", returns=Union[int, str]), int | str)  # noqa: UP007
    assert_type(await client.call("m", returns=Scalar), int | str)
    assert_type(await client.call("m", returns=Page[User]), Page[User])
    assert_type(await client.call("m", returns=Movie), Movie)
    assert_type(await client.call("m", returns=Point), Point)
    assert_type(await client.call("m", returns=Color), Color)
    assert_type(await client.call("m", returns=UserId), UserId)
    assert_type(await client.call("m", returns=Annotated[int, "at least 0"]), int)
    assert_type(await client.call("m", returns=Literal["a"]), Literal["a"])
    assert_type(await client.call("m", returns=uuid.UUID), uuid.UUID)


def _count(value: Any) -> set[int]:
    return {len(value)}


def _add(one: int, two: int) -> int:
    return one + two


async def functions(client: CircleWsClient) -> None:
    """A function gives what it returns."""
    assert_type(await client.call("m", returns=Model.model_validate), Model)
    assert_type(await client.call("m", returns=_count), set[int])
    assert_type(await client.call("m", returns=lambda value: str(value)), str)
    assert_type(await client.call("m", returns=bytes.fromhex), bytes)


async def mistakes(client: CircleWsClient) -> None:
    """What is neither a type nor a function of one value is an error, and a result is only what was asked for."""
    await client.call("m", returns=3)  # type: ignore[call-overload]
    await client.call("m", returns=["User"])  # type: ignore[call-overload]
    await client.call("m", returns=_add)  # type: ignore[arg-type]
    wrong: str = await client.call("m", returns=User)  # type: ignore[arg-type]
    (await client.call("m", returns=User | None)).id  # type: ignore[union-attr]  # noqa: B018
    del wrong


async def elsewhere(client: CircleWsClient) -> None:
    """Batches and listeners say the same."""
    async with client.batch() as batch:
        assert_type(batch.call("m"), BatchResult[Any])
        assert_type(batch.call("m", returns=list[User]), BatchResult[list[User]])
        assert_type(batch.call("m", returns=_count), BatchResult[set[int]])
        user = batch.call("m", returns=User)
    assert_type(await user, User)
    assert_type(client.notifications("n"), Listener[Any])
    assert_type(client.notifications(), Listener[Any])
    assert_type(client.notifications("n", yields=User), Listener[User])
    assert_type(client.notifications("n", yields=_count), Listener[set[int]])
    async with client.notifications("n", yields=User, buffer_bytes=1000, overflow="latest") as users:
        async for one in users:
            assert_type(one, User)
        assert_type(await users.batch(), list[User])
    assert_type(await client.notifications("n").batch(), list[Any])
    assert_type(await client.status_changes().batch(), list[StatusChange])


def converters(form: TypeForm[T]) -> Callable[[Any], T]:
    """The converter alone says the same, and accepts a type from a variable."""
    assert_type(converter_for(list[User]), Callable[[Any], list[User]])
    assert_type(converter_for(User | None)({}), User | None)
    assert_type(converter_for(Model.model_validate)({}), Model)
    return converter_for(form)
