#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Colours as AudioDiffusionPipeline of diffusers turns them into a mel's picture: rows of r, g, b and the
grey, in -1..1.

python3 tests/golden/make_luma.py     # needs numpy and pillow; writes tests/golden/luma.f32
"""

import pathlib

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent

if __name__ == "__main__":
    images = np.random.default_rng(1).uniform(-1.2, 1.2, (16, 16, 3)).astype(np.float32)
    images[0, :3] = np.eye(3) * 2 - 1
    images[0, 3:6] = [[1, 1, 1], [-1, -1, -1], [0, 0, 0]]
    pixels = ((images / 2 + 0.5).clip(0, 1) * 255).round().astype("uint8")
    grey = np.array(Image.fromarray(pixels, mode="RGB").convert("L")).astype(np.float32) / 255 * 2 - 1
    rows = np.concatenate([images, grey[..., None]], 2).reshape(-1, 4)
    (HERE / "luma.f32").write_bytes(rows.astype("<f4").tobytes())
