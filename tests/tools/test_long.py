#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sounds and loops that are long: their length, their join, the memory that making them takes.

test_long.py EBB TESTS_FOLDER
"""

import array
import math
import os
import subprocess
import sys
import tempfile

SECONDS, RATE = 3601, 44100
FRAMES = SECONDS * RATE
AROUND = 10 * RATE  # samples on either side of a place that are looked at
JOIN = 3 * RATE  # the sound's end and start lie so far in front of the file's end
BLOCK = RATE // 200


def make(ebb, tests, label, path, *options, memory="512M"):
    """Makes the sound; returns the exit code, and the most memory in bytes."""
    plain = f"--model tiny-sfx --device cpu --threads 1 --label {label} --steps 1 --phase-iterations 0"
    command = [ebb, "render", *plain.split(), *options, "--quiet", "-o", path]
    environment = {**os.environ, "EBB_MODEL_PATH": os.path.join(tests, "models"), "EBB_MEMORY": memory}
    process = subprocess.Popen(command, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024


def data_at(path):
    """Where the samples begin, and their bytes."""
    with open(path, "rb") as f:
        head = f.read(4096)
    at = head.index(b"data")
    return at + 8, int.from_bytes(head[at + 4 : at + 8], "little")


def samples(path, frame, count):
    at, _ = data_at(path)
    with open(path, "rb") as f:
        f.seek(at + 2 * frame)
        return array.array("h", f.read(2 * count))


def level(x):
    return sum(v * v for v in x) / len(x) + 1


def around_it(path, place):
    """The ring on either side of a place."""
    if place:
        return list(samples(path, place - AROUND, AROUND)), list(samples(path, place, AROUND))
    return list(samples(path, FRAMES - AROUND, AROUND)), list(samples(path, 0, AROUND))


def is_seamless(path, place):
    """Whether step and level at a place of the ring are what 99.9 % of their surroundings do."""
    end, start = around_it(path, place)
    around = end + start
    steps = sorted(abs(b - a) for x in (end, start) for a, b in zip(x, x[1:]))
    levels = [level(around[i : i + BLOCK]) for i in range(0, len(around), BLOCK)]
    changes = sorted(max(a / b, b / a) for a, b in zip(levels, levels[1:]))
    before, after = level(end[-BLOCK:]), level(start[:BLOCK])
    step = abs(start[0] - end[-1])
    print(f"# step {step}, of {steps[-len(steps) // 1000]}; {before:.0f} becomes {after:.0f}")
    return step <= steps[-len(steps) // 1000] and max(before / after, after / before) <= changes[-2]


def peak(path, count):
    most = 0
    for at in range(0, count, 1 << 20):
        block = samples(path, at, min(1 << 20, count - at))
        most = max(most, max(block), -min(block))
    return 20 * math.log10(most / 32768)


def main():
    ebb, tests = sys.argv[1:3]
    count = failed = 0

    def ok(good, what):
        nonlocal count, failed
        count, failed = count + 1, failed + (not good)
        print(("ok" if good else "not ok") + f" {count} - {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        # First, while this program is small: a child counts the memory that it was forked with.
        path = os.path.join(folder, "long.wav")
        code, used = make(ebb, tests, "rain", path, "--seconds", "300")
        ok(code == 0 and data_at(path)[1] == 2 * 300 * 48000, "a sound of 300 s has its length")
        ok(used < 60 << 20, f"it takes {used >> 20} MiB of memory")  # its samples alone take 55
        os.remove(path)
        code, used = make(ebb, tests, "rain", path, "--seconds", "300", "--peak", "-7", memory="64M")
        ok(code == 0 and abs(peak(path, 300 * 48000) + 7) < 0.01, "it is brought to its level")
        ok(used < 60 << 20, f"that takes {used >> 20} MiB of memory")
        os.remove(path)

        path = os.path.join(folder, "loop.wav")
        options = f"--loop --seconds {SECONDS} --rate {RATE} --to-seed 3 --share 0.5".split()
        code, used = make(ebb, tests, "rain", path, *options, "--peak", "-7")
        ok(code == 0 and data_at(path)[1] == 2 * FRAMES, "a loop of 3601 s has its length to the sample")
        ok(used < 100 << 20, f"it takes {used >> 20} MiB of memory")
        ok(abs(peak(path, FRAMES) + 7) < 0.01, "it is brought to its level")
        ok(is_seamless(path, 0), "the file's end runs into its start")
        ok(is_seamless(path, FRAMES - JOIN), "and the sound's end into its start")
        info = subprocess.run([ebb, "info", path], capture_output=True, text=True, check=False).stdout
        ok(f"samples 0 to {FRAMES - 1}" in info, "its file says that it goes round")
        os.remove(path)

        code, used = make(ebb, tests, "kick", path, *options)
        # The resampler rings for some samples in front of the event, at the ring's end.
        silent = not any(samples(path, FRAMES // 2, RATE)) and not any(samples(path, FRAMES - 2 * RATE, RATE))
        ok(code == 0 and silent and any(samples(path, 0, RATE)), "an event comes once, then there is silence")
        ok(os.listdir(folder) == ["loop.wav"], "nothing is left beside it")
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


main()
