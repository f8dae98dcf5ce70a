# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sfx model: windows of mel, an autoencoder for them, and a U-Net on its latents."""

import copy
import json
from pathlib import Path

import numpy as np
import soxr
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DModel

from . import audio, data, diffusion, nets
from .diffusion import Process
from .train import Task, by_noise

FRAMES = 256
# How clips are disturbed before the net sees them: resampled copies (another pitch, another length), frames
# of silence before a short clip, gain up or down in dB, share of windows with a second clip of the same
# label, windows of each.
AUGMENT = dict(speeds=[1.0, 0.92, 1.09], shift=8, gain=0.0, mix=0.0, copies=1)
PLAIN = dict(AUGMENT, speeds=[1.0])
TAUGHT = ("texture", "likeness")  # trainings of the decoder alone, one after the other
FAINT = 1e-8  # power of a frame, -80 dB, as in lib/model/coder.c
SHIPPED = Path(__file__).parent.parent / "sfx"


def cut(samples, rng, shift=AUGMENT["shift"]):
    """A window of a clip: short ones start within the first frames and end in silence, long ones anywhere."""
    length = (FRAMES - 1) * audio.HOP
    if len(samples) <= length:
        start = int(rng.integers(0, shift + 1)) * audio.HOP
        return np.concatenate([np.zeros(start, np.float32), samples, np.zeros(length, np.float32)])[:length]
    start = int(rng.integers(0, len(samples) - length + 1))
    return samples[start : start + length]


def disturbed(samples, others, plan, rng):
    """One window of a clip, perhaps with another of `others` in it, at another level."""
    window = cut(samples, rng, plan["shift"])
    if plan["mix"] and rng.uniform() < plan["mix"]:
        window = window + cut(others(rng), rng, plan["shift"]) * 10 ** (rng.uniform(-12, 0) / 20)
    if plan["gain"]:
        window = window * 10 ** (rng.uniform(-plan["gain"], plan["gain"]) / 20)
    return window.astype(np.float32)


