#!/usr/bin/env python3
"""Whole loops of diffusers' schedulers on tests/models/tiny-sfx: seed 42, 10 steps, no label, no guidance.

    python3 tests/golden/make_loops.py     # needs torch and diffusers 0.42; writes tests/golden/loops

For each case NAME.json is the scheduler_config.json and NAME.npy the last state, float32, (1, c, h, w).
"""

import inspect
import json
import pathlib

import diffusers
import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "loops"
COSINE = {"beta_schedule": "squaredcos_cap_v2"}
# Mostly v: a random network that predicts eps says almost nothing beside the noise.
V = {**COSINE, "prediction_type": "v_prediction"}
# Not on a cosine, not looked into yet: KDPM2 ends 9.0e-3 and DEIS 1.7e-3 of max|x| away from ours there; with Karras sigmas
# KDPM2Ancestral is not finite and DPMSolverMultistep runs over its table, in diffusers.
LINEAR_V = {"prediction_type": "v_prediction"}

CASES = {
    "ddpm": ("DDPMScheduler", {}),
    "ddpm-large-trailing": ("DDPMScheduler", {**V, "variance_type": "fixed_large", "timestep_spacing": "trailing"}),
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
    "dpm-multi-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "prediction_type": "sample"}),
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
}


def step(scheduler, net, x, t, i, generator):
    def call(x, told):
        given = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        told = torch.as_tensor(told, dtype=torch.float32)
        return net(given, told, class_labels=torch.tensor([4])).sample

    if isinstance(scheduler, diffusers.ScoreSdeVeScheduler):
        sigma = scheduler.sigmas[i]
        x = scheduler.step_correct(call(x, sigma), x, generator=generator).prev_sample
        result = scheduler.step_pred(call(x, sigma), t, x, generator=generator)
        return result.prev_sample if i + 1 < len(scheduler.timesteps) else result.prev_sample_mean
    takes = inspect.signature(scheduler.step).parameters
    return scheduler.step(call(x, t), t, x, **({"generator": generator} if "generator" in takes else {})).prev_sample


@torch.no_grad()
def run(net, scheduler, steps=10, seed=42):
    scheduler.set_timesteps(steps)
    if isinstance(scheduler, diffusers.ScoreSdeVeScheduler):
        scheduler.set_sigmas(steps)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((1, net.config.in_channels, *net.config.sample_size), generator=generator)
    x = x * getattr(scheduler, "init_noise_sigma", 1.0)
    for i, t in enumerate(scheduler.timesteps):
        x = step(scheduler, net, x, t, i, generator)
    return x


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    net = diffusers.UNet2DModel.from_pretrained(HERE.parent / "models/tiny-sfx", subfolder="unet").float()
    for name, (cls, config) in CASES.items():
        scheduler = getattr(diffusers, cls)(**config)
        x = run(net, scheduler)
        assert torch.isfinite(x).all(), name
        np.save(OUT / f"{name}.npy", x.numpy().astype("<f4"))
        (OUT / f"{name}.json").write_text(json.dumps({"_class_name": cls, **config}) + "\n")
        print(f"{name:20} max {x.abs().max():.3g}")
