# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks: their sizes, their patches, running averages of their weights."""

import math

import torch
from diffusers import AutoencoderKL, UNet2DModel

from .diffusion import STEPS, scheduler  # noqa: F401 (nets.STEPS, nets.scheduler)


def alphas():
    """The share of the sound's power that is left at each of the STEPS noise levels."""
    return scheduler("sample").alphas_cumprod


def check_sizes(channels, groups, size):
    """Refuses sizes that do not fit. Each level halves height and width; normalisation splits the channels
    into groups.
    """
    if any(c % groups for c in channels):
        raise ValueError(f"--channels {','.join(map(str, channels))}: expected multiples of {groups}")
    if any(n % 2 ** (len(channels) - 1) for n in size):
        most = min((n & -n).bit_length() for n in size)
        raise ValueError(
            f"--channels has {len(channels)} levels, "
            f"but {size[0]} x {size[1]} can be halved for {most} at most"
        )


def plain_unet(channels, inputs, outputs, size, layers=1, groups=8, attention=False, classes=None):
    """A UNet2DModel of residual blocks. Only its lowest level has attention, where attention is cheap."""
    check_sizes(channels, groups, size)
    n = len(channels)
    low = "Attn" if attention else ""
    return UNet2DModel(
        sample_size=size,
        in_channels=inputs,
        out_channels=outputs,
        block_out_channels=channels,
        layers_per_block=layers,
        norm_num_groups=groups,
        add_attention=attention,
        attention_head_dim=math.gcd(32, channels[-1]),
        down_block_types=("DownBlock2D",) * (n - 1) + (low + "DownBlock2D",),
        up_block_types=(low + "UpBlock2D",) + ("UpBlock2D",) * (n - 1),
        num_class_embeds=classes,
    )


def denoiser(patch, channels, frames, layers=1):
    depth = patch[0] * patch[1]
    return plain_unet(channels, 2 * depth, depth, (128 // patch[0], frames // patch[1]), layers)


def deepened(net, weights):
    """Weights for `net` that compute the same as `weights`, which belong to a net with fewer residual blocks
    a level. The new blocks add nothing at first (Chen 2016, Net2Deeper). On the way up, they come after a
    level's first block, beside the new skip connections, and pass on what comes from below.
    """
    out, had = (
        net.state_dict(),
        {name.split(".")[3] for name in weights if name.startswith("down_blocks.0.resnets.")},
    )
    more = net.config.layers_per_block - len(had)
    for name, value in out.items():
        half, _, part, number, *rest = [*name.split("."), "", ""][:6]
        if part != "resnets" or half == "mid_block":
            value.copy_(weights[name])
            continue
        known = int(number) < len(had) if half == "down_blocks" else not 1 <= int(number) <= more
        if known:
            back = more if half == "up_blocks" and int(number) > more else 0
            value.copy_(weights[name.replace(f"resnets.{number}.", f"resnets.{int(number) - back}.")])
        elif rest[0] == "conv2":
            value.zero_()
        elif rest[0] == "conv_shortcut":
            value.zero_()
            if rest[1] == "weight":
                value[:, : len(value), 0, 0] = torch.eye(len(value))
    return out


def sfx_unet(channels, labels, shape, layers=2):
    """The U-Net for states of `shape` (c, h, w). It has a class for each label, and one for "no label"."""
    return plain_unet(
        channels,
        shape[0],
        shape[0],
        shape[1:],
        layers,
        groups=8 if any(c % 16 for c in channels) else 16,
        attention=True,
        classes=labels + 1,
    )


def autoencoder(channels, depth=8, layers=1, fold=1):
    """An AutoencoderKL for mels. `fold`: squares of so many cells a side are folded into its channels."""
    check_sizes(channels, 8, (128 // fold, 128 // fold))
    n = len(channels)
    return AutoencoderKL(
        in_channels=fold**2,
        out_channels=fold**2,
        latent_channels=depth,
        block_out_channels=channels,
        layers_per_block=layers,
        norm_num_groups=8,
        sample_size=128,
        mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * n,
        up_block_types=("UpDecoderBlock2D",) * n,
    )


def to_patches(x, patch):
    """(n, c, H, W) -> (n, c * ph * pw, H / ph, W / pw)"""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // patch[0], patch[0], w // patch[1], patch[1])
    return x.permute(0, 1, 3, 5, 2, 4).reshape(n, c * patch[0] * patch[1], h // patch[0], w // patch[1])


def from_patches(x, patch):
    n, c, h, w = x.shape
    x = x.reshape(n, c // (patch[0] * patch[1]), patch[0], patch[1], h, w)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(n, -1, h * patch[0], w * patch[1])


def fold_of(vae):
    """The cells on a side of the squares that an autoencoder's channels hold."""
    return math.isqrt(vae.config.out_channels)


def encoded(vae, mels):
    """Mels (n, 1, H, W) -> the distribution of their latents."""
    return vae.encode(to_patches(mels, (fold_of(vae),) * 2)).latent_dist


def decoded(vae, z):
    """Latents (n, c, h, w) -> mels (n, 1, H, W)."""
    return from_patches(vae.decode(z).sample, (fold_of(vae),) * 2)


class Average:
    """A running average of weights, which varies less than the last step. The average is what is exported."""

    def __init__(self, net, decay=0.999):
        self.decay, self.steps = decay, 0
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    def update(self, net):
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, value in net.state_dict().items():
            self.weights[name].lerp_(value.detach(), 1 - decay)

    def state(self):
        return dict(steps=self.steps, weights=self.weights)

    def load(self, state):
        self.steps = state["steps"]
        for name, value in state["weights"].items():
            self.weights[name].copy_(value)
