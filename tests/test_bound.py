"""Signing in with a signature that names its circle: where both sides know how, and where one of them lies."""

import json
import re
from typing import Any

import pytest

from circle_ws import (
    AuthError,
    AuthRejected,
    Challenge,
    CircleWsClient,
    CircleWsError,
    ConnectionStatus,
    DowngradeDetected,
    InvalidNonce,
    ProtocolError,
    RpcError,
    SignerFailed,
)
from circle_ws.auth import PROFILES, derive_public_key, sign_message, verify_signature
from circle_ws.auth.profiles import BOUND, audience, bound_statement
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

S = ConnectionStatus
NONCE = "nonce_1234567890_abcdef"
EXPIRES = 4102444800
OFFER: dict[str, Any] = {"nonce": NONCE, "expires_at": EXPIRES, "auth_profiles": list(BOUND)}
COMPRESSED = derive_public_key(KEY, compressed=True)
LEGACY = [name for name in PROFILES if name not in BOUND]


async def requests(peer: RemotePeer) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await peer.ask("received")]


async def methods(peer: RemotePeer) -> list[str]:
    return [request["method"] for request in await requests(peer)]


async def refused(url: str, **options: Any) -> CircleWsError:
    """Return the error of connecting; a refused client is FAILED with it."""
    it = client(url, **options)
    with pytest.raises(CircleWsError) as caught:
        await it.connect()
    assert it.status is S.FAILED
    assert it.failure is caught.value
    await it.close()
    return caught.value


# Where both sides know a bound profile.


@pytest.mark.parametrize("policy", ["prefer-bound", "require-bound"])
@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
@pytest.mark.parametrize("offered", BOUND)
@pytest.mark.parametrize("configured", PROFILES)
async def test_it_signs_in_bound(peers: Peers, configured: str, offered: str, dialect: str, policy: str) -> None:
    """A circle of either dialect is told the one or the other bound profile, whatever else the client would sign."""
    circle = await peers.start("circle", public_url="self", dialect=dialect, profiles=[offered, *LEGACY])
    if configured in BOUND and configured != offered:
        assert isinstance(await refused(circle.url, profile=configured, policy=policy), DowngradeDetected)
        assert await circle.ask("signed_bound") == []
        return
    async with client(circle.url, profile=configured, policy=policy) as it:
        assert await it.whoami() == {"pubkey": COMPRESSED}
        assert it.public_key == derive_public_key(KEY, compressed=PROFILES[configured].compressed)
    assert await circle.ask("signed_bound") == [COMPRESSED]


@pytest.mark.parametrize("dialect", ["auto", "hero-0.2", "circles-1.0"])
async def test_what_is_sent_is_what_wire_says(peers: Peers, dialect: str) -> None:
    """Nothing but the flat form with its three further members goes out, in every dialect of the client."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": {"result": OFFER}, "authenticate": {"result": {"authenticated": True}}}
    )
    async with client(peer.url, dialect=dialect) as it:
        assert it.is_connected()
    first, second = await requests(peer)
    assert (first["method"], first["params"]) == ("fetch_nonce", {"pubkey": derive_public_key(KEY)})
    assert second["method"] == "authenticate"
    sent = second["params"]
    assert list(sent) == ["pubkey", "signature", "profile", "client_nonce", "expires_at"]
    assert (sent["pubkey"], sent["profile"]) == (COMPRESSED, "circle-bound-v1")
    assert (type(sent["expires_at"]), sent["expires_at"]) == (int, EXPIRES)
    assert re.fullmatch("[0-9a-f]{32}", sent["client_nonce"])
    statement = bound_statement(
        "circle-bound-v1",
        audience=audience(peer.url),
        public_key=COMPRESSED,
        nonce=NONCE,
        client_nonce=sent["client_nonce"],
        expires_at=EXPIRES,
    )
    assert sent["signature"] == sign_message(KEY, statement, "circle-bound-v1")


@pytest.mark.parametrize("dialect", ["auto", "hero-0.2", "circles-1.0"])
async def test_invalid_params_are_the_end(peers: Peers, dialect: str) -> None:
    """-32602 to a bound sign-in is not answered with another form: the signature goes out once."""
    answers = {"fetch_nonce": {"result": OFFER}, "authenticate": {"error": {"code": -32602, "message": "no"}}}
    peer = await peers.start("scripted", answers=answers)
    failure = await refused(peer.url, dialect=dialect)
    assert type(failure) is AuthError
    assert "-32602" in str(failure)
    assert await methods(peer) == ["fetch_nonce", "authenticate"]


@pytest.mark.parametrize("answer", [{"result": False}, {"error": {"code": -32002, "message": "no"}}], ids=repr)
async def test_a_refused_bound_signature_is_not_followed_by_a_legacy_one(peers: Peers, answer: Any) -> None:
    """A circle that offers bound profiles and refuses the signature gets no other."""
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": OFFER}, "authenticate": answer})
    vault = Vault()
    assert isinstance(await refused(peer.url, key=None, signer=vault, first_connect="retry"), AuthRejected)
    assert [challenge.profile for challenge in vault.asked] == ["circle-bound-v1"]
    assert await methods(peer) == ["fetch_nonce", "authenticate"]


async def test_each_sign_in_is_another_one(peers: Peers) -> None:
    """After a reconnect the client's own nonce is a new one too, and the circle lets it in again."""
    circle = await peers.start("circle", public_url="self")
    vault = Vault()
    async with client(circle.url, key=None, signer=vault) as it:
        await circle.ask("cut_all")
        assert await it.call("echo", [1], idempotent=True) == 1
    statements = [challenge.statement.decode().splitlines() for challenge in vault.asked]
    assert len(statements) == 2
    # The last line is the time of expiry, which may be another one too.
    for first, second in zip(*(lines[:5] for lines in statements), strict=True):
        assert (first != second) is first.startswith(("nonce=", "client_nonce="))


