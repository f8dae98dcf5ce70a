"""The networks: sizes, patches, running averages of weights."""

import math

from diffusers import AutoencoderKL, UNet2DModel

from .diffusion import STEPS, scheduler  # noqa: F401 (nets.STEPS, nets.scheduler)


def alphas():
    """How much of the sound's power is left at each of the STEPS noise levels."""
    return scheduler("sample").alphas_cumprod


def check_sizes(channels, groups, size):
    """Each level halves what it sees; normalisation splits the channels into groups."""
    if any(c % groups for c in channels):
        raise ValueError(f"--channels {','.join(map(str, channels))}: expected multiples of {groups}")
    if any(n % 2 ** (len(channels) - 1) for n in size):
        most = min((n & -n).bit_length() for n in size)
        raise ValueError(f"--channels has {len(channels)} levels, but {size[0]} x {size[1]} can be halved for {most} at most")


def plain_unet(channels, inputs, outputs, size, layers=1, groups=8, attention=False, classes=None):
    """A UNet2DModel of residual blocks; with attention only at its lowest level, where it is cheap."""
    check_sizes(channels, groups, size)
    n = len(channels)
    low = "Attn" if attention else ""
    return UNet2DModel(
        sample_size=size, in_channels=inputs, out_channels=outputs, block_out_channels=channels,
        layers_per_block=layers, norm_num_groups=groups, add_attention=attention,
        attention_head_dim=math.gcd(32, channels[-1]),
        down_block_types=("DownBlock2D",) * (n - 1) + (low + "DownBlock2D",),
        up_block_types=(low + "UpBlock2D",) + ("UpBlock2D",) * (n - 1), num_class_embeds=classes)


def denoiser(patch, channels, frames):
    depth = patch[0] * patch[1]
    return plain_unet(channels, 2 * depth, depth, (128 // patch[0], frames // patch[1]))


def sfx_unet(channels, labels, shape, layers=2):
    """For states of `shape` (c, h, w): one class per label and one more for "no label"."""
    return plain_unet(channels, shape[0], shape[0], shape[1:], layers, groups=8 if any(c % 16 for c in channels) else 16,
                      attention=True, classes=labels + 1)


def autoencoder(channels, depth=8, layers=1):
    check_sizes(channels, 8, (128, 128))
    n = len(channels)
    return AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=depth, block_out_channels=channels, layers_per_block=layers,
        norm_num_groups=8, sample_size=128, mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * n, up_block_types=("UpDecoderBlock2D",) * n)


def to_patches(x, patch):
    """(n, c, H, W) -> (n, c * ph * pw, H / ph, W / pw)"""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // patch[0], patch[0], w // patch[1], patch[1])
    return x.permute(0, 1, 3, 5, 2, 4).reshape(n, c * patch[0] * patch[1], h // patch[0], w // patch[1])


def from_patches(x, patch):
    n, c, h, w = x.shape
    x = x.reshape(n, c // (patch[0] * patch[1]), patch[0], patch[1], h, w)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(n, -1, h * patch[0], w * patch[1])


class Average:
    """A running average of weights: calmer than the last step's, and what is exported."""

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
