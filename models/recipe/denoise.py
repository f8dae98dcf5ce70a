# SPDX-License-Identifier: LGPL-2.1-or-later
"""The denoiser's diffusion.

The state is the change of the mel, x = 1 + 2 / RANGE * (clean dB - noisy dB), within [-1, 1]: +1 leaves a
cell alone, -1 takes RANGE dB away. The network also sees the noisy mel (the condition), so this is the same
process as on the mel itself, shifted. Its advantage: "leave the cell alone" is a constant, which a small
network predicts exactly.

t is the fraction of the schedule at which the reverse process starts, from a noised x of +1 (nothing
removed). A process that starts at t is to leave a share keep(t) = (1 - t)^2 of the noise. Training shows the
network first steps of such processes (a start at t) and later steps (a start at some t_s > t, with x on its
way).
"""

import math

import torch
from diffusers import UNet2DModel

from . import audio, mix, nets, train
from .train import by_noise

RANGE = 30.0
PATCH = (4, 2)
CHANNELS = (32, 48, 80, 112)
FRAMES = 64
LENGTHS = (64, 128, 256)  # frames of a crop, by turns
FIRST = 0.85  # part of the examples that start a process: one evaluation is what is used
LEAST = 3e-4  # of the energy: errors below are not heard
AUTO_T = [
    [15, 0.9],
    [20, 0.75],
    [25, 0.3],
    [30, 0],
]  # automatic t by the estimated SNR in dB: what is clean is left alone
AUTO_DOUBT = [[5, 0.9], [20, 0.3], [26, 0]]  # and by the doubt in dB, until `evaluate --write` has fitted it
AUTO_UNSURE = [[0.45, 1], [0.52, 0]]  # and where there is doubt, by how unsure the net is: 0 to 1
AUTO_VOICE = [
    [0.74, 0],
    [0.85, 1],
]  # how much the net's own SNR counts, by how much what it keeps is like a voice
PACE = 0.22  # what the pace of a voice counts beside its harmonics
COMPRESSED = 20.0  # weight of the compressed spectra's error beside the logarithm of the energy's
HOPELESS = 0.1  # a compressed error from which on it counts ever less: few items would have all the slope
HEARD_TO = int((audio.band_edges()[2:] <= 8000).sum())  # bands in which loudness counts
HUSH = 1e-5  # of a sound's mean power: what is as soft adds next to no loudness
ADDED = 0.3  # weight of loudness that is left over, beside all differences of loudness


def keep(t):
    return (1 - t) ** 2


def change(clean, noisy, part):
    """The goal x, from mel powers. `part` is the share of the noise that stays: 0 is none, 1 is all."""
    ratio = ((clean + 1e-10) / (noisy + 1e-10)).clamp(10 ** (-RANGE / 10), 1)
    return 1 + 2 / RANGE * 10 * torch.log10((1 - part) * ratio + part)


def gain(x):
    """The amplitude gain of x, at most 1: the ratio of the powers, as in a Wiener filter."""
    return 10 ** (RANGE / 20 * (x.clamp(max=1) - 1))


def predict(net, x, noisy, index, patch=PATCH):
    """One evaluation: the goal that the network sees in x (n, 1, BANDS, frames) and in the noisy mel (values
    for the net).
    """
    inputs = nets.to_patches(torch.stack([x[:, 0], noisy[:, 0]], 1), patch)
    return nets.from_patches(net(inputs, index).sample.float(), patch)


