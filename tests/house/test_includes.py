#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Includes of the tree against the table of floors in CONTRIBUTING.md.

    tests/house/test_includes.py [ROOT]

Speaks TAP. Its claims: a floor includes only floors that the table grants it; what people run includes public
headers and its own alone; no header comes back to itself through the headers it includes.
"""

import os
import re
import sys

import claims

ROOT = (
    sys.argv[1]
    if len(sys.argv) > 1
    else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
)
INCLUDE = re.compile(r'^\s*#include\s+["<]([^">]+)[">]', re.M)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def table():
    """{floor: floors it may include} from the rows `| `lib/x` | what it is | a, b |`."""
    rows = {}
    for line in read("CONTRIBUTING.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        names = re.findall(r"`([a-z/-]+)`", cells[0]) if len(cells) == 3 else []
        for name in names:
            rows[name] = set(re.findall(r"`([a-z/]+)`", cells[2]))
    return rows


def sources(folder):
    for path, _, names in os.walk(os.path.join(ROOT, folder)):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(path, name), ROOT)


def floor_of_file(path, floors):
    """The longest floor that the file stands in: lib/backend/cpu before lib/backend."""
    return max((f for f in floors if path.startswith(f + "/")), key=len, default=None)


def target_of(path, name, floors):
    """The floor of an included file; None: a system header or a public one."""
    local = os.path.join(os.path.dirname(path), name)
    if name.startswith("ebb/") or "/" not in name and not os.path.exists(os.path.join(ROOT, local)):
        return None
    full = (
        os.path.join("lib", name)
        if os.path.exists(os.path.join(ROOT, "lib", name))
        else os.path.normpath(local)
    )
    return floor_of_file(full, floors) if os.path.exists(os.path.join(ROOT, full)) else None


def check_floors(rows):
    wrong = []
    floors = [f for f in rows if f.startswith("lib/")]
    for path in sources("lib"):
        here = floor_of_file(path, floors)
        if path.startswith("lib/include/"):
            continue
        if not here:
            wrong.append(f"{path} stands on no floor of the table")
            continue
        for name in INCLUDE.findall(read(path)):
            there = target_of(path, name, floors)
            if there and there != here and there[len("lib/") :] not in rows[here]:
                wrong.append(f"{path} includes {name}: {here} may not include {there}")
    return wrong


def check_outside(rows):
    wrong = []
    for folder in [f for f in rows if not f.startswith("lib/")]:
        for path in sources(folder):
            for name in INCLUDE.findall(read(path)):
                if os.path.exists(os.path.join(ROOT, "lib", name)) and not name.startswith("ebb/"):
                    wrong.append(f"{path} includes {name}, which is private to the library")
    return wrong


def check_circles():
    headers = {}
    for path in sources("lib"):
        if path.endswith(".h") and not path.startswith("lib/include/"):
            key = path[len("lib/") :]
            headers[key] = [
                n for n in INCLUDE.findall(read(path)) if os.path.exists(os.path.join(ROOT, "lib", n))
            ]

    def walk(name, trail):
        if name in trail:
            return " -> ".join(trail[trail.index(name) :] + [name])
        for other in headers.get(name, []):
            found = walk(other, trail + [name])
            if found:
                return found
        return None

    return [c for c in sorted({walk(name, []) or "" for name in headers}) if c]


def main():
    rows = table()
    found = [
        (
            "the table in CONTRIBUTING.md has a row per floor",
            [f for f in ("lib/base", "lib/recipe", "lib/generate", "lib/process", "tools") if f not in rows],
        ),
        ("every floor includes only what the table grants it", check_floors(rows)),
        ("what people run includes public headers only", check_outside(rows)),
        ("no header includes itself by a detour", check_circles()),
    ]
    claims.report(found)


main()
