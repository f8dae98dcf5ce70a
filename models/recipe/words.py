# SPDX-License-Identifier: LGPL-2.1-or-later
"""`train --what words`: a text encoder for a model of labels, whose networks stay as they are.

What the encoder makes of a prompt stands in the place of a label's row. Rows are what the U-Net knows, and
places between rows sound like little, so the encoder is led to one row or near it. What it learns from: a
sentence encoder's vectors of many phrases, and a teacher, which knows from phrases with a label (senses.py,
captions) which label a sentence's vector means. Words that no sound is called by lead to the row of "no
label".
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import nn

from . import data, phrases, senses, sfx, train
from .sentence import WIDTH, Sentences
from .text import SPECIAL, TOKENS, Small, config_of, kept_vocabulary, tokenizer_of
from .wordnet import FOLDER, WordNet

NEAR = 20.0  # squared distance by which a row must be nearer to be e times as likely; rows are 400 apart
SHARP = 0.5  # the teacher's temperature where it alone says what a phrase means
NONE = 0.02  # how likely "none" is beside a label, before the words are heard: who asks, asks for a sound
SPREAD = 0.25  # length of the noise on a sentence's vector while the teacher learns
FIT = 2000  # steps of the teacher
SHARES = dict(called=0.1, named=0.4)  # of a batch: captions and label names, then phrases of the table
CAPTION_WAYS = 6

# ---- the teacher ----


class Teacher(nn.Module):
    """From a sentence's vector to labels, and to "none" as the last."""

    def __init__(self, count, hidden=512):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, hidden), nn.Linear(hidden, count)

    def forward(self, x):
        return self.second(nn.functional.dropout(self.first(x * WIDTH**0.5).relu(), 0.3, self.training))


