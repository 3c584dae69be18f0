"""Make the table of hosts from what ran: `python -m tools.support_table REPORT [--check]`.

REPORT is what pytest wrote of `tests/hosts` by --junitxml. A test that tells of a host has a property `support`.
"""

import argparse
import sys
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["PAGE", "table"]

PAGE = Path(__file__).parents[1] / "docs" / "guide" / "hosts.md"
_HEAD = "| host | ran in | sign in, call, reconnect |\n|---|---|---|\n"


def table(report: Path) -> str:
    """Return the table, a row for each test that tells of a host.

    Raises:
        ValueError: A test failed, or no test tells of a host.
    """
    ran, left_out = [], []
    for case in ElementTree.parse(report).iter("testcase"):
        for told in case.iterfind("properties/property[@name='support']"):
            if case.find("failure") is not None or case.find("error") is not None:
                raise ValueError(f"{case.get('name')} failed: there is no table to make")
            skipped = case.find("skipped")
            host, where = told.attrib["value"].split(" | ")
            if skipped is None:
                ran.append(f"| {host} | {where} | passed |\n")
            else:
                left_out.append(f"| {host} | | not run: {skipped.attrib['message']} |\n")
    if not ran:
        raise ValueError(f"no test in {report} tells of a host")
    return _HEAD + "".join(sorted(ran) + left_out)


def main() -> int:
    """Write the table into the page, or check that it is there as what ran says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when the page says otherwise")
    options = parser.parse_args()
    made, page = table(options.report), PAGE.read_text()
    if made in page:
        return 0
    if options.check:
        print(
            f"{PAGE} has not the table of what ran; make it: nox -s hosts -- --write. It is\n\n{made}", file=sys.stderr
        )
        return 1
    start = page.index(_HEAD)
    end = page.index("\n\n", start) + 1
    PAGE.write_text(page[:start] + made + page[end:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
