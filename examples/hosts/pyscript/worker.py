"""Python in a worker of PyScript's: what the page may call is in `sync`, and what it offers us too."""

from pyscript import sync

from circle_ws import CircleWsClientBuilder, KeyPair

CIRCLE = "ws://127.0.0.1:8765/"

client = CircleWsClientBuilder(CIRCLE).with_keypair(KeyPair.generate()).build()
client.on_status(lambda change: sync.show_status(change.status.value))
client.start()
sync.play = client.play
sync.ready()
