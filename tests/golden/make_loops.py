#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole loops of diffusers' schedulers on tests/models/tiny-sfx: seed 42, 10 steps, no label, no guidance.

    python3 tests/golden/make_loops.py [NAME...]   # needs torch and diffusers 0.42; writes tests/golden/loops

For each case NAME.json is the scheduler_config.json and NAME.npy the last state, float32, (1, c, h, w). Where
diffusers' float32 costs the loop more than 1e-4 of max|x|, NAME.exact.npy is what its own arithmetic in
float64 comes to (exact.py).
"""

import contextlib
import importlib
import inspect
import json
import pathlib
import sys

import diffusers
import numpy as np
import torch

from exact import exact

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "loops"
COSINE = {"beta_schedule": "squaredcos_cap_v2"}
# Mostly v: a random network that predicts eps says almost nothing beside the noise.
V = {**COSINE, "prediction_type": "v_prediction"}
LINEAR_V = {"prediction_type": "v_prediction"}

CASES = {
    "ddpm": ("DDPMScheduler", {}),
    "ddpm-large-trailing": (
        "DDPMScheduler",
        {**V, "variance_type": "fixed_large", "timestep_spacing": "trailing"},
    ),
    "ddim": ("DDIMScheduler", {"prediction_type": "sample", "timestep_spacing": "linspace"}),
    "ddim-zero-snr": ("DDIMScheduler", {**V, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}),
    "euler": ("EulerDiscreteScheduler", {**LINEAR_V, "use_karras_sigmas": True}),
    "euler-leading": ("EulerDiscreteScheduler", {**V, "timestep_spacing": "leading", "steps_offset": 1}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {**LINEAR_V}),
    "heun": ("HeunDiscreteScheduler", {**LINEAR_V, "use_karras_sigmas": True}),
    "kdpm2": ("KDPM2DiscreteScheduler", {**LINEAR_V}),
    "kdpm2-a": ("KDPM2AncestralDiscreteScheduler", {**LINEAR_V, "use_karras_sigmas": True}),
    "lms": ("LMSDiscreteScheduler", {"prediction_type": "v_prediction"}),
    "dpm-multi": ("DPMSolverMultistepScheduler", {**LINEAR_V, "use_karras_sigmas": True}),
    "dpm-multi-sde": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "prediction_type": "sample"},
    ),
    "dpm-multi-3": ("DPMSolverMultistepScheduler", {**LINEAR_V, "solver_order": 3, "use_lu_lambdas": True}),
    "dpm-single": ("DPMSolverSinglestepScheduler", {**V, "solver_order": 2}),
    "unipc": ("UniPCMultistepScheduler", {**V, "solver_order": 3}),
    "deis": ("DEISMultistepScheduler", {**LINEAR_V}),
    "pndm": ("PNDMScheduler", {**V, "skip_prk_steps": True}),
    "pndm-prk": ("PNDMScheduler", {**V}),
    "sa-solver": ("SASolverScheduler", {**V}),
    "lcm": ("LCMScheduler", {**V}),
    "tcd": ("TCDScheduler", {**V}),
    "edm-euler": ("EDMEulerScheduler", {}),
    "edm-dpm": ("EDMDPMSolverMultistepScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    "flow-heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "score-sde-ve": ("ScoreSdeVeScheduler", {"sigma_max": 50.0}),
    "cm": ("CMStochasticIterativeScheduler", {}),
    "sa-solver-noise": ("SASolverScheduler", {**LINEAR_V, "algorithm_type": "noise_prediction"}),
    "flow-dpm": (
        "DPMSolverMultistepScheduler",
        {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0},
    ),
    "flow-unipc": (
        "UniPCMultistepScheduler",
        {"use_flow_sigmas": True, "prediction_type": "flow_prediction"},
    ),
    "flow-dynamic": (
        "FlowMatchEulerDiscreteScheduler",
        {"use_dynamic_shifting": True, "shift_terminal": 0.1},
    ),
    "flow-stochastic": ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
}

# Every class on a cosine, where the first sigma is 20 291: plain, with Karras sigmas, with zero terminal SNR.
# What diffusers cannot do is left out: with Karras sigmas the solvers run over their tables and KDPM2 is not
# finite; KDPM2Ancestral is so with leading alone.
for cls in (
    "DDPM",
    "DDIM",
    "EulerDiscrete",
    "EulerAncestralDiscrete",
    "HeunDiscrete",
    "KDPM2Discrete",
    "KDPM2AncestralDiscrete",
    "LMSDiscrete",
    "DPMSolverMultistep",
    "DPMSolverSinglestep",
    "UniPCMultistep",
    "DEISMultistep",
    "SASolver",
    "LCM",
    "TCD",
):
    has = inspect.signature(getattr(diffusers, cls + "Scheduler").__init__).parameters
    plain = {**V, "timestep_spacing": "leading"} if cls == "KDPM2AncestralDiscrete" else V
    ways = {
        "": {},
        "-karras": {"use_karras_sigmas": True},
        "-zero": {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
    }
    for way, more in ways.items():
        if all(key in has for key in more):
            CASES[f"cosine-{cls}{way}"] = (cls + "Scheduler", {**plain, **more})


def mu_of(config, size):
    """calculate_shift() of diffusers' pipelines."""
    base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return base + (most - base) * (size[0] * size[1] - 256) / (4096 - 256)


