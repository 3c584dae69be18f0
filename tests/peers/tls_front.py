"""The peer `tls_front`: takes TLS connections and hands them on, with a certificate that is good or bad in one way."""

import asyncio
import datetime
import ssl
from urllib.parse import urlsplit

import trustme

from tests.peers import kind
from tests.peers.faulty_connection import Faults, FaultyConnection
from tests.peers.stream_peer import StreamPeer

_DAY = datetime.timedelta(days=1)


@kind("tls_front")
class TlsFront(StreamPeer):
    """Stands before a server, as a proxy that ends TLS does.

    Args:
        target: The URL of the server.
        certificate: `good`, `wrong_ca`, `wrong_host`, `expired` or `not_yet_valid`.
    """

    def __init__(self, target: str, certificate: str = "good") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Called for every connection, so the certificate can change while it listens.
        context.sni_callback = self._choose
        super().__init__("wss", urlsplit(target).path, context)
        self._target = urlsplit(target)
        self._authority = trustme.CA()
        self.present(certificate)

    # What tests ask. `count` tells how many connections got through TLS.

    def authority(self) -> str:
        """Return the certificate of the CA that signs the good certificates, in PEM."""
        return self._authority.cert_pem.bytes().decode()

    def present(self, certificate: str) -> None:
        """Use this kind of certificate for new connections."""
        now = datetime.datetime.now(datetime.UTC)
        authority = trustme.CA() if certificate == "wrong_ca" else self._authority
        leaf = authority.issue_cert(
            "circle.example" if certificate == "wrong_host" else "127.0.0.1",
            not_before=now + _DAY if certificate == "not_yet_valid" else now - 2 * _DAY,
            not_after=now - _DAY if certificate == "expired" else now + 2 * _DAY,
        )
        self._chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(self._chosen)

    def _choose(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        tls.context = self._chosen

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await asyncio.open_connection(self._target.hostname, self._target.port)
        await FaultyConnection((reader, writer), server, Faults()).run()
