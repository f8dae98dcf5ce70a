#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes inputs for a fuzz target to start from, made of the tests' files: seeds.py TARGET FOLDER."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
MODEL_FILES = ("ebb.json", "model_index.json", "mel/mel_config.json", "scheduler/scheduler_config.json")


def files(*patterns):
    for pattern in patterns:
        yield from (path.read_bytes() for path in sorted(TESTS.glob(pattern)) if path.is_file())


def model():
    for i, name in enumerate(MODEL_FILES):
        yield from (bytes([i]) + data for data in files(f"models/*/{name}", f"../models/*/{name}"))


def pickles():
    """data.pkl of each file: it is stored as it is, between its name and the next entry."""
    for data in files("golden/torch/bad/*.bin", "golden/torch/*/pytorch/*.bin"):
        begin = data.find(b"\x80\x02", max(data.find(b"data.pkl"), 0))
        end = data.find(b"PK", begin)
        if begin >= 0:
            yield data[begin:end]


def tokenizers():
    for folder in sorted((TESTS / "golden" / "tokenizers").iterdir()):
        if (folder / "vocab.json").exists():
            merges = (folder / "merges.txt").read_bytes()
            yield b"\0" + (folder / "vocab.json").read_bytes() + b"\0" + merges
        for i, name in ((1, "tokenizer.json"), (2, "spiece.model")):
            if (folder / name).exists():
                yield bytes([i]) + (folder / name).read_bytes()


def arrays():
    for data in files("golden/eval/*.npy"):
        yield from (bytes([first]) + data for first in (0, 1, 254, 255))


def cues():
    for text in CUES:
        yield from (bytes([plain]) + text.encode() for plain in range(3))


CUES = (
    "[thunder]",
    "(door slams) - Hey!",
    "<i>[DOG BARKING]</i> &amp; more",
    "JOHN: (claps)\nrain",
    "{\\an8}[bird]",
    "\u266a la la \u266a",
    "sea waves",
)
LISTS = (
    "label,seed,name\nkick,1,a\nbell,2,b\n",
    "label;seconds\nrain;1,5\n",
    "label\tgain\nwind\t-3\n",
    'label,folder,name\n"rain","amb/{label}","{label}_{index:02}"\n',
    '{"label": "rain", "seed": 3}\n{"label": "rain:0.5,kick:0.5", "folder": "f"}\n',
    "\ufefflabel\nrain\n",
)
ADDRESSES = (
    "rain",
    "rain?seed=3&num-clips=2",
    "rain%3A0.5%2Ckick?volume=0.5",
    "dog_bark?sampler=ddim&steps=4",
    "?label=x",
    "kick?guidance=2.5&guidance-from=0.1&precision=auto",
    "rain/?crossfade=1",
)
RECIPE = '{"ebb": 1, "verb": "generate", "model": "sfx", "label": "rain", "seed": 3, "guidance": 2.5}'

SEEDS = {
    "address": lambda: [text.encode() for text in ADDRESSES],
    "cue": cues,
    "list": lambda: [text.encode() for text in LISTS] + [LISTS[0].encode("utf-16")],
    "npy": arrays,
    "model": model,
    "network_config": lambda: files("golden/nets/*/config.json", "models/*/*/config.json"),
    "pickle": pickles,
    "recipe": lambda: [RECIPE.encode()],
    "safetensors": lambda: files("golden/nets/vocoder/*.safetensors", "golden/torch/half/*/*.safetensors"),
    "scheduler": lambda: files("models/*/scheduler/*.json", "golden/loops/*/*.json"),
    "sound": lambda: files("golden/audio/*.wav", "golden/audio/*.flac", "../examples/audio/*.wav"),
    "tokenizer": tokenizers,
    "torch_file": lambda: files("golden/torch/bad/*.bin", "golden/torch/*/pytorch/*.bin"),
}


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(SEEDS[target]()):
        (folder / f"seed-{i:03}").write_bytes(data)


if __name__ == "__main__":
    main()
