#!/usr/bin/env python3
"""Makes a model folder of random weights in the layout of teticio/audio-diffusion-256 (113.7 M parameters), for benches.

    make_random.py FOLDER [--small]     --small: the same layout an eighth as wide and a quarter as high, for software drivers

Needs torch and diffusers.
"""
import argparse
import json
import os

import torch
from diffusers import DDPMScheduler, UNet2DModel


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    channels, side = (128, 128, 256, 256, 512, 512), 256
    if args.small:
        channels, side = tuple(c // 8 for c in channels), side // 4
    net = UNet2DModel(
        sample_size=side, in_channels=1, out_channels=1, layers_per_block=2, block_out_channels=channels,
        norm_num_groups=8 if args.small else 32,
        down_block_types=("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4)
    net.save_pretrained(os.path.join(args.folder, "unet"))
    DDPMScheduler(num_train_timesteps=1000).save_pretrained(os.path.join(args.folder, "scheduler"))
    os.makedirs(os.path.join(args.folder, "mel"), exist_ok=True)
    with open(os.path.join(args.folder, "mel", "mel_config.json"), "w") as f:
        json.dump({"_class_name": "Mel", "x_res": side, "y_res": side, "sample_rate": 22050, "n_fft": 2048, "hop_length": 512,
                   "top_db": 80, "n_iter": 32}, f)
    with open(os.path.join(args.folder, "model_index.json"), "w") as f:
        json.dump({"_class_name": "AudioDiffusionPipeline", "_diffusers_version": "0.42.0", "mel": ["audio_diffusion", "Mel"],
                   "scheduler": ["diffusers", "DDPMScheduler"], "unet": ["diffusers", "UNet2DModel"],
                   "vqvae": [None, None]}, f)
    print(sum(p.numel() for p in net.parameters()), "parameters")


if __name__ == "__main__":
    main()