def teach(vectors, numbers, count, seed, steps):
    """Learns from each label as often."""
    torch.manual_seed(seed)
    generator, teacher = torch.Generator().manual_seed(seed), Teacher(count)
    optimiser = torch.optim.AdamW(teacher.parameters(), lr=1e-3, weight_decay=1e-2)
    odds = 1 / torch.bincount(numbers, minlength=count).clamp(min=1).float()[numbers]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-3 * (1 - step / steps)
        chosen = torch.multinomial(odds, 256, True, generator=generator)
        noise = torch.randn((256, WIDTH), generator=generator) * SPREAD / WIDTH**0.5
        loss = nn.functional.cross_entropy(teacher(vectors[chosen] + noise), numbers[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return teacher.eval().requires_grad_(False)


# ---- the encoder ----


class Led(Small):
    """Small, whose projection is a row of the labels' table."""

    def __init__(self, config):
        super().__init__({name: value for name, value in config.items() if name != "rows"})
        self.config = config
        self.register_buffer("rows", torch.zeros(config["rows"], config["projection_dim"]))

    def forward(self, ids):
        """As Small. Of one layer, only what reaches the last token is computed: the same at a tenth of the
        cost."""
        model = self.text.text_model
        if len(model.encoder.layers) > 1:
            return super().forward(ids)
        layer, end = model.encoder.layers[0], (ids == self.config["eos_token_id"]).int().argmax(1)
        x = model.embeddings(input_ids=ids)
        near, own = layer.layer_norm1(x), torch.arange(len(ids))
        last = x[own, end] + self.attend(layer.self_attn, near, near[own, end], end)
        last = model.final_layer_norm(last + layer.mlp(layer.layer_norm2(last)))
        return self.head(last), self.text.text_projection(last)

    def attend(self, attention, x, last, end):
        """What the last token hears of those up to itself: the keys' and values' weights come after the sums
        over tokens, for there is one query alone."""
        heads, width = attention.num_heads, attention.head_dim
        split = lambda linear: linear.weight.view(heads, width, -1)
        query = attention.q_proj(last).view(-1, heads, width) * width**-0.5
        asked = torch.einsum("bhw,hwd->bhd", query, split(attention.k_proj))  # a key's bias moves all alike
        seen = torch.arange(x.shape[1]) <= end[:, None]
        scores = torch.einsum("bhd,btd->bht", asked, x).masked_fill(~seen[:, None], -torch.inf)
        mean = torch.einsum("bht,btd->bhd", scores.softmax(-1).to(x.dtype), x)
        heard = torch.einsum("bhd,hwd->bhw", mean, split(attention.v_proj)).flatten(1)
        return attention.out_proj(heard + attention.v_proj.bias)

    def likely(self, embedding):
        """The logarithm of how likely each row is meant, up to a constant."""
        return -torch.cdist(embedding.float(), self.rows).square() / NEAR


def begin(small, vocab, encode, rows):
    """Tokens that are words begin where the sentence encoder has them, as far as the width reaches, and the
    first layer hands the mean of them on."""
    words = [token.removesuffix("</w>") for token in vocab]
    known = [i for i, word in enumerate(words) if len(word) > 2 and word.isascii() and word.isalpha()]
    said = encode.fast([words[i] for i in known])
    said = said - said.mean(0)
    width = small.config["hidden_size"]
    axes = torch.linalg.svd(said, full_matrices=False)[2][:width].T if len(said) >= width else None
    embedding = small.text.text_model.embeddings.token_embedding
    with torch.no_grad():
        if axes is not None:
            places = said @ axes
            embedding.weight[known] = places * (0.05 / places.std())
        attention = small.text.text_model.encoder.layers[0].self_attn
        for layer in (attention.v_proj, attention.out_proj):
            nn.init.eye_(layer.weight)
        small.text.text_projection.weight.normal_(std=rows.std().item() / width**0.5)
        small.rows.copy_(rows)


class Lead(train.Task):
    """The task of training Led on the captions in `work` and what `wordnet` says."""

    def __init__(self, work, start=sfx.SHIPPED, seed=1, width=256, layers=1, vocabulary=11000,
                 others=30000, wordnet=str(FOLDER)):  # fmt: skip
        work, start = Path(work), Path(start)
        self.read_model(start)
        self.heard = captions_of(data.Bank(work), self.names)
        key = [self.names, self.heard, others, wordnet, senses.TABLE.read_text(encoding="utf-8")]
        kept = data.cached(
            work / "word-phrases.pt", key, lambda: gather(self.names, self.heard, others, wordnet)
        )
        self.phrases, self.vectors, self.numbers = kept["phrases"], kept["vectors"].float(), kept["numbers"]
        self.parts = dict(called=kept["called"], named=kept["named"])
        self.generator = torch.Generator().manual_seed(seed)
        self.hold(seed)
        vocab, merges = kept_vocabulary(work / "words" / "vocabulary.json", self.phrases, vocabulary)
        self.vocab = vocab
        torch.manual_seed(seed)
        config = config_of(vocab, self.rows.shape[1], width, layers) | dict(rows=len(self.rows))
        self.net = Led(config)
        if not (work / "words" / "state.pt").exists():
            begin(self.net, vocab, Sentences(), self.rows)
        bos, eos = (vocab[token] for token in SPECIAL)
        encoded = tokenizer_of(vocab, merges).encode_batch(self.phrases)
        self.ids = [[bos, *item.ids[: TOKENS - 2], eos] for item in encoded]

    def read_model(self, start):
        model = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
        table = UNet2DModel.from_pretrained(str(start), subfolder="unet").class_embedding.weight
        self.names = [label["name"] for label in model["labels"]]
        self.rows = table.detach().float()[[*range(len(self.names)), model["no_label"]]]

    def hold(self, seed):
        """Which phrases are never learned from, and what every phrase means: the label it was made for, or
        what the teacher says."""
        told = self.numbers >= 0
        order = torch.randperm(len(self.phrases), generator=self.generator)
        self.held = torch.zeros(len(self.phrases), dtype=torch.bool)
        self.held[order[: min(2048, len(order) // 10)]] = True
        learned = told & ~self.held
        teacher = teach(self.vectors[learned], self.numbers[learned], len(self.rows), seed, FIT)
        said = torch.cat([teacher(part) for part in self.vectors.split(4096)])
        goals = ((said / SHARP).softmax(1) * torch.tensor([*[1.0] * len(self.names), NONE])).log()
        goals = goals.softmax(1)
        # A phrase of the table may mean another label as well ("roll"): the teacher says so.
        sure = nn.functional.one_hot(self.numbers.clamp(min=0), len(self.rows)).float()
        self.goals = torch.where(told[:, None], 0.7 * sure + 0.3 * goals, goals)
        right = (said[told & self.held].argmax(1) == self.numbers[told & self.held]).float().mean()
        print(f"{len(self.phrases)} phrases; the teacher knows {right:.3f} of those held out", flush=True)
        ends = np.cumsum([0, *self.parts.values(), len(self.phrases) - sum(self.parts.values())])
        self.pools = [
            torch.arange(a, b)[~self.held[a:b]] for a, b in zip(ends[:-1].tolist(), ends[1:].tolist())
        ]

    def about(self):
        return dict(labels=self.names, heard=self.heard, rows=self.rows)

    def padded(self, chosen):
        longest, eos = max(len(self.ids[i]) for i in chosen), self.vocab[SPECIAL[1]]
        ids = torch.tensor([self.ids[i] + [eos] * (longest - len(self.ids[i])) for i in chosen])
        return ids, self.vectors[chosen], self.goals[chosen], self.numbers[chosen]

    def batch(self, count):
        shares = [*SHARES.values(), 1 - sum(SHARES.values())]
        chosen = []
        for pool, share in zip(self.pools, shares):
            if len(pool):
                places = torch.randint(0, len(pool), (round(share * count),), generator=self.generator)
                chosen += pool[places].tolist()
        return self.padded(chosen)

    def losses(self, net, batch):
        ids, vectors, goals, numbers = (part.to(net.device) for part in batch)
        said, embedding = net(ids)
        likely = net.likely(embedding)
        near = 1 - nn.functional.cosine_similarity(said.float(), vectors, dim=1)
        wrong = -(goals * likely.log_softmax(1)).sum(1)
        nearest = net.rows[(goals * likely.detach().softmax(1)).argmax(1)]
        away = (embedding.float() - nearest).square().sum(1) / 400
        return near + 0.5 * wrong + torch.where(numbers >= 0, 1.0, 0.3) * away

    @torch.no_grad()
    def validate(self, net):
        held = self.held.nonzero()[:, 0].tolist()
        ids, vectors, goals, numbers = self.padded(held)
        said, embedding = net(ids.to(net.device))
        near = nn.functional.cosine_similarity(said.float().cpu(), vectors, dim=1).mean().item()
        likely = net.likely(embedding).cpu()
        told = numbers >= 0
        right = (likely[told].argmax(1) == numbers[told]).float().mean().item()
        alike = (likely.argmax(1) == goals.argmax(1))[~told].float().mean().item()
        away = (-likely.max(1).values * NEAR / 400).mean().item()
        return (
            f"phrases never seen: cosine {near:.3f}, led to their label {right:.3f}, as the teacher has it "
            f"{alike:.3f}, distance to the nearest row {away:.3f}"
        )


# ---- phrases ----


def captions_of(bank, names):
    """{label: captions}, the frequent ones first, of the clips that are learned from."""
    out = {name: {} for name in names}
    for clip in bank.choose("sfx", False, names):
        if clip.get("caption"):
            counts = out[clip["label"]]
            counts[clip["caption"]] = counts.get(clip["caption"], 0) + 1
    return {name: sorted(counts, key=lambda c: -counts[c]) for name, counts in out.items()}


def captions_said(names, heard, seed=7):
    """[(phrase, label number)]: label names and captions as they may be said. A caption of several labels
    is left to the first."""
    rng, out = np.random.default_rng(seed), {}
    for number, name in enumerate(names):
        for caption in [phrases.name_of(name), *heard[name]]:
            ways = dict.fromkeys([caption, *(phrases.framed(caption, rng) for _ in range(4 * CAPTION_WAYS))])
            for phrase in list(ways)[:CAPTION_WAYS]:
                out.setdefault(phrase, number)
    return list(out.items())


def gather(names, heard, others, folder):
    """All phrases, their vectors and label numbers (-1: none is told), those called so in captions first,
    then those that the table makes, then all others."""
    wordnet = WordNet(folder) if folder != "none" else None
    encode = Sentences()
    called = dict(captions_said(names, heard))
    named = {p: n for p, n in senses.named(names, wordnet, others // 2) if p not in called}
    if wordnet:
        nothing = {p: len(names) for p in senses.silent(wordnet, others // 40)}
        named |= {p: n for p, n in nothing.items() if p not in called and p not in named}
    words = encode.vocabulary()
    free = [*senses.known_words(wordnet, words), *senses.composed(wordnet, others)] if wordnet else \
        phrases.others(others, words)  # fmt: skip
    free = [phrase for phrase in dict.fromkeys(free) if phrase not in called and phrase not in named]
    said = [*called, *named, *free]
    numbers = torch.tensor([*called.values(), *named.values(), *[-1] * len(free)])
    print(f"{len(said)} phrases: {len(called)} called so, {len(named)} of the table", flush=True)
    return dict(
        phrases=said,
        vectors=encode.fast(said).half(),
        numbers=numbers,
        called=len(called),
        named=len(named),
    )
