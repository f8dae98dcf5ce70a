"""`python -m recipe evaluate`: every number of the model cards."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel

from . import data, denoise, diffusion, judge, judge_denoise, sfx


def show(title, rows):
    """Rows of dicts as a Markdown table."""
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)


def denoiser(folder, bank, count, write):
    net = UNet2DModel.from_pretrained(folder, subfolder="unet").float().eval()
    tables = {kind: judge_denoise.curve(net, bank, kind, count) for kind in ("speech", "effects")}
    for kind, (scores, removed, _) in tables.items():
        show_curve(f"{kind}: SI-SDR in dB by t, one evaluation", scores.mean(1))
        show_curve(f"{kind}: part of the energy removed by t", removed.mean(1))
    fit = automatic(folder, tables, write)
    for kind in ("speech", "speech48", "effects"):
        rows = judge_denoise.table(net, bank, kind, count, "auto", fit, perceptual=kind != "effects")
        show(f"{kind}: automatic t, one evaluation", rows)
    for steps in (1, 2, 4):
        show(f"speech: t 0.9, {steps} evaluations", judge_denoise.table(net, bank, "speech", max(count // 2, 2), 0.9, steps=steps))


def show_curve(title, values):
    show(title, [{"mix": f"{snr} dB"} | {f"t {t}": f"{v:.2f}" for t, v in zip(judge_denoise.TS, row)}
                 for snr, row in zip(judge_denoise.SNRS, values)])


def automatic(folder, tables, write):
    """The table estimated SNR -> t, fitted on half of the scenes, and what it costs on the other half."""
    path = Path(folder) / "ebb.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    scores = np.concatenate([t[0].reshape(-1, len(judge_denoise.TS)) for t in tables.values()])
    estimates = np.concatenate([t[2].ravel() for t in tables.values()])
    fit = judge_denoise.fit_auto(scores[::2], estimates[::2]) if write else info["denoise"]["auto_t"]
    print(f"\nautomatic t: {json.dumps(fit)}")
    print(f"behind the best t of the grid: {judge_denoise.cost(scores[1::2], estimates[1::2], fit):.2f} dB on average")
    if write:
        info["denoise"]["auto_t"] = fit
        data.write_json(path, info)
    return fit


def generator(folder, work, count, judge_steps, write):
    folder = Path(folder)
    info = json.loads((folder / "ebb.json").read_text(encoding="utf-8"))
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet").float().eval()
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae").float().eval() if (folder / "vae").exists() else None
    scheduler = diffusion.load_scheduler(folder)
    seen = sfx.Windows(work)
    names = [label["name"] for label in info["labels"]]
    if names != seen.labels:
        raise ValueError(f"{folder} has other labels than the sounds in {work}")
    ear = judge.train_judge(seen.train, seen.train_labels, len(names), judge_steps)
    print("the judge is trained", flush=True)
    labels = torch.arange(len(names)).repeat(count)
    set_up = info["recommended"]
    made = torch.cat([sfx.generate(unet, vae, info, part, set_up["steps"], set_up["guidance"], seed, scheduler)
                      for seed, part in enumerate(labels.split(len(names)))])
    heard = {side: (*judge.listen(ear, mels), y) for side, mels, y in (
        ("held-back", seen.held, seen.held_labels), ("generated", made, labels),
        ("training", seen.train[::5], seen.train_labels[::5]))}
    show("The judge's accuracy", [dict(clips=f"{len(y)} {side}", top1=f"{judge.accuracy(s, y).mean():.3f}",
                                       top3=f"{judge.accuracy(s, y, 3).mean():.3f}") for side, (s, _, y) in heard.items()])
    reference = heard["held-back"][1]
    show("Frechet distance to the held-back clips (64 numbers, equal counts; 5 to 95 % over redrawn clips)",
         [dict(clips=side, distance=d, interval=i) for side in ("training", "generated")
          for d, i in [judge.frechet_interval(heard[side][1], reference)]])
    per_label = rate_labels(info, heard)
    show("By label (judge's top-1)", per_label)
    if write:
        data.write_json(folder / "ebb.json", info)
    return made


def rate_labels(info, heard):
    """Scores into `info`; a label below half of its real accuracy, or rarely recognised, gets a note."""
    rows = []
    hits = {side: (judge.accuracy(s, y), y) for side, (s, _, y) in heard.items()}
    for i, label in enumerate(info["labels"]):
        real, made = (hits[side][0][hits[side][1] == i] for side in ("held-back", "generated"))
        label["score"] = round(float(made.mean()), 2)
        label.pop("note", None)
        known = float(real.mean()) if len(real) else 0
        if label["score"] < 0.3 or label["score"] < 0.5 * known:
            label["note"] = "weak: seldom recognised" if known >= 0.3 else "unsure: the judge knows real ones no better"
        rows.append(dict(label=label["name"], real=f"{real.mean():.2f} of {len(real)}" if len(real) else "none",
                         generated=f"{made.mean():.2f} of {len(made)}", note=label.get("note", "")))
    return rows
