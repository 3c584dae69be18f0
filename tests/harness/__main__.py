"""Run the suite inside Pyodide: `python -m tests.harness chromium|firefox|node [pytest arguments]`.

The exit code is pytest's own; 3 means that something must be installed first, and 70 that the run did not
come to an end (a crash, or no activity), with a line that begins with `harness:` to say why.
"""

import argparse
import contextlib
import io
import logging
import sys
import tempfile
from pathlib import Path

from circle_ws.bundle import builder
from circle_ws.testing.pyodide.launch import RUNTIMES
from circle_ws.testing.pyodide.run import Run, checked
from circle_ws.testing.pyodide.running import perform
from tests.harness import ours
from tests.harness.pages import run_pages
from tests.peers import PeerHost
from tools.checkout import requirements


def _keep_log() -> io.StringIO:
    """Keep what the peers log, instead of printing it between the lines of pytest."""
    kept = io.StringIO()
    logging.basicConfig(stream=kept, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return kept


def _show_on_failure(code: int, log: io.StringIO) -> int:
    """Print the end of what the peers logged when the run failed; return its exit code."""
    if code != 0 and log.getvalue():
        print(f"harness: the peers logged, at the end:\n{log.getvalue()[-4000:]}", file=sys.stderr, flush=True)
    return code


def _bundle(given: Path | None, stack: contextlib.ExitStack) -> Path:
    """Return the folder with Pyodide and the wheels: the given one, or one that is made for this run."""
    if given:
        return checked(given)
    out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circle-ws-bundle-"))) / "bundle"
    builder.build(out, extra=requirements("suite", "page"))
    return out


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.harness", allow_abbrev=False, epilog="The rest is for pytest."
    )
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a bundle to use; made anew without it")
    parser.add_argument("--coverage", type=Path, metavar="FILE", help="measure coverage and write it there")
    parser.add_argument(
        "--patience", type=float, default=600.0, metavar="SECONDS", help="end a run that is silent for so long"
    )
    parser.add_argument("--smoke", action="store_true", help="run no tests, only load and import circle-ws")
    parser.add_argument(
        "--pages", type=int, default=1, metavar="N", help="so many at once, each with a part of the files"
    )
    parser.add_argument(
        "--add",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take along one more file of the checkout",
    )
    return parser.parse_known_args()


def main() -> int:
    """Do the run that the command line asks for."""
    options, arguments = _options()
    if options.pages > 1:
        return run_pages(options.pages, options.coverage)
    log = _keep_log()
    with contextlib.ExitStack() as stack:
        host = PeerHost()
        stack.callback(host.end_all)

        def make() -> Run:
            folder = _bundle(options.bundle, stack)
            if options.smoke:
                return ours.smoke(options.runtime, folder)
            return ours.suite(
                options.runtime,
                folder,
                arguments,
                host,
                added=[path.resolve() for path in options.add],
                coverage=options.coverage and options.coverage.resolve(),
                patience=options.patience,
            )

        return _show_on_failure(perform(options.runtime, make), log)


if __name__ == "__main__":
    sys.exit(main())
