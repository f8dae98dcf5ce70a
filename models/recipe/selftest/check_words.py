# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words beside labels: captions, the wider U-Net, the text encoder, and the folder that holds them."""

import json
import os
import shutil
import unittest.mock
import zlib

import numpy as np
import torch
from diffusers import UNet2DModel

from .. import data, export, judge_prompts, judge_sfx, phrases, sentence
from .base import check, make_sounds, recipe, refused, skip, train_tiny, with_autoencoder

try:
    from .. import prompts, text
except ImportError:  # transformers is not installed
    prompts = text = None


class Hashes:
    """In the place of the sentence encoder: a vector of random numbers for each word."""

    def vocabulary(self):
        return ["lorry", "violet", "murmur", "granite"]

    def __call__(self, said):
        word = lambda w: np.random.default_rng(zlib.crc32(w.encode())).standard_normal(sentence.WIDTH)
        rows = [sum(map(word, phrase.split()), np.zeros(sentence.WIDTH)) for phrase in said]
        return torch.nn.functional.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=1)


def run(root):
    check_captions(root)
    check_paraphrases(root)
    if not prompts:
        skip("words: transformers is not installed (requirements.txt)")
        return
    check_vocabulary()
    start, work = make_start(root)
    fakes = [unittest.mock.patch.object(module, "Sentences", Hashes) for module in (prompts, text)]
    with fakes[0], fakes[1]:
        refused(["train --what prompts"], work, "train", "--what", "text", "--steps", 1)
        check_told(root, start, work)
        check_folder(root, start, work)


def check_captions(root):
    folder = root / "captioned"
    make_sounds(folder, 1)
    (folder / "beep" / "beep0.txt").write_text("  a short\nbeep ", encoding="utf-8")
    status, said = recipe(root / "captioned-work", "prepare", folder)
    called = {clip["label"]: clip["caption"] for clip in data.Bank(root / "captioned-work").clips}
    check(
        status == 0 and called == dict(beep="a short beep", hiss="", click="") and "passed over" not in said,
        f"a caption stands in a text file beside its sound: {called} {said}",
    )
    (folder / "hiss" / "hiss0.txt").write_bytes(b"\xff")
    refused(["hiss0.txt", "UTF-8"], root / "captioned-work", "prepare", folder)


def check_paraphrases(root):
    path = root / "paraphrases.tsv"
    path.write_text("label\tphrase\nbeep\tthe toot\n", encoding="utf-8")
    read = judge_prompts.read_paraphrases(path, ["a short beep"], ["beep"])
    check(read == [("beep", "the toot")], "a phrase of other words than the captions'")
    path.write_text("label\tphrase\nbeep\ta short toot\n", encoding="utf-8")
    try:
        judge_prompts.read_paraphrases(path, ["a short beep"], ["beep"])
        check(False, "a phrase with a caption's word is refused")
    except ValueError as error:
        check("short" in str(error), "a phrase with a caption's word is refused")
    check(phrases.name_of("dog_bark") == "dog bark", "a label as words")


def check_vocabulary():
    said = ["duck quacking", "quick duck", "a café ×2", "it's ducks"] * 3
    vocab, merges = text.learn_vocabulary(said, 768)
    tokenizer = text.tokenizer_of(vocab, merges)
    check(sorted(vocab.values()) == list(range(len(vocab))), "every token has a number of its own")
    check(all(a + b in vocab and a in vocab and b in vocab for a, b in merges), "pairs are tokens of tokens")
    check(
        tokenizer.encode("Duck").ids == tokenizer.encode("duck").ids and "duck</w>" in vocab,
        "letters are small ones, and frequent words one token",
    )


def make_start(root):
    """A tiny model of three labels, and a work folder whose beeps have captions."""
    work, start = with_autoencoder(root), root / "words-start"
    if not (work / "sfx").exists():
        os.rename(train_tiny(work, "sfx", root / "sfx-for-words", 2).folder, work / "sfx")
    export.export_sfx(work, start, None, "words", "none", "nobody", "made up")
    told = root / "words-work"
    shutil.copytree(root / "sounds", root / "called")
    for i, name in enumerate(("low beep", "high beep", "low beep")):
        (root / "called" / "beep" / f"beep{i}.txt").write_text(name, encoding="utf-8")
    status, said = recipe(told, "prepare", root / "called")
    check(status == 0, f"prepare with captions: {said}")
    return start, told


