#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the vocoders of tests/golden/nets: tiny random SpeechT5HifiGan, and what transformers computes with
them.

    python3 tests/golden/make_vocoders.py     # needs torch, transformers, safetensors

A folder holds config.json and model.safetensors as transformers writes them, forward.in.npy (n, 1, frames,
bands) and forward.out.npy (n, 1, 1, samples).
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

HERE = pathlib.Path(__file__).resolve().parent / "nets"
WEIGHTS = "model.safetensors"


def vocoder(name, shape, change=None, dtype=torch.float32, norm=False, **config):
    """`norm`: weight normalization, not folded, with lengths that are not those of the directions."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    net = SpeechT5HifiGan(SpeechT5HifiGanConfig(**config)).eval()
    if norm:
        net.apply_weight_norm()
    with torch.no_grad():
        for key, p in net.named_parameters():
            if key.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.2)
            elif key.endswith("original0"):
                p.copy_(torch.rand_like(p) + 0.3)
            else:
                p.copy_(torch.randn_like(p) * 1.2 / p[0].numel() ** 0.5)
        net.mean.copy_(torch.randn_like(net.mean))
        net.scale.copy_(torch.rand_like(net.scale) + 0.5)
    net.to(dtype).save_pretrained(folder)
    net.float()
    if change:
        change(folder)
    mel = torch.randn(shape)
    with torch.no_grad():
        wave = net(mel)
    (folder / "forward.json").write_text(json.dumps({"timestep": 0}) + "\n")
    np.save(folder / "forward.in.npy", mel[:, None].numpy())
    np.save(folder / "forward.out.npy", wave[:, None, None].numpy())


def old_norm(folder):
    """The names of weight normalization from before PyTorch 2.1."""
    weights = load_file(folder / WEIGHTS)
    for i, old in enumerate(("weight_g", "weight_v")):
        new = f"parametrizations.weight.original{i}"
        for key in [k for k in weights if k.endswith(new)]:
            weights[key.replace(new, old)] = weights.pop(key)
    assert any(key.endswith("weight_g") for key in weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def main():
    torch.manual_seed(11)
    small = {
        "model_in_dim": 6,
        "upsample_initial_channel": 16,
        "upsample_rates": [5, 2],
        "upsample_kernel_sizes": [16, 4],
        "resblock_kernel_sizes": [3, 7],
        "resblock_dilation_sizes": [[1, 3], [1, 5]],
    }
    vocoder("vocoder", (2, 9, 6), normalize_before=False, **small)
    vocoder("vocoder-normalize", (1, 7, 6), normalize_before=True, leaky_relu_slope=0.3, **small)
    vocoder("vocoder-norm", (1, 7, 6), norm=True, normalize_before=False, **small)
    vocoder("vocoder-norm-old", (1, 7, 6), old_norm, norm=True, normalize_before=False, **small)
    vocoder("vocoder-half", (1, 5, 6), dtype=torch.float16, normalize_before=True, **small)
    # Long and wide enough for every way of computing a convolution, and each its own sizes.
    vocoder(
        "vocoder-wide",
        (1, 40, 20),
        model_in_dim=20,
        upsample_initial_channel=36,
        upsample_rates=[4, 3],
        upsample_kernel_sizes=[7, 8],
        resblock_kernel_sizes=[5, 11, 3],
        resblock_dilation_sizes=[[1, 2, 4], [3], [7, 1]],
        normalize_before=False,
    )


if __name__ == "__main__":
    main()