def windows(bank, clips, plan, rng):
    """(n, BANDS, FRAMES) float16 mels of the clips and the clip each comes from; long clips give several."""
    mels, owner = [], []
    for number, clip in enumerate(clips):
        same = [other for other in clips if other["label"] == clip["label"]]
        others = lambda rng: bank.samples(same[rng.integers(len(same))])
        for speed in plan["speeds"]:
            samples = bank.samples(clip)
            if speed != 1:
                samples = soxr.resample(samples, audio.RATE * speed, audio.RATE).astype(np.float32)
            for _ in range(plan["copies"] * (1 + len(samples) // (FRAMES * audio.HOP))):
                mels.append(audio.mel(torch.from_numpy(disturbed(samples, others, plan, rng))).half())
                owner.append(number)
    return torch.stack(mels), np.array(owner)


class Windows:
    """The mel windows of both sides of the split, made once and kept beside the bank. `shared`: no clip is
    held out, and both sides are the same."""

    def __init__(self, work):
        work = Path(work)
        if (work / "features.pt").exists():  # from a parcel: latents and labels alone
            kept = data.load_tensors(work / "windows.pt", "unpack the parcel again")
            self.__dict__.update(dict(shared=False) | kept, stamp=kept["key"])
            return
        bank = data.Bank(work)
        kept = data.cached(work / "windows.pt", bank.stamp, lambda: self.make(bank))
        self.__dict__.update(
            kept, stamp=bank.stamp, shared=not all(bank.choose("sfx", held) for held in (True, False))
        )

    def need_sounds(self, what):
        if not hasattr(self, "train"):
            raise ValueError(f"{what} needs the sounds themselves, a parcel holds only latents")

    def need_labels(self, who, labels):
        if labels != self.labels:
            raise ValueError(
                f"{who} of the labels {', '.join(labels)}; the prepared sounds have {', '.join(self.labels)}"
            )

    def keep_labels(self, labels):
        """Forgets the sounds of other labels, and numbers these in the order given."""
        number = torch.tensor([labels.index(name) if name in labels else -1 for name in self.labels])
        for side in ("train", "held"):
            numbers = number[getattr(self, side + "_labels")]
            kept = (numbers >= 0).nonzero()[:, 0]
            setattr(self, side, getattr(self, side)[kept])
            setattr(self, side + "_labels", numbers[kept])
            captions = getattr(self, side + "_captions", None)  # an older bank has none
            if captions:
                setattr(self, side + "_captions", [captions[i] for i in kept])
        self.stamp, self.labels = [self.stamp, labels], labels

    def make(self, bank):
        labels = sorted({clip["label"] for clip in bank.clips if clip["kind"] == "sfx"})
        if not labels:
            raise ValueError("no sound effects in the prepared data: sfx needs folder/label/sound.wav")
        out = dict(labels=labels)
        for side, held, plan in (("train", False, AUGMENT | bank.augment), ("held", True, PLAIN)):
            clips = bank.choose("sfx", held)
            if not clips:  # a handful of clips may all fall on one side
                clips = bank.choose("sfx", not held)
                print(f"too few sounds to hold any out: the {side} side sees what the other sees", flush=True)
            mels, owner = windows(bank, clips, plan, np.random.default_rng(3))
            out[side] = mels
            out[side + "_labels"] = torch.tensor([labels.index(clips[i]["label"]) for i in owner])
            out[side + "_captions"] = [clips[i].get("caption", "") for i in owner]
        return out


def draw_odds(labels):
    """Rare labels are drawn more often than they occur, common ones less: by 1 / sqrt(count)."""
    count = torch.bincount(labels).clamp(min=1).double()
    return 1 / count.sqrt()[labels]


class Autoencode(Task):
    """The autoencoder, on crops of 128 frames at random levels."""

    def __init__(self, work, channels=(16, 32, 64, 96), seed=1, width=128, depth=8, layers=1, kl=1e-5):
        self.seen = Windows(work)
        self.seen.need_sounds("--what vae")
        torch.manual_seed(seed)
        self.net, self.width, self.kl = nets.autoencoder(channels, depth, layers), width, kl
        self.odds = draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.checks = self.seen.held[:32, None, :, :width].float()

    def about(self):
        return dict(sounds=self.seen.stamp)

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        starts = torch.randint(0, FRAMES - self.width + 1, (count,), generator=self.generator)
        x = torch.stack([self.seen.train[i, :, s : s + self.width].float() for i, s in zip(chosen, starts)])
        level = (torch.rand(count, generator=self.generator) * 24 - 18) * 2 / (2 * audio.MEL["db_range"])
        return (x + level[:, None, None]).clamp(-1, 1)[:, None]

    def losses(self, net, x, generator=None):
        x = x.to(net.device)
        seen = nets.encoded(net, x)
        eps = torch.randn(seen.mean.shape, generator=generator or self.generator).to(net.device)
        wrong = (nets.decoded(net, seen.mean + seen.std * eps) - x).float()
        slope = wrong.diff(dim=2).abs().mean((1, 2, 3)) + wrong.diff(dim=3).abs().mean((1, 2, 3))
        size = 0.5 * (seen.mean.square() + seen.var - 1 - seen.logvar).float().mean((1, 2, 3))
        return wrong.abs().mean((1, 2, 3)) + 0.125 * slope + self.kl * size

    @torch.no_grad()
    def validate(self, net):
        loss = self.losses(net, self.checks, torch.Generator().manual_seed(0))
        return f"held out {loss.mean().item():.4f}"


@torch.no_grad()
def encode(vae, mels, batch=16):
    means = [nets.encoded(vae, part[:, None].float()).mean.half() for part in mels.split(batch)]
    return torch.cat(means)


def encode_all(vae, seen):
    print("encoding the windows", flush=True)
    return dict(train=encode(vae, seen.train), held=encode(vae, seen.held))


def as_encoded(states, latent):
    """Latents in the scale of the encoder, from states in the scale of the diffusion."""
    return states * latent["std"] + torch.tensor(latent["mean"])[:, None, None]


class Diffuse(Task):
    """The task of training a class-conditional U-Net on latents, or on patches of the mel (`direct`: rows,
    columns). Labels are dropped at random, for guidance. `latent`: the scale of the latents when this
    training began."""

    def __init__(
        self,
        work,
        start=SHIPPED,
        channels=(64, 128, 192),
        seed=1,
        dropout=0.1,
        layers=2,
        direct=None,
        latent=None,
        **process,
    ):
        if direct and (audio.BANDS % direct[0] or FRAMES % direct[1]):
            raise ValueError(
                f"--direct {direct[0]},{direct[1]}: expected divisors of the mel's {audio.BANDS} rows and "
                f"{FRAMES} columns"
            )
        self.seen, self.dropout, self.patch = Windows(work), dropout, direct and tuple(direct)
        self.vae, self.info = (None, {}) if direct else find_autoencoder(work, start)
        self.info = latent or self.info
        self.prepare_states(Path(work) / "latents.pt")
        self.none = len(self.seen.labels)
        self.process = Process(clip=bool(direct), **process)
        torch.manual_seed(seed)
        self.net = nets.sfx_unet(channels, self.none, self.shape, layers)
        self.started = bool(start and (Path(start) / "unet").exists()) and copy_weights(
            self.net, self.seen.labels, Path(start), diffusion.said_by(self.process.scheduler.config)
        )
        self.odds = draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.alphas = self.process.alphas
        fixed = torch.Generator().manual_seed(0)
        chosen = torch.arange(256) % len(self.held)  # so many that each noise level has its share
        self.checks = self.noised(self.held[chosen].float(), self.seen.held_labels[chosen], fixed)

    def prepare_states(self, path):
        """The states to diffuse, (n, c, h, w) of a deviation near 1, for both sides of the split."""
        if self.patch:
            self.seen.need_sounds("--direct")
            self.train, self.held = (
                nets.to_patches(mels[:, None], self.patch) for mels in (self.seen.train, self.seen.held)
            )
            self.shape = tuple(self.train.shape[1:])
            return
        kept = data.cached(path, [space(self.vae), self.seen.stamp], lambda: encode_all(self.vae, self.seen))
        if not self.info or list(self.info["shape"]) != list(kept["train"].shape[1:]):
            mean = kept["train"].float().mean((0, 2, 3))
            std = (kept["train"].float() - mean[:, None, None]).std()
            self.info = dict(mean=mean.tolist(), std=float(std), shape=list(kept["train"].shape[1:]))
        mean = torch.tensor(self.info["mean"])[:, None, None]
        self.shape = tuple(self.info["shape"])
        self.train, self.held = ((kept[side].float() - mean) / self.info["std"] for side in ("train", "held"))

    def about(self):
        return dict(
            labels=self.seen.labels,
            sounds=self.seen.stamp,
            latent=self.info,
            patch=list(self.patch or (1, 1)),
            frames=FRAMES,
            autoencoder=space(self.vae) if self.vae else None,
        )

    def noised(self, x, labels, generator):
        index = torch.randint(0, nets.STEPS, (len(x),), generator=generator)
        noisy, goal = self.process.noised(x, index, generator)
        return noisy, index, labels, goal

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        dropped = torch.rand(count, generator=self.generator) < self.dropout
        labels = torch.where(dropped, self.none, self.seen.train_labels[chosen])
        return self.noised(self.train[chosen].float(), labels, self.generator)

    def losses(self, net, batch):
        x, index, labels, goal = (part.to(net.device) for part in batch)
        return self.process.losses(net(x, index, class_labels=labels).sample, goal, index)

    @torch.no_grad()
    def validate(self, net):
        guess = torch.cat(
            [
                net(x.to(net.device), i.to(net.device), class_labels=c.to(net.device)).sample.float().cpu()
                for x, i, c in zip(*(part.split(32) for part in self.checks[:3]))
            ]
        )
        return by_noise((guess - self.checks[3]).square().mean((1, 2, 3)), self.checks[1])


def space(vae):
    """A short name for an encoder. Nets on its latents stay valid as long as the name is the same; the
    decoder does not enter it."""
    return data.digest(torch.nn.ModuleList([vae.encoder, vae.quant_conv]))


def shipped(vae):
    """An autoencoder as `export` writes it: in half precision, its numbers rounded to that."""
    return copy.deepcopy(vae).half().float()


def find_autoencoder(work, start):
    """The autoencoder that was trained here, else that of the start model, which brings the scale of its
    latents. The decoder is the one of `train --what texture` or `likeness`, if these continued this
    autoencoder."""
    own, info = Path(work) / "vae" / "net", None
    if own.exists():
        vae = AutoencoderKL.from_pretrained(str(own))
    elif not start or not (Path(start) / "vae").exists():
        raise ValueError(
            "no autoencoder: run `python -m recipe train --what vae` first, or give --start MODEL"
        )
    else:
        vae = AutoencoderKL.from_pretrained(str(start), subfolder="vae")
        info = json.loads((Path(start) / "ebb.json").read_text(encoding="utf-8"))["latent"]
    for finer in (Path(work) / what / "net" for what in TAUGHT):
        if finer.exists():
            other = AutoencoderKL.from_pretrained(str(finer))
            vae = other if space(other) == space(vae) else vae
    return vae.float().eval(), info


def hushed(mels, latent):
    """Decoded mels as the library hears them: what lies below the latents' `silence` is silence, and so is a
    frame of which no more than FAINT is left."""
    silence = latent.get("silence", -1)
    if silence <= -1:
        return mels
    power = 10 ** ((mels * audio.MEL["db_range"] + audio.MEL["db_center"]) / 10)
    left = torch.where(mels < silence, 0, power).sum(-2, keepdim=True)
    return torch.where((mels < silence) | (left < FAINT), -1.0, mels)


def copy_weights(net, labels, start, process):
    """Copies the weights of a trained U-Net, and the embeddings of labels with the same name. Returns whether
    it fits. `process`: the diffusion here, as diffusion.said_by() describes it."""
    old = UNet2DModel.from_pretrained(start, subfolder="unet").float().state_dict()
    info = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
    names = [label["name"] for label in info["labels"]]
    table, new = "class_embedding.weight", net.state_dict()
    known = old.pop(table, None)
    sizes = lambda weights: {name: value.shape for name, value in weights.items() if name != table}
    if known is None or sizes(old) != sizes(new):
        print(f"{start} has a net of other sizes: starting from nothing", flush=True)
        return False
    if diffusion.said_by(diffusion.load_config(start)) != process:
        print(f"{start} was trained with another schedule or prediction: starting from nothing", flush=True)
        return False
    new.update(old)
    new[table][-1] = known[
        info["no_label"]
    ]  # unknown labels keep their random rows: copies of one would long sound alike
    for i, label in enumerate(labels):
        if label in names:
            new[table][i] = known[names.index(label)]
    net.load_state_dict(new)
    return True


def solver(cls, scheduler, **options):
    """One of diffusers' solvers on the levels of a schedule."""
    return cls.from_config(scheduler.config, trained_betas=scheduler.betas.tolist(), **options)


@torch.no_grad()
def sample(unet, info, labels, way, guidance, begin=0.0, seed=0):
    """States (n, c, h, w) of the class ids in `labels`, by the solver `way`, whose timesteps are set.
    `guidance` is a number, or one for each state, and acts at diffusion times from `begin` on."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((len(labels), unet.config.in_channels, *unet.config.sample_size), generator=generator)
    strength = torch.as_tensor(guidance, dtype=torch.float32).expand(len(labels))[:, None, None, None]
    both = torch.cat([labels, torch.full_like(labels, info["no_label"])])
    for t in way.timesteps:
        if (float(t) + 1) / diffusion.STEPS >= begin:
            with_label, without = unet(torch.cat([x, x]), t, class_labels=both).sample.float().chunk(2)
            answer = without + strength * (with_label - without)
        else:
            answer = unet(x, t, class_labels=labels).sample.float()
        x = way.step(answer, t, x, generator=generator).prev_sample
    return x


@torch.no_grad()
def generate(unet, vae, info, labels, steps=20, guidance=3.5, seed=0, scheduler=None):
    """Mels (n, BANDS, FRAMES) of the class ids in `labels`, by DPM-Solver++(2M). `vae` None: a direct
    model."""
    way = solver(DPMSolverMultistepScheduler, scheduler or nets.scheduler("v_prediction"), solver_order=2)
    way.set_timesteps(steps)
    x = sample(unet, info, labels, way, guidance, seed=seed)
    if not vae:
        return nets.from_patches(x, info["patch"])[:, 0].clamp(-1, 1)
    x = as_encoded(x, info["latent"])
    mels = torch.cat([nets.decoded(vae, part)[:, 0] for part in x.split(8)]).clamp(-1, 1)
    return hushed(mels, info["latent"])
