# SPDX-License-Identifier: LGPL-2.1-or-later
"""Texture: trains the autoencoder's decoder further, against a critic that tells its mels from real ones.

An autoencoder with the smallest error makes smooth mels, and a smooth mel does not sound like rain, gravel or
a cymbal. So here only means over cells, at three scales, must be right. The variation of cells about the
means has two losses. One compares the power of each modulation frequency, as texture synthesis compares
statistics rather than cells (Portilla and Simoncelli 2000). The other is the critic, a patch discriminator
(Isola 2017), as autoencoders of latent diffusion have one (Rombach 2022). A critic alone accepts a regular
pattern in place of noise; in the power of modulations such a pattern is a peak. The encoder does not change,
so latents, and every U-Net and classifier on them, remain valid.
"""

import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from . import audio, nets, sfx

BLOCK = 32  # bands, and frames, of a piece whose modulations are looked at
FAINT = 0.5 / audio.MEL["db_range"]  # scatter of 0.5 dB: less than that is none


class Critic(nn.Module):
    """Mel crops (n, 1, BANDS, frames) -> a score per patch. The critic knows the height of each band, because
    texture depends on it."""

    def __init__(self, width=24):
        super().__init__()
        sizes = (2, width, 2 * width, 3 * width)
        tame = (
            nn.utils.parametrizations.spectral_norm
        )  # or its slopes, and with them the decoder, run away (Miyato 2018)
        self.body = nn.Sequential(
            *(
                part
                for a, b in zip(sizes, sizes[1:])
                for part in (tame(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2))
            ),
            tame(nn.Conv2d(sizes[-1], 1, 3, 1, 1)),
        )

    def forward(self, x):
        height = torch.linspace(-1, 1, x.shape[2], device=x.device)[None, None, :, None].expand_as(x)
        return self.body(torch.cat([x, height], 1))


