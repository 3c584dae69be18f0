"""What a run of all checks says at its end."""

from tools.summary import count, failures

_LOG = """
nox > Running session tests(3.11)
FAILED tests/test_urls.py::test_ports - assert 1 == 2
\x1b[31m==== \x1b[1m1 failed\x1b[0m, 41 passed, 1 error in 2.05s\x1b[0m ====
ERROR tests/test_urls.py::test_hosts - OSError
ERROR    circle_ws.connection:observers.py:296 the client gave up
nox > Session tests(3.11) failed.
harness: the page went away before its tests ended
==== 8 passed in 61.20s (0:01:01) ====
"""


def test_the_tests_of_all_runs_are_summed() -> None:
    assert count(_LOG) == (49, 2)


def test_what_failed_is_said_again() -> None:
    """What a test logged as an error is no failure."""
    assert failures(_LOG) == [
        "FAILED tests/test_urls.py::test_ports - assert 1 == 2",
        "ERROR tests/test_urls.py::test_hosts - OSError",
        "nox > Session tests(3.11) failed.",
        "harness: the page went away before its tests ended",
    ]
