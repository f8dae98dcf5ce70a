# SPDX-License-Identifier: LGPL-2.1-or-later
"""Noise schedules, predictions and weights of the loss: tables with a row for each."""

import json
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler

STEPS = 1000

# name: the scheduler class whose config can say so, and what it says
SCHEDULES = dict(
    squaredcos_cap_v2=(DDIMScheduler, {}),  # "cosine", Nichol 2021
    linear=(DDIMScheduler, {}),  # Ho 2020
    scaled_linear=(DDIMScheduler, dict(beta_start=0.00085, beta_end=0.012)),  # Rombach 2022
    sigmoid=(DDPMScheduler, {}),  # Xu 2022
    laplace=(DDPMScheduler, {}),  # Hang 2024
)

# name: the goal from (x_0, noise, a, s), where x_t = a x_0 + s noise; and its squared error's share of x_0's,
# from the SNR
PREDICTIONS = dict(
    v_prediction=(lambda x, eps, a, s: a * eps - s * x, lambda snr: snr + 1),
    epsilon=(lambda x, eps, a, s: eps, lambda snr: snr),
    sample=(lambda x, eps, a, s: x, torch.ones_like),
)

# name: usual gamma, and the weight of the squared error of x_0 from (SNR, gamma, the prediction's share)
WEIGHTS = {
    "min-snr": (5.0, lambda snr, gamma, share: snr.clamp(max=gamma)),  # Hang 2023
    "p2": (1.0, lambda snr, gamma, share: snr / (1 + snr) ** gamma),  # Choi 2022
    "uniform": (0.0, lambda snr, gamma, share: share),
}


def scheduler(prediction, clip=False, schedule="squaredcos_cap_v2", zero_snr=False):
    """A schedule as diffusers and Ebb read it. `clip`: what is diffused lies within [-1, 1]."""
    cls, more = SCHEDULES[schedule]
    return cls(
        num_train_timesteps=STEPS,
        beta_schedule=schedule,
        prediction_type=prediction,
        clip_sample=clip,
        timestep_spacing="trailing",
        clip_sample_range=1.0,
        rescale_betas_zero_snr=zero_snr,
        **more,
    )


def load_config(folder):
    """The scheduler's config of a model folder."""
    return json.loads((Path(folder) / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))


def load_scheduler(folder):
    """The schedule of a model folder."""
    config = load_config(folder)
    return SCHEDULES[config["beta_schedule"]][0].from_config(config)


def said_by(config):
    """The options of Process that a scheduler's config speaks of."""
    return dict(
        schedule=config["beta_schedule"],
        prediction=config["prediction_type"],
        zero_snr=config.get("rescale_betas_zero_snr", False),
    )


class Process:
    """The forward process, and how wrong a net's guesses are: mean weight 1 over all noise levels."""

    def __init__(
        self,
        schedule="squaredcos_cap_v2",
        prediction="v_prediction",
        weights="min-snr",
        gamma=None,
        zero_snr=False,
        clip=False,
    ):
        if zero_snr and prediction == "epsilon":
            raise ValueError(
                "--zero-snr needs --prediction v_prediction or sample: pure noise says nothing about epsilon"
            )
        self.scheduler = scheduler(prediction, clip, schedule, zero_snr)
        self.alphas = (
            self.scheduler.alphas_cumprod.float()
        )  # the share of power that is sound, by noise level
        self.goal, share = PREDICTIONS[prediction]
        snr = self.alphas / (1 - self.alphas)
        usual, weigh = WEIGHTS[weights]
        weight = weigh(snr, usual if gamma is None else gamma, share(snr)) / share(snr).clamp(min=1e-30)
        self.weights = weight / weight.mean()

    def noised(self, x, index, generator):
        """x_0 (n, c, h, w), noise level of each -> x_t and the goal."""
        eps = torch.randn(x.shape, generator=generator)
        level = self.alphas[index][:, None, None, None]
        a, s = level.sqrt(), (1 - level).sqrt()
        return a * x + s * eps, self.goal(x, eps, a, s)

    def losses(self, guess, goal, index):
        wrong = (guess.float() - goal).square().mean((1, 2, 3))
        return wrong * self.weights[index.cpu()].to(wrong.device)
