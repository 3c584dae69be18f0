"""The names of `circle_ws.contrib.opentelemetry` are those of the current semantic conventions."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

from opentelemetry.semconv._incubating.attributes import jsonrpc_attributes, rpc_attributes
from opentelemetry.semconv._incubating.metrics import rpc_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, network_attributes, server_attributes

import circle_ws

PACKAGE = Path(circle_ws.__file__).parent
CONVENTIONS = (
    error_attributes,
    http_attributes,
    jsonrpc_attributes,
    network_attributes,
    rpc_attributes,
    rpc_metrics,
    server_attributes,
)


def used() -> set[str]:
    """The texts in the code that look like names of attributes or metrics, but for our own."""
    texts = {
        node.value
        for path in (PACKAGE / "contrib" / "opentelemetry").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    names = {text for text in texts if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text)}
    return {name for name in names if not name.startswith("circle_ws.")}


def test_every_name_is_one_of_the_conventions() -> None:
    """And none is one of those that are deprecated."""
    known = {
        value: inspect.getsource(module).partition(f"\n{name}: Final")[2].partition('"""')[2]
        for module in CONVENTIONS
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert used() <= set(known)
    assert "rpc.client.call.duration" in used()
    assert not [name for name in used() if known[name].lstrip().startswith("Deprecated")]
    assert rpc_attributes.RpcSystemNameValues.JSONRPC.value == "jsonrpc"


def test_without_the_library_it_says_what_to_install() -> None:
    """In words, instead of the name of a module alone."""
    program = "import sys; sys.modules['opentelemetry'] = None; import circle_ws.contrib.opentelemetry"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert "ImportError: OpenTelemetry needs" in done.stderr
    assert "pip install 'circle-ws[otel]'" in done.stderr
