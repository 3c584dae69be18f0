"""What a person is told of an error: what happened, without advice for programmers."""

from typing import Any

import circle_ws
from circle_ws.text import shown

_PHASES = {
    "open": "while the connection was being opened",
    "nonce": "while signing in",
    "sign": "while waiting for the signature",
    "authenticate": "while signing in",
    "setup": "while signing in",
    "queue": "while the call waited for a connection",
    "reply": "and no answer had come; the circle may have carried it out",
}

_PLAIN: dict[type[BaseException], str] = {
    circle_ws.OutcomeUnknown: "The connection was lost before the answer came. The circle may have carried it out.",
    circle_ws.AuthRejected: "The circle did not accept this key.",
    circle_ws.InvalidKey: "This is no private key: 64 hexadecimal digits are expected.",
    circle_ws.InvalidNonce: "The circle sent something that must not be signed, so the sign-in was stopped.",
    circle_ws.DowngradeDetected: "The circle offers a weaker sign-in than before, so the sign-in was stopped.",
    circle_ws.ClientClosed: "The connection was closed before there was an answer.",
    circle_ws.NotConnected: "There is no connection.",
    circle_ws.QueueFull: "Too many calls are waiting already.",
    circle_ws.MessageTooLarge: "The message is larger than the limit.",
}

_CLOSE_CODES = {
    1000: "The circle closed the connection.",
    1001: "The circle closed the connection because it is going away.",
    1006: "The connection broke off.",
    1008: "The circle closed the connection: it does not allow this.",
    1011: "The circle closed the connection after an error of its own.",
    1012: "The circle is restarting.",
    1013: "The circle is busy and asks to come back later.",
}


def told(error: BaseException) -> dict[str, Any]:
    """Return an error for the page: its name, what happened in words, and the circle's code and data."""
    about: dict[str, Any] = {"name": type(error).__name__, "words": _words(error)}
    if isinstance(error, circle_ws.RpcError):
        about |= {"code": error.code, "data": error.data}
    elif isinstance(error, circle_ws.ConnectionLost):
        about |= {"code": error.code, "reason": error.reason}
    return about


def _words(error: BaseException) -> str:
    if type(error) in _PLAIN:
        return _PLAIN[type(error)]
    match error:
        case circle_ws.RpcError():
            return f"The circle answered: {error.message}"
        case circle_ws.CallTimeout():
            return f"The time was over {_PHASES.get(error.phase, 'before there was an answer')}."
        case circle_ws.ConnectionLost():
            return _lost(error)
        case circle_ws.ConnectionFailed():
            return _failed(error)
        case circle_ws.SignerFailed():
            return _sentence(str(error).partition(";")[0].replace("the person refused", "you refused"))
        case circle_ws.ConfigError():
            return _config(error)
        case circle_ws.InvalidRequest():
            return "This cannot be sent: the method or its params have a form that JSON-RPC does not allow."
        case circle_ws.ProtocolError():
            return "The circle sent something that is not JSON-RPC."
    return "Something failed that should not."


def _lost(error: circle_ws.ConnectionLost) -> str:
    if error.local and error.code == 1000:
        return "A new connection was asked for."
    if error.local:
        return "Nothing arrived from the circle for too long, so the connection was given up."
    words = _CLOSE_CODES.get(error.code, f"The circle closed the connection with code {error.code}.")
    return f"{words[:-1]}: {shown(error.reason)}." if error.reason else words


def _failed(error: circle_ws.ConnectionFailed) -> str:
    if "offline" in str(error):
        return "This browser is offline."
    if error.phase != "open":
        return "The circle broke off the sign-in."
    return "The circle could not be reached."


def _config(error: circle_ws.ConfigError) -> str:
    if error.option == "url":
        return "This is no address of a circle: it begins with ws:// or wss://."
    if error.option == "allow_insecure":
        return "Over ws:// to another machine a sign-in could be taken over: the address must begin with wss://."
    return "This page may not connect to that address."


def _sentence(words: str) -> str:
    words = words.strip()
    return f"{words[:1].upper()}{words[1:]}."
