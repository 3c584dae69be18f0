"""Ask whether the packages of an environment have known vulnerabilities: `python -m tools.audit`, in that environment.

pip-audit passes over what the vulnerability service does not know, and so finds nothing where it cannot be reached.
Here that is a failure, in words.
"""

import json
import subprocess
import sys
from typing import Any

__all__ = ["findings", "unasked"]

_OURS = "circle-ws"


def findings(report: dict[str, Any]) -> list[str]:
    """Return each known vulnerability of a report: the package, its version, the name, the versions that mend it."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in report["dependencies"]
        for found in package.get("vulns", ())
    ]


def unasked(report: dict[str, Any]) -> list[str]:
    """Return the packages that the service said nothing about; circle-ws itself is no finding."""
    return [it["name"] for it in report["dependencies"] if "skip_reason" in it and it["name"] != _OURS]


def main() -> None:
    """Audit this environment.

    Raises:
        SystemExit: there are findings (1), or not every package could be asked about (3).
    """
    command = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        reason = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"nothing was audited: the vulnerability service cannot be asked from here: {reason[0]}")
        raise SystemExit(3) from None
    if found := findings(report):
        print("\n".join(found))
        raise SystemExit(1)
    if names := unasked(report):
        print(f"not audited, because the vulnerability service cannot be reached or knows nothing: {', '.join(names)}")
        raise SystemExit(3)
    print(f"{len(report['dependencies'])} packages, no known vulnerability")


if __name__ == "__main__":
    main()
