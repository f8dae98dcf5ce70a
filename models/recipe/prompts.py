# SPDX-License-Identifier: LGPL-2.1-or-later
"""`train --what prompts`: a U-Net that knows labels learns what captions say, and loses nothing.

The U-Net's embedding becomes wider: beside the numbers that a label's row has, there are as many that only
words use. In the rows of labels these hold CLOSED, which SiLU makes 0, so that a label's sound stays what it
was. Every weight that was there stays as it is; what learns are the weights that read the new numbers, and
the sense, which makes an embedding of a sentence encoder's vector.
"""

import collections
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import nn

from . import data, diffusion, phrases, sfx
from .diffusion import Process
from .sentence import WIDTH, Sentences
from .train import by_noise

CLOSED = -100.0  # SiLU(-100) is 0 in single precision
VARIANTS = 6  # ways in which each caption is said
GENERIC = 0.12  # share of items that are told their label's name alone
BLUR = 0.25  # length of the noise on a sentence's vector, whose length is 1: near sentences mean the same
ANCHOR = 0.02  # weight of staying near the row of the label, as far as words do not say otherwise


class Beside(nn.Module):
    """A linear layer of the U-Net that is left as it is, and one on the new numbers, which adds nothing at
    first."""

    def __init__(self, old, new):
        super().__init__()
        self.old, self.new = old.requires_grad_(False), nn.Linear(new, old.out_features, bias=False)
        nn.init.zeros_(self.new.weight)

    def forward(self, x):
        width = self.old.in_features
        return self.old(x[:, :width]) + self.new(x[:, width:])


class TimeBeside(nn.Module):
    """The embedding of time, left as it is, and new numbers from its hidden layer."""

    def __init__(self, old, new):
        super().__init__()
        self.old, self.new = old.requires_grad_(False), nn.Linear(old.linear_1.out_features, new)
        nn.init.normal_(self.new.weight, std=0.02)
        nn.init.zeros_(self.new.bias)

    def forward(self, sample, condition=None):
        hidden = self.old.act(self.old.linear_1(sample))
        return torch.cat([self.old.linear_2(hidden), self.new(hidden)], 1)


class Sense(nn.Module):
    """From a sentence's vector to the U-Net's embedding of it."""

    def __init__(self, inputs, outputs, hidden=512):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.second(nn.functional.gelu(self.first(x * WIDTH**0.5)))


class Told(nn.Module):
    """A U-Net with labels that is told words instead: its class is the sense of a sentence's vector."""

    def __init__(self, unet, more):
        super().__init__()
        self.width, self.more, self.config = unet.time_embedding.linear_2.out_features, more, unet.config
        self.table = unet.class_embedding.weight.detach().clone()
        self.unet = unet.requires_grad_(False)
        self.unet.class_embedding = nn.Identity()
        self.unet.time_embedding = TimeBeside(unet.time_embedding, more)
        for block in residual_blocks(unet):
            block.time_emb_proj = Beside(block.time_emb_proj, more)
        self.sense = Sense(WIDTH, self.width + more)

    @property
    def device(self):
        return self.sense.first.weight.device

    def forward(self, x, index, vectors):
        return self.unet(x, index, class_labels=self.sense(vectors)).sample

    def labelled(self, x, index, labels):
        """As the U-Net answers to classes."""
        rows = self.table.to(x.device)[labels]
        closed = torch.full((len(rows), self.more), CLOSED, device=x.device)
        return self.unet(x, index, class_labels=torch.cat([rows, closed], 1)).sample

    def widened(self):
        """The same as a plain UNet2DModel, with the table of its labels."""
        return widened(self.config, self.table, self.width, self.more, self.unet.state_dict())


def residual_blocks(unet):
    return [block for block in unet.modules() if hasattr(block, "time_emb_proj")]


def widened(config, table, width, more, weights):
    """A UNet2DModel of `weights` as Told's U-Net has them."""
    wide = dict(config) | dict(time_embedding_dim=width + more, num_class_embeds=len(table))
    net = UNet2DModel.from_config(wide)
    state = {name: value.zero_() for name, value in net.state_dict().items()}
    for name, value in state.items():
        if name == "class_embedding.weight":
            value[:, :width], value[:, width:] = table, CLOSED
        elif name.startswith("time_embedding."):
            old = weights[name.replace("time_embedding.", "time_embedding.old.")]
            value[tuple(slice(0, size) for size in old.shape)] = old
        elif ".time_emb_proj." in name:
            old = weights[name.replace("time_emb_proj.", "time_emb_proj.old.")]
            value[tuple(slice(0, size) for size in old.shape)] = old
        else:
            value.copy_(weights[name])
        if name.endswith("time_emb_proj.weight"):
            value[:, width:] = weights[name.replace("time_emb_proj.", "time_emb_proj.new.")]
    state["time_embedding.linear_2.weight"][width:, :width] = weights["time_embedding.new.weight"]
    state["time_embedding.linear_2.bias"][width:] = weights["time_embedding.new.bias"]
    net.load_state_dict(state)
    return net.eval()


# ---- sentences ----


def wording(captions, labels, seed=0):
    """[(phrase, caption number)] of every caption as it may be said; a clip without one is called by its
    label."""
    rng, out = np.random.default_rng(seed), []
    for number, caption in enumerate(captions):
        said = dict.fromkeys([caption, *(phrases.framed(caption, rng) for _ in range(4 * VARIANTS))])
        out += [(phrase, number) for phrase in list(said)[:VARIANTS]]
    return out


