#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What automatic t does with recordings that its tables were not fitted to: pauses, noise alone, music,
effects, clean speech.

    bench_auto.py LIBEBB MODEL SOUNDS [--before LIBEBB] [--kinds speech noise ...] [--count 8]
                  [--live] [--tune]

SOUNDS holds speech/, noise/, music/ and sfx/ with a MANIFEST.tsv (path, class, source ... separated by tabs).
A third of the recordings, by a checksum of their names, is for tuning (--tune); the others are for reports.
Scenes are fixed by their seed. Needs numpy and soundfile. Levels are in dB; `taken` is by how much the level
sinks: of speech in its pauses.
"""

import argparse
import ctypes
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

RATE = 48000
LEVEL = -26  # dB, of what is spoken or played
SNRS = (0, 10, 20, 30)
PAUSES = (1, 3, 6, 12)  # s, with noise alone
EDGE = 0.3  # s at both ends of a pause that are not counted


class Library:
    """libebb: cleans samples (frames, channels)."""

    def __init__(self, path, model):
        self.lib = ctypes.CDLL(path)
        for name in ("ebb_model_open", "ebb_recipe_create", "ebb_denoise_create"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        for name in ("ebb_denoise_t", "ebb_denoise_snr"):
            getattr(self.lib, name).restype = ctypes.c_double
        self.lib.ebb_denoise_available.restype = self.lib.ebb_denoise_read.restype = ctypes.c_size_t
        self.error, self.model = ctypes.create_string_buffer(4096), model

    def check(self, good):
        if not good:
            raise RuntimeError(self.error.raw[4:].split(b"\0")[0].decode(errors="replace"))
        return good

    def clean(self, samples, live=False, **settings):
        """The cleaned samples, and the t of every window, as far as blocks of 0.1 s show them."""
        lib, error, pointer = self.lib, self.error, ctypes.c_void_p
        samples = np.ascontiguousarray(samples, np.float32).reshape(len(samples), -1)
        model = pointer(self.check(lib.ebb_model_open(self.model.encode(), error)))
        recipe = pointer(lib.ebb_recipe_create(3))
        for name, value in dict(settings, live="true" if live else "false").items():
            self.check(
                lib.ebb_recipe_set(recipe, name.replace("_", "-").encode(), str(value).encode(), error) == 0
            )
        work = pointer(self.check(lib.ebb_denoise_create(model, recipe, RATE, samples.shape[1], None, error)))
        out, got, ts = np.zeros_like(samples), 0, []

        def take(n):
            room = out[got:].ctypes.data if n else None
            return lib.ebb_denoise_read(work, pointer(room), None, ctypes.c_size_t(n))

        for at in range(0, len(samples), RATE // 10):
            part = samples[at : at + RATE // 10]
            self.check(
                lib.ebb_denoise_write(work, pointer(part.ctypes.data), ctypes.c_size_t(len(part)), error) == 0
            )
            got += take(len(samples) - got)
            ts.append(lib.ebb_denoise_t(work))
        self.check(lib.ebb_denoise_finish(work, error) == 0)
        got += take(len(samples) - got)
        ts.append(lib.ebb_denoise_t(work))
        for name, what in (("denoise_destroy", work), ("recipe_destroy", recipe), ("model_close", model)):
            getattr(lib, "ebb_" + name)(ctypes.byref(what))
        assert got == len(samples) and np.isfinite(out).all()
        return out, ts


# ---- material ----


def choose(folder, kind, tune, classes=None, least=0):
    """[(class, path)] of the third for tuning or of the others, in a fixed order, one recording of each
    source by turns.
    """
    rows = [line.split("\t") for line in (folder / "MANIFEST.tsv").read_text().splitlines()[1:]]
    rows = [(row[1].split("/")[-1], row[0], float(row[6])) for row in rows if row[0].startswith(kind + "/")]
    rows = [r for r in rows if r[2] >= least and (classes is None or r[0] in classes)]
    rows = [r for r in rows if (zlib.crc32(r[1].encode()) % 3 == 0) == tune]
    rows.sort(key=lambda r: zlib.crc32(b"order" + r[1].encode()))
    seen, first, rest = set(), [], []
    for row in rows:
        (rest if row[0] in seen else first).append(row[:2])
        seen.add(row[0])
    return first + rest


def load(folder, path):
    samples, rate = soundfile.read(folder / path, dtype="float64", always_2d=True)
    samples = samples[:, 0]
    if rate == RATE:
        return samples
    spectrum, length = np.fft.rfft(samples), len(samples) * RATE // rate
    wide = np.zeros(length // 2 + 1, complex)
    part = min(len(wide), len(spectrum))
    wide[:part] = spectrum[:part]
    return np.fft.irfft(wide, length) * length / len(samples)


def power_db(x):
    return 10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-20)


def at_level(x, db):
    return x * 10 ** ((db - power_db(x)) / 20)


def endless(clip, length):
    """A clip repeated with crossfades of 0.25 s."""
    fade = min(RATE // 4, len(clip) // 4)
    ramp = np.sqrt(np.linspace(0, 1, fade))
    out = clip.copy()
    while len(out) < length:
        out[-fade:] = out[-fade:] * ramp[::-1] + clip[:fade] * ramp
        out = np.concatenate([out, clip[fade:]])
    return out[:length]


def coloured(rng, length, slope):
    """Noise whose power falls by `slope` dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum *= np.maximum(np.arange(len(spectrum)) / length * RATE, 20) ** (-slope / 6.02)
    return np.fft.irfft(spectrum, length)


