"""The driver of the sign-in: it performs the steps of `auth.flow`, which does no I/O, with circle and signer."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import TYPE_CHECKING, Any

from ..auth.crypto_utils import format_public_key
from ..auth.flow import Ask, Sign, SignIn, SignInOptions, sign_in
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
from .tasks import cancel_once, deadline_after, result_of, within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..auth.keypair import KeyPair
    from ..auth.types import Signer
    from ..config import ClientConfig
    from .session import Session
    from .tasks import UserTasks

__all__ = ["Authenticator"]

_logger = logging.getLogger("circle_ws.auth")

_SIGNATURE = {
    SignatureEncoding.COMPACT: r"[0-9a-f]{128}",
    SignatureEncoding.RECOVERABLE: r"[0-9a-f]{130}",
    SignatureEncoding.DER: r"30(?:[0-9a-f]{2}){7,71}",
}


class Authenticator:
    """Sign-ins of one client with its signer: the first one, each after a reconnect, and re-authentications.

    Args:
        config: The options.
        signer: The signer.
        tasks: Runs the signer's functions.

    Attributes:
        public_key: The signer's public key, in the configured profile's form, once it is known.
        phase: The step of the latest sign-in: `nonce`, `sign` or `authenticate`.
        positional: Whether the circle takes params by position, as configured or detected.
    """

    __slots__ = (
        "_bound",
        "_config",
        "_limited",
        "_profile",
        "_signer",
        "_tasks",
        "_warned",
        "phase",
        "positional",
        "public_key",
    )

    def __init__(self, config: ClientConfig, signer: Signer, tasks: UserTasks) -> None:
        self._config = config
        self._profile = config.signature_profile
        self._signer = signer
        self._limited = signer.keypair if isinstance(signer, KeyPairSigner) and signer.keypair.limited else None
        """The key, if its rate of signatures is limited."""
        self._tasks = tasks
        self._bound = False
        """Whether a signature was ever bound to the circle: from then on no other is made (no downgrade)."""
        self._warned = False
        self.phase: str = "sign"
        self.positional: bool = config.params == "positional"
        self.public_key = signer.own_public_key if isinstance(signer, KeyPairSigner) else None

    def expected_delay(self) -> CircleWsError | None:
        """Return the reason why a sign-in that begins now would have to wait before it may sign, or None."""
        if self._limited is None:
            return None
        delay = self._limited.signing_delay(asyncio.get_running_loop().time())
        return _delayed(delay) if delay > 0 else None

    def watch_account(self, gone: Callable[[SignerFailed], None]) -> Callable[[], None]:
        """Have the signer call `gone` when the account that signed in is no longer its own; return how to end that."""
        watch: Callable[..., Callable[[], None]] | None = getattr(self._signer, "watch_account", None)
        return _nothing if watch is None else watch(gone)

    async def sign_in(self, session: Session, deadline: float) -> float:
        """Sign in once.

        Args:
            session: The connection.
            deadline: The deadline for the circle, on the event loop's clock; infinity means no limit.

        Returns:
            The deadline, later by the time that the signer took, which has its own `sign_timeout`.

        Raises:
            ConnectionFailed: The attempt failed; another may work.
            AuthError: The sign-in failed.
            ProtocolError: The circle's offer of a bound profile is incomplete.
            DeadlinePassed: The circle did not answer in time.
        """
        loop = asyncio.get_running_loop()
        self.phase = "sign"
        began = loop.time()
        flow = await self._begin(session)
        deadline += loop.time() - began
        session.signing_in = True
        try:
            step = next(flow)
            while True:
                self.phase = step.phase
                answer: Hidden[Any] = Hidden(None)
                refusal: Hidden[RpcError] | None = None
                try:
                    if isinstance(step, Ask):
                        answer = Hidden(await within(deadline, self._ask(step, session)))
                    else:
                        began = loop.time()
                        answer = Hidden(await self._sign(step, session))
                        deadline += loop.time() - began
                except RpcError as error:
                    refusal = Hidden(error)
                # Thrown outside of the handler: the refusal, which may echo a secret, must not become the context of
                # what the flow raises.
                step = flow.send(answer.value) if refusal is None else flow.throw(refusal.value)
        except StopIteration:
            return deadline
        finally:
            session.signing_in, session.secrets = False, Hidden(())

    async def _begin(self, session: Session) -> SignIn:
        config, signer = self._config, self._signer
        # The key is requested every time, because a wallet may have changed its account.
        if self.public_key is None or not isinstance(signer, KeyPairSigner):
            public_key = await self._by_signer(signer.public_key, session)
            try:
                self.public_key = format_public_key(public_key, compressed=self._profile.compressed)
            except InvalidKey as error:
                raise SignerFailed("what the signer gave as its public key is none of secp256k1") from error
        options = SignInOptions(
            url=session.url or "",
            profile=self._profile,
            dialect=config.dialect,
            policy=config.policy,
            can_sign=signer.profiles,
            bound_before=self._bound,
            client_nonce=lambda: os.urandom(16).hex(),
            params="positional" if self.positional else config.params,
        )
        return sign_in(options, self.public_key)

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
        # Raised outside of the handlers, and as copies: the frames of the originals hold what was sent.
        raise failure from cause

    async def _sign(self, step: Sign, session: Session) -> str:
        session.secrets = Hidden((step.challenge.nonce,))
        if self._limited is not None:
            await self._take_turn(self._limited, session)
        signature = Hidden(await self._by_signer(lambda: self._signer.sign(step.challenge), session))
        # Set before the signature is sent: a circle that then fails, and no longer offers bound profiles, must not get
        # a bare signature.
        self._bound = self._bound or step.profile.bound
        encoding = step.profile.encoding
        plain = Hidden(signature.value.lower().removeprefix("0x") if isinstance(signature.value, str) else "")
        if re.fullmatch(_SIGNATURE[encoding], plain.value) is None:
            raise SignerFailed(f"what the signer gave is no signature in the encoding {encoding.value!r}, as hex")
        return plain.value

    async def _take_turn(self, keypair: KeyPair, session: Session) -> None:
        """Wait, while the connection stands, until the key may sign again."""
        loop = asyncio.get_running_loop()
        if (delay := keypair.signing_delay(loop.time())) > 0:
            _logger.log(logging.INFO if self._warned else logging.WARNING, "%s", _delayed(delay))
            self._warned = True
        while (delay := keypair.signing_delay(loop.time())) > 0:
            await session.wakeup.wait(loop.time() + delay)
            if session.loss is not None:
                raise _hung_up(self.phase) from session.loss
        # Reserved only now, so that a connection that was lost meanwhile uses up no signature.
        keypair.wait_to_sign(loop.time())

    async def _by_signer(self, ask: Callable[[], Awaitable[str]], session: Session) -> str:
        # A key in this process signs at once, so it needs no task.
        at_once = isinstance(self._signer, KeyPairSigner)
        task = None if at_once else await self._answered(ask, session)
        try:
            return await ask() if task is None else result_of(task).value
        except SignerFailed:
            raise
        except Exception as error:
            raise SignerFailed(f"the signer failed or refused: {type(error).__name__}: {shown(str(error))}") from error

    async def _answered(self, ask: Callable[[], Awaitable[str]], session: Session) -> asyncio.Task[Hidden[str]]:
        """Return the finished task of a signer, which may be a person, within `sign_timeout`."""
        loop, seconds = asyncio.get_running_loop(), self._config.sign_timeout
        deadline = deadline_after(seconds)
        # The `repr` of a finished task shows its result, so the task is hidden too.
        task = self._tasks.start("the signer", lambda: _hidden(ask()))
        try:
            while not task.done():
                await session.wakeup.wait_for(task, deadline)
                # A signature is useless on a lost connection; the signer is asked again on the next one.
                if session.loss is not None:
                    raise _hung_up(self.phase) from session.loss
                if not task.done() and loop.time() >= deadline:
                    raise SignerFailed(f"the signer did not answer within sign_timeout ({seconds:g} s)")
        finally:
            cancel_once(task)
        return task


def _nothing() -> None:
    """End nothing."""


async def _hidden(answer: Awaitable[str]) -> Hidden[str]:
    return Hidden(await answer)


def _delayed(seconds: float) -> CircleWsError:
    return CircleWsError(
        f"the sign-in waits {seconds:.1f} s for its turn to sign: in a page a key signs {BURST} times at once and then "
        f"every {INTERVAL:g} s, as its signing takes a time that may tell the key; a wallet has no such limit"
    )


def _hung_up(phase: str) -> ConnectionFailed:
    return ConnectionFailed(f"the server closed the connection during the sign-in ({phase})", phase=phase)
