# SPDX-License-Identifier: LGPL-2.1-or-later
"""A diffusers scheduler that computes in float64, on its own float32 tables: the exact values that it rounds.

On a schedule whose first sigma is large (20 291 on a cosine), x + d * dt takes thousands from thousands and
keeps a few units: float32 leaves 1e-3 of them wrong. The loops of KDPM2, Heun and DEIS end up to 1e-2 away
from their own float64 loops there.
"""

import importlib

import torch


class Double:
    """torch, with float64 in the place of float32: some schedulers convert what they are given."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


class exact:
    """`with exact(scheduler):` after set_timesteps(); the samples given to step() are float64 then."""

    def __init__(self, scheduler):
        self.module = importlib.import_module(type(scheduler).__module__)
        for name, value in vars(scheduler).items():
            if name != "timesteps" and isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                setattr(scheduler, name, value.double())

    def __enter__(self):
        self.module.torch = Double()

    def __exit__(self, *_):
        self.module.torch = torch
