# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mixes noisy recordings during the training. A mix is a sound, sometimes in a room, with noise; it is
returned as mel powers.
"""

from collections import Counter

import numpy as np
import soxr
import torch

from . import audio
from .data import STEADY, active_level

BACKGROUND = [*STEADY, "ambience"]  # effects that are noise to a denoiser
NARROW = 0.25  # part of the sounds of a low rate that count as what they are: narrow, with noise alone above
HISTORY = audio.RATE // 2  # a room answers to what came before the crop
SOUNDS = (0.42, 0.18, 0.28, 0.12)  # shares of speech, of wide-band speech, of effects, of music
QUIET = 0.1  # part of the items that have no noise


class Mixer:
    """Draws mixes from a bank. Its only state is that of a NumPy generator."""

    def __init__(self, bank, held, seed, sounds=SOUNDS, quiet=QUIET):
        self.bank, self.rng, self.quiet = bank, np.random.default_rng(seed), quiet
        speech = bank.choose("speech", held)
        wide = [clip for clip in speech if clip["rate"] >= 44100]
        effects = bank.choose("sfx", held, without=BACKGROUND)
        self.targets = [speech, wide, effects, bank.choose("music", held)]
        self.target_share = share(sounds, self.targets)
        real = bank.choose("noise", held, without=("coloured",))
        self.noises = [real, bank.choose("noise", held, ("coloured",)), bank.choose("sfx", held, BACKGROUND)]
        self.noise_share = share((0.65, 0.1, 0.25), self.noises)
        self.odds = {id(group): odds(group) for group in (*self.targets, *self.noises)}

    def pick(self, groups, shares):
        return self.one_of(groups[self.rng.choice(len(groups), p=shares)])

    def one_of(self, group):
        return group[np.searchsorted(self.odds[id(group)], self.rng.uniform(), side="right")]

    def target(self, length):
        """A stretch of a clip at an active level of 0 dB, the rate up to which it is good, and whether it is
        speech. Of effects, at times two at once.
        """
        if self.rng.uniform() < 0.12:
            return self.events(length), audio.RATE, False
        group = self.targets[self.rng.choice(len(self.targets), p=self.target_share)]
        samples, rate = self.one_target(group, length)
        if group is self.targets[2] and self.rng.uniform() < 0.3:
            more, other = self.one_target(group, length)
            return samples + 10 ** (self.rng.uniform(-15, 5) / 20) * more, min(rate, other), False
        return samples, rate, any(group is speech for speech in self.targets[:2])

    def one_target(self, group, length):
        clip = self.one_of(group)
        speed = self.speed(0.8 if group is self.targets[2] else 1 / 3)
        need = int(length * speed) + 1
        room = clip["length"] - need
        start = self.rng.integers(-need // 2, max(room, 0) + need // 4)
        if room > 0 and self.rng.uniform() < 0.7:
            start = self.rng.integers(0, room)
        reverberant = self.rng.uniform() < 0.2
        before = HISTORY if reverberant else 0
        samples = self.bank.samples(clip, int(start) - before, need + before)
        if reverberant:
            samples = self.room(samples)[before:]
        return turned(samples, speed, length) * 10 ** (-clip["level"] / 20), clip["rate"] * min(speed, 1)

    def speed(self, octaves):
        """How much faster than recorded a sound is played. Half of all sounds stay as they are, the others
        move by up to `octaves`.
        """
        return 2 ** self.rng.uniform(-octaves, octaves) if self.rng.uniform() < 0.5 else 1.0

    def room(self, samples):
        """A made-up room: the direct sound, then noise that decays and grows darker."""
        n = int(audio.RATE * self.rng.uniform(0.15, 0.5))
        t = np.arange(n) / audio.RATE
        tail = self.rng.standard_normal(n) * 10 ** (-3 * t / self.rng.uniform(0.15, 0.9))
        tail[: int(audio.RATE * self.rng.uniform(0.001, 0.02))] = 0
        size = 1 << (len(samples) + n - 1).bit_length()
        spectrum = np.fft.rfft(tail, size)
        spectrum /= 1 + np.linspace(0, 24000, len(spectrum)) / self.rng.uniform(2000, 12000)
        direct = 10 ** (self.rng.uniform(-3, 12) / 20) * np.sqrt(np.square(np.abs(spectrum)).mean())
        wet = np.fft.irfft(np.fft.rfft(samples, size) * (1 + spectrum / direct), size)
        return wet[: len(samples)].astype(np.float32)

    def noise(self, length):
        """A stretch of noise of RMS 1, at times of two kinds. There are few recordings of noise, and a net
        soon knows each of them.
        """
        samples = self.one_noise(length)
        if self.rng.uniform() < 0.4:
            samples = samples + 10 ** (self.rng.uniform(-15, 0) / 20) * self.one_noise(length)
        return unit(samples)

    def one_noise(self, length):
        if self.rng.uniform() < 0.3:
            return self.made_up(length)
        clip, speed = self.pick(self.noises, self.noise_share), self.speed(0.8)
        need = int(length * speed) + 1
        start = self.rng.integers(0, max(clip["length"] - need, 1))
        samples = self.bank.samples(clip, int(start), min(need, clip["length"]))
        samples = np.resize(np.concatenate([samples, samples[::-1]]), need)
        if self.rng.uniform() < 0.5:
            samples = samples[::-1]
        return unit(turned(samples, speed, length))

    def made_up(self, length):
        """A hiss that swells and fades, crackles, or both, in a random colour."""
        hiss = self.rng.standard_normal(length).astype(np.float32)
        if self.rng.uniform() < 0.6:  # seldom slower than 2 s, seldom faster than 30 ms
            pace = self.rng.standard_normal(
                max(int(length / audio.RATE * 10 ** self.rng.uniform(-0.3, 1.5)), 1) + 2
            )
            swell = np.interp(np.linspace(0, len(pace) - 1, length), np.arange(len(pace)), pace)
            hiss *= 10 ** (self.rng.uniform(0, 10) * swell / 20)
        dense = 10 ** self.rng.uniform(0.3, 3) * length / audio.RATE
        crackles, count = np.zeros(length, np.float32), max(int(dense), 1)
        loudness = np.exp(self.rng.uniform(0, 1.5) * self.rng.standard_normal(count))
        crackles[self.rng.integers(0, length, count)] = loudness * self.rng.standard_normal(count)
        part = self.rng.choice((0, 0, 0.5, 0.9, 1)) if dense > 1 else 0
        mixed = np.sqrt(1 - part) * unit(hiss) + np.sqrt(part) * unit(crackles)
        return unit(self.coloured(mixed))

    def events(self, length):
        """Made-up sounds that begin and die away, of noise or of tones, at an active level of 0 dB. A net
        that hears only the recorded effects takes every other effect for noise.
        """
        out = np.zeros(length)
        for _ in range(self.rng.integers(1, 9)):
            start = self.rng.integers(0, length)
            t = np.arange(length - start) / audio.RATE
            envelope = (1 - np.exp(-t / 10 ** self.rng.uniform(-4, -1.3))) * np.exp(
                -t / 10 ** self.rng.uniform(-2, 0)
            )
            if self.rng.uniform() < 0.6:
                carrier = self.rng.standard_normal(len(t))
            else:
                hz, bend = 60 * 2 ** self.rng.uniform(0, 5), self.rng.uniform(-1, 1) * self.rng.integers(0, 2)
                phase = 2 * np.pi * hz * (t + bend * t**2)
                carrier = sum(
                    k**-1.0 * np.sin(k * phase + self.rng.uniform(0, 6.3))
                    for k in range(1, self.rng.integers(2, 12))
                )
            out[start:] += 10 ** (self.rng.uniform(-15, 0) / 20) * envelope * carrier
        out = self.coloured(out)
        return (out * 10 ** (-active_level(out) / 20)).astype(np.float32)

    def coloured(self, samples):
        size = 1 << (len(samples) - 1).bit_length()
        bins = np.linspace(0, audio.N_FFT // 2, size // 2 + 1)
        colour = np.interp(bins, np.arange(audio.N_FFT // 2 + 1), self.tilt(6, 10))
        return np.fft.irfft(np.fft.rfft(samples, size) * 10 ** (colour / 20), size)[: len(samples)].astype(
            np.float32
        )

    def tilt(self, slope=2, bumps=4):
        """A random, smooth colouring, as a gain per bin in dB: it stands for another microphone."""
        octave = np.log2(np.linspace(0, audio.RATE / 2, audio.N_FFT // 2 + 1) + 50) - 10
        waves = sum(
            self.rng.uniform(-bumps, bumps)
            * np.sin(self.rng.uniform(0.5, 3) * octave + self.rng.uniform(0, 6.3))
            for _ in range(2)
        )
        return np.clip(self.rng.uniform(-slope, slope) * octave + waves, -30, 20)

    def batch(self, count, frames):
        """Powers of `count` clean and noisy mels (count, BANDS, frames), the products Re(clean noisy*), the
        bands in which an item is judged, and 1 for items of speech (count,).
        """
        length, half = (frames - 1) * audio.HOP + audio.N_FFT, (count + 1) // 2
        drawn = [self.target(length) for _ in range(half)]
        waves = np.stack([wave for wave, *_ in drawn] + [self.noise(length) for _ in range(half)])
        spectra = audio.stft(torch.from_numpy(waves.astype(np.float32)), centred=False)
        flat = np.zeros(audio.N_FFT // 2 + 1)
        colour = np.stack(
            [self.tilt() if self.rng.uniform() < 0.5 else flat for _ in range(half)]
            + [self.tilt(3, 8) if self.rng.uniform() < 0.8 else flat for _ in range(half)]
        )
        spectra *= torch.from_numpy(10 ** (colour / 20)).float()[..., None]
        # |g c + h n|^2 = g^2 |c|^2 + h^2 |n|^2 + 2 g h Re(c n*), and the mel is linear in each: two levels a
        # pair
        power = audio.mel_power(spectra).unflatten(0, (2, half))
        cross = audio.mel_cross(spectra[:half], spectra[half:])
        gains = 10 ** (torch.tensor([self.levels() for _ in range(count)]) / 20)[:, :, None, None]
        item = torch.arange(count) % half
        clean, both = gains[:, 0].square() * power[0][item], gains.prod(1) * cross[item]
        noisy = clean + gains[:, 1].square() * power[1][item] + 2 * both
        mask = torch.stack([known_bands(drawn[i][1]) for i in item])
        mask[gains[:, 0, 0, 0] < 1e-9] = 1
        mask[torch.from_numpy(self.rng.uniform(size=count) < NARROW)] = 1
        spoken = torch.tensor([float(drawn[i][2]) for i in item]) * (gains[:, 0, 0, 0] > 1e-9)
        return clean, noisy.clamp(min=0), clean + both, mask[:, :, None].expand(-1, -1, frames), spoken

    def levels(self):
        """The levels (sound, noise) in dB. Most items have both; some have the sound alone, the noise alone,
        or neither.
        """
        level, case = self.rng.uniform(-45, -12), self.rng.uniform()
        snr = self.rng.uniform(-8, 5 if self.rng.uniform() < 0.3 else 32)
        if case < self.quiet:
            return float(level), -400.0
        if case < self.quiet + 0.05:
            return -400.0, float(level - 15)
        if case < self.quiet + 0.07:
            return -400.0, -400.0
        return float(level), float(level - snr)


def unit(samples):
    """The samples at an RMS of 1."""
    return samples / np.sqrt(np.square(samples).mean() + 1e-10)


def turned(samples, speed, length):
    """`length` samples, played `speed` times as fast."""
    if speed != 1:
        samples = soxr.resample(samples, audio.RATE * speed, audio.RATE, "LQ")
    return np.resize(samples[:length], length)


def odds(group):
    """Running sums of the odds at which the clips of a group are drawn. A recording or a voice with four
    times the clips is drawn twice as often.
    """
    counts = Counter(recording(clip) for clip in group)
    sums = np.cumsum([counts[recording(clip)] ** -0.5 for clip in group])
    return sums / sums[-1] if len(sums) else sums


def recording(clip):
    """What the clips of one recording of noise, or of one voice, have in common."""
    return clip["source"] if clip["kind"] == "noise" else clip["label"]


def share(weights, groups):
    weights = np.array([weight if group else 0 for weight, group in zip(weights, groups)])
    if not weights.sum():
        raise ValueError("the denoiser needs a MANIFEST.tsv with speech or sfx, and noise")
    return weights / weights.sum()


def known_bands(rate):
    """1 for the bands below half the rate at which a source was recorded, 0 above: nothing is known there."""
    top = torch.from_numpy(audio.band_edges()[2:])
    return (top <= 0.5 * rate).float() if rate < audio.RATE else torch.ones(audio.BANDS)
