# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe guide`: chooses the guidance of each label.

Guidance makes sounds more like their label and less varied. A label that the network knows well needs less
guidance. For each label, judges choose the guidance that brings generated sounds nearest to the training
clips. These judges are not used for the numbers of the model card. Held-back clips are not used.
"""

from pathlib import Path

import numpy as np
import torch

from . import data, judge, judge_sfx
from .evaluate import show

GUIDANCES = [1.5, 2, 3, 4.5, 6.5]
JUDGES = [5, 7, 11]
MOST = 40  # training clips of a label that are enough to know it by


def distance(made, real, size):
    """The distance between two sets of embeddings of one label, relative to `size`: the distance of the
    means, less what chance contributes, plus the difference of the spreads."""
    chance = made.var(0, ddof=1).sum() / len(made) + real.var(0, ddof=1).sum() / len(real)
    apart = ((made.mean(0) - real.mean(0)) ** 2).sum() - chance
    return float((apart + ((made.std(0) - real.std(0)) ** 2).sum()) / size)


def costs(ear, made, made_labels, real, real_labels, count):
    """The cost of one guidance, per label: the distance of its sounds to real ones, less the confidence of
    the judge."""
    scores, embedding = judge.listen(ear, made)
    sure = torch.softmax(scores, 1)[torch.arange(len(made)), torch.from_numpy(made_labels)].numpy()
    size = real.var(0).sum()
    return np.array(
        [
            distance(embedding[made_labels == k], real[real_labels == k], size)
            - sure[made_labels == k].mean()
            for k in range(count)
        ]
    )


def some_of_each(labels, most, rng):
    return np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:most] for k in np.unique(labels)])


def choose(folder, work, guidances, count, judge_steps, seeds, write):
    """Makes `count` sounds of each label with each guidance and chooses the guidance of the least cost,
    averaged over the judges."""
    folder = Path(folder)
    info, seen = judge_sfx.opened(folder, work, "guide")
    if seen.train_labels.bincount(minlength=len(seen.labels)).min() < 2:
        raise ValueError("guide: a label needs two clips at least")
    guidances = sorted(set(guidances))
    labels = np.repeat(np.arange(len(seen.labels)), count)
    some = some_of_each(seen.train_labels.numpy(), MOST, np.random.default_rng(1))
    real_labels = seen.train_labels.numpy()[some]
    ears = [judge_sfx.trained_judge(work, seen, judge_steps, seed) for seed in seeds]
    real = [judge.listen(ear, seen.train[some])[1] for ear in ears]
    table = np.zeros((len(guidances), len(seen.labels)))
    for row, guidance in zip(table, guidances):
        made = judge_sfx.render(
            folder, seen.labels, labels, seed=2, options=("--guidance", str(guidance))
        )  # evaluate hears seed 1
        row += np.mean(
            [
                costs(ear, made, labels, cloud, real_labels, len(seen.labels))
                for ear, cloud in zip(ears, real)
            ],
            0,
        )
        print(f"guidance {guidance:g} heard", flush=True)
    best = table.argmin(0)
    show(
        "Cost of each guidance: distance to the training clips, less how sure the judges are; "
        "the least is chosen",
        [
            dict(label=name)
            | {f"{guidance:g}": f"{cost:.2f}" for guidance, cost in zip(guidances, table[:, k])}
            | dict(chosen=f"{guidances[best[k]]:g}")
            for k, name in enumerate(seen.labels)
        ],
    )
    if write:
        for label, at in zip(info["labels"], best):
            label["guidance"] = guidances[at]
        data.write_json(folder / "ebb.json", info)
    return [guidances[at] for at in best]