async def test_a_signer_sees_what_it_agrees_to(peers: Peers) -> None:
    """The challenge has the six lines, the bytes before hashing, the digest and the URL; the signature verifies."""
    circle = await peers.start("circle", public_url="self", profiles=["circle-bound-eip191-v1"])
    vault = Vault()
    async with client(circle.url, key=None, signer=vault):
        (challenge,) = vault.asked
    profile = PROFILES["circle-bound-eip191-v1"]
    lines = challenge.statement.decode().splitlines()
    assert lines[:4] == [profile.name, f"audience={circle.url}", f"pubkey={COMPRESSED}", f"nonce={challenge.nonce}"]
    assert len(lines) == 6
    assert (challenge.profile, challenge.url) == (profile.name, circle.url)
    assert challenge.message == profile.message(challenge.statement)
    assert challenge.digest == profile.digest(challenge.message)


@pytest.mark.parametrize(
    ("can_sign", "configured", "signed"),
    [
        (["eip191", "circle-bound-eip191-v1"], "eip191", "circle-bound-eip191-v1"),
        (["circle-bound-eip191-v1"], "circle-bound-eip191-v1", "circle-bound-eip191-v1"),
        (["eip191", "circle-bound-v1"], "eip191", "circle-bound-v1"),
        (["eip191", *BOUND], "eip191", "circle-bound-v1"),
        (["eip191"], "eip191", "eip191"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else value,
)
async def test_a_signer_gets_the_first_that_it_can_sign(
    peers: Peers, can_sign: list[str], configured: str, signed: str
) -> None:
    """A wallet that knows only its kind of bound profile is asked for that one; one that knows none, for legacy."""
    circle = await peers.start("circle", public_url="self")
    vault = Vault(*can_sign)
    async with client(circle.url, key=None, signer=vault, profile=configured) as it:
        assert await it.whoami() == {"pubkey": COMPRESSED}
    assert [challenge.profile for challenge in vault.asked] == [signed]
    assert await circle.ask("signed_bound") == ([COMPRESSED] if signed in BOUND else [])


# Offers that are none.


@pytest.mark.parametrize("expires_at", [None, True, 1.5, 1.0, -1, 2**53, "1", [], {}], ids=repr)
@pytest.mark.parametrize("policy", ["prefer-bound", "require-bound"])
async def test_an_offer_without_its_expiry_is_not_signed(peers: Peers, expires_at: Any, policy: str) -> None:
    """Without a whole number of seconds that JavaScript can hold the offer is a `ProtocolError`, for any policy."""
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": {**OFFER, "expires_at": expires_at}}})
    vault = Vault()
    failure = await refused(peer.url, key=None, signer=vault, policy=policy)
    assert type(failure) is ProtocolError
    assert "expires_at" in str(failure)
    assert vault.asked == []
    assert await methods(peer) == ["fetch_nonce"]


async def test_an_offer_that_lacks_its_expiry_is_not_signed(peers: Peers) -> None:
    """The same where the member is not there at all."""
    offer = {name: value for name, value in OFFER.items() if name != "expires_at"}
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": offer}})
    vault = Vault()
    assert type(await refused(peer.url, key=None, signer=vault)) is ProtocolError
    assert vault.asked == []


@pytest.mark.parametrize(
    "nonce",
    [NONCE + "\n", NONCE + "\nexpires_at=1", "a.b.c.d.e.f", "x" * 257, '{"a":"bcdefgh"}', "nonce_１２３４５６７８"],
    ids=range(6),
)
async def test_the_grammar_holds_for_bound_nonces(peers: Peers, nonce: str) -> None:
    """A nonce outside the grammar reaches no signer in a bound sign-in either: it could write lines of its own."""
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": {**OFFER, "nonce": nonce}}})
    vault = Vault()
    assert isinstance(await refused(peer.url, key=None, signer=vault, policy="require-bound"), InvalidNonce)
    assert vault.asked == []


# Policies.

PLAIN: list[Any] = [
    NONCE,
    {"nonce": NONCE},
    {"nonce": NONCE, "expires_at": EXPIRES},
    {**OFFER, "auth_profiles": []},
    {**OFFER, "auth_profiles": ["circle-bound-v2", "eip191", 1, None]},
    {**OFFER, "auth_profiles": "circle-bound-v1"},
    {**OFFER, "auth_profiles": {"circle-bound-v1": True}},
]


@pytest.mark.parametrize("nonce", PLAIN, ids=range(len(PLAIN)))
@pytest.mark.parametrize(
    "options", [{"policy": "require-bound"}, {"profile": "circle-bound-v1"}], ids=["policy", "profile"]
)
async def test_a_circle_that_does_not_offer_gets_nothing(peers: Peers, nonce: Any, options: dict[str, Any]) -> None:
    """Who demands a bound signature gives none at all where it is not offered: `DowngradeDetected`, and no retry."""
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": nonce}, "authenticate": {"result": True}})
    vault = Vault()
    failure = await refused(peer.url, key=None, signer=vault, first_connect="retry", **options)
    assert isinstance(failure, DowngradeDetected)
    assert vault.asked == []
    assert await methods(peer) == ["fetch_nonce"]
    assert await peer.ask("count") == 1


@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
@pytest.mark.parametrize(
    ("policy", "public_url", "bound"),
    [
        ("prefer-bound", "self", True),
        ("prefer-bound", None, False),
        ("require-bound", "self", True),
        ("legacy-only", "self", False),
        ("legacy-only", None, False),
    ],
)
async def test_policies(peers: Peers, dialect: str, policy: str, public_url: str | None, bound: bool) -> None:
    """Each policy against a real circle that offers bound profiles, and one that does not."""
    circle = await peers.start("circle", public_url=public_url, dialect=dialect)
    async with client(circle.url, policy=policy) as it:
        assert await it.whoami() == {"pubkey": COMPRESSED}
    assert await circle.ask("signed_bound") == ([COMPRESSED] if bound else [])


async def test_a_real_circle_without_a_public_url_offers_nothing(peers: Peers) -> None:
    """A circle that does not know its own URL cannot check for it, so `require-bound` ends there."""
    circle = await peers.start("circle")
    vault = Vault()
    failure = await refused(circle.url, key=None, signer=vault, policy="require-bound")
    assert isinstance(failure, DowngradeDetected)
    assert vault.asked == []


# No downgrade on a reconnect.


async def connected_bound(peers: Peers, second: Any) -> tuple[RemotePeer, Vault, CircleWsClient]:
    """A bound connection to a circle that gives another answer to the second `fetch_nonce`."""
    answers = {"fetch_nonce": [{"result": OFFER}, {"result": second}], "authenticate": {"result": True}}
    peer = await peers.start("scripted", answers=answers)
    vault = Vault()
    it = client(peer.url, key=None, signer=vault)
    await it.connect()
    return peer, vault, it


@pytest.mark.parametrize("nonce", PLAIN, ids=range(len(PLAIN)))
async def test_no_downgrade_on_a_reconnect(peers: Peers, nonce: Any) -> None:
    """A circle that offered, and after a reconnect does not any more, ends the client; it gets no second signature."""
    peer, vault, it = await connected_bound(peers, nonce)
    await peer.ask("cut")
    await eventually(lambda: it.status is S.FAILED)
    assert isinstance(it.failure, DowngradeDetected)
    assert len(vault.asked) == 1
    assert await methods(peer) == ["fetch_nonce", "authenticate", "fetch_nonce"]
    await it.close()


async def test_no_downgrade_even_after_failed(peers: Peers) -> None:
    """`connect()` on the failed client starts anew, and still does not fall back: the client remembers."""
    peer, vault, it = await connected_bound(peers, NONCE)
    await peer.ask("cut")
    await eventually(lambda: it.status is S.FAILED)
    await peer.ask("answer", method="fetch_nonce", answer={"result": NONCE})
    with pytest.raises(DowngradeDetected):
        await it.connect()
    assert len(vault.asked) == 1
    await it.close()


async def test_a_real_circle_that_forgets_its_url(peers: Peers) -> None:
    """The same with a real circle; what was queued fails with the reason, and a circle that offers again is fine."""
    circle = await peers.start("circle", public_url="self")
    it = client(circle.url)
    await it.connect()
    await circle.ask("call_itself", url=None)
    await circle.ask("cut_all")
    await eventually(lambda: not it.is_connected())
    failure = await later(it.call("echo", [1]))
    assert isinstance(failure, DowngradeDetected)
    assert it.failure is failure
    await circle.ask("call_itself", url=circle.url)
    await it.connect()
    assert await it.call("echo", [1]) == 1
    await it.close()


@pytest.mark.parametrize(
    "end",
    [
        {"error": {"code": -32603, "message": "internal error"}},
        {"close": 1011},
        {"raw": "not JSON"},
        {"raw": '{"jsonrpc":"2.0","id":$id}'},
        None,
    ],
    ids=["error", "close", "text", "neither", "silence"],
)
@pytest.mark.parametrize("when", ["first", "back", "renewal"])
async def test_no_downgrade_once_a_proof_was_sent(peers: Peers, end: Any, when: str) -> None:
    """A circle that fails on the proof and then offers nothing has shown that it knows: it gets no bare signature."""
    yes, bare, offer = {"result": True}, {"result": NONCE}, {"result": OFFER}
    first = when == "first"
    answers = {
        "fetch_nonce": [offer, bare] if first else [bare, offer, bare],
        "authenticate": [end, yes] if first else [yes, end, yes],
        "f": [{"error": {"code": -32001, "message": "sign in"}}],
    }
    peer = await peers.start("scripted", answers=answers)
    vault = Vault()
    it = client(peer.url, key=None, signer=vault, first_connect="retry", open_timeout=2)
    connecting = later(it.connect())
    if not first:
        await connecting
    if when == "renewal":
        later(it.call("f"))
    elif when == "back":
        await peer.ask("cut")
    await eventually(lambda: it.status is S.FAILED)
    assert isinstance(it.failure, DowngradeDetected)
    assert [challenge.profile for challenge in vault.asked] == ["eip191", "circle-bound-v1"][1 if first else 0 :]
    await connecting
    await it.close()


async def test_no_pin_without_a_proof(peers: Peers) -> None:
    """An offer alone pins nothing: where the signer fails to sign bound, nothing was sent that shows anything."""
    answers = {"fetch_nonce": [{"result": OFFER}, {"result": NONCE}], "authenticate": {"result": True}}
    peer = await peers.start("scripted", answers=answers)
    vault = Failing()
    it = client(peer.url, key=None, signer=vault)
    assert isinstance(await later(it.connect()), SignerFailed)
    await it.connect()
    assert [challenge.profile for challenge in vault.asked] == ["eip191"]
    await it.close()


class Failing(Vault):
    """Cannot sign the first time."""

    failed = False

    async def sign(self, challenge: Challenge) -> str:
        if not self.failed:
            self.failed = True
            raise PermissionError("the person refused")
        return await super().sign(challenge)


async def test_the_other_bound_profile_is_no_downgrade(peers: Peers) -> None:
    """A circle may come back with the other bound profile."""
    other = {**OFFER, "auth_profiles": ["circle-bound-eip191-v1"]}
    peer, vault, it = await connected_bound(peers, other)
    await peer.ask("cut")
    await eventually(lambda: len(vault.asked) == 2 and it.is_connected())
    assert [challenge.profile for challenge in vault.asked] == list(BOUND)
    await it.close()


# What the circle refuses. An anonymous client speaks by hand.


class ByHand:
    """Signs in step by step."""

    def __init__(self, anonymous: CircleWsClient, url: str, key: str = KEY) -> None:
        self._anonymous = anonymous
        self._url = url
        self._key = key
        self.public_key = derive_public_key(key, compressed=True)

    async def fetch(self) -> Any:
        return await self._anonymous.call("fetch_nonce", [self.public_key])

    def proof(self, issued: Any, profile: str = "circle-bound-v1", /, **changes: Any) -> dict[str, Any]:
        """Make a good proof, but for what is changed in the statement and, where it is sent, in the params."""
        said = {
            "audience": audience(self._url),
            "public_key": self.public_key,
            "nonce": issued["nonce"],
            "client_nonce": "0123456789abcdef0123456789abcdef",
            "expires_at": issued["expires_at"],
            **changes,
        }
        return {
            "pubkey": self.public_key,
            "signature": sign_message(self._key, bound_statement(profile, **said), profile),
            "profile": profile,
            "client_nonce": said["client_nonce"],
            "expires_at": said["expires_at"],
        }

    async def authenticate(self, params: Any) -> Any:
        return await self._anonymous.call("authenticate", params)


async def by_hand(peers: Peers, **options: Any) -> tuple[RemotePeer, CircleWsClient, ByHand]:
    circle = await peers.start("circle", **{"public_url": "self", **options})
    anonymous = client(circle.url, key=None)
    await anonymous.connect()
    return circle, anonymous, ByHand(anonymous, circle.url)


async def test_what_a_circle_offers(peers: Peers) -> None:
    """A circle that knows its URL offers the bound profiles that it accepts, in their order, with the expiry."""
    for profiles, offered in (
        (list(PROFILES), list(BOUND)),
        (["circle-bound-eip191-v1", "eip191"], ["circle-bound-eip191-v1"]),
    ):
        _, anonymous, it = await by_hand(peers, profiles=profiles)
        answer = await it.fetch()
        assert set(answer) == {"nonce", "expires_at", "auth_profiles"}
        assert answer["auth_profiles"] == offered
        assert type(answer["expires_at"]) is int
        await anonymous.close()


@pytest.mark.parametrize("profile", BOUND)
async def test_the_circle_accepts_a_good_proof_once(peers: Peers, profile: str) -> None:
    """The good proof is accepted; the same again, with its nonce and its client nonce, is not: the nonce is used up."""
    _, anonymous, it = await by_hand(peers)
    proof = it.proof(await it.fetch(), profile)
    assert await it.authenticate(proof) is True
    assert await it.authenticate(proof) is False
    fresh = await it.fetch()
    # Nor may an old signature be sent for a fresh nonce.
    assert await it.authenticate({**proof, "expires_at": fresh["expires_at"]}) is False
    await anonymous.close()


async def test_a_proof_is_good_on_its_connection_only(peers: Peers) -> None:
    """A nonce belongs to the connection that fetched it: a proof that is copied to another one is refused."""
    circle, anonymous, it = await by_hand(peers)
    async with client(circle.url, key=None) as other:
        proof = it.proof(await it.fetch())
        assert await other.call("authenticate", proof) is False
        assert await ByHand(other, circle.url).fetch() is not None
        assert await other.call("authenticate", proof) is False
    assert await it.authenticate(proof) is True
    await anonymous.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "ws://127.0.0.1:1/"},
        {"audience": "wss://evil.example/"},
        {"audience": ""},
        {"public_key": derive_public_key(OTHER_KEY, compressed=True)},
        {"nonce": NONCE},
        {"expires_at": EXPIRES},
        {"client_nonce": "0123456789ABCDEF0123456789ABCDEF"},
        {"client_nonce": "0123456789abcdef0123456789abcde"},
        {"client_nonce": "0123456789abcdef0123456789abcdef0"},
        {"client_nonce": ""},
        {"client_nonce": "0123456789abcdef0123456789abcdef\n"},
    ],
    ids=lambda changes: "-".join(f"{name}={value!r}"[:40] for name, value in changes.items()),
)
async def test_the_circle_refuses_another_statement(peers: Peers, changes: dict[str, Any]) -> None:
    """A good signature of a statement with another audience, key, nonce or expiry, or a bad client nonce, is refused.

    The circle rebuilds the text from what it knows itself.
    """
    circle, anonymous, it = await by_hand(peers)
    assert await it.authenticate(it.proof(await it.fetch(), **changes)) is False
    assert await circle.ask("signed_bound") == []
    with pytest.raises(RpcError, match="-32001"):
        await anonymous.call("whoami")
    await anonymous.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": EXPIRES},
        {"expires_at": None},
        {"expires_at": "1"},
        {"client_nonce": None},
        {"client_nonce": 7},
        {"client_nonce": "f" * 32},
        {"profile": "circle-bound-eip191-v1"},
        {"profile": "circle-bound-v2"},
        {"profile": "sha256-compact"},
        {"profile": None},
        {"profile": ""},
        {"pubkey": derive_public_key(OTHER_KEY, compressed=True)},
        {"signature": "00" * 64},
        {"signature": ""},
    ],
    ids=repr,
)
async def test_the_circle_refuses_changed_params(peers: Peers, changes: dict[str, Any]) -> None:
    """A good proof of which one member was changed on its way is refused."""
    _, anonymous, it = await by_hand(peers)
    proof = {**it.proof(await it.fetch()), **changes}
    assert await it.authenticate(proof) is False
    await anonymous.close()


