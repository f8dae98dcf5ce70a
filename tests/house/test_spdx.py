#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every source file says its licence in its first line, or in the second where the first names an
interpreter.

tests/house/test_spdx.py check    names the files that do not; TAP, exit code 1
tests/house/test_spdx.py add      writes the line into those files
"""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINE = "SPDX-License-Identifier: LGPL-2.1-or-later"
MARKS = {
    ".c": "//",
    ".h": "//",
    ".comp": "//",
    ".glsl": "//",
    ".py": "#",
    ".sh": "#",
    ".build": "#",
    ".options": "#",
    ".map": "#",
}
MADE_BY_A_COMPILER = "shaders/generated/"


def listed():
    """Files under version control, without links."""
    rows = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-s", "-z"], capture_output=True, text=True, check=True
    ).stdout
    return [row.split("\t", 1)[1] for row in rows.split("\0") if row and not row.startswith("120000")]


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().splitlines(keepends=True)


def mark_of(path):
    """The mark that begins a comment in this file; None: this is no source file."""
    extension = os.path.splitext(path.removesuffix(".in"))[1]  # x.h.in is what it becomes
    if path.startswith(MADE_BY_A_COMPILER) and extension == ".h":
        return None
    if extension or os.path.basename(path).startswith("."):
        return MARKS.get(extension)
    try:
        return "#" if lines_of(path)[:1] and lines_of(path)[0].startswith("#!") else None
    except UnicodeDecodeError:
        return None


def place(lines):
    return 1 if lines and lines[0].startswith("#!") else 0


def lacking():
    for path in listed():
        mark = mark_of(path) if os.path.exists(os.path.join(ROOT, path)) else None
        lines = lines_of(path) if mark else []
        if mark and lines[place(lines) : place(lines) + 1] != [f"{mark} {LINE}\n"]:
            yield path, mark, lines


def add():
    for path, mark, lines in lacking():
        lines.insert(place(lines), f"{mark} {LINE}\n")
        with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
            file.writelines(lines)


def check():
    if not os.path.exists(os.path.join(ROOT, ".git")):
        print("1..0 # SKIP no checkout: which files are ours is not known")
        return 0
    paths = [path for path, _, _ in lacking()]
    print("1..1")
    for path in paths:
        print(f'# {path}: no line "{LINE}"')
    print(
        "not ok 1 - every source file says its licence"
        if paths
        else "ok 1 - every source file says its licence"
    )
    return 1 if paths else 0


if sys.argv[1:] == ["add"]:
    add()
elif sys.argv[1:] == ["check"]:
    sys.exit(check())
else:
    sys.exit(__doc__)
