# SPDX-License-Identifier: LGPL-2.1-or-later
"""Likeness: trains a generator's decoder until its sounds have the statistics of real sounds.

Generated latents belong to no recording, so their cells cannot be compared with one. Sets of sounds can be
compared. Small networks, here called ears, are trained on real training clips alone; they turn every sound
into features. The features of generated sounds are to have the mean and the covariance of the real sounds'
features, and the mean for each label (matching moments of features, Salimans 2016; lowering the Frechet
distance itself, Mathiasen 2020). The features of all sounds are kept; those of the batch are computed again,
with gradients. Recorded latents, whose sounds are known, are trained beside the generated ones: on means over
cells as in texture.py, on the power of modulations, and on the ears' inner features.

A decoder can satisfy the ears with a regular pattern on all sounds. Two things prevent that. The ears hear
every mel through grain.py, so a decoder gains nothing by drawing a texture of its own; and no modulation of
all sounds together may stand out.

The ears have the judges' architecture and other seeds: a network that took part in the training must not
measure its result. The encoder does not change, so latents, and every U-Net and classifier on them, remain
valid.
"""

import functools
import json
from pathlib import Path

import torch
from diffusers import SASolverScheduler, UNet2DModel
from torch.nn import functional as F

from . import data, diffusion, grain, judge_sfx, nets, sfx, texture
from .train import fast_bf16

EARS, EAR_STEPS = (31, 37, 41), 2000  # seeds; judges that choose or report have others
MEASURED = 2500  # real sounds that are a crowd
LABELS = 0.5  # weight of the labels' means beside the whole crowd's distance
MEANS = 10.0  # of means over cells: what holds a sound to what it was
FELT, PLACED, CROWD = (
    0.01,
    0.01,
    0.1,
)  # of what ears feel on the way, of a place of its own, of the crowd: slopes of like size
COARSE = (4, 8)  # bands and frames of a generated sound that are to stay as loud as they were
SLOW = 0.05  # how fast habits are noted: the sounds of a batch have modulations of their own
ROLL = 8  # frames: ears hear the same somewhat earlier or later


def feel(ear, mel):
    """An ear's inner features of mels (n, BANDS, FRAMES), as a list of (n, features): means by place and
    scatter by region. And its embeddings (n, 64)."""
    maps, place = ear.feel(mel)
    scatter = [(x - x.mean((2, 3), keepdim=True)).abs() for x in maps]
    return [
        F.adaptive_avg_pool2d(x, size).flatten(1)
        for group, size in ((maps, (4, 8)), (scatter, (4, 4)))
        for x in group
    ], place


def root(matrix):
    values, vectors = torch.linalg.eigh(matrix.double())
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


class Crowd:
    """The embeddings (n, d) of many sounds by one ear, with weights: each label counts as often as among real
    sounds."""

    def __init__(self, places, labels, mix):
        count = labels.bincount(minlength=len(mix))
        weight = (mix / count.clamp(min=1))[labels]
        self.places, self.mix, self.weight = places, mix * (count > 0), weight / weight.sum()
        self.share = F.one_hot(labels, len(mix)).float() / count.clamp(min=1)

    def moments(self, places):
        mean = self.weight @ places
        return mean, ((places - mean) * self.weight[:, None]).T @ (places - mean), self.share.T @ places

    @functools.cached_property
    def settled(self):
        """The moments of a crowd that does not change, and the root of its covariance."""
        mean, spread, means = self.moments(self.places)
        return mean, spread, means, root(spread)

    def distance(self, real, at, places):
        """The distance of the crowd to the crowd `real`, relative to the spread of `real`, and the distance
        of the labels' means. The embeddings of the batch, `places`, replace those at `at`."""
        self.places[at] = places.detach()
        now = self.places.clone()
        now[at] = places
        (mean, spread, means), (real_mean, real_spread, real_means, half) = self.moments(now), real.settled
        cross = torch.linalg.eigvalsh(half @ spread.double() @ half + 1e-6 * torch.eye(len(half)))
        apart = (
            (mean - real_mean).square().sum()
            + spread.trace()
            + real_spread.trace()
            - 2 * cross.clamp(min=1e-9).sqrt().sum()
        )
        between = self.mix * (real.mix > 0) @ (means - real_means).square().sum(1)
        return apart.float() / real_spread.trace(), between / real_spread.trace()


