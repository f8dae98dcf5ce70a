# SPDX-License-Identifier: LGPL-2.1-or-later
"""Grain as a function with gradients, so that a decoder can be trained through it.

The library's grain (lib/audio/grain.c) turns smooth places of a mel into white noise. This one multiplies
such places by the power of a mel of white noise, which varies in the same way.
"""

import functools

import torch
from torch.nn import functional as F

from . import audio

PLAIN, CLEAR, ATTACK = (
    5.0,
    12.0,
    5.0,
)  # dB: out of the surroundings and still noise; surely none; per frame, an attack
REACH = 2  # bands and frames around what stands out that belong to it
SECONDS = 60  # of white noise, to cut from
DB = audio.MEL["db_range"]


def freedom(weights):
    """The number of independent bins in a band. Bins of a Hann window that are one or two apart are
    correlated."""
    reach = torch.arange(len(weights))
    apart = (reach[:, None] - reach).abs()
    correlation = torch.where(
        apart == 0, 1.0, torch.where(apart == 1, 4 / 9, torch.where(apart == 2, 1 / 36, 0.0))
    )
    return max(1.0, float(weights.sum() ** 2 / (weights @ correlation @ weights)))


@functools.lru_cache
def gains():
    """(BANDS, 1): the mean power of noise over its median (Wilson and Hilferty 1931). A network predicts the
    median."""
    return torch.tensor([(1 - 1 / (9 * freedom(row[row > 0]))) ** -3 for row in audio.filterbank()])[:, None]


@functools.lru_cache
def white():
    """(BANDS, frames): the power of white noise in each cell, its band's mean 1."""
    noise = 0.05 * torch.randn(SECONDS * audio.RATE, generator=torch.Generator().manual_seed(99))
    power = 10 ** (audio.mel(noise).float() * DB / 10)
    return power / power.mean(1, keepdim=True)


def ridge(mel, dim):
    """By how much a cell exceeds the cells 2 and 4 before and after it."""
    most, n = torch.zeros_like(mel), mel.shape[dim]
    for d in (2, 4):
        edge = torch.full_like(mel.narrow(dim, 0, d), -torch.inf)
        before, after = (
            torch.cat([edge, mel.narrow(dim, 0, n - d)], dim),
            torch.cat([mel.narrow(dim, d, n - d), edge], dim),
        )
        most = torch.maximum(most, mel - torch.maximum(before, after))
    return most


@torch.no_grad()
def noise_share(mel):
    """Per cell: 1 for noise, 0 where a tone or an attack stands out."""
    rise = F.pad((mel[..., 2:] - mel[..., :-2]) / 2, (2, 0))
    standing = torch.maximum(rise * CLEAR / ATTACK, torch.maximum(ridge(mel, -2), ridge(mel, -1)))
    worst = DB * F.max_pool2d(standing[:, None], 2 * REACH + 1, 1, REACH)[:, 0]
    x = ((CLEAR - worst) / (CLEAR - PLAIN)).clamp(0, 1)
    return x * x * (3 - 2 * x)


def grained(mel, generator=None):
    """(n, BANDS, frames) -> the same mels with the scatter of noise, drawn anew for each. Gradients pass
    through the levels."""
    share, frames = noise_share(mel), mel.shape[-1]
    starts = torch.randint(0, white().shape[1] - frames, (len(mel),), generator=generator)
    scatter = torch.stack([white()[:, s : s + frames] for s in starts.tolist()]).to(mel.device)
    power = 1 - share + share * gains().to(mel.device) * scatter
    return (mel + 10 / DB * power.clamp(min=1e-4).log10()).clamp(min=-1)
