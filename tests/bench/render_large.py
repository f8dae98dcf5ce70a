#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Renders a prompt with a model of riffusion-model-v1's sizes in so much memory and no more.

    render_large.py EBB [--folder KEPT] [--limit 4] [--threads 2] [--steps 1]

The U-Net (860 M parameters), the autoencoder and the text encoder have random weights in 16 bits; the
tokenizer is the small one of tests/golden. The process of `ebb render` may map --limit GB (10^9 bytes) of
memory, whether it touches it or not: RLIMIT_AS. Printed are the largest memory that it touched, its processor
time, and the size of the weights. --folder keeps the model for the next time. Needs torch, diffusers and
transformers to make the model (2.1 GB of disk).
"""

import argparse
import json
import math
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

TOKENIZER = pathlib.Path(__file__).resolve().parent.parent / "golden" / "tokenizers" / "clip"
PIPELINE = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
AUTOENCODER = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
TEXT_ENCODER = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
    "vocab_size": 49408,
}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "steps_offset": 1,
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ebb")
    parser.add_argument("--folder")
    parser.add_argument("--limit", type=float, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def random_numbers(generator, name, shape):
    """As a network that was just made has them, about: 1 and 0 in norms, little in the rest."""
    import numpy

    if len(shape) == 1:
        return numpy.full(shape, float("norm" in name and name.endswith("weight")), numpy.float16)
    scale = numpy.float32(1 / math.sqrt(math.prod(shape[1:])))
    return (generator.standard_normal(shape, numpy.float32) * scale).astype(numpy.float16)


def write_weights(path, net):
    """Tensor by tensor: all of them at once are larger than what Ebb needs."""
    import numpy

    generator = numpy.random.default_rng(1)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            file.write(random_numbers(generator, name, shape).tobytes())


def make(folder):
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):  # shapes alone
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        vae = AutoencoderKL(**AUTOENCODER)
        text = CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER))
    for name, net in (("unet", unet), ("vae", vae)):
        net.save_config(folder / name)
        write_weights(folder / name / "diffusion_pytorch_model.safetensors", net)
    text.config.architectures = ["CLIPTextModel"]
    text.config.save_pretrained(folder / "text_encoder")
    write_weights(folder / "text_encoder" / "model.safetensors", text)
    PNDMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    shutil.copytree(TOKENIZER, folder / "tokenizer", ignore=shutil.ignore_patterns("ids.json"))
    (folder / "model_index.json").write_text(json.dumps(PIPELINE))


def render(args, folder):
    bound = int(args.limit * 1e9)
    command = [args.ebb, "render", "--model", str(folder), "--prompt", "rain on a tin roof", "--seed", "1"]
    command += ["--steps", str(args.steps), "--device", "cpu", "--threads", str(args.threads), "--force"]
    command += ["-o", str(folder / "rain.wav")]
    child = subprocess.Popen(
        command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("ebb render failed")
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    sound = (folder / "rain.wav").stat().st_size
    print(f"weights in files   {weights / 1e6:7.0f} MB")
    print(f"bound              {bound / 1e6:7.0f} MB of mapped memory")
    print(f"largest memory     {usage.ru_maxrss * 1024 / 1e6:7.0f} MB")
    print(f"processor time     {usage.ru_utime + usage.ru_stime:7.1f} s for {args.steps} steps")
    print(f"sound              {sound / 1e6:7.2f} MB")


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.folder or temporary)
        if args.make:
            make(folder)
        elif not (folder / "model_index.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            # In a process of its own: what a process takes counts for those that it starts.
            subprocess.run(
                [sys.executable, __file__, args.ebb, "--make", "--folder", str(folder)], check=True
            )
        if not args.make:
            render(args, folder)


main()
