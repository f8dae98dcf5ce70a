"""Numbers of a denoiser on held-out sounds in held-out noise, from the waveforms."""

import numpy as np
import torch

from . import audio, denoise, mix

SNRS = (-5, 0, 5, 10, 20)
TS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def si_sdr(clean, heard):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019)."""
    clean, heard = clean.double(), heard.double()
    part = (clean * heard).sum() / clean.square().sum().clamp(min=1e-20) * clean
    return float(10 * torch.log10(part.square().sum() / (heard - part).square().sum().clamp(min=1e-20)))


def scenes(bank, kind, count, seconds=4, seed=5):
    """`count` pairs of a held-out sound at -26 dB and held-out noise at 0 dB of the same length."""
    mixer = mix.Mixer(bank, True, [seed, 7])
    clips = {"speech": bank.choose("speech", True), "speech48": [c for c in bank.choose("speech", True) if c["rate"] >= 44100],
             "effects": bank.choose("sfx", True, without=mix.STEADY)}[kind]
    real = bank.choose("noise", True, without=("coloured",))
    length, out = seconds * audio.RATE, []
    for i in range(count):
        sound, position = np.zeros(length, np.float32), 0
        while position < length:
            clip = clips[mixer.rng.integers(len(clips))]
            wave = bank.samples(clip, 0, min(clip["length"], length - position))
            sound[position:position + len(wave)] = wave * 10 ** (-clip["level"] / 20)
            position += len(wave) + int(mixer.rng.uniform(0.2, 0.8) * audio.RATE)
        clip = real[mixer.rng.integers(len(real))]
        noise = bank.samples(clip, int(mixer.rng.integers(0, max(clip["length"] - length, 1))), min(length, clip["length"]))
        noise = np.resize(np.concatenate([noise, noise[::-1]]), length)
        noise = noise / np.sqrt(np.square(noise).mean() + 1e-12)
        level = 10 ** (-26 / 20)
        out.append((torch.from_numpy(sound * level).float(), torch.from_numpy(noise).float()))
    return out


def mixed(scene, snr):
    """The mix at `snr` dB (powers over the whole scene)."""
    sound, noise = scene
    return sound + noise * (sound.square().mean().sqrt() * 10 ** (-snr / 20))


def speech_scores(clean, heard):
    """PESQ (wide band) and STOI at 16 kHz."""
    import pesq
    import pystoi
    import soxr
    a, b = (soxr.resample(wave.numpy(), audio.RATE, 16000) for wave in (clean, heard))
    try:
        quality = pesq.pesq(16000, a, b, "wb")
    except pesq.NoUtterancesError:
        quality = float("nan")
    return quality, pystoi.stoi(a, b, 16000)


def oracle(sound, heard):
    """The ceiling: the gain of one who knows the clean mel."""
    spectrum = audio.stft(heard)
    ratio = (audio.mel_power(audio.stft(sound)) + 1e-12) / (audio.mel_power(spectrum) + 1e-12)
    return audio.istft(spectrum * audio.spread(ratio.clamp(max=1)), len(heard))


def wiener(heard):
    """A plain Wiener filter: noise per bin is 3 times the 10th percentile of its power, gain not below 0.05."""
    spectrum = audio.stft(heard)
    power = spectrum.abs().square()
    noise = 3 * power.quantile(0.1, dim=1, keepdim=True)
    return audio.istft(spectrum * (1 - noise / power.clamp(min=1e-12)).clamp(min=0.05), len(heard))


def table(net, bank, kind, count, t, fit=None, steps=1, perceptual=False):
    """Rows {snr, before, after, wiener, oracle, ...}: means over the scenes. t "auto": from the table `fit`."""
    rows = []
    for snr in SNRS:
        values = []
        for scene in scenes(bank, kind, count):
            heard, sound = mixed(scene, snr), scene[0]
            now = pick_t(fit, denoise.estimate_snr(audio.mel_power(audio.stft(heard)))) if t == "auto" else t
            done = denoise.clean(net, heard, now, steps)
            row = [si_sdr(sound, wave) for wave in (heard, done, wiener(heard), oracle(sound, heard))]
            if perceptual:
                row += [*speech_scores(sound, heard), *speech_scores(sound, done)]
            values.append(row)
        names = ["before", "after", "wiener", "oracle", "pesq_before", "stoi_before", "pesq", "stoi"]
        rows.append(dict(snr=snr, **{n: round(float(v), 3) for n, v in zip(names, np.nanmean(values, 0))}))
    return rows


def curve(net, bank, kind, count, steps=1):
    """SI-SDR (snr, t) and the part of the energy removed, by t, and the estimated SNR of each mix."""
    scores = np.zeros((len(SNRS), count, len(TS)))
    removed, estimates = np.zeros_like(scores), np.zeros((len(SNRS), count))
    for j, scene in enumerate(scenes(bank, kind, count)):
        for i, snr in enumerate(SNRS):
            heard = mixed(scene, snr)
            estimates[i, j] = denoise.estimate_snr(audio.mel_power(audio.stft(heard)))
            for k, t in enumerate(TS):
                done = denoise.clean(net, heard, t, steps)
                scores[i, j, k] = si_sdr(scene[0], done)
                removed[i, j, k] = float((heard - done).square().sum() / heard.square().sum())
    return scores, removed, estimates


def pick_t(fit, snr):
    """t from the table: linear between its points, flat beyond them."""
    return float(np.interp(snr, [point[0] for point in fit], [point[1] for point in fit]))


def cost(scores, estimates, fit):
    """How far t from the table stays behind the best t of the grid, on average, in dB."""
    chosen = [np.interp(pick_t(fit, e), TS, row) for row, e in zip(scores, estimates)]
    return float(np.mean(scores.max(1) - chosen))


def fit_auto(scores, estimates, points=(-5, 0, 5, 10, 15, 20, 25)):
    """Coordinate descent over t at a few SNRs; t falls as the SNR rises."""
    fit, grid = [[p, 0.7] for p in points], np.arange(0.1, 1.001, 0.05)
    for _ in range(4):
        for i in range(len(fit)):
            high = fit[i - 1][1] if i else 1
            low = fit[i + 1][1] if i + 1 < len(fit) else 0.1
            trials = [t for t in grid if low - 1e-9 <= t <= high + 1e-9] or [fit[i][1]]
            costs = [cost(scores, estimates, fit[:i] + [[fit[i][0], t]] + fit[i + 1:]) for t in trials]
            fit[i][1] = round(float(trials[int(np.argmin(costs))]), 2)
    return fit
