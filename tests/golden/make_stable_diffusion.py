#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/tiny-riffusion, a tiny random StableDiffusionPipeline in the shape of Riffusion's, and
tests/golden/stable-diffusion: the latents that diffusers' pipeline ends with.

    python3 tests/golden/make_stable_diffusion.py     # needs torch, diffusers, transformers 5

The tokenizer is tests/golden/tokenizers/clip. A folder of the golden files holds a scheduler_config.json to
put into the model, and an array of latents (1, 4, 8, 8) for each of the cases in cases.json.
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "tiny-riffusion"
GOLDEN = HERE / "stable-diffusion"

PROMPT, NEGATIVE = "Rain on a tin roof, it's 90 bpm", "wind, dogs"
LONG = " ".join(["the sound of an old steam train in dry grass"] * 20)
CASES = {
    "plain": {"prompt": PROMPT, "guidance": 1},
    "guided": {"prompt": PROMPT, "guidance": 6},
    "negative": {"prompt": PROMPT, "negative-prompt": NEGATIVE, "guidance": 6},
    "long": {"prompt": LONG, "guidance": 3},
    "empty": {"prompt": "", "negative-prompt": NEGATIVE, "guidance": 4},
    "between": {"prompt": PROMPT, "to-prompt": "Glass breaks", "share": 0.25, "guidance": 6},
}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
OFFSET = {"steps_offset": 1, "set_alpha_to_one": False}
SCHEDULERS = {
    "pndm": PNDMScheduler(**BETAS, **OFFSET, skip_prk_steps=True),
    "ddim": DDIMScheduler(**BETAS, **OFFSET, clip_sample=False),
    "dpm": DPMSolverMultistepScheduler(**BETAS, steps_offset=1),
    "euler": EulerDiscreteScheduler(**BETAS, steps_offset=1, timestep_spacing="leading"),
}


def randomise(net, spread):
    with torch.no_grad():
        for name, p in net.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            p.copy_(torch.randn_like(p) * (spread if p.ndim > 1 else 0.1) + (1 if norm else 0))
    return net.eval()


def make_pipeline():
    torch.manual_seed(3)
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "tokenizers" / "clip")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=2,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=16,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    )
    return StableDiffusionPipeline(
        vae=randomise(vae, 0.2),
        text_encoder=randomise(CLIPTextModel(text), 0.3),
        tokenizer=tokenizer,
        unet=randomise(unet, 0.25),
        scheduler=SCHEDULERS["pndm"],
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def embeddings(pipeline, text):
    return pipeline.encode_prompt(text, "cpu", 1, False)[0]


def latents(pipeline, case):
    keys = {"prompt": case["prompt"]}
    if "to-prompt" in case:
        a, b = (embeddings(pipeline, case[key]) for key in ("prompt", "to-prompt"))
        keys = {"prompt_embeds": (1 - case["share"]) * a + case["share"] * b}
    return pipeline(
        **keys,
        negative_prompt=case.get("negative-prompt"),
        guidance_scale=case["guidance"],
        num_inference_steps=6,
        generator=torch.Generator().manual_seed(42),
        output_type="latent",
    ).images


def store(file, values):
    np.save(file, values.detach().numpy().astype(np.float32))


def main():
    pipeline = make_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    shutil.rmtree(MODEL, ignore_errors=True)
    pipeline.save_pretrained(MODEL)
    tokenizer = MODEL / "tokenizer"
    shutil.rmtree(tokenizer)
    tokenizer.mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(HERE / "tokenizers" / "clip" / name, tokenizer)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    (GOLDEN / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")
    for name, scheduler in SCHEDULERS.items():
        pipeline.scheduler = scheduler
        folder = GOLDEN / name
        scheduler.save_pretrained(folder)
        for case, settings in CASES.items():
            if name == "pndm" or case == "negative":
                store(folder / f"{case}.npy", latents(pipeline, settings))
    pipeline.scheduler = SCHEDULERS["pndm"]
    last = latents(pipeline, CASES["negative"])
    with torch.no_grad():
        store(GOLDEN / "picture.npy", pipeline.vae.decode(last / pipeline.vae.config.scaling_factor).sample)


main()
