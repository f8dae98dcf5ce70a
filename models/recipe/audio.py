# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sound files, and their mel, which is the same as the library's (see README.md)."""

import functools
import os
import subprocess

import numpy as np
import soundfile
import soxr
import torch

RATE = 48000
N_FFT = 2048
HOP = 512
BANDS = 128
MEL = dict(
    sample_rate=RATE,
    n_fft=N_FFT,
    hop=HOP,
    n_mels=BANDS,
    fmin=0,
    fmax=RATE // 2,
    scale="slaney",
    norm=None,
    db_center=-40,
    db_range=50,
)


def read(path):
    """A file as mono float32 at 48 kHz, and the rate it was stored at. Raises ValueError."""
    try:
        samples, rate = soundfile.read(os.fsencode(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError):
        samples, rate = read_ffmpeg(path)
    samples = samples.mean(axis=1)
    if len(samples) and rate != RATE:
        samples = soxr.resample(samples, rate, RATE).astype(np.float32)
    if not len(samples) or not np.isfinite(samples).all():  # a few samples at a high rate come to none
        raise ValueError(f"{path}: no samples, or samples that are not finite")
    return samples, rate


def read_ffmpeg(path):
    """For what libsndfile does not know: mono at 48 kHz through the ffmpeg command, if there is one."""
    command = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-i",
        str(path),
        "-ac",
        "1",
        "-ar",
        str(RATE),
        "-f",
        "f32le",
        "-",
    ]
    try:
        run = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{path}: not a sound file that can be read") from error
    return np.frombuffer(run.stdout, np.float32)[:, None], RATE


def hz_to_slaney(hz):
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) * 27 / np.log(6.4))


def slaney_to_hz(mel):
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def band_edges():
    """Hz of the corners: triangle b rises from edge b, peaks at b + 1, ends at b + 2."""
    return slaney_to_hz(np.linspace(hz_to_slaney(0), hz_to_slaney(RATE / 2), BANDS + 2))


@functools.lru_cache
def filterbank():
    """(BANDS, N_FFT / 2 + 1) triangles of peak 1, applied to the power spectrum."""
    edge, bins = band_edges(), np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    rise = (bins - edge[:-2, None]) / (edge[1:-1] - edge[:-2])[:, None]
    fall = (edge[2:, None] - bins) / (edge[2:] - edge[1:-1])[:, None]
    return torch.from_numpy(np.maximum(0, np.minimum(rise, fall)).astype(np.float32))


def stft(samples, centred=True):
    """(..., n) -> (..., bins, frames), scaled so that a full-scale sine on a bin reads 1."""
    window = torch.hann_window(N_FFT, device=samples.device)
    return torch.stft(
        samples, N_FFT, HOP, window=window, center=centred, pad_mode="constant", return_complex=True
    ) * (2 / window.sum())


def istft(spectrum, length):
    window = torch.hann_window(N_FFT, device=spectrum.device)
    return torch.istft(spectrum * (window.sum() / 2), N_FFT, HOP, window=window, length=length)


def mel_power(spectrum):
    """(..., bins, frames) complex -> (..., BANDS, frames) power."""
    return filterbank().to(spectrum.device) @ (spectrum.real.square() + spectrum.imag.square())


def mel_cross(a, b):
    """Re(a b*) of two spectra, per band: what is missing in mel_power(a) + mel_power(b) of their sum,
    halved."""
    return filterbank().to(a.device) @ (a.real * b.real + a.imag * b.imag)


def to_db(power):
    return 10 * torch.log10(power.clamp(min=1e-10))


def to_net(power):
    """Power -> what the nets see: -1 is -90 dB or less, +1 is +10 dB or more."""
    return ((to_db(power) - MEL["db_center"]) / MEL["db_range"]).clamp(-1, 1)


def from_net(x):
    return 10 ** ((x * MEL["db_range"] + MEL["db_center"]) / 10)


def mel(samples):
    """(..., n) samples -> (..., BANDS, frames) network values."""
    return to_net(mel_power(stft(samples)))


def spread(gain):
    """Gains per band (..., BANDS, frames) -> gains per bin (..., bins, frames)."""
    bank = filterbank().to(gain.device)
    weight = bank.sum(0)
    bins = torch.arange(len(weight))
    held = bins[weight > 1e-3]
    nearest = held[(bins[:, None] - held).abs().argmin(1)]  # bins that no triangle covers: as their neighbour
    return ((bank.T @ gain) / weight.clamp(min=1e-3)[:, None])[..., nearest, :]
