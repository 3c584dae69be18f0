"""The examination of a way to a circle: first the network by itself, then a real client, watched at work."""

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from urllib.parse import urlsplit

from ...auth.flow import Ask, SignInOptions, sign_in
from ...auth.keypair import KeyPair
from ...auth.profiles import PROFILES
from ...client import CircleWsClient
from ...config import ClientConfig
from ...errors import (
    AuthError,
    AuthRejected,
    CircleWsError,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    InvalidNonce,
    OutcomeUnknown,
    RpcError,
)
from ...jsonrpc.messages import AUTHENTICATION_REQUIRED
from ...transport.native import NativeConnect
from ...urls import ENVIRONMENT, is_plain, normalised, shown_proxy
from . import network, remedies
from .network import Place
from .timeline import Step, Stopwatch, Timeline
from .watch import Exchange, Watch

__all__ = ["examine"]

ROUND_TRIPS = 5
PING_LIMIT = 5.0
"""How long a ping may go unanswered, in seconds; the client itself then asks by `rpc.ping`."""
_PROFILES = ("eip191", "eip191-v0", "sha256-compact", "sha256-der")
_SHOWN = 12
"""Length of the beginning of a public key that is shown."""


def _ignore(step: Step) -> None:
    """Do nothing with a step."""


async def examine(config: ClientConfig, tell: Callable[[Step], None] = _ignore) -> list[Step]:
    """Examine the way to a circle, step by step, up to the first fault that ends it.

    Nothing is called on the circle but `fetch_nonce`, `authenticate`, `rpc.ping` and, without a key, `whoami`. If the
    key is rejected, up to four keys that are made for it sign in, to tell whether the key or the profile is wrong.

    Args:
        config: The options of the client; it is dialled once, without heartbeats.
        tell: Called with each step as soon as it has ended.

    Returns:
        The steps. One that has failed is the last one, except where a key is missing: the rest needs none.
    """
    timeline = Timeline(tell)
    if await _Network(config, timeline).examine():
        await _Circle(config, timeline).examine()
    return timeline.steps


class _Network:
    """DNS, TCP and TLS: of the circle, or of the proxy on the way to it."""

    def __init__(self, config: ClientConfig, timeline: Timeline) -> None:
        self._config = config
        self._timeline = timeline

    async def examine(self) -> bool:
        """Return whether there is a way."""
        config = self._config
        try:
            proxy = NativeConnect().find_proxy(_url(config), config.proxy)
        except ConfigError as error:
            self._timeline.fail("proxy", error, remedies.for_proxy(error))
            return False
        if proxy is not None:
            named = "that the environment names" if config.proxy == ENVIRONMENT else "that was asked for"
            self._timeline.add("proxy", f"{shown_proxy(proxy)}, {named}, is on the way")
        place = Place.of(urlsplit(proxy or normalised(_url(config))), config.open_timeout)
        if not await self._reaches(place):
            return False
        return proxy is not None or is_plain(_url(config)) or await self._secures(place)

    async def _reaches(self, place: Place) -> bool:
        watch = Stopwatch()
        step = "dns"
        try:
            addresses = await network.resolve(place)
            self._timeline.add("dns", _addresses(place.host, addresses), seconds=watch.seconds)
            step, watch = "tcp", Stopwatch()
            address = await network.connect(place)
        except ConnectionFailed as error:
            remedy = remedies.for_network(step, error, place.host, place.port)
            self._timeline.fail(step, error, remedy, seconds=watch.seconds)
            return False
        self._timeline.add("tcp", f"{address} port {place.port} takes connections", seconds=watch.seconds)
        return True

    async def _secures(self, place: Place) -> bool:
        watch = Stopwatch()
        try:
            certificate = await network.handshake(place, self._config.tls or ssl.create_default_context())
        except ConnectionFailed as error:
            seconds = watch.seconds
            remedy = remedies.for_network("tls", error, place.host, place.port)
            if not error.bad_certificate and await network.speaks_http(place):
                remedy = remedies.other_scheme("wss")
            self._timeline.fail("tls", error, remedy, seconds=seconds)
            return False
        if certificate.expires_soon:
            self._timeline.add(
                "tls", certificate.found, seconds=watch.seconds, outcome="warning", remedy=remedies.renew()
            )
        else:
            self._timeline.add("tls", certificate.found, seconds=watch.seconds)
        return True


def _addresses(host: str, addresses: list[str]) -> str:
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return f"{host} is an address" if addresses == [host] else f"{host} is {', '.join(addresses[:3])}{more}"