def examples(batch, alphas, generator):
    """Makes x_t, the condition, the index of the timestep, the goal, and the terms of the loss from a batch
    of mixes.
    """
    clean, noisy, both, mask = (part[:, None] for part in batch[:4])
    n = len(clean)
    t = 1 - torch.rand(n, generator=generator) ** 3  # five in eight above 3/4, where most is asked of the net
    index = (t * nets.STEPS).ceil().long().clamp(1, nets.STEPS) - 1
    t = (index + 1) / nets.STEPS
    started = t + (1 - t) * torch.rand(n, generator=generator)
    first = torch.rand(n, generator=generator) < FIRST
    aim = keep(torch.where(first, t, started))
    here = torch.where(first, torch.ones(n), aim)
    column = lambda v: v[:, None, None, None]
    eps = torch.randn(clean.shape, generator=generator)
    a = column(alphas[index])
    x = a.sqrt() * change(clean, noisy, column(here)) + (1 - a).sqrt() * eps
    return (
        x,
        audio.to_net(noisy),
        index,
        change(clean, noisy, column(aim)),
        energies(clean, noisy, both, mask, column(aim)),
        batch[4],
    )


def energies(clean, noisy, both, mask, part):
    """(3, n, 1, BANDS, frames): the coefficients a, b and c of the error a - 2 g b + g^2 c. This is the error
    that a gain g on the noisy mel leaves, beside the sound with `part` of the noise.

    It holds exactly, with phases: |s - g x|^2 = |s|^2 - 2 g Re(s x*) + g^2 |x|^2, and the mel is linear in
    each.
    """
    kept = (1 - part) * both + part * noisy
    return (
        torch.stack([(1 - part) * ((1 - part) * clean + 2 * part * both) + part**2 * noisy, kept, noisy])
        * mask
    )


def loss(guess, goal, parts, spoken=None, harm=0.0, loud=0.0, edge=0):
    """The errors per item. The first is the energy of the error over that of doing nothing, as a logarithm:
    it is what SI-SDR measures. What is worse than doing nothing counts 1 + `harm` times. The second is the
    error of the compressed spectrum, which is nearer to what people hear. The third, of weight `loud`, is the
    error of the loudness of items of speech (`spoken` is 1). `edge`: the last frames that count (0: all).
    """
    flat = (1, 2, 3)
    least = LEAST * parts[2].sum(flat) * (edge / guess.shape[3] if edge else 1) + 1e-9
    guess, goal, parts = guess[..., -edge:], goal[..., -edge:], parts[..., -edge:]
    wanted, kept, power = parts
    slack = guess + 0.1 * (guess - 1).clamp(min=0)  # above 1 the gain stands still; keep a slope
    here, aim = gain(slack), gain(goal)
    error, idle = (
        (wanted - 2 * g * kept + g**2 * power).sum(flat).clamp(min=0) + least
        for g in (here, torch.ones_like(here))
    )
    ratio = (error / idle).log()
    soft = power**0.3
    compressed = (soft * (here**0.5 - aim**0.5).square()).sum(flat) / soft.sum(flat).clamp(min=1e-3)
    out = COMPRESSED * HOPELESS * (1 + compressed / HOPELESS).log() + ratio + harm * ratio.clamp(min=0)
    return out + loud * spoken * loudness(here**2 * power, wanted) if loud else out


def loudness(power, wanted):
    """How far two mel powers (n, 1, BANDS, frames) differ in loudness, per item.

    The loudness of a band is a power of its power, as Zwicker has it. Differences below a quarter of the
    softer one are not heard. What is left over, and many times as strong as what should be there, counts once
    more: noise is heard as a thing of its own, while speech that lacks a little is still speech.
    """
    power, wanted = power[:, 0, :HEARD_TO], wanted[:, 0, :HEARD_TO]
    unit = wanted.mean((1, 2), keepdim=True) + 1e-9
    power, wanted = power / unit + HUSH, wanted / unit + HUSH
    here, aim = power**0.23, wanted**0.23
    apart = ((here - aim).abs() - 0.25 * torch.minimum(here, aim)).clamp(min=0)
    times = (((power + HUSH) / (wanted + HUSH)) ** 1.2).detach().clamp(max=12)
    added = apart * times * (times > 3)
    frames = (apart.square().mean(1) + 1e-8).sqrt() + ADDED * added.mean(1)
    return (frames.square().mean(1) + 1e-8).sqrt()


