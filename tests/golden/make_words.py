#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Models with labels that are told words as well: the vector of a prompt stands in the place of a class.

    python3 tests/golden/make_words.py             # makes tests/golden/words
    python3 tests/golden/make_words.py models/sfx  # a model's states by ebb and by diffusers, compared

tests/golden/words holds a random text encoder for the labels of tests/models/tiny-sfx, and last states of
diffusers' loop. Needs torch, diffusers and transformers 5; the comparison needs an ebb ($EBB, or the one on
the PATH).
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
TINY, GOLDEN, TOKENIZER = HERE.parent / "models" / "tiny-sfx", HERE / "words", HERE / "tokenizers" / "clip"
PROMPT, AWAY = "Rain on a tin roof", "wind, dogs"
CASES = {
    "prompt": {"prompt": PROMPT, "guidance": 1},
    "guided": {"prompt": PROMPT, "guidance": 3.5},
    "negative-prompt": {"prompt": PROMPT, "negative-prompt": AWAY, "guidance": 3.5},
    "negative-label": {"prompt": PROMPT, "negative": "wind", "guidance": 3.5},
    "label": {"label": "bell", "negative-prompt": AWAY, "guidance": 3.5},
}
STEPS, SEED = 10, 42


class Rows:
    """What the U-Net is told: rows of its table of classes, or vectors of prompts."""

    def __init__(self, unet, text, tokenizer, info):
        self.unet, self.text, self.tokenizer, self.info = unet, text, tokenizer, info
        self.table = unet.class_embedding.weight

    def label(self, name):
        return self.table[[label["name"] for label in self.info["labels"]].index(name)]

    def prompt(self, words):
        ids = self.tokenizer(words, truncation=True, max_length=self.longest(), return_tensors="pt").input_ids
        return self.text(input_ids=ids).text_embeds[0]

    def longest(self):
        return min(self.tokenizer.model_max_length, self.text.config.max_position_embeddings)

    def of(self, settings):
        """What is asked for, and what to guide away from."""
        row = self.prompt(settings["prompt"]) if "prompt" in settings else self.label(settings["label"])
        if "negative-prompt" in settings:
            return row, self.prompt(settings["negative-prompt"])
        if "negative" in settings:
            return row, self.label(settings["negative"])
        return row, self.table[self.info["no_label"]]


def opened(folder, words):
    """`words`: the folder of text encoder and tokenizer."""
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet").float()
    text = CLIPTextModelWithProjection.from_pretrained(words, subfolder="text_encoder").float().eval()
    tokenizer = CLIPTokenizer.from_pretrained(words / "tokenizer")
    info = json.loads((folder / "ebb.json").read_text())
    return Rows(unet, text, tokenizer, info)


@torch.no_grad()
def run(rows, folder, settings, steps=STEPS):
    """diffusers' loop: UNet2DModel with the vectors where its table of classes stood."""
    row, away = rows.of(settings)
    unet, guidance = rows.unet, settings["guidance"]
    unet.class_embedding = torch.nn.Identity()
    schedule = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    schedule.set_timesteps(steps)
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn((1, unet.config.in_channels, *unet.config.sample_size), generator=generator)
    for t in schedule.timesteps:
        both = unet(torch.cat([x, x]), t, class_labels=torch.stack([row, away])).sample
        told, without = both.chunk(2)
        x = schedule.step(without + guidance * (told - without), t, x, generator=generator).prev_sample
    return x


def make_text_encoder(tokenizer, width):
    torch.manual_seed(9)
    text = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():
        for name, p in text.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            p.copy_(torch.randn_like(p) * (0.4 if p.ndim > 1 else 0.1) + (1 if norm else 0))
    return text.eval()


def make():
    shutil.rmtree(GOLDEN, ignore_errors=True)
    shutil.copytree(TOKENIZER, GOLDEN / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(GOLDEN / "tokenizer")
    width = UNet2DModel.from_pretrained(TINY, subfolder="unet").class_embedding.weight.shape[1]
    make_text_encoder(tokenizer, width).save_pretrained(GOLDEN / "text_encoder")
    (GOLDEN / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")
    for name, settings in CASES.items():
        x = run(opened(TINY, GOLDEN), TINY, settings)
        (GOLDEN / f"{name}.f32").write_bytes(x.numpy().astype("<f4").tobytes())


def by_ebb(folder, settings, steps):
    with tempfile.TemporaryDirectory() as where:
        options = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        words = ["-m", folder, "--noise", "torch", "--seed", SEED, "--steps", steps, *options]
        out = ["-o", f"{where}/a.wav", "--save-latents", f"{where}/a.npy", "-q"]
        ebb = os.environ.get("EBB") or shutil.which("ebb")
        subprocess.run([ebb, "render", *map(str, words), *out], check=True)
        return torch.from_numpy(np.load(f"{where}/a.npy").astype("f4"))


def compare(folder):
    info = json.loads((folder / "ebb.json").read_text())
    names = [label["name"] for label in info["labels"]]
    for prompt in ("duck quacking", "a heavy wooden door, slammed", "Klaxon!"):
        settings = {"prompt": prompt, "guidance": 3.5}
        theirs = run(opened(folder, folder), folder, settings)
        ours = by_ebb(folder, settings, STEPS).reshape(theirs.shape)
        wrong = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        print(f"{prompt}: differs by {wrong:.1e} of the largest value")
    settings = {"label": names[0], "guidance": 3.5}
    theirs = run(opened(folder, folder), folder, settings)
    ours = by_ebb(folder, settings, STEPS).reshape(theirs.shape)
    print(f"label {names[0]}: {((ours - theirs).abs().max() / theirs.abs().max()).item():.1e}")


if __name__ == "__main__":
    compare(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else make()
