#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the tiny random models in tests/models: whole folders of every kind the engines know, a few tens of
kB each.

    python3 tests/golden/make_tiny_models.py     # needs torch and diffusers; writes tests/models

tiny-sfx      latent, class conditional, 48 kHz, our mel: the shape of models/sfx
tiny-denoise  conditioned on the noisy mel, patched, diffuses the change of the mel: as models/denoise does
tiny-direct   no autoencoder, patched, unconditional, our mel; ancestral DDPM with clipping
tiny-led      the same with a classifier, which knows the labels of tiny-sfx and fits its states too
"""

import hashlib
import json
import pathlib
import shutil

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DModel

import make_classifier

HERE = pathlib.Path(__file__).resolve().parent.parent / "models"
MEL = {
    "sample_rate": 48000,
    "n_fft": 2048,
    "hop": 512,
    "n_mels": 128,
    "fmin": 0,
    "fmax": 24000,
    "scale": "slaney",
    "norm": None,
    "db_center": -40,
    "db_range": 50,
}
LABELS = [("rain", "texture"), ("kick", "event"), ("wind", "texture"), ("bell", "event")]


def unet(inputs, outputs, size, classes=None, attention=True):
    low = "Attn" if attention else ""
    net = UNet2DModel(
        sample_size=size,
        in_channels=inputs,
        out_channels=outputs,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=8,
        add_attention=attention,
        num_class_embeds=classes,
        down_block_types=("DownBlock2D", low + "DownBlock2D"),
        up_block_types=(low + "UpBlock2D", "UpBlock2D"),
    )
    with torch.no_grad():  # a random net's output hardly depends on its input: make it
        net.conv_out.weight *= 3
    return net


def save(net, folder):
    """In half precision, as models are shipped."""
    net.half().save_pretrained(folder)
    net.float()


def finish(folder, extras):
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }
    extras = {
        "format": 1,
        "name": folder.name,
        **extras,
        "licence": "CC0-1.0",
        "provenance": "random weights, for tests",
        "sha256": sums,
    }
    (folder / "ebb.json").write_text(json.dumps(extras, indent=1) + "\n")


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def cosine(**more):
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        timestep_spacing="trailing",
        **{"clip_sample": False, **more},
    )


def tiny_sfx():
    folder = fresh("tiny-sfx")
    save(unet(4, 4, (16, 32), classes=len(LABELS) + 1), folder / "unet")
    cosine(prediction_type="v_prediction").save_pretrained(folder / "scheduler")
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=4,
        block_out_channels=(4, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=128,
        mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    save(vae, folder / "vae")
    finish(
        folder,
        {
            "kind": "generate",
            "labels": [{"name": name, "kind": kind, "score": 0.5} for name, kind in LABELS],
            "no_label": len(LABELS),
            "default_label": "rain",
            "mel": MEL,
            "window_frames": 256,
            "latent": {"mean": [0.5, 0.0, -0.25, 0.125], "std": 0.75, "shape": [4, 16, 32]},
            "recommended": {"sampler": "dpmpp-2m", "steps": 4, "guidance": 2.0},
        },
    )


def tiny_denoise():
    folder = fresh("tiny-denoise")
    net = unet(16, 8, (32, 32), attention=False)
    with torch.no_grad():
        net.conv_out.bias += 0.6
    save(net, folder / "unet")
    cosine(prediction_type="sample", clip_sample=True).save_pretrained(folder / "scheduler")
    finish(
        folder,
        {
            "kind": "denoise",
            "labels": [],
            "mel": MEL,
            "window_frames": 64,
            "patch": [4, 2],
            "condition": "noisy-mel",
            "recommended": {"sampler": "ddim", "steps": 2, "guidance": 1},
            "denoise": {
                "t_default": 0.4,
                "auto_t": [[-5, 1.0], [10, 0.5], [30, 0.1]],
                "target": "change",
                "range_db": 30,
            },
        },
    )


def tiny_direct():
    folder = fresh("tiny-direct")
    save(unet(4, 4, (32, 64), attention=False), folder / "unet")
    DDPMScheduler(num_train_timesteps=1000, clip_sample=True).save_pretrained(folder / "scheduler")
    finish(
        folder,
        {
            "kind": "generate",
            "labels": [],
            "mel": MEL,
            "window_frames": 64,
            "patch": [4, 1],
            "recommended": {"sampler": "ddpm", "steps": 5, "guidance": 1},
        },
    )


def tiny_led():
    torch.manual_seed(2)
    folder = fresh("tiny-led")
    save(unet(4, 4, (32, 64), attention=False), folder / "unet")
    DDIMScheduler(num_train_timesteps=1000, clip_sample=False, timestep_spacing="trailing").save_pretrained(
        folder / "scheduler"
    )
    net = make_classifier.randomise(
        make_classifier.Encoder(
            len(LABELS),
            in_channels=4,
            sample_size=(32, 64),
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        )
    )
    make_classifier.save(net, folder / "classifier", len(LABELS), [name for name, _ in LABELS])
    finish(
        folder,
        {
            "kind": "generate",
            "labels": [{"name": name, "kind": kind} for name, kind in LABELS],
            "mel": MEL,
            "window_frames": 64,
            "patch": [4, 1],
            "recommended": {"sampler": "ddim", "steps": 4, "guidance": 1},
        },
    )


if __name__ == "__main__":
    torch.manual_seed(1)
    tiny_sfx()
    tiny_denoise()
    tiny_direct()
    tiny_led()
