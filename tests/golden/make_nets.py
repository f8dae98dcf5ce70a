#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/nets: tiny random networks with every block and option the library knows, and what
diffusers computes with them.

    python3 tests/golden/make_nets.py     # needs torch, diffusers, safetensors; writes tests/golden/nets

A folder holds config.json and safetensors as diffusers writes them, and per pass PASS.json (timestep, labels,
class vectors, texts and their masks), PASS.in.npy and PASS.out.npy (float32; encode: mean, then standard
deviation).
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2UNet2DConditionModel
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent / "nets"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def randomise(net):
    """Random weights, so large that each of them shows in the output."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.3 + (1 if name.endswith("weight") else 0))
            elif name == "time_proj.weight" and p.dim() == 1:
                p.copy_(torch.randn_like(p))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.2)
            else:
                p.copy_(torch.randn_like(p) / p[0].numel() ** 0.5)
    return net.eval()


def save(net, folder, dtype=torch.float32, **more):
    """Stores the weights in `dtype`, and keeps the values that are then read back."""
    shutil.rmtree(folder, ignore_errors=True)
    net.to(dtype).save_pretrained(folder, **more)
    net.float()


def write(folder, name, inputs, x, y):
    (folder / f"{name}.json").write_text(json.dumps(inputs) + "\n")
    np.save(folder / f"{name}.in.npy", x.numpy())
    np.save(folder / f"{name}.out.npy", y.float().numpy())


def unet(
    name, shape, timestep, dtype=torch.float32, labels=None, vector=None, change=None, shards=None, **config
):
    config = {
        "in_channels": shape[1],
        "out_channels": shape[1],
        "layers_per_block": 1,
        "norm_num_groups": 2,
        **config,
    }
    folder = HERE / name
    net = randomise(UNet2DModel(**config))
    save(net, folder, dtype, **({"max_shard_size": shards} if shards else {}))
    if change:
        change(folder)
    x = torch.randn(shape)
    inputs = {"timestep": timestep}
    classes = None
    if labels is not None:
        inputs["labels"] = labels
        classes = torch.tensor(labels)
    if vector is not None:
        classes = torch.randn(shape[0], vector)
        inputs["class_vector"] = classes.flatten().tolist()
    with torch.no_grad():
        y = net(x, torch.tensor([timestep]), class_labels=classes).sample
    write(folder, "forward", inputs, x, y)


def texts_of(inputs, shapes, batch, masked):
    """Random states of texts for json and as tensors, with masks that hide some tokens, never the first."""
    tensors = []
    for tokens, width in shapes:
        states, mask = torch.randn(batch, tokens, width), None
        text = {"tokens": tokens, "states": states.flatten().tolist()}
        if masked:
            mask = (torch.rand(batch, tokens) < 0.6).float()
            mask[:, 0] = 1
            text["mask"] = mask.flatten().tolist()
        inputs.setdefault("texts", []).append(text)
        tensors.append((states, mask))
    return tensors


def conditional(
    name,
    shape,
    timestep,
    texts=(),
    masked=False,
    labels=None,
    vector=None,
    kind=UNet2DConditionModel,
    **config,
):
    """A U-Net that sees texts; `texts`: (tokens, width) of each."""
    config = {
        "in_channels": shape[1],
        "out_channels": shape[1],
        "layers_per_block": 1,
        "norm_num_groups": 2,
        **config,
    }
    folder = HERE / name
    net = randomise(kind(**config))
    save(net, folder, torch.float16)
    x = torch.randn(shape)
    inputs, more = {"timestep": timestep}, {}
    if labels is not None:
        inputs["labels"] = labels
        more["class_labels"] = torch.tensor(labels)
    if vector is not None:
        more["class_labels"] = torch.randn(shape[0], vector)
        inputs["class_vector"] = more["class_labels"].flatten().tolist()
    seen = texts_of(inputs, texts, shape[0], masked)
    if masked:
        more["encoder_attention_mask"] = seen[0][1]
    if len(seen) > 1:
        more["encoder_hidden_states_1"], more["encoder_attention_mask_1"] = seen[1]
    with torch.no_grad():
        y = net(x, torch.tensor([timestep]), seen[0][0] if seen else None, **more).sample
    write(folder, "forward", inputs, x, y)


def autoencoder(name, encode, decode, dtype=torch.float32, **config):
    config = {
        "in_channels": encode[1],
        "out_channels": encode[1],
        "latent_channels": decode[1],
        "norm_num_groups": 2,
        **config,
    }
    folder = HERE / name
    net = randomise(AutoencoderKL(**config))
    save(net, folder, dtype)
    x, z = torch.randn(encode), torch.randn(decode)
    with torch.no_grad():
        moments = net.encode(x).latent_dist
        write(folder, "encode", {}, x, torch.cat([moments.mean, moments.std], 1))
        write(folder, "decode", {}, z, net.decode(z).sample)


def legacy(folder):
    """Names and shapes from before 2023."""
    weights = load_file(folder / WEIGHTS)
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        for name in [n for n in weights if f".{new}." in n]:
            value = weights.pop(name)
            if "mid_block" in name and name.endswith("weight"):
                value = value[:, :, None, None]
            weights[name.replace(f".{new}.", f".{old}.")] = value.contiguous()
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def blocks(down, up, channels):
    return {"block_out_channels": channels, "down_block_types": down, "up_block_types": up}


def unets():
    """U-Nets that see no text."""
    plain = blocks(("DownBlock2D", "DownBlock2D"), ("UpBlock2D", "UpBlock2D"), (4, 8))
    attention = blocks(("DownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "UpBlock2D"), (4, 8))
    both = blocks(("AttnDownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "AttnUpBlock2D"), (4, 8))
    resnet = blocks(
        ("ResnetDownsampleBlock2D", "DownBlock2D"), ("UpBlock2D", "ResnetUpsampleBlock2D"), (4, 8)
    )
    resnet_up = blocks(
        ("DownBlock2D", "ResnetDownsampleBlock2D"), ("ResnetUpsampleBlock2D", "UpBlock2D"), (4, 8)
    )
    single = blocks(("AttnDownBlock2D",), ("AttnUpBlock2D",), (8,))

    unet(
        "plain",
        (2, 1, 10, 6),
        731,
        torch.bfloat16,
        **plain,
        flip_sin_to_cos=False,
        freq_shift=1,
        add_attention=False,
    )
    unet(
        "classes",
        (2, 2, 8, 12),
        500.25,
        torch.float16,
        labels=[4, 1],
        **attention,
        attention_head_dim=4,
        num_class_embeds=5,
    )
    unet(
        "film",
        (1, 3, 8, 8),
        999,
        **resnet,
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
        attention_head_dim=8,
    )
    unet(
        "film-norm",
        (1, 2, 6, 10),
        1,
        **both,
        resnet_time_scale_shift="scale_shift",
        attn_norm_num_groups=4,
        downsample_type="resnet",
        upsample_type="resnet",
        attention_head_dim=None,
        mid_block_scale_factor=1.4142,
    )
    unet(
        "fourier",
        (2, 2, 4, 6),
        37.5,
        labels=[3, 9],
        **resnet_up,
        time_embedding_type="fourier",
        act_fn="mish",
        class_embed_type="timestep",
        add_attention=False,
    )
    unet(
        "learned",
        (2, 1, 6, 4),
        17,
        vector=12,
        **plain,
        time_embedding_type="learned",
        num_train_timesteps=20,
        act_fn="relu",
        class_embed_type="identity",
        time_embedding_dim=12,
    )
    unet(
        "odd-channels",
        (1, 5, 8, 4),
        250,
        torch.float64,
        out_channels=7,
        downsample_padding=0,
        norm_num_groups=3,
        layers_per_block=2,
        norm_eps=1e-3,
        attention_head_dim=3,
        act_fn="swish",
        **blocks(("DownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "UpBlock2D"), (3, 9)),
    )
    unet(
        "odd-size",
        (2, 3, 7, 5),
        3,
        **single,
        center_input_sample=True,
        mid_block_type=None,
        attention_head_dim=3,
    )
    unet(
        "three-levels",
        (1, 2, 12, 8),
        640,
        torch.float16,
        shards="6KB",
        norm_num_groups=1,
        attention_head_dim=2,
        downsample_type="resnet",
        class_embed_type="timestep",
        labels=[2],
        **blocks(
            ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            (2, 4, 6),
        ),
    )
    unet("legacy", (1, 1, 4, 4), 12, change=legacy, **attention, attention_head_dim=8)


def autoencoders():
    stages = {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "block_out_channels": (4, 6),
    }
    autoencoder("autoencoder", (2, 1, 10, 12), (2, 3, 5, 7), torch.float16, **stages)
    autoencoder(
        "autoencoder-bare",
        (1, 2, 9, 7),
        (1, 2, 3, 4),
        **stages,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        act_fn="gelu",
        layers_per_block=2,
    )
    autoencoder(
        "autoencoder-attention",
        (1, 1, 8, 4),
        (1, 2, 2, 3),
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(4, 6),
        act_fn="mish",
    )


def skipping():
    """As in google/ncsnpp-*, which have more levels and channels. Attention needs 32 channels."""
    song = {
        "norm_num_groups": None,
        "attention_head_dim": None,
        "time_embedding_type": "fourier",
        "mid_block_scale_factor": 2**0.5,
        "norm_eps": 1e-6,
        "time_embedding_dim": 8,
    }
    unet(
        "skip",
        (2, 3, 8, 12),
        3.5,
        torch.float16,
        **song,
        **blocks(("SkipDownBlock2D",) * 3, ("SkipUpBlock2D",) * 3, (4, 8, 8)),
    )
    unet(
        "skip-attention",
        (1, 3, 6, 4),
        0.2,
        torch.float16,
        **song,
        **blocks(("AttnSkipDownBlock2D", "SkipDownBlock2D"), ("SkipUpBlock2D", "AttnSkipUpBlock2D"), (32, 4)),
    )


def cross(down, up, channels, way="CrossAttn"):
    """Block names: D for a plain one, X for one that sees text (`way`), R and A for the others."""
    names = {
        "D": ("DownBlock2D", "UpBlock2D"),
        "X": (f"{way}DownBlock2D", f"{way}UpBlock2D"),
        "R": ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"),
        "A": ("AttnDownBlock2D", "AttnUpBlock2D"),
    }
    return blocks(tuple(names[k][0] for k in down), tuple(names[k][1] for k in up), channels)


def crossing():
    """U-Nets that see text."""
    # As in Stable Diffusion; sizes that do not halve.
    conditional(
        "cross",
        (2, 2, 7, 5),
        731,
        texts=[(5, 6)],
        **cross("XD", "DX", (4, 8)),
        attention_head_dim=2,
        cross_attention_dim=6,
    )
    conditional(
        "cross-linear",
        (2, 1, 4, 6),
        12.5,
        texts=[(7, 5)],
        masked=True,
        **cross("XX", "XX", (4, 4)),
        attention_head_dim=[1, 2],
        cross_attention_dim=6,
        encoder_hid_dim=5,
        use_linear_projection=True,
        only_cross_attention=[True, False],
        transformer_layers_per_block=[2, 1],
        upcast_attention=True,
        center_input_sample=True,
        act_fn="gelu",
        num_class_embeds=3,
        labels=[2, 0],
    )
    # Numbers of its own for every layer on the way down and up, and heads that leave channels over.
    conditional(
        "cross-layers",
        (1, 1, 6, 4),
        999,
        texts=[(1, 3)],
        **cross("DX", "XD", (4, 6)),
        layers_per_block=[1, 2],
        attention_head_dim=4,
        cross_attention_dim=[3, 3],
        transformer_layers_per_block=[[1], [1, 2]],
        reverse_transformer_layers_per_block=[[2, 1, 1], [1, 1]],
        mid_block_type="UNetMidBlock2D",
        mid_block_scale_factor=1.4142,
        vector=16,
        class_embed_type="identity",
        time_embedding_act_fn="silu",
        timestep_post_act="mish",
    )


def simply_crossing():
    """As in Kandinsky and DeepFloyd IF: text and picture are attended to at once."""
    conditional(
        "simple-cross",
        (2, 2, 4, 8),
        37,
        texts=[(5, 8)],
        **cross("XXR", "RXX", (8, 8, 4), "SimpleCrossAttn"),
        attention_head_dim=[4, 2, 4],
        cross_attention_dim=8,
        cross_attention_norm="layer_norm",
        mid_block_type="UNetMidBlock2D",
        resnet_skip_time_act=True,
        resnet_out_scale_factor=1.5,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=3,
        vector=3,
        act_fn="mish",
    )
    conditional(
        "simple-cross-only",
        (1, 1, 4, 4),
        3,
        texts=[(6, 32)],
        **cross("XA", "AX", (4, 4), "SimpleCrossAttn"),
        attention_head_dim=2,
        cross_attention_dim=32,
        cross_attention_norm="group_norm",
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        mid_block_scale_factor=1.4142,
        only_cross_attention=True,
        time_embedding_type="fourier",
        conv_in_kernel=5,
        conv_out_kernel=1,
        act_fn="relu",
    )


def attending_to_itself():
    """AudioLDM attends to itself, and sees a vector beside the time; AudioLDM 2 sees two texts."""
    conditional(
        "audioldm",
        (2, 2, 9, 4),
        500.25,
        **cross("DX", "XD", (4, 8)),
        attention_head_dim=2,
        cross_attention_dim=[4, 8],
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=5,
        class_embeddings_concat=True,
        vector=5,
    )
    conditional(
        "audioldm2",
        (2, 2, 6, 4),
        250,
        texts=[(4, 6), (7, 5)],
        masked=True,
        kind=AudioLDM2UNet2DConditionModel,
        **cross("DX", "XD", (4, 4)),
        attention_head_dim=2,
        cross_attention_dim=[[None, 6, 5]] * 2,
    )
    conditional(
        "no-cross",
        (1, 1, 3, 5),
        731,
        **cross("DD", "DD", (4, 8)),
        mid_block_type=None,
        class_embed_type="timestep",
        class_embeddings_concat=True,
        labels=[3],
        norm_eps=1e-3,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


def main():
    torch.manual_seed(7)
    unets()
    autoencoders()
    skipping()
    torch.manual_seed(8)
    crossing()
    simply_crossing()
    attending_to_itself()


if __name__ == "__main__":
    main()
