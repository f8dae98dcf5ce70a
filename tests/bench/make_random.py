#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a model folder of random weights in the layout of teticio/audio-diffusion-256 (113.7 M parameters),
for benches.

    make_random.py FOLDER [--small | --large] [--fp16]
        --small: the same layout an eighth as wide and a quarter as high, for software drivers
        --large: 766 M parameters at 64 x 64, about the size of Stable Diffusion's U-Net
        --fp16: the numbers of the U-Net in 16 bits, as such models are published

Needs torch and diffusers.
"""

import argparse
import json
import os

import torch
from diffusers import DDPMScheduler, UNet2DModel


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--fp16", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    channels, side = (128, 128, 256, 256, 512, 512), 256
    if args.small:
        channels, side = tuple(c // 8 for c in channels), side // 4
    if args.large:
        channels, side = (320, 640, 1280, 1536), 64
    attention = 3 if args.large else 1
    plain = len(channels) - 1 - attention
    net = UNet2DModel(
        sample_size=side,
        in_channels=4 if args.large else 1,
        out_channels=4 if args.large else 1,
        layers_per_block=2,
        block_out_channels=channels,
        attention_head_dim=40 if args.large else 8,
        norm_num_groups=8 if args.small else 32,
        down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * attention + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("AttnUpBlock2D",) * attention + ("UpBlock2D",) * plain,
    )
    if args.fp16:
        net = net.half()
    net.save_pretrained(os.path.join(args.folder, "unet"))
    DDPMScheduler(num_train_timesteps=1000).save_pretrained(os.path.join(args.folder, "scheduler"))
    os.makedirs(os.path.join(args.folder, "mel"), exist_ok=True)
    with open(os.path.join(args.folder, "mel", "mel_config.json"), "w") as f:
        json.dump(
            {
                "_class_name": "Mel",
                "x_res": side,
                "y_res": side,
                "sample_rate": 22050,
                "n_fft": 2048,
                "hop_length": 512,
                "top_db": 80,
                "n_iter": 32,
            },
            f,
        )
    with open(os.path.join(args.folder, "model_index.json"), "w") as f:
        json.dump(
            {
                "_class_name": "AudioDiffusionPipeline",
                "_diffusers_version": "0.42.0",
                "mel": ["audio_diffusion", "Mel"],
                "scheduler": ["diffusers", "DDPMScheduler"],
                "unet": ["diffusers", "UNet2DModel"],
                "vqvae": [None, None],
            },
            f,
        )
    print(sum(p.numel() for p in net.parameters()), "parameters")


if __name__ == "__main__":
    main()
