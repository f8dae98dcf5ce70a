# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes tests/golden/schedulers.txt: what diffusers' schedulers do to eight numbers, step by step.

    python tests/golden/make_schedulers.py        (diffusers 0.42, torch)

A case is a few lines of text: `case`, `class`, `key NAME VALUE`..., `steps`, then in order what happened:
`start` (the noise of the start), `call` (time the network is told as a hex double, its input, its output),
`noise` (what the scheduler drew) and `final` (the state after the last step). Vectors are float32 bits in
hex. The "network" is a fixed smooth function, its answers are in the file, so nobody has to compute it again.
Where float32 says little the scheduler computes in float64 (exact.py says why), and its states are float64
bits.
"""

import contextlib
import importlib
import inspect
import itertools
import pathlib
import struct
import sys
import types
import warnings

import numpy as np
import torch
import diffusers

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # only imported: its noise is replaced
from diffusers.schedulers import scheduling_dpmsolver_sde

from exact import exact

warnings.filterwarnings("ignore")
diffusers.utils.logging.set_verbosity_error()
SHAPE = (1, 1, 2, 4)
out = []


def vector(x):
    x = x.detach().reshape(-1).numpy()
    return (
        "".join(f"{w:016x}" for w in x.view(np.uint64))
        if x.dtype == np.float64
        else "".join(f"{w:08x}" for w in x.view(np.uint32))
    )


def ill_conditioned(config):
    """Large first sigmas; alphas of flow matching just above 0; SA-Solver's exp(h) - 1 on eps."""
    return (
        config.get("beta_schedule") == "squaredcos_cap_v2"
        or config.get("use_flow_sigmas", False)
        or config.get("algorithm_type") == "noise_prediction"
    )


def double(t):
    return struct.pack(">d", float(t)).hex()


def network(x, t, channels):
    flat = x.reshape(-1)
    phase = torch.arange(flat.numel(), dtype=torch.float32)
    first = 0.9 * torch.tanh(0.8 * flat + 0.3 * torch.sin(phase)) + 0.1 * float(np.sin(0.01 * float(t)))
    first = first.reshape(x.shape)
    if channels == 1:
        return first
    return torch.cat([first, (0.5 + 0.4 * torch.cos(phase)).reshape(x.shape)], dim=1)


def class_of(cls):
    return getattr(scheduling_dpmsolver_sde if cls == "DPMSolverSDEScheduler" else diffusers, cls)


POSITIONS = 4096  # h * w of the state that use_dynamic_shifting is thought to see


def mu_of(config):
    """calculate_shift() of diffusers' pipelines."""
    base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return base + (most - base) * (POSITIONS - 256) / (4096 - 256)


def description(name, cls, config, steps, kwargs):
    """The lines that say what is run."""
    lines = [f"case {name}", f"class {cls}"]
    for key, value in config.items():
        text = (
            f'"{value}"'
            if isinstance(value, str)
            else str(value).lower()
            if isinstance(value, bool)
            else repr(value)
        )
        lines.append(f"key {key} {text}")
    lines += [f"eta {kwargs['eta']}"] if "eta" in kwargs else []
    return lines + [f"steps {steps}"]


def prepare(cls, config, steps, draw):
    """The scheduler with its steps, which draws noise by `draw`."""
    module = importlib.import_module(class_of(cls).__module__)
    scheduler = class_of(cls)(**config)
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = draw
    scheduler.set_timesteps(steps, **({"mu": mu_of(config)} if config.get("use_dynamic_shifting") else {}))
    if cls == "ScoreSdeVeScheduler":
        scheduler.set_sigmas(steps)
    if cls == "DPMSolverSDEScheduler":
        scheduler.noise_sampler = draw
    return scheduler


def divides_by_zero(cls, config, scheduler):
    return (
        cls in ("DDPMScheduler", "DDIMScheduler")
        and scheduler.alphas_cumprod[scheduler.timesteps[0]] == 0
        and config["prediction_type"] == "epsilon"
    )


