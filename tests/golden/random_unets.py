#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws U-Nets with random options and random weights, and compares Ebb's evaluation with diffusers'.

    random_unets.py EBB [--from 0 --count 100 --device cpu]

A number makes a network; --from and --count choose the numbers. Seven of ten are UNet2DConditionModel, the
others UNet2DModel. A network is equal (to 1e-5 of the largest value), wrong, or refused by Ebb, which prints
why. Options that diffusers itself does not take together make no network and count as invalid. The folder of
a wrong network is kept. Needs torch and diffusers.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

import diffusers
import numpy
import torch

BOUND = 1e-5
TIMESTEP, BATCH, TOKENS, VECTOR = 37, 2, 5, 6
CONDITIONAL = [
    "DownBlock2D",
    "CrossAttnDownBlock2D",
    "ResnetDownsampleBlock2D",
    "SimpleCrossAttnDownBlock2D",
    "AttnDownBlock2D",
]
PLAIN = ["DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"]
SKIP = ["SkipDownBlock2D", "AttnSkipDownBlock2D"]


def upward(block):
    return block.replace("Downsample", "Upsample").replace("Down", "Up")


def levels(draw, count, values):
    """One of the values, or one a level."""
    return draw.choice([draw.choice(values), [draw.choice(values) for _ in range(count)]])


def class_options(draw):
    """The options of a class embedding, which both kinds of U-Net have."""
    kind = draw.choice([None, None, "timestep", "identity"])
    return {"class_embed_type": kind, "num_class_embeds": None if kind else draw.choice([None, 5])}


def conditional_options(draw):
    count = draw.choice([2, 3])
    groups = draw.choice([4, 8])
    down = [draw.choice(CONDITIONAL) for _ in range(count)]
    up = [upward(block) for block in reversed(down)]
    options = {
        "sample_size": 8,
        "in_channels": draw.choice([1, 4]),
        "out_channels": draw.choice([1, 4]),
        "block_out_channels": [groups * draw.choice([2, 4, 6]) for _ in range(count)],
        "down_block_types": down,
        "up_block_types": up if draw.random() < 0.6 else [upward(draw.choice(CONDITIONAL)) for _ in down],
        "mid_block_type": draw.choice(
            ["UNetMidBlock2DCrossAttn", "UNetMidBlock2DSimpleCrossAttn", "UNetMidBlock2D", None]
        ),
        "norm_num_groups": groups,
        "norm_eps": draw.choice([1e-5, 1e-6, 1e-3]),
        "layers_per_block": levels(draw, count, [1, 2]),
        "cross_attention_dim": levels(draw, count, [8, 12]),
        "attention_head_dim": levels(draw, count, [2, 4]),
        "transformer_layers_per_block": levels(draw, count, [1, 2]),
        "only_cross_attention": levels(draw, count, [False, True]),
        "use_linear_projection": draw.choice([False, True]),
        "upcast_attention": draw.choice([False, False, True]),
        "mid_block_only_cross_attention": draw.choice([None, True, False]),
        "cross_attention_norm": draw.choice([None, None, "layer_norm", "group_norm"]),
        "act_fn": draw.choice(["silu", "swish", "mish", "gelu", "relu"]),
        "resnet_time_scale_shift": draw.choice(["default", "scale_shift"]),
        "resnet_skip_time_act": draw.choice([False, False, False, True]),
        "resnet_out_scale_factor": draw.choice([1.0, 1.4]),
        "mid_block_scale_factor": draw.choice([1, 1.4]),
        "downsample_padding": draw.choice([1, 1, 0]),
        "conv_in_kernel": draw.choice([3, 3, 1]),
        "conv_out_kernel": draw.choice([3, 3, 1]),
        "center_input_sample": draw.choice([False, False, False, True]),
        "flip_sin_to_cos": draw.choice([False, True]),
        "freq_shift": draw.choice([0, 1]),
        "time_embedding_type": draw.choice(["positional", "positional", "fourier"]),
        "time_embedding_dim": draw.choice([None, 32]),
        "time_embedding_act_fn": draw.choice([None, None, "silu", "gelu"]),
        "timestep_post_act": draw.choice([None, None, "silu"]),
        "encoder_hid_dim": draw.choice([None, None, 10]),
        "class_embeddings_concat": draw.choice([False, False, True]),
        **class_options(draw),
    }
    if options["encoder_hid_dim"]:
        options["encoder_hid_dim_type"] = "text_proj"
    if draw.random() < 0.3:
        options["class_embed_type"] = draw.choice(["projection", "simple_projection"])
        options["projection_class_embeddings_input_dim"] = VECTOR
        options["num_class_embeds"] = None
    return options


