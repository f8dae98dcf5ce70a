#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How loud the labels of a model are, and how long an event keeps one waiting.

    tests/bench/bench_levels.py [--model sfx] [--count 8] [--labels a,b,...]

Makes sounds of every label with `ebb` (in PATH), as the model recommends. By label it prints of whole sounds

  LUFS      the mean integrated loudness (ITU-R BS.1770-4; a gate of -70 LUFS and one of -10 LU)
  spread    the deviation of the sounds' loudness, LU
  peak      the highest peak, dBFS
  attack    median time to where a sound first comes within 40 dB of its peak, ms
  longest   the longest such time, ms

and of the sounds as `ebb render` writes them, with an event cut to 5 ms in front of its attack

  written   the longest time to the attack, ms

The exit code is 1 where an event's attack comes later than 5 ms in what is written. Needs numpy and scipy.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy.signal import lfilter

RATE = 48000
# K-weighting at 48 kHz: a shelf, then a high-pass.
SHELF = ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585])
HIGH_PASS = ([1, -2, 1], [1, -1.99004745483398, 0.99007225036621])


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    at = data.index(b"data") + 8
    size = int.from_bytes(data[at - 4 : at], "little")
    return np.frombuffer(data[at : at + size], "<f4").astype(float)


def loudness(x):
    x = lfilter(*HIGH_PASS, lfilter(*SHELF, np.pad(x, (0, max(0, RATE * 2 // 5 - len(x))))))
    starts = range(0, len(x) - RATE * 2 // 5 + 1, RATE // 10)
    blocks = np.array([np.mean(x[a : a + RATE * 2 // 5] ** 2) for a in starts])
    level = -0.691 + 10 * np.log10(blocks + 1e-20)
    heard = blocks[level > -70]
    if not len(heard):
        return -np.inf
    gate = -0.691 + 10 * np.log10(heard.mean()) - 10
    return -0.691 + 10 * np.log10(blocks[(level > -70) & (level > gate)].mean())


def attack(x):
    """Milliseconds to the first sample within 40 dB of the peak."""
    return 1000 * np.argmax(np.abs(x) > np.abs(x).max() / 100) / RATE


def render(options, label, more, folder):
    what = f"--model {options.model} --label {label} --count {options.count} --seed 1 --format wav32f {more}"
    subprocess.run(f"ebb render {what} -q -o {folder}".split(), check=True)
    return [read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--model", default="sfx")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--labels", default="")
    options = parser.parse_args()
    labels = json.loads(subprocess.check_output(["ebb", "labels", options.model, "--json"]))
    worst = 0
    print("| label | kind | LUFS | spread | peak | attack | longest | written |")
    print("|---|---|---|---|---|---|---|---|")
    for label in labels:
        if options.labels and label["name"] not in options.labels.split(","):
            continue
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            sounds = render(options, label["name"], "--lead 60", a)
            event = label["kind"] == "event"
            led = [attack(x) for x in render(options, label["name"], "", b)] if event else []
        lufs = np.array([loudness(x) for x in sounds])
        peak = max(20 * np.log10(np.abs(x).max()) for x in sounds)
        times = [attack(x) for x in sounds]
        cells = [label["name"], label["kind"], f"{lufs.mean():.1f}", f"{lufs.std():.1f}", f"{peak:.1f}"]
        cells += [f"{np.median(times):.0f}", f"{max(times):.0f}"] if event else ["", ""]
        cells += [f"{max(led):.1f}" if event else ""]
        worst = max([worst, *led])
        print("| " + " | ".join(cells) + " |", flush=True)
    sys.exit(1 if worst > 5.05 else 0)


main()
