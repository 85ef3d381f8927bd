"""Fail where a test was skipped, or where none ran: a check that does not run proves nothing."""

import sys
from xml.etree import ElementTree


def main(path: str) -> None:
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))  # noqa: S314 (pytest wrote it a moment ago)
    skipped = [case for case in cases if any(mark.get("type") == "pytest.skip" for mark in case.iter("skipped"))]
    excused = sum(any(mark.get("type") == "pytest.xfail" for mark in case.iter("skipped")) for case in cases)
    if not cases or skipped:
        names = [f"  {case.get('classname')}::{case.get('name')}" for case in skipped]
        sys.exit("\n".join([f"{len(cases)} tests ran, {len(skipped)} were skipped and must not be:", *names]))
    sys.stdout.write(f"{len(cases)} tests, none skipped, {excused} expected to fail\n")


if __name__ == "__main__":
    main(sys.argv[1])
