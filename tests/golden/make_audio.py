#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/audio/*.f32 (little-endian float32, row-major) with librosa and diffusers' Mel class.

    python tests/golden/make_audio.py        (librosa 0.11, diffusers 0.35 or later)

tests/audio/test_golden.c knows the shapes and lists the same mels.
"""

import pathlib

import librosa
import numpy as np

OUT = pathlib.Path(__file__).parent / "audio"
COUNT = 8192

# name, rate, n_fft, hop, bands, fmin, fmax, htk, norm, dB centre, dB range
MELS = [
    ("own", 48000, 2048, 512, 128, 0, 24000, False, None, -40, 50),
    ("htk", 22050, 1024, 256, 64, 50, 10000, True, None, -30, 70),
    ("slaney-norm", 16000, 1024, 160, 80, 20, 8000, False, "slaney", -60, 60),
    ("htk-norm", 44100, 2000, 500, 40, 0, 22050, True, "slaney", -60, 60),
]


def signal():
    """A rising tone, a decaying noise, a click: something in every band and at every level."""
    rng = np.random.default_rng(1)
    i = np.arange(COUNT)
    x = 0.3 * np.sin(0.02 * i + 1.5e-4 * i * i / 2) + 0.4 * rng.standard_normal(COUNT) * np.exp(-i / 900)
    x[5000] += 0.9
    return x.astype(np.float32)


def save(name, array):
    np.ascontiguousarray(array, dtype="<f4").tofile(OUT / f"{name}.f32")


def level_true(x, rate, n_fft, hop, bands, fmin, fmax, htk, norm, centre, spread):
    window = librosa.filters.get_window("hann", n_fft)
    s = np.abs(librosa.stft(x, n_fft=n_fft, hop_length=hop, pad_mode="constant")) * 2 / window.sum()
    m = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=fmin, fmax=fmax, htk=htk, norm=norm)
    db = 10 * np.log10(np.maximum(m @ s**2, 1e-10))
    return np.clip((db - centre) / spread, -1, 1)


def diffusers_image(x, n_fft, bands, hop, top_db):
    """The image as diffusers.Mel makes it of a sound of exactly one slice."""
    from diffusers.pipelines.deprecated.audio_diffusion import Mel

    frames = COUNT // hop
    mel = Mel(x_res=frames, y_res=bands, sample_rate=22050, n_fft=n_fft, hop_length=hop, top_db=top_db)
    mel.load_audio(raw_audio=x[: frames * hop - 1])
    return np.asarray(mel.audio_slice_to_image(0), dtype=np.float32)


def griffin_lim(x):
    n_fft, hop = 256, 64
    s = np.abs(librosa.stft(x[:1601], n_fft=n_fft, hop_length=hop, pad_mode="constant"))
    seed = 5
    phase = 2 * np.pi * np.random.default_rng(seed).random(size=s.shape)
    save("griffin-lim-magnitude", s)
    save("griffin-lim-phase", phase)
    for n in (0, 1, 2, 4):
        save(
            f"griffin-lim-{n}",
            librosa.griffinlim(
                s,
                n_iter=n,
                hop_length=hop,
                n_fft=n_fft,
                momentum=0.99,
                pad_mode="constant",
                random_state=np.random.default_rng(seed),
            ),
        )


def main():
    OUT.mkdir(exist_ok=True)
    x = signal()
    save("signal", x)
    for name, *params in MELS:
        save(f"mel-{name}", level_true(x, *params))
    save("diffusers-512", diffusers_image(x, 512, 64, 256, 80))
    save("diffusers-2000", diffusers_image(x, 2000, 96, 512, 60))
    griffin_lim(x)


if __name__ == "__main__":
    main()
