# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python -m recipe words`: whether a model makes what prompts ask for, by judges that share nothing.

Captions of sub-kinds: a judge that was taught the captions of one label says which one a generated clip is
nearest to. Paraphrases: judges of labels hear what phrases make that share no word with any caption, beside
what the labels themselves make.
"""

import collections
import csv
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel

from . import data, judge_sfx, panel, phrases, sfx
from .evaluate import show

FAMILIES = {"functionals": panel.functionals, "modulations": panel.modulations}
PARTS = ("led", "kinds", "paraphrases")
PARAPHRASES = phrases.WORDS.with_name("paraphrases.tsv")


def read_paraphrases(path, captions, labels):
    """[(label, phrase)]. Refuses a phrase with a word of a caption or of a label's name."""
    heard = set().union(*map(phrases.words_of, [*captions, *map(phrases.name_of, labels)]))
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(row["label"], row["phrase"]) for row in csv.DictReader(file, delimiter="\t")]
    for label, phrase in rows:
        if label not in labels:
            raise ValueError(f"{path}: the model has no label {label}")
        if known := heard.intersection(phrases.words_of(phrase)):
            raise ValueError(f'{path}: "{phrase}": captions have {", ".join(sorted(known))}')
    return rows


def prompted(model, asked, seed=1, options=()):
    """A sound for each prompt, (n, samples of a window)."""
    return judge_sfx.rendered(model, asked, range(len(asked)), seed, options, column="prompt")


# ---- vectors ----


@torch.no_grad()
def led(model, rows):
    """The label whose row, or a sub-kind's of it, is nearest to the vector of each phrase of [(label,
    phrase)]; "": that of "no label". Of a model whose U-Net is told rows of its table."""
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    from .kinds import places_of_rows

    info = json.loads((Path(model) / "ebb.json").read_text(encoding="utf-8"))
    labels, kinds = [label["name"] for label in info["labels"]], [k["label"] for k in info.get("kinds", [])]
    table = UNet2DModel.from_pretrained(str(model), subfolder="unet").class_embedding.weight
    names = [*labels, "", *kinds]
    known = table.float()[places_of_rows(info, table)]
    encoder = CLIPTextModelWithProjection.from_pretrained(f"{model}/text_encoder").float().eval()
    tokenizer = CLIPTokenizer.from_pretrained(f"{model}/tokenizer")
    out = []
    for _, phrase in rows:
        vector = encoder(**tokenizer(phrase, truncation=True, return_tensors="pt")).text_embeds
        out.append(names[torch.cdist(vector, known)[0].argmin()])
    return out


def show_led(model, rows):
    found = led(model, rows)
    right = sum(label == nearest for (label, _), nearest in zip(rows, found))
    print(f"{right} of {len(rows)} phrases are nearest to the row of their label; the others:")
    for (label, phrase), nearest in zip(rows, found):
        if label != nearest:
            print(f'  "{phrase}": {nearest or "no label"}, not {label}')


# ---- sub-kinds ----


def sub_kinds(bank, labels, most, least=5):
    """{label: [captions]} of the `most` captions that most training clips have, `least` at least, where a
    label has two such captions or more."""
    counts = collections.Counter(
        (clip["label"], clip.get("caption"))
        for clip in bank.choose("sfx", False, labels)
        if clip.get("caption")
    )
    often = [key for key, count in counts.most_common() if count >= least]
    several = collections.Counter(label for label, _ in often)
    out = collections.defaultdict(list)
    for label, caption in [key for key in often if several[key[0]] > 1][:most]:
        out[label].append(caption)
    return {label: captions for label, captions in out.items() if len(captions) > 1}


def clips_of(bank, held, label, captions, most, rng):
    """Windows of at most `most` clips of each caption, and the captions' numbers."""
    waves, numbers = [], []
    for number, caption in enumerate(captions):
        there = [clip for clip in bank.choose("sfx", held, [label]) if clip.get("caption") == caption]
        for place in rng.permutation(len(there))[:most]:
            waves.append(torch.from_numpy(sfx.cut(bank.samples(there[place]), rng, 0)))
            numbers.append(number)
    return waves, np.array(numbers, int)