class _Circle:
    """The WebSocket, the sign-in, heartbeats and calls: by a client, whose transport is watched."""

    def __init__(self, config: ClientConfig, timeline: Timeline) -> None:
        self._given = config
        self._watch = Watch(config.transport)
        self._timeline = timeline
        # One attempt of one connection, and nothing on it that was not asked for here.
        self._config = replace(
            config, transport=self._watch, backoff=None, keepalive=None, first_connect="once", setup=None
        )

    async def examine(self) -> None:
        """Add the steps from `upgrade` on."""
        watch = Stopwatch()
        client = CircleWsClient(self._config)
        try:
            try:
                await client.connect()
            except CircleWsError as error:
                await self._explain(error, client, watch.seconds)
                return
            self._tell_upgrade()
            if self._config.signer is None:
                if not await self._ask_without_key(client):
                    return
            else:
                self._tell_sign_in(client.public_key or "")
            if await self._keeps_alive(client):
                await self._measure(client)
        finally:
            await client.close(drain=0)

    def _tell_upgrade(self) -> None:
        self._timeline.add("upgrade", "the WebSocket is open", seconds=self._watch.seconds)

    # What a connection that failed has shown.

    async def _explain(self, error: CircleWsError, client: CircleWsClient, seconds: float) -> None:
        opened = self._watch.seconds
        if opened is None:
            refused = error if isinstance(error, ConnectionFailed) else ConnectionFailed(str(error))
            self._timeline.fail("upgrade", error, await self._for_upgrade(refused), seconds=seconds)
            return
        self._tell_upgrade()
        await self._explain_sign_in(error, client.public_key or "", seconds - opened)

    async def _explain_sign_in(self, error: CircleWsError, public_key: str, seconds: float) -> None:
        nonce = None if isinstance(error, InvalidNonce) else self._tell_nonce()
        if isinstance(error, AuthRejected):
            remedy = remedies.no_key() if self._config.signer is None else await self._for_rejection(public_key)
        elif self._watch.echoed:
            remedy = remedies.echo()
        else:
            remedy = remedies.for_sign_in(error, fixed=self._config.params != "auto" or self._config.dialect != "auto")
        is_circle = nonce is not None or isinstance(error, AuthRejected)
        self._timeline.fail("sign-in" if is_circle else "circle", error, remedy, seconds=seconds)

    async def _for_upgrade(self, error: ConnectionFailed) -> str:
        config = self._config
        if error.proxy is not None:
            return remedies.for_proxy(error)
        direct = NativeConnect().find_proxy(_url(config), config.proxy) is None
        may_be_tls = direct and is_plain(_url(config)) and error.http_status in (None, 400)
        place = Place.of(urlsplit(normalised(_url(config))), config.open_timeout)
        if may_be_tls and await network.speaks_tls(place):
            return remedies.other_scheme("ws")
        return remedies.for_upgrade(error, place.host, place.port)

    async def _for_rejection(self, public_key: str) -> str:
        """Find out by keys that are made for it whether the key or the profile is wrong."""
        proof = self._watch.asked("authenticate")
        bound = bool(proof) and "profile" in proof[-1].names
        own = self._config.signature_profile.name
        accepted = None
        for profile in (own, *(() if bound else (name for name in _PROFILES if name != own))):
            if await self._accepts(profile):
                accepted = profile
                break
        return remedies.rejection(public_key[:_SHOWN], bound=bound, profile=own, accepted=accepted)

    async def _accepts(self, profile: str) -> bool:
        fresh = replace(
            self._config,
            transport=self._given.transport,
            signer=None,
            private_key=KeyPair.generate(),
            profile=profile,
        )
        client = CircleWsClient(fresh)
        try:
            await client.connect()
        except CircleWsError:
            return False
        finally:
            await client.close(drain=0)
        return True

    # What the sign-in has shown.

    def _tell_nonce(self) -> Exchange | None:
        """Add what `fetch_nonce` has shown; return it, or None if it was not answered."""
        asked = self._watch.asked("fetch_nonce")
        found = next((one for one in asked if one.accepted), None)
        if found is None:
            return None
        self._timeline.add("circle", "it answers fetch_nonce, as a circle does", seconds=found.seconds)
        words = "by position" if found.by_position else "by name"
        refused = "; by name it refuses them, so give those of your calls as a list" if len(asked) > 1 else ""
        self._timeline.add("params", f"it takes params {words}{refused}")
        return found

    def _tell_sign_in(self, public_key: str) -> None:
        nonce = self._tell_nonce()
        proof = next((one for one in self._watch.asked("authenticate") if one.accepted), None)
        if nonce is None or proof is None:
            return
        bound = "profile" in proof.names
        self._timeline.add("dialect", "the bound sign-in" if bound else _dialect(proof))
        self._tell_profile(bound=bound, offered=nonce.offers, profile=self._config.signature_profile.name)
        taken = (proof.answered or 0) - (nonce.answered or 0)
        self._timeline.add("sign-in", f"the key {public_key[:_SHOWN]}... is accepted", seconds=taken)

    def _tell_profile(self, *, bound: bool, offered: bool, profile: str) -> None:
        if bound:
            self._timeline.add("profile", "the signature names the circle, so no other circle can use it")
        elif offered:
            self._timeline.add("profile", f"{profile}; the circle offers bound signatures too, which it does not use")
        else:
            self._timeline.add("profile", f"{profile}; the circle offers no bound signatures")

    async def _ask_without_key(self, client: CircleWsClient) -> bool:
        """Ask for a nonce as a key would that nobody has; nothing is signed. Return whether it is a circle."""
        watch = Stopwatch()
        try:
            await _fetch_nonce(client, self._config)
        except CircleWsError as error:
            await self._explain_sign_in(error, "", watch.seconds)
            return False
        nonce = self._tell_nonce()
        offers = "offers bound signatures" if nonce is not None and nonce.offers else "offers no bound signatures"
        self._timeline.add("profile", f"the circle {offers}")
        watch = Stopwatch()
        try:
            await client.call("whoami")
        except RpcError as error:
            if error.code == AUTHENTICATION_REQUIRED:
                needed = AuthError("the circle requires a sign-in, and no key was given", phase="key")
                self._timeline.fail("sign-in", needed, remedies.no_key(), seconds=watch.seconds)
                return True
        except CircleWsError as error:
            self._timeline.fail("sign-in", error, remedies.for_sign_in(error, fixed=False), seconds=watch.seconds)
            return False
        self._timeline.add("sign-in", "no key was given, and whoami requires none", seconds=watch.seconds)
        return True

    # What the open connection shows.

    async def _keeps_alive(self, client: CircleWsClient) -> bool:
        watch = Stopwatch()
        try:
            if await self._is_pinged():
                self._timeline.add("keep-alive", "a ping is answered", seconds=watch.seconds)
                return True
            await _probe(client)
        except CircleWsError as error:
            self._tell_silence("keep-alive", error, watch.seconds)
            return False
        self._timeline.add(
            "keep-alive",
            f"a ping is not answered within {self._ping_limit:g} s; the request rpc.ping is",
            remedy=remedies.no_pong(),
            outcome="warning",
            seconds=watch.seconds,
        )
        return True

    def _tell_silence(self, name: str, error: CircleWsError, seconds: float) -> None:
        if isinstance(error, OutcomeUnknown):
            # Nothing was asked for whose outcome matters.
            error = ConnectionLost.closed(error.code, error.reason, local=error.local)
        self._timeline.fail(name, error, remedies.for_silence(error), seconds=seconds)

    @property
    def _ping_limit(self) -> float:
        return min(PING_LIMIT, self._config.call_timeout or PING_LIMIT)

    async def _is_pinged(self) -> bool:
        assert self._watch.transport is not None
        try:
            async with asyncio.timeout(self._ping_limit):
                await self._watch.transport.ping()
        except TimeoutError:
            return False
        return True

    async def _measure(self, client: CircleWsClient) -> None:
        whole, taken = Stopwatch(), []
        try:
            for _ in range(ROUND_TRIPS):
                watch = Stopwatch()
                await _probe(client)
                taken.append(watch.seconds * 1000)
        except CircleWsError as error:
            self._tell_silence("round trips", error, whole.seconds)
            return
        words = (
            f"{ROUND_TRIPS} calls took {min(taken):.1f} to {max(taken):.1f} ms each, {median(taken):.1f} in the middle"
        )
        self._timeline.add("round trips", words, seconds=whole.seconds)


