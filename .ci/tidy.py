# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs clang-tidy on the project's C files, on all processors, and remembers which of them had no finding.

usage: tidy.py BUILD    a build folder: its compile commands are read

clang-tidy takes some 3 seconds of processor time a file. A file is looked at again when something has changed
that clang-tidy sees: the text after the preprocessor with its comments and macros, the command, the checks of
.clang-tidy, or clang-tidy's version. The sums of files without a finding are kept in
$XDG_CACHE_HOME/ebb-lint (~/.cache/ebb-lint), an empty file each. Prints the findings, and exits with 1 if
there are any.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

FOLDERS = ("lib", "tools", "gst-plugin", "examples")
# Options that the preprocessor has no use for, and files that must not be written. Some have a value.
LEFT_OUT, WITH_VALUE = {"-c", "-MD", "-MMD", "-MP"}, {"-o", "-MF", "-MQ", "-MT"}


def output_of(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def preprocessed(entry):
    """What clang-tidy sees of a file, as bytes."""
    words, command = iter(shlex.split(entry["command"])), []
    for word in words:
        if word in WITH_VALUE:
            next(words)
        elif word not in LEFT_OUT and word != "ccache":
            command.append(word)
    return subprocess.run(
        [*command, "-E", "-dD", "-CC"], cwd=entry["directory"], capture_output=True, check=True
    ).stdout


def sum_of(entries, common):
    digest = hashlib.sha256(common)
    for entry in entries:
        digest.update(entry["command"].encode() + b"\0" + preprocessed(entry) + b"\0")
    return digest.hexdigest()


def look_at(path, entries, build, cache, common):
    """Findings in a file, as text; empty: none."""
    known = os.path.join(cache, sum_of(entries, common))
    if os.path.exists(known):
        return ""
    result = output_of(["clang-tidy", "-quiet", "-p", build, path])
    if result.returncode == 0:
        open(known, "w").close()
        return ""
    lines = result.stdout.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not re.search(r"warnings? generated|^clang-tidy", line))


def own_files(build):
    """The commands that compile each file of ours, by its path. Some are compiled for several processors."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    wanted = tuple(os.path.join(os.getcwd(), folder) + os.sep for folder in FOLDERS)
    own = {}
    for entry in entries:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if path.startswith(wanted):
            own.setdefault(path, []).append(entry)
    return own


def main(build):
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ebb-lint")
    os.makedirs(cache, exist_ok=True)
    with open(".clang-tidy", "rb") as checks:
        common = output_of(["clang-tidy", "--version"]).stdout + checks.read()
    own, found = own_files(build), False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(look_at, path, own[path], build, cache, common) for path in sorted(own)]
        for findings in (job.result() for job in jobs):
            if findings:
                found = True
                print(findings)
    print(f"{len(own)} files")
    return 1 if found or not own else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
