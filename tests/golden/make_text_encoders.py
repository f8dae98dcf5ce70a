#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/text: tiny random text encoders of every class that Ebb reads, and what transformers
computes with them.

    python3 tests/golden/make_text_encoders.py     # needs torch, transformers 5, diffusers, safetensors

A folder holds config.json and model.safetensors, text.json (ids), last.npy (n, tokens, width) and, where
the class has one, pooled.npy (n, width). Pads are masked as the pipelines of diffusers mask them: not at
all for CLIP. The folder "language" holds AudioLDM 2's projection and GPT-2, and the states that its pipeline
lets them generate.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from diffusers import AudioLDM2ProjectionModel
from diffusers.pipelines.audioldm2.pipeline_audioldm2 import AudioLDM2Pipeline
from safetensors.torch import load_file, save_file
from transformers import (
    ClapConfig,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    T5Config,
    T5EncoderModel,
)

HERE = pathlib.Path(__file__).resolve().parent / "text"


def randomise(net, spread=0.3):
    with torch.no_grad():
        for name, p in net.named_parameters():
            norm = "norm" in name.lower() or "ln_" in name
            p.copy_(torch.randn_like(p) * spread + (1 if norm and name.endswith("weight") else 0))
    return net.eval()


def save(net, name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    net.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def store(file, values):
    """Four dimensions, as the tests read them."""
    values = values.detach().numpy().astype(np.float32)
    np.save(file, values.reshape(values.shape + (1,) * (4 - values.ndim)))


def write(folder, ids, last, pooled=None):
    (folder / "text.json").write_text(json.dumps({"ids": ids.tolist()}) + "\n")
    store(folder / "last.npy", last)
    if pooled is not None:
        store(folder / "pooled.npy", pooled)


def rename(folder, change):
    file = folder / "model.safetensors"
    save_file({change(k): v for k, v in load_file(file).items()}, file)


def edit(folder, **keys):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}, indent=2) + "\n")


CLIP = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 12,
}


def clip():
    ids = torch.tensor([[58, 3, 17, 9, 59] + [59] * 7, [58, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 59]])
    # As stable-diffusion-v1 has it: names with text_model, and an id for the end that is none.
    net = randomise(CLIPTextModel(CLIPTextConfig(**CLIP, eos_token_id=2, bos_token_id=0)))
    folder = save(net, "clip")
    rename(folder, lambda k: k if k.startswith("text_model.") else "text_model." + k)
    out = net(ids)
    write(folder, ids, out.last_hidden_state, out.pooler_output)
    # As stable-diffusion-2: another activation; the end's id is known.
    config = CLIPTextConfig(**CLIP, hidden_act="gelu", eos_token_id=59, bos_token_id=58, pad_token_id=0)
    net = randomise(CLIPTextModel(config))
    folder = save(net, "clip-gelu")
    other = torch.tensor([[58, 3, 17, 9, 59] + [0] * 7, [58, 59] + [0] * 10])
    out = net(other)
    write(folder, other, out.last_hidden_state, out.pooler_output)
    config = CLIPTextConfig(**CLIP, projection_dim=20, eos_token_id=59, bos_token_id=58)
    net = randomise(CLIPTextModelWithProjection(config))
    folder = save(net, "clip-projection")
    out = net(ids)
    write(folder, ids, out.last_hidden_state, out.text_embeds)


def clap():
    text = {
        "vocab_size": 50,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "max_position_embeddings": 20,
        "projection_dim": 16,
    }
    ids = torch.tensor([[0, 7, 30, 12, 2, 1, 1, 1], [0, 5, 6, 7, 8, 9, 10, 2]])
    net = randomise(ClapTextModelWithProjection(ClapTextConfig(**text)))
    folder = save(net, "clap")
    out = net(ids, attention_mask=(ids != 1).long())
    write(folder, ids, out.last_hidden_state, out.text_embeds)

    # A whole ClapModel in float64, as MusicLDM has it; of its audio half some tensors are left.
    audio = {
        "hidden_size": 16,
        "patch_embeds_hidden_size": 2,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "num_hidden_layers": 2,
        "projection_dim": 16,
        "spec_size": 32,
        "num_mel_bins": 8,
        "window_size": 2,
    }
    net = randomise(ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16))).double()
    folder = save(net, "clap-model")
    out = net.text_model(input_ids=ids, attention_mask=(ids != 1).long())
    write(folder, ids, out.last_hidden_state, net.text_projection(out.pooler_output))
    file = folder / "model.safetensors"
    kept = load_file(file)
    audio = [k for k in kept if k.startswith("audio_model.")][3:]
    save_file({k: v for k, v in kept.items() if k not in audio}, file)


def t5():
    sizes = {"vocab_size": 50, "d_model": 24, "d_kv": 5, "d_ff": 40, "num_layers": 2, "num_heads": 4}
    sizes.update(relative_attention_num_buckets=8, relative_attention_max_distance=12)
    ids = torch.randint(2, 50, (2, 18))
    ids[0, 10:] = 0
    ids[0, 9] = ids[1, 17] = 1
    for name, kind in (("t5", "relu"), ("t5-gated", "gated-gelu")):
        net = randomise(T5EncoderModel(T5Config(**sizes, feed_forward_proj=kind)))
        folder = save(net, name)
        out = net(ids, attention_mask=(ids != 0).long())
        write(folder, ids, out.last_hidden_state)
    rename(folder, lambda k: "encoder.embed_tokens.weight" if k == "shared.weight" else k)


def gpt2():
    config = GPT2Config(vocab_size=50, n_embd=24, n_layer=2, n_head=3, n_positions=32, bos_token_id=0)
    ids = torch.randint(0, 50, (2, 9))
    net = randomise(GPT2Model(config))
    write(save(net, "gpt2"), ids, net(ids).last_hidden_state)
    net = randomise(GPT2LMHeadModel(config))
    write(save(net, "gpt2-head"), ids, net.transformer(ids).last_hidden_state)

    net = randomise(GPT2Model(config))
    shutil.rmtree(HERE / "language", ignore_errors=True)
    folder = save(net, "language/language_model").parent
    projection = AudioLDM2ProjectionModel(text_encoder_dim=6, text_encoder_1_dim=10, langauge_model_dim=24)
    with torch.no_grad():
        for p in projection.parameters():
            p.copy_(torch.randn_like(p) * 0.5)
    projection.save_pretrained(folder / "projection_model")
    first, second = torch.randn(2, 1, 6), torch.randn(2, 7, 10)
    masks = torch.ones(2, 1).long(), torch.tensor([[1] * 5 + [0] * 2, [1] * 7])
    out = projection(first, second, *masks)

    class Pipeline:
        language_model = net

    for method in ("_update_model_kwargs_for_generation", "_get_initial_cache_position"):
        if hasattr(GPT2LMHeadModel, method):
            setattr(GPT2Model, method, getattr(GPT2LMHeadModel, method))
    states = AudioLDM2Pipeline.generate_language_model(
        Pipeline(), out.hidden_states, attention_mask=out.attention_mask, max_new_tokens=8
    )
    store(folder / "first.npy", first)
    store(folder / "second.npy", second)
    (folder / "mask.json").write_text(json.dumps({"mask": masks[1].tolist()}) + "\n")
    store(folder / "projected.npy", out.hidden_states)
    store(folder / "states.npy", states)


def main():
    HERE.mkdir(exist_ok=True)
    for make in (clip, clap, t5, gpt2):
        if sys.argv[1:] and make.__name__ not in sys.argv[1:]:
            continue
        torch.manual_seed(7)
        make()


main()
