# SPDX-License-Identifier: LGPL-2.1-or-later
"""What labels may be called: phrases made of label_senses.tsv, of WordNet where it is there, and of captions;
and phrases that are called nothing, so that every word has a place."""

import csv
import re
from pathlib import Path

import numpy as np

from . import phrases
from .wordnet import CONCRETE, DOING, WordNet, forms, is_plain

TABLE = Path(__file__).parent / "label_senses.tsv"
COLUMNS = ("things", "doings", "sounds")
SENSE = re.compile(r".+\.[nv]\.\d\d$")
SILENT = {7, 9, 21, 23, 24, 26, 28}  # WordNet's nouns of qualities, thoughts, property, amounts, states, time
LONGEST = 14  # words of a phrase

# ---- the table ----


def read_table(path=TABLE):
    """{label: {column: entries}}."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        return {row["label"]: {name: row[name].split(", ") for name in COLUMNS} for row in rows}


def depths(wordnet, name):
    """{place: steps from the synset of that name} of it and all kinds of it."""
    part, place = wordnet.find(name)
    seen, left = {place: 0}, [place]
    for at in left:
        for kind in wordnet.synsets[part][at].kinds:
            if kind not in seen:
                seen[kind] = seen[at] + 1
                left.append(kind)
    return seen


def nearest_label(table, wordnet):
    """{(column, place): steps} of the label that is fewest steps above each synset: a rooster is a bird, and
    nearer to `rooster`."""
    least = {}
    for columns in table.values():
        for column, entries in columns.items():
            for entry in filter(SENSE.match, entries):
                for place, steps in depths(wordnet, entry).items():
                    least[column, place] = min(steps, least.get((column, place), steps))
    return least


def words_of(entry, column, wordnet, least):
    """[(word, weight)] that an entry of the table stands for."""
    if not SENSE.match(entry):
        return [(entry, 1.0)]
    if not wordnet:
        return [(entry.rsplit(".", 2)[0], 1.0)]
    part, _ = wordnet.find(entry)
    out = {}
    for place, steps in depths(wordnet, entry).items():
        if steps > least[column, place]:
            continue
        for word in filter(is_plain, wordnet.synsets[part][place].words):
            weight = (0.5 + np.log1p(wordnet.common[word])) * (3 if steps == 0 else 1)
            out[word] = max(weight, out.get(word, 0))
    return list(out.items()) or [(entry.rsplit(".", 2)[0], 1.0)]


class Named:
    """What one label may be called."""

    def __init__(self, columns, wordnet, least):
        self.lists = {
            column: [self.scaled(words_of(entry, column, wordnet, least)) for entry in entries]
            for column, entries in columns.items()
        }
        self.odd = wordnet.odd_forms if wordnet else {}

    @staticmethod
    def scaled(pairs):
        weights = np.array([weight for _, weight in pairs])
        return [word for word, _ in pairs], weights / weights.sum()

    def pick(self, column, rng):
        words, weights = self.lists[column][rng.integers(len(self.lists[column]))]
        return words[rng.choice(len(words), p=weights)]

    def one(self, rng, words):
        """A phrase, as somebody might ask for a sound."""
        thing, sound, doing = (self.pick(column, rng) for column in ("things", "sounds", "doings"))
        doing = forms(doing, self.odd.get(doing, ()))
        quality, place = (words[part][rng.integers(len(words[part]))] for part in ("qualities", "places"))
        shapes = (
            sound, sound, thing, thing, doing[0],
            f"{thing} {doing[0]}", f"{thing} {doing[0]}", f"{doing[0]} {thing}", f"{thing} {doing[1]}",
            f"{doing[2]} {thing}", f"{thing} {sound}", f"{quality} {thing}", f"{quality} {sound}",
            f"{quality} {thing} {doing[0]}", f"{thing} {doing[0]} {place}", f"{sound} {place}",
        )  # fmt: skip
        return phrases.framed(shapes[rng.integers(len(shapes))], rng)


# ---- phrases ----


def named(labels, wordnet, count, seed=0):
    """[(phrase, label number)]: `count` phrases, as many for each label."""
    table = read_table()
    for label in labels:
        name = phrases.name_of(label)
        table.setdefault(label, dict(things=[name], doings=["sound"], sounds=[name]))
    table = {label: table[label] for label in labels}
    least = nearest_label(table, wordnet) if wordnet else {}
    rng, words, out = np.random.default_rng(seed), phrases.parts(), {}
    makers = [Named(columns, wordnet, least) for columns in table.values()]
    for turn in range(count):
        number = turn % len(labels)
        out.setdefault(makers[number].one(rng, words), number)
    return list(out.items())


def silent(wordnet, count, seed=0):
    """Words that no sound is called by."""
    words = wordnet.words("n", SILENT)
    weights = np.array([0.2 + wordnet.common[word] ** 0.5 for word in words])
    rng = np.random.default_rng(seed)
    return rng.choice(words, min(count, len(words)), False, weights / weights.sum()).tolist()


def known_words(wordnet, vocabulary):
    """The sentence encoder's own words, and those for things and doings that WordNet's counters met."""
    out = dict.fromkeys(vocabulary)
    met = lambda part, fields: filter(wordnet.common.get, wordnet.words(part, fields))
    out |= dict.fromkeys([*met("n", CONCRETE), *met("a", None)])
    for verb in met("v", DOING):
        out |= dict.fromkeys([verb, *forms(verb, wordnet.odd_forms.get(verb, ()))])
    return list(out)


def composed(wordnet, count, seed=0):
    """Phrases put together of WordNet's things, doings and qualities, the common ones more often, and what
    WordNet says of things in a few words."""
    rng, parts = np.random.default_rng(seed), phrases.parts()
    kinds = dict(n=CONCRETE, v=DOING, a=None)
    words = {part: wordnet.words(part, fields) for part, fields in kinds.items()}
    odds = {}
    for part, listed in words.items():
        weights = np.array([0.03 + wordnet.common[word] ** 0.5 for word in listed])
        odds[part] = np.cumsum(weights / weights.sum())
    pick = lambda part: words[part][min(np.searchsorted(odds[part], rng.uniform()), len(words[part]) - 1)]
    told = [
        text
        for part, fields in (("n", CONCRETE), ("v", DOING))
        for synset in wordnet.synsets[part].values()
        if synset.field in fields
        for text in (synset.gloss, *synset.examples)
        if 1 < len(text.split()) <= LONGEST and text == text.lower()
    ]
    out = dict.fromkeys(rng.permutation(told)[: count // 5].tolist())
    while len(out) < count:
        verb = pick("v")
        doing = forms(verb, wordnet.odd_forms.get(verb, ()))
        place, verb_of_sound = (parts[name][rng.integers(len(parts[name]))] for name in ("places", "verbs"))
        noun, quality = pick("n"), pick("a")
        shapes = (
            f"{noun} {doing[0]}", f"{noun} {doing[1]}", f"{doing[0]} {noun}", f"{doing[2]} {noun}",
            f"{quality} {noun}", f"{noun} {verb_of_sound}", f"{quality} {noun} {verb_of_sound}",
            f"{noun} {place}", f"{noun} {pick('n')}", f"{noun} and {pick('n')}",
        )  # fmt: skip
        out[phrases.framed(shapes[rng.integers(len(shapes))], rng)] = None
    return list(out)
