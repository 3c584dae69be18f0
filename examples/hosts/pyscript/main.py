"""Python on the page's main thread, in PyScript."""

import asyncio

from pyscript import document, when

from circle_ws import CircleWsClientBuilder, CircleWsError, KeyPair

CIRCLE = "ws://127.0.0.1:8765/"

status, form, output = map(document.querySelector, ("#status", "form", "output"))
# A key for this visit only. One that is worth something belongs into a wallet: any script of a page can read a key.
client = CircleWsClientBuilder(CIRCLE).with_keypair(KeyPair.generate()).build()


def show(words):
    status.textContent = status.dataset.status = words


async def play(script):
    try:
        output.textContent = await client.play(script)
    except CircleWsError as error:
        output.textContent = f"{type(error).__name__}: {error}"


@when("submit", "form")
def submit(event):
    global playing  # Python keeps a task only where somebody holds it.
    event.preventDefault()  # Here and not in `play`, which begins when the browser has already acted.
    playing = asyncio.create_task(play(form.elements.script.value))


client.on_status(lambda change: show(change.status.value))
client.start()
form.querySelector("button").disabled = False
