#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every file and folder that docs/adding.md names is there.

    tests/house/test_adding.py [ROOT]

Speaks TAP. Words in capitals (NAME, FAMILY) stand for any one file.
"""

import glob
import os
import re
import sys

ROOT = (
    sys.argv[1]
    if len(sys.argv) > 1
    else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
)
FOLDERS = ("lib/", "tests/", "docs/", "shaders/", "tools/", "gst-plugin/")


def main():
    with open(os.path.join(ROOT, "docs/adding.md"), encoding="utf-8") as f:
        paths = sorted({word for word in re.findall(r"`([^`\s]+)`", f.read()) if word.startswith(FOLDERS)})
    missing = [p for p in paths if not glob.glob(os.path.join(ROOT, re.sub(r"\b[A-Z]{4,}\b", "*", p)))]
    for path in missing:
        print(f"# {path} is not there")
    print("1..2")
    print(f"{'ok' if len(paths) > 30 else 'not ok'} 1 - docs/adding.md names files")
    print(f"{'not ok' if missing else 'ok'} 2 - every file that docs/adding.md names is there")
    sys.exit(len(paths) <= 30 or bool(missing))


main()
