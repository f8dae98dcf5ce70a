# SPDX-License-Identifier: LGPL-2.1-or-later
"""A training on another machine, in a process that has the parcel alone: packed, trained, cut, joined,
exported.
"""

import os
import shutil
import subprocess
import sys

import torch
from diffusers import UNet2DModel

from .. import data, export, parts, sfx, train
from .base import check, corpus, recipe, refused, with_autoencoder


def run(root):
    work = root / "parcel-home"
    shutil.copytree(with_autoencoder(root), work, ignore=shutil.ignore_patterns("sfx"))
    check_sfx(root, work)
    check_parts(root, work)
    check_denoise(root)


def unpacked(root, name, *words):
    out = root / f"{name}.tar.gz"
    status, said = recipe(*words[:1], "pack", out, *words[1:])
    check(
        status == 0 and out.stat().st_size < 64 << 20 and "fit" in said,
        f"{name}: a parcel of at most 64 MiB: {said}",
    )
    check(
        ("train --what sfx --start none" if name == "sfx-there" else "train --what denoise --parts") in said,
        f"{name}: it says how to train there: {said}",
    )
    (root / name).mkdir()
    subprocess.run(["tar", "xf", out, "-C", root / name], check=True)  # as one does there
    return root / name / "parcel"


def train_there(there, *words):
    """Trains in a process that sees the parcel's copy of the recipe, and nothing else of this checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", "recipe", "train", "--threads", "1", "--parts", "parts", *words],
        cwd=there,
        env=environment,
        text=True,
        capture_output=True,
    )


def check_sfx(root, work):
    there = unpacked(root, "sfx-there", work, "--start", "none")
    check(
        not list(there.rglob("bank.i16")) and (there / "recipe-work" / "features.pt").exists(),
        "features, no sounds",
    )
    words = (
        "--start",
        "none",
        "--channels",
        "16,32",
        "--layers",
        "1",
        "--batch",
        "4",
        "--save-every",
        "0",
        "--no-bf16",
    )
    done = train_there(there, "--steps", "3", *words)
    check(done.returncode == 0, f"trains there: {done.stderr}")
    coarse = data.load_tensors(there / "recipe-work" / "latents.pt", "")["train"].float()
    fine = data.load_tensors(work / "latents.pt", "")["train"].float()
    check((coarse - fine).abs().max() < 0.051 * fine.std() + 2e-3, "latents come out within half a step")
    for what in ("vae", "texture", "likeness"):
        refused(
            [f"--what {what} needs the sounds"],
            there / "recipe-work",
            "train",
            "--what",
            what,
            "--steps",
            1,
            *(("--start", "none") if what != "vae" else ()),
        )
    home = root / "joined"
    shutil.copytree(work, home)
    status, said = recipe(home, "join", there / "parts")
    check(status == 0 and "step 3" in said and "all of its state" in said, f"joined: {said}")
    check(
        (home / "sfx" / "state.pt").read_bytes() == (there / "recipe-work" / "sfx" / "state.pt").read_bytes(),
        "the very bytes",
    )
    check(
        recipe(home, "export", root / "models" / "carried", "--start", "none")[0] == 0,
        "what came back is exported",
    )
    scale = lambda: train.read_state(home / "sfx")["about"]["latent"]
    before = scale()
    status, said = recipe(home, "train", "--steps", 4, "--threads", 1)
    check(status == 0 and "from step 3" in said, f"and goes on at home: {said}")
    check(before == scale(), "with latents of the scale that it began with")


def check_parts(root, work):
    """Small parts, of which some are lost and some damaged."""
    home, folder, most = root / "parts-home", root / "some-parts", parts.MOST
    shutil.copytree(work, home)
    run = train.Run(sfx.Diffuse(work, None, (16, 32), layers=1), home / "sfx", 1e-3, 4, steps=2, parts=folder)
    parts.MOST = 50000
    try:
        run.one_step()
        run.save()
        run.one_step()
        run.save()
    finally:
        parts.MOST = most
    names = sorted(file.name for file in folder.iterdir())
    check(
        max(file.stat().st_size for file in folder.iterdir()) <= 50000 and len(names) > 10,
        "no part is larger than allowed",
    )
    check(all("0000002" in name for name in names if name != "index.json"), "parts of earlier steps are gone")
    again = root / "again"
    recipe(again, "join", folder)
    check(
        (again / "sfx" / "state.pt").read_bytes() == run.path.read_bytes(),
        "parts in order give the checkpoint",
    )
    state = next(name for name in names if name.startswith("state"))
    os.rename(folder / state, root / state)
    shutil.copytree(work, home, dirs_exist_ok=True)
    status, said = recipe(home, "join", folder)
    check(status == 0 and "weights alone" in said, f"without all of the state, the weights: {said}")
    weights = export.built(UNet2DModel, export.trained(home / "sfx")).state_dict()
    near = [torch.allclose(weights[name], value, atol=1e-3) for name, value in run.average.weights.items()]
    check(all(near), "weights within float16")
    refused(["weights alone", "--start"], home, "train", "--steps", 4)
    damaged = folder / next(name for name in names if name.startswith("weights"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    refused(["damaged on the way"], home, "join", folder)
    damaged.unlink()
    refused(["are missing", damaged.name], home, "join", folder)
    refused(["No such file"], home, "join", root / "nowhere")
    refused(["alone need"], work, "pack", root / "no.tar.gz", "--start", "shipped", "--most", 1)


def check_denoise(root):
    work = corpus(root)
    there = unpacked(root, "denoise-there", work, "--what", "denoise", "--start", "none")
    done = train_there(
        there, "--what", "denoise", "--steps", "2", "--channels", "8,16", "--batch", "4", "--no-bf16"
    )
    check(
        done.returncode == 0 and (there / "parts" / "index.json").exists(),
        f"the denoiser trains there: {done.stderr}",
    )
    ours, theirs = (data.Bank(folder) for folder in (work, there / "recipe-work"))
    check(len(theirs.choose("music", False)) > 10, "chords are made there, not carried")
    other = {clip["path"]: clip for clip in theirs.clips}
    for clip in ours.choose("speech", False)[:3]:
        a, b = torch.from_numpy(ours.samples(clip)), torch.from_numpy(theirs.samples(other[clip["path"]]))
        loss = 10 * torch.log10((a[: len(b)] - b[: len(a)]).square().sum() / a.square().sum())
        check(abs(len(a) - len(b)) < 2 and loss < -10, f"Opus keeps the sound: error {loss:.1f} dB")
    rates = [clip["rate"] for clip in theirs.clips if not clip["path"].startswith("synthetic/")]
    check(rates and max(rates) <= 40000, "above 20 kHz nothing is learned from it")
