# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures a generator by the sounds that `ebb render` makes with its default settings.

Every sound counts. The labels are mixed as among the held-out sounds.
"""

import csv
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from . import audio, data, judge, sfx

BUILD = Path(__file__).parents[2] / "build"
SECONDS = (sfx.FRAMES - 1) * audio.HOP / audio.RATE  # what a window of FRAMES frames is made of


def find_ebb():
    """The command: $EBB, or `ebb` on the PATH, or the one that was built beside the models."""
    built = BUILD / "tools" / "ebb"
    found = os.environ.get("EBB") or shutil.which("ebb") or (built.exists() and str(built))
    if not found:
        raise ValueError(
            "sounds are judged as `ebb render` makes them, and there is no ebb: "
            "./dev build, or name one in $EBB"
        )
    return found


def render(model, names, labels, seed=1, options=()):
    """Mels (n, BANDS, FRAMES) of sounds that are made, one for each class in `labels`."""
    return torch.stack([audio.mel(wave).half() for wave in rendered(model, names, labels, seed, options)])


def rendered(model, names, labels, seed=1, options=(), column="label"):
    """A sound for each of `names` that `labels` has the numbers of, (n, samples of a window). `column`: what
    the names are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with open(path / "list.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("name", column, "seed", "index"))
            rows.writerows((f"{i:05}", names[k], seed, i) for i, k in enumerate(labels))
        done = subprocess.run(
            [
                find_ebb(),
                "render",
                "-m",
                str(model),
                "--list",
                path / "list.csv",
                "-o",
                folder,
                "-q",
                *options,
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ValueError(done.stderr.strip())
        return torch.stack([window_of(path / f"{i:05}.wav") for i in range(len(labels))])


def opened(folder, work, what):
    """A generator's ebb.json, and the sounds to compare it with: those of the labels that it has."""
    info = json.loads((Path(folder) / "ebb.json").read_text(encoding="utf-8"))
    seen = sfx.Windows(work)
    labels = [label["name"] for label in info.get("labels", [])]
    unheard = [name for name in labels if name not in seen.labels]
    if unheard or not labels:
        raise ValueError(
            f"{folder} has other labels than the sounds in {work}: {', '.join(unheard) or 'none at all'}"
        )
    seen.need_sounds(what)
    if labels != seen.labels:
        seen.keep_labels(labels)
    return info, seen


def labels_of(folder):
    """The names of a generator's labels."""
    info = json.loads((Path(folder) / "ebb.json").read_text(encoding="utf-8"))
    return [label["name"] for label in info.get("labels", [])]


def window_of(path):
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != audio.RATE or samples.ndim > 1:
        raise ValueError(f"{path}: expected mono at {audio.RATE} Hz")
    window = np.zeros(round(SECONDS * audio.RATE), np.float32)
    window[: len(samples)] = samples[: len(window)]
    return torch.from_numpy(window)


def library():
    """The library: $LIBEBB, or the one that was built beside the models."""
    return Path(os.environ.get("LIBEBB") or BUILD / "lib" / "libebb.so")


class Phases(ctypes.Structure):
    """struct ebb_mel_phases of ebb/mel.h."""

    _fields_ = [("iterations", ctypes.c_int), ("seed", ctypes.c_uint64), ("grain", ctypes.c_bool)]


class Inversion:
    """Turns a mel into sound with libebb, through its C interface."""

    def __init__(self):
        self.c = ctypes.CDLL(str(library()))
        self.c.ebb_mel_create.restype = ctypes.c_void_p
        self.mel = ctypes.c_void_p(self.c.ebb_mel_create(None, None))

    def sound(self, mel, grain, seed=0):
        values = np.ascontiguousarray(mel.float().numpy())
        out = np.zeros((values.shape[1] - 1) * audio.HOP, np.float32)
        at = lambda x: x.ctypes.data_as(ctypes.c_void_p)
        if self.c.ebb_mel_to_sound(
            self.mel,
            at(values),
            ctypes.c_size_t(values.shape[1]),
            ctypes.byref(Phases(16, seed, grain)),
            at(out),
            ctypes.c_size_t(len(out)),
            None,
        ):
            raise ValueError("the library could not make a sound of a mel")
        return torch.from_numpy(out)

    def there_and_back(self, mels, grain):
        """Turns mels into sounds, and the sounds into mels again."""
        return torch.stack([audio.mel(self.sound(mel, grain, seed)) for seed, mel in enumerate(mels)])


def spectral_distance(a, b, heard_db=50):
    """The mean absolute difference in dB, over the cells within `heard_db` of a clip's loudest cell."""
    a, b = a.float(), b.float()
    heard = a > a.amax((1, 2), keepdim=True) - heard_db / audio.MEL["db_range"]
    return float(((a - b).abs()[heard] * audio.MEL["db_range"]).mean())


# ---- sets of clips with one mix of labels ----


def same_mix(labels, mix, rng):
    """Indices of clips, as many of each label as `mix` says. Where a label has too few clips, they are
    repeated.
    """
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(labels == k), n, n > (labels == k).sum())
            for k, n in enumerate(mix)
            if n and (labels == k).any()
        ]
    )


def wanted(mix, least):
    """The classes to make: of each as many as are held out, and at least `least`."""
    return np.repeat(np.arange(len(mix)), np.maximum(mix, least))


def by_label(hits, labels, count):
    """The mean of each label; NaN where a label has no clip."""
    return np.array([hits[labels == k].mean() if (labels == k).any() else np.nan for k in range(count)])


def at_mix(per_label, mix):
    there = (mix > 0) & ~np.isnan(per_label)
    return float((per_label[there] * mix[there]).sum() / mix[there].sum())


# ---- memory and variety ----


def nearest(a, b):
    """The distance from each of `a` to the nearest of `b`."""
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).min(1).values.numpy()


def memorised(made, held, train):
    """The share of `made` that is nearer to a training clip than all but 5 % of the held-out clips are."""
    return float((nearest(made, train) < np.quantile(nearest(held, train), 0.05)).mean())


def variety(embedding, labels, count):
    """The mean distance between two clips of a label, for each label."""
    out = np.full(count, np.nan)
    for k in range(count):
        part = torch.from_numpy(embedding[labels == k])
        if len(part) > 1:
            out[k] = torch.pdist(part).mean()
    return out


# ---- the judge, made once ----


def trained_judge(work, seen, steps, seed):
    train = lambda: judge.train_judge(seen.train, seen.train_labels, len(seen.labels), steps, seed)
    kept = data.cached(
        Path(work) / f"judge-{seed}.pt", [seen.stamp, steps], lambda: dict(weights=train().state_dict())
    )
    ear = judge.Judge(len(seen.labels))
    ear.load_state_dict(kept["weights"])
    return ear.eval()


def sources(work, names):
    """How many recordings each label was learned from."""
    clips = data.Bank(work).choose("sfx", False)
    return [len({clip["source"] for clip in clips if clip["label"] == name}) for name in names]
