# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words beside labels: captions, the wider U-Net, the text encoder, and the folder that holds them."""

import contextlib
import json
import os
import shutil
import unittest.mock
import zlib

import numpy as np
import torch
from diffusers import UNet2DModel

from .. import data, export, judge_prompts, judge_sfx, phrases, senses, sentence, wordnet
from ..train import groups as groups_of
from .base import check, make_sounds, recipe, refused, skip, train_tiny, with_autoencoder

try:
    from .. import kinds, prompts, text, words
except ImportError:  # transformers is not installed
    kinds = prompts = text = words = None

# A noun and a kind of it, a verb, and how often they were met, as wndb(5WN) has them.
DATABASE = {
    "data.noun": """  1 a licence
00000001 05 n 02 dog 0 domestic_dog 0 001 ~ 00000002 n 0000 | an animal; "the dog barked all night"
00000002 05 n 02 lap_dog 0 Pug 0 000 | a small dog
00000003 09 n 01 thought 0 000 | what is thought
""",
    "index.noun": """  1 a licence
dog n 1 1 ~ 1 1 00000001
lap_dog n 1 0 1 0 00000002
thought n 1 0 1 0 00000003
""",
    "data.verb": "00000009 39 v 01 bark 0 000 01 + 02 00 | make a barking sound\n",
    "index.verb": "bark v 1 0 1 0 00000009\n",
    "data.adj": "00000010 00 a 01 loud 0 000 | of much sound\n",
    "index.adj": "loud a 1 0 1 0 00000010\n",
    "data.adv": "",
    "index.adv": "",
    "verb.exc": "rang ring\n",
    "cntlist.rev": "dog%1:05:00:: 1 42\nbark%2:39:00:: 1 2\nloud%3:00:00:: 1 2\n",
}


class Hashes:
    """In the place of the sentence encoder: a vector of random numbers for each word."""

    def vocabulary(self):
        return ["lorry", "violet", "murmur", "granite"]

    def fast(self, said):
        return self(said)

    def __call__(self, said):
        word = lambda w: np.random.default_rng(zlib.crc32(w.encode())).standard_normal(sentence.WIDTH)
        rows = [sum(map(word, phrase.split()), np.zeros(sentence.WIDTH)) for phrase in said]
        return torch.nn.functional.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=1)


def run(root):
    check_captions(root)
    check_paraphrases(root)
    check_wordnet(root)
    if not prompts:
        skip("words: transformers is not installed (requirements.txt)")
        return
    check_vocabulary()
    start, work = make_start(root)
    check_last_token()
    check_forms()
    with contextlib.ExitStack() as fakes:
        for module in (kinds, prompts, text, words):
            fakes.enter_context(unittest.mock.patch.object(module, "Sentences", Hashes))
        fakes.enter_context(unittest.mock.patch.object(words, "FIT", 20))
        check_led(root, start, work)
        check_kinds(root, start)
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


def check_wordnet(root):
    folder = root / "wordnet"
    folder.mkdir()
    for name, lines in DATABASE.items():
        (folder / name).write_text(lines, encoding="latin-1")
    net = wordnet.WordNet(folder)
    kinds = [synset.words for synset in net.kinds_of("dog.n.01")]
    check(kinds == [["dog", "domestic dog"], ["lap dog", "Pug"]], f"a sense and its kinds: {kinds}")
    check(net.kinds_of("dog.n.01")[0].examples == ["the dog barked all night"], "and what is said of it")
    check(net.common["dog"] == 42 and net.words("n", {5}) == ["dog", "domestic dog", "lap dog"], "words")
    for name in ("dog.n.02", "cat.n.01"):
        try:
            net.find(name)
            check(False, f"{name} is none of its senses")
        except ValueError as error:
            check(name in str(error), f"{name} is none of its senses")
    said = {verb: wordnet.forms(verb, net.odd_forms.get(verb, ())) for verb in ("clap", "ring", "die", "cry")}
    check(
        said
        == dict(
            clap=["clapping", "claps", "clapped"],
            ring=["ringing", "rings", "rang"],
            die=["dying", "dies", "died"],
            cry=["crying", "cries", "cried"],
        ),
        f"forms of verbs: {said}",
    )
    check(set(senses.known_words(net, [])) >= {"dog", "loud", "barking", "barks"}, "words to know")
    check(senses.silent(net, 5) == ["thought"], "words that no sound is called by")
    made = senses.named(["dog_bark", "violet"], None, 40)
    check({number for _, number in made} == {0, 1}, "phrases of the table, and of a label that is not in it")


def check_last_token():
    """Only what reaches the last token is computed, and it is what transformers computes."""
    vocab = {f"w{i}": i for i in range(38)} | {text.SPECIAL[0]: 38, text.SPECIAL[1]: 39}
    net = words.Led(text.config_of(vocab, 24, 128, 1) | dict(rows=3)).eval()
    for weights in net.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    ids = torch.tensor([[38, 5, 7, 9, 39], [38, 5, 39, 39, 39]])
    with torch.no_grad():
        ours, theirs = net(ids), text.Small.forward(net, ids)
    gap = max((a - b).abs().max().item() for a, b in zip(ours, theirs))
    check(gap < 1e-5, f"of one layer, the last token alone: {gap:.1e}")


