# SPDX-License-Identifier: LGPL-2.1-or-later
"""The public headers as text: their names, promised or lab, and their declarations."""

import os
import re


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", re.sub(r"//[^\n]*", "", text), flags=re.S)


def read(folder, name):
    with open(os.path.join(folder, "ebb", name), encoding="utf-8") as file:
        return without_comments(file.read())


def names(folder):
    return sorted(name for name in os.listdir(os.path.join(folder, "ebb")) if name.endswith(".h"))


def included(folder, name):
    return re.findall(r"#include <ebb/([\w.]+)>", read(folder, name))


def functions(folder, name):
    """The functions that a header declares with EBB_API, in the order of their declaration."""
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", "", read(folder, name), flags=re.M)  # without macros
    return re.findall(r"\bEBB_API\b[^;(]*?(\w+)\s*\(", text)


def variables(folder, name):
    return re.findall(r"\bEBB_API\s+extern\b[^;]*", read(folder, name))


def declared(folder, umbrella):
    """All functions of the headers that an umbrella (ebb.h or lab.h) includes."""
    return sorted(f for name in included(folder, umbrella) for f in functions(folder, name))
