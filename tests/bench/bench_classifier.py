#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What classifier guidance does to the shipped model: how often the judge of the recipe hears the label, on
rendered sounds.

    bench_classifier.py EBB MODEL --work recipe-work [--judge judge.pt] [--count 2]

It needs the requirements of models/recipe.

The judge is a net of its own that has heard real training clips only; it is trained here (--judge-steps), and
kept in the file of --judge if that is named. What the classifier itself says of sounds that it led would be
no measure.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))
from recipe import audio, judge, sfx  # noqa: E402

SETTINGS = "1:0,1:1,1:3,3.5:0,3.5:1,3.5:3"  # guidance, then classifier guidance


def hear(args, labels):
    """The judge, ready."""
    ear = judge.Judge(labels)
    if args.judge and args.judge.exists():
        ear.load_state_dict(torch.load(args.judge, map_location="cpu", weights_only=True))
        return ear.eval()
    seen = sfx.Windows(args.work)
    ear = judge.train_judge(seen.train, seen.train_labels, labels, args.judge_steps)
    if args.judge:
        torch.save(ear.state_dict(), args.judge)
    return ear


def render(args, names, guidance, classifier):
    """(n, bands, frames) mels of `count` sounds of each label, and the labels."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                args.ebb,
                "render",
                "--model",
                args.model,
                "--label",
                "all",
                "--count",
                str(args.count),
                "--seed",
                "1",
                "-q",
                "--steps",
                "20",
                "--guidance",
                str(guidance),
                "--classifier-guidance",
                str(classifier),
                "-o",
                folder + "/",
            ],
            check=True,
        )
        mels, labels = [], []
        for i, name in enumerate(names):
            for file in sorted(Path(folder).glob(f"{name}-s1-*.wav")):
                samples = torch.from_numpy(soundfile.read(file)[0].astype(np.float32))
                mels.append(audio.mel(samples)[:, : sfx.FRAMES])
                labels.append(i)
        return torch.stack(mels), torch.tensor(labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ebb")
    parser.add_argument("model")
    parser.add_argument("--work", type=Path, default=Path("recipe-work"))
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--judge-steps", type=int, default=1500)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--settings", default=SETTINGS)
    args = parser.parse_args()
    listed = subprocess.run(
        [args.ebb, "labels", args.model, "--names"], check=True, capture_output=True, text=True
    )
    names = sorted(listed.stdout.split())
    ear = hear(args, len(names))
    print("| guidance | classifier guidance | clips | top1 | top3 | log p |\n|---|---|---|---|---|---|")
    for guidance, classifier in (map(float, pair.split(":")) for pair in args.settings.split(",")):
        mels, labels = render(args, names, guidance, classifier)
        scores, _ = judge.listen(ear, mels)
        log_p = torch.log_softmax(scores, 1)[torch.arange(len(labels)), labels].mean()
        print(
            f"| {guidance:g} | {classifier:g} | {len(labels)} | "
            f"{judge.accuracy(scores, labels).mean():.3f} | "
            f"{judge.accuracy(scores, labels, 3).mean():.3f} | {log_p:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
