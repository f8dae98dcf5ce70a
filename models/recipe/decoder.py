# SPDX-License-Identifier: LGPL-2.1-or-later
"""A new autoencoder on the latents of an old one: a wide decoder, with critics of its own.

A small decoder blurs, although the latents hold more than it draws. Here a wide one is trained from nothing
on the same latents, so that every U-Net and classifier on them remains valid. It works on squares of cells
that are folded into channels (as patches are, nets.to_patches), for its width is cheap there. No network that
judges sounds, and no embedding of one, takes part.

The decoder learns means over cells first. Then two more losses begin, each pulling as hard as its share
says, in units of the pull of the means:

- critics that look at mels in four ways (VIEWS), by hinge loss, with bounded slopes (Miyato 2018), and what
  they feel on the way of a recorded sound and of the decoder's (Larsen 2016);
- the power of each modulation frequency (texture.modulations): that of the recording, and, for what no
  recording is of, the label's usual one in the mean over the sound. A weave would be a peak there, all the
  more so in long pieces (BLOCKS).

Both losses hear a mel as the library does: with its silence (sfx.hushed) and with its grain (grain.grained).
So noise is left to the grain, and the decoder draws what is no noise. Silenced cells may be anything below.

Generated latents are smoother than recorded ones. So the critics also hear latents that the U-Net made, and
latents that it has been over from a diffusion time of REVISITED on. Of these no true mel is known: means over
coarse squares stay as the old decoder has them.

The new encoder learns to say what the old one says, by regression, in every other step. An autoencoder of
the old one's sizes begins where the old one stands, and its encoder stays.
"""

import json
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DModel
from torch import nn
from torch.nn import functional as F

from . import audio, data, diffusion, grain, nets, sfx, texture
from .train import fast_bf16

# How a critic looks at mels: kernel and strides of its layers as (bands, frames), and by how much the mel is
# reduced before
VIEWS = (
    dict(kernel=(4, 4), strides=((2, 2), (2, 2), (2, 2)), reduced=1),  # texture
    dict(kernel=(4, 4), strides=((2, 2), (2, 2), (2, 2)), reduced=2),  # its surroundings
    dict(kernel=(3, 9), strides=((1, 2), (2, 2), (2, 2)), reduced=1),  # attacks and rhythm
    dict(kernel=(9, 3), strides=((2, 1), (2, 2), (2, 2)), reduced=1),  # partials
)
CHANNELS = (64, 128, 192)
WIDTHS = (24, 48, 96)  # of a critic's layers
DETAIL = 4.0  # what is finer than 9 x 9 cells is shown to critics once more, so many times as large
CRITIC_RATE = 3e-4
EASING = 200  # steps in which critics that know nothing yet come to pull as hard as their share says
BLOCKS = ((32, 32), (64, 128))  # bands and frames of the pieces whose modulations count: texture, and a weave
REVISITED = (100, 500)  # noise levels, of 1000
COARSE = 8  # cells a side of the squares that stay
KNOWN = 24  # recorded windows of a label that say which modulations are usual
NOISE = 0.2  # most noise in a recorded sound's latents: the encoder is as unsure
LEVELS = (-18.0, 6.0)  # dB by which sounds are softer and louder for the encoder
MEANS = ((1, 0.25), (2, 0.5), (4, 1.0))  # cells a side of the squares whose means are to be right, weights
STAYS = 2.0  # weight of coarse means beside those of recorded sounds
ENCODER = 0.03  # weight of the encoder's error: of a like slope as the decoder's
SURE = 0.03  # deviation of a latent that is not smaller
SPREAD = 0.1  # weight of the logarithms of the variances beside the means, for the encoder