@torch.no_grad()
def sample(net, noisy, t, steps=1, seed=0, patch=PATCH):
    """Runs the reverse process (DDIM, eta 0) from t: a noisy mel (n, 1, BANDS, frames) becomes a change x in
    [-1, 1].
    """
    alphas = nets.alphas()
    start = round(t * nets.STEPS)
    if start == 0:
        return torch.ones_like(noisy)
    generator = torch.Generator().manual_seed(seed)
    x, index = None, [round(start * (steps - i) / steps) - 1 for i in range(steps)]
    goal = torch.ones_like(noisy)
    eps = torch.randn(noisy.shape, generator=generator)
    for i in index:
        a = alphas[max(i, 0)]
        x = a.sqrt() * goal + (1 - a).sqrt() * eps
        goal = predict(net, x, noisy, torch.full((len(noisy),), max(i, 0)), patch).clamp(-1, 1)
        eps = (x - a.sqrt() * goal) / (1 - a).sqrt()
    return goal


def started(net, start):
    """The weights of the model in the folder `start`, for a net that has at least as many residual blocks a
    level.
    """
    first = UNet2DModel.from_pretrained(start, subfolder="unet")
    (had, before), (has, layers) = (
        (tuple(one.config.block_out_channels), one.config.layers_per_block) for one in (first, net)
    )
    if had != has or before > layers:
        raise ValueError(
            f"{start}: its denoiser has --channels {','.join(map(str, had))} --layers {before}; "
            "--start goes on with the same channels and as many layers or more"
        )
    return nets.deepened(net, first.state_dict())


