#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/tiny-audioldm2, a tiny random AudioLDM2Pipeline, and tests/golden/audioldm2: what
diffusers' pipeline makes of it.

    python3 tests/golden/make_audioldm2.py     # needs torch, diffusers, transformers 5

The tokenizers are tests/golden/tokenizers/roberta and t5-json. The golden files are latents (1, 2, time, 4)
for each of the cases in cases.json, and the wave of one of them, in single precision and "exact", in double.
"between" is a place between two prompts:
the states of T5 are mixed by how much of each token is seen, and what is seen in part has the logarithm of
that part as its mask; GPT-2's states are mixed as they are.

The pipeline of diffusers 0.42 asks a GPT2LMHeadModel for what GenerationMixin of transformers 5 still has;
_get_initial_cache_position, which is gone, it asks for only where it is there. So nothing is patched.
"""

import json
import shutil

import torch
from diffusers import AudioLDM2Pipeline, AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel
from make_audioldm import (
    HERE,
    VECTOR,
    exact_wave,
    keep_text,
    make_parts,
    make_text_encoder,
    randomise,
    run,
    store,
)
from transformers import (
    ClapFeatureExtractor,
    ClapModel,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

MODEL = HERE.parent / "models" / "tiny-audioldm2"
GOLDEN = HERE / "audioldm2"
TOKENIZERS = {"tokenizer": "roberta", "tokenizer_2": "t5-json"}

PROMPT, NEGATIVE = "Rain on a tin roof, it's 90 bpm", "wind, dogs"
LONG = " ".join(["the sound of an old steam train in dry grass"] * 80)
CASES = {
    "plain": {"prompt": PROMPT, "guidance": 1},
    "guided": {"prompt": PROMPT, "guidance": 3.5},
    "negative": {"prompt": PROMPT, "negative-prompt": NEGATIVE, "guidance": 3.5},
    "cut": {"prompt": "Glass", "negative-prompt": LONG, "guidance": 3.5},
    "long": {"prompt": LONG, "negative-prompt": NEGATIVE, "guidance": 3},
    "empty": {"prompt": "", "negative-prompt": NEGATIVE, "guidance": 3},
    "longer": {"prompt": PROMPT, "guidance": 3.5, "seconds": 0.1675},
    "shorter": {"prompt": PROMPT, "negative-prompt": NEGATIVE, "guidance": 3.5, "seconds": 0.031},
    "between": {"prompt": PROMPT, "to-prompt": "Glass", "share": 0.25, "guidance": 3.5},
}
WAVE = "longer"
LONGEST = 60  # tokens of T5
STATES = {"gpt2": 12, "t5": 16}


def make_second_encoder(tokenizer):
    config = T5Config(
        vocab_size=len(tokenizer), d_model=STATES["t5"], d_kv=4, d_ff=24, num_layers=2, num_heads=3
    )
    return randomise(T5EncoderModel(config), 0.3)


def make_language_model():
    config = GPT2Config(
        vocab_size=1,
        n_embd=STATES["gpt2"],
        n_layer=2,
        n_head=2,
        n_positions=80,
        max_new_tokens=5,
        bos_token_id=0,
        eos_token_id=0,
    )
    return randomise(GPT2LMHeadModel(config), 0.2)


def make_unet():
    unet = AudioLDM2UNet2DConditionModel(
        sample_size=8,
        in_channels=2,
        out_channels=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(4, 8),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=([None, STATES["gpt2"], STATES["t5"]],) * 2,
        norm_num_groups=2,
    )
    return randomise(unet, 0.3)


def make_pipeline():
    roberta = RobertaTokenizer.from_pretrained(HERE / "tokenizers" / TOKENIZERS["tokenizer"])
    t5 = T5Tokenizer.from_pretrained(HERE / "tokenizers" / TOKENIZERS["tokenizer_2"])
    t5.model_max_length = LONGEST
    parts = make_parts(roberta)
    parts["unet"] = make_unet()
    clap = ClapModel(make_text_encoder(roberta, True).config)
    projection = AudioLDM2ProjectionModel(VECTOR, STATES["t5"], STATES["gpt2"])
    with torch.no_grad():
        for p in projection.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    return AudioLDM2Pipeline(
        **parts,
        text_encoder=randomise(clap, 0.4),
        text_encoder_2=make_second_encoder(t5),
        projection_model=projection,
        language_model=make_language_model(),
        tokenizer_2=t5,
        feature_extractor=ClapFeatureExtractor(),
    )


def save(pipeline):
    shutil.rmtree(MODEL, ignore_errors=True)
    pipeline.save_pretrained(MODEL)
    shutil.rmtree(MODEL / "feature_extractor")
    keep_text(MODEL / "text_encoder")
    (MODEL / "language_model" / "generation_config.json").unlink(missing_ok=True)
    files = ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
    for part, kind in TOKENIZERS.items():
        shutil.rmtree(MODEL / part)
        (MODEL / part).mkdir()
        for file in [HERE / "tokenizers" / kind / name for name in files]:
            if file.exists():
                shutil.copy(file, MODEL / part)
    file = MODEL / "tokenizer_2" / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "model_max_length": LONGEST}, ensure_ascii=False) + "\n")


class Mixed(AudioLDM2Pipeline):
    """Told a place between two prompts."""

    to_prompt, share = None, 0

    def encode_prompt(self, prompt, *args, **kwargs):
        # Of each: the states of "" and of the prompt, their masks, and GPT-2's states of both.
        told = [super(Mixed, self).encode_prompt(text, *args, **kwargs) for text in (prompt, self.to_prompt)]
        most = max(mask.shape[1] for _, mask, _ in told)
        longer = [told[0], told[1]][told[1][1].shape[1] == most]
        states = [torch.nn.functional.pad(s[1], (0, 0, 0, most - s.shape[1])) for s, _, _ in told]
        seen = [torch.nn.functional.pad(m[1].float(), (0, most - m.shape[1])) for _, m, _ in told]
        part = [(1 - self.share) * seen[0], self.share * seen[1]]
        both = part[0] + part[1]
        mixed = (part[0][:, None] * states[0] + part[1][:, None] * states[1]) / both[:, None]
        mask = torch.stack([longer[1][0].float(), both])
        # The network makes (1 - mask) * -10000 of a mask.
        mask = torch.where(mask > 0, 1 + torch.log(mask.double().clamp(min=1e-9)) / 10000, 0.0)
        generated = (1 - self.share) * told[0][2][1] + self.share * told[1][2][1]
        return torch.stack([longer[0][0], mixed]), mask, torch.stack([longer[2][0], generated])


def latents_between(pipeline, settings):
    """In double precision: 1 + a logarithm / 10000 has too few digits in a float32. Changes the pipeline."""
    mixed = Mixed(**pipeline.components).to(torch.float64)
    mixed.set_progress_bar_config(disable=True)
    mixed.to_prompt, mixed.share = settings["to-prompt"], settings["share"]
    first = torch.randn(1, 2, 8, 4, generator=torch.Generator().manual_seed(42))
    return run(mixed, settings, latents=first.double(), output_type="latent").audios


def main():
    pipeline = make_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    save(pipeline)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    (GOLDEN / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")
    store(GOLDEN / f"{WAVE}.wave.npy", run(pipeline, CASES[WAVE]).audios[:, None, None])
    for name, settings in CASES.items():
        if name != "between":
            latents = run(pipeline, settings, output_type="latent").audios
            store(GOLDEN / f"{name}.npy", latents)
        if name == WAVE:
            store(GOLDEN / f"{name}.exact.npy", exact_wave(pipeline, settings, latents)[:, None, None])
    store(GOLDEN / "between.npy", latents_between(pipeline, CASES["between"]))


if __name__ == "__main__":
    main()
