"""Trained nets -> a model folder: float16 weights that diffusers opens, and ebb.json for the rest."""

import csv
import hashlib
from pathlib import Path

import diffusers
import torch

from . import audio, data, denoise, nets, sfx

TEXTURES = {"bird", "chainsaw", "clock_tick", "engine", "fire", "helicopter", "insect_frog", "rain", "sea_waves",
            "water", "wind"}
AUTO_T = [[0, 0.9], [20, 0.7], [30, 0.4]]  # until `evaluate --write` has measured it
ATTRIBUTION = ("CC-BY", "Apache", "MIT", "CMU")


def save_net(net, folder):
    """Saves in float16, so that the sums are of what is shipped."""
    net.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    for file in Path(folder).iterdir():
        file.chmod(0o644)


def sums(folder):
    files = sorted(Path(folder).glob("*/*.safetensors"))
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def write_index(folder, parts):
    """model_index.json, so that DiffusionPipeline.from_pretrained(folder) finds the nets."""
    index = {"_class_name": "DDIMPipeline", "_diffusers_version": diffusers.__version__}
    data.write_json(Path(folder) / "model_index.json", index | {name: ["diffusers", cls] for name, cls in parts.items()})


def describe(folder, kind, name, **more):
    """ebb.json: what the nets mean. Keys: see README.md."""
    info = dict(format=1, kind=kind, name=name) | more
    data.write_json(Path(folder) / "ebb.json", info | dict(mel=audio.MEL, sha256=sums(folder)))
    return info


def label_list(labels, textures):
    """A texture goes on without a seam; an event starts and dies away."""
    return [dict(name=label, kind="texture" if label in textures else "event") for label in labels]


def credits(manifest, kinds, path):
    """The sources that ask for credit, one line per recording, from a MANIFEST.tsv."""
    with open(manifest, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["path"].split("/")[0] in kinds]
    named = sorted({(row["licence"], row["source_repository"], row["author_or_url"], row["original_path"])
                    for row in rows if row["licence"].startswith(ATTRIBUTION)})
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["licence", "repository", "author_or_url", "recording"])
        writer.writerows(named)


def averaged(run_folder, net):
    """The running average of a training's weights, in `net`."""
    path = Path(run_folder) / "state.pt"
    if not path.exists():
        raise ValueError(f"{run_folder}: nothing trained here yet; run `python -m recipe train` first")
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=False)["average"]["weights"])
    return net.eval()


def export_sfx(work, out, start, name, licence, credit, provenance, textures=TEXTURES, channels=(64, 128, 192)):
    task = sfx.Diffuse(work, start, channels)
    out = Path(out)
    save_net(averaged(Path(work) / "sfx", task.net), out / "unet")
    save_net(task.vae, out / "vae")
    nets.scheduler("v_prediction").save_pretrained(out / "scheduler")
    write_index(out, dict(scheduler="DDIMScheduler", unet="UNet2DModel", vae="AutoencoderKL"))
    labels = task.seen.labels
    default = next((label for label in ("rain", "sea_waves") if label in labels), labels[0])
    describe(out, "generate", name, labels=label_list(labels, textures), no_label=len(labels), default_label=default,
             window_frames=sfx.FRAMES, latent=task.info, licence=licence, credit=credit,
             provenance=provenance, recommended=dict(sampler="dpmpp-2m", steps=20, guidance=3.5))


def export_denoise(work, out, name, licence, credit, provenance, auto_t=AUTO_T, t_default=0.7):
    net = nets.denoiser(denoise.PATCH, denoise.CHANNELS, denoise.FRAMES)
    out = Path(out)
    save_net(averaged(Path(work) / "denoise", net), out / "unet")
    nets.scheduler("sample", clip=True).save_pretrained(out / "scheduler")
    write_index(out, dict(scheduler="DDIMScheduler", unet="UNet2DModel"))
    describe(out, "denoise", name, window_frames=denoise.FRAMES, patch=list(denoise.PATCH), condition="noisy-mel",
             recommended=dict(sampler="ddim", steps=1),
             denoise=dict(t_default=t_default, auto_t=auto_t, target="change", range_db=denoise.RANGE, keep="(1-t)^2"),
             licence=licence, credit=credit, provenance=provenance)
