# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe evaluate` for a denoiser: measures every number of its card."""

import functools
import json
from pathlib import Path

import numpy as np
from diffusers import UNet2DModel

from . import audio, data, denoise, judge_denoise, rivals
from .evaluate import show

PARTS = ("others", "curves", "auto", "voice", "speech", "speech48", "effects", "clean", "live", "steps")


def denoiser(folder, bank, count, write, libraries=(), parts=PARTS):
    """Prints the tables of a denoiser. `count`: scenes a level; None: as many as in the card. `libraries`: of
    RNNoise, for comparison. `write` puts the table for automatic t into ebb.json."""
    net = UNet2DModel.from_pretrained(folder, subfolder="unet").float().eval()
    if "others" in parts:
        run_others(bank, count, libraries)
    if "curves" in parts:
        run_curves(net, bank, count)
    if "auto" in parts:
        run_auto(Path(folder) / "ebb.json", net, bank, count, write, reported(parts, count))
    if "voice" in parts:
        run_voice(net, bank, count)
    run_scores(folder, net, bank, count, parts)
    if "steps" in parts:
        half = max((count or judge_denoise.REPORTED["speech"]) // 2, 2)
        for steps in (1, 2, 4):
            cleaner = functools.partial(denoise.clean, net, t=0.9, steps=steps)
            show(
                f"speech: t 0.9, {steps} evaluations",
                rows(bank, "speech", half, cleaner, judge_denoise.measures),
            )


def reported(parts, count):
    """{kind: scenes a level} of the card. The tables for automatic t are fitted on none of these scenes."""
    alone = set(parts) == {"auto"} or not count
    return {kind: n if alone else max(n, count) for kind, n in judge_denoise.REPORTED.items()}


def rows(bank, kind, count, cleaner, measure):
    return judge_denoise.table(bank, kind, count, lambda sound, heard: measure(sound, heard, cleaner(heard)))


def run_others(bank, count, libraries):
    named = {Path(path).name: functools.partial(rivals.rnnoise, path) for path in libraries}
    for kind in ("speech", "effects"):
        show(
            f"{kind}: SI-SDR in dB of others",
            judge_denoise.table(
                bank, kind, count, lambda sound, heard: judge_denoise.others(sound, heard, named)
            ),
        )
    for name, cleaner in named.items():
        show(f"speech: {name}", rows(bank, "speech", count, cleaner, judge_denoise.speech_measures))


def run_scores(folder, net, bank, count, parts):
    """Prints the scores with automatic t, in one evaluation."""
    tables = judge_denoise.tables_of(
        json.loads((Path(folder) / "ebb.json").read_text(encoding="utf-8"))["denoise"]
    )

    def automatic(heard, size=denoise.FILE):
        opinions = np.array(denoise.opinions(net, heard, size))
        return denoise.clean(net, heard, float(judge_denoise.pick_t(tables, opinions)), size=size)

    wanted = (
        ("speech", "speech", automatic, judge_denoise.speech_measures),
        ("speech48", "speech48", automatic, judge_denoise.speech_measures),
        ("speech48", "speech48, above 8 kHz", automatic, judge_denoise.upper_measures),
        ("effects", "effects", automatic, judge_denoise.measures),
        (
            "live",
            "speech, as a live stream",
            functools.partial(automatic, size=denoise.LIVE),
            judge_denoise.measures,
        ),
    )
    for part, title, cleaner, measure in wanted:
        if part in parts:
            kind = "speech" if part == "live" else part
            show(f"{title}: automatic t", rows(bank, kind, count, cleaner, measure))
    if "clean" in parts:
        run_clean(automatic, bank, count)


def run_curves(net, bank, count):
    for kind in ("speech", "effects"):
        scores, removed, _ = judge_denoise.curve(net, judge_denoise.scenes(bank, kind, count))
        show_curve(f"{kind}: SI-SDR in dB by t, one evaluation", scores.mean(1))
        show_curve(f"{kind}: part of the energy removed by t", removed.mean(1))


def show_curve(title, values):
    show(
        title,
        [
            {"mix": f"{snr} dB"} | {f"t {t}": f"{v:.2f}" for t, v in zip(judge_denoise.TS, row)}
            for snr, row in zip(judge_denoise.SNRS, values)
        ],
    )


def run_auto(path, net, bank, count, write, aside):
    """Fits the tables for automatic t, and prints their gain on scenes that no other table uses."""
    info = json.loads(path.read_text(encoding="utf-8"))
    curves = {
        kind: judge_denoise.curve(
            net,
            judge_denoise.other_scenes(bank, kind, count, aside),
            judge_denoise.FIT_SNRS,
            judge_denoise.FIT_TS,
        )
        for kind in ("speech", "effects")
    }
    tables = (
        (denoise.AUTO_T, judge_denoise.fit_auto(curves))
        if write
        else judge_denoise.tables_of(info["denoise"])
    )
    print(f"\nautomatic t by SNR: {json.dumps(tables[0])}, by doubt: {json.dumps(tables[1])}")
    gains = judge_denoise.gained(tables, curves)
    show(
        "automatic t where it is fitted: mean gain in dB, and that of the best t of each mix",
        [
            {"snr": snr}
            | {
                name: f"{value:.2f}"
                for kind, (scores, _, _) in curves.items()
                for name, value in (
                    (kind, gains[kind][i]),
                    (f"{kind}, best", (scores[i].max(1) - scores[i, :, 0]).mean()),
                )
            }
            for i, snr in enumerate(judge_denoise.FIT_SNRS)
        ],
    )
    if write:
        info["denoise"] |= dict(zip(("auto_t", "auto_doubt"), tables))
        data.write_json(path, info)


def run_voice(net, bank, count):
    """Prints how much what the net keeps is like a voice: `auto_voice` is to part voices from all else."""
    like = lambda heard: denoise.opinions(net, heard)[4]
    found = {}
    for kind in ("speech", "effects"):
        scenes = judge_denoise.scenes(bank, kind, count)
        for snr in (0, 10, 20):
            found[f"{kind}, {snr} dB"] = [like(judge_denoise.mixed(scene, snr)) for scene in scenes]
        found["noise alone"] = [like(0.02 * noise) for _, noise in scenes]
    show(
        "likeness to a voice of what is kept",
        [
            {"mix": name}
            | {
                title: f"{np.quantile(values, q):.2f}"
                for title, q in (("least tenth", 0.1), ("median", 0.5), ("most tenth", 0.9))
            }
            for name, values in found.items()
        ],
    )


def run_clean(cleaner, bank, count):
    """Prints how much of clean sounds is lost."""
    for kind in ("speech", "effects"):
        lost = [
            judge_denoise.si_sdr(sound, cleaner(sound))
            for sound, _ in judge_denoise.scenes(bank, kind, count)
        ]
        show(
            f"{kind} without noise, automatic t: SI-SDR in dB of the scenes",
            [
                {
                    name: f"{np.quantile(lost, q):.2f}"
                    for name, q in (("least", 0), ("quarter", 0.25), ("median", 0.5), ("most", 1))
                }
            ],
        )
