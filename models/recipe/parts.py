# SPDX-License-Identifier: LGPL-2.1-or-later
"""A checkpoint in small parts, to be copied from another machine: the weights first, then the whole state."""

import hashlib
import io
import json
from pathlib import Path

import torch

from . import data

MOST = 16 << 20  # bytes of a part


def light(state):
    """The part of a checkpoint that an export needs: the averaged weights in float16, and their meaning."""
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state["average"]["weights"].items()
    }
    keep = ("step", "spent", "options", "bf16", "config", "about")
    return {name: state[name] for name in keep} | dict(
        average=dict(steps=state["average"]["steps"], weights=half)
    )


def leave(folder, state, path):
    """Cuts the checkpoint at `path` into parts. The index is written last and names complete sets only."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = io.BytesIO()
    torch.save(light(state), weights)
    index = dict(step=state["step"], parts={})
    for what, whole in (("weights", weights.getvalue()), ("state", Path(path).read_bytes())):
        for number, start in enumerate(range(0, len(whole), MOST)):
            part = whole[start : start + MOST]
            name = f"{what}-{state['step']:07d}.{number:03d}"
            with data.replacing(folder / name) as file:
                file.write_bytes(part)
            index["parts"][name] = hashlib.sha256(part).hexdigest()
    data.write_json(folder / "index.json", index)
    for file in folder.glob("*-*.[0-9][0-9][0-9]"):
        if file.name not in index["parts"]:
            file.unlink()


def gather(folder, index, what):
    """Joins all parts of a kind; None if some are missing. A damaged part is an error."""
    whole = io.BytesIO()
    for name in sorted(name for name in index["parts"] if name.startswith(what)):
        if not (folder / name).exists():
            return None
        part = (folder / name).read_bytes()
        if hashlib.sha256(part).hexdigest() != index["parts"][name]:
            raise ValueError(f"{folder / name}: damaged on the way; fetch it again")
        whole.write(part)
    return whole.getvalue()


def join(folder, out):
    """Joins parts to the checkpoint of the training `out`. If the state is not complete, the checkpoint has
    the weights alone."""
    folder, out = Path(folder), Path(out)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        whole, weights = gather(folder, index, "state"), gather(folder, index, "weights")
    except (json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"{folder}/index.json: not what `train --parts` leaves") from error
    if whole is None and weights is None:
        raise ValueError(
            f"{folder}: parts of both weights and state are missing: "
            + ", ".join(name for name in index["parts"] if not (folder / name).exists())
        )
    out.mkdir(parents=True, exist_ok=True)
    with data.replacing(out / "state.pt") as file:
        file.write_bytes(weights if whole is None else whole)
    came = (
        "its weights alone: to be exported"
        if whole is None
        else "all of its state: train and export go on from it"
    )
    print(f"{out}/state.pt: step {index['step']}, {came}")
