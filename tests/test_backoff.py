"""The delays between attempts: bounds, spread, the end of patience."""

import math
import random
from typing import Any

import pytest

from circle_ws import Backoff
from circle_ws.errors import ConfigError

_DRAWS = 2000


def _draw(backoff: Backoff, failures: int, count: int = _DRAWS, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [backoff.delay(failures, rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("failures", "ceiling"),
    [(0, 2), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (6, 30), (64, 30), (100_000, 30)],
)
def test_bounds_of_each_delay(failures: int, ceiling: float) -> None:
    """The n-th delay lies between the floor and min(maximum, base * 2^n), and comes near to both."""
    delays = _draw(Backoff(), failures)
    assert 0.1 <= min(delays) <= 0.1 + 0.02 * ceiling
    assert 0.98 * ceiling <= max(delays) <= ceiling


@pytest.mark.parametrize("failures", [0, 3, 20])
def test_jitter_is_full_and_even(failures: int) -> None:
    """Each tenth of the range gets a tenth of the delays: the jitter is uniform, nothing is heaped at an edge."""
    count = 10_000
    ceiling = min(30.0, 2.0 ** max(failures, 1))
    tenths = [0] * 10
    for delay in _draw(Backoff(), failures, count):
        tenths[min(9, int(10 * (delay - 0.1) / (ceiling - 0.1)))] += 1
    assert all(abs(hits - count / 10) < 0.015 * count for hits in tenths), tenths


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_clients_do_not_come_at_once(seed: int) -> None:
    """Of 1,000 clients that lose one server, at most 15 % dial first within any 100 ms."""
    delays = sorted(_draw(Backoff(), 0, 1000, seed))
    largest = max(sum(start <= delay <= start + 0.1 for delay in delays) for start in delays)
    assert largest <= 150


def test_the_same_seed_gives_the_same_delays() -> None:
    """Randomness comes from the generator that is passed in, and from nowhere else."""
    assert _draw(Backoff(), 3, 5, seed=7) == _draw(Backoff(), 3, 5, seed=7) != _draw(Backoff(), 3, 5, seed=8)


def test_the_floor_is_a_lower_bound() -> None:
    """A floor above the ceiling of an early delay is kept, not crossed."""
    assert set(_draw(Backoff(first=1, floor=3, maximum=5), 0, 50)) == {3}


def test_the_maximum_bounds_the_first_delay() -> None:
    """A maximum below `first` is kept too."""
    assert max(_draw(Backoff(first=60, maximum=5), 0)) <= 5


def test_only_the_first_delay_is_the_first() -> None:
    """`first` bounds the first delay alone; from the second one on `base` doubles."""
    backoff = Backoff(first=20)
    assert [max(_draw(backoff, failures)) > 10 for failures in range(3)] == [True, False, False]


def test_zero_delays_are_possible() -> None:
    """A test may ask for no delay at all."""
    assert set(_draw(Backoff(first=0, base=0, maximum=0, floor=0), 3, 50)) == {0}


@pytest.mark.parametrize(
    ("attempts", "failures", "over"),
    [(None, 10**9, False), (1, 0, False), (1, 1, True), (3, 2, False), (3, 3, True), (3, 4, True)],
)
def test_patience(attempts: int | None, failures: int, over: bool) -> None:
    """It gives up after exactly `attempts` failures in a row, and never with None."""
    assert Backoff(attempts=attempts).exhausted(failures) is over


@pytest.mark.parametrize("name", ["first", "base", "maximum", "floor", "reset_after"])
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, "1", None, True])
def test_bad_times_are_refused(name: str, value: Any) -> None:
    """A time that is negative, not finite or no number is refused by name."""
    with pytest.raises(ConfigError, match=rf"backoff\.{name} must be a number of seconds") as caught:
        Backoff(**{name: value})
    assert caught.value.option == "backoff"


@pytest.mark.parametrize("attempts", [0, -1, 1.5, math.inf, "3", True])
def test_bad_attempts_are_refused(attempts: Any) -> None:
    """A number of attempts that is not whole or not positive is refused by name."""
    with pytest.raises(ConfigError, match=r"backoff\.attempts must be a whole number from 1, or None") as caught:
        Backoff(attempts=attempts)
    assert caught.value.option == "backoff"


def test_a_floor_above_the_maximum_is_refused() -> None:
    """The two bounds must leave room."""
    words = r"backoff\.floor \(31\) must not be above backoff\.maximum \(30\.0\)"
    with pytest.raises(ConfigError, match=words) as caught:
        Backoff(floor=31)
    assert caught.value.option == "backoff"


@pytest.mark.parametrize("seed", [1.5, "1", True])
def test_bad_seeds_are_refused(seed: Any) -> None:
    """A seed that is no whole number is refused by name; any whole number is taken."""
    with pytest.raises(ConfigError, match=r"^backoff\.seed must be a whole number, or None, not ") as caught:
        Backoff(seed=seed)
    assert caught.value.option == "backoff"
    assert [Backoff(seed=good).seed for good in (None, -1, 0, 7)] == [None, -1, 0, 7]
