"""Signing in with a wallet of the page: an EIP-1193 provider that really signs, against the real circle."""

from collections.abc import AsyncGenerator
from typing import Any

import js
import pytest
from pyodide.ffi import to_js

from circle_ws import CircleWsClient, CircleWsClientBuilder, ConnectionStatus, SignerFailed, UnsupportedRuntime
from circle_ws.auth import derive_public_key, sign_message
from circle_ws.auth.backend import keccak_256
from circle_ws.auth.wallet import INTRODUCTION, Eip1193Signer, Wallet, find_wallets
from tests.support.clients import KEY, OTHER_KEY, QUICK
from tests.support.frames import recorded
from tests.support.peers import Peers

pytestmark = pytest.mark.skipif(not hasattr(js, "makeWallet"), reason="only a page has a wallet, Node has none")


@pytest.fixture
async def js_wallet() -> AsyncGenerator[Any]:
    yield await js.makeWallet(KEY)


def answering(js_wallet: Any, **answer: Any) -> Any:
    js_wallet.answer = to_js(answer, dict_converter=js.Object.fromEntries)
    return js_wallet


def js_address(js_wallet: Any) -> Any:
    """Return the account of the wallet, in upper case as some wallets write it."""
    public_key = derive_public_key(bytes(js_wallet.key.to_py()))
    return "0x" + keccak_256(bytes.fromhex(public_key)[1:])[-20:].hex().upper()


def client(url: str, js_wallet: Any, **auth: Any) -> CircleWsClient:
    builder = CircleWsClientBuilder(url).with_signer(Eip1193Signer(js_wallet)).with_reconnect(backoff=QUICK)
    return builder.with_auth(**auth).with_timeouts(sign=0.3).build()


@pytest.mark.parametrize("profile", ["eip191", "eip191-v0"])
@pytest.mark.parametrize("raw", [False, True], ids=["v", "recovery id"])
async def test_a_wallet_signs_in(peers: Peers, js_wallet: Any, profile: str, raw: bool) -> None:
    """The circle knows the wallet's key, which Python never had; the person saw a harmless text and the nonce."""
    circle = await peers.start("circle", profiles=[profile])
    js_wallet.rawRecoveryId = raw
    async with client(circle.url, js_wallet, profile=profile) as it:
        assert await it.call("echo", ["signed in"]) == "signed in"
        assert await it.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert it.public_key == derive_public_key(KEY)
        asked = js_wallet.asked.to_py()
        assert len(asked) == 2
        assert asked[0] == INTRODUCTION
        await circle.ask("cut_all")
        assert await it.call("echo", ["again"], idempotent=True) == "again"
        assert len(js_wallet.asked) == 3


async def test_a_wallet_signs_bound(peers: Peers, js_wallet: Any) -> None:
    """Where the circle offers it, the person is shown six lines that name the circle."""
    circle = await peers.start("circle", public_url="self")
    async with client(circle.url, js_wallet, policy="require-bound") as it:
        assert await it.call("echo", [1]) == 1
    shown = js_wallet.asked.to_py()[1].splitlines()
    assert shown[:2] == ["circle-bound-eip191-v1", f"audience={circle.url}"]
    assert len(shown) == 6


async def refused(peers: Peers, js_wallet: Any) -> SignerFailed:
    circle = await peers.start("circle")
    it = client(circle.url, js_wallet)
    with pytest.raises(SignerFailed) as caught:
        await it.connect()
    await it.close()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"refuse": 4001}, "the person refused"),
        ({"refuse": 4100}, "connect the page"),
        ({"refuse": -32002}, "asking already"),
        ({"refuse": 5}, "User denied"),
        ({"hang": True}, "sign_timeout"),
        ({"give": "0x00"}, "no signature"),
        ({"give": 42}, "no signature"),
    ],
)
async def test_what_a_wallet_can_do_wrong_is_told(peers: Peers, js_wallet: Any, answer: Any, words: str) -> None:
    """A refusal, silence and nonsense each end in words, and the client is not signed in."""
    failure = await refused(peers, answering(js_wallet, **answer))
    assert words in str(failure)
    told = recorded(failure)
    assert "_personal_sign" in told or "_by_signer" in told
    for secret in (INTRODUCTION, INTRODUCTION.encode().hex(), repr(INTRODUCTION)[1:60]):
        assert secret not in told


