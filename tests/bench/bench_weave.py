# SPDX-License-Identifier: LGPL-2.1-or-later
"""A regular weave in sounds that should be noise: what a decoder with a habit leaves on every texture.

usage: bench_weave.py FOLDER...
A folder has sounds of at least 2.73 s, such as `ebb render --label rain --count 12 -o rain/` makes.

The mel in dB, less its mean over 9 x 9 cells, is transformed in both directions, and the powers of the
folder's clips are averaged. `peak` is the strongest place (over 3 x 3) beside the median of all: noise has
none. `share` is the part of the power in the strongest 2 % of places.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
from recipe import audio  # noqa: E402

FRAMES, LOW, HIGH = 256, 20, 116  # bands from 0.66 to 16 kHz
SLOW = 8  # modulations below 3 Hz are the sound's own


def mean_around(x, size, pad="reflect"):
    """Mean over size x size cells."""
    padded = np.pad(x, size // 2, mode=pad)
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).mean((2, 3))


def spectrum(mel):
    level = mel[LOW:HIGH, :FRAMES] * audio.MEL["db_range"]
    window = np.hanning(HIGH - LOW)[:, None] * np.hanning(FRAMES)
    return np.abs(np.fft.rfft2((level - mean_around(level, 9)) * window)) ** 2


def main(folders):
    for folder in folders:
        mels = [
            audio.mel(torch.from_numpy(audio.read(path)[0])).numpy()
            for path in sorted(Path(folder).iterdir())
            if path.suffix in (".wav", ".flac", ".opus")
        ]
        mels = [mel for mel in mels if mel.shape[1] >= FRAMES]
        power = np.mean([spectrum(mel) for mel in mels], 0)
        power = mean_around(power, 3, "wrap")[:, SLOW:]
        place = np.unravel_index(power.argmax(), power.shape)
        strongest = np.sort(power.ravel())[::-1][: power.size // 50].sum()
        print(
            f"{folder}: {len(mels)} clips, peak {power.max() / np.median(power):.0f} at "
            f"{(place[1] + SLOW) * audio.RATE / audio.HOP / FRAMES:.1f} Hz, "
            f"share {strongest / power.sum():.2f}"
        )


main(sys.argv[1:])
