"""Run the suite again and again, natively and in Chromium at the same time: `nox -s repeat`.

Each keeps the cores busy for the other, and what is done first leaves a busy process on each core in its place. A test
that fails once in twenty runs is a bug: what failed stands at the end, and the whole output in `.cache/repeat`.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from tools.summary import count, failures

__all__ = ["Runs"]

_LOGS = Path(".cache/repeat")


class Runs:
    """The runs of one command, one after the other.

    Args:
        name: What they are called in what is printed.
        command: What is run; its exit code is 0 if nothing failed.
        times: How often it runs.
    """

    def __init__(self, name: str, command: list[str], times: int) -> None:
        self.name = name
        self.done = 0
        self.failed = 0
        self._command = command
        self._times = times

    def go_on(self, others: "list[Runs]") -> None:
        """Run so often; then keep the cores busy until the others have."""
        while self.done < self._times:
            self._run()
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
        try:
            while any(runs.done < runs._times for runs in others):
                time.sleep(1)
        finally:
            for process in busy:
                process.kill()
                process.wait()

    def _run(self) -> None:
        log = _LOGS / f"{self.name}-{self.done + 1:02}.log"
        began = time.monotonic()
        with log.open("w") as output:
            code = subprocess.run(self._command, stdout=output, stderr=subprocess.STDOUT).returncode
        self.done += 1
        self.failed += code != 0
        text = log.read_text(errors="replace")
        passed, failed = count(text)
        took = time.monotonic() - began
        load = os.getloadavg()[0]
        print(f"{self.name} {self.done}: {passed} passed, {failed} failed, code {code}, {took:.0f} s, load {load:.1f}")
        for line in failures(text) if code else []:
            print(f"    {line}")
        sys.stdout.flush()


def main() -> int:
    """Run both; return 1 if any run failed. Arguments: how often, the bundle, how many pages, options of pytest's."""
    times, bundle, pages, *options = sys.argv[1:]
    _LOGS.mkdir(parents=True, exist_ok=True)
    native = [sys.executable, "-m", "pytest", "-q", *options]
    chromium = [sys.executable, "-m", "tests.harness", "chromium", "--bundle", bundle, "--pages", pages, "-q"]
    both = [Runs("native", native, int(times)), Runs("chromium", chromium, int(times))]
    threads = [threading.Thread(target=runs.go_on, args=(both,)) for runs in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for runs in both:
        print(f"{runs.name}: {runs.done} runs, {runs.failed} failed")
    return int(any(runs.failed for runs in both))


if __name__ == "__main__":
    sys.exit(main())
