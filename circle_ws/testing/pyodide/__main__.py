"""Run the suite inside Pyodide: `python -m tests.harness chromium|firefox|node [pytest arguments]`.

The exit code is pytest's own; 3 means that something must be installed first, and 70 that the run did not
come to an end (a crash, or no activity), with a line that begins with `harness:` to say why.
"""

import argparse
import asyncio
import contextlib
import io
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from tests.harness.launch import RUNTIMES, Launched, Start, launch
from tests.harness.pages import run_pages
from tests.harness.run import Run, RunFailed, environ
from tests.harness.server import RunServer
from tools import browsers, bundle
from tools.cache import ToolError, requirements

_MISSING = 3
_BROKEN = 70
_INTERRUPTED = 130


def _keep_log() -> io.StringIO:
    """Keep what the peers log, instead of printing it between the lines of pytest."""
    kept = io.StringIO()
    logging.basicConfig(stream=kept, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return kept


async def _execute(run: Run, program: Path) -> int:
    """Do one run and return the exit code of its tests.

    Raises:
        RunFailed: when there is none.
    """
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    server = RunServer(run)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server.serve())
        start = Start(program, f"{server.url}/", run.bundle)
        browser = await stack.enter_async_context(launch(run.runtime, start))
        died = asyncio.create_task(browser.process.wait())
        await server.patience.wait(server.result, died)
        if died.done() and not server.result.done():
            # Its last messages may still be on their way.
            await asyncio.wait({server.result}, timeout=1)
        died.cancel()
        return _outcome(run, server, browser)


def _complain(words: object, code: int) -> int:
    """Print why the run has no result and return the exit code for it."""
    print(f"harness: {words}", file=sys.stderr, flush=True)
    return code


def _show_on_failure(code: int, log: io.StringIO) -> int:
    """Print the end of what the peers logged when the run failed; return its exit code."""
    if code != 0 and log.getvalue():
        print(f"harness: the peers logged, at the end:\n{log.getvalue()[-4000:]}", file=sys.stderr, flush=True)
    return code


def _outcome(run: Run, server: RunServer, browser: Launched) -> int:
    if server.result.done():
        return server.result.result()
    server.result.cancel()
    code = browser.process.returncode
    if code is not None:
        raise RunFailed(f"{run.runtime} ended with code {code} before its tests did:\n{browser.last_words()}")
    raise RunFailed(f"nothing was heard of the page for {run.patience:g} s:\n{browser.last_words()}")


@contextlib.contextmanager
def _bundle(given: Path | None) -> Iterator[Path]:
    """Yield the folder with Pyodide and the wheels: the given one, or one that is made for this run."""
    if given:
        described = json.loads((given / "bundle.json").read_text())
        if described["index_url"] != "pyodide/":
            raise ToolError(f"{given} leaves Pyodide to a CDN; the tests need a bundle that has it")
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="circle-ws-bundle-") as folder:
        out = Path(folder) / "bundle"
        bundle.build(out, extra=requirements("suite", "page"))
        yield out


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
    name = options.runtime
    log = _keep_log()
    try:
        program = browsers.find(name)
        if program is None:
            raise browsers.Missing(browsers.advice(name))
        with _bundle(options.bundle) as folder:
            run = Run(
                name,
                folder,
                arguments,
                coverage=options.coverage and options.coverage.resolve(),
                smoke=options.smoke,
                patience=options.patience,
                environ=environ(name),
                added=[path.resolve() for path in options.add],
            )
            return _show_on_failure(asyncio.run(_execute(run, program)), log)
    except ToolError as error:
        return _complain(error, error.code)
    except browsers.Missing as missing:
        return _complain(missing, _MISSING)
    except RunFailed as failed:
        return _complain(failed, _BROKEN)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _complain("interrupted", _INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