def check_led(root, start, work):
    """A text encoder that leads to labels, beside networks that stay."""
    train = ("train", "--threads", 1, "--no-bf16", "--batch", 8, "--start", start, "--what", "words")
    small = ("--width", 16, "--vocabulary", 768, "--others", 40, "--wordnet")
    refused(["wordnet-base"], work, *train, "--steps", 1, *small, root / "nowhere")
    status, said = recipe(work, *train, "--steps", 3, *small, "none")
    check(status == 0 and "led to their label" in said, f"train --what words: {said}")
    out = root / "led-model"
    shutil.copytree(start, out)
    status, said = recipe(work, "export", out, "--what", "words")
    check(status == 0 and same_unet(start, out), f"export --what words leaves the U-Net: {said}")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    of_beep = next(label for label in info["labels"] if label["name"] == "beep")
    check("low beep" in of_beep["prompts"] and "words" in info["trained"], "ebb.json has the captions")
    check_with_transformers(out)
    check_with_ebb(out)
    led = judge_prompts.led(out, [("beep", "low beep"), ("hiss", "hiss")])
    check(len(led) == 2 and set(led) <= {"beep", "hiss", "click", ""}, f"which label each is led to: {led}")


def check_forms():
    """Which captions name one sub-kind, and which name none."""
    check(kinds.form("a snare drum hit") == kinds.form("Snare drums"), "wordings of one kind")
    check(kinds.form("door opening") != kinds.form("door closing"), "and of two")
    said = (
        ["dog barking"] * 3 + ["wolf howling", "wolves howl", "wolf howl", "howling wolf", "a pup"] + [""] * 2
    )
    clips = [dict(label="dog_bark", caption=caption) for caption in said]
    found = kinds.sub_kinds(clips, ["dog_bark", "rain"], 3)
    check(found == [("dog_bark", ["wolf howling", "wolf howl", "howling wolf"])], f"sub-kinds: {found}")
    check(
        not kinds.sub_kinds(clips[3:7], ["dog_bark"], 3), "what most clips of a label are called is the label"
    )
    groups = groups_of(torch.nn.Linear(2, 2), {"bias": 5})
    found = sorted((group["pace"], len(group["params"])) for group in groups)
    check(found == [(1, 1), (5, 1)], f"weights that learn faster than others: {found}")


def check_kinds(root, start):
    """Rows of sub-kinds behind the labels': labels keep theirs, and words lead to both."""
    folder, work, out = root / "of-kinds", root / "kinds-work", root / "kinds-model"
    make_sounds(folder, 9)
    for i in range(9):
        said = ("low pip", "high peep", "odd toot")[i % 3]
        (folder / "beep" / f"beep{i}.txt").write_text(said, encoding="utf-8")
    recipe(work, "prepare", folder)
    train = ("train", "--threads", 1, "--no-bf16", "--batch", 6, "--start", start, "--what")
    refused(["no caption of 9 clips"], work, *train, "kinds", "--steps", 1, "--least", 9)
    status, said = recipe(work, *train, "kinds", "--steps", 3, "--least", 2)
    check(status == 0 and "told their label" in said, f"train --what kinds: {said}")
    task = kinds.Diffuse(work, start, least=2)
    batch = task.batch(64)
    known = batch[2] < task.first
    losses = task.losses(task.net, [part.clone() for part in batch])
    gap, error = losses[known].max().item(), losses[~known].mean().item()
    check(
        gap < 1e-9 and error > 1e-3,
        f"told a label, the U-Net learns its own answer: {gap:.1e}; a sub-kind, from clips: {error:.1e}",
    )
    shutil.copytree(start, out)
    status, said = recipe(work, "export", out, "--what", "kinds", "--part", 0.5)
    old, new = (UNet2DModel.from_pretrained(str(model), subfolder="unet") for model in (start, out))
    rows, wide = old.class_embedding.weight, new.class_embedding.weight
    check(
        status == 0 and len(wide) == len(rows) + 3 and torch.equal(rows, wide[: len(rows)]),
        f"export --what kinds: the rows of labels stay: {said}",
    )
    check(not torch.equal(old.conv_in.weight, new.conv_in.weight), "and all of the U-Net has learned")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    named = sorted(kind["captions"][0] for kind in info["kinds"])
    check(named == ["high peep", "low pip", "odd toot"], f"ebb.json has the sub-kinds: {named}")
    refused(["sub-kinds already"], root / "kinds-again", *train[:-2], out, "--what", "kinds", "--steps", 1)
    refused(["not the model"], work, "export", out, "--what", "kinds")
    small = ("--width", 16, "--vocabulary", 768, "--others", 40, "--wordnet", "none", "--steps", 3)
    status, said = recipe(work, *train[:-2], out, "--what", "words", *small)
    check(
        status == 0 and "to their sub-kind" in said, f"train --what words, of a model with sub-kinds: {said}"
    )
    refused(["not the model whose"], work, "export", start, "--what", "words")
    status, said = recipe(work, "export", out, "--what", "words")
    check(status == 0, f"export --what words, of a model with sub-kinds: {said}")
    led = judge_prompts.led(out, [("beep", "low pip"), ("hiss", "hiss")])
    check(len(led) == 2 and set(led) <= {"beep", "hiss", "click", ""}, f"which label each is led to: {led}")
    check_with_ebb(out)
    check_goes_on(root, out)


def check_goes_on(root, model):
    """A text encoder that is there is where the next training of words begins."""
    work = root / "kinds-further"
    shutil.copytree(root / "kinds-work", work, ignore=shutil.ignore_patterns("words"))
    width = UNet2DModel.from_pretrained(str(model), subfolder="unet").class_embedding.weight.shape[1]
    encoder = words.encoder_of(model, 16, 1, width)
    task = words.Lead(work, model, width=16, others=40, wordnet="none")
    same = all(
        torch.equal(value, task.net.text.state_dict()[name]) for name, value in encoder.state_dict().items()
    )
    check(same, "training of words goes on from the model's text encoder")
    check(words.encoder_of(model, 24, 1, width) is None, "if it has the sizes that are asked for")


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
