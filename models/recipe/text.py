# SPDX-License-Identifier: LGPL-2.1-or-later
"""`train --what text`: a small text encoder learns what a sentence encoder says of phrases, and the sense
that `train --what prompts` gave to them.

The encoder is a CLIPTextModelWithProjection with a byte-pair vocabulary of its own. Its projection is the
U-Net's embedding. A part of what it learns from is said as captions are; the rest are phrases that no
sound is called by, so that words which no caption has lie near those that mean the same.
"""

import json
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from . import data, phrases, train
from .prompts import Sense, wording
from .sentence import WIDTH, Sentences

TOKENS = 48  # of a prompt at most
SPECIAL = ("<|startoftext|>", "<|endoftext|>")
SHARE = 0.25  # of a batch that is called as captions are
PATTERN = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # CLIP's
)


def split_as_clip():
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )


def learn_vocabulary(texts, size):
    """vocab {token: id} and merges [(a, b)] of CLIP's kind: all bytes, all bytes at a word's end, then pairs,
    the frequent ones first."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), split_as_clip()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters)]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL) - len(letters),
        end_of_word_suffix="</w>",
        initial_alphabet=letters,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    tokens += [a + b for a, b in merges if a + b not in set(tokens)]
    return {token: i for i, token in enumerate(dict.fromkeys([*tokens, *SPECIAL]))}, merges


def tokenizer_of(vocab, merges):
    """CLIPTokenizer's, by the tokenizers library."""
    tokenizer = Tokenizer(
        models.BPE(vocab, merges, end_of_word_suffix="</w>", unk_token=SPECIAL[1], fuse_unk=False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer, tokenizer.decoder = split_as_clip(), decoders.ByteLevel()
    return tokenizer


class Small(nn.Module):
    """The text encoder, and a head that says what the sentence encoder says; the head is not exported."""

    def __init__(self, config):
        super().__init__()
        self.text = CLIPTextModelWithProjection(CLIPTextConfig(**config))
        self.head = nn.Linear(config["hidden_size"], WIDTH)
        self.config = config

    @property
    def device(self):
        return self.head.weight.device

    def forward(self, ids):
        """The sentence's vector and the U-Net's embedding."""
        out = self.text(input_ids=ids)
        last = out.last_hidden_state
        at = (ids == self.config["eos_token_id"]).int().argmax(1)
        return self.head(last[torch.arange(len(ids)), at]), out.text_embeds


def config_of(vocab, outputs, width, layers):
    bos, eos = (vocab[token] for token in SPECIAL)
    return dict(
        vocab_size=len(vocab),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        max_position_embeddings=TOKENS,
        projection_dim=outputs,
        hidden_act="quick_gelu",
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=eos,
    )


class Encode(train.Task):
    """The task of training Small; `others`: phrases that no sound is called by."""

    def __init__(self, work, seed=1, width=256, layers=3, vocabulary=4096, others=60000):
        work = Path(work)
        state = train.read_state(work / "prompts")
        if not state:
            raise ValueError(f"{work}: run `python -m recipe train --what prompts` first")
        self.told = state["about"]
        names = [phrases.name_of(label) for label in self.told["labels"]]
        self.known = self.told["captions"] + names
        key = [self.known, others]
        kept = data.cached(work / "sentences.pt", key, lambda: say(self.known, others))
        self.phrases, self.vectors, self.called = kept["phrases"], kept["vectors"].float(), kept["called"]
        self.goals, self.sense = senses(state, self.vectors), data.digest(sense_of(state))
        self.spread = self.goals[: self.called].var(0).mean().item()
        vocab, merges = kept_vocabulary(work / "text" / "vocabulary.json", self.phrases, vocabulary)
        self.vocab, self.merges = vocab, merges
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        outputs = self.told["width"] + self.told["more"]
        self.net = Small(config_of(vocab, outputs, width, layers))
        bos, eos = (vocab[token] for token in SPECIAL)
        encoded = tokenizer_of(vocab, merges).encode_batch(self.phrases)
        self.ids = [[bos, *item.ids[: TOKENS - 2], eos] for item in encoded]
        held = torch.randperm(len(self.phrases) - self.called, generator=self.generator)
        self.checked = (held[: min(512, len(held) // 10)] + self.called).tolist()
        self.learned = (held[min(512, len(held) // 10) :] + self.called).tolist()

    def about(self):
        return dict(labels=self.told["labels"], sounds=self.told["sounds"], sense=self.sense)

    def padded(self, chosen):
        longest, eos = max(len(self.ids[i]) for i in chosen), self.vocab[SPECIAL[1]]
        ids = torch.tensor([self.ids[i] + [eos] * (longest - len(self.ids[i])) for i in chosen])
        return ids, self.vectors[chosen], self.goals[chosen]

    def batch(self, count):
        known = round(SHARE * count)
        called = torch.randint(0, self.called, (known,), generator=self.generator).tolist()
        other = torch.randint(0, len(self.learned), (count - known,), generator=self.generator).tolist()
        return self.padded(called + [self.learned[i] for i in other])

    def losses(self, net, batch):
        ids, vectors, goals = (part.to(net.device) for part in batch)
        said, sense = net(ids)
        near = 1 - torch.nn.functional.cosine_similarity(said.float(), vectors, dim=1)
        return near + 0.5 * (sense.float() - goals).square().mean(1) / self.spread

    @torch.no_grad()
    def validate(self, net):
        ids, vectors, goals = self.padded(self.checked)
        said, sense = net(ids.to(net.device))
        near = torch.nn.functional.cosine_similarity(said.float().cpu(), vectors, dim=1).mean().item()
        wrong = (sense.float().cpu() - goals).square().mean().item() / self.spread
        return f"phrases never seen: cosine {near:.3f}, error of the sense {wrong:.3f}"


def say(known, others):
    """Captions and label names as they may be said, then other phrases, and the vectors of all."""
    encode = Sentences()
    called = [phrase for phrase, _ in wording(known, None, 7)]
    said = list(dict.fromkeys(called + phrases.others(others, encode.vocabulary()))) if others else called
    print(f"{len(said)} phrases", flush=True)
    return dict(phrases=said, vectors=encode(said).half(), called=len(dict.fromkeys(called)))


def sense_of(state):
    """The sense of a checkpoint of `train --what prompts`."""
    weights = {
        name.removeprefix("sense."): value
        for name, value in state["average"]["weights"].items()
        if name.startswith("sense.")
    }
    sense = Sense(WIDTH, state["about"]["width"] + state["about"]["more"])
    sense.load_state_dict(weights)
    return sense.requires_grad_(False)


def senses(state, vectors):
    """What it makes of sentences."""
    sense = sense_of(state)
    return torch.cat([sense(part) for part in vectors.split(4096)])


def kept_vocabulary(path, texts, size):
    """The vocabulary of this training: made once, for its order is the weights'."""
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept["vocab"], [tuple(pair) for pair in kept["merges"]]
    vocab, merges = learn_vocabulary(texts, size)
    keep_vocabulary(path, vocab, merges)
    return vocab, merges


def keep_vocabulary(path, vocab, merges):
    path.parent.mkdir(parents=True, exist_ok=True)
    data.write_json(path, dict(vocab=vocab, merges=merges))
