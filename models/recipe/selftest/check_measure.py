# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures give known numbers on known sounds. Also judges, and the commands `compare` and `panel`."""

import importlib.util
import shutil
import unittest.mock

import numpy as np
import soundfile
import torch

from .. import audio, compare, data, denoise, ears, mix, nets, panel
from .base import check, corpus, recipe, refused, skip, train_tiny


def run(root):
    check_ears()
    check_linear()
    check_distance()
    check_deepened(root)
    check_aside(root)
    check_odds()
    check_compare(root)
    check_panel(root)


def check_ears():
    rng, t = np.random.default_rng(0), np.arange(2 * audio.RATE) / audio.RATE
    noise, tone = rng.standard_normal(len(t)), np.sin(2 * np.pi * 1000 * t)
    swell = np.minimum(1, t / 0.2) * np.sign(tone)  # a tenth at 20 ms, nine tenths at 180 ms
    check(abs(ears.attack(swell) - 160) <= 4, f"attack: 160 ms, got {ears.attack(swell)}")
    clicks = np.zeros(len(t))
    clicks[4800::9600] = 1
    check(ears.events(clicks) == 5, f"five clicks a second, got {ears.events(clicks)}")
    check(ears.events(0.1 * tone) <= 0.5, "a steady tone has no events but its start")
    white = ears.flatness(
        noise
    )  # the mean of the logarithm of exponential variables is minus Euler's constant
    check(abs(white + 10 * np.euler_gamma / np.log(10)) < 0.1, f"white noise: -2.51 dB, got {white:.2f}")
    check(ears.flatness(tone) < -40, "a tone is not flat")
    # Hann of 8192: its main lobe is 10 dB down 1.288 bins of 5.86 Hz from the middle
    check(
        abs(ears.line_width(tone) - 2 * 1.288 * audio.RATE / 8192) < 2,
        f"a line: {ears.line_width(tone):.1f} Hz",
    )
    shaken = tone * (1 + np.cos(2 * np.pi * 20 * t))
    parts = [ears.modulation(*band)(shaken) for band in ((0.5, 8), (8, 32), (32, 250))]
    check(parts[1] > 95, f"modulated at 20 Hz: {parts}")
    quiet = ears.statistics(0.01 * noise.astype(np.float32))
    check(
        np.allclose(quiet, ears.statistics(noise.astype(np.float32)), atol=1e-3), "statistics know no level"
    )
    check(
        np.isfinite(ears.statistics(np.zeros(48000, np.float32))).all(), "statistics of silence are numbers"
    )
    hz = np.linspace(0, audio.RATE / 2, 513)
    middle = ears.bands()[:, (hz > 100) & (hz < 17000)]
    check(np.allclose(middle.sum(0), 1, atol=1e-9), "the bands leave nothing out")