def correct_and_predict(scheduler, i, t, x, call):
    """A step of ScoreSdeVeScheduler, which asks the network twice."""
    sigma = scheduler.sigmas[i]
    x = scheduler.step_correct(call(x, t, sigma), x).prev_sample
    result = scheduler.step_pred(call(x, t, sigma), t, x)
    return result.prev_sample if i + 1 < len(scheduler.timesteps) else result.prev_sample_mean


def loop(scheduler, cls, config, x, call, kwargs):
    """The steps from the start `x`; returns the last state."""
    double64 = ill_conditioned(config)
    context = exact(scheduler) if double64 else contextlib.nullcontext()
    for i, t in enumerate(scheduler.timesteps):
        x = x.double() if double64 else x
        if cls == "ScoreSdeVeScheduler":
            x = correct_and_predict(scheduler, i, t, x, call)
        else:
            answer = call(x, t)
            with context:
                x = scheduler.step(answer.to(x.dtype), t, x, **kwargs).prev_sample
    return x


def run(name, cls, config, steps, **kwargs):
    """One loop as diffusers' pipelines have it, everything recorded."""
    torch.manual_seed(len(out))
    lines = description(name, cls, config, steps, kwargs)

    def draw(*args, **kw):
        noise = torch.randn(SHAPE)
        lines.append("noise " + vector(noise))
        return noise

    scheduler = prepare(cls, config, steps, draw)
    if divides_by_zero(cls, config, scheduler):
        print("left out, diffusers divides by zero and clips what comes of it:", name)
        return
    channels = 2 if config.get("variance_type", "").startswith("learned") else 1

    def call(x, t, told=None):
        told = t if told is None else told
        given = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        answer = network(given.float(), told, channels)
        lines.append(f"call {double(told)} {vector(given)} {vector(answer)}")
        return answer

    noise = torch.randn(SHAPE)
    lines.append("start " + vector(noise))
    x = loop(scheduler, cls, config, noise * getattr(scheduler, "init_noise_sigma", 1.0), call, kwargs)
    lines.append("final " + vector(x))
    if not torch.isfinite(x).all():
        print("left out, diffusers is not finite:", name)
        return
    out.append("\n".join(lines))


seen = set()


def cases(cls, steps, *axes, base=None, **kwargs):
    """All combinations of the axes, each a list of dicts."""
    for combination in itertools.product(*axes):
        config = dict(base or {})
        for part in combination:
            config.update(part)
        key = (cls, steps, repr(sorted(config.items())), repr(kwargs))
        if key in seen:
            continue
        seen.add(key)
        name = cls.replace("Scheduler", "") + "".join(
            f" {v if not isinstance(v, bool) else k if v else 'no ' + k}" for k, v in config.items()
        )
        try:
            run(name, cls, config, steps, **kwargs)
        except IndexError:
            # Two visited times round to the same: diffusers starts at the second and runs over its end.
            print("left out, diffusers fails:", name)
        except (ValueError, NotImplementedError) as why:
            print("left out, diffusers refuses:", name, "|", str(why)[:80])


def of(key, *values):
    return [{key: value} for value in values]


