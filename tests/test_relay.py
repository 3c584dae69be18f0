"""The relay attack, mounted for real: a hostile circle has its visitors sign an honest circle's nonces.

People use one key with many circles, so this needs no phishing: a visitor of the hostile circle is signed in, by it,
at the honest one.
"""

from typing import Any

import pytest

from circle_ws import CircleWsError, ConnectionStatus, DowngradeDetected
from circle_ws.auth import PROFILES, derive_public_key
from circle_ws.auth.profiles import BOUND
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

VISITOR = derive_public_key(KEY, compressed=True)
LEGACY = [name for name in PROFILES if name not in BOUND]


async def visit(hostile: RemotePeer, **options: Any) -> Vault:
    """Sign in at the hostile circle, which says that all is well; give what the visitor signed there."""
    vault = Vault(key=options.pop("key", KEY))
    async with client(hostile.url, key=None, signer=vault, **options) as it:
        assert it.is_connected()
    return vault


async def circles(peers: Peers, *, knows_bound: bool, **attack: Any) -> tuple[RemotePeer, RemotePeer]:
    """Start an honest circle and a hostile one that preys on it."""
    honest = await peers.start("circle", public_url="self" if knows_bound else None)
    return honest, await peers.start("relay", target=honest.url, **attack)


@pytest.mark.parametrize("profile", LEGACY)
async def test_it_succeeds_with_a_legacy_profile(peers: Peers, profile: str) -> None:
    """A signature of the bare nonce is worth as much to the hostile circle as to the honest one: it is in."""
    _, hostile = await circles(peers, knows_bound=False)
    vault = await visit(hostile, profile=profile)
    assert [challenge.url for challenge in vault.asked] == [hostile.url]
    assert await hostile.ask("gains") == [VISITOR]


async def test_it_succeeds_with_legacy_only_where_bound_is_offered(peers: Peers) -> None:
    """The policy `legacy-only` gives the protection away, though both circles offer it."""
    _, hostile = await circles(peers, knows_bound=True)
    await visit(hostile, policy="legacy-only")
    assert await hostile.ask("gains") == [VISITOR]


@pytest.mark.parametrize("disguise", [False, True], ids=["as it is", "as legacy"])
@pytest.mark.parametrize("policy", ["prefer-bound", "require-bound"])
@pytest.mark.parametrize("profile", BOUND)
async def test_it_fails_with_a_bound_profile(peers: Peers, profile: str, policy: str, disguise: bool) -> None:
    """A signature that names the hostile circle is worth nothing at the honest one, in whatever form it comes."""
    honest, hostile = await circles(peers, knows_bound=True, disguise=disguise)
    vault = await visit(hostile, policy=policy, profile=profile)
    (challenge,) = vault.asked
    assert f"\naudience={hostile.url}\n" in challenge.statement.decode()
    assert await hostile.ask("gains") == [None]
    assert await honest.ask("signed_bound") == []


async def test_first_contact_with_prefer_bound(peers: Peers) -> None:
    """The hole that `prefer-bound` leaves: a hostile circle strips the offer, and a fresh key signs legacy for it.

    A client that has never been there cannot know what the hostile circle could do, and the honest circle cannot know
    that this key's client knows bound profiles. Only `require-bound`, or a key for each circle, is safe here.
    """
    _, hostile = await circles(peers, knows_bound=True, strip=True)
    vault = await visit(hostile, policy="prefer-bound")
    assert [challenge.profile for challenge in vault.asked] == ["eip191"]
    assert await hostile.ask("gains") == [VISITOR]


async def test_a_key_that_signed_bound_is_safe_from_stripping(peers: Peers) -> None:
    """Once the key has signed bound at the honest circle, that circle takes no legacy signature of it any more."""
    honest, hostile = await circles(peers, knows_bound=True, strip=True)
    async with client(honest.url) as it:
        assert it.is_connected()
    assert await honest.ask("signed_bound") == [VISITOR]
    vault = await visit(hostile, policy="prefer-bound")
    # The visitor was deceived into a legacy signature all the same; it is only worth nothing there.
    assert [challenge.profile for challenge in vault.asked] == ["eip191"]
    assert await hostile.ask("gains") == [None]


@pytest.mark.parametrize("knows_bound", [True, False])
async def test_require_bound_gives_a_stripping_circle_nothing(peers: Peers, knows_bound: bool) -> None:
    """With `require-bound` a circle that does not offer gets no signature, hostile or not."""
    _, hostile = await circles(peers, knows_bound=knows_bound, strip=True)
    vault = Vault()
    it = client(hostile.url, key=None, signer=vault, policy="require-bound", first_connect="retry")
    with pytest.raises(CircleWsError) as caught:
        await it.connect()
    assert isinstance(caught.value, DowngradeDetected)
    assert it.status is ConnectionStatus.FAILED
    await it.close()
    assert vault.asked == []
    assert await hostile.ask("signatures") == []
    assert await hostile.ask("gains") == []


async def test_a_key_for_each_circle_is_unknown_elsewhere(peers: Peers) -> None:
    """With a key of its own for the hostile circle the visitor loses nothing: the honest one does not know that key."""
    honest = await peers.start("circle", keys=[VISITOR])
    hostile = await peers.start("relay", target=honest.url)
    async with client(honest.url) as it:
        assert it.is_connected()
    await visit(hostile, key=OTHER_KEY)
    assert await hostile.ask("gains") == [None]


async def test_the_honest_circle_serves_its_visitors_all_along(peers: Peers) -> None:
    """The attack does not lock the visitor out: the visitor signs in at the honest circle as before."""
    honest, hostile = await circles(peers, knows_bound=True)
    await visit(hostile)
    async with client(honest.url, policy="require-bound") as it:
        assert await it.whoami() == {"pubkey": VISITOR}
