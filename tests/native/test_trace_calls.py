"""How many functions and modules one call and one connection go through: as many as can be read in one sitting."""

from tools.trace_calls import Trace, trace_call, trace_connect

_CALL = (25, 10)
_CONNECT = (95, 29)
"""The maximum numbers of functions and of modules. How a handshake is read depends on how its bytes come in."""


def _sizes(trace: Trace) -> tuple[int, int]:
    return len(trace.functions), len(trace.modules)


def test_a_call_runs_few_functions() -> None:
    """One call on an open connection can be followed in few functions of few modules."""
    trace = trace_call()
    assert "engine/inbound" in trace.modules, "the reply was not traced"
    assert _sizes(trace)[0] <= _CALL[0] and _sizes(trace)[1] <= _CALL[1], trace.functions


def test_a_connection_runs_few_functions() -> None:
    """Connecting and signing in can be followed in few functions of few modules."""
    trace = trace_connect()
    assert "auth/flow" in trace.modules, "the sign-in was not traced"
    assert _sizes(trace)[0] <= _CONNECT[0] and _sizes(trace)[1] <= _CONNECT[1], trace.functions
