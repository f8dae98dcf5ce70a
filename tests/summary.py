# SPDX-License-Identifier: LGPL-2.1-or-later
"""Closes a test run with one line, `123 passed, 0 failed, 4 skipped`, counted from meson's JUnit reports, and
from logs that end in such a line themselves.

usage: summary.py REPORT.xml|LOG...    exits with 1 if anything failed or nothing ran
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def add_log(log, count):
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    last = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", lines[-1] if lines else "")
    if not last or not int(last[1]):
        count["failed"] += 1
        print(f"failed: {log} does not end in a count of what passed")
    for line in lines:
        if line.startswith("FAILED: "):
            print(f"failed: {line.removeprefix('FAILED: ')}")
    for name, number in zip(("passed", "failed", "skipped"), last.groups(default="0") if last else ()):
        count[name] += int(number)


def add_report(report, count):
    blamed = set()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            result = outcome(case)
            count[result] += 1
            if result == "failed":
                blamed |= {
                    suite.get("name"),
                    case.get("name"),
                }  # meson names a test by the one or by the other
                print(f"failed: {case.get('classname')} {case.get('name')}")
    # A program that crashed, or ran out of time, between two cases: only the log beside the report knows.
    with open(report.replace(".junit.xml", ".json"), encoding="utf-8") as log:
        for program in map(json.loads, log):
            if program["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not any(
                b.endswith(program["name"]) for b in blamed
            ):
                count["failed"] += 1
                print(
                    f"failed: {program['name']} ended early "
                    f"({program['result']}, exit status {program['returncode']})"
                )


def main(reports):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for report in reports:
        if not os.path.exists(report):
            count["failed"] += 1
            print(f"failed: {report} was never written")
            continue
        if not report.endswith(".xml"):
            add_log(report, count)
            continue
        add_report(report, count)
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] or not count["passed"] else 0


sys.exit(main(sys.argv[1:]))
