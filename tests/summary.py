"""Closes a test run with one line, `123 passed, 0 failed, 4 skipped`, counted from meson's JUnit reports.

usage: summary.py REPORT.xml...    exits with 1 if anything failed or nothing ran
"""
import os
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def main(reports):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for report in reports:
        if not os.path.exists(report):
            count["failed"] += 1
            print(f"failed: {report} was never written")
            continue
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            outcomes = [(case, outcome(case)) for case in suite.iter("testcase")]
            for case, result in outcomes:
                count[result] += 1
                if result == "failed":
                    print(f"failed: {case.get('classname')} {case.get('name')}")
            # A program that died between two cases reports an error for itself alone.
            if int(suite.get("errors", 0)) and all(result != "failed" for _, result in outcomes):
                count["failed"] += 1
                print(f"failed: {suite.get('name')} ended early")
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] or not count["passed"] else 0


sys.exit(main(sys.argv[1:]))
