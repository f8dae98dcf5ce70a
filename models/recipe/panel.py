# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe panel`: a generator before judges of three families, and by measures that no network
learned.

No judge here trains, guides, selects or tunes anything. The families share neither features nor method: a
small CNN on mels, a linear classifier on openSMILE's ComParE functionals, and one on statistics of
modulations. Beside what the generator makes stand held-out clips, the same clips from their true mel, and
from their latents.
"""

import functools
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from . import audio, data, ears, judge, judge_sfx, nets, sfx
from .evaluate import show

FAMILIES = ("cnn", "functionals", "modulations")
KEPT = 32  # principal components that a Frechet distance is taken in
PENALTIES = (1e1, 1e2, 1e3, 1e4)  # of the linear classifiers; the best by leave-one-out


# ---- sounds ----


def clips(bank, names, held, most, seed=0):
    """Windows (n, samples) of at most `most` clips of each label, and the labels' numbers."""
    rng, waves, labels = np.random.default_rng(seed), [], []
    for number, name in enumerate(names):
        there = bank.choose("sfx", held, [name])
        for place in rng.permutation(len(there))[:most]:
            waves.append(torch.from_numpy(sfx.cut(bank.samples(there[place]), rng, 0)))
            labels.append(number)
    return torch.stack(waves), np.array(labels)


def through_mel(waves):
    """From their true mel, as the library makes sound of one."""
    inversion = judge_sfx.Inversion()
    return torch.stack([inversion.sound(audio.mel(wave), True, seed) for seed, wave in enumerate(waves)])


@torch.no_grad()
def through_latents(waves, model):
    vae = AutoencoderKL.from_pretrained(model, subfolder="vae").float().eval()
    latent = json.loads((Path(model) / "ebb.json").read_text(encoding="utf-8"))["latent"]
    inversion, out = judge_sfx.Inversion(), []
    for seed, wave in enumerate(waves):
        mel = audio.mel(wave)[None, None]
        back = nets.decoded(vae, nets.encoded(vae, mel).mean)[0, 0].clamp(-1, 1)
        out.append(inversion.sound(sfx.hushed(back, latent), True, seed))
    return torch.stack(out)


# ---- families of judges ----


class Linear:
    """Ridge regression to the labels, every label weighing the same: in its dual form, for there are more
    features than clips."""

    def __init__(self, features, labels, count):
        self.mean, self.spread = features.mean(0), features.std(0) + 1e-6
        x = self.scaled(features)
        weight = np.sqrt(1 / np.bincount(labels, minlength=count)[labels])
        goal = (np.eye(count)[labels] - 1 / count) * weight[:, None]
        values, vectors = np.linalg.eigh((x @ x.T + 1) * np.outer(weight, weight))
        turned = vectors.T @ goal
        errors = []
        for penalty in PENALTIES:  # the error on each clip of the fit without it, in closed form
            part = 1 / (values + penalty * values.mean())
            dual = vectors @ (part[:, None] * turned)
            left = goal - dual / (vectors**2 @ part)[:, None]
            errors.append((left.argmax(1) != labels).mean())
        self.penalty = PENALTIES[int(np.argmin(errors))]
        dual = vectors @ (turned / (values + self.penalty * values.mean())[:, None]) * weight[:, None]
        self.weights, self.bias = x.T @ dual, dual.sum(0)

    def scaled(self, features):
        return np.clip((features - self.mean) / self.spread, -5, 5)

    def __call__(self, features):
        """Scores, and where the clips lie."""
        x = self.scaled(features)
        return x @ self.weights + self.bias, x


def functionals(waves):
    """openSMILE's ComParE functionals (6373 a clip)."""
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.ComParE_2016, feature_level=opensmile.FeatureLevel.Functionals
    )
    return np.stack(
        [
            np.nan_to_num(smile.process_signal(ears.level(wave), audio.RATE).to_numpy()[0]).astype(np.float32)
            for wave in waves.numpy()
        ]
    )


def modulations(waves):
    return np.stack([ears.statistics(wave) for wave in waves.numpy()])


def linear(features, waves, labels, count):
    taught = Linear(features(waves), labels, count)
    return lambda heard: taught(features(heard))


