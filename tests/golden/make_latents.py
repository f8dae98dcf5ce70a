#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Last states of diffusers' own loop on the tiny models, float32, (1, c, h, w).

python3 tests/golden/make_latents.py     # needs torch and diffusers; writes tests/golden/latents-*.f32
"""

import pathlib

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "models"


@torch.no_grad()
def run(name, scheduler, labels=None, guidance=1.0, steps=10, seed=42):
    folder = MODELS / name
    net = UNet2DModel.from_pretrained(folder, subfolder="unet").float()
    schedule = scheduler.from_pretrained(folder, subfolder="scheduler")
    schedule.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    size = net.config.sample_size
    x = torch.randn((1, net.config.in_channels, *size), generator=generator)
    for t in schedule.timesteps:
        if labels is None:
            out = net(x, t).sample
        elif guidance == 1:
            out = net(x, t, class_labels=torch.tensor(labels[:1])).sample
        else:
            with_label, without = net(torch.cat([x, x]), t, class_labels=torch.tensor(labels)).sample.chunk(2)
            out = without + guidance * (with_label - without)
        x = schedule.step(out, t, x, generator=generator).prev_sample
    return x


if __name__ == "__main__":
    for name, x in {
        "latents-sfx": run("tiny-sfx", DDIMScheduler, labels=[2, 4]),
        "latents-guided": run("tiny-sfx", DDIMScheduler, labels=[2, 4], guidance=3.5),
        "latents-direct": run("tiny-direct", DDPMScheduler),
    }.items():
        (HERE / f"{name}.f32").write_bytes(x.numpy().astype("<f4").tobytes())
