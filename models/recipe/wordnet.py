# SPDX-License-Identifier: LGPL-2.1-or-later
"""WordNet 3.0, read from its own database files (wndb(5WN)): words, their senses, and what is a kind of
what. Nothing of it is kept here; Debian's package `wordnet-base` has the files."""

import collections
import functools
from pathlib import Path

FOLDER = Path("/usr/share/wordnet")
PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
KIND = "~"  # points to a hyponym, a kind of this
CONCRETE = {3, 4, 5, 6, 8, 11, 17, 18, 19, 27, 28}  # nouns of things, acts, animals, bodies, events, weather
DOING = {29, 30, 32, 35, 36, 38, 39, 43}  # verbs of bodies, change, voices, contact, motion, weather

Synset = collections.namedtuple("Synset", "words field kinds gloss examples")


def read_synset(line):
    head, _, told = line.partition(" | ")
    parts = head.split()
    count = int(parts[3], 16)
    words = [word.split("(")[0].replace("_", " ") for word in parts[4 : 4 + 2 * count : 2]]
    pointers = parts[4 + 2 * count + 1 :]
    kinds = [
        pointers[4 * i + 1] for i in range(int(parts[4 + 2 * count])) if pointers[4 * i].startswith(KIND)
    ]
    told = [part.strip() for part in told.strip().split(";")]
    gloss = [part for part in told if part and '"' not in part]
    examples = [part.strip('" ') for part in told if part.count('"') == 2]
    return Synset(words, int(parts[1]), kinds, gloss[0] if gloss else "", examples)


class WordNet:
    def __init__(self, folder=FOLDER):
        self.folder = Path(folder)
        if not (self.folder / "data.noun").exists():
            raise ValueError(
                f"{folder}: no WordNet (data.noun and so on); Debian's package wordnet-base has it"
            )
        self.synsets = {part: self.read(part) for part in PARTS}
        self.senses = {part: self.index(part) for part in PARTS}

    def lines(self, name):
        with open(self.folder / name, encoding="latin-1") as file:
            yield from (line for line in file if not line.startswith("  "))

    def read(self, part):
        return {line[:8]: read_synset(line) for line in self.lines(f"data.{PARTS[part]}")}

    def index(self, part):
        """{word: places of its synsets, the frequent senses first}."""
        out = {}
        for line in self.lines(f"index.{PARTS[part]}"):
            parts = line.split()
            out[parts[0].replace("_", " ")] = parts[-int(parts[2]) :]
        return out

    def find(self, name):
        """The part of speech and the place of `dog.n.01`."""
        word, part, number = name.rsplit(".", 2)
        places = self.senses.get(part, {}).get(word.replace("_", " "), [])
        if not 0 < int(number) <= len(places):
            raise ValueError(f"WordNet has no sense {name}")
        return part, places[int(number) - 1]

    def kinds_of(self, name):
        """The synset of that name and all kinds of it."""
        part, place = self.find(name)
        seen, left = {}, [place]
        while left:
            at = left.pop()
            if at not in seen:
                seen[at] = self.synsets[part][at]
                left += seen[at].kinds
        return list(seen.values())

    @functools.cached_property
    def common(self):
        """How often each word was met, in all its senses, by those who counted (cntlist.rev)."""
        out = collections.Counter()
        for line in self.lines("cntlist.rev"):
            key, _, count = line.split()
            out[key.split("%")[0].replace("_", " ")] += int(count)
        return out

    @functools.cached_property
    def odd_forms(self):
        """{verb: its odd forms}, such as rang of ring."""
        out = collections.defaultdict(list)
        for line in self.lines("verb.exc"):
            form, *words = line.split()
            for word in words:
                out[word.replace("_", " ")].append(form.replace("_", " "))
        return out

    def words(self, part, fields=None):
        """Words in small letters of the given fields, with no figure in them."""
        return list(
            dict.fromkeys(
                word
                for synset in self.synsets[part].values()
                if not fields or synset.field in fields
                for word in synset.words
                if is_plain(word)
            )
        )


def is_plain(word):
    """Neither a name nor a term of biology's tables."""
    return (
        word == word.lower()
        and word.replace(" ", "").replace("-", "").replace("'", "").isalpha()
        and word.count(" ") < 3
    )


VOWELS = "aeiou"


def doubles(verb):
    """clap, clapping: one syllable that ends with one vowel and one consonant."""
    vowels = sum(c in VOWELS and (i == 0 or verb[i - 1] not in VOWELS) for i, c in enumerate(verb))
    return (
        len(verb) > 2
        and vowels == 1
        and verb[-1] not in VOWELS + "wxy"
        and verb[-2] in VOWELS
        and verb[-3] not in VOWELS
    )


def forms(verb, odd=()):
    """[-ing, -s, past] of a verb; of "fall down", the first word changes."""
    first, space, rest = verb.partition(" ")
    stem = first[:-1] if first.endswith("e") and not first.endswith(("ee", "oe", "ye")) else first
    stem = first + first[-1] if doubles(first) else stem
    ing = next((form for form in odd if form.endswith("ing")), stem + "ing")
    if first.endswith("ie"):
        ing = first[:-2] + "ying"
    soft = first.endswith("y") and first[-2:-1] not in VOWELS
    says = (
        first[:-1] + "ies"
        if soft
        else first + ("es" if first.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    )
    past = first[:-1] + "ied" if soft else first + "d" if first.endswith("e") else stem + "ed"
    past = next((form for form in odd if not form.endswith("ing")), past)
    return [form + space + rest for form in (ing.split(" ")[0], says, past.split(" ")[0])]
