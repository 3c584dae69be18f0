# /// script
# requires-python = ">=3.11"
# dependencies = ["circle-ws", "marimo"]
# ///
"""A circle in a notebook of marimo: `marimo edit circle.py`, or exported as a page."""

import marimo

app = marimo.App()


@app.cell
async def connect():
    from circle_ws import CircleWsClientBuilder, KeyPair

    # A key for this visit only.
    client = CircleWsClientBuilder("ws://127.0.0.1:8765/").with_keypair(KeyPair.generate()).build()
    await client.connect()
    client.status.value
    return (client,)


@app.cell
async def play(client):
    answer = await client.play("40 + 2")
    answer
    return


if __name__ == "__main__":
    app.run()
