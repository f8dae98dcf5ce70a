#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/classifier: tiny random classifiers of noisy states, their scores, and the gradient that
PyTorch's autograd finds of the log probability of a label (or of a mixture of labels).

    python3 tests/golden/make_classifier.py           # writes tests/golden/classifier
    python3 tests/golden/make_classifier.py loops     # last states of guided DDIM loops: latents-led*.f32

It needs torch, diffusers and safetensors.

A folder holds config.json and safetensors, classifier.json (timestep, shares of the labels per item) and
in.npy, scores.npy, gradient.npy: float32, (n, c, h, w) and (n, labels, 1, 1). The network is put together
here from diffusers' U-Net.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent / "classifier"


class Encoder(torch.nn.Module):
    """A U-Net without its way up: norm, SiLU, mean over all places, one layer."""

    def __init__(self, labels, **config):
        super().__init__()
        down = config["down_block_types"]
        unet = UNet2DModel(out_channels=1, up_block_types=("UpBlock2D",) * len(down), **config)
        self.unet_config, self.center = unet.config, unet.config.center_input_sample
        names = ["time_embedding", "conv_in", "down_blocks"] + (
            ["mid_block"] if unet.mid_block is not None else []
        )
        self.time_proj = unet.time_proj
        for name in names:
            setattr(self, name, getattr(unet, name))
        width = unet.config.block_out_channels[-1]
        self.conv_norm_out = torch.nn.GroupNorm(unet.config.norm_num_groups, width, unet.config.norm_eps)
        self.classifier = torch.nn.Linear(width, labels)

    def forward(self, x, timestep):
        x = 2 * x - 1 if self.center else x
        time = self.time_embedding(self.time_proj(torch.full((len(x),), timestep)).to(x.dtype))
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x, time)[0]
        if hasattr(self, "mid_block"):
            x = self.mid_block(x, time)
        return self.classifier(torch.nn.functional.silu(self.conv_norm_out(x)).mean((2, 3)))


def randomise(net):
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.3 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.2)
            else:
                p.copy_(torch.randn_like(p) / p[0].numel() ** 0.5)
        net.classifier.weight *= 4
    return net.eval()


def save(net, folder, labels, names=None):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    drop = {"out_channels", "up_block_types", "upsample_type", "_use_default_values"}
    config = {k: v for k, v in net.unet_config.items() if k not in drop and not k.startswith("_")}
    config = {"_class_name": "EncoderUNet2DModel", **config, "num_labels": labels, "pool": "mean"}
    if names:
        config["labels"] = names
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    weights = {k: v.half() for k, v in net.state_dict().items()}
    save_file(weights, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    net.load_state_dict({k: v.float() for k, v in weights.items()})


def nchw(x):
    return x.reshape(*x.shape, *(1,) * (4 - x.dim())).detach().float().numpy()


def case(name, shape, timestep, targets, **config):
    folder, labels = HERE / name, len(targets[0])
    net = randomise(
        Encoder(labels, in_channels=shape[1], layers_per_block=1, **{"norm_num_groups": 2, **config})
    )
    save(net, folder, labels)
    x = torch.randn(shape, requires_grad=True)
    net, exact = net.double(), x.double()
    scores = net(exact, timestep)
    (torch.log_softmax(scores, 1) * torch.tensor(targets, dtype=torch.float64)).sum().backward()
    (folder / "classifier.json").write_text(json.dumps({"timestep": timestep, "targets": targets}) + "\n")
    np.save(folder / "in.npy", nchw(x))
    np.save(folder / "scores.npy", nchw(scores))
    np.save(folder / "gradient.npy", nchw(x.grad))


def main():
    torch.manual_seed(17)
    plain, low = ("DownBlock2D", "DownBlock2D"), ("DownBlock2D", "AttnDownBlock2D")
    case(
        "plain",
        (2, 2, 8, 12),
        731,
        [[0, 1, 0], [0, 0, 1]],
        block_out_channels=(4, 8),
        down_block_types=plain,
        add_attention=False,
    )
    case(
        "attention",
        (1, 3, 8, 8),
        20,
        [[0, 0, 0.75, 0.25]],
        block_out_channels=(8, 16),
        down_block_types=low,
        attention_head_dim=4,
    )
    case(
        "film",
        (2, 2, 12, 8),
        400.5,
        [[1, 0], [0, 1]],
        block_out_channels=(4, 8, 8),
        act_fn="gelu",
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        attention_head_dim=8,
        resnet_time_scale_shift="scale_shift",
        attn_norm_num_groups=4,
        mid_block_scale_factor=1.4142,
    )
    case(
        "corner",
        (1, 5, 8, 4),
        3,
        [[0, 0, 0, 0, 1]],
        block_out_channels=(6, 9),
        down_block_types=plain,
        norm_num_groups=3,
        downsample_padding=0,
        act_fn="mish",
        center_input_sample=True,
        attention_head_dim=3,
        mid_block_type=None,
    )


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    labels = config.pop("num_labels")
    net = Encoder(labels, **{k: v for k, v in config.items() if k not in ("_class_name", "labels", "pool")})
    net.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return net.float().eval()


def gradient(net, x, t, label):
    x = x.detach().requires_grad_()
    torch.log_softmax(net(x, t), 1)[0, label].backward()
    return x.grad


def led(name, label, scale, labels=None, guidance=1.0, steps=10, seed=42):
    """DDIM; eps' = eps - scale sigma grad, grad no larger than what moves x_0 by 1 (rms). `labels`: with,
    without."""
    models = HERE.parent.parent / "models"
    unet = UNet2DModel.from_pretrained(models / name, subfolder="unet").float().eval()
    classifier = load(models / "tiny-led" / "classifier")
    schedule = DDIMScheduler.from_pretrained(models / name, subfolder="scheduler")
    schedule.set_timesteps(steps)
    x = torch.randn(
        (1, unet.config.in_channels, *unet.config.sample_size), generator=torch.Generator().manual_seed(seed)
    )
    for t in schedule.timesteps:
        with torch.no_grad():
            if labels:
                one, two = unet(torch.cat([x, x]), t, class_labels=torch.tensor(labels)).sample.chunk(2)
                out = two + guidance * (one - two)
            else:
                out = unet(x, t).sample
        alpha, sigma = schedule.alphas_cumprod[t] ** 0.5, (1 - schedule.alphas_cumprod[t]) ** 0.5
        grad = gradient(classifier, x, float(t), label)
        grad *= min(1, float(alpha / (sigma**2 * grad.square().mean().sqrt())))
        change = -scale * sigma * grad  # of eps; v = (eps - sigma x) / alpha
        out = out + (change / alpha if schedule.config.prediction_type == "v_prediction" else change)
        x = schedule.step(out, t, x).prev_sample
    return x


def loops():
    for name, x in {
        "latents-led": led("tiny-led", 1, 5),
        "latents-led-guided": led("tiny-sfx", 2, 5, [2, 4], 2.0),
    }.items():
        (HERE.parent / f"{name}.f32").write_bytes(x.numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    loops() if sys.argv[1:] == ["loops"] else main()
