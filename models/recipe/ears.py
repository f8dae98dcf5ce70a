# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures of a sound that no network learned: statistics of modulations, attack, events, flatness, lines.

Levels make no difference to any of them. Those of `MEASURES` are one number each, with a meaning.
"""

import numpy as np

from . import audio

BLOCK = 96  # samples of an envelope's step: 2 ms
STEP = 256  # samples between the frames of the modulations: 187 frames a second
BANDS = 32
CENTRES = (1.5, 3, 6, 12, 24, 48)  # Hz of modulation, an octave each


def level(samples):
    """At a peak of 1."""
    return samples / max(float(np.abs(samples).max()), 1e-9)


def envelope(samples):
    """RMS of every 2 ms, and a last block of what is left."""
    whole = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return np.sqrt(np.square(whole, dtype=np.float64).mean(1) + 1e-12)


def frames(samples, size, step):
    """(n, size) windowed stretches of a sound."""
    padded = np.concatenate([samples, np.zeros(max(size - len(samples), 0), samples.dtype)])
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::step] * np.hanning(size)


# ---- numbers with a meaning ----


def attack(samples):
    """ms in which the loudest event rises from a tenth to nine tenths of its level."""
    loud = envelope(samples)
    peak = int(loud.argmax())
    before = loud[: peak + 1]
    low = np.flatnonzero(before < 0.1 * loud[peak])
    high = np.flatnonzero(before[low[-1] if len(low) else 0 :] >= 0.9 * loud[peak])
    return 2.0 * (1 + int(high[0])) if len(high) else 2.0 * len(before)


def events(samples):
    """Events a second: rises by 12 dB within 50 ms, to within 30 dB of the loudest; the next one 60 ms later
    at the soonest."""
    db = 20 * np.log10(envelope(samples) / envelope(samples).max() + 1e-6)
    near = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(25, -120.0), db]), 26).min(1)
    up, count, last = np.flatnonzero((db > -30) & (db - near[: len(db)] > 12)), 0, -31
    for place in up:
        if place - last > 30:
            count += 1
        last = place
    return count / (len(samples) / audio.RATE)


def flatness(samples):
    """dB of the geometric over the arithmetic mean of the power from 100 Hz to 16 kHz, weighed by the frames'
    power: 0 is white."""
    power = np.square(np.abs(np.fft.rfft(frames(samples, 2048, 1024))))[:, 5:683] + 1e-12
    weight = power.mean(1)
    return float((10 * (np.log10(power).mean(1) - np.log10(weight)) * weight).sum() / weight.sum())


def line_width(samples):
    """Hz between the points 10 dB below the strongest line of the loudest frame."""
    pieces = frames(samples, 8192, 2048)
    power = np.square(np.abs(np.fft.rfft(pieces[np.square(pieces).sum(1).argmax()], 32768)))
    peak = int(power.argmax())
    below = np.flatnonzero(power < power[peak] / 10)
    left, right = below[below < peak], below[below > peak]
    width = (right[0] if len(right) else len(power)) - (left[-1] if len(left) else 0)
    return width * audio.RATE / 32768


def modulation(low, high):
    """Part of the envelope's fluctuation that lies from `low` to `high` Hz, in %."""

    def measure(samples):
        loud = envelope(samples)
        power = np.square(np.abs(np.fft.rfft((loud - loud.mean()) * np.hanning(len(loud)))))
        hz = np.fft.rfftfreq(len(loud), BLOCK / audio.RATE)
        return float(100 * power[(hz >= low) & (hz < high)].sum() / (power[hz >= 0.5].sum() + 1e-12))

    return measure


MEASURES = {
    "attack, ms": attack,
    "events a second": events,
    "flatness, dB": flatness,
    "line width, Hz": line_width,
    "modulation 0.5 to 8 Hz, %": modulation(0.5, 8),
    "modulation 8 to 32 Hz, %": modulation(8, 32),
    "modulation 32 to 250 Hz, %": modulation(32, 250),
}


# ---- statistics of modulations, for a linear classifier ----


def statistics(samples):
    """Of the levels in BANDS bands: moments, power of the modulations by octave, correlations between bands
    (after McDermott and Simoncelli 2011)."""
    samples = level(samples)
    power = np.square(np.abs(np.fft.rfft(frames(samples, 1024, STEP)))) @ bands().T
    loud = (power + 1e-9) ** 0.15  # as compressed as ears have it
    mean, spread = loud.mean(0), loud.std(0) + 1e-6
    unit = (loud - mean) / spread
    fast = np.square(np.abs(np.fft.rfft(unit * np.hanning(len(unit))[:, None], axis=0)))
    hz = np.fft.rfftfreq(len(unit), STEP / audio.RATE)
    octaves = [fast[(hz >= c / 2**0.5) & (hz < c * 2**0.5)].sum(0) for c in CENTRES]
    shares = np.log(np.array(octaves) / fast[hz >= 0.5].sum(0) + 1e-4)
    like = np.corrcoef(unit.T + 1e-9 * np.arange(len(unit)))[np.triu_indices(BANDS, 1)]
    skew, tail = (unit**3).mean(0), (unit**4).mean(0)
    whole = [mean, np.log(spread), np.clip(skew, -5, 5), np.log(tail + 1e-3), *shares, np.nan_to_num(like)]
    return np.concatenate(whole).astype(np.float32)


def bands():
    """(BANDS, 513): triangles, linear in Hz at first, and a sixth of an octave apart at the top."""
    edges = 20 + 600 * (np.exp(np.linspace(0, np.log(1 + 20000 / 600), BANDS + 2)) - 1)
    hz = np.linspace(0, audio.RATE / 2, 513)
    rise = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))
