"""What only the browser's transport can tell."""

import pytest

from circle_ws.errors import ConnectionFailed
from circle_ws.transport import TransportOptions, connect
from tests.support.recorder import Recorder


@pytest.mark.parametrize("url", ["ws://127.0.0.1:99999/", "ws://[/", "ftp://127.0.0.1/"])
async def test_what_the_constructor_throws_is_told(url: str) -> None:
    """A URL that the browser refuses at once is `ConnectionFailed` with its words, and leaves no proxy behind."""
    with pytest.raises(ConnectionFailed, match="refused to open"):
        await connect(url, Recorder(), TransportOptions())
