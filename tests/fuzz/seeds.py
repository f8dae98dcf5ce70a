#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes inputs for a fuzz target to start from: seeds.py TARGET FOLDER [--long]

They are made of the tests' files, without what only makes them long, and of small ones that are put together
here. Prints how long an input may be: a parser reads a hundred short inputs in the time of one long one, and
nearly all of its branches are reached by short ones. --long: of any length, to be used without a limit.
"""

import json
import pathlib
import struct
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
MODEL_FILES = ("ebb.json", "model_index.json", "mel/mel_config.json", "scheduler/scheduler_config.json")


def files(*patterns):
    for pattern in patterns:
        yield from (path.read_bytes() for path in sorted(TESTS.glob(pattern)) if path.is_file())


def compact(texts):
    """JSON without its white space."""
    for text in texts:
        yield json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).encode()


def configs():
    """Without what diffusers and transformers note and Ebb does not read."""
    for text in files("golden/nets/*/config.json", "models/*/*/config.json"):
        config = {
            key: value for key, value in json.loads(text).items() if value is not None and key[:1] != "_"
        }
        config.update({key: value for key, value in json.loads(text).items() if key == "_class_name"})
        yield from compact([json.dumps(config)])


def model():
    for i, name in enumerate(MODEL_FILES):
        texts = compact(files(f"models/*/{name}", f"../models/*/{name}"))
        yield from (bytes([i]) + data for data in texts)
    yield b"\0" + MANIFEST.encode()


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


def safetensors(tensors, dtype, size):
    """A file of these tensors: name -> shape."""
    header, end = {}, 0
    for name, shape in tensors.items():
        begin, end = end, end + size * (shape[0] if shape else 1) * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(end)


def tensor_files():
    yield safetensors({"a": [2, 3], "b.weight": [4], "c": []}, "F32", 4)
    yield safetensors({"conv.weight": [2, 2], "conv.bias": [2]}, "F16", 2)
    yield safetensors({"x": [0, 5], "y": [1]}, "BF16", 2)
    yield safetensors({"big": [3, 7]}, "F64", 8)
    yield from files("golden/nets/vocoder/*.safetensors", "golden/torch/half/*/*.safetensors")


def varint(number):
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def inside(field, data):
    """A field of a protocol buffer that holds bytes."""
    return bytes([field << 3 | 2]) + varint(len(data)) + data


def spiece():
    """A small model of SentencePiece: its pieces, its kind, a map of characters that maps none."""
    pieces = (
        ("<pad>", 0, 3),
        ("</s>", 0, 3),
        ("<unk>", 0, 2),
        ("\u2581", -2, 1),
        ("r", -3, 1),
        ("ain", -4, 1),
    )
    model = b""
    for text, score, kind in pieces:
        piece = inside(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind])
        model += inside(1, piece)
    charsmap = struct.pack("<I", 4) + struct.pack("<I", 0) + b"\0"
    return model + inside(2, bytes([3 << 3, 1])) + inside(3, inside(2, charsmap))


def small_tokenizers():
    vocabulary = {
        "<s>": 0,
        "<pad>": 1,
        "</s>": 2,
        "<unk>": 3,
        "r": 4,
        "a": 5,
        "ra": 6,
        "\u0120": 7,
        "<mask>": 8,
    }
    merges = "#version: 0.2\nr a\n"
    clip = {"r": 0, "a": 1, "ra</w>": 2, "a</w>": 3, "<|startoftext|>": 4, "<|endoftext|>": 5}
    for tokens, merged in ((vocabulary, merges), (clip, "#version: 0.2\nr a</w>\n")):
        for kind in (0, 3, 6, 9):  # without a class, and with each
            yield bytes([kind]) + json.dumps(tokens).encode() + b"\0" + merged.encode()
    special = {"content": "</s>", "id": 2, "lstrip": False, "normalized": False, "special": True}
    whole = {
        "truncation": {"direction": "Right", "max_length": 8},
        "padding": {"strategy": {"Fixed": 16}, "pad_id": 1, "pad_token": "<pad>"},
        "added_tokens": [special],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]},
        "model": {"type": "BPE", "unk_token": None, "vocab": vocabulary, "merges": [["r", "a"]]},
    }
    unigram = {
        "added_tokens": [special],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAAA"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
        "model": {
            "type": "Unigram",
            "unk_id": 2,
            "vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["r", -3]],
        },
    }
    for tokenizer, kinds in ((whole, (1, 4, 7)), (unigram, (1, 10))):
        yield from (bytes([kind]) + next(compact([json.dumps(tokenizer)])) for kind in kinds)
    yield from (bytes([kind]) + spiece() for kind in (2, 11))


def all_tokenizers():
    yield from small_tokenizers()
    yield from tokenizers()


def tokenizer_configs():
    names = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
    for i, name in enumerate(names):
        for text in compact(files(f"golden/tokenizers/*/{name}", f"golden/**/tokenizer*/{name}")):
            yield from (bytes([i + 3 * whole]) + text for whole in (0, 1))
    token = (
        '{"content":"<x>","lstrip":true,"rstrip":true,"single_word":true,"normalized":true,"special":false}'
    )
    for name in ("CLIPTokenizer", "RobertaTokenizerFast", "GPT2Tokenizer", "T5Tokenizer"):
        config = (
            f'{{"tokenizer_class":"{name}","model_max_length":8,"extra_ids":3,"add_prefix_space":true,'
            f'"add_bos_token":true,"added_tokens_decoder":{{"7":{token},"3":{token}}},'
            f'"additional_special_tokens":["<y>",{token}],"bos_token":{token},"pad_token":"<pad>"}}'
        )
        yield from (bytes([3 * whole]) + config.encode() for whole in (0, 1))
    yield from (
        bytes([1 + 3 * whole]) + f'{{"eos_token":{token},"unk_token":"r"}}'.encode() for whole in (0, 1)
    )
    yield from (bytes([2 + 3 * whole]) + b'{"<mask>":9,"<x>":7}' for whole in (0, 1))


def begun():
    """The heads of coded sounds, with some of what follows."""
    for data in files("../examples/audio/*.flac", "../examples/audio/*.wav"):
        yield data[:1500]
        yield data


def array(kind, shape, order, values):
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + values


def arrays():
    small = (
        array("<f4", (2, 3), False, struct.pack("<6f", *range(6))),
        array("<f8", (3,), True, struct.pack("<3d", *range(3))),
        array("<i8", (4,), False, struct.pack("<4q", *range(4))),
        array("<f2", (), False, b"\0\x3c"),
        array("|u1", (1, 1, 5), False, bytes(5)),
    )
    for data in small:
        yield from (bytes([first]) + data for first in (0, 1, 254, 255))
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
WEIGHT_INDEX = (
    '{"metadata":{},"weight_map":{"x":"a.safetensors","y":"a.safetensors","z":"b.safetensors"}}',
    '{"weight_map":{"x":"a.safetensors","y":"../a.safetensors"}}',
    '{"weight_map":{"z":"b.safetensors"}}',
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

MANIFEST = (
    '{"format":1,"kind":"generate","name":"n","window_frames":32,"no_label":4,"default_label":"rain",'
    '"labels":[{"name":"rain","kind":"texture","score":0.5},{"name":"kick","kind":"event"},{"name":"wind"},'
    '{"name":"bell"}],"mel":{"sample_rate":4000,"n_mels":16,"n_fft":256,"hop":64,"scale":"slaney",'
    '"norm":null,"db_center":-40,"db_range":50},"latent":{"mean":[0.5,0,-0.25,0.125],"std":0.75,'
    '"shape":[4,16,32]},"recommended":{"sampler":"dpmpp-2m","steps":4,"guidance":2}}'
)

# Target: how long an input may be, and the inputs.
SEEDS = {
    "address": (300, lambda: [text.encode() for text in ADDRESSES]),
    "cue": (300, cues),
    "list": (600, lambda: [text.encode() for text in LISTS] + [LISTS[0].encode("utf-16")]),
    "npy": (600, arrays),
    "model": (1500, model),
    "network_config": (1500, configs),
    "pickle": (1000, pickles),
    "recipe": (1000, lambda: [RECIPE.encode()]),
    "safetensors": (1000, tensor_files),
    "scheduler": (700, lambda: compact(files("models/*/scheduler/*.json", "golden/loops/*/*.json"))),
    "sound": (1500, begun),  # beside those of seed_sounds.c
    "tokenizer": (1500, all_tokenizers),
    "tokenizer_config": (1000, tokenizer_configs),
    "weight_index": (400, lambda: [text.encode() for text in WEIGHT_INDEX]),
    "torch_file": (1500, lambda: files("golden/torch/bad/*.bin", "golden/torch/*/pytorch/*.bin")),
}


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    longest, inputs = SEEDS[target]
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(inputs()):
        if len(data) <= longest or "--long" in sys.argv:
            (folder / f"seed-{i:03}").write_bytes(data)
    print(longest)


if __name__ == "__main__":
    main()
