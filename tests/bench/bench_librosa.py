#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""librosa's Griffin-Lim on the magnitudes of sound files: time and spectral convergence after 32 iterations,
to compare with what bench-audio prints for the same files (first 131071 samples at 48 kHz, one thread).

    OMP_NUM_THREADS=1 python tests/bench/bench_librosa.py SOUND...
"""

import statistics
import sys
import time

import librosa
import numpy as np

COUNT = 256 * 512 - 1


def main():
    losses, times = [], []
    for path in sys.argv[1:]:
        x, _ = librosa.load(path, sr=48000, mono=True)
        x = np.pad(x[:COUNT], (0, max(0, COUNT - len(x))))
        s = np.abs(librosa.stft(x, n_fft=2048, hop_length=512, pad_mode="constant"))
        start = time.thread_time()
        y = librosa.griffinlim(
            s,
            n_iter=32,
            hop_length=512,
            n_fft=2048,
            momentum=0.99,
            pad_mode="constant",
            random_state=1,
            length=COUNT,
        )
        times.append(1e3 * (time.thread_time() - start))
        r = np.abs(librosa.stft(y, n_fft=2048, hop_length=512, pad_mode="constant"))
        losses.append(np.linalg.norm(r - s) / np.linalg.norm(s))
    print(
        f"{len(losses)} files; librosa, 32 iterations: {statistics.median(times):.1f} ms, "
        f"spectral convergence {statistics.mean(losses):.4f}"
    )


if __name__ == "__main__":
    main()