def cnn(steps, seed, waves, labels, count):
    mels = torch.stack([audio.mel(wave) for wave in waves])
    ear = judge.train_judge(mels, torch.from_numpy(labels), count, steps, seed)

    def listen(heard):
        scores, places = judge.listen(ear, torch.stack([audio.mel(wave) for wave in heard]))
        return scores.detach().numpy(), places

    return listen


def families(names, steps, seed=11):
    known = dict(
        cnn=functools.partial(cnn, steps, seed),
        functionals=functools.partial(linear, functionals),
        modulations=functools.partial(linear, modulations),
    )
    return {name: known[name] for name in names}


# ---- tables ----


def components(places):
    """What turns places into KEPT numbers of variance 1 among `places`."""
    mean = places.mean(0)
    _, sizes, rows = np.linalg.svd(places - mean, full_matrices=False)
    kept = min(KEPT, int((sizes > 1e-6 * sizes[0]).sum()), len(places) // 4)
    turn = rows[:kept].T / (sizes[:kept] / np.sqrt(len(places)))
    return lambda x: (x - mean) @ turn


def recognised(scores, labels):
    """Part of the clips whose label has the highest score, the mean over the labels."""
    hits = (scores.argmax(1) == labels).astype(float)
    return float(np.nanmean(judge_sfx.by_label(hits, labels, scores.shape[1])))


def furthest(a, b):
    """Kolmogorov's distance of two samples of numbers: the most by which their shares below a value
    differ."""
    at = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(x), at, "right") / len(x) for x in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def panel(model, work, count=6, most=60, steps=800, names=FAMILIES, out=None):
    """Prints the tables. `count`: held-out clips of a label at most, and as many made; `most`: clips of a
    label to learn from."""
    model, bank = Path(model), data.Bank(work)
    labels = judge_sfx.labels_of(model)
    train, known = clips(bank, labels, False, most)
    held, asked = clips(bank, labels, True, count)
    if not len(np.unique(asked)):
        raise ValueError(f"{work}: no clips of this model's labels are held out")
    heard = {
        "held-out clips": held,
        "from their true mel": through_mel(held),
        "from their latents": through_latents(held, model),
        "generated": judge_sfx.rendered(model, labels, asked),
    }
    if out:
        data.save_tensors(
            out,
            dict(heard={name: waves.half() for name, waves in heard.items()}, labels=torch.from_numpy(asked)),
        )
    print(f"{len(train)} training clips, {len(held)} held-out clips, {len(labels)} labels", flush=True)
    for name, teach in families(names, steps).items():
        show_family(name, teach(train, known, len(labels)), heard, train, known, asked)
    show_measures(heard, train, known, asked)


def alike(known, asked, rng):
    """Places of training clips with the labels' mix of the held-out ones."""
    return judge_sfx.same_mix(known, np.bincount(asked, minlength=known.max() + 1), rng)


def show_family(name, listen, heard, train, known, asked):
    same = alike(known, asked, np.random.default_rng(0))
    _, near = listen(train[same])
    shorten, rows, told = components(near), [], {side: listen(waves) for side, waves in heard.items()}
    reference = shorten(told["held-out clips"][1])
    rows.append(
        {"clips": "training clips", "top-1": "", "Frechet": f"{judge.frechet(shorten(near), reference):.2f}"}
    )
    for side, (scores, places) in told.items():
        rows.append(
            {
                "clips": side,
                "top-1": f"{recognised(scores, asked):.3f}",
                "Frechet": f"{judge.frechet(shorten(places), reference):.2f}",
            }
        )
    show(f"{name}: top-1, mean of the labels; Frechet distance to the held-out clips", rows)


def show_measures(heard, train, known, asked):
    """The median of each measure, and in brackets how far its distribution is from that of the held-out
    clips."""
    heard = {"training clips": train[alike(known, asked, np.random.default_rng(0))]} | heard
    rows = []
    for title, measure in ears.MEASURES.items():
        values = {
            side: np.array([measure(ears.level(wave)) for wave in waves.numpy()])
            for side, waves in heard.items()
        }
        real = values["held-out clips"]
        rows.append(
            {"measure": title}
            | {
                side: f"{np.median(value):.3g} ({furthest(value, real):.2f})"
                for side, value in values.items()
            }
        )
    show("medians; in brackets Kolmogorov's distance to the held-out clips", rows)