async def test_no_frame_holds_what_a_wallet_was_shown(peers: Peers, js_wallet: Any) -> None:
    """Neither the nonce nor a signature that is another's is in the variables that an error tracker records."""
    nonce = "nonce_1234567890_abcdef"
    circle = await peers.start("scripted", answers={"fetch_nonce": {"result": nonce}})
    signer = Eip1193Signer(js_wallet)
    await signer.public_key()
    answering(js_wallet, give="0x" + sign_message(OTHER_KEY, "nonce"))
    it = CircleWsClientBuilder(circle.url).with_signer(signer).without_reconnect().build()
    with pytest.raises(SignerFailed) as caught:
        await it.connect()
    await it.close()
    told = recorded(caught.value)
    for secret in (nonce, nonce.encode().hex(), sign_message(OTHER_KEY, "nonce")):
        assert secret[:20] not in told


async def test_a_wallets_words_are_escaped_and_cut(peers: Peers, js_wallet: Any) -> None:
    """What it throws is text of a peer."""
    answering(js_wallet, refuse=5, message="a\nb\x1b" + "c" * 10_000, **{"as": "object"})
    failure = await refused(peers, js_wallet)
    assert str(failure).isprintable()
    assert len(str(failure)) < 600


@pytest.mark.parametrize("at_once", [False, True], ids=["rejects", "throws"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("error", "the person refused"),
        ("object", "the person refused"),
        ("bare", "the person refused"),
        ("text", "the wallet failed: User denied the request."),
        ("number", "the wallet failed: it gave no reason"),
        ("null", "the wallet failed: it gave no reason"),
        ("nothing", "the wallet failed: it gave no reason"),
    ],
)
async def test_whatever_a_wallet_throws_ends_the_sign_in_at_once(
    peers: Peers, js_wallet: Any, kind: str, words: str, at_once: bool
) -> None:
    """A promise that is rejected with anything but an `Error` is never done to Pyodide; here it is."""
    answering(js_wallet, refuse=4001, atOnce=at_once, **{"as": kind})
    assert str(await refused(peers, js_wallet)).startswith(words)


async def test_an_unknown_code_is_told(peers: Peers, js_wallet: Any) -> None:
    """With the wallet's own words."""
    failure = await refused(peers, answering(js_wallet, refuse=5, **{"as": "object"}))
    assert str(failure) == "the wallet failed: User denied the request. (5)"


async def test_a_locked_wallet_is_told(peers: Peers, js_wallet: Any) -> None:
    """Without an account there is nothing to sign with."""
    js_wallet.locked = True
    assert "no account" in str(await refused(peers, js_wallet))


async def test_a_changed_account_is_told(peers: Peers, js_wallet: Any) -> None:
    """The person chose another account meanwhile: the client does not go on under another name."""
    circle = await peers.start("circle")
    it = client(circle.url, js_wallet)
    await it.connect()
    js_wallet.key = (await js.makeWallet(OTHER_KEY)).key
    await circle.ask("cut_all")
    with pytest.raises(SignerFailed, match="account"):
        await it.call("echo", [1])
    await it.close()


@pytest.mark.parametrize(("chosen", "words"), [(OTHER_KEY, "has changed"), (None, "locked or disconnected")])
async def test_an_account_that_goes_away_ends_the_client(
    peers: Peers, js_wallet: Any, chosen: str | None, words: str
) -> None:
    """At once, in words; the next `connect()` asks for the account anew, and is that of the other one."""
    circle = await peers.start("circle")
    it = client(circle.url, js_wallet)
    await it.connect()
    changes = it.status_changes()
    js_wallet.emit("accountsChanged", to_js([js_address(js_wallet)]))
    assert it.is_connected()
    js_wallet.choose(js.JSON.parse("null") if chosen is None else chosen)
    async for change in changes:
        if change.status is ConnectionStatus.FAILED:
            break
    assert isinstance(it.failure, SignerFailed)
    assert words in str(it.failure)
    assert len(js_wallet.listeners) == 0
    with pytest.raises(Exception, match="gave up|account"):
        await it.call("echo", [1])
    js_wallet.choose(OTHER_KEY)
    await it.connect()
    assert await it.whoami() == {"pubkey": derive_public_key(OTHER_KEY, compressed=True)}
    assert js_wallet.methods.to_py().count("eth_requestAccounts") == 2
    await it.close()
    assert len(js_wallet.listeners) == 0