def step(scheduler, net, x, t, i, generator, context):
    def call(x, told):
        given = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        told = torch.as_tensor(told, dtype=torch.float32)
        return net(given.float(), told, class_labels=torch.tensor([4])).sample.to(x.dtype)

    if isinstance(scheduler, diffusers.ScoreSdeVeScheduler):
        sigma = scheduler.sigmas[i]
        x = scheduler.step_correct(call(x, sigma), x, generator=generator).prev_sample
        result = scheduler.step_pred(call(x, sigma), t, x, generator=generator)
        return result.prev_sample if i + 1 < len(scheduler.timesteps) else result.prev_sample_mean
    takes = inspect.signature(scheduler.step).parameters
    answer = call(x, t)
    with context:
        return scheduler.step(
            answer, t, x, **({"generator": generator} if "generator" in takes else {})
        ).prev_sample


@torch.no_grad()
def run(net, cls, config, float64, steps=10, seed=42):
    scheduler = getattr(diffusers, cls)(**config)
    scheduler.set_timesteps(
        steps, **({"mu": mu_of(config, net.config.sample_size)} if config.get("use_dynamic_shifting") else {})
    )
    if isinstance(scheduler, diffusers.ScoreSdeVeScheduler):
        scheduler.set_sigmas(steps)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((1, net.config.in_channels, *net.config.sample_size), generator=generator)
    x = x * getattr(scheduler, "init_noise_sigma", 1.0)
    draws = importlib.import_module(type(scheduler).__module__)
    draw = getattr(draws, "randn_tensor", None)
    if float64:  # the same normals: torch draws others in float64
        x = x.double()
        draws.randn_tensor = lambda shape, generator=None, **_: draw(
            shape, generator=generator, dtype=torch.float32
        ).double()
    context = exact(scheduler) if float64 else contextlib.nullcontext()
    for i, t in enumerate(scheduler.timesteps):
        x = step(scheduler, net, x, t, i, generator, context)
    draws.randn_tensor = draw
    return x.double()


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    net = diffusers.UNet2DModel.from_pretrained(HERE.parent / "models/tiny-sfx", subfolder="unet").float()
    for name in sys.argv[1:] or CASES:
        cls, config = CASES[name]
        try:
            x = run(net, cls, config, False)
        except (
            IndexError,
            AssertionError,
        ):  # two visited times round to the same: it starts at the second, and runs over its end
            print(f"{name:36} left out, diffusers fails")
            continue
        better = run(net, cls, config, True) if cls != "ScoreSdeVeScheduler" else x
        if not torch.isfinite(x).all():
            print(f"{name:36} left out, diffusers is not finite")
            continue
        np.save(OUT / f"{name}.npy", x.numpy().astype("<f4"))
        rounding = ((x - better).abs().max() / better.abs().max()).item()
        if rounding > 1e-4:
            np.save(OUT / f"{name}.exact.npy", better.numpy().astype("<f4"))
        (OUT / f"{name}.json").write_text(json.dumps({"_class_name": cls, **config}) + "\n")
        print(f"{name:36} max {x.abs().max():.3g}, float32 costs {rounding:.1e}")
