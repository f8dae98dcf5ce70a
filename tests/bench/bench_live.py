#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the latency modes of diffusedenoise cost: the gain in SI-SDR on the recordings of examples/audio.

    bench_live.py EBB     rows of a Markdown table; EBB is the command, such as build/tools/ebb

It needs numpy and soundfile.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

AUDIO = Path(__file__).resolve().parents[2] / "examples" / "audio"
RECORDINGS = ("speech-train", "speech-film-static")
MODES = {"normal": (8, 4), "medium": (8, 0), "low": (4, 0), "lowest": (2, 0)}  # hop, frames ahead


def si_sdr(clean, heard):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019)."""
    target = clean * (heard @ clean) / (clean @ clean)
    return 10 * np.log10((target @ target) / ((heard - target) @ (heard - target)))


def gain(ebb, name, hop, ahead, folder):
    """By how many dB the SI-SDR of a recording rises when it is cleaned live, with automatic t."""
    noisy, cleaned = AUDIO / f"{name}-noisy.wav", Path(folder) / "cleaned.wav"
    windows = ["--live", "--live-hop", str(hop), "--live-ahead", str(ahead)]
    subprocess.run(
        [ebb, "denoise", noisy, cleaned, "--t", "auto", *windows, "--force", "--quiet"], check=True
    )
    clean, before, after = (soundfile.read(p)[0] for p in (AUDIO / f"{name}-clean.flac", noisy, cleaned))
    return si_sdr(clean, after) - si_sdr(clean, before)


def main():
    ebb = sys.argv[1]
    print("| `latency-mode` | " + " | ".join(RECORDINGS) + " |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for mode, (hop, ahead) in MODES.items():
            gains = (f"{gain(ebb, name, hop, ahead, folder):+.1f} dB" for name in RECORDINGS)
            print(f"| `{mode}` ({hop}, {ahead}) | " + " | ".join(gains) + " |")


main()
