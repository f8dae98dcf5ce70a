# SPDX-License-Identifier: LGPL-2.1-or-later
"""Helpers of all tests: counting, made-up sounds, tiny nets, commands."""

import contextlib
import io
import multiprocessing
import time

import numpy as np
import soundfile
import torch

from .. import classifier, data, decoder, denoise, distill, export, likeness, sfx, texture, train
from ..__main__ import main

count = dict(passed=0, failed=0, skipped=0)
# Children that have imported PyTorch once and done nothing with it: to be killed.
children = multiprocessing.get_context("forkserver")
children.set_forkserver_preload(["recipe.selftest.base"])


def check(good, what):
    count["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED: {what}", flush=True)


def skip(what):
    count["skipped"] += 1
    print(f"skipped: {what}", flush=True)


def result():
    """Prints the last line, which CI reads, and returns the exit status."""
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] or not count["passed"] else 0


def recipe(work, *words):
    """Runs python -m recipe in this process. Returns its exit status and all that it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = main(["--work", str(work), *map(str, words)])
        except SystemExit as end:  # argparse
            status = end.code
    return status, said.getvalue()


def refused(words, work, *command):
    """Whether the command fails with one message that holds all of `words`."""
    status, said = recipe(work, *command)
    check(
        status not in (0, None) and all(word in said for word in words) and "Traceback" not in said,
        f"{' '.join(map(str, command))}: expected a refusal with {words}, got {status}: {said}",
    )


def make_sounds(folder, number=5):
    """Three labels: beeps, hisses and clicks, at three rates."""
    rng = np.random.default_rng(0)
    for label, rate in (("beep", 48000), ("hiss", 44100), ("click", 22050)):
        (folder / label).mkdir(parents=True)
        for i in range(number):
            t = np.arange(rate * (3 if label == "hiss" else 1)) / rate
            sound = {
                "beep": np.sin(2 * np.pi * (400 + 100 * i) * t) * np.exp(-4 * t),
                "hiss": 0.3 * rng.standard_normal(len(t)),
                "click": np.where(t < 0.002 + 0.001 * i, 0.9, 0.0),
            }[label]
            soundfile.write(folder / label / f"{label}{i}.wav", 0.5 * sound, rate)


def make_corpus(folder):
    """Speech, effects and noise with a MANIFEST.tsv."""
    lines = [
        "path\tclass\tsource_repository\toriginal_path\tlicence\tauthor_or_url\t"
        "duration_s\toriginal_sample_rate"
    ]
    for kind, label, rate in (
        ("sfx/beep", "beep", 48000),
        ("speech/ann", "speech/ann", 16000),
        ("noise", "noise/room", 48000),
    ):
        (folder / kind).mkdir(parents=True)
        for i in range(12):
            t = np.arange(2 * rate) / rate
            sound = (
                np.random.default_rng(i).standard_normal(len(t))
                if kind == "noise"
                else np.sin(2000 * t * (1 + i))
            )
            soundfile.write(folder / kind / f"{i}.wav", 0.3 * sound, rate)
            lines.append(f"{kind}/{i}.wav\t{label}\trepo\t{kind}{i * 7}\tCC0-1.0\tnobody\t2\t{rate}")
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepared(root):
    """A work folder with the three labels, made once."""
    work = root / "work"
    if not (work / "bank.json").exists():
        make_sounds(root / "sounds")
        status, said = recipe(work, "prepare", root / "sounds")
        check(status == 0 and "15 clips" in said, f"prepare reads 15 clips: {said}")
    return work


def corpus(root):
    """A work folder with speech, effects and noise, made once."""
    work = root / "corpus-work"
    if not (work / "bank.json").exists():
        make_corpus(root / "corpus")
        status, said = recipe(work, "prepare", root / "corpus")
        check(status == 0, f"prepare reads a manifest: {said}")
    return work


def with_autoencoder(root):
    """The three labels and a small autoencoder that was trained on them, made once."""
    work = prepared(root)
    if not (work / "vae" / "net").exists():
        run = train_tiny(work, "vae", root / "vae", 4)
        export.averaged(run.folder, run.net).save_pretrained(work / "vae" / "net")
    return work


TINY = dict(
    vae=lambda work: sfx.Autoencode(work, (8, 8, 16, 16)),
    sfx=lambda work: sfx.Diffuse(work, None, (16, 32, 32)),
    classifier=lambda work: classifier.Classify(work, None, (16, 32)),
    student=lambda work: distill.Jumps(work, work.parent / "teacher", jumps=2, inner=2, checks=2),
    texture=lambda work: texture.Sharpen(work, work.parent / "teacher"),
    likeness=lambda work: likeness.Liken(work, work.parent / "teacher", made=2, known=6, ear_steps=2),
    decoder=lambda work: decoder.Renew(work, work.parent / "teacher", channels=(8, 16, 16), begin=2, made=2),
    denoise=lambda work: denoise.Task(data.Bank(work), channels=(8, 16, 16, 16), checks=24),
)


def train_tiny(work, what, folder, steps, at=None, then=None, save_every=1e9):
    """Trains. `then(run)` is called just before step `at`, as an accident would happen."""
    torch.set_num_threads(1)
    run = train.Run(quietly(TINY[what], work), folder, 1e-3, 4, steps=steps, save_every=save_every)
    run.resume()
    one_step = run.one_step
    run.one_step = lambda: (run.step == at and then(run), one_step())[1]
    quietly(run.run)
    return run


def hang(run):
    """Computes half a step and never ends: the process is killed there."""
    run.task.batch(run.count)
    time.sleep(600)


def quietly(function, *words):
    """Runs a function without its output."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return function(*words)


def start_child(function, *words):
    child = children.Process(target=quietly, args=(function, *words))
    child.start()
    return child