def some(labels, mix, total, generator):
    """Places of about `total` sounds, labels as in `mix`, two of each at least where there are so many."""
    chosen = []
    for k, share in enumerate(mix):
        at = (labels == k).nonzero()[:, 0]
        chosen.append(at[torch.randperm(len(at), generator=generator)[: max(2, round(total * share.item()))]])
    return torch.cat(chosen)


def make_latents(unet, start, info, count, seed):
    """`count` latents (n, c, h, w) of each label, as a model makes them by default, and their labels."""
    recommended = info.get("recommended", {})
    guidance = torch.tensor(
        [float(label.get("guidance", recommended.get("guidance", 3))) for label in info["labels"]]
    )
    labels, made = torch.arange(len(guidance)).repeat_interleave(count), []
    way = sfx.solver(SASolverScheduler, diffusion.load_scheduler(start), predictor_order=2, corrector_order=2)
    for i, part in enumerate(labels.split(32)):
        way.set_timesteps(recommended.get("steps", 10))
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
            made.append(
                sfx.sample(
                    unet,
                    info,
                    part,
                    way,
                    guidance[part],
                    recommended.get("guidance_from", 0),
                    seed + 1000 * i,
                )
            )
    return dict(made=torch.cat(made), labels=labels)


def known_model(start, seen):
    """ebb.json and the U-Net of the model whose decoder is trained. The model must know the labels of the
    bank."""
    if not start or not (Path(start) / "unet").exists():
        raise ValueError(
            "--what likeness learns from what a model generates: --start MODEL, a folder that `export` wrote"
        )
    info = json.loads((Path(start) / "ebb.json").read_text(encoding="utf-8"))
    seen.need_labels(f"--start {start}: a model", [label["name"] for label in info["labels"]])
    return info, UNet2DModel.from_pretrained(start, subfolder="unet").float().eval()


