# SPDX-License-Identifier: LGPL-2.1-or-later
"""A parcel: one small file with all that a training on another machine needs: the recipe, the start model,
prepared sounds.

For sfx it holds the latents of every window, rounded to a tenth of their deviation, which is a third of the
autoencoder's own uncertainty. For the denoiser it holds the recordings, as Opus.
"""

import io
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from . import audio, data, sfx

STEP = 0.1  # of a latent's deviation
OPUS_TOP = 40000  # Hz, twice what Opus keeps: a recording from a parcel counts as one of this rate
OPUS_LEVEL = 0.8  # compression of libsndfile, about 55 kbit/s
ROOM = 2 << 20  # bytes of a parcel for the recipe and its packing


def tar_size(folder):
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())


def copy_recipe(to, model):
    here = Path(__file__).parent
    shutil.copytree(here, to / "recipe", ignore=shutil.ignore_patterns("__pycache__", ".venv", "*.part"))
    if model:
        shutil.copytree(model, to / Path(model).resolve().name, ignore=shutil.ignore_patterns("CREDITS.tsv"))


def pick(count, room, size_of):
    """A random but repeatable choice of things that fit into `room` bytes together, in their own order."""
    order, chosen = np.random.default_rng(0).permutation(count), []
    for i in order:
        room -= size_of(i)
        if room < 0:
            break
        chosen.append(int(i))
    return sorted(chosen)


def packed_size(tensor):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        raw = tensor.numpy().tobytes()
        entry = tarfile.TarInfo("x")
        entry.size = len(raw)
        tar.addfile(entry, io.BytesIO(raw))
    return len(buffer.getvalue())


def features_sfx(work, start, room):
    seen = sfx.Windows(work)
    vae, _ = sfx.find_autoencoder(work, start)
    kept = data.cached(
        Path(work) / "latents.pt", [sfx.space(vae), seen.stamp], lambda: sfx.encode_all(vae, seen)
    )
    scale = STEP * float(kept["train"].float().std())
    out = dict(kind="sfx", key=kept["key"], scale=scale, labels=seen.labels, shared=seen.shared)
    for side in ("held", "train"):  # the small one first
        codes = (kept[side].float() / scale).round().clamp(-127, 127).to(torch.int8)
        sample = codes[:: max(1, len(codes) // 256)]
        each = packed_size(sample) / len(sample)
        chosen = pick(len(codes), room, lambda i: each)
        room -= each * len(chosen)
        out[side], out[side + "_labels"] = (
            codes[chosen].clone(),
            getattr(seen, side + "_labels")[chosen].clone(),
        )
        print(f"{side}: {len(chosen)} of {len(codes)} windows fit", flush=True)
    return out


def features_denoise(work, start, room):
    bank = data.Bank(work)
    clips = [clip for clip in bank.clips if not clip["path"].startswith("synthetic/")]
    coded = {}

    def size_of(i):
        buffer = io.BytesIO()
        soundfile.write(
            buffer,
            bank.samples(clips[i]),
            audio.RATE,
            format="OGG",
            subtype="OPUS",
            compression_level=OPUS_LEVEL,
        )
        coded[i] = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
        return len(coded[i]) + 600  # its entry in the index

    chosen = pick(len(clips), room, size_of)
    print(f"{len(chosen)} of {len(clips)} recordings fit", flush=True)
    return dict(kind="denoise", clips=[clips[i] for i in chosen], sounds=[coded[i] for i in chosen])


FEATURES = dict(sfx=features_sfx, denoise=features_denoise)


def pack(work, out, what, start, most):
    """Writes the parcel, a .tar.gz of at most `most` MiB with a folder `parcel` in it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "parcel"
        copy_recipe(root, start)
        own = Path(work) / "vae" / "net"
        if what == "sfx" and own.exists():
            shutil.copytree(own, root / "recipe-work" / "vae" / "net")
        room = (most << 20) - ROOM - tar_size(root)
        if room < 0:
            raise ValueError(
                f"--most {most}: the recipe and the start model alone "
                f"need {(tar_size(root) + ROOM) >> 20} MiB"
            )
        (root / "recipe-work").mkdir(exist_ok=True)
        data.save_tensors(root / "recipe-work" / "features.pt", FEATURES[what](work, start, room))
        with data.replacing(out) as part, tarfile.open(part, "w:gz") as tar:
            tar.add(root, "parcel")
    size = Path(out).stat().st_size
    if size > most << 20:
        Path(out).unlink()
        raise ValueError(
            f"{out}: {size / (1 << 20):.1f} MiB came of it, {most} are allowed; "
            "a smaller --most leaves out more"
        )


def unpack(work):
    """The features of a parcel as the caches that a training reads; nothing to do anywhere else."""
    work = Path(work)
    path = work / "features.pt"
    if not path.exists() or (work / "windows.pt").exists() or (work / "bank.json").exists():
        return
    kept = data.load_tensors(path, "unpack the parcel again")
    if kept["kind"] == "sfx":
        latents = {side: (kept[side].float() * kept["scale"]).half() for side in ("train", "held")}
        data.save_tensors(work / "latents.pt", latents | dict(key=kept["key"]))
        names = ("labels", "train_labels", "held_labels")
        windows = {name: kept[name] for name in names} | dict(
            key=kept["key"][1], shared=kept.get("shared", False)
        )
        data.save_tensors(work / "windows.pt", windows)
    else:
        unpack_sounds(work, kept)


def unpack_sounds(work, kept):
    rows = []
    for clip, sound in zip(kept["clips"], kept["sounds"]):
        wave, _ = soundfile.read(io.BytesIO(sound.numpy().tobytes()), dtype="float32")
        rows.append(dict(clip, samples=wave, rate=min(clip["rate"], OPUS_TOP)))
    with data.replacing(work / "bank.i16") as part, open(part, "wb") as file:
        clips = data.read_all(work, rows + list(data.synthetic()), file, False)
    for clip in clips:
        clip.setdefault("held", data.held_out(clip["source"]))
    (work / "augment.json").write_text(json.dumps({}), encoding="utf-8")
    data.write_json(work / "bank.json", clips)