async def test_a_wallet_that_disconnects_is_asked_anew(peers: Peers, js_wallet: Any) -> None:
    """The client stays signed in; the next sign-in requests the account, and no second introduction."""
    circle = await peers.start("circle")
    async with client(circle.url, js_wallet) as it:
        js_wallet.emit("disconnect", js.Error.new("the wallet is gone"))
        assert await it.call("echo", [1]) == 1
        await circle.ask("cut_all")
        assert await it.call("echo", [2], idempotent=True) == 2
    methods = js_wallet.methods.to_py()
    assert methods.count("eth_requestAccounts") == 2
    assert js_wallet.asked.to_py().count(INTRODUCTION) == 1


async def test_a_wallet_without_events(peers: Peers, js_wallet: Any) -> None:
    """It signs in all the same."""
    circle = await peers.start("circle")
    js.Reflect.deleteProperty(js_wallet, "on")
    async with client(circle.url, js_wallet) as it:
        assert await it.call("echo", [1]) == 1


def detail(js_wallet: Any, **info: Any) -> Any:
    """Return what a wallet announces."""
    js_detail = to_js({"info": info}, dict_converter=js.Object.fromEntries)
    js_detail.provider = js_wallet
    return js_detail


async def test_the_wallets_of_a_page_are_found(js_wallet: Any) -> None:
    """Each once, with its name, icon and maker; what is no announcement is left out."""
    fox = {"uuid": "1", "name": "Fox", "icon": "data:image/svg+xml,<svg/>", "rdns": "example.fox"}
    owl = {"uuid": "2", "name": "Owl", "icon": "https://owl.example/track.png", "rdns": "example.owl"}
    bad: list[dict[str, Any]] = [{"uuid": "3"}, {"uuid": 4, "name": "Cat"}]
    js_stop = js.announceWallets(
        detail(js_wallet, **fox),
        detail(js_wallet, **owl),
        detail(js_wallet, **fox),
        *(detail(js_wallet, **info) for info in bad),
        detail(None, uuid="5", name="Hollow"),
        None,
    )
    try:
        found = await find_wallets(patience=0.01)
    finally:
        js_stop()
    assert [(it.name, it.icon, it.rdns, it.uuid) for it in found] == [
        ("Fox", "data:image/svg+xml,<svg/>", "example.fox", "1"),
        ("Owl", "", "example.owl", "2"),
    ]
    assert repr(found[0]).startswith("Wallet(name='Fox'")
    assert await found[0].signer().public_key() == derive_public_key(KEY)


async def test_a_wallet_that_announces_nothing_is_found(js_wallet: Any) -> None:
    """As `window.ethereum`; a page without one has no wallets."""
    assert await find_wallets(patience=0.01) == []
    js.ethereum = js_wallet
    try:
        (found,) = await find_wallets(patience=0.01)
    finally:
        del js.ethereum
    assert isinstance(found, Wallet)
    assert await found.signer().public_key() == derive_public_key(KEY)


def test_a_page_without_a_wallet_says_so() -> None:
    """There is no `window.ethereum` in this page."""
    with pytest.raises(UnsupportedRuntime, match="no wallet"):
        Eip1193Signer()


async def test_the_pages_own_wallet_is_found(js_wallet: Any) -> None:
    """`window.ethereum` is taken by default."""
    js.ethereum = js_wallet
    try:
        assert await Eip1193Signer().public_key() == derive_public_key(KEY)
    finally:
        del js.ethereum