def around(x):
    """The mean of the 9 x 9 cells around each."""
    for size in ((9, 1), (1, 9)):
        x = F.avg_pool2d(x, size, 1, [k // 2 for k in size], count_include_pad=False)
    return x


class Critic(nn.Module):
    """Mels (n, 1, BANDS, frames) -> the features of every layer; the last are scores, of patches."""

    def __init__(self, kernel, strides, reduced):
        super().__init__()
        tame, self.reduced = nn.utils.parametrizations.spectral_norm, reduced
        sizes = (3, *WIDTHS)
        self.layers = nn.ModuleList(
            tame(nn.Conv2d(a, b, kernel, stride, [(k - 1) // 2 for k in kernel]))
            for a, b, stride in zip(sizes, sizes[1:], strides)
        )
        self.last = tame(nn.Conv2d(sizes[-1], 1, 3, 1, 1))

    def forward(self, x):
        x = F.avg_pool2d(x, self.reduced)
        fine = DETAIL * (x - around(x))
        height = torch.linspace(-1, 1, x.shape[2], device=x.device)[None, None, :, None].expand_as(x)
        x, felt = torch.cat([x, fine, height], 1), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            felt.append(x)
        return [*felt, self.last(x)]


class Critics(nn.Module):
    def __init__(self):
        super().__init__()
        self.views = nn.ModuleList(Critic(**view) for view in VIEWS)

    def forward(self, x):
        with nn.utils.parametrize.cached():
            return [critic(x) for critic in self.views]


def mean_score(felt, loss):
    """The mean over critics of `loss` of their scores."""
    return sum(loss(parts[-1].float()).mean() for parts in felt) / len(felt)


def apart(felt, real):
    """How far features are from those of the real sound, relative to the size of those."""
    pairs = [(a.float(), b.float()) for one, other in zip(felt, real) for a, b in zip(one[:-1], other[:-1])]
    return sum((a - b).abs().mean() / b.abs().mean().clamp(min=1e-6) for a, b in pairs) / len(pairs)


def unsure(means, goal):
    """How far latents are from those of the old encoder, in units of its own deviation."""
    return ((means - goal.mean) / goal.std.clamp(min=SURE)).abs().mean()


def off(guess, x):
    """As texture.off, without a kink at zero, which would pull mels that are nearly right to and fro."""
    gaps = ((weight, F.avg_pool2d(guess, size) - F.avg_pool2d(x, size)) for size, weight in MEANS)
    kink = texture.FAINT
    return sum(weight * ((gap.square() + kink**2).sqrt() - kink).mean((1, 2, 3)) for weight, gap in gaps)


def heard(mels, latent, generator):
    """Mels (n, 1, BANDS, frames) with the library's grain and silence."""
    rough = grain.grained(mels[:, 0], generator)[:, None]
    return sfx.hushed(torch.where(mels <= -1, mels, rough), latent)


def usually(mels):
    """The power of the modulations in the mean over each sound, where it sounds: (n, frequencies) for each of
    BLOCKS."""
    means = []
    for block in BLOCKS:
        ripples = texture.modulations(mels, block)
        counted = texture.sounding(ripples, block)
        counted = (counted | ~counted.any(1, keepdim=True))[:, :, None, None]
        means.append(((ripples * counted).sum(1) / counted.sum(1)).flatten(1))
    return means


def wrong_by(means, goals, measure=F.l1_loss):
    """The mean over BLOCKS of how far modulations are from their goals."""
    return sum(measure(a, b) for a, b in zip(means, goals)) / len(BLOCKS)


# ---- latents without a recording ----

# x_0 from (x_t, the net's answer, a, s), where x_t = a x_0 + s noise
CLEAN = dict(
    v_prediction=lambda x, answer, a, s: a * x - s * answer,
    epsilon=lambda x, answer, a, s: (x - s * answer) / a,
    sample=lambda x, answer, a, s: answer,
)


@torch.no_grad()
def revisited(unet, schedule, x, labels, generator):
    """States x_0 (n, c, h, w) after the U-Net has been over them: noise is added and taken away again, in two
    steps of DDIM."""
    index = torch.randint(*REVISITED, (len(x),), generator=generator)
    eps, alphas = torch.randn(x.shape, generator=generator), schedule.alphas_cumprod
    for level in (index, index // 2):
        a, s = (part[level].sqrt()[:, None, None, None] for part in (alphas, 1 - alphas))
        noisy = a * x + s * eps
        answer = unet(noisy, level, class_labels=labels).sample.float()
        x = CLEAN[schedule.config.prediction_type](noisy, answer, a, s)
        eps = (noisy - a * x) / s
    return x


def generated(unet, schedule, info, labels, seed):
    """States of the labels `labels`, with the guidance that the model recommends, by DPM-Solver++(2M)."""
    said = info.get("recommended", {})
    usual = said.get("guidance", 3)
    guidance = torch.tensor([float(label.get("guidance", usual)) for label in info["labels"]])
    way = sfx.solver(DPMSolverMultistepScheduler, schedule, solver_order=2)
    way.set_timesteps(said.get("steps", 10))
    return sfx.sample(unet, info, labels, way, guidance[labels], said.get("guidance_from", 0), seed)


def known_model(start):
    """ebb.json and the U-Net of the model whose decoder is trained."""
    if not start or not (Path(start) / "unet").exists():
        raise ValueError(
            "--what decoder learns from what a model generates, too: --start MODEL, a folder that `export` "
            "wrote"
        )
    info = json.loads((Path(start) / "ebb.json").read_text(encoding="utf-8"))
    return info, UNet2DModel.from_pretrained(start, subfolder="unet").float().eval()


def unrecorded(start, states, places, count, seed):
    """Latents that belong to no recording: `count` generated ones of each label, and as many recorded ones
    that were revisited. `states`: recorded ones; `places`: the numbers of their labels in the model, -1 where
    it has none. Returns them with the labels' numbers."""
    info, unet = known_model(start)
    generator, schedule = torch.Generator().manual_seed(seed), diffusion.load_scheduler(start)
    labels, made = torch.arange(len(info["labels"])).repeat_interleave(count), []
    odds = sfx.draw_odds(places.clamp(min=0)) * (places >= 0)
    chosen = torch.multinomial(odds, len(labels), True, generator=generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
        for i, part in enumerate(labels.split(32)):
            made.append(generated(unet, schedule, info, part, seed + 1000 * i))
        for part in chosen.split(32):
            made.append(revisited(unet, schedule, states[part].float(), places[part], generator))
    return dict(made=torch.cat(made).half(), labels=torch.cat([labels, places[chosen]]))


# ---- the task ----


def sizes_of(vae):
    return [list(vae.config.block_out_channels), vae.config.layers_per_block, vae.config.out_channels]


class Renew(texture.Decoding):
    """The task. The first half of a batch are recorded latents, the others belong to no recording.

    `begin`: the step at which the critics begin. `made`: generated latents of each label. `share`, `weave`:
    how hard the critics and the power of modulations pull. `felt`: weight of what the critics feel on the way
    beside their scores.
    """

    layout = torch.channels_last

    def __init__(
        self,
        work,
        start=sfx.SHIPPED,
        seed=1,
        channels=CHANNELS,
        layers=1,
        fold=2,
        begin=400,
        share=1.0,
        felt=2.0,
        weave=0.3,
        made=16,
        latent=None,
    ):
        super().__init__(work, "decoder", start, seed, latent)
        self.old = self.vae.requires_grad_(False)
        was, now = (2 ** (len(width) - 1) for width in (self.old.config.block_out_channels, channels))
        if fold * now != nets.fold_of(self.old) * was:
            raise ValueError(
                f"--channels with {len(channels)} levels and --fold {fold}: expected levels and fold that "
                f"make {nets.fold_of(self.old) * was} cells of one, as the latents have it"
            )
        self.net = nets.autoencoder(channels, self.shape[0], layers, fold)
        self.new = sizes_of(self.net) != sizes_of(self.old)
        if not self.new:
            self.net.load_state_dict(self.old.state_dict())
            for part in (self.net.encoder, self.net.quant_conv):
                part.requires_grad_(False)
        self.critics = Critics().to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.critics.parameters(), CRITIC_RATE, (0.5, 0.9))
        self.begin, self.share, self.felt, self.weave, self.steps = begin, share, felt, weave, 0
        self.odds = sfx.draw_odds(self.seen.train_labels)
        self.gather(Path(work) / "unrecorded.pt", start, made, seed)

    def gather(self, path, start, count, seed):
        """What no recording is of, and recorded windows of the same labels for the critics to compare."""
        info, unet = known_model(start)
        names = [label["name"] for label in info["labels"]]
        places = torch.tensor([names.index(name) if name in names else -1 for name in self.seen.labels])
        places = places[self.seen.train_labels]
        if not (places >= 0).any():
            raise ValueError(f"--start {start}: a model of none of the prepared sounds' labels")
        states = (self.train - torch.tensor(self.info["mean"])[:, None, None]) / self.info["std"]
        asked = [
            data.digest(unet),
            self.seen.stamp,
            sfx.space(self.old),
            info.get("recommended", {}),
            count,
            seed,
        ]
        kept = data.cached(path, asked, lambda: unrecorded(start, states, places, count, seed))
        known = torch.isin(kept["labels"], places)
        self.made, labels = sfx.as_encoded(kept["made"].float(), self.info)[known], kept["labels"][known]
        self.made_odds = sfx.draw_odds(labels)
        self.alike = [(places == label).nonzero()[:, 0] for label in labels]
        usual = {int(i): self.usual((places == i).nonzero()[:KNOWN, 0]) for i in labels.unique()}
        self.made_usual = [usual[int(i)] for i in labels]

    def usual(self, windows):
        """The mean power of the modulations of recorded sounds, for each of BLOCKS."""
        mels = sfx.hushed(self.seen.train[windows][:, None].float(), self.info)
        return [ripples.mean(0) for ripples in usually(mels)]

    def about(self):
        """`taught_by`: the encoder, as it was and as it is shipped."""
        return dict(super().about(), taught_by=[sfx.space(vae) for vae in (self.old, sfx.shipped(self.old))])

    def state(self):
        more = dict(
            critics=self.critics.state_dict(), optimiser=self.optimiser.state_dict(), steps=self.steps
        )
        return dict(super().state(), **more)

    def load(self, state):
        super().load(state)
        self.critics.to(self.net.device)  # first: its optimiser's state follows the weights
        self.critics.load_state_dict(state["critics"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]

    def batch(self, count):
        """Latents, some with noise; mels: theirs, as far as they are recorded, then others of the same
        labels; mels at other levels for the encoder; the usual modulations of the others; and how many
        latents are recorded: all before critics begin."""
        pick = lambda odds, n: torch.multinomial(odds, n, True, generator=self.generator)
        uniform = lambda *shape: torch.rand(shape, generator=self.generator)
        known = max(1, count // 2) if self.steps >= self.begin else count
        recorded = pick(self.odds, known)
        made = pick(self.made_odds, count - known) if known < count else recorded[:0]
        others = [alike[int(uniform(1) * len(alike))] for alike in (self.alike[i] for i in made.tolist())]
        z = self.train[recorded].float()
        z = z + NOISE * uniform(len(z), 1, 1, 1) * torch.randn(z.shape, generator=self.generator)
        mels = self.seen.train[torch.cat([recorded, torch.tensor(others, dtype=torch.long)])][:, None].float()
        few = max(1, count // 2)
        shift = LEVELS[0] + (LEVELS[1] - LEVELS[0]) * uniform(few, 1, 1, 1)
        louder = (mels[:few] + shift / audio.MEL["db_range"]).clamp(-1, 1)
        usual = [torch.stack(goals) for goals in zip(*(self.made_usual[i] for i in made.tolist()))]
        mels = sfx.hushed(mels, self.info)
        return torch.cat([z, self.made[made]]), mels, louder, usual, known

    def teach_critics(self, real, made):
        """Hinge loss: the scores of real patches above 1, of made ones below -1."""
        loss = mean_score(self.critics(real), lambda score: F.relu(1 - score))
        loss = loss + mean_score(self.critics(made), lambda score: F.relu(1 + score))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def pulls(self, seen, mels, usual, known):
        """The other losses, with their shares. `seen`: mels as the library hears them."""
        felt = self.critics(seen)
        with torch.no_grad():
            real = self.critics(mels[:known])
        alike = apart([[part[:known] for part in parts] for parts in felt], real)
        ease = min(1, (self.steps - self.begin + 1) / EASING)
        yield ease * self.share, mean_score(felt, lambda score: -score) + self.felt * alike
        ripples, goals = ([texture.modulations(x[:known], block) for block in BLOCKS] for x in (seen, mels))
        yield self.weave, wrong_by(ripples, goals)
        if usual:
            yield self.weave, wrong_by(usually(seen[known:]), usual, F.mse_loss)  # a peak pulls most

    def encoding(self, net, mels):
        """How far the new encoder is from the old one. Its variances are learned, too."""
        with torch.no_grad(), torch.autocast(mels.device.type, enabled=False):
            goal = nets.encoded(self.old, mels)
        guess = nets.encoded(net, mels)
        return unsure(guess.mean.float(), goal) + SPREAD * (guess.logvar.float() - goal.logvar).abs().mean()

    def strayed(self, seen, z):
        """How far coarse means are from those by the old decoder."""
        if not len(z):
            return 0
        with torch.no_grad():
            coarse = F.avg_pool2d(self.hushed(nets.decoded(self.old, z)), COARSE)
        return STAYS * (F.avg_pool2d(seen, COARSE) - coarse).abs().mean()

    def hushed(self, guess):
        return sfx.hushed(guess.detach().float().clamp(-1, 1), self.info)

    def losses(self, net, batch):
        *parts, usual, known = batch
        z, mels, louder = (part.to(net.device) for part in parts)
        usual = [goal.to(net.device) for goal in usual]
        self.critics.to(net.device)
        self.old.to(net.device)
        guess = nets.decoded(net, z).float()
        seen = self.hushed(guess).requires_grad_()  # slopes pass on to `guess` as if nothing was silenced
        wrong = off(seen[:known], mels[:known]).mean()
        (pull,) = torch.autograd.grad(wrong + self.strayed(seen[known:], z[known:]), seen)
        if self.steps >= self.begin:
            sound = heard(seen, self.info, self.generator)
            self.teach_critics(mels, sound.detach())
            size, goals = pull.norm(), list(self.pulls(sound, mels, usual, known))
            for share, goal in goals:
                (more,) = torch.autograd.grad(goal, seen, retain_graph=True)
                pull = pull + share * size / more.norm().clamp(min=1e-12) * more
        self.steps += 1
        pull = torch.where((seen <= -1) & (pull > 0), 0, pull)  # silent as it is
        pulled = (guess * pull * len(guess)).sum((1, 2, 3))  # its slope is `pull`
        loss = pulled - pulled.detach() + wrong.detach()
        return loss + ENCODER * self.encoding(net, louder) if self.new and self.steps % 2 else loss

    @torch.no_grad()
    def validate(self, net):
        x = self.seen.held[self.checks, None].float()
        off = [
            unsure(nets.encoded(net, part).mean, nets.encoded(self.old, part))
            for part in x.to(net.device).split(8)
        ]
        made = self.made[:: max(1, len(self.made) // 24)]
        mels = torch.cat([nets.decoded(net, z.to(net.device)).cpu() for z in made.split(8)]).clamp(-1, 1)
        scatter = texture.scatter(mels, mels) * audio.MEL["db_range"]
        return (
            super().validate(net)
            + f"; scatter of others {scatter:.2f} dB; encoder off by {sum(off) / len(off):.3f} deviations"
        )