def nearest_kinds(model, bank, count, most, per, seed=0, options=()):
    """Rows, one for each family: how often generated clips are nearest to their own sub-kind, held-out ones
    as well, and chance. A label's judge is taught at most `per` clips of each of its captions."""
    rng, kinds = np.random.default_rng(seed), sub_kinds(bank, judge_sfx.labels_of(model), most)
    asked = [(label, caption) for label, captions in kinds.items() for caption in captions]
    made = prompted(model, [caption for _, caption in asked for _ in range(count)], options=options)
    hits = {name: dict(made=[], label=[], held=[], chance=[]) for name in FAMILIES}
    plain = judge_sfx.rendered(
        model, list(kinds), np.repeat(np.arange(len(kinds)), [count * len(c) for c in kinds.values()])
    )
    start = 0
    for label, captions in kinds.items():
        known, numbers = clips_of(bank, False, label, captions, per, rng)
        held, held_numbers = clips_of(bank, True, label, captions, per, rng)
        own = np.repeat(np.arange(len(captions)), count)
        mine, theirs = (waves[start : start + len(own)] for waves in (made, plain))
        start += len(own)
        for name, features in FAMILIES.items():
            taught = panel.Linear(features(torch.stack(known)), numbers, len(captions))
            said = lambda waves: taught(features(waves))[0].argmax(1)
            hits[name]["made"] += list(said(mine) == own)
            hits[name]["label"] += list(said(theirs) == own)
            hits[name]["chance"] += [1 / len(captions)] * len(own)
            if held:
                hits[name]["held"] += list(said(torch.stack(held)) == held_numbers)
    return asked, [
        {
            "judge": name,
            "prompts": f"{np.mean(found['made']):.3f}",
            "the label alone": f"{np.mean(found['label']):.3f}",
            "held-out clips": f"{np.mean(found['held']):.3f}",
            "chance": f"{np.mean(found['chance']):.3f}",
            "times chance": f"{np.mean(found['made']) / np.mean(found['chance']):.2f}",
        }
        for name, found in hits.items()
    ]


# ---- paraphrases ----


def paraphrased(model, bank, rows, count, most, families, steps, options=()):
    """Rows, one for each family: how often what a phrase makes is heard as its label, and what the label
    itself makes."""
    names = judge_sfx.labels_of(model)
    train, known = panel.clips(bank, names, False, most)
    wanted = np.repeat([names.index(label) for label, _ in rows], count)
    told = prompted(model, [phrase for _, phrase in rows for _ in range(count)], options=options)
    plain = judge_sfx.rendered(model, names, wanted)
    out = []
    for name, teach in panel.families(families, steps).items():
        listen = teach(train, known, len(names))
        shares = [float((listen(waves)[0].argmax(1) == wanted).mean()) for waves in (told, plain)]
        out.append(
            {
                "judge": name,
                "paraphrases": f"{shares[0]:.3f}",
                "their labels": f"{shares[1]:.3f}",
                "ratio": f"{shares[0] / max(shares[1], 1e-9):.2f}",
            }
        )
    return out


def words(
    model,
    work,
    count=4,
    most=100,
    per=40,
    families=panel.FAMILIES,
    steps=800,
    paraphrases=None,
    parts=PARTS,
):
    """Prints the tables."""
    bank = data.Bank(work)
    labels = judge_sfx.labels_of(model)
    captions = [clip.get("caption") or "" for clip in bank.choose("sfx", False)]
    said = read_paraphrases(paraphrases or PARAPHRASES, captions, labels)
    if "led" in parts:
        show_led(model, said)
    if "kinds" in parts:
        asked, rows = nearest_kinds(model, bank, count, most, per)
        show(f"{len(asked)} sub-kinds, {count} clips of each: nearest to their own", rows)
    if "paraphrases" in parts:
        rows = paraphrased(model, bank, said, count, per, families, steps)
        show(f"{len(said)} phrases without a word of a caption: heard as their label", rows)
