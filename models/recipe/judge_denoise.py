# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures a denoiser on held-out sounds in held-out noise, from the waveforms."""

import numpy as np
import torch

from . import audio, denoise, mix

SNRS = (-5, 0, 5, 10, 20)
TS = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
REPORTED = dict(speech=16, speech48=8, effects=16)  # scenes a level in the card
FIT_SNRS = (-5, 0, 5, 10, 15, 20, 25)  # automatic t is fitted at
FIT_TS = (0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
POINTS = (4, 8, 12, 16, 20, 26)  # doubts in its table, in dB; from the last on, t is 0
KEEP = {
    -5: 0.93,
    0: 0.955,
    10: 0.92,
    20: 0.7,
}  # of what the best single t gains for speech at an SNR, automatic t keeps so much
BESIDE_COUNTS = [[-16, 0], [-12, 1]]  # by how much of what is taken lies beside speech, in dB
TOGETHER_COUNTS = [[0.3, 1], [0.45, 0]]  # and by how it goes with what is kept
UNSURE_COUNTS = [[5, 0], [7, 1]]  # by the doubt in dB: how much it counts that the net is unsure
EFFECTS = 3  # what a dB of theirs counts beside one of speech, which KEEP guards


def si_sdr(clean, heard):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019)."""
    clean, heard = clean.double(), heard.double()
    part = (clean * heard).sum() / clean.square().sum().clamp(min=1e-20) * clean
    return float(10 * torch.log10(part.square().sum() / (heard - part).square().sum().clamp(min=1e-20)))


def backgrounds(bank, length, aside=()):
    """The held-out recordings of noise and of steady effects: for each, its clips that are long enough."""
    recordings = {}
    for clip in bank.choose("noise", True, without=("coloured",)) + bank.choose("sfx", True, mix.BACKGROUND):
        if clip["length"] >= length and clip["source"] not in aside:
            recordings.setdefault(clip["source"], []).append(clip)
    return [recordings[name] for name in sorted(recordings)]


def planned(bank, kind, count, seconds=4, seed=5, aside=()):
    """The parts of `count` scenes (None: as many as in the card): for each sound (clip, first sample of the
    scene, samples), and for the noise (clip, first sample of the clip). Recordings in `aside` are left out.
    No noise comes twice before each has come once."""
    rng = np.random.default_rng([seed, 7])
    clips = {
        "speech": bank.choose("speech", True),
        "speech48": [c for c in bank.choose("speech", True) if c["rate"] >= 44100],
        "effects": bank.choose("sfx", True, without=mix.BACKGROUND),
    }[kind]
    clips = [clip for clip in clips if clip["source"] not in aside]
    length = seconds * audio.RATE
    noises = backgrounds(bank, length, aside)
    if not clips or not noises:
        raise ValueError(f"{kind}: too few held-out recordings of it, or of noise, for scenes")
    order, out = rng.permutation(len(noises)), []
    for i in range(count or REPORTED[kind]):
        sounds, position = [], 0
        while position < length:
            clip = clips[rng.integers(len(clips))]
            sounds.append((clip, position, min(clip["length"], length - position)))
            position += sounds[-1][2] + int(rng.uniform(0.2, 0.8) * audio.RATE)
        pieces = noises[order[i % len(order)]]
        clip = pieces[rng.integers(len(pieces))]
        out.append((sounds, (clip, int(rng.integers(0, clip["length"] - length + 1)))))
    return out


def scenes(bank, kind, count, seconds=4, **choice):
    """`count` held-out sounds at -26 dB, each with held-out noise at 0 dB of the same length, as `planned`
    chooses them."""
    length, level, out = seconds * audio.RATE, 10 ** (-26 / 20), []
    for sounds, (clip, start) in planned(bank, kind, count, seconds, **choice):
        noise = bank.samples(clip, start, length)
        noise = noise / np.sqrt(np.square(noise).mean() + 1e-12)
        sound = np.zeros(length, np.float32)
        for clip, position, samples in sounds:
            sound[position : position + samples] = bank.samples(clip, 0, samples) * 10 ** (
                -clip["level"] / 20
            )
        out.append((torch.from_numpy(sound * level).float(), torch.from_numpy(noise).float()))
    return out


def other_scenes(bank, kind, count, reported):
    """{kind: scenes a level} of recordings that are in none of the `reported` scenes, not even as noise."""
    aside = {
        clip["source"]
        for told, n in reported.items()
        for sounds, (noise, _) in planned(bank, told, n)
        for clip in (noise, *(sound[0] for sound in sounds))
    }
    return scenes(bank, kind, count, seed=6, aside=aside)


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


def log_spectral_distance(clean, heard, depth=60):
    """Root mean square over the bins of the difference in dB, mean over the frames. Both spectra are cut off
    `depth` dB below the loudest bin of the clean sound."""
    a, b = (audio.stft(wave).abs().square() for wave in (clean, heard))
    least = float(a.max()) * 10 ** (-depth / 10)
    difference = 10 * torch.log10(a.clamp(min=least) / b.clamp(min=least))
    return float(difference.square().mean(0).sqrt().mean())


def above(wave, hz=8000):
    """The part of a sound above `hz`."""
    spectrum = torch.fft.rfft(wave)
    spectrum[: round(hz / audio.RATE * len(wave))] = 0
    return torch.fft.irfft(spectrum, len(wave))


def oracle(sound, heard):
    """The best that a gain on the mel can do: the gain computed from the clean mel."""
    spectrum = audio.stft(heard)
    ratio = (audio.mel_power(audio.stft(sound)) + 1e-12) / (audio.mel_power(spectrum) + 1e-12)
    return audio.istft(spectrum * audio.spread(ratio.clamp(max=1)), len(heard))


def wiener(heard):
    """A plain Wiener filter: noise per bin is 3 times the 10th percentile of its power, gain not below
    0.05."""
    spectrum = audio.stft(heard)
    power = spectrum.abs().square()
    noise = 3 * power.quantile(0.1, dim=1, keepdim=True)
    return audio.istft(spectrum * (1 - noise / power.clamp(min=1e-12)).clamp(min=0.05), len(heard))


def others(sound, heard, rivals):
    """{name: SI-SDR} of a mix, of a plain filter, of the best gain, and of `rivals` {name: function}."""
    heads = dict(before=lambda wave: wave, wiener=wiener, oracle=lambda wave: oracle(sound, wave)) | rivals
    return {name: si_sdr(sound, run(heard)) for name, run in heads.items()}


def measures(sound, heard, done):
    """{name: value} of a cleaned scene: SI-SDR and log-spectral distance, before and after, in dB."""
    return dict(
        before=si_sdr(sound, heard),
        after=si_sdr(sound, done),
        lsd_before=log_spectral_distance(sound, heard),
        lsd=log_spectral_distance(sound, done),
    )


def speech_measures(sound, heard, done):
    """The same with PESQ (wide band) and STOI."""
    names = ("pesq_before", "stoi_before", "pesq", "stoi")
    values = *speech_scores(sound, heard), *speech_scores(sound, done)
    return measures(sound, heard, done) | dict(zip(names, values))


def upper_measures(sound, heard, done):
    """SI-SDR above 8 kHz alone."""
    sound, heard, done = (above(wave) for wave in (sound, heard, done))
    return dict(before=si_sdr(sound, heard), after=si_sdr(sound, done))


def table(bank, kind, count, measure):
    """Rows {snr, name: mean over the scenes} of the values of `measure`(sound, heard)."""
    rows = []
    for snr in SNRS:
        values = [measure(scene[0], mixed(scene, snr)) for scene in scenes(bank, kind, count)]
        means = {name: np.nanmean([value[name] for value in values]) for name in values[0]}
        rows.append(
            dict(snr=snr) | {name: f"{mean:.{3 if 'stoi' in name else 2}f}" for name, mean in means.items()}
        )
    return rows


def curve(net, pairs, snrs=SNRS, ts=TS):
    """By t: SI-SDR (snr, scene, t) and the share of the energy removed. And the opinions (snr, scene, 7) of
    each mix."""
    scores = np.zeros((len(snrs), len(pairs), len(ts)))
    removed, opinions = np.zeros_like(scores), np.zeros((*scores.shape[:2], 7))
    for j, scene in enumerate(pairs):
        for i, snr in enumerate(snrs):
            heard = mixed(scene, snr)
            opinions[i, j] = denoise.opinions(net, heard)
            for k, t in enumerate(ts):
                done = denoise.clean(net, heard, t)
                scores[i, j, k] = si_sdr(scene[0], done)
                removed[i, j, k] = float((heard - done).square().sum() / heard.square().sum())
    return scores, removed, opinions


def look_up(table, db):
    """Linear between the points of a table, constant beyond them."""
    return np.interp(db, [point[0] for point in table], [point[1] for point in table])


def tables_of(model):
    """A denoiser's tables for automatic t, by SNR, by doubt, by how unsure it is, and by how much it keeps a
    voice. Older models lack some."""
    limits = (model.get(name, [[0, 1]]) for name in ("auto_doubt", "auto_unsure"))
    return model["auto_t"], *limits, model.get("auto_voice", [[0, 0]])


def pick_t(tables, opinions):
    """Automatic t: the smallest t of the first three tables, each by an opinion of its own. Opinions that
    have no table do not count. How unsure the net is counts where there is doubt. By the fourth table, t is
    at least that of the net's own SNR where it keeps a voice, and takes noise beside it: of recordings of 2 s
    and more."""
    ts = [look_up(table, opinions[..., i]) for i, table in enumerate(tables[:3])]
    if len(ts) > 2:
        ts[2] = 1 - look_up(UNSURE_COUNTS, opinions[..., 1]) * (1 - ts[2])
    t = np.minimum.reduce(ts)
    if len(tables) < 4:
        return t
    own = look_up(tables[0], opinions[..., 3])
    share = look_up(tables[3], opinions[..., 4]) * look_up(BESIDE_COUNTS, opinions[..., 5])
    share *= look_up(TOGETHER_COUNTS, opinions[..., 6])
    return t + share * np.maximum(own - t, 0)


def reached(tables, scores, opinions):
    """SI-SDR (snr, scene) with the t of the tables, interpolated between the ts of the curve."""
    t = pick_t(tables, opinions)
    k = np.clip(np.searchsorted(FIT_TS, t, side="right") - 1, 0, len(FIT_TS) - 2)
    low, high = (np.take_along_axis(scores, index[..., None], 2)[..., 0] for index in (k, k + 1))
    part = (t - np.take(FIT_TS, k)) / (np.take(FIT_TS, k + 1) - np.take(FIT_TS, k))
    return low + part * (high - low)


def gained(tables, curves):
    """{kind: mean gain in dB at each of FIT_SNRS}, from {kind: the result of `curve`}. The first of FIT_TS
    changes nothing."""
    return {
        kind: (reached(tables, scores, opinions) - scores[..., 0]).mean(1)
        for kind, (scores, _, opinions) in curves.items()
    }


def fit_auto(curves):
    """The table of doubts with which, beside AUTO_T, speech and effects gain most. Speech must keep a share
    of the gain of the best single t: while it does not, speech counts for more."""
    scores = curves["speech"][0].mean(1)
    best = scores.max(1) - scores[:, 0]
    least = np.array([KEEP.get(snr, 0) * top for snr, top in zip(FIT_SNRS, best)])
    weights = np.ones(len(FIT_SNRS))
    for _ in range(100):
        fit = fit_weighted(curves, weights)
        short = gained((denoise.AUTO_T, fit), curves)["speech"] < least
        if not short.any():
            break
        weights[short] *= 1.1
    return fit


def fit_weighted(curves, weights):
    """Coordinate ascent over the table; t falls as the doubt rises."""
    grid = np.round(np.arange(0, 1.001, 0.05), 2)
    fit = [
        [point, float(t)] for point, t in zip(POINTS, np.linspace(1, 0, len(POINTS)))
    ]  # steep: room for each to move

    def worth(trial):
        gains = gained((denoise.AUTO_T, trial), curves)
        return (weights * gains["speech"] + EFFECTS * gains["effects"]).sum()

    for _ in range(6):
        for i in range(len(fit) - 1):
            high, low = fit[i - 1][1] if i else 1, fit[i + 1][1]
            trials = [fit[:i] + [[fit[i][0], float(t)]] + fit[i + 1 :] for t in grid if low <= t <= high]
            fit = max(trials, key=worth)
    return fit
