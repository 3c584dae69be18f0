"""What of `circle_ws.testing` a page cannot do is refused in words."""

import pytest

from circle_ws import UnsupportedRuntime


def test_a_circle_that_listens_is_not_for_pages(request: pytest.FixtureRequest) -> None:
    with pytest.raises(UnsupportedRuntime, match="use the fixture circle here"):
        request.getfixturevalue("circle_server")
