#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shipped networks through `ebb eval` against diffusers: max|difference| / max|reference| of one pass
each; and a recording cleaned by `ebb denoise` and by the recipe.

    eval_shipped.py EBB MODELS [--device cpu]        needs torch, diffusers and numpy
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel


def run(ebb, net, x, *options):
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "in.npy", Path(folder) / "out.npy"
        np.save(source, x.numpy())
        subprocess.run([ebb, "eval", str(net), "--input", source, "--output", result, *options], check=True)
        return torch.from_numpy(np.load(result))


def report(name, ours, theirs):
    print(f"{name:28s} {((ours - theirs).abs().max() / theirs.abs().max()).item():.1e}")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ebb")
    parser.add_argument("models", type=Path)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(1)
    device = ["--device", args.device]

    unet = UNet2DModel.from_pretrained(args.models / "sfx", subfolder="unet")
    x = torch.randn(2, 8, 16, 32)
    ours = run(args.ebb, args.models / "sfx/unet", x, "--timestep", "731", "--label", "31,44", *device)
    report("sfx/unet", ours, unet(x, 731, class_labels=torch.tensor([31, 44])).sample)

    vae = AutoencoderKL.from_pretrained(args.models / "sfx", subfolder="vae")
    folded = int(vae.config.in_channels**0.5)
    mel = torch.rand(1, folded**2, 128 // folded, 256 // folded) * 2 - 1
    posterior = vae.encode(mel).latent_dist
    ours = run(args.ebb, args.models / "sfx/vae", mel, "--encode", *device)
    report("sfx/vae encode", ours, torch.cat([posterior.mean, posterior.std], 1))
    ours = run(args.ebb, args.models / "sfx/vae", posterior.mean, "--decode", *device)
    report("sfx/vae decode", ours, vae.decode(posterior.mean).sample)

    unet = UNet2DModel.from_pretrained(args.models / "denoise", subfolder="unet")
    x = torch.randn(1, unet.config.in_channels, 32, 64)
    ours = run(args.ebb, args.models / "denoise/unet", x, "--timestep", "499", *device)
    report("denoise/unet", ours, unet(x, 499).sample)
    compare_denoise(args.ebb, args.models, unet.eval())


def compare_denoise(ebb, models, unet):
    """A whole recording through `ebb denoise` and through the recipe, which draw different noise for the
    first x."""
    sys.path.insert(0, str(models))
    from recipe import audio, denoise, judge_denoise

    noisy = models.parent / "examples/audio/speech-train-noisy.wav"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        subprocess.run(
            [ebb, "denoise", noisy, out, "--t", "0.9", "--model", models / "denoise"],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        ours = torch.from_numpy(audio.read(out)[0])
    theirs = denoise.clean(unet, torch.from_numpy(audio.read(noisy)[0]), 0.9)
    print(
        f"a recording, t 0.9           {judge_denoise.si_sdr(theirs, ours):.1f} dB "
        "SI-SDR of the one to the other"
    )


main()