def check_told(root, start, work):
    """Labels stay what they are, to the last bits; a vector is what diffusers' `identity` says."""
    task = prompts.Diffuse(work, start, more=8)
    net, plain = task.net, UNet2DModel.from_pretrained(str(start), subfolder="unet").float()
    torch.nn.init.normal_(net.unet.mid_block.resnets[0].time_emb_proj.new.weight)
    wide = net.widened()
    x, steps = torch.randn(4, *task.shape), torch.tensor([1, 300, 700, 999])
    labels = torch.tensor([0, 1, 2, 3])
    with torch.no_grad():
        known = plain(x, steps, class_labels=labels).sample
        check(torch.equal(net.labelled(x, steps, labels), known), "labels are told as before")
        near = (wide(x, steps, class_labels=labels).sample - known).abs().max()
        check(near < 1e-5, f"and by the wider U-Net: {near:.1e}")
        vectors = torch.nn.functional.normalize(torch.randn(4, sentence.WIDTH), dim=1)
        told = net(x, steps, vectors)
        wide.class_embedding = torch.nn.Identity()
        same = (wide(x, steps, class_labels=net.sense(vectors)).sample - told).abs().max()
        check(same < 1e-4 and not torch.allclose(told, known), f"the wider U-Net is told words: {same:.1e}")
    check({"low beep", "high beep", "hiss"} <= set(task.captions), f"what clips are called: {task.captions}")
    check(task.heard()["beep"][0] in ("low beep", "beep"), "the most frequent first")


def check_folder(root, start, work):
    train = ("train", "--threads", 1, "--no-bf16", "--batch", 4, "--start")
    status, said = recipe(work, *train, start, "--what", "prompts", "--steps", 3, "--more", 8)
    check(status == 0, f"train --what prompts: {said}")
    refused(["nothing trained"], work, "export", start, "--what", "prompts")
    small = ("--width", 16, "--layers", 1, "--vocabulary", 768, "--others", 40)
    status, said = recipe(work, *train[:-1], "--what", "text", "--steps", 3, *small)
    check(status == 0, f"train --what text: {said}")
    out = root / "words-model"
    shutil.copytree(start, out)
    status, said = recipe(work, "export", out, "--what", "prompts")
    check(status == 0, f"export --what prompts: {said}")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    index = json.loads((out / "model_index.json").read_text(encoding="utf-8"))
    check(info["labels"][0]["prompts"] and "tokenizer" in index, "ebb.json has prompts, the index the parts")
    check("text_encoder/model.safetensors" in info["sha256"], "and the sums")
    check_with_transformers(out)
    narrow = root / "words-narrow"
    shutil.copytree(start, narrow)
    status, said = recipe(work, "export", narrow, "--what", "prompts", "--narrow")
    check(status == 0 and same_unet(start, narrow), f"export --narrow leaves the U-Net: {said}")
    check_with_transformers(narrow)
    check_with_ebb(out)
    recipe(work, *train[:-1], "--what", "prompts", "--steps", 4)
    refused(["learned before"], work, "export", out, "--what", "prompts")


def same_unet(one, two):
    name = "unet/diffusion_pytorch_model.safetensors"
    return (one / name).read_bytes() == (two / name).read_bytes()


def check_with_transformers(out):
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(out / "tokenizer")
    encoder = CLIPTextModelWithProjection.from_pretrained(out / "text_encoder").float().eval()
    unet = UNet2DModel.from_pretrained(str(out), subfolder="unet").float()
    ids = tokenizer(["low beep", "naïve 東京"], padding=True, return_tensors="pt")
    row = encoder(input_ids=ids.input_ids).text_embeds
    check(
        row.shape == (2, unet.class_embedding.weight.shape[1]) and bool(torch.isfinite(row).all()),
        "transformers makes what stands in the place of a class",
    )


def check_with_ebb(out):
    try:
        judge_sfx.find_ebb()
    except ValueError:
        skip("ebb is not built: words are not rendered")
        return
    sounds = judge_prompts.prompted(out, ["low beep", "high beep"], options=("--steps", "2"))
    check(bool(torch.isfinite(sounds).all()) and not torch.equal(*sounds), "ebb makes sounds of prompts")
