#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How well mels are turned into sound: held-out clips of a prepared bank (models/recipe) from their true mel.
Needs numpy and scipy, and torch and diffusers for some.

    OMP_NUM_THREADS=1 python tests/bench/bench_inversion.py LIBEBB WORK
        [--beside LIBEBB] [--autoencoder MODEL]

WORK is what `python -m recipe prepare` made. `--autoencoder`: mels as a model of effects gives them, smoother
than true ones. `--beside`: another build, whose ebb_mel_to_sound() is called as this one's.

All measures are blind to phase, which nobody can know. Cells count within 60 dB of the clip's loudest; means
over clips:
cell      |dB| between the transforms' magnitudes, cell by cell: 6.0 of two draws of one noise,
          4.4 of its mean to a draw
patch     the same of powers averaged over 9 frames: what noise there is counts little, lines and colour count
line      the same of 8192-point transforms averaged over 1.4 s: how narrow and how strong partials are
attack    the same of 256-point transforms averaged over 3 bins, hop 64: how steep attacks are
converge  spectral convergence, || |X| - |Y| || / || |X| ||
mel       |dB| between the mel asked for and the mel of what came out
scatter   standard deviation of dB about their local mean, minus that of the original: above 0 too
          rough, below too smooth
ms        processor time of a window of 2.73 s
"""

import argparse
import ctypes
import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter, uniform_filter1d
from scipy.signal import stft as scipy_stft

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
HOP, FRAMES, BANDS = 512, 256, 128
COUNT = FRAMES * HOP - 1
METHODS = {
    "16": (16, True),
    "16, no grain": (16, False),
    "8": (8, True),
    "32": (32, True),
    "64": (64, True),
}  # iterations, grain


def pointer(x):
    assert x.flags["C_CONTIGUOUS"] and x.dtype == np.float32
    return x.ctypes.data_as(ctypes.c_void_p)


class Phases(ctypes.Structure):
    """struct ebb_mel_phases of ebb/mel.h."""

    _fields_ = [("iterations", ctypes.c_int), ("seed", ctypes.c_uint64), ("grain", ctypes.c_bool)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.ebb_mel_create.restype = ctypes.c_void_p
        self.mel = ctypes.c_void_p(self.c.ebb_mel_create(None, None))

    def sound(self, values, grain, seed, iterations):
        out = np.zeros(COUNT, np.float32)
        wrong = self.c.ebb_mel_to_sound(
            self.mel,
            pointer(values),
            ctypes.c_size_t(FRAMES),
            ctypes.byref(Phases(iterations, seed, grain)),
            pointer(out),
            ctypes.c_size_t(COUNT),
            None,
        )
        assert wrong == 0
        return out

    def analyse(self, samples):
        values = np.zeros((BANDS, len(samples) // HOP + 1), np.float32)
        self.c.ebb_mel_analyse(
            self.mel, pointer(samples), ctypes.c_size_t(len(samples)), pointer(values), None
        )
        return values


def power(x, n, hop):
    return np.abs(scipy_stft(x, nperseg=n, noverlap=n - hop, padded=True)[2]) ** 2


def db(p, axis_smooth=()):
    for axis, width in axis_smooth:
        p = uniform_filter1d(p, width, axis, mode="constant")
    return 10 * np.log10(np.maximum(p, 1e-12))


def gap(real, made, n, hop, smooth):
    a, b = (db(power(x, n, hop), smooth) for x in (real, made))
    heard = a > max(a.max() - 60, -115)
    floor = a.max() - 80  # what has gone altogether counts as 80 dB below the loudest
    return np.abs(a - np.maximum(b, floor))[heard].mean()


def scatter(x):
    p = power(x, 2048, HOP)
    mean = np.maximum(uniform_filter(p, (15, 9)), 1e-14)
    inside = (slice(4, 700), slice(8, -8))
    level = 10 * np.log10(np.maximum(p, 1e-14) / mean)[inside]
    return level[mean[inside] > mean.max() * 1e-5].std()


def measure(lib, real, made, values):
    a, b = (np.sqrt(power(x, 2048, HOP)) for x in (real, made))
    heard = values > max(values.max() - 1.2, -0.99)
    return dict(
        cell=gap(real, made, 2048, HOP, ()),
        patch=gap(real, made, 2048, HOP, [(1, 9)]),
        line=gap(real, made, 8192, 2048, [(1, 33)]),
        attack=gap(real, made, 256, 64, [(0, 3)]),
        converge=np.linalg.norm(a - b) / np.linalg.norm(a),
        mel=50 * np.abs(lib.analyse(made) - values)[heard].mean(),
        scatter=scatter(made) - scatter(real),
    )


def pick(bank, kinds, count, seed=7):
    """Held-out clips of each kind. Of a longer clip, a window from its middle."""
    rng, out = np.random.default_rng(seed), {}
    for kind in kinds:
        clips = bank.choose(kind, True)
        chosen = [clips[i] for i in rng.permutation(len(clips))[:count]]
        out[kind] = [bank.samples(clip, max(0, (clip["length"] - COUNT) // 2), COUNT) for clip in chosen]
    return out


def through(model):
    """A mel after a model's autoencoder: there and back."""
    import torch
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(model, subfolder="vae").eval()
    side = int(vae.config.in_channels**0.5)  # squares of cells may be folded into its channels

    @torch.no_grad()
    def run(values):
        picture = torch.nn.functional.pixel_unshuffle(torch.from_numpy(values)[None, None], side)
        back = vae.decode(vae.encode(picture).latent_dist.mean).sample
        return torch.nn.functional.pixel_shuffle(back, side)[0, 0].clamp(-1, 1).numpy()

    return run


def table(lib, sounds, methods, change):
    for kind, clips in sounds.items():
        rows = {name: [] for name in methods}
        for seed, real in enumerate(clips):
            values = change(lib.analyse(real))
            for name, make in methods.items():
                began = time.thread_time()
                made = make(values, seed)
                took = 1e3 * (time.thread_time() - began)
                rows[name].append(measure(lib, real, made, values) | dict(ms=took))
        print(f"\n{kind}, {len(clips)} clips".ljust(23) + "".join(f"{key:>9}" for key in rows[name][0]))
        for name, row in rows.items():
            mean = {key: (np.median if key == "ms" else np.mean)([r[key] for r in row]) for key in row[0]}
            print(f"{name:22}" + "".join(f"{value:9.3f}" for value in mean.values()), flush=True)


def main():
    from recipe import data

    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("work", type=Path)
    parser.add_argument("--beside", metavar="LIBEBB", help="another build to compare with")
    parser.add_argument("--count", type=int, default=40, help="clips of each kind")
    parser.add_argument("--autoencoder", metavar="MODEL", help="mels as its autoencoder gives them back")
    parser.add_argument("--kinds", nargs="*", default=["speech", "sfx", "noise"])
    parser.add_argument("--only", nargs="*", metavar="METHOD")
    args = parser.parse_args()
    lib, bank = Library(args.library), data.Bank(args.work)
    builds = {"": lib} | ({"beside, ": Library(args.beside)} if args.beside else {})
    methods = {
        build + name: (lambda v, s, b=b, i=i, g=g: b.sound(v, g, s, i))
        for name, (i, g) in METHODS.items()
        for build, b in builds.items()
        if not args.only or build + name in args.only
    }
    change = through(args.autoencoder) if args.autoencoder else lambda values: values
    table(lib, pick(bank, args.kinds, args.count), methods, change)


if __name__ == "__main__":
    main()
