# SPDX-License-Identifier: LGPL-2.1-or-later
"""What grain (lib/audio/grain.c) does to sounds, by numbers. Needs numpy, scipy, librosa and soundfile; torch
and diffusers for `loop`.

    bench_grain.py sounds FOLDER [FOLDER]        every WAV of a folder of renders; of a second one
                                                 beside the first
    bench_grain.py loop LIBEBB MODEL SOUND ...   recordings through the model's autoencoder and back, without
                                                 and with

Scatter: standard deviation of the transform's dB about their local mean, noise has 5.6. Peak: by how much the
loudest partial stands above the median of its surroundings in the mean spectrum. Level and distance: of mels
in dB, cells within 50 dB of the loudest.
"""

import ctypes
import sys
from pathlib import Path

import librosa
import numpy as np
import soundfile
from scipy.ndimage import median_filter, uniform_filter

RATE, N_FFT, HOP, BANDS, FRAMES = 48000, 2048, 512, 128, 256
CENTRE, RANGE = -40, 50


def there_and_back(vae, mel):
    """(128, frames) through an autoencoder. Squares of cells may be folded into its channels (`patch` of
    ebb.json)."""
    import torch

    side = int(vae.config.in_channels**0.5)
    picture = torch.nn.functional.pixel_unshuffle(torch.from_numpy(mel)[None, None], side)
    with torch.no_grad():
        back = vae.decode(vae.encode(picture).latent_dist.mean).sample
    return torch.nn.functional.pixel_shuffle(back, side)[0, 0].numpy()


def read(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(1)
    return samples if rate == RATE else librosa.resample(samples, orig_sr=rate, target_sr=RATE)


def power(samples):
    return np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP) / (N_FFT / 4)) ** 2


def scatter(samples):
    """Over cells within 50 dB of the loudest surroundings: others are rounding or silence."""
    p = np.maximum(power(samples), 1e-14)
    mean = np.maximum(uniform_filter(p, (15, 9)), 1e-14)
    inside = (slice(4, 700), slice(8, -8))
    db = 10 * np.log10(p / mean)[inside]
    return db[mean[inside] > mean.max() * 1e-5].std()


def peak(samples):
    """Mean spectrum of 8192 points: 23 frames and more in a window, so that noise is within some dB of its
    median."""
    p = 10 * np.log10((np.abs(librosa.stft(samples, n_fft=8192, hop_length=2048)) ** 2).mean(1) + 1e-12)
    return (p - median_filter(p, 69))[8:][p[8:] > p.max() - 40].max()  # surroundings: +- 200 Hz


def sounds(folders):
    rows = {}
    for i, folder in enumerate(folders):
        for path in sorted(Path(folder).glob("*.wav")):
            samples = read(path)
            label = path.stem.rsplit("-s", 1)[0]
            row = rows.setdefault(label, [[] for _ in folders])
            row[i].append((scatter(samples), peak(samples), 10 * np.log10((samples**2).mean() + 1e-12)))
    print(f"{'':20}" + "scatter dB    " + "peak dB    " + "level dBFS")
    for label, row in rows.items():
        if all(row):
            means = np.array([np.mean(part, 0) for part in row])
            print(f"{label:20}" + "   ".join(" > ".join(f"{v:5.1f}" for v in column) for column in means.T))


def mel_db(samples, filters):
    return 10 * np.log10(np.maximum(filters @ power(samples)[:, :FRAMES], 1e-9))


class Phases(ctypes.Structure):
    """struct ebb_mel_phases of ebb/mel.h."""

    _fields_ = [("iterations", ctypes.c_int), ("seed", ctypes.c_uint64), ("grain", ctypes.c_bool)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.ebb_mel_create.restype = ctypes.c_void_p
        self.mel = ctypes.c_void_p(self.c.ebb_mel_create(None, None))

    def sound(self, values, grain, seed):
        values = np.ascontiguousarray(values, np.float32)
        out = np.zeros(values.shape[1] * HOP - 1, np.float32)
        to = lambda x: x.ctypes.data_as(ctypes.c_void_p)
        wrong = self.c.ebb_mel_to_sound(
            self.mel,
            to(values),
            ctypes.c_size_t(values.shape[1]),
            ctypes.byref(Phases(16, seed, grain)),
            to(out),
            ctypes.c_size_t(len(out)),
            None,
        )
        assert wrong == 0
        return out


def loop(library, model, paths):
    import torch
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(model, subfolder="vae").eval()
    lib, filters = (
        Library(library),
        librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmax=RATE / 2, norm=None),
    )
    print(
        f"{'':24}"
        + f"{'scatter: real, smooth, grain':32}"
        + f"{'power level':16}"
        + f"{'mean of dB':16}"
        + "distance"
    )
    total = []
    for seed, path in enumerate(paths):
        samples = np.resize(read(path), FRAMES * HOP - 1)
        real = mel_db(samples, filters)
        values = np.clip((real - CENTRE) / RANGE, -1, 1).astype(np.float32)
        values = there_and_back(vae, values)
        heard, row = real > real.max() - 50, [scatter(samples)]
        for grain in (False, True):
            made = lib.sound(values.clip(-1, 1), grain, seed)
            got = mel_db(made, filters)
            off = (got - real)[heard]
            level = 10 * np.log10((made**2).mean() / (samples**2).mean())
            row += [scatter(made), level, off.mean(), np.abs(off).mean()]
        total.append(row)
        show(Path(path).parent.name + "/" + Path(path).stem, row)
    show("mean", np.mean(total, 0))


def show(name, r):
    pair = lambda i: f"{r[i]:5.1f} > {r[i + 4]:5.1f}   "
    print(
        f"{name[:23]:24}{r[0]:5.1f}, {r[1]:5.1f}, {r[5]:5.1f}             "
        + "".join(pair(i) for i in (2, 3, 4)),
        flush=True,
    )


if __name__ == "__main__":
    {"sounds": lambda a: sounds(a), "loop": lambda a: loop(a[0], a[1], a[2:])}[sys.argv[1]](sys.argv[2:])
