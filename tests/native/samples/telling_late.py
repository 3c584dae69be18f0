"""A test that tells a secret before it is one."""

import logging

from circle_ws import KeyPair
from tests.support.clients import OTHER_KEY


def test_tells() -> None:
    logging.getLogger("circle_ws.sample").debug("the key will be %s", OTHER_KEY)


def test_uses() -> None:
    assert KeyPair(OTHER_KEY).public_key
