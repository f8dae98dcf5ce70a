# SPDX-License-Identifier: LGPL-2.1-or-later
"""`train --what kinds`: a U-Net that knows labels learns the sub-kinds that captions name.

Each sub-kind has a row in the table of classes, behind those of the labels and of "no label". All of the
U-Net learns. Told a sub-kind, it learns from the clips of that sub-kind; told a label or nothing, it learns
to answer what it answered before. So labels keep their sound. Prompts reach the new rows (words.py).
"""

import collections
import json
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch import nn

from . import data, diffusion, nets, phrases, sfx
from .diffusion import Process
from .sentence import Sentences

LITTLE = {"hit", "sound", "noise", "person"}  # say little of a kind
WHOLE = 0.5  # share of a label's clips from which on a caption is no sub-kind: it says what the label says
TOLD = 0.9  # share of the items of sub-kinds that are told so
NONE = 0.1  # share of all items that are told nothing
PACE = 100.0  # how much faster the new rows learn than the weights: each is seldom told
APART = 150.0  # squared distance of a new row from its label's at first; rows of labels are 400 apart


# ---- what the sub-kinds are ----


def stem(word):
    """A word without the ends that say little: "barking", "barks" and "bark" are one."""
    for end in ("ing", "s", "e"):
        if word.endswith(end) and len(word) - len(end) > 2:
            word = word.removesuffix(end)
    return word


def form(caption):
    """What trivially different wordings have in common: "snare drum hit" is "snare drum"."""
    return frozenset(stem(word) for word in phrases.words_of(caption) if word not in LITTLE)


def sub_kinds(clips, names, least=5):
    """[(label, captions)] of every sub-kind, its most frequent wording first. A sub-kind has `least` clips of
    `clips`; a caption that says what the label's name says is none."""
    out = []
    for label in names:
        counts = collections.Counter(
            clip["caption"] for clip in clips if clip["label"] == label and clip.get("caption")
        )
        groups = collections.defaultdict(list)
        for caption, _ in counts.most_common():
            groups[form(caption)].append(caption)
        of_label = sum(clip["label"] == label for clip in clips)
        for key, captions in groups.items():
            count = sum(counts[caption] for caption in captions)
            if key and key != form(phrases.name_of(label)) and least <= count < WHOLE * of_label:
                out.append((label, captions))
    return out


def places_of_rows(info, table):
    """Where rows stand in a model's table of classes: of labels, of "no label", and of sub-kinds. `info`: its
    ebb.json."""
    kinds = len(info.get("kinds", []))
    return [*range(len(info["labels"])), info["no_label"], *range(len(table) - kinds, len(table))]


# ---- the U-Net ----


class Told(nn.Module):
    """A U-Net whose classes are labels, "no label", and sub-kinds. The rows of the first two stay."""

    def __init__(self, unet, of_label, offsets):
        """`of_label`: the class of the label of each sub-kind; `offsets`: from the label's row to theirs."""
        super().__init__()
        self.config = dict(unet.config) | dict(
            num_class_embeds=len(unet.class_embedding.weight) + len(offsets)
        )
        self.register_buffer("table", unet.class_embedding.weight.detach().clone())
        self.register_buffer("of_label", of_label, persistent=False)
        self.offsets = nn.Parameter(offsets)
        unet.class_embedding = nn.Identity()
        self.unet = unet

    @property
    def device(self):
        return self.offsets.device

    def rows(self):
        return torch.cat([self.table, self.table[self.of_label] + self.offsets])

    def forward(self, x, index, classes):
        return self.unet(x, index, class_labels=self.rows()[classes]).sample


def plain(state):
    """A checkpoint's U-Net as a UNet2DModel with more classes."""
    weights, about = state["average"]["weights"], state["about"]
    of_label = [about["labels"].index(label) for label, _ in about["kinds"]]
    net = UNet2DModel.from_config({name: value for name, value in state["config"].items() if name[0] != "_"})
    table = weights["table"]
    rows = torch.cat([table, table[of_label] + weights["offsets"]])
    own = {name.removeprefix("unet."): value for name, value in weights.items() if name.startswith("unet.")}
    net.load_state_dict(own | {"class_embedding.weight": rows})
    return net.eval()


def first_offsets(captions, of_label, width, seed):
    """Sub-kinds that are called alike begin near each other: the sentence encoder's vectors, centred within
    each label."""
    vectors = Sentences()(captions)
    for label in of_label.unique():
        vectors[of_label == label] -= vectors[of_label == label].mean(0)
    turn = torch.randn(vectors.shape[1], width, generator=torch.Generator().manual_seed(seed))
    turned = vectors @ turn
    return turned * (APART / turned.square().sum(1).mean().clamp(min=1e-9)).sqrt()


