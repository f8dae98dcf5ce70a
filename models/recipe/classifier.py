# SPDX-License-Identifier: LGPL-2.1-or-later
"""The classifier of classifier guidance: log p(label | x_t, t) on latents of every noise level.

A network that guides sounds must not judge them: the judge is another network, trained separately.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from . import data, nets, sfx
from .diffusion import Process
from .train import by_noise

CHANNELS = (32, 64, 96)


class Classifier(nn.Module):
    """A classifier of noisy states: the encoder half of a UNet2DModel (with the names of its parts), then
    norm, SiLU, the mean over all places, and one linear layer."""

    def __init__(self, labels, latent, channels=CHANNELS, layers=2, groups=16, dropout=0.1):
        super().__init__()
        unet = nets.plain_unet(
            channels, latent[0], latent[0], tuple(latent[1:]), layers, groups, attention=True
        )
        for name in ("time_proj", "time_embedding", "conv_in", "down_blocks", "mid_block"):
            setattr(self, name, getattr(unet, name))
        for part in self.modules():
            if isinstance(part, nn.Dropout):
                part.p = dropout
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], eps=unet.config.norm_eps)
        self.classifier = nn.Linear(channels[-1], len(labels))
        keep = (
            "act_fn",
            "add_attention",
            "attention_head_dim",
            "attn_norm_num_groups",
            "block_out_channels",
            "down_block_types",
            "downsample_padding",
            "downsample_type",
            "flip_sin_to_cos",
            "freq_shift",
            "in_channels",
            "layers_per_block",
            "mid_block_scale_factor",
            "mid_block_type",
            "norm_eps",
            "norm_num_groups",
            "resnet_time_scale_shift",
            "sample_size",
            "time_embedding_type",
        )
        self.config = {"_class_name": "EncoderUNet2DModel"} | {key: unet.config[key] for key in keep}
        self.config |= dict(labels=list(labels), num_labels=len(labels), pool="mean")

    @property
    def device(self):
        return self.conv_in.weight.device

    def forward(self, x, t):
        """Scores (n, labels) of x (n, c, h, w) at timesteps t (n,)."""
        embedding = self.time_embedding(self.time_proj(t).to(x.dtype))
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x, embedding)[0]
        x = nn.functional.silu(self.conv_norm_out(self.mid_block(x, embedding)))
        return self.classifier(x.mean((2, 3)))

    def save_pretrained(self, folder, safe_serialization=True):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        data.write_json(folder / "config.json", self.config)
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


class Classify(sfx.Diffuse):
    """The task of training a classifier: cross-entropy of the label at every noise level, on the latents that
    the U-Net learns from."""

    def __init__(self, work, start=sfx.SHIPPED, channels=CHANNELS, seed=1, latent=None):
        self.seen, self.patch, self.process = sfx.Windows(work), None, Process()
        self.vae, self.info = sfx.find_autoencoder(work, start)
        self.info = latent or self.info
        self.prepare_states(Path(work) / "latents.pt")
        torch.manual_seed(seed)
        self.net = Classifier(self.seen.labels, self.shape, channels)
        self.odds = sfx.draw_odds(self.seen.train_labels)
        self.generator = torch.Generator().manual_seed(seed)
        fixed = torch.Generator().manual_seed(0)
        self.checks = self.noised(self.held, self.seen.held_labels, fixed)

    def batch(self, count):
        """Latents shifted in time by up to four columns, then noised."""
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        shift = int(torch.randint(-4, 5, (1,), generator=self.generator))
        return self.noised(
            torch.roll(self.train[chosen], shift, 3), self.seen.train_labels[chosen], self.generator
        )

    def losses(self, net, batch):
        x, index, labels, _ = (part.to(net.device) for part in batch)
        return nn.functional.cross_entropy(net(x, index).float(), labels, reduction="none")

    @torch.no_grad()
    def validate(self, net):
        net.eval()
        x, index, labels, _ = self.checks
        scores = torch.cat(
            [
                net(a.to(net.device), i.to(net.device)).float().cpu()
                for a, i in zip(x.split(32), index.split(32))
            ]
        )
        net.train()
        right = (scores.argmax(1) == labels).float()
        quarters = [right[index * 4 // nets.STEPS == q].mean().item() for q in range(4)]
        losses = nn.functional.cross_entropy(scores, labels, reduction="none")
        shares = " ".join(f"{q:.3f}" for q in quarters)
        return f"{by_noise(losses, index)}, right {right.mean():.3f} (by noise {shares})"


def with_weights(config, weights):
    """A Classifier built from its config."""
    latent = (config["in_channels"], *config["sample_size"])
    net = Classifier(
        config["labels"],
        latent,
        config["block_out_channels"],
        config["layers_per_block"],
        config["norm_num_groups"],
    )
    net.load_state_dict(weights)
    return net.float().eval()


def load(folder):
    """The classifier in `folder`, in float32."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return with_weights(config, load_file(Path(folder) / "diffusion_pytorch_model.safetensors"))
