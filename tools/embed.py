#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A text file as a C string.

embed.py TEXT NAME OUT.c
"""

import sys


def main():
    path, name, out = sys.argv[1:4]
    with open(path, "rb") as file:
        data = file.read() + b"\0"
    with open(out, "w", encoding="ascii") as file:
        file.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
        for at in range(0, len(data), 24):
            file.write("".join(f"{byte}," for byte in data[at : at + 24]) + "\n")
        file.write("};\n")


main()
