#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the manual to the table of settings: every setting is an option there, with its range or its default.

check_manual.py EBB MANUAL
"""

import json
import re
import subprocess
import sys

COMMANDS = {"generate": "render", "edit": "edit", "denoise": "denoise"}


def plain(text):
    """troff without its markup."""
    text = re.sub(r"^\.(BR|BI|B|IR|RI|I) ?", "", text, flags=re.M)
    text = re.sub(r'\\f[A-Z]|"', "", text).replace("\\-", "-")
    return re.sub(r"\s+", " ", text)


def entries_of(manual, command):
    """(tag, text) of each option of the command's section."""
    section = re.split(r"^\.S[SH] .*$", manual.split(f"\n.SS {command}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    for entry in section.split("\n.TP\n")[1:]:
        tag, text = entry.split("\n", 1)
        yield plain(tag), plain(text)


def find(manual, command, name):
    """The manual's entry of an option. Where it says "As for render", the entry there."""
    for tag, text in entries_of(manual, command):
        if re.search(rf"--{name}(?![\w-])", tag):
            return find(manual, "render", name) or text if text.startswith("As for render") else text
    return None


def says(text, row):
    """Whether an entry has the range of the setting, or its default, or all its choices."""
    if row["type"] in ("real", "whole"):
        default = row["default"]
        return f"{row['low']:.15g} to {row['high']:.15g}" in text or (
            default
            and re.search(rf"Default:? {re.escape(default)}\b|\b{re.escape(default)} \(default\)", text)
        )
    choices = row.get("choices", [])
    return len(choices) > 10 or all(choice in text for choice in choices)


def main():
    ebb, path = sys.argv[1:3]
    with open(path, encoding="utf-8") as f:
        manual = f.read().replace("\\\n", "")  # a backslash at its end joins a line with the next
    wrong = [f"a line that man takes for a command: {line}" for line in re.findall(r"^'.*$", manual, re.M)]
    for verb, command in COMMANDS.items():
        for row in json.loads(
            subprocess.run([ebb, "settings", verb, "--json"], check=True, capture_output=True).stdout
        ):
            text = find(manual, command, row["name"])
            if text is None:
                wrong.append(f"ebb {command}: there is no --{row['name']}")
            elif not says(text, row):
                wrong.append(f"ebb {command}: --{row['name']} is without range and default: {text}")
    print("\n".join(wrong), file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
