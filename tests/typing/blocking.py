"""The blocking client says what the async one says, without awaiting, and takes plain functions and async ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from circle_ws import CallNext, Challenge, CircleWsClientBuilder, Request, SetupSession, StatusChange
from circle_ws.sync import BatchResult, CircleWsClient, Listener, SyncCallNext, SyncSetupSession, connect
from tests.typing.returns import User, _count

if TYPE_CHECKING:
    from collections.abc import Mapping


def calls(client: CircleWsClient) -> None:
    """The type of a result follows from `returns`."""
    assert_type(client.call("m"), Any)
    assert_type(client.call("m", returns=list[User]), list[User])
    assert_type(client.call("m", returns=User | None), User | None)
    assert_type(client.call("m", returns=_count), set[int])
    assert_type(client.play("1 + 1"), str)
    client.call("m", returns=3)  # type: ignore[call-overload]
    wrong: str = client.call("m", returns=User)  # type: ignore[assignment]
    del wrong


def elsewhere(client: CircleWsClient) -> None:
    """Batches and listeners say the same."""
    with client.batch() as batch:
        assert_type(batch.call("m"), BatchResult[Any])
        assert_type(batch.call("m", returns=_count), BatchResult[set[int]])
        user = batch.call("m", returns=User)
    assert_type(user.result(), User)
    assert_type(client.notifications(), Listener[Any])
    with client.notifications("n", yields=User, overflow="latest") as users:
        for one in users:
            assert_type(one, User)
        assert_type(users.get(timeout=1), User)
        assert_type(users.batch(), list[User])
    assert_type(client.status_changes().get(), StatusChange)


class _Signer:
    profiles = frozenset({"eip191"})

    def public_key(self) -> str:
        return ""

    def sign(self, challenge: Challenge) -> str:
        return challenge.url


def _setup(session: SyncSetupSession) -> None:
    session.notify("m", [session.call("m")])


async def _async_setup(session: SetupSession) -> None:
    await session.notify("m", [await session.call("m")])


def _middleware(request: Request, call_next: SyncCallNext) -> Any:
    return call_next(request)


async def _async_middleware(request: Request, call_next: CallNext) -> Any:
    return await call_next(request)


def _headers() -> Mapping[str, str]:
    return {}


def functions(url: str) -> None:
    """Plain and async functions fit, by keyword and by the builder."""
    middleware = [_middleware, _async_middleware]
    assert_type(connect(url, setup=_setup, signer=_Signer(), middleware=middleware, headers=_headers), CircleWsClient)
    connect(url, setup=_async_setup)
    connect(url, setup=3)  # type: ignore[arg-type]
    builder = CircleWsClientBuilder(url).with_setup(_setup).with_signer(_Signer()).with_headers(_headers)
    assert_type(builder.with_middleware(_middleware, _async_middleware).build_sync(), CircleWsClient)
