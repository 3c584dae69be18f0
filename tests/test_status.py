"""The table of transitions has the properties that the engine relies on."""

import dataclasses

import pytest

from circle_ws.status import TRANSITIONS, ConnectionStatus, StatusChange

_S = ConnectionStatus


def test_every_status_has_a_row() -> None:
    """The table is closed: a row for every status, and only statuses in the rows."""
    assert set(TRANSITIONS) == set(ConnectionStatus)
    assert frozenset().union(*TRANSITIONS.values()) <= set(ConnectionStatus)


def test_closed_is_final() -> None:
    """Nothing follows CLOSED, and it is the only end."""
    assert [status for status, following in TRANSITIONS.items() if not following] == [_S.CLOSED]


def test_every_status_can_be_reached() -> None:
    """From IDLE a path leads to every status."""
    reached = {_S.IDLE}
    while new := frozenset().union(*(TRANSITIONS[status] for status in reached)) - reached:
        reached |= new
    assert reached == set(ConnectionStatus)


@pytest.mark.parametrize("status", set(ConnectionStatus) - {_S.CLOSED}, ids=lambda status: status.name)
def test_every_status_can_be_closed(status: ConnectionStatus) -> None:
    """`close()` works from everywhere: CLOSED is one step away, or two through CLOSING."""
    following = TRANSITIONS[status]
    assert _S.CLOSED in following or _S.CLOSING in following


@pytest.mark.parametrize("status", ConnectionStatus, ids=lambda status: status.name)
def test_no_status_follows_itself(status: ConnectionStatus) -> None:
    """A change of status is a change."""
    assert status not in TRANSITIONS[status]


@pytest.mark.parametrize("final", [_S.CLOSING, _S.CLOSED])
def test_closing_never_turns_back(final: ConnectionStatus) -> None:
    """After CLOSING comes CLOSED and nothing else."""
    assert TRANSITIONS[final] <= {_S.CLOSED}


def test_only_dialling_leads_to_connected() -> None:
    """No client is CONNECTED without having dialled, and signed in if it has a key."""
    assert {status for status, following in TRANSITIONS.items() if _S.CONNECTED in following} == {
        _S.CONNECTING,
        _S.AUTHENTICATING,
    }


def test_names_and_values() -> None:
    """The statuses are the documented eight, and their values are their names in lower case."""
    names = ["IDLE", "CONNECTING", "AUTHENTICATING", "CONNECTED", "WAITING", "FAILED", "CLOSING", "CLOSED"]
    assert [status.name for status in ConnectionStatus] == names
    assert [status.value for status in ConnectionStatus] == [name.lower() for name in names]


def test_a_change_is_frozen() -> None:
    """Who is told of a change cannot alter it for others."""
    change = StatusChange(_S.CONNECTING, _S.IDLE, 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        change.status = _S.CLOSED  # type: ignore[misc]
    assert (change.attempt, change.retry_in, change.cause) == (0, None, None)
