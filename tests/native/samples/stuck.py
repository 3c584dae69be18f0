"""A test that blocks the page's only thread, so that no limit of time inside can end it."""


def test_never_ends() -> None:
    while True:
        pass
