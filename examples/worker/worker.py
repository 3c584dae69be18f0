"""A worker that uses a circle: it signs in, follows `tick`, makes a call every few seconds, and ends cleanly.

    CIRCLE_URL=ws://127.0.0.1:8765/ CIRCLE_WS_PRIVATE_KEY=... python3 worker.py

The circle may start later, restart or be down for hours: the client reconnects and signs in again, and the listener
continues. A failure that waiting cannot fix, such as a key that the circle rejects, ends the worker with exit code 1.
"""

import asyncio
import logging
import os
import signal
import sys

from circle_ws import CircleWsClient, CircleWsClientBuilder, CircleWsError, StatusChange

ASK_EVERY = 5.0

log = logging.getLogger("worker")


async def follow_ticks(client: CircleWsClient) -> None:
    # When the client gives up, the loop raises the reason, which ends the worker.
    async with client.notifications("tick") as ticks:
        async for tick in ticks:
            log.info("tick %s", tick)


async def ask(client: CircleWsClient) -> None:
    while True:
        try:
            log.info("40 + 2 is %s", await client.play("40 + 2", timeout=10))
        except CircleWsError as error:
            # A timeout while the circle is down, or an error of the circle: try again in the next round.
            log.warning("no answer: %s", error)
        await asyncio.sleep(ASK_EVERY)


def log_status(change: StatusChange) -> None:
    later = "" if change.retry_in is None else f", next attempt in {change.retry_in:.1f} s"
    log.info("%s%s%s", change.status.value, later, f" ({change.cause})" if change.cause else "")


async def serve(client: CircleWsClient) -> None:
    await client.connect()
    async with asyncio.TaskGroup() as tasks:
        for job in (follow_ticks, ask):
            tasks.create_task(job(client))


async def main() -> int:
    client = (
        CircleWsClientBuilder(os.environ.get("CIRCLE_URL", "ws://127.0.0.1:8765/"))
        .with_keypair(os.environ["CIRCLE_WS_PRIVATE_KEY"])
        .with_reconnect(first_connect="retry")
        .build()
    )
    client.on_status(log_status)
    serving = asyncio.create_task(serve(client))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    code = 0
    try:
        await serving
    except* asyncio.CancelledError:
        log.info("asked to end")
    except* CircleWsError as group:
        log.error("the circle cannot be used: %s", group.exceptions[0])
        code = 1
    finally:
        await client.close()
    return code


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(asyncio.run(main()))
