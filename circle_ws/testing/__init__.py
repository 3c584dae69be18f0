"""For the tests of programs that use circle-ws: a circle in memory, and time that passes on command.

```python
async def test_survives_a_restart():
    circle = Circle()

    @circle.method()
    async def add(a: int, b: int) -> int:
        return a + b

    async with circle.connect() as client:
        await circle.restart()
        assert await client.call("add", [40, 2]) == 42
    assert circle.calls("add") == [Request("add", [40, 2])]
```

All of it works the same natively and inside Pyodide; only `circle_ws.testing.pytest_plugin` needs pytest.
"""

from .circle import QUICK, Circle, Request
from .clock import VirtualTime, virtual_time

__all__ = ["QUICK", "Circle", "Request", "VirtualTime", "virtual_time"]
