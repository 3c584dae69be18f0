"""Signing in over a session: drives the flow between the circle and the signer, and remembers what must not be lost.

One lives as long as the client: the first sign-in, every one after a reconnect and every renewal come through here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import TYPE_CHECKING, Any

from ..auth.crypto_utils import format_public_key
from ..auth.flow import Ask, SignIn, SignInOptions, Step, sign_in
from ..auth.keypair import BURST, INTERVAL, KeyPairSigner
from ..auth.signature import SignatureEncoding
from ..errors import (
    CircleWsError,
    ConnectionFailed,
    ConnectionLost,
    InvalidKey,
    MessageTooLarge,
    ProtocolError,
    RpcError,
    SignerFailed,
)
from ..text import Hidden, redacted, shown
from .tasks import cancel_once, result_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..auth.types import Profile, Signer
    from ..config import ClientConfig
    from .session import Session
    from .tasks import UserTasks

__all__ = ["Authenticator"]

_logger = logging.getLogger("circle_ws")

_SIGNATURE = {
    SignatureEncoding.COMPACT: r"[0-9a-f]{128}",
    SignatureEncoding.RECOVERABLE: r"[0-9a-f]{130}",
    SignatureEncoding.DER: r"30(?:[0-9a-f]{2}){7,71}",
}


class Authenticator:
    """Sign in with the configured signer.

    Args:
        config: The options.
        signer: Who signs.
        tasks: Run what the signer does.

    Attributes:
        public_key: The signer's, in the configured profile's form, once it is known.
        phase: Where it is: `nonce`, `sign` or `authenticate`.
        positional: Whether the circle takes params by position, as configured or found out.
    """

    __slots__ = ("_bound", "_config", "_signer", "_tasks", "_told_of_delay", "phase", "positional", "public_key")

    def __init__(self, config: ClientConfig, signer: Signer, tasks: UserTasks) -> None:
        self._config = config
        self._signer = signer
        self._tasks = tasks
        self._bound = False
        self._told_of_delay = False
        self.phase = "sign"
        self.positional = config.params == "positional"
        self.public_key = signer.own_public_key if isinstance(signer, KeyPairSigner) else None

    def expected_delay(self) -> CircleWsError | None:
        """Return what a sign-in that begins now has to wait for before it may sign; None where it need not."""
        if not isinstance(self._signer, KeyPairSigner):
            return None
        delay = self._signer.signing_delay(asyncio.get_running_loop().time())
        return _delayed(delay) if delay > 0 else None

    async def sign_in(self, session: Session, limit: asyncio.Timeout) -> None:
        """Sign in once.

        Args:
            session: Where the circle is asked.
            limit: The limit of the attempt; it stands still while the signer is asked.

        Raises:
            ConnectionFailed: The attempt failed; another may work.
            AuthError: Signing in did not work.
            ProtocolError: The circle's offer of a bound profile is incomplete.
        """
        config, signer = self._config, self._signer
        self.phase = "sign"
        # The signer's own word is asked for every time: a wallet may stand on another account by now.
        if self.public_key is None or not isinstance(signer, KeyPairSigner):
            self.public_key = self._formatted(await self._by_signer(signer.public_key, session, limit))
        options = SignInOptions(
            url=config.url,
            profile=config.signature_profile,
            dialect=config.dialect,
            policy=config.policy,
            can_sign=signer.profiles,
            bound_before=self._bound,
            client_nonce=lambda: os.urandom(16).hex(),
            params="positional" if self.positional else config.params,
        )
        session.signing_in = True
        try:
            await self._drive(sign_in(options, self.public_key), session, limit)
        finally:
            session.signing_in, session.secrets = False, Hidden(())

    def _formatted(self, public_key: str) -> str:
        try:
            return format_public_key(public_key, compressed=self._config.signature_profile.compressed)
        except InvalidKey as error:
            raise SignerFailed("what the signer gave as its public key is none of secp256k1") from error

    async def _drive(self, flow: SignIn, session: Session, limit: asyncio.Timeout) -> None:
        try:
            step = next(flow)
            while True:
                self.phase = step.phase
                answer: Hidden[Any] = Hidden(None)
                refusal: Hidden[RpcError] | None = None
                try:
                    answer = Hidden(await self._perform(step, session, limit))
                except RpcError as error:
                    refusal = Hidden(error)
                # Outside of the handler: what the flow raises must not have the refusal, which may echo a secret, as
                # its context.
                step = flow.send(answer.value) if refusal is None else flow.throw(refusal.value)
        except StopIteration:
            return

    async def _perform(self, step: Step, session: Session, limit: asyncio.Timeout) -> Any:
        if isinstance(step, Ask):
            return await self._ask(step, session)
        session.secrets = Hidden((step.challenge.nonce,))
        await self._take_turn(session, limit)
        signature = Hidden(await self._by_signer(lambda: self._signer.sign(step.challenge), session, limit))
        # Before it is sent: a circle that fails then, and offers nothing any more, must not get a bare one.
        self._bound = self._bound or step.profile.bound
        return _checked(signature, step.profile)

    async def _ask(self, step: Ask, session: Session) -> Any:
        failure: CircleWsError
        cause: CircleWsError | None = None
        session.secrets = step.secrets
        try:
            answer = await session.request(step.method, step.params)
            self.positional = self.positional or type(step.params) is list
            return answer
        except RpcError:
            raise
        except ConnectionLost as error:
            failure, cause = _hung_up(step.phase), redacted(error, step.secrets.value)
        except ProtocolError as error:
            words = f"the server's answer to {step.method} is not JSON-RPC; is this a circle?"
            words = str(error) if isinstance(error, MessageTooLarge) else words
            failure, cause = ConnectionFailed(words, phase=step.phase), redacted(error, step.secrets.value)
        except CircleWsError as error:
            failure = redacted(error, step.secrets.value)
        # Outside of the handlers, and from copies: the frames in which they were raised hold what was sent.
        raise failure from cause

    async def _take_turn(self, session: Session, limit: asyncio.Timeout) -> None:
        """Wait until the key may sign again, where that is limited; no longer than the connection stands."""
        if not isinstance(self._signer, KeyPairSigner):
            return
        loop = asyncio.get_running_loop()
        if (delay := self._signer.signing_delay(loop.time())) > 0:
            _logger.log(logging.INFO if self._told_of_delay else logging.WARNING, "%s", _delayed(delay))
            self._told_of_delay = True
        while (delay := self._signer.signing_delay(loop.time())) > 0:
            await self._apart(session.wakeup.wait(loop.time() + delay), limit)
            if session.loss is not None:
                raise _hung_up(self.phase) from session.loss
        # Taken only now, so that a circle that hangs up meanwhile takes no turn without a signature.
        self._signer.wait_to_sign(loop.time())

    async def _by_signer(self, ask: Callable[[], Awaitable[str]], session: Session, limit: asyncio.Timeout) -> str:
        # A key in this process answers at once: there is nothing to wait for, and no time that it could take.
        at_once = isinstance(self._signer, KeyPairSigner)
        task = None if at_once else await self._apart(self._patiently(ask, session), limit)
        try:
            return await ask() if task is None else result_of(task).value
        except SignerFailed:
            raise
        except Exception as error:
            raise SignerFailed(f"the signer failed or refused: {type(error).__name__}: {shown(str(error))}") from error

    async def _patiently(self, ask: Callable[[], Awaitable[str]], session: Session) -> asyncio.Task[Hidden[str]]:
        """Wait for the signer, who may be a person: up to `sign_timeout`, and while the connection stands."""
        loop, seconds = asyncio.get_running_loop(), self._config.sign_timeout
        until = None if seconds is None else loop.time() + seconds
        # The `repr` of a task that has ended shows its result.
        task = self._tasks.start("the signer", lambda: _hidden(ask()))
        try:
            while not task.done():
                await session.wakeup.wait_for(task, until)
                # No signature is of use on a connection that is lost; the person is asked anew on the next one.
                if session.loss is not None:
                    raise _hung_up(self.phase) from session.loss
                if until is not None and not task.done() and loop.time() >= until:
                    raise SignerFailed(f"the signer did not answer within sign_timeout ({seconds:g} s)")
        finally:
            cancel_once(task)
        return task

    async def _apart(self, wait: Awaitable[Any], limit: asyncio.Timeout) -> Any:
        """Wait for something while the limit of the attempt stands still."""
        loop = asyncio.get_running_loop()
        deadline, began = limit.when(), loop.time()
        limit.reschedule(None)
        try:
            return await wait
        finally:
            if deadline is not None:
                limit.reschedule(loop.time() + max(deadline - began, 0))


async def _hidden(answer: Awaitable[str]) -> Hidden[str]:
    return Hidden(await answer)


def _delayed(seconds: float) -> CircleWsError:
    return CircleWsError(
        f"the sign-in waits {seconds:.1f} s for its turn to sign: in a page a key signs {BURST} times at once and then "
        f"every {INTERVAL:g} s, as its signing takes a time that may tell the key; a wallet has no such limit"
    )


def _hung_up(phase: str) -> ConnectionFailed:
    return ConnectionFailed(f"the server closed the connection during the sign-in ({phase})", phase=phase)


def _checked(signature: Hidden[str], profile: Profile) -> str:
    plain = Hidden(signature.value.lower().removeprefix("0x") if isinstance(signature.value, str) else "")
    if re.fullmatch(_SIGNATURE[profile.encoding], plain.value) is None:
        raise SignerFailed(f"what the signer gave is no signature in the encoding {profile.encoding.value!r}, as hex")
    return plain.value
