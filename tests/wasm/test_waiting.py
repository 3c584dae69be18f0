"""How the tests wait on a page: so that the browser gets its turns."""

import time

from tests.support.outcomes import eventually


async def test_a_wait_leaves_the_browser_time_between_two_looks() -> None:
    """Looks are timers of the browser's, not posted messages, under which its timers and its sockets come late."""
    looks, began = 0, time.monotonic()

    def looked_for_long() -> bool:
        nonlocal looks
        looks += 1
        return time.monotonic() - began > 0.1

    await eventually(looked_for_long)
    assert looks <= (time.monotonic() - began) / 0.003
