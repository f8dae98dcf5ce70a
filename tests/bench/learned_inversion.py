#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A trial of a learned inversion, beside the library's own: a small net that says how each cell of the sound
that the library made should be louder or softer, turned in phase, and how much noise belongs there. Needs
torch, diffusers, numpy and scipy.

    OMP_NUM_THREADS=1 python tests/bench/learned_inversion.py train LIBEBB WORK NET [--minutes 60]
    OMP_NUM_THREADS=1 python tests/bench/learned_inversion.py measure LIBEBB WORK NET [--generated MELS]

WORK is what `python -m recipe prepare` made. The net is of the Vocos kind (Siuzdak 2023): ConvNeXt blocks
over the frames of a mel, a head that speaks of the cells of an STFT. What it learns by is the energy distance
of spectra (Gritsenko 2020): two sounds of one mel, with other noise in them, must be as far from the true one
as from each other. It needs no critic and, unlike a mean error, is not least where noise is smeared.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
from recipe import audio, data, judge, judge_denoise, judge_sfx, nets, sfx  # noqa: E402
import bench_inversion as bench  # noqa: E402

FRAMES = 96  # of a training window
COUNT = (FRAMES - 1) * audio.HOP
BINS = audio.N_FFT // 2 + 1
KINDS = dict(sfx=1, speech=1, noise=0.5)  # how often windows of each are drawn
FFTS = (256, 1024, 4096)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix, self.norm = nn.Conv1d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.size = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x):  # (n, width, frames)
        y = self.norm(self.mix(x).transpose(1, 2))
        return x + (self.size * self.narrow(F.gelu(self.wide(y)))).transpose(1, 2)


class Finish(nn.Module):
    """Mel (n, BANDS, frames) and spectrum (n, BINS, frames) of the library's sound -> a finished spectrum."""

    def __init__(self, width=160, depth=6):
        super().__init__()
        self.look = nn.Conv1d(2 * audio.BANDS, width, 7, padding=3)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 4 * BINS)
        nn.init.normal_(self.head.weight, std=1e-3)
        self.head.bias.data = torch.cat([torch.zeros(3 * BINS), torch.full((BINS,), -2.0)])

    def say(self, mel, base):
        """The factor of the library's sound, and the level of the noise to add; both (n, BINS, frames)."""
        x = self.blocks(self.look(torch.cat([mel, audio.to_net(audio.mel_power(base))], 1)))
        tone, re, im, noise = self.head(self.norm(x.transpose(1, 2))).transpose(1, 2).chunk(4, 1)
        turn = torch.complex(1 + re, im)
        turn = turn / turn.abs().clamp(min=1e-3)
        level = audio.spread(audio.from_net(mel)).sqrt() / 30  # of a bin within its band, about
        return tone.clamp(-5, 5).exp() * turn, noise.clamp(-7, 5).exp() * level

    def forward(self, mel, base, white):
        gain, level = self.say(mel, base)
        return gain * base + level * white


def white_noise(count, length, generator=None):
    """Spectra of white noise of unit power per bin."""
    spectrum = audio.stft(torch.randn((count, length), generator=generator))
    return spectrum / spectrum.abs().square().mean().sqrt()


# ---- what is learned from ----


class Windows:
    """Windows of sound, their mels, and the library's sounds of these mels, without grain. Half of the
    effects' mels went through the autoencoder of models/sfx, so that they are as smooth as generated ones.
    """

    def __init__(self, lib, work, count, held, seed=1):
        bank, rng = data.Bank(work), np.random.default_rng(seed)
        smooth, share = bench.through(Path(data.__file__).parents[1] / "sfx"), np.array(list(KINDS.values()))
        clips = {kind: bank.choose(kind, held) for kind in KINDS}
        self.real, self.base, self.mel = (
            np.zeros(size, np.float16)
            for size in ((count, COUNT), (count, COUNT), (count, audio.BANDS, FRAMES))
        )
        for i in range(count):
            kind = rng.choice(list(KINDS), p=share / share.sum())
            clip = clips[kind][rng.integers(len(clips[kind]))]
            real = bank.samples(clip, int(rng.integers(0, max(1, clip["length"] - COUNT + 1))), COUNT)
            real = real * np.float32(10 ** rng.uniform(-0.6, 0.1))
            mel = audio.mel(torch.from_numpy(real)).numpy()
            if kind == "sfx" and rng.uniform() < 0.5:
                mel = smooth(mel)
            self.real[i], self.mel[i] = real, mel
            self.base[i] = lib.sound(torch.from_numpy(mel), False, i).numpy()

    def draw(self, chosen):
        return (
            torch.from_numpy(part[chosen].astype(np.float32)) for part in (self.real, self.mel, self.base)
        )


# ---- how far two sounds are from each other ----


