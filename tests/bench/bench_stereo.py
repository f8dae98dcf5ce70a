#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the width does, and what is lost where the channels are added to one.

    tests/bench/bench_stereo.py [--labels a,b,...] [--seconds 4] [--widths 0,0.25,0.5,0.75,1]

Makes sounds in stereo with `ebb` (in PATH). By label and width it measures

  alike     the correlation of the channels' samples
  balance   how far apart the channels' levels are, dB
  fold      (L + R) / sqrt(2) against the mean of the channels, dB: 0 of two sounds without anything in
            common, 3 of the same sound twice, less than 0 where something is cancelled
  comb      the same in the worst band: thirds of an octave from 100 Hz to 16 kHz, power over the whole sound

and of events `middle`: the largest difference of the channels up to 50 ms after their loudest moment, dB
below the peak. The exit code is 1 where width 0 is not the same sound twice, where the correlation does not
fall as the width grows, where a fold loses more than 0.5 dB, or 1 dB in a band (what chance does to the
lowest bands of 4 s), or where an event's attack is not in the middle. Needs numpy.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

TEXTURES = "chainsaw,engine,fire,helicopter,insect_frog,rain,sea_waves,water,wind"
EVENTS = "explosion,thunder,dog_bark,snare,glass"
RATE = 48000


def render(label, width, seconds, path):
    length = f" --seconds {seconds}" if seconds else ""
    options = f"--label {label} --seed 1 --channels 2 --width {width} --format wav32f{length}"
    subprocess.run(f"ebb render {options} -q --force -o {path}".split(), check=True)
    with open(path, "rb") as f:
        data = f.read()
    at = data.index(b"data") + 8
    size = int.from_bytes(data[at - 4 : at], "little")
    return np.frombuffer(data[at : at + size], "<f4").reshape(-1, 2).astype(float)


def db(power):
    return 10 * np.log10(power + 1e-20)


def bands(x):
    """Powers in thirds of an octave."""
    power = np.abs(np.fft.rfft(x, axis=0)) ** 2
    edges = 100 * 2 ** (np.arange(0, 23) / 3) / RATE * len(x)
    return np.array([power[int(a) : int(b)].sum(axis=0) for a, b in zip(edges, edges[1:])])


def measure(x):
    mono = x.sum(axis=1) / np.sqrt(2)
    powers = (x**2).mean(axis=0)
    alike = np.mean(x[:, 0] * x[:, 1]) / np.sqrt(powers.prod() + 1e-30)
    comb = db(bands(mono)) - db(bands(x).mean(axis=1))
    return {
        "alike": alike,
        "balance": abs(db(powers[0]) - db(powers[1])),
        "fold": db(np.mean(mono**2)) - db(powers.mean()),
        "comb": comb.min(),
    }


def middle(x):
    blocks = (x[: len(x) // 480 * 480, 0].reshape(-1, 480) ** 2).sum(axis=1)
    end = (np.argmax(blocks) + 1) * 480 + RATE // 20
    difference = np.abs(x[:end, 0] - x[:end, 1]).max()
    return 20 * np.log10(max(difference, 1e-10) / np.abs(x).max())


def table(labels, widths, seconds, path):
    """Prints rows; whether all of them are as they should be."""
    good = True
    for label in labels:
        before = 2.0
        for width in widths:
            x = render(label, width, seconds, path)
            m = measure(x)
            cells = [label, f"{width:g}", f"{m['alike']:.2f}", f"{m['balance']:.1f}", f"{m['fold']:+.1f}"]
            cells += [f"{m['comb']:+.1f}", "" if seconds else f"{middle(x):.0f}"]
            print("| " + " | ".join(cells) + " |", flush=True)
            good = good and (width > 0 or np.array_equal(x[:, 0], x[:, 1])) and m["alike"] < before + 0.05
            good = good and m["fold"] > -0.5 and m["comb"] > -1 and (seconds or middle(x) < -100)
            before = m["alike"]
    return good


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--labels", default=TEXTURES)
    parser.add_argument("--events", default=EVENTS)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--widths", default="0,0.25,0.5,0.75,1")
    options = parser.parse_args()
    widths = [float(w) for w in options.widths.split(",")]
    print("| sound | width | alike | balance | fold | comb | middle |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sound.wav")
        good = table([t for t in options.labels.split(",") if t], widths, options.seconds, path)
        good = table([e for e in options.events.split(",") if e], widths, 0, path) and good
    sys.exit(0 if good else 1)


main()
