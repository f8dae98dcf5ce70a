"""Noisy recordings made on the fly: a sound, sometimes in a room, with noise, as mel powers."""

import numpy as np
import torch

from . import audio
from .data import STEADY

HISTORY = audio.RATE // 2  # a room answers to what came before the crop


class Mixer:
    """Draws mixes from a bank; its state is that of one NumPy generator."""

    def __init__(self, bank, held, seed):
        self.bank, self.rng = bank, np.random.default_rng(seed)
        speech = bank.choose("speech", held)
        wide = [clip for clip in speech if clip["rate"] >= 44100]
        effects = bank.choose("sfx", held, without=STEADY)
        self.targets = [group for group in (speech, wide, effects, bank.choose("music", held))]
        self.target_share = share((0.40, 0.22, 0.30, 0.08), self.targets)
        real = bank.choose("noise", held, without=("coloured",))
        self.noises = [real, bank.choose("noise", held, ("coloured",)), bank.choose("sfx", held, STEADY)]
        self.noise_share = share((0.6, 0.25, 0.15), self.noises)

    def pick(self, groups, shares):
        group = groups[self.rng.choice(len(groups), p=shares)]
        return group[self.rng.integers(len(group))]

    def target(self, length):
        """A stretch of a clip at its active level of 0 dB, and the clip."""
        clip = self.pick(self.targets, self.target_share)
        room = clip["length"] - length
        start = self.rng.integers(-length // 2, max(room, 0) + length // 4)
        if room > 0 and self.rng.uniform() < 0.7:
            start = self.rng.integers(0, room)
        reverberant = self.rng.uniform() < 0.2
        before = HISTORY if reverberant else 0
        samples = self.bank.samples(clip, int(start) - before, length + before)
        if reverberant:
            samples = self.room(samples)[before:]
        return samples * 10 ** (-clip["level"] / 20), clip

    def room(self, samples):
        """A made-up room: the direct sound, then noise that decays, darker as it goes."""
        n = int(audio.RATE * self.rng.uniform(0.15, 0.5))
        t = np.arange(n) / audio.RATE
        tail = self.rng.standard_normal(n) * 10 ** (-3 * t / self.rng.uniform(0.15, 0.9))
        tail[:int(audio.RATE * self.rng.uniform(0.001, 0.02))] = 0
        size = 1 << (len(samples) + n - 1).bit_length()
        spectrum = np.fft.rfft(tail, size)
        spectrum /= 1 + np.linspace(0, 24000, len(spectrum)) / self.rng.uniform(2000, 12000)
        direct = 10 ** (self.rng.uniform(-3, 12) / 20) * np.sqrt(np.square(np.abs(spectrum)).mean())
        wet = np.fft.irfft(np.fft.rfft(samples, size) * (1 + spectrum / direct), size)
        return wet[:len(samples)].astype(np.float32)

    def noise(self, length):
        """A stretch of noise of RMS 1 over its clip, repeated where the clip is too short."""
        clip = self.pick(self.noises, self.noise_share)
        start = self.rng.integers(0, max(clip["length"] - length, 1))
        samples = self.bank.samples(clip, int(start), min(length, clip["length"]))
        samples = np.resize(np.concatenate([samples, samples[::-1]]), length)
        return samples / np.sqrt(np.square(samples).mean() + 1e-10)

    def tilt(self):
        """Gain per bin of a random, smooth colouring, in dB: another microphone."""
        octave = np.log2(np.linspace(0, audio.RATE / 2, audio.N_FFT // 2 + 1) + 50) - 10
        return np.clip(self.rng.uniform(-2, 2) * octave + self.rng.uniform(-4, 4) * np.sin(
            self.rng.uniform(0.5, 2) * octave + self.rng.uniform(0, 6.3)), -15, 15)

    def batch(self, count, frames):
        """Powers of `count` clean and noisy mels (count, BANDS, frames), and where they may be judged."""
        length, half = (frames - 1) * audio.HOP + audio.N_FFT, (count + 1) // 2
        drawn = [self.target(length) for _ in range(half)]
        waves = np.stack([wave for wave, _ in drawn] + [self.noise(length) for _ in range(half)])
        spectra = audio.stft(torch.from_numpy(waves.astype(np.float32)), centred=False)
        colour = np.stack([self.tilt() if self.rng.uniform() < 0.5 else np.zeros(audio.N_FFT // 2 + 1)
                           for _ in range(2 * half)])
        spectra *= torch.from_numpy(10 ** (colour / 20)).float()[..., None]
        # |g c + h n|^2 = g^2 |c|^2 + h^2 |n|^2 + 2 g h Re(c n*), and the mel is linear in each: two levels a pair
        power = audio.mel_power(spectra).unflatten(0, (2, half))
        cross = audio.mel_cross(spectra[:half], spectra[half:])
        gains = 10 ** (torch.tensor([self.levels() for _ in range(count)]) / 20)[:, :, None, None]
        item = torch.arange(count) % half
        clean = gains[:, 0].square() * power[0][item]
        noisy = clean + gains[:, 1].square() * power[1][item] + 2 * gains.prod(1) * cross[item]
        mask = torch.stack([known_bands(drawn[i][1]["rate"]) for i in item])
        mask[gains[:, 0, 0, 0] < 1e-9] = 1
        return clean, noisy.clamp(min=0), mask[:, :, None].expand(-1, -1, frames)

    def levels(self):
        """(sound, noise) in dB: usually both, sometimes the sound alone, the noise alone, or neither."""
        level, snr, case = self.rng.uniform(-45, -12), self.rng.uniform(-5, 30), self.rng.uniform()
        if case < 0.10:
            return float(level), -400.0
        if case < 0.15:
            return -400.0, float(level - 15)
        if case < 0.17:
            return -400.0, -400.0
        return float(level), float(level - snr)


def share(weights, groups):
    weights = np.array([weight if group else 0 for weight, group in zip(weights, groups)])
    if not weights.sum():
        raise ValueError("the denoiser needs a MANIFEST.tsv with speech or sfx, and noise")
    return weights / weights.sum()


def known_bands(rate):
    """1 for the bands below half the rate a source was recorded at: above it, it says nothing."""
    top = torch.from_numpy(audio.band_edges()[2:])
    return (top <= 0.5 * rate).float() if rate < audio.RATE else torch.ones(audio.BANDS)
