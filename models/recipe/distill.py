# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training a student: a network that needs few evaluations where its teacher needs many.

The path from noise to sound is cut into pieces, as many as the student has evaluations. The student learns to
cross a piece in one evaluation (a jump). The teacher crosses it in several steps of DPM-Solver++(2M), with
two evaluations each where guidance acts; the student learns to arrive at the same state. This is progressive
distillation (Salimans 2022) of a guided teacher (Meng 2023), without its intermediate stages.

A jump is a regression onto a state that can be computed, at few noise levels. That suits short trainings: a
consistency model must learn to agree with itself at all levels, and a rectified flow needs another schedule.
Half of the states that the student learns from are its own, so that it learns to correct its own errors.
Computing a teacher's state costs as much as a step of training, so these states are kept in a pool, and each
is used a few times.

Teacher and student are one network. The student has classes of its own, behind the teacher's. The teacher's
classes are trained to keep their answers. So no weights are stored twice, and the teacher still does all that
needs many small steps: other samplers, other guidance, joins and masked edits.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DModel

from . import diffusion, sfx
from .train import fast_bf16

CLEAN = -1  # the index of the level without noise
# Batches' worth of landings that wait in the pool: so many that those of one step have little to do with each
# other.
DEPTH = 16
# Share of states that go on to the next jump. The first jumps are the hardest: nothing mends what they miss.
ONWARD = 0.5


@torch.no_grad()
def with_own_classes(teacher, start, middle):
    """The same network with a second set of classes, for the student. Each new class is the teacher's class
    plus a first guess at what a jump from level `start` over `middle` needs: a stronger label, as guidance
    makes it, and a part of the embedding of a later time. So the two classes differ from the start."""
    student = type(teacher).from_config(
        dict(teacher.config, num_class_embeds=2 * teacher.config.num_class_embeds)
    )
    weights = dict(teacher.state_dict())
    table = weights["class_embedding.weight"]
    early, late = teacher.time_embedding(teacher.time_proj(torch.stack([start, middle])).to(table.dtype))
    weights["class_embedding.weight"] = torch.cat([table, 2 * table - table[-1] + (late - early) / 2])
    student.load_state_dict(weights)
    return student


def read_teacher(start):
    """Reads the teacher's folder: ebb.json, the config of its U-Net, and the options of diffusion.Process
    that it was trained with."""
    if not start or not (Path(start) / "unet").exists():
        raise ValueError("a student needs a teacher: --start MODEL, a folder that `export` wrote")
    start = Path(start)
    info = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
    if not info.get("latent") or not (start / "vae").exists():
        raise ValueError(f"{start}: diffuses the mel itself; a student needs a teacher of latents")
    process = diffusion.said_by(diffusion.load_config(start))
    if process["schedule"] not in diffusion.SCHEDULES:
        raise ValueError(
            f"{start}: its schedule is {process['schedule']}, "
            f"expected one of {', '.join(diffusion.SCHEDULES)}"
        )
    if process["prediction"] != "v_prediction":
        raise ValueError(
            f"{start}: a student says v_prediction, and so must its teacher, "
            f"which says {process['prediction']}"
        )
    return info, UNet2DModel.load_config(start / "unet"), process


def factors(power):
    """alpha and sigma of noise levels, given by their share of signal power, as factors of (n, c, h, w)."""
    return power.sqrt()[:, None, None, None], (1 - power).sqrt()[:, None, None, None]


