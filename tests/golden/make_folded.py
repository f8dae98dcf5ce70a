#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/tiny-folded, whose autoencoder works on squares of 2 x 2 cells, and what PyTorch makes
of a state and of a mel with it.

    python3 tests/golden/make_folded.py     # needs torch and diffusers; writes tests/golden/folded.f32 too

folded.f32: a state (16, 8, 4), its mel (128, 64), a mel (128, 64), its state (16, 8, 4).
"""

import pathlib

import torch
from diffusers import AutoencoderKL

import make_tiny_models as tiny

HERE = pathlib.Path(__file__).resolve().parent
FOLD = 2
LATENT = {"mean": [0.5, 0.0, -0.25, 0.125], "std": 0.75, "shape": [4, 16, 8]}


def folded(mel):
    """(1, 1, H, W) -> (1, FOLD^2, H / FOLD, W / FOLD): channel i FOLD + j is row i, column j of a square."""
    n, _, h, w = mel.shape
    cells = mel.reshape(n, h // FOLD, FOLD, w // FOLD, FOLD)
    return cells.permute(0, 2, 4, 1, 3).reshape(n, FOLD**2, h // FOLD, w // FOLD)


def unfolded(picture):
    n, _, h, w = picture.shape
    return picture.reshape(n, FOLD, FOLD, h, w).permute(0, 3, 1, 4, 2).reshape(n, 1, h * FOLD, w * FOLD)


def make_model():
    folder = tiny.fresh("tiny-folded")
    tiny.save(tiny.unet(4, 4, (16, 8), attention=False), folder / "unet")
    tiny.cosine(prediction_type="v_prediction").save_pretrained(folder / "scheduler")
    vae = AutoencoderKL(
        in_channels=FOLD**2,
        out_channels=FOLD**2,
        latent_channels=4,
        block_out_channels=(4, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
    )
    tiny.save(vae, folder / "vae")
    more = {"window_frames": 64, "patch": [FOLD, FOLD], "latent": LATENT}
    recommended = {"sampler": "ddim", "steps": 2, "guidance": 1}
    tiny.finish(
        folder, {"kind": "generate", "labels": [], "mel": tiny.MEL, **more, "recommended": recommended}
    )
    return vae.eval()


if __name__ == "__main__":
    torch.manual_seed(4)
    vae = make_model()
    mean, std = torch.tensor(LATENT["mean"])[:, None, None], LATENT["std"]
    state, mel = torch.randn(1, 4, 16, 8), torch.rand(1, 1, 128, 64) * 2 - 1
    with torch.no_grad():
        heard = unfolded(vae.decode(state * std + mean).sample)
        seen = (vae.encode(folded(mel)).latent_dist.mean - mean) / std
    parts = [state.permute(0, 2, 3, 1), heard, mel, seen.permute(0, 2, 3, 1)]
    (HERE / "folded.f32").write_bytes(b"".join(part.numpy().astype("<f4").tobytes() for part in parts))
