"""Trained nets -> a model folder: float16 weights that diffusers opens, and ebb.json for the rest."""

import csv
import hashlib
from pathlib import Path

import diffusers
import torch

from . import audio, data

TEXTURES = {"bird", "chainsaw", "clock_tick", "engine", "fire", "helicopter", "insect_frog", "rain", "sea_waves",
            "water", "wind"}
ATTRIBUTION = ("CC-BY", "Apache", "MIT", "CMU")


def save_net(net, folder):
    """Saves in float16, so that the sums are of what is shipped."""
    net.to(torch.float16).save_pretrained(folder, safe_serialization=True)


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


def label_list(labels):
    return [dict(name=label, kind="texture" if label in TEXTURES else "event") for label in labels]


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
