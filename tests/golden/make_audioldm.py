#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/tiny-audioldm, a tiny random AudioLDMPipeline, and tests/golden/audioldm: what
diffusers' pipeline makes of it.

    python3 tests/golden/make_audioldm.py     # needs torch, diffusers, transformers 5

The tokenizer is tests/golden/tokenizers/roberta. The golden files are latents (1, 2, time, 4) for each of
the cases in cases.json, and the wave of two of them, in single precision and "exact", in double; then the
folder clap, the text encoder of a MusicLDMPipeline that has all else in common (a ClapModel, of which the
text's half is kept), and its latents.
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, MusicLDMPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "tiny-audioldm"
GOLDEN = HERE / "audioldm"
TOKENIZER = HERE / "tokenizers" / "roberta"

PROMPT, NEGATIVE = "Rain on a tin roof, it's 90 bpm", "wind, dogs, and the sea far away behind the hills"
LONG = " ".join(["the sound of an old steam train in dry grass"] * 80)
CASES = {
    "plain": {"prompt": PROMPT, "guidance": 1},
    "guided": {"prompt": PROMPT, "guidance": 6},
    "negative": {"prompt": PROMPT, "negative-prompt": NEGATIVE, "guidance": 6},
    "long": {"prompt": LONG, "guidance": 3},
    "longer": {"prompt": PROMPT, "guidance": 2.5, "seconds": 0.1675},
    "shorter": {"prompt": PROMPT, "negative-prompt": NEGATIVE, "guidance": 2.5, "seconds": 0.031},
}
WAVES = ("negative", "longer")
VECTOR = 12


def randomise(net, spread):
    with torch.no_grad():
        for name, p in net.named_parameters():
            norm = "norm" in name.lower() and name.endswith("weight")
            p.copy_(torch.randn_like(p) * (spread if p.ndim > 1 else 0.1) + (1 if norm else 0))
    return net.eval()


class Clap(ClapModel):
    """transformers 4 gave the features themselves, as the pipeline expects; 5 gives them in an object."""

    def get_text_features(self, *args, **kwargs):
        features = super().get_text_features(*args, **kwargs).pooler_output
        return torch.nn.functional.normalize(features, dim=-1)


def make_text_encoder(tokenizer, whole):
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 514,
        "projection_dim": VECTOR,
    }
    if not whole:
        return ClapTextModelWithProjection(ClapTextConfig(**text))
    audio = ClapAudioConfig(
        spec_size=64,
        patch_embeds_hidden_size=8,
        depths=[1, 1],
        num_attention_heads=[1, 2],
        num_hidden_layers=2,
        hidden_size=16,
        projection_dim=VECTOR,
    )
    Clap.__name__ = ClapModel.__name__  # for the config
    return Clap(ClapConfig(text_config=text, audio_config=audio.to_dict(), projection_dim=VECTOR))


def make_parts(tokenizer):
    torch.manual_seed(5)
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=2,
        out_channels=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(4, 8),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=(4, 8),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=VECTOR,
        class_embeddings_concat=True,
        norm_num_groups=2,
    )
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 4),
        layers_per_block=1,
        latent_channels=2,
        norm_num_groups=2,
        scaling_factor=0.9227914214134216,
    )
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8,
            sampling_rate=1600,
            upsample_initial_channel=8,
            upsample_rates=[4, 2],
            upsample_kernel_sizes=[9, 4],
            resblock_kernel_sizes=[3, 5],
            resblock_dilation_sizes=[[1, 3], [1, 2]],
            normalize_before=False,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    return {
        "vae": randomise(vae, 0.3),
        "tokenizer": tokenizer,
        "unet": randomise(unet, 0.3),
        "scheduler": scheduler,
        "vocoder": randomise(vocoder, 0.4),
    }


def run(pipeline, settings, **more):
    return pipeline(
        prompt=settings["prompt"],
        negative_prompt=settings.get("negative-prompt"),
        guidance_scale=settings["guidance"],
        audio_length_in_s=settings.get("seconds"),
        num_inference_steps=6,
        generator=torch.Generator().manual_seed(42),
        **more,
    )


def store(file, values):
    np.save(file, np.asarray(values, dtype=np.float32))


def save(pipeline, folder):
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.save_pretrained(folder)
    shutil.rmtree(folder / "tokenizer")
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER / name, folder / "tokenizer")


def exact_wave(pipeline, settings, latents):
    """In double precision, from the same noise as in single; `latents` has its shape."""
    first = torch.randn(latents.shape, generator=torch.Generator().manual_seed(42))
    wave = run(pipeline.to(torch.float64), settings, latents=first.double()).audios
    pipeline.to(torch.float32)
    return wave


def latents_of(pipeline, settings):
    """The last latents. The pipeline gives them to a callback."""
    seen = []
    run(pipeline, settings, callback=lambda step, t, latents: seen.append(latents.clone()))
    return seen[-1]


def keep_text(folder):
    """The weights of a ClapModel's text encoder."""
    file = folder / "model.safetensors"
    weights = {name: value for name, value in load_file(file).items() if name.startswith("text_")}
    save_file(weights, file, metadata={"format": "pt"})


def main():
    tokenizer = RobertaTokenizer.from_pretrained(TOKENIZER)
    parts = make_parts(tokenizer)
    audioldm = AudioLDMPipeline(**parts, text_encoder=randomise(make_text_encoder(tokenizer, False), 0.4))
    musicldm = MusicLDMPipeline(
        **parts, text_encoder=randomise(make_text_encoder(tokenizer, True), 0.4), feature_extractor=None
    )
    save(audioldm, MODEL)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    (GOLDEN / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")
    for pipeline in (audioldm, musicldm):
        pipeline.set_progress_bar_config(disable=True)
    for name, settings in CASES.items():
        latents = latents_of(audioldm, settings)
        store(GOLDEN / f"{name}.npy", latents)
        if name in WAVES:
            store(GOLDEN / f"{name}.wave.npy", run(audioldm, settings).audios[:, None, None])
            store(GOLDEN / f"{name}.exact.npy", exact_wave(audioldm, settings, latents)[:, None, None])
    store(GOLDEN / "musicldm.npy", latents_of(musicldm, CASES["negative"]))
    musicldm.text_encoder.save_pretrained(GOLDEN / "clap")
    keep_text(GOLDEN / "clap")


if __name__ == "__main__":
    main()