def spectra(x):
    out = []
    for n in FFTS:
        window = torch.hann_window(n)
        power = torch.stft(x, n, n // 4, window=window, center=True, pad_mode="constant", return_complex=True)
        out.append((power.real.square() + power.imag.square()) / window.square().sum())
    return out


def apart(a, b, floor):
    """The distance of spectra, per clip: differences of log powers above a floor, and of roots of magnitudes,
    in which loud cells count for more.
    """
    return sum(
        ((p + floor).log() - (q + floor).log()).abs().mean((1, 2))
        + 4
        * ((p + floor) ** 0.25 - (q + floor) ** 0.25).abs().mean((1, 2))
        / ((q + floor) ** 0.25).mean((1, 2))
        for p, q in zip(a, b)
    )


def energy_loss(net, real, mel, base):
    white = [white_noise(len(real), COUNT) for _ in range(2)]
    gain, level = net.say(mel, spectrum := audio.stft(base))
    first, second = (spectra(audio.istft(gain * spectrum + level * w, COUNT)) for w in white)
    floor = 1e-6 * real.square().mean(1)[:, None, None].clamp(min=1e-8) + 1e-11
    true = spectra(real)
    return (apart(first, true, floor) + apart(second, true, floor) - apart(first, second, floor)).mean()


def train(lib, work, path, minutes, windows, batch, rate):
    torch.manual_seed(0)
    net, rng = Finish(), np.random.default_rng(0)
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters", flush=True)
    seen, held = Windows(lib, work, windows, False), Windows(lib, work, 48, True)
    print("windows made", flush=True)
    optimiser = torch.optim.AdamW(net.parameters(), rate, (0.8, 0.99), weight_decay=1e-3)
    average = nets.Average(net, 0.998)
    began = told = time.monotonic()
    step, mean = 0, None
    while (spent := (time.monotonic() - began) / 60) < minutes:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (1 - 0.95 * max(0, spent / minutes - 0.5) * 2)
        loss = energy_loss(net, *seen.draw(rng.integers(0, windows, batch)))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        average.update(net)
        if step == 1 or time.monotonic() - told > 120 or (time.monotonic() - began) / 60 >= minutes:
            told = time.monotonic()
            best = Finish()
            best.load_state_dict(average.weights)
            with torch.no_grad():
                torch.manual_seed(1 + step)
                off = np.mean(
                    [energy_loss(best, *held.draw(np.arange(i, i + 8))).item() for i in range(0, 48, 8)]
                )
            print(f"{spent:5.1f} min, step {step}: {mean:.4f}, held out {off:.4f}", flush=True)
            torch.save(dict(net=average.weights, step=step), path)


# ---- what it is worth ----


def finisher(lib, path):
    net = Finish().eval()
    net.load_state_dict(torch.load(path)["net"])

    @torch.no_grad()
    def sound(mel, seed):
        base = lib.sound(mel, False, seed)[None]
        white = white_noise(1, base.shape[1], torch.Generator().manual_seed(seed))
        return audio.istft(net(mel.float()[None], audio.stft(base), white), base.shape[1])[0]

    return sound


def speech_scores(makers, bank, count):
    """PESQ and STOI of held-out speech that went to its mel and back."""
    print(f"\n{'speech':22}{'PESQ':>9}{'STOI':>9}")
    clips = bench.pick(bank, ["speech"], count)["speech"]
    for name, make in makers.items():
        scores = []
        for seed, real in enumerate(clips):
            made = make(audio.mel(torch.from_numpy(np.append(real, np.float32(0)))), seed)[: len(real)]
            scores.append(judge_denoise.speech_scores(torch.from_numpy(real), made))
        print(f"{name:22}" + "".join(f"{value:9.3f}" for value in np.mean(scores, 0)), flush=True)


def judged(makers, work, path, seed, steps):
    """Turns generated mels, one for the label of each held-out clip, into sound. Their measure is the judge
    of `evaluate`.
    """
    seen = sfx.Windows(work)
    ear = judge_sfx.trained_judge(work, seen, steps, seed)
    held = judge.listen(ear, seen.held)[1]
    kept = torch.load(path)
    print(f"\n{len(kept['mels'])} generated mels".ljust(23) + f"{'top-1':>9}{'Frechet':>9}")
    for name, make in makers.items():
        heard = torch.stack([audio.mel(make(mel, i)) for i, mel in enumerate(kept["mels"])])
        scores, embedding = judge.listen(ear, heard)
        print(
            f"{name:22}{judge.accuracy(scores, kept['labels']).mean():9.3f}"
            f"{judge.frechet(embedding, held):9.2f}",
            flush=True,
        )


def measure(path, lib, work, net, args):
    finish = finisher(lib, net)
    makers = {
        "library": lambda mel, seed: lib.sound(mel, True, seed),
        "library, no grain": lambda mel, seed: lib.sound(mel, False, seed),
        "learned": finish,
    }
    numbers = bench.Library(path)
    more = lambda values: torch.from_numpy(
        np.pad(values, ((0, 0), (0, 1)), "edge")
    )  # covers what the bench compares
    methods = {
        name: (lambda values, seed, make=make: make(more(values), seed).numpy()[: bench.COUNT])
        for name, make in makers.items()
    }
    bank = data.Bank(work)
    bench.table(numbers, bench.pick(bank, ["speech", "sfx"], args.count), methods, lambda values: values)
    print("\nthrough the autoencoder:")
    bench.table(
        numbers,
        bench.pick(bank, ["sfx"], args.count),
        methods,
        bench.through(Path(data.__file__).parents[1] / "sfx"),
    )
    speech_scores(makers, bank, args.count)
    if args.generated:
        judged(makers, work, args.generated, args.judge_seed, args.judge_steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("train", "measure"))
    parser.add_argument("library")
    parser.add_argument("work", type=Path)
    parser.add_argument("net", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--windows", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--count", type=int, default=16, help="clips of each kind")
    parser.add_argument(
        "--generated",
        type=Path,
        help="for the judge: torch.save of mels (n, BANDS, 256) and labels (n), as sfx.generate gives them",
    )
    parser.add_argument("--judge-seed", type=int, default=5)
    parser.add_argument("--judge-steps", type=int, default=900)
    args = parser.parse_args()
    lib = judge_sfx.Inversion(args.library)
    if args.what == "train":
        train(lib, args.work, args.net, args.minutes, args.windows, args.batch, args.rate)
    else:
        measure(args.library, lib, args.work, args.net, args)


if __name__ == "__main__":
    main()