def check_linear():
    """The fit is ridge regression, written out. Its leave-one-out errors are those of real fits."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(3), (8, 12, 20))
    places = rng.standard_normal((40, 60)) + 2 * np.eye(3, 60)[labels]
    taught = panel.Linear(places, labels, 3)
    scores, x = taught(places)
    weight = 1 / np.bincount(labels)[labels]
    one = np.concatenate([x, np.ones((40, 1))], 1)
    gram = np.sqrt(weight)[:, None] * (one @ one.T) * np.sqrt(weight)
    penalty = taught.penalty * np.linalg.eigvalsh(gram).mean()
    plain = np.linalg.solve(
        one.T @ (weight[:, None] * one) + penalty * np.eye(61),
        one.T @ (weight[:, None] * (np.eye(3)[labels] - 1 / 3)),
    )
    check(np.allclose(scores, one @ plain, atol=1e-6), "the dual form is ridge regression")
    check(panel.recognised(scores, labels) > 0.9, "three separate labels are told apart")


def check_distance():
    a = np.arange(10.0)
    check(panel.furthest(a, a) == 0 and panel.furthest(a, a + 100) == 1, "Kolmogorov: the same, and apart")
    check(panel.furthest(a, np.concatenate([a[5:], a[5:] + 100])) == 0.5, "Kolmogorov: half of it apart")
    places = np.random.default_rng(0).standard_normal((400, 6)) @ np.diag([1, 2, 3, 4, 5, 6])
    short = panel.components(places)(places)
    check(np.allclose(np.cov(short.T, bias=True), np.eye(6), atol=1e-6), "components have a variance of 1")


def check_deepened(root):
    """A deeper net computes the same as the net that it starts from."""
    torch.manual_seed(0)
    size = dict(patch=(4, 2), channels=(8, 16), frames=64)
    first, x = nets.denoiser(**size), torch.randn(2, 16, 32, 32)
    index = torch.tensor([3, 900])
    for weights in first.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    wanted, before = first(x, index).sample.detach(), first.state_dict()
    for layers in (1, 2, 4):
        deep = nets.denoiser(**size, layers=layers)
        deep.load_state_dict(nets.deepened(deep, before))
        gap = float((deep(x, index).sample - wanted).detach().abs().max())
        check(gap < 1e-4 * float(wanted.abs().max()), f"{layers} blocks a level say the same: {gap:.1e}")
        before = deep.state_dict()
    first.save_pretrained(root / "one-layer" / "unet")
    try:
        denoise.started(nets.denoiser((4, 2), (8, 24), 64), root / "one-layer")
        check(False, "other channels: expected a refusal")
    except ValueError as error:
        check("--channels 8,16 --layers 1" in str(error), f"other channels: {error}")


def check_aside(root):
    work = corpus(root)
    rules = root / "aside.txt"
    rules.write_text("# what is put aside\nreported noise/r* *\nunused * CC-BY-SA*\nunused beep CC0-1.0\n")
    clips = [
        dict(kind=kind, label=label, source=source, licence=licence)
        for kind, label, source, licence in (
            ("noise", "room", "a", "CC0-1.0"),
            ("noise", "wind", "a", "CC0-1.0"),
            ("noise", "wind", "b", "CC0-1.0"),
            ("sfx", "beep", "c", "CC0-1.0"),
            ("speech", "ann", "d", "CC-BY-SA-4.0"),
        )
    ]
    data.put_aside(clips, data.read_aside(rules))
    sides = [clip["aside"] for clip in clips]
    check(sides == ["reported", "unused", "", "unused", "unused"], f"aside, a source as a whole: {sides}")
    beside = root / "aside-work"
    status, said = recipe(beside, "prepare", root / "corpus", "--aside", rules)
    bank = data.Bank(beside)
    check(
        status == 0
        and len(bank.choose("noise", "reported")) == 12
        and not [
            clip for held in (True, False) for clip in bank.choose("noise", held) if clip["label"] == "room"
        ],
        f"reported noise is on no other side: {said}",
    )
    check(data.Bank(work).choose("noise", "reported") == [], "nothing is put aside without a list")
    rules.write_text("reported noise/room\n")
    refused(["line 1", "expected"], root / "x", "prepare", root / "corpus", "--aside", rules)
    rules.write_text("reported noise/room *\n")
    refused(["no MANIFEST.tsv"], root / "x", "prepare", root / "corpus" / "sfx", "--aside", rules)


def check_odds():
    """A clip of a voice with four clips is drawn half as often as the only clip of another voice."""
    group = [dict(kind="speech", label=name, source="") for name in "aaaab"]
    parts = np.diff(mix.odds(group), prepend=0)
    check(np.allclose(parts, np.array([1, 1, 1, 1, 2]) / 6), f"odds of clips: {parts}")


def check_compare(root):
    """The numbers of a denoiser that takes nothing and of one that halves everything, and the tables of the
    command.
    """
    work, beside = corpus(root), root / "compare-work"
    (root / "all.txt").write_text("reported * *\n")
    recipe(beside, "prepare", root / "corpus", "--aside", root / "all.txt")
    refused(["effects", "prepare --aside"], work, "compare", root, "--side", "reported", "--kinds", "effects")
    with unittest.mock.patch.object(compare, "SECONDS", 1):
        found = compare.scenes(data.Bank(beside), "effects", "reported", 2)
        rows = compare.noisy(found, "effects", dict(half=lambda waves: [wave / 2 for wave in waves]))
        gains = compare.of(rows, "half", 10, "gain")
        check(len(found) == len(gains) == 2 and np.abs(gains).max() < 1e-3, f"loudness is no gain: {gains}")
        check(
            all(abs(float(noise.square().mean()) - 1) < 1e-3 for *_, noise in found), "noise has an RMS of 1"
        )
        if not shutil.which("ebb"):
            skip("compare: ebb is not on the PATH (./dev test-recipe puts it there)")
            return
        out = root / "models" / "compared"
        train_tiny(work, "denoise", work / "denoise", 2)
        recipe(work, "export", out, "--what", "denoise")
        parts = ["noisy", "clean", "level", "alone", "t", "live"]
        words = ["--side", "reported", "--count", "1", "--kinds", "effects", "--parts", *parts]
        status, said = recipe(beside, "compare", out, *words, "--out", root / "rows.tsv")
    titles = (
        "dB gained",
        "without noise",
        "all of it lowered",
        "noise alone",
        "best t of each mix",
        "live, low",
    )
    check(status == 0 and all(title in said for title in titles), f"compare: {said}")
    lines = (root / "rows.tsv").read_text().splitlines()
    check(len(lines) == 1 + 2 * len(compare.SNRS) and "nothing" in lines[1], "a row for every scene")


def check_panel(root):
    """A small generator before the panel, with openSMILE where it is installed."""
    model = root / "models" / "latent"
    if not (model / "ebb.json").exists() or not shutil.which("ebb"):
        skip("panel: needs the part `export` before it, and ebb on the PATH")
        return
    names = [
        name for name in panel.FAMILIES if name != "functionals" or importlib.util.find_spec("opensmile")
    ]
    if len(names) < len(panel.FAMILIES):
        skip("panel: opensmile is not installed (requirements-evaluate.txt)")
    words = ["--count", "1", "--most", "4", "--judge-steps", "2", "--families", *names]
    many = root / "many"
    rng = np.random.default_rng(0)
    for label in ("beep", "click", "hiss"):
        (many / label).mkdir(parents=True)
        for i in range(9):
            soundfile.write(many / label / f"{i}.wav", 0.3 * rng.standard_normal(20000 + 1000 * i), 48000)
    recipe(root / "many-work", "prepare", many)
    status, said = recipe(root / "many-work", "panel", model, *words)
    rows = [line for line in said.splitlines() if line.startswith("| generated")]
    check(status == 0 and len(rows) == len(names) and "attack, ms" in said, f"panel: {said}")