async def test_a_key_in_the_other_form_is_the_same_key(peers: Peers) -> None:
    """Circles compare points: the uncompressed key on the wire is the same key; the statement has the compressed."""
    _, anonymous, it = await by_hand(peers)
    proof = it.proof(await it.fetch())
    assert await it.authenticate({**proof, "pubkey": derive_public_key(KEY).upper()}) is True
    await anonymous.close()


async def test_the_circle_refuses_an_expired_nonce(peers: Peers) -> None:
    """After its lifetime, here none at all, a nonce is void for a bound proof too."""
    _, anonymous, it = await by_hand(peers, nonce_lifetime=0)
    assert await it.authenticate(it.proof(await it.fetch())) is False
    await anonymous.close()


async def test_the_circle_refuses_the_profiles_it_does_not_offer(peers: Peers) -> None:
    """Without a public URL, or without the profile, every bound proof is refused."""
    for options in ({"public_url": None}, {"profiles": ["eip191", "circle-bound-eip191-v1"]}):
        _, anonymous, it = await by_hand(peers, **options)
        answer = await it.fetch()
        nonce = answer if isinstance(answer, dict) else {"nonce": answer, "expires_at": EXPIRES}
        assert await it.authenticate(it.proof(nonce)) is False
        await anonymous.close()


