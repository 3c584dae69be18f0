"""What native tests share."""

import os
import ssl
from pathlib import Path

import pytest
import trustme

from circle_ws.bundle import builder
from tools.checkout import requirements


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that trusts this CA and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that CIRCLE_WS_BUNDLE names, or a new one."""
    given = os.environ.get("CIRCLE_WS_BUNDLE")
    if given:
        return Path(given)
    made = tmp_path_factory.mktemp("harness") / "bundle"
    builder.build(made, extra=requirements("suite", "page"))
    return made
