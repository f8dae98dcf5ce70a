"""Sounds by label: windows of mel, an autoencoder that shrinks them, and a U-Net on its latents."""

import json
from pathlib import Path

import numpy as np
import soxr
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DModel

from . import audio, data, nets
from .train import by_noise

FRAMES = 256
SPEEDS = (1.0, 0.92, 1.09)  # resampled copies: another pitch, another length
SHIPPED = Path(__file__).parent.parent / "sfx"


def cut(samples, rng):
    """A window of a clip: short ones start within the first frames and end in silence, long ones anywhere."""
    length = (FRAMES - 1) * audio.HOP
    if len(samples) <= length:
        start = int(rng.integers(0, 9)) * audio.HOP
        return np.concatenate([np.zeros(start, np.float32), samples, np.zeros(length, np.float32)])[:length]
    start = int(rng.integers(0, len(samples) - length + 1))
    return samples[start:start + length]


def windows(bank, clips, speeds, rng):
    """(n, BANDS, FRAMES) float16 mels of the clips and the clip each comes from; long clips give several."""
    mels, owner = [], []
    for number, clip in enumerate(clips):
        for speed in speeds:
            samples = bank.samples(clip)
            if speed != 1:
                samples = soxr.resample(samples, audio.RATE * speed, audio.RATE).astype(np.float32)
            for _ in range(1 + len(samples) // (FRAMES * audio.HOP)):
                mels.append(audio.mel(torch.from_numpy(cut(samples, rng))).half())
                owner.append(number)
    return torch.stack(mels), np.array(owner)


class Windows:
    """The mel windows of both sides of the split, made once and kept beside the bank."""

    def __init__(self, work):
        work, bank = Path(work), data.Bank(work)
        self.path = work / "windows.pt"
        stamp = (work / "bank.json").stat().st_mtime_ns
        kept = torch.load(self.path, weights_only=False, mmap=True) if self.path.exists() else {}
        if kept.get("stamp") != stamp:
            kept = self.make(bank) | dict(stamp=stamp)
            torch.save(kept, self.path)
        self.__dict__.update(kept)

    def make(self, bank):
        labels = sorted({clip["label"] for clip in bank.clips if clip["kind"] == "sfx"})
        if not labels:
            raise ValueError("no sound effects in the prepared data: sfx needs folder/label/sound.wav")
        out = dict(labels=labels)
        for side, held, speeds in (("train", False, SPEEDS), ("held", True, (1.0,))):
            clips = bank.choose("sfx", held)
            if not clips:  # a handful of clips may all fall on one side
                clips = bank.choose("sfx", not held)
                print(f"too few sounds to hold any out: the {side} side sees what the other sees", flush=True)
            mels, owner = windows(bank, clips, speeds, np.random.default_rng(3))
            out[side] = mels
            out[side + "_labels"] = torch.tensor([labels.index(clips[i]["label"]) for i in owner])
        return out


def draw_odds(labels):
    """Rare labels are drawn more often than they occur, common ones less: by 1 / sqrt(count)."""
    count = torch.bincount(labels).clamp(min=1).double()
    return 1 / count.sqrt()[labels]


class Autoencode:
    """Task for train.Run: the autoencoder, on crops of 128 frames at random levels."""

    def __init__(self, work, channels=(16, 32, 64, 96), seed=1, width=128):
        torch.manual_seed(seed)
        self.net, self.width = nets.autoencoder(channels), width
        self.seen = Windows(work)
        self.odds = draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.checks = self.seen.held[:32, None, :, :width].float()

    def state(self):
        return dict(generator=self.generator.get_state())

    def load(self, state):
        self.generator.set_state(state["generator"])

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        starts = torch.randint(0, FRAMES - self.width + 1, (count,), generator=self.generator)
        x = torch.stack([self.seen.train[i, :, s:s + self.width].float() for i, s in zip(chosen, starts)])
        level = (torch.rand(count, generator=self.generator) * 24 - 18) * 2 / (2 * audio.MEL["db_range"])
        return (x + level[:, None, None]).clamp(-1, 1)[:, None]

    def losses(self, net, x, generator=None):
        x = x.to(net.device)
        seen = net.encode(x).latent_dist
        eps = torch.randn(seen.mean.shape, generator=generator or self.generator).to(net.device)
        wrong = (net.decode(seen.mean + seen.std * eps).sample - x).float()
        slope = wrong.diff(dim=2).abs().mean((1, 2, 3)) + wrong.diff(dim=3).abs().mean((1, 2, 3))
        size = 0.5 * (seen.mean.square() + seen.var - 1 - seen.logvar).float().mean((1, 2, 3))
        return wrong.abs().mean((1, 2, 3)) + 0.125 * slope + 1e-5 * size

    @torch.no_grad()
    def validate(self, net):
        loss = self.losses(net, self.checks, torch.Generator().manual_seed(0))
        return f"held out {loss.mean().item():.4f}"


@torch.no_grad()
def encode(vae, mels, batch=16):
    means = [vae.encode(part[:, None].float()).latent_dist.mean.half() for part in mels.split(batch)]
    return torch.cat(means)


class Diffuse:
    """Task for train.Run: v prediction on latents, min-SNR weights, labels dropped for guidance."""

    def __init__(self, work, start=SHIPPED, channels=(64, 128, 192), seed=1, dropout=0.1):
        self.seen, self.dropout = Windows(work), dropout
        self.vae, self.info = find_autoencoder(work, start)
        self.encode_all(Path(work) / "latents.pt")
        self.none = len(self.seen.labels)
        torch.manual_seed(seed)
        self.net = nets.sfx_unet(channels, self.none, tuple(self.shape))
        if start and (Path(start) / "unet").exists():
            copy_weights(self.net, self.seen.labels, Path(start))
        self.odds = draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.alphas = nets.alphas().float()
        fixed = torch.Generator().manual_seed(0)
        chosen = torch.arange(min(256, len(self.held)))
        self.checks = self.noised(self.held[chosen], self.seen.held_labels[chosen], fixed)

    def encode_all(self, path):
        key = data.digest(self.vae), self.seen.stamp
        kept = torch.load(path, weights_only=False) if path.exists() else {}
        if kept.get("key") != key:
            print("encoding the windows", flush=True)
            kept = dict(key=key, train=encode(self.vae, self.seen.train), held=encode(self.vae, self.seen.held))
            torch.save(kept, path)
        if not self.info:
            mean = kept["train"].float().mean((0, 2, 3))
            std = (kept["train"].float() - mean[:, None, None]).std()
            self.info = dict(mean=mean.tolist(), std=float(std), shape=list(kept["train"].shape[1:]))
        mean = torch.tensor(self.info["mean"])[:, None, None]
        self.shape = self.info["shape"]
        self.train, self.held = ((kept[side].float() - mean) / self.info["std"] for side in ("train", "held"))

    def state(self):
        return dict(generator=self.generator.get_state())

    def load(self, state):
        self.generator.set_state(state["generator"])

    def noised(self, x, labels, generator):
        index = torch.randint(0, nets.STEPS, (len(x),), generator=generator)
        eps = torch.randn(x.shape, generator=generator)
        a = self.alphas[index][:, None, None, None]
        return a.sqrt() * x + (1 - a).sqrt() * eps, index, labels, a.sqrt() * eps - (1 - a).sqrt() * x

    def batch(self, count):
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        dropped = torch.rand(count, generator=self.generator) < self.dropout
        labels = torch.where(dropped, self.none, self.seen.train_labels[chosen])
        return self.noised(self.train[chosen], labels, self.generator)

    def losses(self, net, batch):
        x, index, labels, goal = (part.to(net.device) for part in batch)
        wrong = (net(x, index, class_labels=labels).sample.float() - goal).square().mean((1, 2, 3))
        snr = (self.alphas / (1 - self.alphas))[batch[1]].to(net.device)
        return wrong * snr.clamp(max=5) / (snr + 1) * 2

    @torch.no_grad()
    def validate(self, net):
        guess = torch.cat([net(x.to(net.device), i.to(net.device), class_labels=c.to(net.device)).sample.float().cpu()
                           for x, i, c in zip(*(part.split(32) for part in self.checks[:3]))])
        return by_noise((guess - self.checks[3]).square().mean((1, 2, 3)), self.checks[1])


def find_autoencoder(work, start):
    """The one trained here, else the one to start from; with the shipped one comes how its latents are scaled."""
    own = Path(work) / "vae" / "net"
    if own.exists():
        return AutoencoderKL.from_pretrained(own).float().eval(), None
    if not start or not (Path(start) / "vae").exists():
        raise ValueError("no autoencoder: run `python -m recipe train --what vae` first, or give --start MODEL")
    latent = json.loads((Path(start) / "ebb.json").read_text(encoding="utf-8"))["latent"]
    return AutoencoderKL.from_pretrained(start, subfolder="vae").float().eval(), latent


def copy_weights(net, labels, start):
    """Starts from a trained U-Net: all its weights, and the embeddings of labels that have the same name."""
    old = UNet2DModel.from_pretrained(start, subfolder="unet").float().state_dict()
    info = json.loads((start / "ebb.json").read_text(encoding="utf-8"))
    names = [label["name"] for label in info["labels"]]
    table, known = "class_embedding.weight", old.pop("class_embedding.weight")
    new = net.state_dict()
    if any(new[name].shape != value.shape for name, value in old.items()):
        print(f"{start}: other sizes; starting from scratch", flush=True)
        return
    new.update(old)
    new[table] = known[info["no_label"]].repeat(len(labels) + 1, 1)  # an unknown label starts as "no label"
    for i, label in enumerate(labels):
        if label in names:
            new[table][i] = known[names.index(label)]
    net.load_state_dict(new)


@torch.no_grad()
def generate(unet, vae, info, labels, steps=20, guidance=3.5, seed=0):
    """Mels (n, BANDS, FRAMES) of the class ids in `labels`, by DPM-Solver++(2M)."""
    solver = DPMSolverMultistepScheduler.from_config(nets.scheduler("v_prediction").config, solver_order=2)
    solver.set_timesteps(steps)
    latent = info["latent"]
    x = torch.randn((len(labels), *latent["shape"]), generator=torch.Generator().manual_seed(seed))
    both = torch.cat([labels, torch.full_like(labels, info["no_label"])])
    for t in solver.timesteps:
        with_label, without = unet(torch.cat([x, x]), t, class_labels=both).sample.float().chunk(2)
        x = solver.step(without + guidance * (with_label - without), t, x).prev_sample
    x = x * latent["std"] + torch.tensor(latent["mean"])[:, None, None]
    return torch.cat([vae.decode(part).sample[:, 0] for part in x.split(8)]).clamp(-1, 1)
