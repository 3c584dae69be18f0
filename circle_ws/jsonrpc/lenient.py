"""A lenient search for the ids in replies that are invalid JSON, or truncated.

The call that such a reply is about fails at once instead of waiting for its time.
"""

from __future__ import annotations

import re

from .messages import INVALID_REQUEST, PARSE_ERROR

__all__ = ["LOOKED_AT", "is_nameless_error", "reply_error", "reply_ids"]

LOOKED_AT = 64 * 1024
"""Maximum number of characters that are looked at, from the beginning of a message."""
_MOST_BRACKETS = 2000
"""Maximum number of brackets that are looked at: each takes a microsecond, in a page up to ten."""
_NO_REPLY = -1

# Possessive throughout: each character is looked at once, whatever the text is.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TO_BRACKET = re.compile(rf'(?s)(?:[^"\[\]{{}}]++|{_STRING})*+([\[\]{{}}])')
_VERSION_OR_ID = r'(?:"jsonrpc"\s*+:\s*+"[^"]*+"|"id"\s*+:\s*+(?:null|"?+[0-9.]++"?+))\s*+,\s*+'
_ERROR = re.compile(rf'\s*+{{\s*+(?:{_VERSION_OR_ID}){{0,2}}"error"\s*+:\s*+')
_CODE = rf'"code"\s*+:\s*+(?:{PARSE_ERROR}|{INVALID_REQUEST})(?=\s*+[,}}])'
_ABOUT_A_MESSAGE = re.compile(rf'{{\s*+(?:"message"\s*+:\s*+{_STRING}\s*+,\s*+)?+{_CODE}')
_NAME = re.compile(r'(?<!\\)"(?:method"\s*+:|id"\s*+:(?!\s*+null))')
# An id that came back as a string or a float is that of its call all the same.
_ID = r'(?:(?P<id>[0-9]{1,18}+)(?:\.0++)?+|"(?P<quoted>[1-9][0-9]{0,17}+)")(?=\s*+[,}])'
_MEMBER = re.compile(rf'(?<!\\)"(?:(?P<method>method)|id)"\s*+:\s*+(?:{_ID})?')


def reply_ids(text: str) -> list[int]:
    """Return the ids of the reply in `text`, or of those in a batch, as far as they are in plain sight.

    An id is the member `id` of the outermost object, or of those in the outermost array; strings and nesting are
    respected. What has a member `method` there is no reply. The time is linear in the beginning that is looked at.
    """
    # A byte order mark may be the reason that it is invalid JSON.
    beginning = text[:LOOKED_AT].lstrip("\ufeff \t\r\n")
    if beginning[:1] not in ("{", "["):
        return []
    members = 1 if beginning[0] == "{" else 2
    ids: list[int] = []
    id: int | None = None
    depth = position = 0
    for _ in range(_MOST_BRACKETS):
        step = _TO_BRACKET.match(beginning, position)
        if step is None:
            break
        if depth == members:
            id = _find_id(beginning, position, step.end(), id)
        position = step.end()
        depth += 1 if step[1] in "[{" else -1
        if depth < members and id is not None:
            ids.append(id)
            id = None
        if depth == 0:
            break
    if depth == members:
        id = _find_id(beginning, position, len(beginning), id)
    return [one for one in (*ids, id) if one is not None and one != _NO_REPLY]


def _find_id(text: str, start: int, end: int, id: int | None) -> int | None:
    """Return the id among the members between two brackets, else the one known before; -1 for what is no reply."""
    for member in _MEMBER.finditer(text, start, end):
        if member["method"] is not None or id == _NO_REPLY:
            id = _NO_REPLY
        elif found := member["id"] or member["quoted"]:
            id = int(found)
    return id


def is_nameless_error(text: str) -> bool:
    """Return whether a text is visibly an error, without an id, of a peer that could not read a message."""
    beginning = text[:LOOKED_AT].lstrip("\ufeff \t\r\n").removeprefix("[")
    start = _ERROR.match(beginning)
    return (
        start is not None
        and _ABOUT_A_MESSAGE.match(beginning, start.end()) is not None
        and _NAME.search(beginning) is None
    )


def reply_error(text: str, length: int) -> str:
    """Return up to `length` characters of the error in a reply that cannot be parsed; empty if none can be found."""
    found = _ERROR.match(text)
    return text[found.end() : found.end() + length] if found is not None else ""
