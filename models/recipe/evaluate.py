# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe evaluate`: measures every number of the model cards."""

from pathlib import Path

import numpy as np
import torch

from . import data, judge, judge_sfx

FEW = 20  # recordings a label was learned from, below which it is named


def show(title, rows):
    """Rows of dicts as a Markdown table."""
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)


def generator(folder, work, count, judge_steps, write, seed=0, options=()):
    """Prints the tables of a generator. `seed`: of the judge. Settings and weights are chosen by judges of
    other seeds than the judge that reports."""
    folder = Path(folder)
    info, seen = judge_sfx.opened(folder, work, "evaluate")
    if seen.shared:
        raise ValueError(
            f"{work}: no label has clips held out, so there is nothing that the model has not heard; "
            "a label of "
            f"{data.FEW} clips or more holds one out"
        )
    held_labels, train_labels = seen.held_labels.numpy(), seen.train_labels.numpy()
    mix = np.bincount(held_labels, minlength=len(seen.labels))
    made_labels = judge_sfx.wanted(mix, count)
    made = judge_sfx.render(folder, seen.labels, made_labels, options=options)
    print(f"{len(made)} sounds made", flush=True)
    ear = judge_sfx.trained_judge(work, seen, judge_steps, seed)
    heard = {
        side: Heard(ear, mels, labels, mix)
        for side, mels, labels in (
            ("held-back", seen.held, held_labels),
            ("generated", made, made_labels),
            ("training", seen.train, train_labels),
        )
    }
    show(
        "The judge's accuracy, at the held-back clips' mix of labels",
        [
            dict(
                clips=f"{len(h.labels)} {side}",
                top1=f"{judge_sfx.at_mix(h.top1, mix):.3f}",
                top3=f"{judge_sfx.at_mix(h.top3, mix):.3f}",
            )
            for side, h in heard.items()
        ],
    )
    show_distances(heard)
    show_memory(heard, len(seen.labels))
    show_inversion(seen.held)
    few = [n < FEW for n in judge_sfx.sources(work, seen.labels)]
    show("By label (judge's top-1); * learned from few recordings", rate_labels(info, heard, few))
    show(
        "Labels learned from few recordings, together, and the others",
        [
            {"labels": title}
            | {side: f"{judge_sfx.at_mix(h.top1, np.where(which, mix, 0)):.3f}" for side, h in heard.items()}
            for title, which in ((f"{sum(few)} with fewer than {FEW}", few), ("others", ~np.array(few)))
            if (mix * which).any()
        ],
    )
    if write:
        data.write_json(folder / "ebb.json", info)
    return made


class Heard:
    """The judge's scores of clips, and a part of these clips that has the mix of labels `mix`."""

    def __init__(self, ear, mels, labels, mix):
        self.labels, self.mels = labels, mels
        scores, self.embedding = judge.listen(ear, mels)
        hits = [judge.accuracy(scores, torch.from_numpy(labels), top).numpy() for top in (1, 3)]
        self.top1, self.top3 = (judge_sfx.by_label(h, labels, len(mix)) for h in hits)
        self.same = judge_sfx.same_mix(labels, mix, np.random.default_rng(0))

    @property
    def matched(self):
        return self.embedding[self.same]


def show_distances(heard):
    reference = heard["held-back"].embedding
    if min(len(reference), *(len(h.same) for h in heard.values())) < 2:
        print("\nFrechet distance: too few held-back clips, two are needed")
        return
    rows, real = [], None
    for side in ("training", "generated"):
        distance, interval = judge.frechet_interval(heard[side].matched, reference)
        real = real or distance
        rows.append(dict(clips=side, distance=distance, interval=interval, ratio=f"{distance / real:.2f}"))
    show(
        "Frechet distance to the held-back clips (64 numbers, equal counts, equal mix; "
        "5 to 95 % over redrawn clips)",
        rows,
    )


def show_memory(heard, count):
    train, held = heard["training"].embedding, heard["held-back"].embedding
    made = heard["generated"]
    share = judge_sfx.memorised(made.matched, held, train)
    show(
        "Memory: clips nearer to a training clip than all but 5 % of the held-back ones",
        [dict(clips="held-back", share="5.0 %"), dict(clips="generated", share=f"{100 * share:.1f} %")],
    )
    spread = {side: judge_sfx.variety(h.embedding, h.labels, count) for side, h in heard.items()}
    ratio = spread["generated"] / spread["training"]
    show(
        "Variety: distance between two clips of a label, generated to training ones (1: as varied)",
        [{f"{int(q * 100)} % of labels below": f"{np.nanquantile(ratio, q):.2f}" for q in (0.1, 0.5, 0.9)}],
    )


def show_inversion(held, count=100):
    inversion, real = judge_sfx.Inversion(), held[:: max(1, len(held) // count)]
    back = {
        name: inversion.there_and_back(real, grain)
        for name, grain in (("tones and noise alike", False), ("with grain", True))
    }
    show(
        "Held-back clips through the mel's inversion: log-spectral distance, within 50 dB of the loudest",
        [
            dict(inversion=name, dB=f"{judge_sfx.spectral_distance(real, mels):.2f}")
            for name, mels in back.items()
        ],
    )


def rate_labels(info, heard, few):
    """Scores into `info`; a label below half of its real accuracy, or rarely recognised, gets a note."""
    rows = []
    real, made = heard["held-back"], heard["generated"]
    for i, label in enumerate(info["labels"]):
        label["score"] = round(float(made.top1[i]), 2)
        label.pop("note", None)
        counts = [(h.labels == i).sum() for h in (real, made)]
        known = real.top1[i] if counts[0] else 0
        if label["score"] < 0.3 or label["score"] < 0.5 * known:
            label["note"] = (
                "weak: seldom recognised" if known >= 0.3 else "unsure: the judge knows real ones no better"
            )
        rows.append(
            dict(
                label=label["name"] + "*" * few[i],
                real=f"{known:.2f} of {counts[0]}" if counts[0] else "none",
                generated=f"{made.top1[i]:.2f} of {counts[1]}",
                note=label.get("note", ""),
            )
        )
    return rows