STEADY = (
    "room",
    "room_mic",
    "train",
    "train_interior",
    "film_static",
    "ventilation",
    "washing_machine",
    "machine",
    "rain",
    "waterfall",
    "boiler",
    "computer",
    "vinyl",
    "tv_static",
    "sea",
    "air_conditioner",
    "fridge",
    "dryer",
    "machine_room",
    "electric",
)


def noises(folder, tune, count, least=4):
    """[(name, function of a length)]: white, pink, and recordings."""
    made = [
        (n, lambda length, s=s: coloured(np.random.default_rng(5 + s), length, s))
        for n, s in (("white", 0), ("pink", 3))
    ]
    real = [
        (f"{c} {Path(p).stem[-18:]}", lambda length, p=p: endless(load(folder, p), length))
        for c, p in choose(folder, "noise", tune, STEADY, least)[:count]
    ]
    return made + real


def speech(folder, path):
    clip = load(folder, path)
    return at_level(clip, LEVEL)


def si_sdr(clean, heard):
    part = (clean * heard).sum() / max((clean**2).sum(), 1e-20) * clean
    return float(10 * np.log10((part**2).sum() / max(((heard - part) ** 2).sum(), 1e-20)))


# ---- scenes: (name, sound, noise, pauses [(from, to)], spoken (bool per sample)) ----


