"""A signer whose account may go away while the client is connected, as a wallet's may, in both runtimes."""

from collections.abc import Callable

import circle_ws.sync
from circle_ws import ConnectionStatus, OutcomeUnknown, SignerFailed
from circle_ws.testing import Circle, loop
from tests.support.clients import QUICK, client
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers
from tests.support.signers import Vault


class Watched(Vault):
    """Tells those who watch it that its account is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Callable[[SignerFailed], None]] = []
        self.watched = 0

    def watch_account(self, gone: Callable[[SignerFailed], None]) -> Callable[[], None]:
        self.watched += 1
        self.watchers.append(gone)
        return lambda: self.watchers.remove(gone)

    def leave(self) -> None:
        for gone in list(self.watchers):
            gone(SignerFailed("the account is gone"))


async def test_each_connection_is_watched_until_it_ends() -> None:
    """Again after a reconnect; nothing stays behind when the client is closed."""
    circle, signer = Circle(), Watched()
    async with client("wss://circle.example/", key=None, signer=signer, transport=circle.transport) as it:
        await eventually(lambda: signer.watchers)
        await circle.drop()
        await it.wait_until_connected()
        await eventually(lambda: signer.watched == 2)
        assert len(signer.watchers) == 1
    assert signer.watchers == []


async def test_an_account_that_is_gone_ends_the_client() -> None:
    """At once, without another attempt; `connect()` asks the signer anew."""
    circle, signer = Circle(), Watched()
    it = client("wss://circle.example/", key=None, signer=signer, transport=circle.transport)
    await it.connect()
    await eventually(lambda: signer.watchers)
    circle.hang()
    written = it.stats.bytes_out
    call = later(it.call("whoami"))
    await eventually(lambda: it.stats.bytes_out > written)
    signer.leave()
    assert isinstance(await call, OutcomeUnknown)
    await eventually(lambda: it.status is ConnectionStatus.FAILED)
    assert str(it.failure) == "the account is gone"
    assert signer.watchers == []
    circle.resume()
    await it.connect()
    assert len(signer.asked) == 2
    await it.close()


def test_a_blocking_client_follows_it_too(peers: Peers) -> None:
    """A signer that is async needs no threads, and is used as it is."""
    circle, signer = loop.run(peers.start("circle")), Watched()
    with circle_ws.sync.connect(circle.url, signer=signer, backoff=QUICK) as it:
        assert it.call("echo", [1]) == 1
        assert signer.watched == 1
        with it.status_changes() as changes:
            assert changes.get().status is ConnectionStatus.CONNECTED
            it._run(_leave, signer)
            assert changes.get(timeout=PATIENCE).status is ConnectionStatus.FAILED
        assert isinstance(it.failure, SignerFailed)


async def _leave(signer: Watched) -> None:
    signer.leave()
