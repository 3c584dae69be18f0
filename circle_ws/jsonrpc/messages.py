"""The members of a JSON-RPC 2.0 message: how they are written, and the one check of what comes in."""

from __future__ import annotations

from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from ..errors import InvalidRequest, ProtocolError, RpcError
from . import codec as json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "AUTHENTICATION_REQUIRED",
    "EXECUTION_FAILED",
    "INTERNAL_ERROR",
    "INVALID_CREDENTIALS",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "Kind",
    "LIMIT_EXCEEDED",
    "MAX_BATCH",
    "MAX_ID",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "Params",
    "error",
    "kind_of",
    "notification",
    "request",
    "result",
    "rpc_error",
]

Params: TypeAlias = "list[Any] | tuple[Any, ...] | dict[str, Any] | DataclassInstance | msgspec.Struct | None"
"""The types of `params`: a list or a tuple (by position), a dict, a dataclass or a Struct (by name), or left out."""
MAX_BATCH = 1000
"""Maximum number of members of a batch, in both directions."""
MAX_ID = 1024
"""Maximum length of an incoming request's id, in characters: the reply, which is bounded, repeats it."""

# JSON-RPC 2.0 section 5.1, and those of circles.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
EXECUTION_FAILED = -32000
AUTHENTICATION_REQUIRED = -32001
INVALID_CREDENTIALS = -32002
LIMIT_EXCEEDED = -32005

_CONTAINERS = (list, tuple, dict)
_STRUCTURED = (list, dict, type(None))
_BOTH_OR_NEITHER = "a reply has both a result and an error, or neither"


class Kind(Enum):
    """The kind of an incoming message (JSON-RPC 2.0 sections 4 and 5)."""

    RESULT = "result"
    ERROR = "error"
    NOTIFICATION = "notification"
    REQUEST = "request"


def request(id: int | None, method: str, params: Params = None) -> str:
    """Write a request; with the id None it is a notification.

    Raises:
        InvalidRequest: The method is not a text, or the params cannot be written as JSON.
    """
    if type(method) is not str or not method:
        raise InvalidRequest(f"a method is named by a text that is not empty, not by {method!r}")
    if params is not None and not isinstance(params, _CONTAINERS):
        params = _other_params(params)
    named = "" if id is None else f'"id":{id},'
    given = "" if params is None else f',"params":{json.encode(params)}'
    return f'{{"jsonrpc":"2.0",{named}"method":{_encoded(method)}{given}}}'


def notification(method: str, params: Params = None) -> str:
    """Write a notification: a request that is not answered.

    Raises:
        InvalidRequest: The method is not a text, or the params cannot be written as JSON.
    """
    return request(None, method, params)


def result(id: Any, value: Any) -> str:
    """Write a successful reply.

    Raises:
        InvalidRequest: `value` cannot be written as JSON.
    """
    text = json.encode(value, "the result")
    return f'{{"jsonrpc":"2.0","id":{json.encode(id)},"result":{text}}}'


def error(id: Any, failure: RpcError) -> str:
    """Write an error reply.

    Raises:
        InvalidRequest: The error's data cannot be written as JSON.
    """
    body: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.data is not None:
        body["data"] = failure.data
    text = json.encode(body, "the error")
    return f'{{"jsonrpc":"2.0","id":{json.encode(id)},"error":{text}}}'


def kind_of(message: Any) -> Kind:
    """Check the envelope of a decoded message and return its kind.

    Raises:
        ProtocolError: It is not a valid JSON-RPC 2.0 message; the error names the member.
    """
    if type(message) is not dict:
        raise ProtocolError("a message is not a JSON object")
    if message.get("jsonrpc") != "2.0":
        raise ProtocolError('a message lacks "jsonrpc": "2.0"')
    if "method" in message:
        return _kind_of_request(message)
    if "id" not in message:
        raise ProtocolError("a message has neither an id nor a method")
    if "error" not in message:
        if "result" not in message:
            raise ProtocolError(_BOTH_OR_NEITHER)
        return Kind.RESULT
    # JSON-RPC 2.0 has only one of the two; with a null for the other the meaning is plain.
    if message["error"] is None and "result" in message:
        return Kind.RESULT
    if message.get("result") is not None:
        raise ProtocolError(_BOTH_OR_NEITHER)
    _check_error(message["error"])
    return Kind.ERROR


def rpc_error(message: dict[str, Any]) -> RpcError:
    """Make the exception for a checked reply of kind ERROR."""
    body = message["error"]
    return RpcError(body["code"], body["message"], body.get("data"))


def _kind_of_request(message: dict[str, Any]) -> Kind:
    if type(message["method"]) is not str:
        raise ProtocolError("a request's method is not a string")
    # JSON-RPC 2.0 has no null here, but what is meant is plain: no params.
    if type(message.get("params")) not in _STRUCTURED:
        raise ProtocolError("a request's params are neither an array nor an object")
    if "id" not in message:
        return Kind.NOTIFICATION
    id = message["id"]
    if type(id) not in (str, int, float, type(None)):
        raise ProtocolError("a request's id is neither a string nor a number")
    if type(id) is str and len(id) > MAX_ID:
        raise ProtocolError(f"a request's id of {len(id)} characters is over the maximum of {MAX_ID}")
    return Kind.REQUEST


def _check_error(body: Any) -> None:
    if type(body) is not dict or type(body.get("code")) is not int or type(body.get("message")) is not str:
        raise ProtocolError("a reply's error is not an object with an integer code and a string message")


def _other_params(params: Any) -> Params:
    """Return params that are no plain container: a dataclass or a Struct as it is, JavaScript's converted."""
    if isinstance(params, msgspec.Struct) or (is_dataclass(params) and not isinstance(params, type)):
        return params
    converted: Params = json.from_javascript(params)
    if converted is not None and not isinstance(converted, _CONTAINERS):
        advice = (
            "make one of it, with .to_py() or by hand" if hasattr(params, "to_py") else "put a single value into a list"
        )
        raise InvalidRequest(
            "params are a list or a tuple (by position), or a dict, a dataclass or a Struct (by name), "
            f"not {type(params).__name__}; {advice}"
        )
    return converted


@lru_cache
def _encoded(method: str) -> str:
    """Encode a method's name, of which a program uses few."""
    return json.encode(method, "the method")