three = of("prediction_type", "epsilon", "sample", "v_prediction")
two = of("prediction_type", "epsilon", "v_prediction")
spacings = of("timestep_spacing", "leading", "linspace", "trailing")
zero = [{"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}]
grids = (
    [{}] + of("use_karras_sigmas", True) + of("use_exponential_sigmas", True) + of("use_beta_sigmas", True)
)
betas = of("beta_schedule", "linear", "scaled_linear", "squaredcos_cap_v2")
sd = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}

cases("DDPMScheduler", 5, three, spacings)
cases(
    "DDPMScheduler",
    4,
    of("variance_type", "fixed_small_log", "fixed_large", "learned", "learned_range"),
    of("steps_offset", 0, 1),
)
cases(
    "DDPMScheduler",
    4,
    of("beta_schedule", "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"),
)
cases(
    "DDPMScheduler",
    4,
    [{"thresholding": True, "sample_max_value": 1.5}, {"clip_sample": False}, {"clip_sample_range": 2.0}],
)
cases("DDPMScheduler", 4, zero)
cases(
    "DDPMScheduler",
    4,
    [{"trained_betas": [0.01 * (1 + i) for i in range(20)]}],
    base={"num_train_timesteps": 20},
)
cases("DDIMScheduler", 5, three, spacings)
cases(
    "DDIMScheduler", 5, [{"set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}], two, base=sd
)
cases("DDIMScheduler", 8, three, spacings, eta=0.7)
cases("DDIMScheduler", 4, zero)
cases("DDIMInverseScheduler", 5, two, of("timestep_spacing", "leading", "trailing"))
cases("DDIMInverseScheduler", 5, [{"set_alpha_to_one": False, "prediction_type": "sample"}])
cases("PNDMScheduler", 5, two, spacings, of("skip_prk_steps", True), base=sd)
cases("PNDMScheduler", 10, two, spacings, of("skip_prk_steps", False), base=sd)
cases("PNDMScheduler", 5, [{"skip_prk_steps": True, "steps_offset": 1, "set_alpha_to_one": False}], base=sd)

cases("EulerDiscreteScheduler", 5, three, spacings)
cases("EulerDiscreteScheduler", 5, two, grids)
cases(
    "EulerDiscreteScheduler",
    5,
    [
        {"interpolation_type": "log_linear"},
        {"final_sigmas_type": "sigma_min"},
        {"steps_offset": 1, "timestep_spacing": "leading"},
        {
            "timestep_type": "continuous",
            "prediction_type": "v_prediction",
            "use_karras_sigmas": True,
            "sigma_min": 0.002,
            "sigma_max": 700.0,
        },
    ],
    base=sd,
)
for cls in ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"):
    cases(cls, 4, zero)
cases("EulerAncestralDiscreteScheduler", 5, two, spacings)
for cls in ("HeunDiscreteScheduler", "LMSDiscreteScheduler"):
    cases(cls, 5, three, spacings)
    cases(cls, 6, two, grids)
cases("HeunDiscreteScheduler", 4, [{"clip_sample": True}, {"beta_schedule": "exp"}])
for cls in ("KDPM2DiscreteScheduler", "DPMSolverSDEScheduler"):
    cases(cls, 4, two, spacings)
    cases(cls, 4, grids)
# More steps and no beta grid: where sigma falls far in one step, float32 loses what sigma_down is made of.
cases("KDPM2AncestralDiscreteScheduler", 7, two, spacings)
cases("KDPM2AncestralDiscreteScheduler", 7, grids[:3])

cases("DPMSolverMultistepScheduler", 5, three, spacings)
cases("DPMSolverMultistepScheduler", 6, grids + of("use_lu_lambdas", True), betas[1:])
cases(
    "DPMSolverMultistepScheduler",
    6,
    of("algorithm_type", "dpmsolver++", "sde-dpmsolver++"),
    of("solver_order", 1, 2, 3),
    of("solver_type", "midpoint", "heun"),
)
cases(
    "DPMSolverMultistepScheduler",
    6,
    of("algorithm_type", "dpmsolver"),
    of("solver_order", 1, 2, 3),
    of("solver_type", "midpoint", "heun"),
    base={"final_sigmas_type": "sigma_min"},
)
cases(
    "DPMSolverMultistepScheduler",
    6,
    of("algorithm_type", "sde-dpmsolver"),
    of("solver_order", 2),
    of("solver_type", "midpoint", "heun"),
    base={"final_sigmas_type": "sigma_min"},
)
cases(
    "DPMSolverMultistepScheduler",
    16,
    of("lower_order_final", True, False),
    of("final_sigmas_type", "zero", "sigma_min"),
    base={"solver_order": 3},
)
cases(
    "DPMSolverMultistepScheduler",
    5,
    [
        {"euler_at_final": True, "final_sigmas_type": "sigma_min"},
        {"thresholding": True},
        {"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"},
        {"steps_offset": 1, "timestep_spacing": "leading"},
    ],
)
cases("DPMSolverMultistepScheduler", 5, zero)
cases("DPMSolverSinglestepScheduler", 6, three)
cases("DPMSolverSinglestepScheduler", 6, grids)
for steps in (6, 7, 8):
    cases(
        "DPMSolverSinglestepScheduler",
        steps,
        of("solver_order", 1, 2, 3),
        of("solver_type", "midpoint", "heun"),
    )
cases(
    "DPMSolverSinglestepScheduler",
    6,
    of("algorithm_type", "sde-dpmsolver++"),
    of("solver_order", 2, 3),
    of("solver_type", "midpoint", "heun"),
)
cases(
    "DPMSolverSinglestepScheduler",
    6,
    of("algorithm_type", "dpmsolver"),
    of("solver_order", 2, 3),
    of("lower_order_final", True, False),
    base={"final_sigmas_type": "sigma_min"},
)
cases("UniPCMultistepScheduler", 5, three, spacings)
cases("UniPCMultistepScheduler", 6, grids)
cases("UniPCMultistepScheduler", 6, of("solver_order", 1, 2, 3), of("solver_type", "bh1", "bh2"))
cases(
    "UniPCMultistepScheduler",
    6,
    of("solver_order", 1, 2, 3),
    of("solver_type", "bh1", "bh2"),
    base={"final_sigmas_type": "sigma_min"},
)
cases(
    "UniPCMultistepScheduler",
    6,
    of("predict_x0", False),
    of("solver_order", 2, 3),
    base={"final_sigmas_type": "sigma_min"},
)
cases("UniPCMultistepScheduler", 5, zero)
cases("DEISMultistepScheduler", 5, three, spacings)
cases("DEISMultistepScheduler", 6, of("solver_order", 1, 2, 3))

cases("SASolverScheduler", 5, three, spacings)
cases("SASolverScheduler", 8, grids[:3])
cases(
    "SASolverScheduler",
    8,
    of("predictor_order", 1, 2, 3),
    of("corrector_order", 1, 2, 3),
    of("lower_order_final", True, False),
)

cases("LCMScheduler", 4, three)
cases("LCMScheduler", 3, zero)
cases("LCMScheduler", 4, [{"original_inference_steps": 20, "timestep_scaling": 5.0, "clip_sample": True}])
cases("TCDScheduler", 4, three)
cases("TCDScheduler", 4, [{}], eta=0.0)
cases("TCDScheduler", 4, [{}], eta=1.0)
cases("EDMEulerScheduler", 5, two, of("sigma_schedule", "karras", "exponential"))
cases("EDMEulerScheduler", 5, of("final_sigmas_type", "sigma_min"))
cases("EDMDPMSolverMultistepScheduler", 6, two, of("sigma_schedule", "karras", "exponential"))
cases("EDMDPMSolverMultistepScheduler", 6, of("solver_order", 1, 3), of("solver_type", "midpoint", "heun"))
cases(
    "EDMDPMSolverMultistepScheduler",
    6,
    of("algorithm_type", "sde-dpmsolver++"),
    of("solver_type", "midpoint", "heun"),
)
cases("FlowMatchEulerDiscreteScheduler", 5, of("shift", 1.0, 3.0))
cases("FlowMatchEulerDiscreteScheduler", 5, grids[1:])
cases("FlowMatchHeunDiscreteScheduler", 5, of("shift", 1.0, 3.0))
cases("ScoreSdeVeScheduler", 6, [{}, {"snr": 0.3, "sigma_max": 50.0}])
cases("CMStochasticIterativeScheduler", 1, [{}])
cases("CMStochasticIterativeScheduler", 4, of("clip_denoised", True, False))

# Every class x prediction x spacing x {plain, Karras, zero SNR}, where it has them, on both kinds of
# schedule.
cosine = {"beta_schedule": "squaredcos_cap_v2"}
for cls in (
    "DDPM",
    "DDIM",
    "DDIMInverse",
    "PNDM",
    "EulerDiscrete",
    "EulerAncestralDiscrete",
    "HeunDiscrete",
    "KDPM2Discrete",
    "KDPM2AncestralDiscrete",
    "LMSDiscrete",
    "DPMSolverMultistep",
    "DPMSolverSinglestep",
    "DPMSolverSDE",
    "UniPCMultistep",
    "DEISMultistep",
    "SASolver",
    "LCM",
    "TCD",
):
    cls += "Scheduler"
    has = inspect.signature(class_of(cls)).parameters
    bent = [{}] + [{key: True} for key in ("use_karras_sigmas", "rescale_betas_zero_snr") if key in has]
    ways = spacings if "timestep_spacing" in has and cls not in ("LCMScheduler", "TCDScheduler") else [{}]
    for base in (dict(), cosine):
        steps = 7 if cls == "KDPM2AncestralDiscreteScheduler" else 4
        cases(cls, steps, two if cls == "PNDMScheduler" else three, ways, bent, base=base)

# Solvers and Euler on flow matching.
flow = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
dynamic = {"use_dynamic_shifting": True}
for cls in (
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler",
    "DEISMultistepScheduler",
    "SASolverScheduler",
):
    cases(
        cls,
        6,
        of("flow_shift", 1.0, 3.0),
        of("prediction_type", "flow_prediction", "epsilon", "sample"),
        base=flow,
    )
    if cls != "SASolverScheduler":
        cases(cls, 6, [dynamic], base=flow)
cases(
    "DPMSolverMultistepScheduler",
    6,
    of("solver_order", 2, 3),
    of("algorithm_type", "dpmsolver++", "sde-dpmsolver++"),
    of("final_sigmas_type", "zero", "sigma_min"),
    base=flow,
)
cases(
    "UniPCMultistepScheduler",
    6,
    [
        {"shift_terminal": 0.1},
        {"final_sigmas_type": "sigma_min"},
        {"use_karras_sigmas": True, "sigma_min": 0.01, "sigma_max": 200.0},
    ],
    base=flow,
)
cases("UniPCMultistepScheduler", 6, of("disable_corrector", [0], [1, 3]))
cases(
    "FlowMatchEulerDiscreteScheduler",
    5,
    [
        {"stochastic_sampling": True},
        {"shift_terminal": 0.1},
        {"shift_terminal": 0.1, "shift": 3.0, "stochastic_sampling": True},
    ],
)
cases(
    "FlowMatchEulerDiscreteScheduler",
    5,
    [dynamic],
    of("time_shift_type", "exponential", "linear"),
    [{}, {"base_shift": 0.3, "max_shift": 1.5}],
)
cases("FlowMatchEulerDiscreteScheduler", 5, grids[1:], of("shift", 3.0))
cases(
    "SASolverScheduler",
    8,
    of("predictor_order", 1, 2, 3),
    of("corrector_order", 1, 2, 3),
    two,
    base={"algorithm_type": "noise_prediction"},
)
cases(
    "DPMSolverMultistepScheduler",
    6,
    of("beta_schedule", "squaredcos_cap_v2"),
    of("use_lu_lambdas", True, False),
    of("lambda_min_clipped", -5.1),
    of("algorithm_type", "dpmsolver++", "sde-dpmsolver++"),
)
# Schedulers that answer many times at once take the same single steps.
for cls in ("DDPMParallelScheduler", "DDIMParallelScheduler"):
    cases(cls, 5, three)

path = pathlib.Path(__file__).with_name("schedulers.txt")
path.write_text("\n".join(out) + "\n")
print(len(out), "cases,", path.stat().st_size, "bytes, diffusers", diffusers.__version__)
