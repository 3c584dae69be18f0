"""What to do about a failure: pure functions from an error of the library to one or two sentences for a person."""

import socket
import ssl

from ...errors import (
    AuthError,
    CircleWsError,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    DowngradeDetected,
    InvalidNonce,
    RpcError,
    SignerFailed,
)
from ...jsonrpc.messages import INVALID_PARAMS, METHOD_NOT_FOUND
from ...text import shown
from ...urls import shown as shown_url
from ..keys import VARIABLE

__all__ = [
    "echo",
    "for_network",
    "for_proxy",
    "for_sign_in",
    "for_silence",
    "for_upgrade",
    "no_key",
    "no_pong",
    "other_scheme",
    "rejection",
    "renew",
]

# Codes of OpenSSL (X509_V_ERR_...), in `SSLCertVerificationError.verify_code`.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64

_RESTARTED = "The circle is restarting or overloaded: try again in a moment; if it goes on, read its log."
_NO_CIRCLE = "Correct the URL, its path too: what answers there is a WebSocket server but does not seem to be a circle."


def for_network(step: str, error: ConnectionFailed, host: str, port: int) -> str:
    """Return what to do about a failure of `dns`, `tcp` or `tls`."""
    cause = error.__cause__
    if step == "tls":
        return _for_tls(cause, host, port)
    if isinstance(cause, socket.gaierror):
        return (
            f"Correct the host {shown(host)} in the URL. If it is right, this machine's DNS does not know it: is it a "
            "name of another network (a VPN, a container), or is this machine offline?"
        )
    if isinstance(cause, ConnectionRefusedError):
        return (
            f"Nothing listens on port {port} of {shown(host)}: start the circle there, or correct the port in the URL."
        )
    if isinstance(cause, TimeoutError) and step == "dns":
        return "The DNS server does not answer: check this machine's network and its resolver."
    if isinstance(cause, TimeoutError):
        return (
            f"Packets to port {port} vanish: a firewall drops them, or the host is down. Open the port there, or dial "
            "from a network that may reach it."
        )
    return f"Check that this machine has a route to {shown(host)}: its network, a VPN, IPv6."


def _for_tls(cause: BaseException | None, host: str, port: int) -> str:
    code = cause.verify_code if isinstance(cause, ssl.SSLCertVerificationError) else None
    if code == _EXPIRED:
        return "Have the server's certificate renewed. Until then no client can tell this server from another one."
    if code == _NOT_YET_VALID:
        return "Set this machine's clock, or wait until the server's certificate begins to be valid."
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return (
            f"Dial the host by a name in its certificate, or have a certificate issued for {shown(host)}. Behind a "
            "proxy that serves several hosts: does it know this one?"
        )
    if code is not None:
        return (
            "No authority that this machine trusts has signed the certificate. If the authority is your own, name it "
            "by --ca-file FILE (with_tls() in a program). Else the server must send its whole chain of certificates."
        )
    return f"Check the port in the URL: does what listens on port {port} speak TLS, in a version from 1.2 on?"


def renew() -> str:
    """Return what to do about a certificate that expires soon."""
    return "Have the certificate renewed before that day: afterwards no client connects."


def other_scheme(scheme: str) -> str:
    """Return what to do if the port speaks the other one of `ws` and `wss`."""
    if scheme == "wss":
        return (
            "The port speaks plain HTTP, not TLS: dial ws:// if the circle is on this machine, or else the port on "
            "which it is served with TLS, often 443."
        )
    return "The port speaks TLS: dial wss:// instead of ws://."


def for_proxy(error: CircleWsError) -> str:
    """Return what to do about a proxy that cannot be used, fails or refuses."""
    if isinstance(error, ConfigError):
        return "Correct the variable of the environment (HTTPS_PROXY, ALL_PROXY ...), or dial directly by --proxy none."
    if isinstance(error, ConnectionFailed) and "HTTP 407" in str(error):
        return "Put the user name and password into the proxy's URL: http://name:password@proxy.example:3128."
    return (
        "Ask who runs the proxy whether it may connect to this host and port (many allow port 443 only), correct the "
        "proxy (--proxy, HTTPS_PROXY, ALL_PROXY), or dial the circle directly by --proxy none or NO_PROXY."
    )


def for_upgrade(error: ConnectionFailed, host: str, port: int) -> str:
    """Return what to do about an opening handshake that failed."""
    status, cause = error.http_status, error.__cause__
    if isinstance(cause, ssl.SSLError):
        # Only behind a proxy; else it is a step of its own.
        return _for_tls(cause, host, port)
    if "the WebSocket handshake failed" in str(error):
        return (
            "The server accepts the WebSocket in a way that a client must refuse: offer a subprotocol that it knows "
            "(--subprotocol), or have the server, or the proxy in front of it, corrected."
        )
    if status is None:
        if cause is None:
            return (
                "The port takes connections and does not answer HTTP: another service may listen there, or the circle "
                "hangs. Correct the port, or read the circle's log."
            )
        return "Another service listens on this port, or it has crashed: correct the port in the URL."
    if 300 <= status < 400:
        if error.location is None:
            return "Ask who runs the server for the circle's address, and dial that."
        # A redirect is often to https://, which a WebSocket is dialled at as wss://.
        to = shown_url(error.location).replace("https://", "wss://", 1).replace("http://", "ws://", 1)
        return f"Dial the address that it redirects to: {shown(to, 200)}"
    return _for_status(status)


