"""One reconnect, as it is: a real client loses a real circle in the middle of its calls and gets it back.

`python -m benchmarks.timeline --out docs/benchmarks` draws `timeline.svg`: the status, and what becomes of each call.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Child
from circle_ws import Backoff, CircleWsClient, CircleWsError, ClientConfig, ConnectionStatus
from circle_ws.auth import KeyPair
from circle_ws.status import StatusChange

EVERY = 0.03
"""A call is made so often, in seconds."""
RUNS = 0.08
"""So long the circle takes for one, in seconds."""


@dataclass
class Fate:
    """What became of one call.

    Attributes:
        began: When it was made, in seconds since the beginning.
        ended: When it ended.
        how: `result`, `again` (a result of an idempotent call that began before the loss), or the error's name.
    """

    began: float
    ended: float
    how: str


async def record() -> tuple[list[StatusChange], list[Fate], dict[str, float]]:
    """Live through it; give the changes of status, the calls, and when the circle was killed and started."""
    circle = await Child.start("circle", port=0)
    config = ClientConfig(
        circle.told["url"],
        private_key=KeyPair.generate(),
        backoff=Backoff(first=0.25, base=0.2, maximum=0.4, floor=0.1),
    )
    changes: list[StatusChange] = []
    fates: list[Fate] = []
    marks: dict[str, float] = {}
    calls: list[asyncio.Task[None]] = []
    client = CircleWsClient(config)
    client.on_status(changes.append)
    began = time.time()
    async with client:
        for number in range(60):
            calls.append(asyncio.ensure_future(_call(client, number, fates)))
            await asyncio.sleep(EVERY)
            if number == 15:
                marks["the circle is killed"] = time.time()
                await circle.kill()
            if number == 32:
                circle = await Child.start("circle", port=circle.told["port"])
                marks["it runs again"] = time.time()
        await asyncio.gather(*calls)
    await circle.stop()
    fates = [Fate(one.began - began, one.ended - began, one.how) for one in fates]
    return changes, fates, {name: at - began for name, at in marks.items()} | {"began": began}


async def _call(client: CircleWsClient, number: int, fates: list[Fate]) -> None:
    made = time.time()
    idempotent = number % 3 == 0
    try:
        await client.call("count_slowly", [0, number, RUNS], idempotent=idempotent)
        how = "idempotent: result" if idempotent else "result"
    except CircleWsError as error:
        how = type(error).__name__
    fates.append(Fate(made, time.time(), how))


def draw(changes: list[StatusChange], fates: list[Fate], marks: dict[str, float], path: Path) -> None:
    """Draw it."""
    from benchmarks.drawing import BLUE, GREEN, GREY, INK, ORANGE, RED, VIOLET, figure, save

    colors = {
        ConnectionStatus.CONNECTING: VIOLET,
        ConnectionStatus.AUTHENTICATING: BLUE,
        ConnectionStatus.CONNECTED: GREEN,
        ConnectionStatus.WAITING: ORANGE,
        ConnectionStatus.CLOSING: GREY,
    }
    began = marks.pop("began")
    made, (states, calls) = figure(9, 5.6, 2, sharex=True, height_ratios=[1, 4])
    states.set_title("status")
    ends = [*(change.at for change in changes[1:]), changes[-1].at]
    for change, end in zip(changes, ends, strict=True):
        if change.status in colors:
            states.broken_barh([(change.at - began, max(end - change.at, 0.004))], (0, 1), color=colors[change.status])
    states.set_yticks([])
    handles = [states.broken_barh([(0, 0)], (0, 0), color=color, label=it.name) for it, color in colors.items()]
    states.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.06, 1.45), ncols=5, fontsize=8)
    calls.set_title("calls, from when they are made to when they end")
    styles = {"result": GREEN, "idempotent: result": BLUE, "OutcomeUnknown": RED}
    for row, fate in enumerate(sorted(fates, key=lambda one: one.began)):
        color = styles.get(fate.how, ORANGE)
        calls.plot([fate.began, fate.ended], [row, row], color=color, linewidth=2.5, solid_capstyle="butt")
    for how in dict.fromkeys(fate.how for fate in fates):
        calls.plot([], [], color=styles.get(how, ORANGE), linewidth=2.5, label=how)
    calls.legend(loc="upper right", fontsize=8)
    calls.invert_yaxis()
    calls.set_yticks([])
    calls.set_xlabel("seconds")
    for name, at in marks.items():
        for axes in (states, calls):
            axes.axvline(at, color=INK, linewidth=0.8, linestyle="--")
        calls.text(at + 0.01, len(fates) - 1, name, fontsize=8, va="bottom")
    save(made, path)


def main() -> None:
    """Record and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    given = parser.parse_args()
    changes, fates, marks = asyncio.run(record())
    given.out.mkdir(parents=True, exist_ok=True)
    draw(changes, fates, marks, given.out / "timeline.svg")
    for how in dict.fromkeys(fate.how for fate in fates):
        sys.stdout.write(f"{how}: {sum(fate.how == how for fate in fates)}\n")


if __name__ == "__main__":
    main()
