"""Python on the page's main thread, in PyScript."""

from pyscript import document, when

from circle_ws import CircleWsClientBuilder, CircleWsError, KeyPair

CIRCLE = "ws://127.0.0.1:8765/"

status, form, output = map(document.querySelector, ("#status", "form", "output"))
# A key for this visit only. One that is worth something belongs into a wallet: any script of a page can read a key.
client = CircleWsClientBuilder(CIRCLE).with_keypair(KeyPair.generate()).build()


def show(words):
    status.textContent = status.dataset.status = words


@when("click", "button")
async def play(event):
    try:
        output.textContent = await client.play(form.elements.script.value)
    except CircleWsError as error:
        output.textContent = f"{type(error).__name__}: {error}"


# The button's click does it all; Enter in the field presses the button too.
form.setAttribute("action", "javascript:void 0")
client.on_status(lambda change: show(change.status.value))
client.start()
form.querySelector("button").disabled = False
