#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether the join of a loop can be told from the rest of it.

    tests/bench/bench_loops.py [--seconds 10] [--seeds 2] [--labels a,b,...] [FILE.wav ...]

Makes a loop of every texture of the model `sfx` with `ebb` (in PATH), or takes the files. Each is played in a
ring. At the join, and at every 5 ms elsewhere, it measures

  step      the step from one sample to the next
  level     the change of the level from the 5 ms before to the 5 ms after, in dB
  spectrum  the distance of the spectra (48 bands, dB, root mean square) of the 43 ms before and after
  dip       the level of the 5 ms on either side less that of the 50 ms on either side, in dB

and says at which percentile of its own loop the join lies. The first three may be at 99.9 and less, which is
what the sound does elsewhere too. A single dip tells little, because a sound's level goes up and down by some
dB within 10 ms everywhere. `beyond` is by how many dB the join's dip leaves the range from the 0.05th to the
99.95th percentile of its own loop. The mean dip of all steady loops (it varies by less than 2 dB elsewhere)
less the same elsewhere tells whether joins are too quiet; it is printed with its standard error. The exit
code is 1 where a percentile is above 99.9, a dip is 0.5 dB beyond, or the mean dip is over 0.5 dB. Needs
numpy.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import wave

import numpy as np

TEXTURES = "bird,chainsaw,clock_tick,engine,fire,helicopter,insect_frog,rain,sea_waves,water,wind"
MOST = 99.9
STEADY = 2  # dB


def read(path):
    """Samples of a WAV of 16 bits, first channel, and its rate."""
    with wave.open(path) as w:
        x = np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(float) / 32768
        return x.reshape(-1, w.getnchannels())[:, 0], w.getframerate()


def ring(x, at, before, after):
    return x[np.arange(at - before, at + after) % len(x)]


def db(power):
    return 10 * np.log10(power + 1e-12)


def level_change(x, at, n):
    return abs(db(np.mean(ring(x, at, 0, n) ** 2)) - db(np.mean(ring(x, at, n, 0) ** 2)))


def dip(x, at, n):
    return db(np.mean(ring(x, at, n, n) ** 2)) - db(np.mean(ring(x, at, 10 * n, 10 * n) ** 2))


def bands(samples, rate, count=48):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    edges = np.geomspace(100, rate / 2, count + 1) / rate * len(samples)
    return db(np.array([power[int(a) : max(int(b), int(a) + 1)].mean() for a, b in zip(edges, edges[1:])]))


def spectrum_change(x, at, n, rate):
    a, b = bands(ring(x, at, n, 0), rate), bands(ring(x, at, 0, n), rate)
    return np.sqrt(np.mean((a - b) ** 2))


def percentile(value, others):
    """Share of the others that are smaller, in percent."""
    return 100 * np.mean(np.asarray(others) < value)


def beyond(value, others):
    """How far a value lies outside of what 99.9 % of the others do."""
    low, high = np.percentile(others, [(100 - MOST) / 2, (100 + MOST) / 2])
    return max(low - value, value - high, 0)


def measure(x, rate):
    n, spectrum = rate // 200, rate * 2048 // 48000
    elsewhere = range(4 * n, len(x) - 4 * n, n)
    steps = np.abs(np.diff(x))
    levels = [level_change(x, at, n) for at in elsewhere]
    dips = [dip(x, at, n) for at in elsewhere]
    spectra = [spectrum_change(x, at, spectrum, rate) for at in elsewhere]
    return {
        "step": percentile(abs(x[0] - x[-1]), steps),
        "level": percentile(level_change(x, 0, n), levels),
        "spectrum": percentile(spectrum_change(x, 0, spectrum, rate), spectra),
        "dip": percentile(dip(x, 0, n), dips),
        "beyond": beyond(dip(x, 0, n), dips),
        "excess": dip(x, 0, n) - np.mean(dips) if np.std(dips) < STEADY else np.nan,
    }


def render(label, seed, seconds, path):
    options = f"--label {label} --seed {seed} --loop --seconds {seconds}"
    subprocess.run(f"ebb render {options} -q --force -o {path}".split(), check=True)


def loops(options):
    """(name, path) of every loop."""
    for path in options.files:
        yield os.path.basename(path), path
    if options.files:
        return
    with tempfile.TemporaryDirectory() as folder:
        for label in options.labels.split(","):
            for seed in range(1, options.seeds + 1):
                path = os.path.join(folder, "loop.wav")
                render(label, seed, options.seconds, path)
                yield f"{label}, seed {seed}", path


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--labels", default=TEXTURES)
    options = parser.parse_args()
    names = ["step", "level", "spectrum", "dip", "beyond", "excess"]
    rows = []
    print("| loop | step | level | spectrum | dip | beyond, dB |\n|---|---|---|---|---|---|")
    for name, path in loops(options):
        row = measure(*read(path))
        rows.append([row[n] for n in names])
        cells = [name, *(f"{row[n]:.1f}" for n in names[:5])]
        print("| " + " | ".join(cells) + " |", flush=True)
    rows = np.array(rows)
    excess = rows[~np.isnan(rows[:, 5]), 5]
    error = np.std(excess) / max(len(excess) - 1, 1) ** 0.5
    print(f"| mean of {len(rows)} | " + " | ".join(f"{v:.1f}" for v in rows[:, :5].mean(axis=0)) + " |")
    mean = excess.mean() if len(excess) else 0
    print(f"\nMean dip of {len(excess)} steady loops: {mean:+.2f} dB, standard error {error:.2f} dB.")
    sys.exit(1 if rows[:, :3].max() > MOST or rows[:, 4].max() > 0.5 or abs(mean) > 0.5 else 0)


main()