def plain_options(draw):
    count = draw.choice([2, 3, 4])
    groups = draw.choice([4, 8])
    down = [draw.choice(PLAIN + (SKIP if draw.random() < 0.2 else [])) for _ in range(count)]
    return {
        "sample_size": 16,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": [groups * draw.choice([2, 4]) for _ in range(count)],
        "down_block_types": down,
        "up_block_types": [upward(block) for block in reversed(down)],
        "norm_num_groups": groups,
        "attn_norm_num_groups": draw.choice([None, None, 2]),
        "layers_per_block": draw.choice([1, 2, 3]),
        "act_fn": draw.choice(["silu", "mish", "gelu", "relu"]),
        "attention_head_dim": draw.choice([None, 2, 4]),
        "add_attention": draw.choice([True, True, False]),
        "downsample_type": draw.choice(["conv", "resnet"]),
        "upsample_type": draw.choice(["conv", "resnet"]),
        "downsample_padding": draw.choice([0, 1]),
        "resnet_time_scale_shift": draw.choice(["default", "scale_shift"]),
        "mid_block_scale_factor": draw.choice([1, 1.4]),
        "center_input_sample": draw.choice([False, False, True]),
        "time_embedding_type": draw.choice(["positional", "fourier", "learned"]),
        "num_train_timesteps": 100,
        "flip_sin_to_cos": draw.choice([False, True]),
        "freq_shift": draw.choice([0, 1]),
        **class_options(draw),
    }


def make_net(number):
    """The network of a number, its random weights as far from those of a new one as a trained one's."""
    draw = random.Random(number)
    torch.manual_seed(number)
    conditional = draw.random() < 0.7
    options = conditional_options(draw) if conditional else plain_options(draw)
    net = (diffusers.UNet2DConditionModel if conditional else diffusers.UNet2DModel)(**options).eval()
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) * 0.1
    return net


def text_width(config):
    width = config.encoder_hid_dim or config.cross_attention_dim
    return width if isinstance(width, int) else width[0]


def make_inputs(net, folder):
    """What the network is called with, and the same as options of ebb eval."""
    config = net.config
    values = {"sample": torch.randn(BATCH, config.in_channels, 8, 16)}
    call = {}
    command = ["--timestep", str(TIMESTEP)]
    if isinstance(net, diffusers.UNet2DConditionModel):
        call["encoder_hidden_states"] = values["text"] = torch.randn(BATCH, TOKENS, text_width(config))
        command += ["--text", folder / "text.npy"]
    if config.num_class_embeds or config.class_embed_type == "timestep":
        call["class_labels"] = torch.tensor([3, 1])
        command += ["--label", "3,1"]
    elif config.class_embed_type:
        identity = config.class_embed_type == "identity"
        width = net.time_embedding.linear_2.out_features if identity else VECTOR
        call["class_labels"] = values["vector"] = torch.randn(BATCH, width)
        command += ["--vector", folder / "vector.npy"]
    for name, value in values.items():
        numpy.save(folder / f"{name}.npy", value.numpy())
    return values["sample"], call, command


def compare(ebb, device, number, folder):
    """equal, wrong, refused or invalid; and what there is to say."""
    try:
        net = make_net(number)
        sample, call, command = make_inputs(net, folder)
        with torch.no_grad():
            want = net(sample, TIMESTEP, **call).sample.numpy()
    except (TypeError, ValueError, RuntimeError, AttributeError, ZeroDivisionError, IndexError):
        return "invalid", ""
    net.save_pretrained(folder / "unet")
    out = folder / "out.npy"
    files = ["--input", folder / "sample.npy", "--output", out, "--device", device, "--threads", "1"]
    command = [ebb, "eval", folder / "unet", *files, *command]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        return "refused", run.stderr.strip()
    got = numpy.load(out)
    difference = abs(got - want).max() / abs(want).max() if got.shape == want.shape else numpy.inf
    return ("equal" if difference <= BOUND else "wrong"), f"{difference:.1e} {json.dumps(dict(net.config))}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ebb")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    counts = dict.fromkeys(("equal", "wrong", "refused", "invalid"), 0)
    for number in range(args.first, args.first + args.count):
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ebb-unet-{number}-"))
        outcome, words = compare(args.ebb, args.device, number, folder)
        counts[outcome] += 1
        if outcome in ("wrong", "refused"):
            print(f"{number}: {outcome}: {words}", flush=True)
        if outcome != "wrong":
            shutil.rmtree(folder)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts["wrong"] > 0


if __name__ == "__main__":
    sys.exit(main())