def _for_status(status: int) -> str:
    if status < 300:
        return (
            "Correct the URL: a web server answers there with a page. If a circle is behind it, its WebSocket has "
            "another path, or the server must pass on the headers Upgrade and Connection."
        )
    if status in (401, 403):
        return (
            "The server, or one in front of it, lets only some clients in: by a header (--header, or with_headers() in "
            "a program), by address, or by origin. Ask who runs it. It has seen no key yet."
        )
    if status == 404:
        return "Correct the path in the URL: a circle's often is its public key."
    if status in (400, 405, 426):
        return "Correct the path. If it is right, the proxy in front must pass on the headers Upgrade and Connection."
    if status in (408, 425, 429):
        return "Try again later, and less often: the server limits attempts."
    if status >= 500:
        return (
            f"The server is there, and the circle behind it is not, or is overloaded (HTTP {status}): start it, or "
            "read the logs of both."
        )
    return "Correct the URL, or ask who runs the server."


def echo() -> str:
    """Return what to do if the server sends back what it gets."""
    return "Correct the URL: this server only sends back what it gets."


def no_key() -> str:
    """Return what to do if a key is needed and none was given."""
    return f"Set {VARIABLE}, or give --key-file FILE. circle-ws keygen --out FILE makes a key."


def for_sign_in(error: CircleWsError, *, fixed: bool) -> str:
    """Return what to do about a failure after the WebSocket was open. A rejected key needs more: see `rejection`.

    Args:
        error: The failure.
        fixed: Whether the dialect or the form of params was chosen by an option.
    """
    cause = error.__cause__
    if isinstance(cause, RpcError) and cause.code == INVALID_PARAMS and fixed:
        return "Leave out --params and --dialect: the client finds out by itself in which form the circle takes params."
    if isinstance(cause, RpcError) and cause.code == METHOD_NOT_FOUND:
        return "Correct the URL, its path too: this JSON-RPC server has no fetch_nonce, so it is no circle."
    if isinstance(error, DowngradeDetected):
        return (
            "The circle's operator sets its public URL, so that it offers bound signatures; or sign without them here "
            "by --policy prefer-bound, with a key that you use nowhere else."
        )
    if isinstance(error, SignerFailed):
        return "Check the signer."
    if isinstance(cause, ConnectionLost):
        return _for_loss(cause)
    if isinstance(error, ConnectionFailed) and isinstance(cause, RpcError):
        return "Read the circle's log: it has failed inside."
    if isinstance(error, InvalidNonce | AuthError | ConnectionFailed):
        return _NO_CIRCLE
    return "Read the circle's log."


def _for_loss(loss: ConnectionLost) -> str:
    if loss.code in (4401, 4403, 1008):
        return "The circle lets only some clients in: ask its operator about this key, this origin and this address."
    if loss.code in (1001, 1012, 1013):
        return _RESTARTED
    return f"{_NO_CIRCLE} If it is one, its log says why it has closed the connection."


def no_pong() -> str:
    """Return what to do if no ping is answered, but calls are."""
    return (
        "Nothing: the client notices, and from then on sends rpc.ping instead. with_keepalive(mode='rpc') in a program "
        "does so from the beginning. A proxy in front may drop pings."
    )


def for_silence(error: CircleWsError) -> str:
    """Return what to do if the circle is lost, or does not answer, after the sign-in."""
    if isinstance(error, ConnectionLost):
        return _for_loss(error)
    return "The circle took the connection and answers nothing now: read its log, and that of a proxy in front of it."


def rejection(public_key: str, *, bound: bool, profile: str, accepted: str | None) -> str:
    """Return what to do about a key that was rejected.

    Args:
        public_key: The beginning of the public key.
        bound: Whether the signature named the circle.
        profile: The profile that signed.
        accepted: The profile with which the circle accepts a key that it has never seen; None if it accepts none.
    """
    admit = f"Ask the circle's operator to admit the key {public_key}... (circle-ws pubkey prints it whole)"
    if accepted is not None and accepted != profile:
        return f"Sign with --profile {accepted}: so the circle accepts keys, even one that it has never seen."
    if accepted is not None:
        return f"{admit}: the circle accepts other keys in the same way, but not this one."
    if bound:
        return (
            f"{admit}, and to compare the circle's public URL with the one that you dial: the signature names it, and "
            "they must be the same."
        )
    return f"{admit}, and which profile it takes (--profile): it rejects keys that it does not know with every profile."