class Task(train.Task):
    """The task that train.Run trains. Batches have as many frames in all, in items of 64, 128 and 256 frames
    by turns. With `edge`, a turn more has items of 64 frames of which the last `edge` count alone, as in a
    live window of little look-ahead. `harm` and `loud`: see loss(); `sounds` and `quiet`: see mix.
    """

    def __init__(
        self,
        bank,
        seed=1,
        channels=CHANNELS,
        layers=1,
        patch=PATCH,
        checks=96,
        start=None,
        sounds=mix.SOUNDS,
        quiet=mix.QUIET,
        harm=0.0,
        loud=0.0,
        edge=0,
    ):
        torch.manual_seed(seed)
        self.net, self.patch = nets.denoiser(patch, channels, FRAMES, layers), patch
        if start:
            self.net.load_state_dict(started(self.net, start))
        self.mixer, self.bank, self.turn = mix.Mixer(bank, False, [seed, 0], sounds, quiet), bank, 0
        self.weights, self.edge = dict(harm=harm, loud=loud), edge
        self.generator = torch.Generator().manual_seed(seed)
        self.alphas = nets.alphas()
        held = mix.Mixer(bank, True, [seed, 1])
        fixed = torch.Generator().manual_seed(0)
        self.checks = [(*examples(held.batch(24, 128), self.alphas, fixed), 0) for _ in range(checks // 24)]

    def state(self):
        return dict(
            mixer=self.mixer.rng.bit_generator.state, generator=self.generator.get_state(), turn=self.turn
        )

    def load(self, state):
        self.mixer.rng.bit_generator.state = state["mixer"]
        self.generator.set_state(state["generator"])
        self.turn = state["turn"]

    def batch(self, count):
        self.turn += 1
        turn = self.turn % (len(LENGTHS) + (self.edge > 0))
        frames, edge = (LENGTHS[turn], 0) if turn < len(LENGTHS) else (FRAMES, self.edge)
        mixed = self.mixer.batch(max(1, count * FRAMES // frames), frames)
        return *examples(mixed, self.alphas, self.generator), edge

    def losses(self, net, batch):
        *batch, edge = batch
        x, noisy, index, goal, parts, spoken = (part.to(net.device) for part in batch)
        errors = loss(
            predict(net, x, noisy, index, self.patch), goal, parts, spoken, edge=edge, **self.weights
        )
        t = (index + 1) / nets.STEPS
        return errors * t**2  # little is asked of small t, and its slopes are steep

    @torch.no_grad()
    def validate(self, net):
        losses = torch.cat([self.losses(net, batch).cpu() for batch in self.checks])
        return by_noise(losses, torch.cat([batch[2] for batch in self.checks]))


FILE = dict(past=32, new=192, ahead=32)  # frames a window: what the library shows the net of a file
LIVE = dict(past=46, new=8, ahead=4, mirrored=6)  # and of a live stream
FALLS = 2.5  # dB by which a band of mirrored frames falls at most from one to the next


def windows(x, past, new, ahead, mirrored=0):
    """Cuts (BANDS, frames) into windows (n, 1, BANDS, past + new + ahead + mirrored). Past both ends, the mel
    is mirrored. The last `mirrored` frames of a window are not those that follow: they are the ones before,
    mirrored, and fall by no more than FALLS from the last one that was heard (lib/denoise/channel.c says
    why).
    """
    frames = x.shape[-1]
    count = -(-frames // new)
    place = torch.arange(-past, count * new + ahead) % (2 * frames)
    x = x[:, torch.minimum(place, 2 * frames - 1 - place)]
    heard = x.unfold(-1, past + new + ahead, new).permute(1, 0, 2)[:, None]
    if not mirrored:
        return heard
    fall = torch.arange(1, mirrored + 1) * FALLS / audio.MEL["db_range"]
    made_up = torch.maximum(heard[..., -mirrored:].flip(-1), heard[..., -1:] - fall)
    return torch.cat([heard, made_up], -1)


@torch.no_grad()
def attenuation(net, noisy, t, steps, size):
    """Amplitude gains (BANDS, frames) of a noisy mel (values for the net), computed in windows as the library
    does.
    """
    gains = gain(sample(net, windows(noisy, **size), t, steps, patch=PATCH)[:, 0])
    gains = gains[:, :, size["past"] :][:, :, : size["new"] + size["ahead"]]
    own, kept = gains.split((size["new"], size["ahead"]), dim=2)
    shared = min(size["new"], size["ahead"])  # the window before has its say at the beginning
    weight = torch.arange(1, shared + 1) / (size["ahead"] + 1)
    own[1:, :, :shared] = torch.lerp(kept[:-1, :, :shared], own[1:, :, :shared], weight)
    return own.permute(1, 0, 2).reshape(noisy.shape[0], -1)[:, : noisy.shape[-1]]


def clean(net, samples, t, steps=1, size=FILE):
    """A recording (n,) without a part of its noise."""
    spectrum = audio.stft(samples)
    noisy = audio.to_net(audio.mel_power(spectrum))
    return audio.istft(spectrum * audio.spread(attenuation(net, noisy, t, steps, size)), len(samples))


def estimate_snr(power, frames=375):
    """SNR in dB at the end of a recording, from its mel power (BANDS, frames): the last 4 s, or all there is.

    The noise of a band is the 10th percentile of its power (on a grid of 1 dB from -200 dB), raised by 1 + 4
    / width in bins, since narrow bands fluctuate more; what the mean power of all bands is above the noise of
    all bands is the sound.
    """
    power = power[:, -frames:]
    grid = (10 * torch.log10(power.clamp(min=1e-30))).add(200).clamp(0, 449).floor()
    floor = grid.sort(dim=1).values[:, (power.shape[1] + 9) // 10 - 1]
    noise = ((1 + 4 / audio.filterbank().sum(1)) * 10 ** ((floor - 199.5) / 10)).sum()
    return float(10 * torch.log10((power.mean(1).sum() - noise).clamp(min=1e-3 * float(noise)) / noise))


def own_opinion(net, power, size=FILE, frames=375):
    """The SNR in the net's own opinion, in dB, how unsure the net is, from 0 to 1, and its voice_opinions().
    The net takes away all it can; the SNR is the power that is left over the power that it took. Unsure it is
    where gains are near 1/2.
    """
    gains = attenuation(net, audio.to_net(power), 1.0, 1, size)[:, -frames:].double()
    power = power[:, -frames:].double()
    kept, taken = (gains.square() * power).sum(), ((1 - gains).square() * power).sum()
    unsure = (4 * gains * (1 - gains) * power).sum() / power.sum().clamp(min=1e-30)
    own = 10 * torch.log10(torch.maximum(kept, 1e-10 * taken) / torch.maximum(taken, 1e-10 * kept))
    return float(own), float(unsure), *voice_opinions(gains.square() * power, (1 - gains).square() * power)


def voice_opinions(kept, taken):
    """How much what is kept is like a voice, how much of what is taken lies beside it in dB, and how both go
    together: the correlation of their loudness."""
    loud = torch.stack([kept.sum(0), taken.sum(0)]) ** 0.3
    still = bool((loud.var(1) <= 1e-12 * loud.mean(1) ** 2).any())
    return voice_likeness(kept), beside(taken), 0.0 if still else float(torch.corrcoef(loud)[0, 1])


def beside(taken):
    """How much of what is taken (BANDS, frames) lies from 200 Hz to 4 kHz, in dB, from -100 on."""
    speech = taken[speech_bands()].sum() / taken.sum().clamp(min=1e-30)
    return float(10 * torch.log10(speech.clamp(min=1e-10)))


def speech_bands():
    middle = torch.from_numpy(audio.band_edges()[1:-1])
    return (middle >= 200) & (middle < 4000)


def voice_likeness(kept):
    """How much kept powers (BANDS, frames) are like a voice: their harmonics, and their pace beside them
    (lib/denoise/voice.c does the same, and says more)."""
    middle = torch.from_numpy(audio.band_edges()[1:-1])
    pace = 0.0
    loud = kept[speech_bands()].sum(0) ** 0.3
    lag = round(0.128 * audio.RATE / audio.HOP)
    if kept.shape[1] <= lag + 2:
        return 0.0
    spread = (loud - loud.mean()).square().mean()
    if spread > 1e-12 * loud.mean() ** 2:
        pace = min(float((loud[lag:] - loud[:-lag]).square().mean() / (2 * spread)), 1.0)
    level = 10 * torch.log10(kept[middle < 1000].clamp(min=1e-30))
    level = torch.maximum(level, level.max(0).values - 40)
    wide = torch.cat([level[:1].expand(3, -1), level, level[-1:].expand(3, -1)])
    ripple = level - wide.unfold(0, 7, 1).mean(-1)
    power = 1 + ripple.square().mean(0)
    harmonic = torch.stack([(ripple[n:] * ripple[:-n]).mean(0) / power for n in range(3, 13)]).amax(0)
    each = kept.sum(0)
    return float((harmonic * each).sum() / each.sum().clamp(min=1e-30)) + PACE * pace


def opinions(net, samples, size=FILE):
    """The estimated SNR of a recording and by how much it exceeds the SNR in the net's own opinion, in dB,
    and how unsure the net is; then that opinion in dB, and voice_opinions(). The tables `auto_t`,
    `auto_doubt`, `auto_unsure` and `auto_voice` are about these.

    Of a recording that is noise alone, both SNRs are ratios of what is left over, and their difference is
    chance. So a share of the noise is added to both (lib/denoise/snr.c does the same, and says why).
    """
    power = audio.mel_power(audio.stft(samples))
    snr = estimate_snr(power)
    said, unsure, *voice = own_opinion(net, power, size)
    above, own = (10 ** (db / 10) for db in (snr, said))
    same = 0.2 / (1 + (above / 5) ** 2)
    return snr, 10 * math.log10((above + same) / (own + same)), unsure, said, *voice
