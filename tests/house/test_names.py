#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One name, one thing: no two structs, unions, enums or typedefs of the C sources have one name.

    tests/house/test_names.py [ROOT]

Speaks TAP. A struct that one file alone uses counts too: its name says what it holds there, as `tape_chunk`
and `container_chunk` do.
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
FOLDERS = ("lib", "tools", "gst-plugin", "examples", "shaders", "tests")

# One name, and files of which each build of a program has one.
ALTERNATIVES = {
    "ebb_fft": {"lib/audio/fft_fftw.c", "lib/audio/fft_kissfft.c"},
    "point": {"lib/backend/cpu/kernels.c", "lib/backend/cpu/bf16_kernels.c"},  # for winograd_tile.h
}

COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
ATTRIBUTE = re.compile(r"__attribute__\(\(.*?\)\)(?=\s*[;{])", re.S)
TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{")
TYPEDEF = re.compile(r"\btypedef\b((?:[^;{]|\{[^}]*\})*);")


def name_of_typedef(words):
    """int name; enum x (*name)(...); enum x name(...)"""
    pointer = re.search(r"\(\s*(?:\w+\s+)?\*\s*(\w+)\s*\)\s*\(", words)
    function = re.search(r"\b(\w+)\s*\(", words)
    last = re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)?$", words)
    found = pointer or function or last
    return found.group(1) if found else None


def definitions(text):
    """Names that the text of a C file defines, each as often as it does."""
    text = ATTRIBUTE.sub("", COMMENT_OR_STRING.sub(" ", text))
    return TAG.findall(text) + [name_of_typedef(words) for words in TYPEDEF.findall(text)]


def sources():
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(path, name), ROOT)


def homes():
    """{name: files that define it}, a file as often as it does."""
    found = {}
    for path in sources():
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            for name in definitions(file.read()):
                found.setdefault(name, []).append(path)
    return found


def check_reader():
    """What this test would overlook, it cannot hold the sources to."""
    text = """
        struct a { struct b { int x; } inside; }; // struct no {
        static const struct c { int x; } table[] = {{1}}; struct a use = {1}, *f(struct a *x);
        enum d { D }; typedef enum { E } e; typedef int f[3]; typedef float g __attribute__((vector_size(8)));
        typedef enum d (*h)(int x, struct a *y); typedef bool i(const char *text);
        typedef VkResult(VKAPI_PTR *j)(int x); const char *s = "struct no {";
    """
    want = sorted("abcdefghij")
    found = sorted(str(name) for name in definitions(text))
    return [] if found == want else [f"of {' '.join(want)} it finds {' '.join(found)}"]


def check_names(found):
    return [
        f"{name} is defined in {' and in '.join(paths)}"
        for name, paths in sorted(found.items())
        if paths[1:] and not (set(paths) == ALTERNATIVES.get(name) and len(paths) == len(set(paths)))
    ]


def main():
    found = homes()
    gone = [f"{name} has one definition now" for name in ALTERNATIVES if len(found.get(name, [])) < 2]
    claims.report(
        (
            ("the definitions in a C file are found", check_reader()),
            ("the sources are read", [] if len(found) > 500 else [f"{len(found)} names"]),
            ("one name, one struct, union, enum or typedef", check_names(found)),
            ("each exception is one", gone),
        )
    )


main()