def speech_scenes(folder, tune, count, seed):
    """Scenes of lead-in, speech, pause, speech and end. The lengths of the pause and of the lead-in take
    turns, at every SNR.
    """
    rng = np.random.default_rng([seed, 1])
    clips = choose(folder, "speech", tune, least=2.5)
    found = noises(folder, tune, count)
    for i in range(count):
        snr, pause = SNRS[i % 4], PAUSES[(i // 4 + i) % 4]
        picks = [speech(folder, clips[rng.integers(len(clips))][1])[: 8 * RATE] for _ in range(2)]
        lead = [0.5, 2, 5, 10][rng.integers(4)]
        sound, pauses, spoken, at = [], [], [], 0
        for part, silent in (
            (lead, True),
            (picks[0], False),
            (pause, True),
            (picks[1], False),
            (pause, True),
        ):
            piece = np.zeros(int(part * RATE)) if silent else part
            if silent:
                pauses.append((at + int(EDGE * RATE), at + len(piece) - int(EDGE * RATE)))
            sound.append(piece)
            spoken.append(np.full(len(piece), not silent))
            at += len(piece)
        name, make = found[i % len(found)]
        sound = np.concatenate(sound)
        noise = at_level(make(len(sound)), LEVEL - snr)
        yield (
            f"{snr:2} dB, {pause:2} s, {name}",
            sound,
            noise,
            [p for p in pauses if p[1] > p[0] + RATE // 10],
            np.concatenate(spoken),
        )


def judge_speech(library, args, scene, **settings):
    name, sound, noise, pauses, spoken = scene
    done, ts = library.clean(sound + noise, args.live, **settings)
    done = done[:, 0].astype(np.float64)
    left = np.concatenate([done[a:b] for a, b in pauses])
    before = np.concatenate([(sound + noise)[a:b] for a, b in pauses])
    return dict(
        taken=power_db(before) - power_db(left), sdr=si_sdr(sound[spoken], done[spoken]), t=float(np.mean(ts))
    )


def alone_scenes(folder, tune, count, seed, kind):
    rng = np.random.default_rng([seed, 2])
    if kind == "noise":
        for name, make in noises(folder, tune, count):
            yield name, None, at_level(make(12 * RATE), -35)
    elif kind == "clean":
        for i, (name, path) in enumerate(choose(folder, "speech", tune, least=2.5)[:count]):
            sound = np.tile(np.concatenate([speech(folder, path), np.zeros(RATE // 3)]), 3)[: 12 * RATE]
            yield f"{name} at 40 dB", sound, at_level(coloured(rng, len(sound), 3), LEVEL - 40)
    else:
        music = kind == "music"
        rows = [
            r
            for r in choose(folder, "music" if music else "sfx", tune, least=0.5 if music else 0.3)
            if music or r[0] not in STEADY_EFFECTS
        ]
        for i in range(count):
            parts, length, first = [], 0, i if music else i * 7
            while length < 10 * RATE:
                clip = load(folder, rows[(first if music else first + len(parts)) % len(rows)][1])
                parts += [at_level(clip, LEVEL), np.zeros(0 if music else int(rng.uniform(0, 0.4) * RATE))]
                length += len(parts[-1]) + len(parts[-2])
            sound = np.concatenate(parts)
            yield rows[first % len(rows)][0], sound, at_level(coloured(rng, len(sound), 3), LEVEL - 55)


STEADY_EFFECTS = ("rain", "sea_waves", "wind", "water", "fire", "helicopter", "chainsaw", "engine", "thunder")


def judge_alone(library, args, scene, **settings):
    name, sound, noise = scene
    heard = noise if sound is None else sound + noise
    done, ts = library.clean(heard, args.live, **settings)
    done = done[:, 0].astype(np.float64)
    row = dict(taken=power_db(heard) - power_db(done), t=float(np.mean(ts)))
    return row if sound is None else row | dict(sdr=si_sdr(sound, done))


def show(kind, name, found):
    values = (f"{n} " + " ".join(f"{k} {v:6.2f}" for k, v in f.items()) for n, f in found.items())
    print(f"{kind:8} {name:44} " + " | ".join(values), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--before", help="another libebb, to compare")
    parser.add_argument("--kinds", nargs="*", default=("speech", "noise", "music", "effects", "clean"))
    parser.add_argument("--count", type=int, default=8, help="scenes of a kind")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-fixed", action="store_true", help="leave t 0.7 out")
    args = parser.parse_args()
    runs = {"auto": (Library(args.library, args.model), dict(auto_t="true"))}
    if args.before:
        runs["before"] = (Library(args.before, args.model), dict(auto_t="true"))
    if not args.no_fixed:
        runs["t 0.7"] = (runs["auto"][0], dict(t=0.7))
    for kind in args.kinds:
        choice = (args.sounds, args.tune, args.count, args.seed)
        scenes = speech_scenes(*choice) if kind == "speech" else alone_scenes(*choice, kind)
        judge = judge_speech if kind == "speech" else judge_alone

        def work(scene):
            return scene[0], {
                n: judge(library, args, scene, **settings) for n, (library, settings) in runs.items()
            }

        rows = []
        with ThreadPoolExecutor(args.jobs) as pool:
            for name, found in pool.map(work, scenes):
                rows.append(found)
                show(kind, name, found)
        show(kind, "mean", {n: {k: np.mean([r[n][k] for r in rows]) for k in rows[0][n]} for n in runs})


if __name__ == "__main__":
    main()
