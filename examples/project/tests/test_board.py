"""The board shows what the circle knows, follows what changes, and bears the loss of its connection."""

import pytest
from weather_board import Board, Reading

import circle_ws
from circle_ws.testing import Circle


async def test_an_empty_board_has_no_average(circle: Circle) -> None:
    async with circle.connect() as client:
        assert Board(client).average() is None


async def test_it_loads_what_is_known(circle: Circle) -> None:
    async with circle.connect() as client:
        board = Board(client)
        await board.load()
        assert board.readings[0] == Reading("Harbour", 11.5)
        assert board.average() == 10.0


async def test_it_follows_what_changes(circle: Circle) -> None:
    async with circle.connect() as client:
        board = Board(client)
        async with board.follow():
            circle.publish("reading", {"station": "Hill", "degrees": -3.5})
            await board.wait_until(lambda it: Reading("Hill", -3.5) in it.readings)


async def test_a_restart_of_the_circle_loses_no_reading(circle: Circle, readings: dict[str, float]) -> None:
    async with circle.connect() as client:
        board = Board(client)
        async with board.follow():
            readings["Hill"] = 30.0  # Nobody is told: the connection is gone.
            await circle.restart()
            await board.wait_until(lambda it: Reading("Hill", 30.0) in it.readings)
        assert len(circle.calls("readings")) == 2


async def test_a_slow_circle_is_an_error_with_words(circle: Circle) -> None:
    circle.delay("readings", 60)
    async with circle.connect(call_timeout=0.05) as client:
        with pytest.raises(circle_ws.CallTimeout, match="readings"):
            await Board(client).load()


@pytest.mark.parametrize("degrees", ["mild", None])
async def test_a_reading_that_is_none_is_refused(circle: Circle, readings: dict[str, object], degrees: object) -> None:
    readings["Hill"] = degrees
    async with circle.connect() as client:
        with pytest.raises(circle_ws.InvalidResult, match="degrees"):
            await Board(client).load()
