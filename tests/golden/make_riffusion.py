#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/audio/riffusion.f32: the picture that Riffusion draws of a sound, as network values.

    python3 tests/golden/make_riffusion.py     # needs torch and librosa

It is written down here from riffusion's spectrogram_converter.py and image_util.py: torchaudio's Spectrogram
(power 1) and MelScale (HTK, no norm), whose filters are librosa's. The sound is made by the test again.
"""

import pathlib

import librosa
import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parent / "audio"
RATE, N_FFT, WINDOW, HOP, BANDS, COUNT = 44100, 17640, 4410, 441, 64, 22050


def signal():
    i = np.arange(COUNT, dtype=np.float64)
    envelope = np.exp(-(((i - 11025) / 4000) ** 2))
    return (0.6 * np.sin(0.03 * i + 1e-5 * i * i) * envelope + 0.1 * np.sin(0.8 * i)).astype(np.float32)


def main():
    samples = torch.from_numpy(signal() * np.float32(32768))
    window = torch.hann_window(WINDOW)
    bins = torch.stft(
        samples, N_FFT, HOP, WINDOW, window, center=True, pad_mode="constant", return_complex=True
    )
    filters = librosa.filters.mel(
        sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmin=0, fmax=10000, htk=True, norm=None, dtype=np.float64
    )
    magnitudes = filters @ bins.abs().double().numpy()
    data = np.power(magnitudes / magnitudes.max(), 0.25) * 255
    picture = (255 - data).astype(np.uint8)  # its first row is the lowest band: riffusion turns it over after
    (picture.astype(np.float32) / 255 * 2 - 1).astype("<f4").tofile(OUT / "riffusion.f32")


main()