class Diffuse(sfx.Diffuse):
    """The task of training Told. `least`: clips of a sub-kind."""

    paces = {"offsets": PACE}

    def __init__(self, work, start=sfx.SHIPPED, seed=1, least=5, latent=None, **process):
        start = Path(start)
        model = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
        self.names, self.none = [label["name"] for label in model["labels"]], model["no_label"]
        if model.get("kinds"):
            raise ValueError(f"{start}: it has sub-kinds already; start from a model of labels alone")
        self.seen, self.patch = sfx.Windows(work), None
        if not hasattr(self.seen, "train_captions"):
            raise ValueError(f"{work}: prepared without captions; run `python -m recipe prepare` again")
        self.seen.keep_labels(self.names)
        self.vae, self.info = sfx.find_autoencoder(work, start)
        self.info = latent or self.info
        self.prepare_states(Path(work) / "kinds-latents.pt")
        self.process = Process(**diffusion.said_by(diffusion.load_config(start)), **process)
        self.alphas = self.process.alphas
        self.kinds = sub_kinds(data.Bank(work).choose("sfx", False, self.names), self.names, least)
        if not self.kinds:
            raise ValueError(f"{work}: no caption of {least} clips says more than its label")
        self.before = UNet2DModel.from_pretrained(str(start), subfolder="unet").float().requires_grad_(False)
        self.first = len(self.before.class_embedding.weight)
        of_label = torch.tensor([self.names.index(label) for label, _ in self.kinds])
        width = self.before.class_embedding.weight.shape[1]
        offsets = first_offsets([captions[0] for _, captions in self.kinds], of_label, width, seed)
        unet = UNet2DModel.from_pretrained(str(start), subfolder="unet").float()
        self.net = Told(unet, of_label, offsets)
        self.number = {
            (label, caption): self.first + i
            for i, (label, captions) in enumerate(self.kinds)
            for caption in captions
        }
        self.of_clip = self.classes_of("train")
        self.odds = sfx.draw_odds(self.of_clip)
        self.generator = torch.Generator().manual_seed(seed)
        self.hold()
        print(f"{len(self.kinds)} sub-kinds; {(self.of_clip >= self.first).float().mean():.2f} of the clips")

    def classes_of(self, side):
        """The class of each window: its sub-kind's, else its label's."""
        labels = getattr(self.seen, side + "_labels").tolist()
        captions = getattr(self.seen, side + "_captions")
        return torch.tensor(
            [self.number.get((self.names[n], caption), n) for n, caption in zip(labels, captions)]
        )

    def hold(self):
        """Held-out clips of sub-kinds to check, and how wrong the U-Net was that this began from."""
        classes = self.classes_of("held")
        there = (classes >= self.first).nonzero()[:, 0]
        there = there if len(there) else torch.arange(len(classes))
        chosen = there[torch.arange(256) % len(there)]
        fixed = torch.Generator().manual_seed(0)
        self.checks = self.noised(self.held[chosen].float(), classes[chosen], fixed)
        self.labels = self.seen.held_labels[chosen]
        self.began = self.wrong(lambda x, t, c: self.before(x, t, class_labels=c).sample, self.labels)

    @torch.no_grad()
    def wrong(self, net, classes, device="cpu"):
        x, index, _, goal = self.checks
        parts = zip(*(part.split(32) for part in (x, index, classes)))
        guess = torch.cat([net(*(p.to(device) for p in part)).float().cpu() for part in parts])
        return (guess - goal).square().mean().item()

    def about(self):
        return dict(
            labels=self.names,
            first=self.first,
            kinds=[[label, captions] for label, captions in self.kinds],
            sounds=self.seen.stamp,
            latent=self.info,
            frames=sfx.FRAMES,
            autoencoder=sfx.space(self.vae),
        )

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        draw = torch.rand(2, count, generator=self.generator)
        classes = torch.where(draw[0] < TOLD, self.of_clip[chosen], self.seen.train_labels[chosen])
        classes = torch.where(draw[1] < NONE, self.none, classes)
        return self.noised(self.train[chosen].float(), classes, self.generator)

    def noised(self, x, classes, generator):
        """Sub-kinds are told apart where noise is much, so they are shown more of it."""
        index = torch.randint(0, nets.STEPS, (2, len(x)), generator=generator)
        index = torch.where(classes >= self.first, index.amax(0), index[0])
        noisy, goal = self.process.noised(x, index, generator)
        return noisy, index, classes, goal

    def losses(self, net, batch):
        x, index, classes, goal = (part.to(net.device) for part in batch)
        known = classes < self.first
        if known.any():
            before = self.before.to(net.device)
            with torch.no_grad():
                goal[known] = before(x[known], index[known], class_labels=classes[known]).sample.float()
        return self.process.losses(net(x, index, classes), goal, index)

    def validate(self, net):
        told, label = (self.wrong(net, classes, net.device) for classes in (self.checks[2], self.labels))
        return (
            f"held out, of sub-kinds: told so {told:.4f}, told their label {label:.4f}, "
            f"before {self.began:.4f}"
        )