def modulations(x, block=(BLOCK, BLOCK)):
    """Mels (n, 1, h, w) -> log power of the detail finer than 9 x 9 cells, by modulation frequency, in pieces
    of `block` bands and frames that overlap by half: (n, pieces, bands, frames / 2 + 1). Neighbouring
    frequencies are averaged: the strength of a modulation counts, not its phase."""
    fine = x - F.avg_pool2d(x, 9, 1, 4, count_include_pad=False)
    rows, columns = block
    pieces = fine[:, 0].unfold(1, rows, rows // 2).unfold(2, columns, columns // 2).flatten(1, 2)
    window = torch.hann_window(rows, device=x.device)[:, None] * torch.hann_window(columns, device=x.device)
    power = torch.fft.rfft2(pieces * window).abs().square()
    power = F.avg_pool2d(power, 3, 1, 1, count_include_pad=False)
    return (power + FAINT**2 * window.square().sum()).log()


def sounding(ripples, block=(BLOCK, BLOCK)):
    """Which pieces have ripples (n, pieces): those of silence have none."""
    window = torch.hann_window(block[0])[:, None] * torch.hann_window(block[1])
    return ripples.detach().mean((2, 3)) > math.log(2 * FAINT**2 * window.square().sum())


def off(guess, x):
    """The error of means over cells, and over squares of 2 and of 4 cells. Detail within a square is free."""
    return sum(
        weight * (F.avg_pool2d(guess, size) - F.avg_pool2d(x, size)).abs().mean((1, 2, 3))
        for size, weight in ((1, 0.25), (2, 0.5), (4, 1))
    )


def scatter(x, loud):
    """The deviation of cells from the mean around them, where `loud` is within 50 dB of its loudest cell."""
    heard = loud > loud.amax((1, 2, 3), keepdim=True) - 1
    return (x - F.avg_pool2d(x, 5, 1, 2))[heard].std().item()


class Decoding(sfx.Diffuse):
    """A task that trains the decoder alone, on the latents of the encoder. The rest of the autoencoder
    stays."""

    def __init__(self, work, what, start=sfx.SHIPPED, seed=1, latent=None):
        self.seen, self.patch = sfx.Windows(work), None
        self.seen.need_sounds(f"--what {what}")
        self.vae, self.info = sfx.find_autoencoder(work, start)
        self.info = latent or self.info
        self.prepare_states(Path(work) / "latents.pt")
        self.train, self.held = (sfx.as_encoded(states, self.info) for states in (self.train, self.held))
        self.net = self.vae
        for part in (self.net.encoder, self.net.quant_conv):
            part.requires_grad_(False)
        self.generator = torch.Generator().manual_seed(seed)
        self.checks = torch.arange(0, len(self.held), max(1, len(self.held) // 24))
        torch.manual_seed(seed)

    @torch.no_grad()
    def validate(self, net):
        x = self.seen.held[self.checks, None].float()
        guess = (
            torch.cat([nets.decoded(net, z.to(net.device)).cpu() for z in self.held[self.checks].split(8)])
            .float()
            .clamp(-1, 1)
        )
        made, real = (scatter(part, x) * audio.MEL["db_range"] for part in (guess, x))
        gap = modulations(guess) - modulations(x)
        habit = gap.mean((0, 1)).max() * 10 / math.log(10)  # a weave that is in all sounds
        return (
            f"held out off by {off(guess, x).mean():.4f}; scatter {made:.2f} dB, of real ones {real:.2f}; "
            f"modulations off by {gap.abs().mean() * 10 / math.log(10):.2f} dB, "
            f"strongest habit {habit:+.1f} dB"
        )


class Sharpen(Decoding):
    """The task of training the decoder on crops of 128 frames. The critic takes a step with each step of the
    decoder."""

    def __init__(
        self,
        work,
        start=sfx.SHIPPED,
        seed=1,
        width=128,
        share=0.6,
        weave=0.6,
        noise=0.2,
        critic_rate=3e-4,
        latent=None,
    ):
        super().__init__(work, "texture", start, seed, latent)
        self.width, self.noise, self.share, self.weave = width, noise, share, weave
        self.critic = Critic()
        self.optimiser = torch.optim.Adam(self.critic.parameters(), critic_rate, (0.5, 0.9))
        self.odds = sfx.draw_odds(self.seen.train_labels)

    def state(self):
        return dict(super().state(), critic=self.critic.state_dict(), optimiser=self.optimiser.state_dict())

    def load(self, state):
        super().load(state)
        self.critic.to(self.net.device)  # first: its optimiser's state follows the weights
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])

    def batch(self, count):
        """Latents with some noise, because generated latents are never exactly those of a sound; and the mels
        they come from."""
        chosen = torch.multinomial(self.odds, count, True, generator=self.generator)
        step = sfx.FRAMES // self.train.shape[-1]
        starts = torch.randint(0, (sfx.FRAMES - self.width) // step + 1, (count,), generator=self.generator)
        z = torch.stack([self.train[i, :, :, s : s + self.width // step] for i, s in zip(chosen, starts)])
        x = torch.stack(
            [self.seen.train[i, :, s * step : s * step + self.width].float() for i, s in zip(chosen, starts)]
        )
        size = self.noise * torch.rand((count, 1, 1, 1), generator=self.generator)
        return z + size * torch.randn(z.shape, generator=self.generator), x[:, None]

    def teach_critic(self, real, made):
        """Hinge loss: the scores of real patches above 1, of made ones below -1."""
        loss = F.relu(1 - self.critic(real).float()).mean() + F.relu(1 + self.critic(made).float()).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def losses(self, net, batch):
        z, x = (part.to(net.device) for part in batch)
        self.critic.to(net.device)
        guess = nets.decoded(net, z).float()
        self.teach_critic(x, guess.detach())
        seen = guess.detach().requires_grad_()
        wrong = off(seen, x)
        (pull,) = torch.autograd.grad(wrong.mean(), seen)
        size = pull.norm()  # all pull equally hard, then by share
        others = (
            (self.share, lambda: -self.critic(seen).float()),
            (self.weave, lambda: (modulations(seen) - modulations(x)).abs()),
        )
        for share, other in others:
            if share:
                (more,) = torch.autograd.grad(other().mean(), seen)
                pull = pull + share * size / more.norm().clamp(min=1e-12) * more
        pulled = (guess * pull * len(guess)).sum((1, 2, 3))  # its slope is `pull`
        return pulled - pulled.detach() + wrong.detach()
