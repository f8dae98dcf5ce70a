"""Numbers of a generator, from what comes out of the loudspeaker: sounds that `ebb render` made as it does unless asked
otherwise. Every one counts, at the mix of labels that the held-back sounds have."""

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
    """$EBB, the ebb on the PATH, or the one built beside the models."""
    built = BUILD / "tools" / "ebb"
    found = os.environ.get("EBB") or shutil.which("ebb") or (built.exists() and str(built))
    if not found:
        raise ValueError("sounds are judged as `ebb render` makes them, and there is no ebb: ./dev build, or name one in $EBB")
    return found


def render(model, names, labels, seed=1, options=()):
    """A sound for each class in `labels`, as the mels (n, BANDS, FRAMES) of their samples."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with open(path / "list.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("name", "label", "seed", "index"))
            rows.writerows((f"{i:05}", names[k], seed, i) for i, k in enumerate(labels))
        done = subprocess.run([find_ebb(), "render", "-m", str(model), "--list", path / "list.csv", "-o", folder, "-q", *options],
                              capture_output=True, text=True)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        return torch.stack([hear(path / f"{i:05}.wav") for i in range(len(labels))])


def opened(folder, work, what):
    """What a generator's ebb.json says, and the sounds that it is judged by: of the same labels."""
    info = json.loads((Path(folder) / "ebb.json").read_text(encoding="utf-8"))
    seen = sfx.Windows(work)
    if [label["name"] for label in info.get("labels", [])] != seen.labels:
        raise ValueError(f"{folder} has other labels than the sounds in {work}")
    seen.need_sounds(what)
    return info, seen


def hear(path):
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != audio.RATE or samples.ndim > 1:
        raise ValueError(f"{path}: expected mono at {audio.RATE} Hz")
    window = np.zeros(round(SECONDS * audio.RATE), np.float32)
    window[:len(samples)] = samples[:len(window)]
    return audio.mel(torch.from_numpy(window)).half()


def library():
    """$LIBEBB, or the one built beside the models."""
    return Path(os.environ.get("LIBEBB") or BUILD / "lib" / "libebb.so")


class Inversion:
    """The library's way from a mel to sound, by its C interface."""

    def __init__(self):
        self.c = ctypes.CDLL(str(library()))
        self.c.ebb_mel_create.restype = ctypes.c_void_p
        self.mel = ctypes.c_void_p(self.c.ebb_mel_create(None, None))

    def sound(self, mel, grain, seed=0):
        values = np.ascontiguousarray(mel.float().numpy())
        out = np.zeros((values.shape[1] - 1) * audio.HOP, np.float32)
        at = lambda x: x.ctypes.data_as(ctypes.c_void_p)
        if self.c.ebb_mel_to_sound(self.mel, at(values), ctypes.c_size_t(values.shape[1]), ctypes.c_bool(grain), 16,
                                   ctypes.c_uint64(seed), at(out), ctypes.c_size_t(len(out)), None):
            raise ValueError("the library could not make a sound of a mel")
        return torch.from_numpy(out)

    def there_and_back(self, mels, grain):
        """Mels of the sounds that these mels turn into."""
        return torch.stack([audio.mel(self.sound(mel, grain, seed)) for seed, mel in enumerate(mels)])


def spectral_distance(a, b, heard_db=50):
    """Mean absolute difference in dB, over what lies within `heard_db` of a clip's loudest cell."""
    a, b = a.float(), b.float()
    heard = a > a.amax((1, 2), keepdim=True) - heard_db / audio.MEL["db_range"]
    return float(((a - b).abs()[heard] * audio.MEL["db_range"]).mean())


# ---- sets of clips with one mix of labels ----

def same_mix(labels, mix, rng):
    """Places of clips, so many of each label as `mix` says; again and again where there are too few."""
    return np.concatenate([rng.choice(np.flatnonzero(labels == k), n, n > (labels == k).sum())
                           for k, n in enumerate(mix) if n and (labels == k).any()])


def wanted(mix, least):
    """Classes to make: as many of each as are held back, and at least `least`."""
    return np.repeat(np.arange(len(mix)), np.maximum(mix, least))


def by_label(hits, labels, count):
    """Mean per label; not a number where there is no clip."""
    return np.array([hits[labels == k].mean() if (labels == k).any() else np.nan for k in range(count)])


def at_mix(per_label, mix):
    there = (mix > 0) & ~np.isnan(per_label)
    return float((per_label[there] * mix[there]).sum() / mix[there].sum())


# ---- memory and variety ----

def nearest(a, b):
    """Distance from each of `a` to the nearest of `b`."""
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).min(1).values.numpy()


def memorised(made, held, train):
    """Share of `made` nearer to a training clip than all but 5 % of the held-back clips are."""
    return float((nearest(made, train) < np.quantile(nearest(held, train), 0.05)).mean())


def variety(embedding, labels, count):
    """Mean distance between two clips of a label, per label."""
    out = np.full(count, np.nan)
    for k in range(count):
        part = torch.from_numpy(embedding[labels == k])
        if len(part) > 1:
            out[k] = torch.pdist(part).mean()
    return out


# ---- the judge, made once ----

def trained_judge(work, seen, steps, seed):
    train = lambda: judge.train_judge(seen.train, seen.train_labels, len(seen.labels), steps, seed)
    kept = data.cached(Path(work) / f"judge-{seed}.pt", [seen.stamp, steps], lambda: dict(weights=train().state_dict()))
    ear = judge.Judge(len(seen.labels))
    ear.load_state_dict(kept["weights"])
    return ear.eval()


def sources(work, names):
    """How many recordings each label was learned from."""
    clips = data.Bank(work).choose("sfx", False)
    return [len({clip["source"] for clip in clips if clip["label"] == name}) for name in names]
