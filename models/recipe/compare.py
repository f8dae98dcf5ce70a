# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe compare`: denoisers beside DeepFilterNet3 and RNNoise, on sounds and kinds of noise put
aside.

Models are heard through `ebb denoise`, as everyone hears them. Every kind of noise comes equally often.
"""

import csv
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from . import audio, judge_denoise, mix, rivals
from .evaluate import show
from .judge_denoise import si_sdr
from .judge_sfx import find_ebb

SNRS = (-5, 0, 10, 20, 30)
SECONDS = 4
KINDS = dict(speech="speech", effects="sfx", music="music")
GRID = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # values of t beside which automatic t is held
LEVEL = -26  # dB, RMS of the parts of a sound that are loud
ALONE = 10 ** (-35 / 20)  # RMS of noise where nothing else is
QUIET = (0, -20, -40)  # dB by which all of a recording is lowered, to see whether its level matters
LIVE = {"file": None, "live, normal": (8, 4), "live, low": (4, 0)}  # windows: hop and frames ahead
PARTS = ("noisy", "clean", "level", "alone", "t", "live")
HARM = 0.3  # dB of SI-SDR: what loses more was harmed


# ---- scenes ----


def scenes(bank, kind, side, count, seed=3):
    """[(noise's class, sound, noise)]: `count` for every class of noise, of one length; the noise has an RMS
    of 1."""
    rng, length = np.random.default_rng([seed, len(kind)]), SECONDS * audio.RATE
    sounds = grouped(bank.choose(KINDS[kind], side, without=mix.BACKGROUND))
    noises = grouped(
        [clip for clip in bank.choose("noise", side, without=("coloured",)) if clip["length"] >= length]
    )
    if not sounds or not noises:
        raise ValueError(
            f"{kind}: no recordings of it on this side, or no noise of {SECONDS} s; see prepare --aside"
        )
    return [
        (name, filled(bank, sounds, rng, length), stretch(bank, noises[name], rng, length))
        for name in sorted(noises)
        for _ in range(count)
    ]


def grouped(clips):
    """{class: clips}: every voice, instrument or kind of effect is as likely as another."""
    groups = {}
    for clip in clips:
        groups.setdefault(clip["label"], []).append(clip)
    return groups


def filled(bank, groups, rng, length):
    """Clips one after the other with pauses between, at LEVEL."""
    out, position, names = np.zeros(length, np.float32), 0, sorted(groups)
    group = groups[names[rng.integers(len(names))]]  # one voice a scene
    while position < length - audio.RATE // 4:
        clip = group[rng.integers(len(group))]
        samples = bank.samples(clip, 0, min(clip["length"], length - position))
        out[position : position + len(samples)] = samples * 10 ** ((LEVEL - clip["level"]) / 20)
        position += len(samples) + int(rng.uniform(0.2, 0.8) * audio.RATE)
    return torch.from_numpy(out)


def stretch(bank, clips, rng, length):
    clip = clips[rng.integers(len(clips))]
    noise = bank.samples(clip, int(rng.integers(0, clip["length"] - length + 1)), length)
    return torch.from_numpy(noise / np.sqrt(np.square(noise).mean() + 1e-12))


# ---- who cleans ----


def cleaned(model, waves, t="auto", live=None):
    """What `ebb denoise` makes of recordings, all in one run, as it would of files; `live`: or of live
    streams, in windows of so many frames, with so many ahead."""
    windows = ["--live", "--live-hop", str(live[0]), "--live-ahead", str(live[1])] if live else []
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / f"{i:05}.wav" for i in range(len(waves))]
        for name, wave in zip(names, waves):
            soundfile.write(name, wave.numpy(), audio.RATE, "FLOAT")
        command = [
            find_ebb(),
            "denoise",
            "-m",
            str(model),
            "--t",
            str(t),
            "-q",
            "-d",
            "cpu",
            "--threads",
            "1",
            *windows,
        ]
        done = subprocess.run(
            [*command, "-o", f"{folder}/clean", "-f", "wav32f", *names], capture_output=True, text=True
        )
        if done.returncode:
            raise ValueError(done.stderr.strip())
        return [
            torch.from_numpy(soundfile.read(Path(folder) / "clean" / name.name, dtype="float32")[0])
            for name in names
        ]


def cleaners(models, rnnoise, deepfilter):
    """{name: function from recordings to what it makes of them}"""
    own = {name: functools.partial(cleaned, path) for name, path in named(models).items()}
    each = lambda run: lambda waves: [run(wave) for wave in waves]
    others = {"DeepFilterNet3": each(rivals.deepfilternet)} if deepfilter else {}
    others |= {"RNNoise": each(functools.partial(rivals.rnnoise, rnnoise))} if rnnoise else {}
    return own | others


def named(models):
    """{short name: folder}; equal names count up."""
    out = {}
    for model in models:
        name = Path(model).resolve().name
        out[name if name not in out else f"{name}-{len(out)}"] = model
    return out


# ---- tables ----


def compare(
    models, bank, side, count, kinds=tuple(KINDS), rnnoise=None, deepfilter=False, parts=PARTS, out=None
):
    """Prints the tables; `out`: a file for the numbers of every scene."""
    runs, rows = cleaners(models, rnnoise, deepfilter), []
    for kind in kinds:
        found = scenes(bank, kind, side, count)
        print(f"\n{kind}: {len(found)} scenes a level, {len({name for name, *_ in found})} kinds of noise")
        if "noisy" in parts:
            rows += (told := noisy(found, kind, runs))
            show_noisy(kind, told, runs)
        if "clean" in parts:
            show_clean(kind, found, runs)
        if "level" in parts:
            show_level(kind, found, runs)
        if "t" in parts:
            for name, model in named(models).items():
                show_t(kind, name, model, found)
        if "live" in parts:
            for name, model in named(models).items():
                show_live(kind, name, model, found)
    if "alone" in parts:
        show_alone(scenes(bank, kinds[0], side, count), runs)
    if out:
        keep(out, rows)


def noisy(found, kind, runs):
    """A row for each scene, level and cleaner."""
    rows = []
    for snr in SNRS:
        heard = [judge_denoise.mixed(scene[1:], snr) for scene in found]
        for name, run in {"nothing": lambda waves: waves, **runs}.items():
            for (noise, sound, _), mixed, done in zip(found, heard, run(heard)):
                row = dict(
                    kind=kind,
                    snr=snr,
                    noise=noise,
                    cleaner=name,
                    gain=si_sdr(sound, done) - si_sdr(sound, mixed),
                )
                if kind == "speech":
                    row |= zip(("pesq", "stoi"), judge_denoise.speech_scores(sound, done))
                rows.append(row)
    return rows


def of(rows, cleaner, snr, what):
    return np.array([row[what] for row in rows if row["cleaner"] == cleaner and row["snr"] == snr])


def show_noisy(kind, rows, runs):
    """A row per cleaner, a column per level; `harmed`: part of the scenes that lose more than HARM dB."""
    tables = [("SI-SDR, dB gained", "gain", "{:+.1f}", runs)]
    if kind == "speech":
        everyone = ("nothing", *runs)
        tables += [("PESQ", "pesq", "{:.2f}", everyone), ("STOI", "stoi", "{:.3f}", everyone)]
    for title, what, form, names in tables:
        show(
            f"{kind}: {title}",
            [
                {"cleaner": name}
                | {f"{snr} dB": form.format(np.nanmean(of(rows, name, snr, what))) for snr in SNRS}
                for name in names
            ],
        )
    show(
        f"{kind}: part of the scenes that lose more than {HARM} dB",
        [
            {"cleaner": name}
            | {f"{snr} dB": f"{(of(rows, name, snr, 'gain') < -HARM).mean():.2f}" for snr in SNRS}
            for name in runs
        ],
    )


def decibels(wave):
    return 10 * np.log10(float(wave.double().square().mean()) + 1e-20)


def show_clean(kind, found, runs):
    """Sounds without noise: what is left of them. Low values are those of the worst scene in twenty."""
    sounds, rows = [sound for _, sound, _ in found], []
    for name, run in runs.items():
        done = run(sounds)
        lost = [decibels(sound) - decibels(one) for sound, one in zip(sounds, done)]
        like = [si_sdr(sound, one) for sound, one in zip(sounds, done)]
        rows.append(
            {
                "cleaner": name,
                "dB lost, mean": f"{np.mean(lost):.2f}",
                "dB lost, worst in 20": f"{np.quantile(lost, 0.95):.2f}",
                "SI-SDR, median": f"{np.median(like):.1f}",
                "SI-SDR, worst in 20": f"{np.quantile(like, 0.05):.1f}",
            }
        )
    show(f"{kind} without noise", rows)


def show_level(kind, found, runs):
    """The same recordings at other levels."""
    rows, heard = [], [judge_denoise.mixed(scene[1:], 5) for scene in found]
    for name, run in runs.items():
        row = {"cleaner": name}
        for lower in QUIET:
            done = run([wave * 10 ** (lower / 20) for wave in heard])
            gains = [
                si_sdr(scene[1], one) - si_sdr(scene[1], wave) for scene, wave, one in zip(found, heard, done)
            ]
            row[f"{lower} dB"] = f"{np.mean(gains):+.1f}"
        rows.append(row)
    show(f"{kind} at 5 dB, all of it lowered: SI-SDR, dB gained", rows)


def show_alone(found, runs):
    """Noise where nothing else is: dB by which it is lowered, after the first second."""
    noises, rows = {name: noise * ALONE for name, _, noise in found}, []
    for name, run in runs.items():
        done = run(list(noises.values()))
        lowered = [
            decibels(noise[audio.RATE :]) - decibels(one[audio.RATE :])
            for noise, one in zip(noises.values(), done)
        ]
        order = np.argsort(lowered)[:3]
        rows.append(
            {
                "cleaner": name,
                "median": f"{np.median(lowered):.1f}",
                "least": ", ".join(f"{list(noises)[i]} {lowered[i]:.1f}" for i in order),
            }
        )
    show("noise alone: dB taken", rows)


def show_t(kind, name, model, found):
    """Automatic t beside the best t of a grid, for each mix its own and one for all mixes of a level."""
    rows = []
    for snr in SNRS:
        heard = [judge_denoise.mixed(scene[1:], snr) for scene in found]
        grid = np.array(
            [[si_sdr(scene[1], one) for scene, one in zip(found, cleaned(model, heard, t))] for t in GRID]
        )
        auto = np.array([si_sdr(scene[1], one) for scene, one in zip(found, cleaned(model, heard))])
        rows.append(
            {
                "snr": snr,
                "automatic": f"{(auto - grid[0]).mean():+.2f}",
                "best t of the level": f"{(grid.mean(1).max() - grid[0].mean()):+.2f}",
                "best t of each mix": f"{(grid.max(0) - grid[0]).mean():+.2f}",
                "short by more than 1 dB": f"{(grid.max(0) - auto > 1).mean():.2f}",
            }
        )
    show(f"{kind}, {name}: dB gained by automatic t, and by the best of {', '.join(map(str, GRID))}", rows)


def show_live(kind, name, model, found):
    """What live windows cost, with automatic t."""
    heard = {snr: [judge_denoise.mixed(scene[1:], snr) for scene in found] for snr in SNRS}
    rows = []
    for windows, live in LIVE.items():
        row = {"windows": windows}
        for snr in SNRS:
            done = cleaned(model, heard[snr], live=live)
            gains = [
                si_sdr(scene[1], one) - si_sdr(scene[1], wave)
                for scene, wave, one in zip(found, heard[snr], done)
            ]
            row[f"{snr} dB"] = f"{np.mean(gains):+.1f}"
        rows.append(row)
    show(f"{kind}, {name}: dB gained, automatic t", rows)


def keep(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, ["kind", "snr", "noise", "cleaner", "gain", "pesq", "stoi"], delimiter="\t"
        )
        writer.writeheader()
        writer.writerows(rows)
