"""One attempt: dial, and sign in where there is a signer. The first connect and every reconnect come through here."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from .auth.crypto_utils import format_public_key
from .auth.flow import Ask, SignIn, Step, sign_in
from .auth.keypair import KeyPairSigner
from .auth.profiles import SignatureEncoding
from .errors import ConnectionFailed, ConnectionLost, InvalidKey, ProtocolError, RpcError, SignerFailed
from .transport import TransportOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .auth.types import Signer
    from .config import ClientConfig
    from .session import Session

__all__ = ["Handshake"]

_SIGNATURE = {
    SignatureEncoding.COMPACT: re.compile(r"[0-9a-f]{128}"),
    SignatureEncoding.RECOVERABLE: re.compile(r"[0-9a-f]{130}"),
}


class Handshake:
    """Make one attempt to get a session that is ready for use.

    Args:
        config: The options.
        session: A new one; it becomes the receiver of the transport.
        signing_in: Called when the socket is open and the sign-in begins.

    Attributes:
        phase: Where it is: `open`, `nonce`, `sign` or `authenticate`.
        public_key: The signer's, in the profile's form, once it is known.
    """

    __slots__ = ("_config", "_limit", "_session", "_signing_in", "phase", "public_key")

    def __init__(self, config: ClientConfig, session: Session, signing_in: Callable[[], None]) -> None:
        self._config = config
        self._session = session
        self._signing_in = signing_in
        self._limit = asyncio.timeout(config.open_timeout)
        self.phase = "open"
        self.public_key: str | None = None

    async def run(self) -> None:
        """Dial and sign in, within `open_timeout`; the signer has its own `sign_timeout`.

        Raises:
            ConnectionFailed: The attempt failed; another may work.
            AuthError: Signing in did not work.
        """
        try:
            async with self._limit:
                await self._connect()
                if self._config.signer is not None:
                    self._signing_in()
                    await self._sign_in(self._config.signer)
        except BaseException as error:
            self._session.abort(ConnectionLost.closed(1006, local=True))
            if isinstance(error, TimeoutError) and self._limit.expired():
                raise self._too_slow() from None
            raise

    async def _connect(self) -> None:
        config = self._config
        options = TransportOptions(max_message_bytes=config.max_message_bytes, close_timeout=config.close_timeout)
        self._session.open(await config.transport(config.url, self._session, options))

    async def _sign_in(self, signer: Signer) -> None:
        config = self._config
        profile = config.signature_profile
        self.phase = "sign"
        public_key = await self._by_signer(signer, signer.public_key())
        try:
            self.public_key = format_public_key(public_key, compressed=profile.compressed)
        except InvalidKey as error:
            raise SignerFailed("what the signer gave as its public key is none of secp256k1") from error
        flow = sign_in(url=config.url, public_key=self.public_key, profile=profile, dialect=config.dialect)
        await self._drive(flow, signer)

    async def _drive(self, flow: SignIn, signer: Signer) -> None:
        try:
            step = next(flow)
            while True:
                self.phase = step.phase
                answer: Any = None
                refusal: RpcError | None = None
                try:
                    answer = await self._perform(step, signer)
                except RpcError as error:
                    refusal = error
                # Outside of the handler: what the flow raises must not have the refusal, which may echo a secret, as
                # its context.
                step = flow.send(answer) if refusal is None else flow.throw(refusal)
        except StopIteration:
            return

    async def _perform(self, step: Step, signer: Signer) -> Any:
        if not isinstance(step, Ask):
            return self._checked(await self._by_signer(signer, signer.sign(step.challenge)))
        try:
            return await self._session.request(step.method, step.params)
        except ConnectionLost as error:
            raise ConnectionFailed(
                f"the server closed the connection during the sign-in ({step.phase})", phase=step.phase
            ) from error
        except ProtocolError as error:
            raise ConnectionFailed(
                f"the server's answer to {step.method} is not JSON-RPC; is this a circle?", phase=step.phase
            ) from error

    async def _by_signer(self, signer: Signer, answer: Awaitable[str]) -> str:
        """Wait for the signer, apart from `open_timeout`, which stands still meanwhile."""
        # A key in this process answers at once; in a browser a timer that is not needed would stay for its whole time.
        timeout = None if isinstance(signer, KeyPairSigner) else self._config.sign_timeout
        deadline, now = self._limit.when(), asyncio.get_running_loop().time()
        self._limit.reschedule(None)
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                return await answer
        except SignerFailed:
            raise
        except Exception as error:
            if limit.expired():
                raise SignerFailed(f"the signer did not answer within sign_timeout ({timeout:g} s)") from None
            raise SignerFailed(f"the signer failed or refused: {type(error).__name__}: {error}") from error
        finally:
            if deadline is not None:
                self._limit.reschedule(asyncio.get_running_loop().time() + max(deadline - now, 0))

    def _checked(self, signature: str) -> str:
        encoding = self._config.signature_profile.encoding
        plain = signature.removeprefix("0x").lower() if isinstance(signature, str) else ""
        if _SIGNATURE[encoding].fullmatch(plain) is None:
            raise SignerFailed(f"what the signer gave is no signature in the encoding {encoding.value!r}, as hex")
        return plain

    def _too_slow(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"no connection within open_timeout ({self._config.open_timeout:g} s); it ended while waiting for "
            + {"open": "the WebSocket to open", "nonce": "fetch_nonce", "authenticate": "authenticate"}[self.phase],
            phase=self.phase,
        )