class Liken(texture.Decoding):
    """The task of training the decoder. Half of a batch are recorded latents (side 0), the other half
    generated ones (side 1).

    `made`: generated latents of each label. `known`: about how many recorded latents there are. `weave`:
    weight of the loss on the power of modulations.
    """

    def __init__(
        self, work, start=sfx.SHIPPED, seed=1, made=16, known=600, weave=0.3, latent=None, ear_steps=EAR_STEPS
    ):
        super().__init__(work, "likeness", start, seed, latent)
        info, unet = known_model(start, self.seen)
        asked = [info.get("recommended", {}), *(label.get("guidance", 0) for label in info["labels"])]
        kept = data.cached(
            Path(work) / "made.pt",
            [data.digest(unet), asked, made, seed],
            lambda: make_latents(unet, start, info, made, seed),
        )
        self.ears = [
            judge_sfx.trained_judge(work, self.seen, ear_steps, seed).requires_grad_(False) for seed in EARS
        ]
        self.weave, every = weave, self.seen.train_labels
        self.mix = every.bincount(minlength=len(self.seen.labels)) / len(every)
        self.at, real = (some(every, self.mix, count, self.generator) for count in (known, MEASURED))
        self.z = [self.train[self.at], sfx.as_encoded(kept["made"], self.info)]
        self.remember(self.seen.train[real].split(16), every[real])
        self.gather((every[self.at], kept["labels"]))

    def remember(self, mels, labels):
        """Stores the ears' embeddings of real sounds, and the modulations of real sounds."""
        self.real = [Crowd(self.place(ear, mels), labels, self.mix) for ear in self.ears]
        self.usual = torch.stack(
            [texture.modulations(part[:, None].float()).mean((0, 1)) for part in mels]
        ).mean(0)
        self.habit, self.last = torch.zeros_like(self.usual), torch.zeros(4)

    def gather(self, labels):
        """Stores the ears' embeddings of both sides as the decoder makes them before it learns, and coarse
        means of the generated side."""
        mels = [list(self.decoded(z)) for z in self.z]
        self.before = F.avg_pool2d(torch.cat(mels[1])[:, None], COARSE[0])
        self.crowds = [
            [
                Crowd(self.place(ear, (grain.grained(part, self.generator) for part in parts)), of, self.mix)
                for ear in self.ears
            ]
            for parts, of in zip(mels, labels)
        ]

    @torch.no_grad()
    def decoded(self, z):
        for part in z.split(8):
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
                yield nets.decoded(self.net, part)[:, 0].float()

    @torch.no_grad()
    def place(self, ear, mels):
        return torch.cat([ear.embed(part.float()) for part in mels])

    def state(self):
        places = [crowd.places for crowds in self.crowds for crowd in crowds]
        return dict(super().state(), places=places, before=self.before, habit=self.habit)

    def load(self, state):
        super().load(state)
        self.before, self.habit = state["before"], state["habit"]
        for crowd, places in zip((crowd for crowds in self.crowds for crowd in crowds), state["places"]):
            crowd.places.copy_(places)

    def batch(self, count):
        """Chooses recorded and generated latents: each label as often as among real sounds."""
        draw = lambda crowds, n: torch.multinomial(
            crowds[0].weight, min(n, len(crowds[0].weight)), False, generator=self.generator
        )
        return draw(self.crowds[0], max(1, count // 2)), draw(self.crowds[1], max(1, count - count // 2))

    def habits(self, ripples):
        """Peaks in the mean power of modulations over many sounds. Real sounds together have none."""
        now = ripples.mean((0, 1)) - self.usual.to(ripples.device)
        lately = self.habit.to(now.device).lerp(now, SLOW)
        self.habit = lately.detach().cpu()
        around = F.avg_pool2d(lately[None], 5, 1, 2, count_include_pad=False)[0]
        return (lately - around).clamp(min=0).square().sum() / SLOW

    def heard(self, i, mels, x, batch):
        """The losses of ear `i` on the mels of both sides: inner features and embeddings beside the
        recordings `x`, and the crowds. Returns the loss and the distances of the crowds and of their
        labels."""
        ear, real = self.ears[i].to(x.device), self.real[i]
        felt, places = feel(ear, mels)
        with torch.no_grad():
            real_felt, real_places = feel(ear, x)
        way = sum(
            (a[: len(x)].float() - b.float()).abs().mean() / b.float().abs().mean()
            for a, b in zip(felt, real_felt)
        )
        own = (places[: len(x)] - real_places).float().square().sum(1).mean() / real.places.var(0).sum()
        loss, said = FELT * way + PLACED * own, []
        for crowds, at, now in zip(self.crowds, batch, places.float().cpu().split([len(at) for at in batch])):
            apart, between = crowds[i].distance(real, at, now)
            loss = loss + CROWD * len(crowds[i].places) / len(at) * (apart + LABELS * between).to(loss.device)
            said += [apart.detach(), between.detach()]
        return loss, torch.stack(said)

    def losses(self, net, batch):
        known, made = batch
        x, z = (
            self.seen.train[self.at[known]].float().to(net.device),
            torch.cat([self.z[0][known], self.z[1][made]]),
        )
        guess = nets.decoded(net, z.to(net.device))[:, 0].float()
        moved = F.avg_pool2d(guess[len(x) :, None], COARSE[0]) - self.before[made].to(net.device)
        stays = sum(F.avg_pool2d(moved, size // COARSE[0]).abs().mean() for size in COARSE)
        mels = grain.grained(guess, self.generator)
        ripples = texture.modulations(mels[:, None])
        wrong = ripples[: len(x)] - texture.modulations(x[:, None])
        loss = MEANS * (texture.off(guess[: len(x), None], x[:, None]).mean() + stays) + self.weave * (
            wrong.abs().mean() + self.habits(ripples)
        )
        mels = torch.roll(mels, int(torch.randint(-ROLL, ROLL + 1, (1,), generator=self.generator)), 2)
        more, said = zip(*(self.heard(i, mels, x, batch) for i in range(len(self.ears))))
        self.last = torch.stack(said).mean(0)
        return (loss + sum(more))[None]

    def validate(self, net):
        known, known_labels, made, made_labels = self.last
        return (
            f"of real sounds' spread, ears put recorded ones {known:.3f} away, "
            f"their labels {known_labels:.3f}, generated ones "
            f"{made:.3f}, their labels {made_labels:.3f}; " + super().validate(net)
        )
