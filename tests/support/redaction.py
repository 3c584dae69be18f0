"""Fail a test that leaks a secret: private keys, and the nonces and signatures of every sign-in.

What is used is learnt where it passes: in key pairs, in `crypto_utils`, in the sign-in flow. What is told is every log
record, every error of ours that is raised (its text, data, causes, contexts and pickle), and the `repr` of every public
object. Each is looked through as soon as the test is over, and once more at the end for secrets that came later.
"""

import ast
import base64
import functools
import importlib
import logging
import pickle
import pkgutil
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from enum import Enum
from typing import Any

import pytest

import circle_ws
from circle_ws import errors
from circle_ws.auth import crypto_utils, keypair
from circle_ws.auth.flow import Sign

__all__ = ["Secrets", "Watch", "watch"]

_SHORTEST = 8
_TOKEN = re.compile(rf"[0-9a-z_\-+/=:]{{{_SHORTEST},}}")
_BYTES = re.compile(r"""b(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_LIST = re.compile(r"(?:\d{1,3}, ){31}\d{1,3}")
_IGNORED = ("websockets.server",)
"""The servers of the tests run in the same process natively, and their library logs what it gets."""


_PEERS_WORDS = (errors.RpcError, errors.ConnectionLost)
"""Errors that hold the words of the peer as they came, which may echo anything: they count where they leave us."""


class Secrets:
    """The secrets, in all the forms in which they could leak."""

    def __init__(self) -> None:
        self._by_start: dict[str, dict[str, str]] = {}

    def learn_key(self, secret: bytes) -> None:
        """Add a private key: as hex, whole and by halves, as a number, as base64. Bytes are compared as hex."""
        digits = secret.hex()
        self._add(digits, "a private key")
        self._add_part(digits[:32], "a private key")
        self._add_part(digits[32:], "a private key")
        # A small number, as tests have them for keys, may stand anywhere.
        if len(number := str(int(digits, 16))) >= 32:
            self._add(number, "a private key")
        self._add(base64.b64encode(secret).decode(), "a private key")

    def learn_signature(self, signature: str) -> None:
        """Add a signature in hex: whole, and r and s."""
        digits = signature.lower().removeprefix("0x")
        self._add(digits, "a signature")
        self._add_part(digits[:64], "a signature")
        self._add_part(digits[64:128], "a signature")

    def learn_nonce(self, nonce: str) -> None:
        """Add a circle's nonce: as text, and as hex of its text."""
        self._add(nonce, "a nonce")
        self._add(nonce.encode().hex(), "a nonce")

    def find(self, text: str) -> set[str]:
        """Return the names of the secrets in a text."""
        return {found for token in tokens(text) for found in self.find_in_token(token)}

    def find_in_token(self, token: str) -> Iterator[str]:
        """Return the names of the secrets in a run of characters."""
        starts = self._by_start
        # One pass over all positions, of texts that may be megabytes long, and hardly ever a match.
        found = [place for place in range(len(token) - _SHORTEST + 1) if token[place : place + _SHORTEST] in starts]
        for place in found:
            for form, what in starts[token[place : place + _SHORTEST]].items():
                if token.startswith(form, place):
                    yield f"{what} ({form[:4]}...)"

    def _add(self, form: str, what: str) -> None:
        form = form.lower()
        if len(form) >= _SHORTEST and len(set(form)) > 1:
            self._by_start.setdefault(form[:_SHORTEST], {})[form] = what

    def _add_part(self, form: str, what: str) -> None:
        # Half of a key that is a small number is nothing but zeros, which are no secret.
        if len(set(form)) > 5:
            self._add(form, what)


def tokens(text: str) -> Iterator[str]:
    """Return the runs of characters that could contain a secret; bytes and lists of numbers as hex."""
    yield from _TOKEN.findall(text.lower())
    for literal in _BYTES.findall(text):
        with suppress(ValueError, SyntaxError):
            yield ast.literal_eval(literal).hex()
    for numbers in _LIST.findall(text):
        with suppress(ValueError):
            yield bytes(map(int, numbers.split(", "))).hex()


class Watch:
    """The secrets in use, and the texts that leave the library."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self._told: dict[str, str] = {}
        """Of the present test: the texts, and where each was told."""
        self._tokens: dict[str, str] = {}
        """Of the whole session."""
        self._test = "before the first test"

    def begin(self, test: str) -> None:
        """Start a test."""
        self._test = test
        self._told.clear()

    def tell(self, where: str, text: str) -> None:
        """Record a text."""
        self._told.setdefault(text, where)

    def problems(self) -> list[str]:
        """Search the texts of the test."""
        found = list[str]()
        for text, where in list(self._told.items()):
            own = set(tokens(text))
            for token in own:
                self._tokens.setdefault(token, f"{where}, in {self._test}")
            told = {what for token in own for what in self.secrets.find_in_token(token)}
            found += [f"{where} tells {what}: {text[:300]!r}" for what in sorted(told)]
        return found

    def problems_of_all(self) -> list[str]:
        """Search the texts of all tests again, for secrets that became known later."""
        return [
            f"{where} tells {what}"
            for token, where in self._tokens.items()
            for what in self.secrets.find_in_token(token)
        ]

    def tell_error(self, where: str, error: BaseException) -> None:
        """Record an error with all its causes and contexts."""
        seen: list[BaseException] = []
        todo: list[BaseException | None] = [error]
        while todo:
            one = todo.pop()
            if one is None or any(one is other for other in seen):
                continue
            seen.append(one)
            todo += [one.__cause__, one.__context__]
            chained = "" if one is error else f" chained to {type(error).__name__}"
            self._tell_one_error(f"{where}: {type(one).__name__}{chained}", one)

    def _tell_one_error(self, where: str, error: BaseException) -> None:
        self.tell(where, f"{error} {error!r} {error.args!r} {vars(error)!r} {getattr(error, '__notes__', '')}")
        if isinstance(error, errors.CircleWsError):
            with suppress(TypeError, AttributeError, pickle.PicklingError):
                raw = pickle.dumps(error)
                self.tell(f"a pickle of {where}", f"{raw.decode('latin-1')} {raw.hex()}")


watch = Watch()


class _Handler(logging.Handler):
    """Takes every log record, the errors that it carries too."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_IGNORED):
            return
        where = f"a log record of {record.name}"
        watch.tell(where, f"{record.getMessage()} {record.args!r}")
        if record.exc_info and record.exc_info[1]:
            watch.tell_error(where, record.exc_info[1])


def _after(function: Callable[..., Any], look: Callable[..., None]) -> Callable[..., Any]:
    """Call `look` with the arguments and the result of each call."""

    @functools.wraps(function)
    def looked_at(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        look(result, *arguments)
        return result

    return looked_at


def _learn_what_is_used() -> None:
    def learn_signing(signature: str, secret: bytes, *_: Any) -> None:
        watch.secrets.learn_key(secret)
        watch.secrets.learn_signature(signature)

    crypto_utils.sign_digest = _after(crypto_utils.sign_digest, learn_signing)
    keypair.KeyPair.__init__ = _after(  # type: ignore[method-assign]
        keypair.KeyPair.__init__, lambda _, pair, *__: watch.secrets.learn_key(pair._secret)
    )
    authenticator: Any = importlib.import_module("circle_ws.engine.authenticator")
    flow = authenticator.sign_in

    @functools.wraps(flow)
    def sign_in(*arguments: Any) -> Generator[Any, Any, bool]:
        """Pass the steps on, and record the nonce and the signature."""
        steps = flow(*arguments)
        answer: Any = None
        refusal: BaseException | None = None
        while True:
            try:
                step = steps.send(answer) if refusal is None else steps.throw(refusal)
            except StopIteration as end:
                return bool(end.value)
            if isinstance(step, Sign):
                watch.secrets.learn_nonce(step.challenge.nonce)
            answer = refusal = None
            try:
                answer = yield step
            except errors.RpcError as error:
                refusal = error
            if isinstance(step, Sign):
                watch.secrets.learn_signature(answer)

    authenticator.sign_in = sign_in


def _owner(kind: type) -> type:
    """Name the class whose `__init__` an object of this one is made by."""
    return next(one for one in kind.__mro__ if "__init__" in vars(one))


def _see_what_is_made(kind: type, look: Callable[[Any], None]) -> None:
    """Call `look` with each new object of a class, once it is complete."""
    # Asked for in the ordinary way: only then has a frozen dataclass of ours the one it is made with.
    original = kind.__init__ if "__init__" in vars(kind) else None  # type: ignore[misc]

    def made(self: Any, *arguments: Any, **named: Any) -> None:
        if original is not None:
            original(self, *arguments, **named)
        else:
            parent: Any = super(kind, self)
            parent.__init__(*arguments, **named)
        if _owner(type(self)) is kind:
            look(self)

    kind.__init__ = functools.wraps(original)(made) if original is not None else made  # type: ignore[misc]


def _see_objects() -> None:
    def look(it: Any) -> None:
        # One that is not whole yet, as its own class goes on after this one, has no `repr`.
        with suppress(AttributeError):
            watch.tell(f"a {type(it).__name__}", f"{it!r} {it}")

    for kind in _public_classes():
        _see_what_is_made(kind, look)


def _public_classes() -> Iterator[type]:
    """Return our exported classes that have instances of their own."""
    seen = set[type]()
    for found in pkgutil.walk_packages(circle_ws.__path__, "circle_ws."):
        if found.name.startswith(_TOOLS) or _is_for_another_runtime(found.name):
            continue
        module = importlib.import_module(found.name)
        for name in getattr(module, "__all__", ()):
            kind = getattr(module, name)
            if not isinstance(kind, type) or kind in seen or issubclass(kind, BaseException | Enum):
                continue
            if kind.__module__.startswith("circle_ws") and "__init__" in vars(kind) and not _is_protocol(kind):
                seen.add(kind)
                yield kind


def _is_protocol(kind: type) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


_TOOLS = (
    "circle_ws.__main__",
    "circle_ws.bundle",
    "circle_ws.cli",
    "circle_ws.testing.nox",
    "circle_ws.testing.pyodide",
    "circle_ws.testing.pytest",
)
"""What is run, or is for developers only, and may need libraries that a program does not."""

_BROWSER = (
    "circle_ws.transport.pyodide_messages",
    "circle_ws.transport.pyodide_events",
    "circle_ws.transport.pyodide",
    "circle_ws.auth.wallet",
    "circle_ws.sync.jspi",
    "circle_ws.js.client",
    "circle_ws.js.functions",
    "circle_ws.js.options",
    "circle_ws.js.values",
)
_NATIVE = (
    "circle_ws.server",
    "circle_ws.transport.native_connection",
    "circle_ws.transport.native",
    "circle_ws.auth.backend_btclib",
    "circle_ws.auth.backend_coincurve",
)


_NEED_OLDER_PYTHON = {"circle_ws.auth.backend_coincurve": (3, 14)}
"""The modules whose libraries have no wheels from that version on."""


def _is_for_another_runtime(name: str) -> bool:
    if sys.version_info >= _NEED_OLDER_PYTHON.get(name, (4,)):
        return True
    return name.startswith(_NATIVE if sys.platform == "emscripten" else _BROWSER)


def _see_errors() -> None:
    def look(error: Any) -> None:
        if not isinstance(error, _PEERS_WORDS):
            watch.tell_error("an error that was made", error)

    # The base has no `__init__` of its own, and gets one; so an error is seen once, by the class that made it.
    for name in errors.__all__:
        kind = getattr(errors, name)
        if "__init__" in vars(kind) or kind is errors.CircleWsError:
            _see_what_is_made(kind, look)


_ENTRANCES = ("connect", "close", "call", "notify", "play", "whoami", "wait_until_connected", "__aenter__", "__aexit__")


def _see_what_leaves() -> None:
    """Record each error that leaves a client."""

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def method(*arguments: Any, **named: Any) -> Any:
            try:
                return await original(*arguments, **named)
            except errors.CircleWsError as error:
                watch.tell_error("an error that left the client", error)
                raise

        return method

    for name in _ENTRANCES:
        setattr(circle_ws.CircleWsClient, name, guarded(getattr(circle_ws.CircleWsClient, name)))
    _see_what_is_made(circle_ws.StatusChange, _tell_cause)


def _tell_cause(change: circle_ws.StatusChange) -> None:
    if change.cause is not None:
        watch.tell_error("the cause of a change of status", change.cause)


def _see_what_is_raised() -> None:
    """Record each of our errors where it is raised, with its causes and contexts; from Python 3.12 on."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return
    busy = False

    def raised(code: object, offset: int, error: BaseException) -> None:
        nonlocal busy
        if not busy and isinstance(error, errors.CircleWsError) and not isinstance(error, _PEERS_WORDS):
            busy = True
            try:
                watch.tell_error("an error that was raised", error)
            finally:
                busy = False

    tool = 4
    monitoring.use_tool_id(tool, "redaction of circle-ws")
    monitoring.register_callback(tool, monitoring.events.RAISE, raised)
    monitoring.set_events(tool, monitoring.events.RAISE)


@functools.cache
def _look() -> None:
    """Look at everything, once, also where a process runs pytest several times, as one that tests mutants does."""
    _learn_what_is_used()
    _see_objects()
    _see_errors()
    _see_what_leaves()
    _see_what_is_raised()
    logging.getLogger().addHandler(_Handler())
    # So that everything that could be logged is.
    logging.getLogger("circle_ws").setLevel(logging.DEBUG)


def pytest_configure() -> None:
    """Look from here on, before a test imports what is looked at."""
    _look()


@pytest.fixture(autouse=True)
def _nothing_is_told(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail the test that leaks a secret."""
    watch.begin(request.node.nodeid)
    yield
    problems = watch.problems()
    if problems:
        pytest.fail("\n".join(["the test told a secret:", *dict.fromkeys(problems)]), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session if a secret leaked before it was known to be one."""
    problems = watch.problems_of_all()
    if problems and session.exitstatus == 0:
        print("\n".join(["", "a secret was told:", *dict.fromkeys(problems)]), file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
