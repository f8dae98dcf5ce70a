# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of a model that is told words: the wider U-Net, the text encoder, its tokenizer."""

import json

import torch

from . import data, prompts
from .text import SPECIAL, TOKENS, Small, kept_vocabulary, sense_of  # noqa: F401 (export's)


def wider_unet(state):
    """The U-Net of `train --what prompts`, as a plain UNet2DModel."""
    told = "unet."
    weights = {
        name.removeprefix(told): value
        for name, value in state["average"]["weights"].items()
        if name.startswith(told)
    }
    about = state["about"]
    return prompts.widened(state["config"], about["table"], about["width"], about["more"], weights)


def save(run, small, state, folder, width):
    """text_encoder/ and tokenizer/, as transformers reads them, of the net `small`; `width` numbers of the
    embedding."""
    small.load_state_dict(state["average"]["weights"])
    projection = small.text.text_projection
    projection.weight = torch.nn.Parameter(projection.weight[:width].clone())
    projection.out_features = small.text.config.projection_dim = width
    small.text.to(torch.float16).save_pretrained(folder / "text_encoder")
    for file in (folder / "text_encoder").iterdir():
        file.chmod(0o644)
    save_tokenizer(*kept_vocabulary(run / "vocabulary.json", (), 0), folder / "tokenizer")


def save_tokenizer(vocab, merges, folder):
    bos, eos = SPECIAL
    folder.mkdir()
    data.write_json(folder / "vocab.json", vocab)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = dict(bos_token=bos, eos_token=eos, unk_token=eos, pad_token=eos)
    data.write_json(folder / "special_tokens_map.json", special)
    about = dict(tokenizer_class="CLIPTokenizer", model_max_length=TOKENS, do_lower_case=True)
    data.write_json(folder / "tokenizer_config.json", about | special)


def add_to_index(model, folder):
    """model_index.json of the model with the two new parts."""
    index = json.loads((model / "model_index.json").read_text(encoding="utf-8"))
    index |= dict(
        text_encoder=["transformers", "CLIPTextModelWithProjection"],
        tokenizer=["transformers", "CLIPTokenizer"],
    )
    data.write_json(folder / "model_index.json", index)
