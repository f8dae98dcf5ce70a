# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden files of `ebb eval`: single passes of the tiny models' networks by PyTorch and diffusers.

python tests/golden/make_eval.py        (torch, diffusers, numpy)
"""

import os

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel

here = os.path.dirname(os.path.abspath(__file__))
models = os.path.join(here, "..", "models")
out = os.path.join(here, "eval")


def save(name, tensor):
    np.save(os.path.join(out, name), tensor.detach().numpy().astype(np.float32))


def main():
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(7)
    unet = UNet2DModel.from_pretrained(os.path.join(models, "tiny-sfx", "unet")).eval().float()
    vae = AutoencoderKL.from_pretrained(os.path.join(models, "tiny-sfx", "vae")).eval().float()
    with torch.no_grad():
        x = torch.randn(2, unet.config.in_channels, 8, 16)
        save("unet-x.npy", x)
        save("unet-y.npy", unet(x, 731, class_labels=torch.tensor([1, 2])).sample)
        mel = torch.randn(1, 1, 32, 64).clamp(-1, 1)
        latent = vae.encode(mel).latent_dist
        save("vae-x.npy", mel)
        save("vae-encoded.npy", torch.cat([latent.mean, latent.std], 1))
        save("vae-z.npy", latent.mean)
        save("vae-decoded.npy", vae.decode(latent.mean).sample)


main()
