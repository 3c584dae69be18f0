"""A test that ends the process with code 0, as if all was well (Node only)."""

import js


def test_quits() -> None:
    js.process.exit(0)