def _url(config: ClientConfig) -> str:
    """Return the URL, which on the command line no function returns."""
    return config.fixed_url or ""


def _dialect(proof: Exchange) -> str:
    """Return the dialect in which a sign-in was accepted."""
    if "credentials" in proof.names:
        return "circles-1.0"
    return "baobab" if proof.count > 2 else "hero-0.2"


async def _fetch_nonce(client: CircleWsClient, config: ClientConfig) -> None:
    """Begin a sign-in with a key that is forgotten at once, up to the signature, which is not made."""
    profile = config.signature_profile
    options = SignInOptions(
        url=_url(config),
        profile=profile,
        dialect=config.dialect,
        policy=config.policy,
        can_sign=frozenset(PROFILES),
        bound_before=False,
        client_nonce=lambda: os.urandom(16).hex(),
        params=config.params,
    )
    flow = sign_in(options, KeyPair.generate().format_public_key(compressed=profile.compressed))
    step = next(flow)
    while isinstance(step, Ask):
        try:
            answer = await client.call(step.method, step.params)
        except RpcError as error:
            step = flow.throw(error)
        else:
            step = flow.send(answer)
    flow.close()


async def _probe(client: CircleWsClient) -> None:
    """Call `rpc.ping`; an error is an answer too."""
    try:
        await client.call("rpc.ping")
    except RpcError:
        return