class Jumps(sfx.Diffuse):
    """The task of training a student. A share `share` of each batch are jumps of the student; the rest keeps
    the teacher's classes.

    `guidance` acts at diffusion times within `interval`. `inner`: steps of the teacher per jump. `uses`: how
    often a landing is learned from, on average.
    """

    def __init__(
        self,
        work,
        start=sfx.SHIPPED,
        seed=1,
        guidance=3.5,
        interval=(0, 1),
        jumps=4,
        inner=2,
        share=0.75,
        uses=3,
        checks=16,
        latent=None,
    ):
        self.model, (self.learned, config, self.said) = Path(start or ""), read_teacher(start)
        super().__init__(
            work,
            start,
            tuple(config["block_out_channels"]),
            seed,
            layers=config["layers_per_block"],
            latent=latent or self.learned["latent"],
            **self.said,
        )
        if not self.started:  # random weights would be learned from as well as any
            raise ValueError(f"{start}: its U-Net is not of a kind that `train` makes, so it cannot teach")
        self.teacher, self.fast = self.net.eval().requires_grad_(False), fast_bf16(self.net.device)
        self.teacher.to(memory_format=torch.channels_last)
        self.guidance, self.interval, self.share, self.uses, self.pool = guidance, interval, share, uses, None
        bounds = torch.linspace(diffusion.STEPS - 1, CLEAN, jumps * inner + 1).round().long()
        self.path = torch.stack([bounds[i * inner : (i + 1) * inner + 1] for i in range(jumps)])
        self.net = with_own_classes(self.teacher, *self.path[0, [0, inner // 2]])
        x, labels = self.fresh(checks, torch.Generator().manual_seed(0))
        self.walks = labels, self.walk(x, labels)

    def prepare_states(self, path):
        """The latents to learn from, with the labels and the scale that the teacher knows."""
        self.seen.need_labels(f"{self.model}: a teacher", [label["name"] for label in self.learned["labels"]])
        vae = AutoencoderKL.from_pretrained(self.model, subfolder="vae").float()
        if sfx.space(sfx.shipped(vae)) != sfx.space(sfx.shipped(self.vae)):
            raise ValueError(
                f"{self.model}: a teacher on the latents of another autoencoder than the one in this --work"
            )
        super().prepare_states(path)

    def state(self):
        return dict(super().state(), pool=self.pool)

    def load(self, state):
        super().load(state)
        self.pool = state["pool"]

    def about(self):
        return dict(
            super().about(), student=dict(first_class=self.none + 1, steps=len(self.path)), process=self.said
        )

    # ---- levels ----

    def level(self, index):
        return factors(torch.where(index == CLEAN, 1.0, self.alphas[index.clamp(min=0)]))

    def ends(self, jump):
        return self.level(self.path[jump, 0]), self.level(self.path[jump, -1])

    def land(self, x, jump, v):
        """The end of a jump: the states after one step of DDIM with the answer `v`."""
        (a, s), (b, r) = self.ends(jump)
        return (b * a + r * s) * x + (r * a - b * s) * v

    def aim(self, x, jump, after):
        """The answer that lands on `after`."""
        (a, s), (b, r) = self.ends(jump)
        return (after - (b * a + r * s) * x) / (r * a - b * s)

    # ---- the teacher ----

    @torch.no_grad()
    def ask(self, x, index, labels):
        if self.teacher.device != self.net.device:  # the student has moved since
            self.teacher.to(self.net.device)
            self.fast = fast_bf16(self.net.device)
        x, index, labels = (part.to(self.teacher.device) for part in (x, index, labels))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.fast):
            return self.teacher(x, index, class_labels=labels).sample.float().cpu()

    def guided(self, x, index, labels):
        """The teacher's guided answer. The pass without label is left out where guidance does not act."""
        time = (index + 1) / diffusion.STEPS
        inside = ((time >= self.interval[0]) & (time <= self.interval[1]) & (labels != self.none)).nonzero()[
            :, 0
        ]
        v, without = self.ask(
            *(
                torch.cat([part, more])
                for part, more in (
                    (x, x[inside]),
                    (index, index[inside]),
                    (labels, torch.full_like(inside, self.none)),
                )
            )
        ).split([len(x), len(inside)])
        return v.index_add(0, inside, (self.guidance - 1) * (v[inside] - without))

    @torch.no_grad()
    def follow(self, x, jump, labels):
        """The teacher's steps across a jump: DPM-Solver++(2M), Lu 2022."""
        levels, clean, before = self.path[jump].T, None, None
        for here, there in zip(levels, levels[1:]):
            (a, s), (b, r) = self.level(here), self.level(there)
            past, clean = clean, a * x - s * self.guided(x, here, labels)
            h = (b / r).log() - (a / s).log()
            curved = 0 if past is None else torch.where(h.isinf(), 0, h / (2 * before)) * (clean - past)
            x, before = r / s * x - b * torch.expm1(-h) * (clean + curved), h
        return x

    def walk(self, x, labels):
        """The teacher's states at the start of every jump and at the end of the last jump."""
        states = [x]
        for i in range(len(self.path)):
            states.append(self.follow(states[-1], torch.full_like(labels, i), labels))
        return states

    # ---- training ----

    def fresh(self, count, generator):
        """Noise, and labels for it."""
        return torch.randn((count, *self.shape), generator=generator), torch.randint(
            0, self.none, (count,), generator=generator
        )

    def fill_pool(self, count):
        """Fills the pool with states before every jump and the landings of the teacher, as a training of any
        length would."""
        x, labels = self.fresh(count, self.generator)
        jump = (
            (torch.rand((count, len(self.path) - 1), generator=self.generator) < ONWARD)
            .long()
            .cumprod(1)
            .sum(1)
        )
        for i in range(len(self.path) - 1):
            late = jump > i
            x[late] = self.follow(x[late], torch.full_like(jump[late], i), labels[late])
        self.pool = x, jump, labels, self.follow(x, jump, labels)

    def batch(self, count):
        mine = max(1, round(self.share * count))
        if self.pool is None:
            self.fill_pool(DEPTH * mine)
        drawn = torch.randperm(len(self.pool[0]), generator=self.generator)[:mine]
        if mine == count:  # nothing holds the teacher's classes
            none = torch.empty(0, dtype=torch.long)
            return torch.empty(0, *self.shape), none, none, torch.empty(0, *self.shape), drawn
        noised, index, seen, _ = super().batch(count - mine)
        return noised, index, seen, self.ask(noised, index, seen), drawn

    def losses(self, net, batch):
        noised, index, seen, goal, drawn = batch
        x, jump, labels, after = (part[drawn] for part in self.pool)
        guess = net(
            torch.cat([noised, x]).to(net.device),
            torch.cat([index, self.path[jump, 0]]).to(net.device),
            class_labels=torch.cat([seen, labels + self.none + 1]).to(net.device),
        ).sample.float()
        old, v = guess.split([len(noised), len(x)])
        self.advance(drawn, self.land(x, jump, v.detach().cpu()))
        aims = self.aim(x, jump, after)
        return (torch.cat([old, v]) - torch.cat([goal, aims]).to(net.device)).square().mean((1, 2, 3))

    def advance(self, drawn, own):
        """Replaces some of the states that were drawn from the pool. A state goes on to the next jump, from
        the teacher's landing or from the student's; the others, and all after the last jump, make room for
        new noise."""
        some = drawn[: max(1, round(len(drawn) / self.uses))]
        x, jump, labels, after = (part[some] for part in self.pool)
        mine = torch.rand(len(some), generator=self.generator) < 0.5
        done = (torch.rand(len(some), generator=self.generator) >= ONWARD) | (jump == len(self.path) - 1)
        noise, others = self.fresh(len(some), self.generator)
        x = torch.where(mine[:, None, None, None], own[: len(some)], after)
        x, jump = torch.where(done[:, None, None, None], noise, x), torch.where(done, 0, jump + 1)
        labels = torch.where(done, others, labels)
        for part, new in zip(self.pool, (x, jump, labels, self.follow(x, jump, labels))):
            part[some] = new

    @torch.no_grad()
    def validate(self, net):
        """The distance between the student's landings and the teacher's: for each jump from the teacher's
        states, and for all jumps in turn."""
        labels, states = self.walks

        def leap(x, i):
            jump = torch.full_like(labels, i)
            v = net(
                x.to(net.device),
                self.path[jump, 0].to(net.device),
                class_labels=(labels + self.none + 1).to(net.device),
            )
            return self.land(x, jump, v.sample.float().cpu())

        x, off = states[0], lambda x, i: ((x - states[i]).square().mean() / states[i].square().mean()).item()
        jumps = range(len(self.path))
        each = " ".join(f"{off(leap(states[i], i), i + 1):.4f}" for i in jumps)
        for i in jumps:
            x = leap(x, i)
        return (
            super().validate(net)
            + f"; jumps off by {each} of the power, in a row {off(x, len(self.path)):.4f}"
        )
