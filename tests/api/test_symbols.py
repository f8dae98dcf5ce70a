#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shared library exports the functions of the public headers, the promised ones and the lab's apart.

test_symbols.py INCLUDE_FOLDER MAP LIBRARY NM    checks; NM may be empty: the library is not looked at
test_symbols.py --write INCLUDE_FOLDER MAP       writes the headers' functions into lib/ebb.map.in
"""

import re
import subprocess
import sys

import headers

UMBRELLAS = {"ebb.h": "EBB_1", "lab.h": "EBB_LAB_"}


def differences(found, expected, where):
    """What is too much and what is missing, in words; None: nothing."""
    more, less = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    parts = [f"only in {where}: {', '.join(more)}"] if more else []
    parts += [f"missing in {where}: {', '.join(less)}"] if less else []
    return "; ".join(parts) or None


def node_of(version):
    return next((umbrella for umbrella, node in UMBRELLAS.items() if version.startswith(node)), None)


def map_symbols(path, umbrella):
    with open(path, encoding="utf-8") as file:
        nodes = re.findall(r"^(\w[\w.@]*) \{(.*?)\}", re.sub(r"#[^\n]*", "", file.read()), flags=re.S | re.M)
    texts = [text for name, text in nodes if node_of(name) == umbrella]
    return [symbol for text in texts for symbol in re.findall(r"(\w+);", text)]


def library_symbols(nm, library):
    """Exported names with their versions."""
    run = subprocess.run([nm, "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    rows = [line.split() for line in run.stdout.splitlines()]
    symbols = [re.split("@+", row[-1]) + [""] for row in rows if row[-2] != "A"]
    return [(symbol[0], symbol[1]) for symbol in symbols]


def one_umbrella_each(folder, *_):
    claimed = [name for umbrella in UMBRELLAS for name in headers.included(folder, umbrella)]
    twice = sorted({name for name in claimed if claimed.count(name) > 1})
    wrong = differences(claimed, set(headers.names(folder)) - {*UMBRELLAS, "export.h"}, "ebb.h and lab.h")
    return wrong or (f"included twice: {', '.join(twice)}" if twice else None)


def no_lab_in_the_promise(folder, *_):
    lab = set(headers.included(folder, "lab.h")) | {"lab.h"}
    wrong = [
        f"{name} includes {part}"
        for name in headers.included(folder, "ebb.h")
        for part in headers.included(folder, name)
        if part in lab
    ]
    return "; ".join(wrong) or None


def no_variables(folder, *_):
    return "; ".join(v for name in headers.names(folder) for v in headers.variables(folder, name)) or None


def map_is_complete(folder, path, *_):
    wrong = [
        differences(map_symbols(path, umbrella), headers.declared(folder, umbrella), f"the map's {node}")
        for umbrella, node in UMBRELLAS.items()
    ]
    return "; ".join(w for w in wrong if w) or None


def library_is_the_headers(folder, _, library, nm):
    found = library_symbols(nm, library)
    wrong = differences(
        [name for name, _ in found],
        [f for u in UMBRELLAS for f in headers.declared(folder, u)],
        "the library",
    )
    for umbrella, node in UMBRELLAS.items():
        of_node = [name for name, version in found if node_of(version) == umbrella]
        wrong = wrong or differences(of_node, headers.declared(folder, umbrella), f"the library's {node}")
    return wrong


def write(folder, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for umbrella, node in UMBRELLAS.items():
        lines = "".join(f"    {f};\n" for f in headers.declared(folder, umbrella))
        text = re.sub(
            rf"^({node}\S* \{{\nglobal:\n).*?(?=^local:|^\}})",
            lambda m, l=lines: m.group(1) + l,
            text,
            flags=re.S | re.M,
        )
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    if sys.argv[1] == "--write":
        write(*sys.argv[2:])
        return 0
    checks = [one_umbrella_each, no_lab_in_the_promise, no_variables, map_is_complete, library_is_the_headers]
    failed = 0
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        if check is library_is_the_headers and not sys.argv[4]:
            print(f"ok {number} - {check.__name__} # SKIP there is no nm")
            continue
        wrong = check(*sys.argv[1:])
        failed += wrong is not None
        print(
            f"# {wrong}\nnot ok {number} - {check.__name__}" if wrong else f"ok {number} - {check.__name__}"
        )
    return 1 if failed else 0


sys.exit(main())