def call(captions, labels, names):
    """What each clip is called: its caption, or else its label's name."""
    return [caption or phrases.name_of(names[label]) for caption, label in zip(captions, labels.tolist())]


class Diffuse(sfx.Diffuse):
    """The task of training Told on captions."""

    def __init__(self, work, start=sfx.SHIPPED, seed=1, more=256, latent=None, **process):
        start = Path(start)
        self.seen, self.patch = sfx.Windows(work), None
        if not hasattr(self.seen, "train_captions"):
            raise ValueError(f"{work}: prepared without captions; run `python -m recipe prepare` again")
        self.vae, self.info = sfx.find_autoencoder(work, start)
        self.info = latent or self.info
        self.prepare_states(Path(work) / "latents.pt")
        self.model = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
        self.names = [label["name"] for label in self.model["labels"]]
        self.process = Process(**diffusion.said_by(diffusion.load_config(start)), **process)
        self.alphas = self.process.alphas
        torch.manual_seed(seed)
        unet = UNet2DModel.from_pretrained(str(start), subfolder="unet").float()
        self.net, self.start = Told(unet, more), start
        self.odds = sfx.draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.learn_sentences(work, seed)
        fixed = torch.Generator().manual_seed(0)
        chosen = torch.arange(256) % len(self.held)
        self.checks = self.noised(self.held[chosen].float(), self.held_vectors[chosen], fixed)

    def learn_sentences(self, work, seed):
        """The vectors of all captions as they may be said, of label names, and of what the held-out clips are
        called; then the sense is fitted so that each leads to the row of its label."""
        said = {
            side: call(getattr(self.seen, side + "_captions"), getattr(self.seen, side + "_labels"),
                       self.seen.labels)
            for side in ("train", "held")
        }  # fmt: skip
        self.captions = list(dict.fromkeys(said["train"]))
        names = [phrases.name_of(label) for label in self.seen.labels]
        ways = wording(self.captions + names, None, seed)
        encode = Sentences()
        vectors = encode([phrase for phrase, _ in ways])
        numbers = torch.tensor([number for _, number in ways])
        self.held_vectors = encode(said["held"])
        self.of_clip = torch.tensor([self.captions.index(caption) for caption in said["train"]])
        self.ways = [vectors[numbers == i] for i in range(len(self.captions) + len(names))]
        self.rows = self.rows_of_captions()
        fit_sense(self.net.sense, vectors, self.rows[numbers], self.net.width, seed)

    def rows_of_captions(self):
        """The label's row of every caption and label name: the mean of the clips that are called so. The row
        of "no label" where the U-Net does not know the label."""
        table, none = self.net.table, self.model["no_label"]
        of_label = torch.stack(
            [table[self.names.index(label) if label in self.names else none] for label in self.seen.labels]
        )
        sums = torch.zeros(len(self.captions), table.shape[1])
        sums.index_add_(0, self.of_clip, of_label[self.seen.train_labels])
        count = torch.bincount(self.of_clip, minlength=len(self.captions))
        return torch.cat([sums / count[:, None], of_label])

    def about(self):
        return dict(
            labels=self.seen.labels,
            model=self.names,
            captions=self.captions,
            heard=self.heard(),
            sounds=self.seen.stamp,
            latent=self.info,
            frames=sfx.FRAMES,
            width=self.net.width,
            more=self.net.more,
            table=self.net.table,
            autoencoder=sfx.space(self.vae),
        )

    def heard(self):
        """{label: captions}, those of most windows first; those of the model's labels alone are under them,
        all others under ""."""
        counts = collections.Counter(
            (self.seen.labels[label], self.captions[number])
            for label, number in zip(self.seen.train_labels.tolist(), self.of_clip.tolist())
        )
        out = {}
        for (label, caption), _ in counts.most_common():
            out.setdefault(label if label in self.names else "", []).append(caption)
        return out

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        generic = torch.rand(count, generator=self.generator) < GENERIC
        number = torch.where(
            generic, len(self.captions) + self.seen.train_labels[chosen], self.of_clip[chosen]
        )
        draw = torch.rand(count, generator=self.generator)
        vectors = torch.stack(
            [self.ways[n][int(d * len(self.ways[n]))] for n, d in zip(number.tolist(), draw)]
        )
        noise = torch.randn(vectors.shape, generator=self.generator) * BLUR / WIDTH**0.5
        return (*self.noised(self.train[chosen].float(), vectors + noise, self.generator), self.rows[number])

    def losses(self, net, batch):
        x, index, vectors, goal, rows = (part.to(net.device) for part in batch)
        anchor = (net.sense(vectors)[:, : net.width] - rows).square().mean(1)
        return self.process.losses(net(x, index, vectors), goal, index) + ANCHOR * anchor

    @torch.no_grad()
    def validate(self, net):
        guess = torch.cat(
            [net(*(p.to(net.device) for p in part)).float().cpu()
             for part in zip(*(p.split(32) for p in self.checks[:3]))]
        )  # fmt: skip
        return by_noise((guess - self.checks[3]).square().mean((1, 2, 3)), self.checks[1])


def fit_sense(sense, vectors, rows, width, seed, steps=600):
    """Sentences lead to the row of their label, and the new numbers begin near 0."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(sense.parameters(), lr=2e-3, weight_decay=1e-3)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        chosen = torch.randint(0, len(vectors), (256,), generator=generator)
        noise = torch.randn((256, WIDTH), generator=generator) * BLUR / WIDTH**0.5
        out = sense(vectors[chosen] + noise)
        loss = (out[:, :width] - rows[chosen]).square().mean() + 0.01 * out[:, width:].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()
