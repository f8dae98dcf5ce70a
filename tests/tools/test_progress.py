#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bar on a terminal: it stays in its line, however narrow that is and whatever the file is called.

test_progress.py EBB TESTS_FOLDER
"""

import array
import fcntl
import os
import pty
import random
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

NAMES = {
    "a short name": "a.wav",
    "a long name": "a-recording-of-the-harbour-at-six-in-the-morning-before-the-rain-came.wav",
    "umlauts": "ü" * 39 + "ö" * 30 + ".wav",
    "Chinese": "录音" * 25 + ".wav",
}
SECONDS, RATE = 5, 48000


def noise(path):
    """A recording that takes long enough for a bar, and is so quiet that nothing else is said."""
    data = array.array("h", [random.randrange(-9000, 9000) for _ in range(RATE)] * SECONDS).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        f.write(b"data" + struct.pack("<I", len(data)) + data)


def on_terminal(command, columns, tests):
    """What the command says to a terminal of so many columns; 0: one that does not know."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "EBB_MODEL_PATH": os.path.join(tests, "models")}
    process = subprocess.Popen(command, stdin=its, stdout=subprocess.DEVNULL, stderr=its, env=environment)
    os.close(its)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            piece = b""
        if not piece:
            break
        said += piece
    os.close(ours)
    return process.wait(), said


def width(text):
    """Columns that a terminal takes for it."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def lines_of(said):
    """The lines that were drawn over one another; UnicodeDecodeError: a character was cut."""
    return said.decode().replace("\n", "\r").split("\r")


def bars_are_good(said, columns):
    """They are there, and none is as wide as the terminal, or it would go on in the next line."""
    lines = lines_of(said)
    return any("%" in line for line in lines) and max(map(width, lines)) < columns


def main():
    ebb, tests = sys.argv[1], os.path.abspath(sys.argv[2])
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for what, name in NAMES.items():
            path = os.path.join(folder, name)
            noise(path)
            options = "--model tiny-denoise --device cpu --threads 1 --force"
            command = [ebb, "denoise", *options.split()]
            for columns in (0, 20, 80):
                code, said = on_terminal([*command, path, os.path.join(folder, "x.wav")], columns, tests)
                try:
                    good = code == 0 and bars_are_good(said, columns or 80)
                except UnicodeDecodeError:
                    good = False
                results.append((good, f"{what}, {columns} columns", said))
    for i, (good, what, said) in enumerate(results):
        print(f"{'ok' if good else 'not ok'} {i + 1} - {what}")
        if not good:
            print(f"# {said[-300:]}")
    print(f"1..{len(results)}")
    sys.exit(not all(good for good, _, _ in results))


main()
