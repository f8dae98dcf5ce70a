#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every file and folder that docs/adding.md names is there, and its examples touch what their sections say.
Every file that docs/architecture.md names is there, and every function is in a file beside which it stands.

    tests/house/test_adding.py [ROOT]

Speaks TAP. Words in capitals (NAME, FAMILY) stand for any one file.
"""

import fnmatch
import glob
import os
import re
import sys

import claims

ROOT = (
    sys.argv[1]
    if len(sys.argv) > 1
    else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
)
FOLDERS = ("lib/", "tests/", "docs/", "shaders/", "tools/", "gst-plugin/")


# The examples: section, what to search for, where.
EXAMPLES = (
    ("A knob", r'"variance"', ("lib", "tools", "gst-plugin")),
    ("A sampler", r"gradient-estimation", ("lib", "tools", "gst-plugin", "tests/diffusion")),
    ("An op", r"layer_norm|LAYER_NORM", ("lib/backend", "lib/graph", "shaders", "tests/backend")),
    ("A block", r"SkipDownBlock2D|BLOCK_SKIP|ebb_skip_", ("lib", "tests/diffusers", "tests/model")),
)
SOURCES = (".c", ".h", ".def", ".comp", "meson.build")


def named(text):
    return sorted({word for word in re.findall(r"`([^`\s]+)`", text) if word.startswith(FOLDERS)})


def pattern(path):
    """A path as a glob: words in capitals stand for any one file."""
    return re.sub(r"\b[A-Z]{4,}\b", "*", path)


def touched(word, folders):
    for folder in folders:
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                whole = os.path.join(path, name)
                place = os.path.relpath(whole, ROOT)
                if name.endswith(SOURCES) and not place.startswith("shaders/generated"):
                    with open(whole, encoding="utf-8") as f:
                        if re.search(word, f.read()):
                            yield place


def unnamed(text):
    """Files that an example touches, and that the example's section does not name."""
    for title, word, folders in EXAMPLES:
        section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.M | re.S)
        paths = [pattern(p) for p in named(section.group(1))] if section else []
        found = sorted(touched(word, folders))
        if not found:
            yield f"{title}: no file has {word}"
        for path in found:
            if not any(fnmatch.fnmatch(path, p) for p in paths):
                yield f"{title}: {path} is not named"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def missing_files(text):
    return [f"{p} is not there" for p in named(text) if not glob.glob(os.path.join(ROOT, pattern(p)))]


def misplaced(text):
    """Functions of a table's row, a list's item or a paragraph that no file named there has."""
    blocks = re.split(r"\n(?=\||\d+\. |- |\n)", text)
    for block in blocks:
        files = [p for p in named(block) if os.path.isfile(os.path.join(ROOT, p))]
        for name in re.findall(r"`(\w+)\(\)`", block):
            if files and not any(re.search(rf"\b{name}\(", read(p)) for p in files):
                yield f"{name}() is in none of {', '.join(files)}"


def main():
    text, architecture = read("docs/adding.md"), read("docs/architecture.md")
    paths = named(text)
    found = (
        ("docs/adding.md names files", [] if len(paths) > 30 else [f"{len(paths)} files"]),
        ("every file that docs/adding.md names is there", missing_files(text)),
        ("the examples touch the files that their sections name", list(unnamed(text))),
        ("every file that docs/architecture.md names is there", missing_files(architecture)),
        ("its functions are in the files beside them", list(misplaced(architecture))),
    )
    claims.report(found)


main()
