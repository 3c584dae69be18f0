"""Fuzz one target with atheris, beginning with its corpus: `python -m fuzz TARGET [options of libFuzzer]`.

What it finds is written to the folder of `-artifact_prefix`; mend it, and put the input into the target's corpus. New
inputs that reach new code go to `.cache/fuzz/TARGET`.
"""

import asyncio
import importlib
import logging
import sys
from pathlib import Path

import atheris

from fuzz import TARGETS

_HOME = Path(__file__).resolve().parent


def main() -> None:
    """Fuzz until it is told to stop.

    Raises:
        SystemExit: there is no such target.
    """
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        raise SystemExit(f"python -m fuzz TARGET [options of libFuzzer], where TARGET is one of {', '.join(TARGETS)}")
    with atheris.instrument_imports(include=["circle_ws"]):
        target = importlib.import_module(f"fuzz.{name}")
    found = _HOME.parent / ".cache" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    asyncio.set_event_loop(asyncio.new_event_loop())
    # Each malformed message is a warning, and nearly all of these are malformed.
    logging.disable(logging.CRITICAL)
    options = ["-max_len=512", f"-dict={_HOME / 'inbound.dict'}", f"-artifact_prefix={found}-", *sys.argv[2:]]
    atheris.Setup([sys.argv[0], *options, str(found), str(_HOME / "corpus" / name)], target.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
