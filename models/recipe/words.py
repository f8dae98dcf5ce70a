# SPDX-License-Identifier: LGPL-2.1-or-later
"""`train --what words`: a text encoder for a model of labels, whose networks stay as they are.

What the encoder makes of a prompt stands in the place of a label's row. Rows are what the U-Net knows, and
places between rows sound like little, so the encoder is led to one row or near it. What it learns from: a
sentence encoder's vectors of many phrases, and a teacher, which knows from phrases with a label (senses.py,
captions) which label a sentence's vector means. Words that no sound is called by lead to the row of "no
label". Of a model with sub-kinds (kinds.py), captions lead to their rows; of a phrase that was made for a
label, the teacher says whether it means the label or one of its sub-kinds.
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import nn
from transformers import CLIPTextModelWithProjection

from . import data, phrases, senses, sfx, train
from .kinds import places_of_rows
from .sentence import WIDTH, Sentences
from .text import SPECIAL, TOKENS, Small, config_of, keep_vocabulary, kept_vocabulary, tokenizer_of
from .wordnet import FOLDER, WordNet

NEAR = 0.05  # squared distance by which a row must be nearer to be e times as likely, of that between rows
SHARP = 0.5  # the teacher's temperature where it alone says what a phrase means
NONE = 0.02  # how likely "none" is beside a label, before the words are heard: who asks, asks for a sound
SPREAD = 0.25  # length of the noise on a sentence's vector while the teacher learns
FIT = 2000  # steps of the teacher
# Of a batch: sub-kinds as they may be said, captions and label names, phrases of the table, others.
SHARES = dict(kinds=0.15, called=0.1, named=0.35, others=0.4)
CAPTION_WAYS = 6
KIND_WAYS = 12

# ---- the teacher ----


class Teacher(nn.Module):
    """From a sentence's vector to rows: labels, "none", and sub-kinds."""

    def __init__(self, count, hidden=512):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, hidden), nn.Linear(hidden, count)

    def forward(self, x):
        return self.second(nn.functional.dropout(self.first(x * WIDTH**0.5).relu(), 0.3, self.training))


def teach(vectors, numbers, meant, seed, steps):
    """Learns from each row's phrases as often. `meant` (n, rows): which rows each phrase may mean."""
    count = meant.shape[1]
    torch.manual_seed(seed)
    generator, teacher = torch.Generator().manual_seed(seed), Teacher(count)
    optimiser = torch.optim.AdamW(teacher.parameters(), lr=1e-3, weight_decay=1e-2)
    odds = 1 / torch.bincount(numbers, minlength=count).clamp(min=1).float()[numbers]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-3 * (1 - step / steps)
        chosen = torch.multinomial(odds, 256, True, generator=generator)
        noise = torch.randn((256, WIDTH), generator=generator) * SPREAD / WIDTH**0.5
        said = teacher(vectors[chosen] + noise).log_softmax(1).masked_fill(~meant[chosen], -torch.inf)
        loss = -said.logsumexp(1).mean()
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
        self.register_buffer("apart", torch.ones(()))  # squared distance of rows to the nearest other one

    def place(self, rows):
        """Takes the rows to lead to."""
        self.rows.copy_(rows)
        between = torch.cdist(rows, rows).square().fill_diagonal_(torch.inf)
        self.apart.copy_(between.min(1).values.median())

    def forward(self, ids):
        """As Small. Of one layer, only what reaches the last token is computed: the same at a tenth of the
        cost."""
        if len(self.text.text_model.encoder.layers) > 1:
            return super().forward(ids)
        last = self.states(ids)
        return self.head(last), self.text.text_projection(last)

    def states(self, ids):
        """What reaches the last token."""
        model = self.text.text_model
        if len(model.encoder.layers) > 1:
            last = self.text(input_ids=ids).last_hidden_state
            return last[torch.arange(len(ids)), (ids == self.config["eos_token_id"]).int().argmax(1)]
        layer, end = model.encoder.layers[0], (ids == self.config["eos_token_id"]).int().argmax(1)
        x = model.embeddings(input_ids=ids)
        near, own = layer.layer_norm1(x), torch.arange(len(ids))
        last = x[own, end] + self.attend(layer.self_attn, near, near[own, end], end)
        return model.final_layer_norm(last + layer.mlp(layer.layer_norm2(last)))

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
        return -torch.cdist(embedding.float(), self.rows).square() / (NEAR * self.apart)


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


def encoder_of(start, width, layers, outputs):
    """The text encoder of the model to start from, if it has one of these sizes."""
    if not (start / "text_encoder").exists():
        return None
    encoder = CLIPTextModelWithProjection.from_pretrained(str(start), subfolder="text_encoder").float()
    has = encoder.config
    sizes = has.hidden_size, has.num_hidden_layers, has.projection_dim, has.max_position_embeddings
    return encoder if sizes == (width, layers, outputs, TOKENS) else None