@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
async def test_the_circle_refuses_legacy_of_a_key_that_ever_signed_bound(
    peers: Peers, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that signed bound once can, so its bare signature was relayed; other keys may still sign legacy."""
    monkeypatch.setattr("circle_ws.auth.keypair.BURST", 10)
    circle = await peers.start("circle", public_url="self", dialect=dialect)
    async with client(circle.url, policy="legacy-only") as it:
        assert it.is_connected()
    async with client(circle.url) as it:
        assert it.is_connected()
    for profile in LEGACY:
        failure = await refused(circle.url, policy="legacy-only", profile=profile)
        assert isinstance(failure, AuthRejected)
    async with client(circle.url, key=OTHER_KEY, policy="legacy-only") as it:
        assert it.is_connected()
    async with client(circle.url) as it:
        assert it.is_connected()


async def test_a_refused_bound_proof_does_not_lock_a_key_out(peers: Peers) -> None:
    """A bad proof by another party does not take the legacy sign-in from a key."""
    circle, anonymous, it = await by_hand(peers)
    proof = it.proof(await it.fetch(), audience="wss://evil.example/")
    assert await it.authenticate(proof) is False
    async with client(circle.url, policy="legacy-only") as legacy:
        assert legacy.is_connected()
    await anonymous.close()


async def test_two_circles_have_two_signatures(peers: Peers) -> None:
    """One client for each of two circles: each gets a statement with its own URL, path included."""
    vault = Vault()
    for path in ("", "02ab", "02ac"):
        circle = await peers.start("circle")
        url = circle.url + path
        await circle.ask("call_itself", url=url)
        async with client(url, key=None, signer=vault, policy="require-bound") as it:
            assert it.is_connected()
        assert f"\naudience={url}\n" in vault.asked[-1].statement.decode()
        # Dialled at another path than it is known under, the same circle refuses.
        failure = await refused(circle.url + "elsewhere", key=None, signer=vault, policy="require-bound")
        assert isinstance(failure, AuthRejected)
    assert len({challenge.statement for challenge in vault.asked}) == 6


def test_the_vault_signs_what_verifies() -> None:
    """The signer of these tests is an honest one."""
    statement = b"nonce_01"
    assert verify_signature(COMPRESSED, statement, sign_message(KEY, statement, "circle-bound-v1"), "circle-bound-v1")
