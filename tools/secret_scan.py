"""Search the files of the repository for secrets: `nox -s lint`.

detect-secrets looks for all that it knows of in the package, and elsewhere for what is certainly one (keys and tokens
of services, private keys in PEM): the keys and passwords of tests and of documentation are made up, and there are
hundreds. A line that must stay ends with its comment about the allow-list.
"""

import subprocess
import sys

from tools import CHECKOUT

__all__ = ["scan", "tracked"]

_NOT_CERTAIN = (
    "Base64HighEntropyString",
    "BasicAuthDetector",
    "HexHighEntropyString",
    "JwtTokenDetector",
    "KeywordDetector",
)
_SHOWN = r"^(password|CIRCLE_WS_KEY_PASSWORD)$"
"""Values in messages of the package, and the name of a variable."""


def tracked() -> list[str]:
    """Return the files that belong to the repository, those that are not committed yet included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def scan(files: list[str], *options: str) -> int:
    """Search some files and print what is found; return 0 when that is nothing."""
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", *options, *files]
    return subprocess.run(command, cwd=CHECKOUT).returncode if files else 0


def main() -> int:
    """Search all files, or those that the command line names."""
    if not (CHECKOUT / ".git").exists():
        print("this is no checkout of the repository: nothing to search")
        return 0
    files = sys.argv[1:] or tracked()
    package = [name for name in files if name.startswith("circle_ws/")]
    others = [name for name in files if not name.startswith("circle_ws/")]
    options = [part for name in _NOT_CERTAIN for part in ("--disable-plugin", name)]
    return scan(package, "--exclude-secrets", _SHOWN) | scan(others, *options)


if __name__ == "__main__":
    sys.exit(main())
