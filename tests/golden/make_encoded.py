#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/tiny-encoded, a tiny random conditional AudioDiffusionPipeline (its network is a
UNet2DConditionModel, which sees an encoding of sound), and tests/golden/encoded: what diffusers' pipeline
makes of it.

    python3 tests/golden/make_encoded.py     # needs torch, diffusers, librosa

The scheduler clips nothing: 1 / sqrt(abar) of the first steps is some 30, which makes 2e-5 of a float32's
rounding, in PyTorch as here, where what it is measured by stays at 1.

For each encoding NAME.npy (1, tokens, 5) the golden file NAME-latents.npy holds the last state, before it is
made a picture.
"""

import pathlib
import shutil

import numpy as np
import torch
from diffusers import AudioDiffusionPipeline, DDIMScheduler, Mel, UNet2DConditionModel

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "tiny-encoded"
GOLDEN = HERE / "encoded"
WIDTH = 5
ENCODINGS = {"one": 1, "three": 3}  # tokens


def make_unet():
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=1,
        out_channels=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(4, 8),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=WIDTH,
        norm_num_groups=2,
    )
    with torch.no_grad():
        for name, p in unet.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            p.copy_(torch.randn_like(p) * (0.2 if p.ndim > 1 else 0.1) + (1 if norm else 0))
    return unet.eval()


class Watched(DDIMScheduler):
    """Keeps the last state."""

    def step(self, *args, **kwargs):
        out = super().step(*args, **kwargs)
        Watched.last = out.prev_sample
        return out


def store(file, values):
    np.save(file, values.numpy().astype(np.float32))


def main():
    torch.manual_seed(11)
    settings = {"clip_sample": False}
    mel = Mel(x_res=16, y_res=16, sample_rate=4000, n_fft=256, hop_length=64, n_iter=4)
    pipeline = AudioDiffusionPipeline(
        vqvae=None, unet=make_unet(), mel=mel, scheduler=DDIMScheduler(**settings)
    )
    shutil.rmtree(MODEL, ignore_errors=True)
    pipeline.save_pretrained(MODEL)
    pipeline.scheduler = Watched(**settings)
    pipeline.set_progress_bar_config(disable=True)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    for name, tokens in ENCODINGS.items():
        encoding = torch.randn(1, tokens, WIDTH)
        store(GOLDEN / f"{name}.npy", encoding)
        pipeline(steps=6, generator=torch.Generator().manual_seed(42), encoding=encoding)
        store(GOLDEN / f"{name}-latents.npy", Watched.last)


if __name__ == "__main__":
    main()