def vocabulary_of(start):
    """vocab and merges of a model's tokenizer."""
    vocab = json.loads((start / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
    lines = (start / "tokenizer" / "merges.txt").read_text(encoding="utf-8").splitlines()
    return vocab, [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]


class Lead(train.Task):
    """The task of training Led on the captions in `work` and what `wordnet` says."""

    def __init__(self, work, start=sfx.SHIPPED, seed=1, width=256, layers=1, vocabulary=11000,
                 others=30000, wordnet=str(FOLDER)):  # fmt: skip
        work, start = Path(work), Path(start)
        self.read_model(start)
        self.heard = captions_of(data.Bank(work), self.names)
        key = [self.names, self.kinds, self.heard, others, wordnet, senses.TABLE.read_text(encoding="utf-8")]
        kept = data.cached(
            work / "word-phrases.pt",
            key,
            lambda: gather(self.names, self.kinds, self.heard, others, wordnet),
        )
        self.phrases, self.vectors, self.numbers = kept["phrases"], kept["vectors"].float(), kept["numbers"]
        self.parts = kept["parts"]
        self.generator = torch.Generator().manual_seed(seed)
        self.hold(seed)
        there, own = encoder_of(start, width, layers, self.rows.shape[1]), work / "words" / "vocabulary.json"
        if there and not own.exists():
            keep_vocabulary(own, *vocabulary_of(start))
        vocab, merges = kept_vocabulary(own, self.phrases, vocabulary)
        self.vocab = vocab
        torch.manual_seed(seed)
        config = config_of(vocab, self.rows.shape[1], width, layers) | dict(rows=len(self.rows))
        self.net = Led(config)
        bos, eos = (vocab[token] for token in SPECIAL)
        encoded = tokenizer_of(vocab, merges).encode_batch(self.phrases)
        self.ids = [[bos, *item.ids[: TOKENS - 2], eos] for item in encoded]
        if not (work / "words" / "state.pt").exists():
            self.net.place(self.rows)
            if there and there.config.vocab_size == len(vocab):
                self.go_on(there)
            else:
                begin(self.net, vocab, Sentences(), self.rows)

    def read_model(self, start):
        """Rows of labels, of "no label", and of sub-kinds."""
        model = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
        table = UNet2DModel.from_pretrained(str(start), subfolder="unet").class_embedding.weight
        self.names = [label["name"] for label in model["labels"]]
        self.kinds = [[kind["label"], kind["captions"]] for kind in model.get("kinds", [])]
        self.rows = table.detach().float()[places_of_rows(model, table)]

    @torch.no_grad()
    def go_on(self, encoder, count=8192):
        """From a text encoder that is there: what it lacks, the head, is fitted to it."""
        self.net.text.load_state_dict(encoder.state_dict())
        chosen = torch.randperm(len(self.phrases), generator=torch.Generator().manual_seed(0))[:count]
        states = torch.cat([self.net.states(self.padded(part.tolist())[0]) for part in chosen.split(256)])
        ones = torch.ones(len(states), 1)
        fitted = torch.linalg.lstsq(torch.cat([states, ones], 1), self.vectors[chosen]).solution
        self.net.head.weight.copy_(fitted[:-1].T)
        self.net.head.bias.copy_(fitted[-1])

    def hold(self, seed):
        """Which phrases are never learned from, and what every phrase means: the label it was made for, or
        what the teacher says."""
        told = self.numbers >= 0
        order = torch.randperm(len(self.phrases), generator=self.generator)
        self.held = torch.zeros(len(self.phrases), dtype=torch.bool)
        self.held[order[: min(2048, len(order) // 10)]] = True
        learned = told & ~self.held
        self.meant = self.may_mean()
        teacher = teach(self.vectors[learned], self.numbers[learned], self.meant[learned], seed, FIT)
        said = torch.cat([teacher(part) for part in self.vectors.split(4096)])
        odds = torch.ones(len(self.rows))
        odds[len(self.names)] = NONE
        goals = ((said / SHARP).softmax(1) * odds).log().softmax(1)
        # A phrase of the table may mean another label as well ("roll"): the teacher says so.
        sure = (said / SHARP).masked_fill(~self.meant, -torch.inf).softmax(1)
        self.goals = torch.where(told[:, None], 0.7 * sure + 0.3 * goals, goals)
        right = self.right(said[told & self.held], told & self.held)
        print(f"{len(self.phrases)} phrases; the teacher knows {right:.3f} of those held out", flush=True)
        ends = np.cumsum([0, *self.parts.values()]).tolist()
        self.pools = {
            name: torch.arange(a, b)[~self.held[a:b]] for name, a, b in zip(self.parts, ends[:-1], ends[1:])
        }

    def may_mean(self):
        """(phrases, rows): a phrase of the table means a label or one of its sub-kinds, one that is called so
        the row that it was told, and any other phrase any row."""
        of_label = [*range(len(self.names) + 1), *(self.names.index(label) for label, _ in self.kinds)]
        exact = torch.arange(len(self.phrases)) < self.parts["kinds"] + self.parts["called"]
        row = torch.arange(len(self.rows))
        own = self.numbers[:, None] == row
        group = self.numbers[:, None] == torch.tensor(of_label)
        return torch.where(exact[:, None], own, group) | (self.numbers < 0)[:, None]

    def right(self, scores, which):
        """The share of the phrases `which` whose highest score is that of a row that they may mean."""
        return self.meant[which].gather(1, scores.argmax(1)[:, None]).float().mean().item()

    def about(self):
        return dict(labels=self.names, kinds=self.kinds, heard=self.heard, rows=self.rows)

    def padded(self, chosen):
        longest, eos = max(len(self.ids[i]) for i in chosen), self.vocab[SPECIAL[1]]
        ids = torch.tensor([self.ids[i] + [eos] * (longest - len(self.ids[i])) for i in chosen])
        return ids, self.vectors[chosen], self.goals[chosen], self.numbers[chosen]

    def batch(self, count):
        pools = {name: pool for name, pool in self.pools.items() if len(pool)}
        whole, chosen = sum(SHARES[name] for name in pools), []
        for name, pool in pools.items():
            number = round(SHARES[name] / whole * count)
            chosen += pool[torch.randint(0, len(pool), (number,), generator=self.generator)].tolist()
        return self.padded(chosen)

    def losses(self, net, batch):
        ids, vectors, goals, numbers = (part.to(net.device) for part in batch)
        said, embedding = net(ids)
        likely = net.likely(embedding)
        near = 1 - nn.functional.cosine_similarity(said.float(), vectors, dim=1)
        wrong = -(goals * likely.log_softmax(1)).sum(1)
        nearest = net.rows[(goals * likely.detach().softmax(1)).argmax(1)]
        away = (embedding.float() - nearest).square().sum(1) / net.apart
        return near + 0.5 * wrong + torch.where(numbers >= 0, 1.0, 0.3) * away

    @torch.no_grad()
    def validate(self, net):
        held = self.held.nonzero()[:, 0]
        ids, vectors, goals, numbers = self.padded(held.tolist())
        said, embedding = net(ids.to(net.device))
        near = nn.functional.cosine_similarity(said.float().cpu(), vectors, dim=1).mean().item()
        likely = net.likely(embedding).cpu()
        told = numbers >= 0
        right = self.right(likely[told], held[told])
        alike = (likely.argmax(1) == goals.argmax(1))[~told].float().mean().item()
        away = (-likely.max(1).values * NEAR).mean().item()
        kinds = held[told] < self.parts["kinds"]
        own = (
            f", to their sub-kind {self.right(likely[told][kinds], held[told][kinds]):.3f}"
            if kinds.any()
            else ""
        )
        return (
            f"phrases never seen: cosine {near:.3f}, led to their label {right:.3f}{own}, as the teacher has "
            f"it {alike:.3f}, distance to the nearest row {away:.3f}"
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


def said(captions, ways, rng):
    """{phrase: number} of [(caption, number)], as they may be said. A caption of several numbers is left to
    the first."""
    out = {}
    for caption, number in captions:
        framed = dict.fromkeys([caption, *(phrases.framed(caption, rng) for _ in range(4 * ways))])
        for phrase in list(framed)[:ways]:
            out.setdefault(phrase, number)
    return out


def gather(names, kinds, heard, others, folder, seed=7):
    """All phrases, their vectors and numbers of rows (-1: none is told), and how many there are of each part
    in SHARES, in that order."""
    wordnet, rng = WordNet(folder) if folder != "none" else None, np.random.default_rng(seed)
    encode = Sentences()
    first = len(names) + 1
    parts = dict(
        kinds=said(
            [(c, first + i) for i, (_, captions) in enumerate(kinds) for c in captions], KIND_WAYS, rng
        ),
        called=said(
            [(c, i) for i, name in enumerate(names) for c in [phrases.name_of(name), *heard[name]]],
            CAPTION_WAYS,
            rng,
        ),
        named=dict(senses.named(names, wordnet, others // 2)),
    )
    if wordnet:
        parts["named"] = dict.fromkeys(senses.silent(wordnet, others // 40), len(names)) | parts["named"]
    words = encode.vocabulary()
    free = [*senses.known_words(wordnet, words), *senses.composed(wordnet, others)] if wordnet else \
        phrases.others(others, words)  # fmt: skip
    parts["others"] = dict.fromkeys(free, -1)
    seen = set()
    for name, part in parts.items():
        parts[name] = {phrase: number for phrase, number in part.items() if phrase not in seen}
        seen |= part.keys()
    counts = {name: len(part) for name, part in parts.items()}
    print(f"{sum(counts.values())} phrases: {counts}", flush=True)
    whole = {phrase: number for part in parts.values() for phrase, number in part.items()}
    return dict(
        phrases=list(whole),
        vectors=encode.fast(list(whole)).half(),
        numbers=torch.tensor(list(whole.values())),
        parts=counts,
    )
