# SPDX-License-Identifier: LGPL-2.1-or-later
"""Phrases about sounds: what a caption may also be called, and phrases that no sound here was called by."""

import re
from pathlib import Path

import numpy as np

# They say nothing of a sound.
FILLERS = set("a an and at by for from in into of off on or the through to up with".split())
# What surrounds the words of a caption when people ask for a sound.
FRAMES = (
    "{}",
    "a {}",
    "the {}",
    "sound of {}",
    "the sound of a {}",
    "{} sound",
    "{} noise",
    "{} sound effect",
    "recording of {}",
    "loud {}",
    "distant {}",
    "{} close by",
)
WORDS = Path(__file__).parent / "sound_words.txt"  # parts of phrases, a line for each part


def words_of(text):
    """The words of a text that say something of a sound."""
    return [word for word in re.findall(r"[^\W_]+", text.lower()) if word not in FILLERS]


def name_of(label):
    """A label as words: dog_bark is "dog bark"."""
    return re.sub(r"[_\W]+", " ", label).strip()


def framed(phrase, rng):
    """The phrase as somebody else might say it; half of the time as it is."""
    return phrase if rng.uniform() < 0.5 else FRAMES[rng.integers(len(FRAMES))].format(phrase)


def parts():
    """{part: words} of sound_words.txt: nouns, verbs, qualities, places."""
    out = {}
    for line in WORDS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, words = line.split(":")
            out.setdefault(name, []).extend(word.strip() for word in words.split(","))
    return out


def composed(rng, words, vocabulary):
    """One phrase put together at random, most often of words that have to do with sounds."""
    pick = lambda part: words[part][rng.integers(len(words[part]))]
    noun = pick("nouns") if rng.uniform() < 0.75 else vocabulary[rng.integers(len(vocabulary))]
    shape = rng.integers(8)
    if shape == 0:
        return noun
    if shape == 1:
        return f"{pick('qualities')} {noun}"
    if shape == 2:
        return f"{noun} {pick('places')}"
    if shape == 3:
        return f"{pick('qualities')} {noun} {pick('verbs')}"
    if shape == 4:
        return f"{noun} and {pick('nouns')}"
    if shape == 5:
        return f"{noun} {pick('nouns')}"
    return f"{noun} {pick('verbs')}"


def others(count, vocabulary, seed=0):
    """`count` phrases that no sound here is called by: each word of the vocabulary, the rest composed."""
    rng, words = np.random.default_rng(seed), parts()
    listed = [word for part in ("nouns", "verbs") for word in words[part]]
    phrases = dict.fromkeys([*listed, *vocabulary])
    while len(phrases) < count:
        phrases[framed(composed(rng, words, vocabulary), rng)] = None
    return list(phrases)[:count] if len(phrases) > count else list(phrases)
