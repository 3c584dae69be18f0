"""A thousand clients lose one server: when do they dial again?

`python -m benchmarks.herd --clients 1000`: real clients in this process with the default back-off, a real circle in
another one, which is killed and started again on the same port. With `--out DIR` it writes `herd.json` and, where
matplotlib is there, `herd.svg`. The exit code is 1 when more than 15 % of the first dials fall into any 100 ms.
"""

import argparse
import asyncio
import json
import sys
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gauges import versions
from benchmarks.process import Child
from circle_ws import CircleWsClient, ClientConfig, ConnectionStatus
from circle_ws.auth import KeyPair
from circle_ws.status import StatusChange

WINDOW = 0.1
"""In seconds."""
BEARABLE = 0.15
"""So many of the clients may dial first within any window."""
_AT_ONCE = 50
"""So many clients connect side by side at the beginning: a listening socket has a short queue."""
_PATIENCE = 120.0


@dataclass
class Herd:
    """Watch many clients.

    Attributes:
        lost: When each lost its connection, in seconds on one clock.
        dials: When each began to dial after that, in seconds on the same clock.
        back: When each was connected again.
    """

    lost: dict[int, float] = field(default_factory=dict)
    dials: dict[int, list[float]] = field(default_factory=dict)
    back: dict[int, float] = field(default_factory=dict)

    def watch(self, number: int, change: StatusChange) -> None:
        """Record a change of one client's status."""
        if change.previous is ConnectionStatus.CONNECTED and change.status is ConnectionStatus.WAITING:
            self.lost[number] = change.at
        elif number in self.lost and change.status is ConnectionStatus.CONNECTING:
            self.dials.setdefault(number, []).append(change.at)
        elif number in self.lost and change.status is ConnectionStatus.CONNECTED:
            self.back[number] = change.at


def most_within(times: list[float], window: float) -> int:
    """Count the most of these times that fall into any one window."""
    ordered = sorted(times)
    return max((bisect_right(ordered, one + window) - place for place, one in enumerate(ordered)), default=0)


async def run(*, clients: int, down: float, uptime: float) -> dict[str, Any]:
    """Connect `clients` clients, kill their circle after `uptime` seconds and start it again `down` seconds later."""
    herd = Herd()
    circle = await Child.start("circle")
    made = [_client(number, circle.told["url"], herd) for number in range(clients)]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def connect(client: CircleWsClient) -> None:
        async with gate:
            await client.connect()

    await asyncio.gather(*map(connect, made))
    await asyncio.sleep(uptime)
    killed = time.time()
    await circle.kill()
    await asyncio.sleep(down)
    circle = await Child.start("circle", port=circle.told["port"])
    started = time.time()
    await asyncio.gather(*(client.wait_until_connected(_PATIENCE) for client in made))
    await asyncio.gather(*(client.close(drain=0) for client in made))
    await circle.stop()
    return _result(herd, killed, started, {"clients": clients, "down": down, "uptime": uptime})


def _client(number: int, url: str, herd: Herd) -> CircleWsClient:
    client = CircleWsClient(ClientConfig(url, private_key=KeyPair.generate()))
    client.on_status(lambda change: herd.watch(number, change))
    return client


def _result(herd: Herd, killed: float, started: float, settings: dict[str, Any]) -> dict[str, Any]:
    first = [times[0] - killed for times in herd.dials.values()]
    later = [one - killed for times in herd.dials.values() for one in times[1:]]
    share = most_within(first, WINDOW) / settings["clients"]
    return {
        "settings": settings,
        "versions": versions(),
        "first dials": len(first),
        "dials": len(first) + len(later),
        "largest share of first dials in 100 ms": round(share, 4),
        "largest share of any dials in 100 ms": round(most_within(first + later, WINDOW) / settings["clients"], 4),
        "the circle was back after (s)": round(started - killed, 3),
        "half of the clients were back after (s)": round(_middle(herd.back) - started, 3),
        "all clients were back after (s)": round(max(herd.back.values()) - started, 3),
        "verdict": "ok" if len(first) == settings["clients"] and share <= BEARABLE else "too many at once",
        "first": [round(one, 4) for one in sorted(first)],
        "later": [round(one, 4) for one in sorted(later)],
        "back": [round(one - killed, 4) for one in sorted(herd.back.values())],
    }


def _middle(times: dict[int, float]) -> float:
    return sorted(times.values())[len(times) // 2]


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the dials by the time since the circle was killed."""
    from benchmarks.drawing import BLUE, GREEN, GREY, INK, RED, figure, save

    clients, back_at = result["settings"]["clients"], result["the circle was back after (s)"]
    end = max(result["back"][-1], back_at) + 0.5
    bins = [place * WINDOW for place in range(int(end / WINDOW) + 2)]
    made, axes = figure(8, 3.8)
    axes.hist([result["first"], result["later"]], bins=bins, stacked=True, color=[BLUE, GREY],
              label=["first dial of each client", "later dials"])  # fmt: skip
    axes.axhline(BEARABLE * clients, color=RED, linewidth=1, linestyle="--")
    axes.text(end, BEARABLE * clients, "15 % of the clients ", color=RED, ha="right", va="bottom")
    axes.axvline(back_at, color=INK, linewidth=1, linestyle=":")
    axes.text(back_at, BEARABLE * clients * 1.16, " the circle is back", ha="left", va="bottom")
    axes.set_ylim(0, BEARABLE * clients * 1.35)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds since the circle was killed")
    axes.set_ylabel("dials in 100 ms")
    share = result["largest share of first dials in 100 ms"]
    axes.set_title(f"{clients:,} clients lose their circle: at most {share:.1%} of the first dials in any 100 ms")
    connected = axes.twinx()
    connected.plot(result["back"], [100 * (place + 1) / clients for place in range(clients)], color=GREEN)
    connected.set_ylim(0, 135)
    connected.set_yticks([0, 25, 50, 75, 100])
    connected.set_ylabel("connected again, %", color=GREEN)
    connected.grid(visible=False)
    made.legend(loc="outside lower center", ncols=2)
    save(made, path)


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--down", type=float, default=4.0, help="how long the circle is away, in seconds")
    parser.add_argument("--uptime", type=float, default=11.0, help="how long connections stand before, in seconds")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the figures and the picture there")
    options = vars(parser.parse_args())
    out = options.pop("out")
    result = asyncio.run(run(**options))
    for name, value in result.items():
        if not isinstance(value, list):
            print(f"{name:<42}  {value}")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "herd.json").write_text(json.dumps(result) + "\n")
        draw(result, out / "herd.svg")
    return 0 if result["verdict"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
