# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exporting trained networks to a model folder: float16 weights that diffusers opens, and ebb.json."""

import contextlib
import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import diffusers
import safetensors
import torch
from diffusers import AutoencoderKL, UNet2DModel

from . import audio, classifier, data, denoise, diffusion, nets, sfx, train

TEXTURES = {
    "bird",
    "chainsaw",
    "clock_tick",
    "engine",
    "fire",
    "helicopter",
    "insect_frog",
    "rain",
    "sea_waves",
    "water",
    "wind",
}
NETS = ("unet", "vae", "scheduler", "classifier", "text_encoder", "tokenizer")  # the folders of a model
LEARNED = ("schedule", "zero_snr", "prediction", "weights", "gamma")
ATTRIBUTION = ("CC-BY", "Apache", "MIT", "CMU")


def config_of(state):
    """The config of a checkpoint's net, without the notes that diffusers adds, such as the folder it came
    from."""
    return {name: value for name, value in state["config"].items() if not name.startswith("_")}


def built(kind, state):
    """The net of a checkpoint, as it was built, with the running average of its weights."""
    net = kind.from_config(config_of(state))
    net.load_state_dict(state["average"]["weights"])
    return net.eval()


def save_net(net, folder):
    """Saves in float16, so that the sums are of what is shipped."""
    write_net(net.to(torch.float16), folder)


def write_net(net, folder):
    try:
        net.save_pretrained(folder, safe_serialization=True)
    except (safetensors.SafetensorError, RuntimeError, OSError) as error:
        raise OSError(f"{folder}: cannot be written: {error}") from error
    for file in Path(folder).iterdir():
        file.chmod(0o644)


def keep_net(net, folder):
    """Saves as it is, whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        write_net(net, part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def renewing(out, whole=True):
    """A new folder for a model. When it is complete, its files replace those in `out`; other files of `out`
    stay. `whole`: nets that the new model does not have are removed, because Ebb refuses nets that ebb.json
    does not name."""
    out = Path(out)
    if out.exists() and not (out.is_dir() and ((out / "ebb.json").exists() or not any(out.iterdir()))):
        raise ValueError(f"{out}: is there already and is no model; name another folder")
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        for name in NETS:
            if whole and not (part / name).exists() and (out / name).exists():
                print(
                    f"{out / name}: of the model that was there, does not fit the new one; removed",
                    flush=True,
                )
                shutil.rmtree(out / name)
        for file in sorted(
            part.rglob("*"), key=lambda file: file.name == "ebb.json"
        ):  # it holds the sums: last
            if file.is_file():
                (out / file.relative_to(part)).parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, out / file.relative_to(part))
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sums(folder):
    files = sorted(Path(folder).glob("*/*.safetensors"))
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def write_index(folder, parts):
    """model_index.json, so that DiffusionPipeline.from_pretrained(folder) finds the nets."""
    index = {
        "_class_name": parts["scheduler"].replace("Scheduler", "Pipeline"),
        "_diffusers_version": diffusers.__version__,
    }
    data.write_json(
        Path(folder) / "model_index.json", index | {name: ["diffusers", cls] for name, cls in parts.items()}
    )


def describe(folder, kind, name, **more):
    """ebb.json: what the nets mean. Keys: see docs/models.md."""
    info = dict(format=1, kind=kind, name=name) | more
    data.write_json(Path(folder) / "ebb.json", info | dict(mel=audio.MEL, sha256=sums(folder)))
    return info


def amend(folder, info, **more):
    """Writes ebb.json of a model again, after `folder` received some new nets."""
    sha256 = dict(sorted((info["sha256"] | sums(folder)).items()))
    data.write_json(folder / "ebb.json", info | more | dict(sha256=sha256))


def label_list(labels, textures):
    """The labels for ebb.json. A texture goes on without a seam; an event starts and dies away."""
    return [dict(name=label, kind="texture" if label in textures else "event") for label in labels]


def credits(folder, kinds, path, rules=()):
    """The sources that ask for credit, one line per recording, from a folder's MANIFEST.tsv.

    Those that `rules` put aside (data.read_aside) are left out."""
    with open(Path(folder) / "MANIFEST.tsv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    clips = list(data.list_manifest(Path(folder)))
    data.put_aside(clips, rules)
    named = sorted(
        {
            (row["licence"], row["source_repository"], row["author_or_url"], row["original_path"])
            for row, clip in zip(rows, clips)
            if clip["kind"] in kinds and not clip["aside"] and row["licence"].startswith(ATTRIBUTION)
        }
    )
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["licence", "repository", "author_or_url", "recording"])
        writer.writerows(named)


def trained(run_folder):
    """The checkpoint of a training."""
    state = train.read_state(run_folder)
    if not state:
        raise ValueError(f"{run_folder}: nothing trained here yet; run `python -m recipe train` first")
    if "config" not in state:
        raise ValueError(
            f"{run_folder}: a checkpoint of an older recipe; "
            "`python -m recipe train` goes on with it and renews it"
        )
    return state


def trained_apart(works, run):
    """Takes several trainings of one net from one start. Returns the checkpoint of the first with the mean of
    all weights, which has less of the noise of each training."""
    first, *others = states = [trained(Path(work) / run) for work in works]
    for work, other in zip(works[1:], others):
        for name, said in said_by(other).items():
            if said != said_by(first)[name]:
                raise ValueError(
                    f"{work}: its {name} is not that of {works[0]}; "
                    "a mean is of trainings that differ in draws"
                )
    weights = {
        name: torch.stack([state["average"]["weights"][name] for state in states]).mean(0)
        for name in first["average"]["weights"]
    }
    return first | dict(
        average=dict(first["average"], weights=weights), others=[record(other) for other in others]
    )


def said_by(state):
    """The meaning of the weights of a checkpoint: labels, scale and schedule."""
    about = {name: state["about"].get(name) for name in ("labels", "autoencoder", "patch", "process")}
    return (
        dict(net=config_of(state))
        | about
        | {name: state["options"].get(name) for name in ("schedule", "zero_snr", "prediction")}
    )


def averaged(run_folder, net):
    """The running average of a training's weights, in `net`."""
    net.load_state_dict(trained(run_folder)["average"]["weights"])
    return net.eval()


UNLICENSED, UNCREDITED = "all rights reserved", "trained with Ebb's recipe on private recordings"


def inherited(start, work, state, licence, credit):
    """Licence and credit of a model. One that began from another, or has its autoencoder, is under the
    licence of that one unless another was given, and names its credit."""
    begun = (state["options"].get("start") or "none") != "none"
    borrowed = state["about"]["autoencoder"] and not (Path(work) / "vae" / "net").exists()
    of = {}
    if start and (begun or borrowed):
        of = json.loads((Path(start) / "ebb.json").read_text(encoding="utf-8"))
    credit = credit or UNCREDITED
    if of.get("credit"):
        credit = f"{credit}; from {of['name']}: {of['credit']}"
    return licence or of.get("licence") or UNLICENSED, credit


def export_sfx(work, out, start, name, licence, credit, provenance, textures=TEXTURES, run="sfx", others=()):
    state = trained_apart([work, *others], run)
    about, options, net = state["about"], state["options"], built(UNet2DModel, state)
    learned = {key: options[key] for key in LEARNED if key in options} | about.get("process", {})
    scheduler = diffusion.Process(clip=not about["autoencoder"], **learned).scheduler
    parts = dict(scheduler=type(scheduler).__name__, unet="UNet2DModel")
    vae = None
    if about["autoencoder"]:
        vae, parts["vae"] = sfx.find_autoencoder(work, start)[0], "AutoencoderKL"
        if sfx.space(vae) != about["autoencoder"]:
            raise ValueError(
                f"{work}: trained with another autoencoder than the one found now; "
                "give the --start of the training"
            )
    licence, credit = inherited(start, work, state, licence, credit)
    labels = about["labels"]
    for label in textures - TEXTURES - set(labels):
        raise ValueError(f"--textures {label}: there is no such label; there are {', '.join(labels)}")
    default = next((label for label in ("rain", "sea_waves") if label in labels), labels[0])
    with renewing(out) as folder:
        save_net(net, folder / "unet")
        if vae:
            save_net(vae, folder / "vae")
        scheduler.save_pretrained(folder / "scheduler")
        write_index(folder, parts)
        space = dict(latent=about["latent"]) if vae else dict(patch=about["patch"])
        space |= keep_classifier(Path(out), folder, labels, about["latent"])
        describe(
            folder,
            "generate",
            name,
            labels=label_list(labels, textures),
            no_label=len(labels),
            default_label=default,
            window_frames=about["frames"],
            **space,
            licence=licence,
            credit=credit,
            provenance=provenance,
            recommended=dict(sampler="sa-solver", steps=10, guidance=options.get("guidance", 3.5)),
            **({"student": about["student"]} if "student" in about else {}),
            trained=record(state),
        )


def keep_classifier(out, folder, labels, latent):
    """Copies the classifier of the model in `out` into `folder` if the new model has its labels, latents and
    schedule. Returns the part of ebb.json about it."""
    if not (
        (out / "ebb.json").exists()
        and (out / "classifier").exists()
        and (out / "vae").exists()
        and (folder / "vae").exists()
    ):
        return {}
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    spaces = [
        sfx.space(AutoencoderKL.from_pretrained(model, subfolder="vae").float()) for model in (out, folder)
    ]
    if ([label["name"] for label in info["labels"]], scale_of(info.get("latent")), spaces[0]) != (
        labels,
        scale_of(latent),
        spaces[1],
    ):
        return {}
    if foreign_noise(folder):
        return {}
    shutil.copytree(out / "classifier", folder / "classifier")
    return dict(classifier=info["classifier"]) if "classifier" in info else {}


def scale_of(latent):
    """The part of ebb.json about latents without what is heard of them: whatever sees latents alone may go
    from one model to another whose scale is the same."""
    return latent and {key: value for key, value in latent.items() if key != "silence"}


def foreign_noise(model):
    """The name of a model's schedule if classifiers are trained on another one, else ""."""
    says, heard = (
        diffusion.said_by(config)
        for config in (diffusion.load_config(model), diffusion.Process().scheduler.config)
    )
    if says["zero_snr"] != heard["zero_snr"]:
        return f"{says['schedule']} rescaled to zero SNR"
    return says["schedule"] if says["schedule"] != heard["schedule"] else ""


def export_classifier(work, out, others=()):
    """Adds a classifier to a model with the same labels, latents and schedule."""
    out, state = Path(out), trained_apart([work, *others], "classifier")
    if not (out / "ebb.json").exists():
        raise ValueError(f"{out}: no model is there yet; a classifier goes into one (export it first)")
    info, about = json.loads((out / "ebb.json").read_text(encoding="utf-8")), state["about"]
    names = [label["name"] for label in info["labels"]]
    if names != about["labels"]:
        raise ValueError(
            f"{out}: it has the labels {', '.join(names)}; the classifier knows {', '.join(about['labels'])}"
        )
    if scale_of(info.get("latent")) != scale_of(about["latent"]):
        raise ValueError(
            f"{out}: it diffuses in another space than the one that the classifier was trained in"
        )
    if noise := foreign_noise(out):
        raise ValueError(
            f"{out}: its noise is {noise}; a classifier has heard only "
            f"{diffusion.Process().scheduler.config.beta_schedule}"
        )
    with renewing(out, whole=False) as folder:
        save_net(classifier.with_weights(state["config"], state["average"]["weights"]), folder / "classifier")
        amend(folder, info, classifier=dict(trained=record(state)))


def on_the_way(vae, there, part):
    """The weights that lie at `part` of the way from those of the autoencoder `there` to those of `vae`."""
    weights, old = vae.state_dict(), there.state_dict()
    if {name: value.shape for name, value in weights.items()} != {
        name: value.shape for name, value in old.items()
    }:
        raise ValueError(
            f"--part {part:g}: the decoder that is there has other sizes, so no way leads from it"
        )
    return {name: old[name].lerp(value, part) for name, value in weights.items()}


def export_decoder(work, out, what, others=(), part=1.0):
    """Adds a decoder to a model on the latents of the same encoder. All other nets of the model stay. The
    decoder of `train --what decoder` brings an encoder that was taught to say what the model's encoder says.
    """
    out, state = Path(out), trained_apart([work, *others], what)
    if not (out / "ebb.json").exists() or not (out / "vae").exists():
        raise ValueError(
            f"{out}: no model of latents is there yet; a decoder goes into one (export it first)"
        )
    vae = built(AutoencoderKL, state)
    there = AutoencoderKL.from_pretrained(out, subfolder="vae").float()
    if sfx.space(there) not in {sfx.space(sfx.shipped(vae)), *state["about"].get("taught_by", [])}:
        raise ValueError(f"{out}: it has another encoder than the one whose decoder was taught")
    if part < 1:
        vae.load_state_dict(on_the_way(vae, there, part))
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    info.pop("patch", None)
    if nets.fold_of(vae) > 1:
        info["patch"] = [nets.fold_of(vae)] * 2
    with renewing(out, whole=False) as folder:
        save_net(vae, folder / "vae")
        how = record(state) | (dict(part=part) if part < 1 else {})
        amend(folder, info, trained=info.get("trained", {}) | {what: how})


def export_prompts(work, out, narrow=False):
    """Gives a model that knows labels words as well: its U-Net becomes the wider one, which answers to labels
    as before, and a text encoder and its tokenizer come in. `narrow`: the U-Net stays, and of what words say
    only that which a label's row can say as well is kept."""
    from . import export_text

    out, state, text = Path(out), trained(Path(work) / "prompts"), trained(Path(work) / "text")
    if not (out / "ebb.json").exists() or not (out / "unet").exists():
        raise ValueError(f"{out}: no model is there yet; words go into one (export it first)")
    info, about = json.loads((out / "ebb.json").read_text(encoding="utf-8")), state["about"]
    names = [label["name"] for label in info["labels"]]
    if names != about["model"]:
        raise ValueError(
            f"{out}: it has the labels {', '.join(names)}; the words were learned beside "
            f"{', '.join(about['model'])}"
        )
    if text["about"]["sense"] != data.digest(export_text.sense_of(state)):
        raise ValueError(
            f"{work}: the text encoder learned before `train --what prompts` went on; "
            "run `python -m recipe train --what text` again, in another --work or after deleting its folder"
        )
    with renewing(out, whole=False) as folder:
        if not narrow:
            save_net(export_text.wider_unet(state), folder / "unet")
        width = about["width"] + (0 if narrow else about["more"])
        export_text.save(Path(work) / "text", export_text.Small(text["config"]), text, folder, width)
        export_text.add_to_index(out, folder)
        learned = dict(prompts=record(state), text=record(text))
        amend(
            folder,
            info,
            labels=[label | dict(prompts=about["heard"].get(label["name"], [])) for label in info["labels"]],
            prompts=[] if narrow else about["heard"].get("", []),
            trained=info.get("trained", {}) | learned,
        )


def export_kinds(work, out, others=(), part=1.0):
    """Gives a model of labels the U-Net of `train --what kinds`, which began from it. Other networks stay.
    `part`: weights at this part of the way from those that are there; sub-kinds' rows are taken whole."""
    from . import kinds

    out, state = Path(out), trained_apart([work, *others], "kinds")
    if not (out / "ebb.json").exists() or not (out / "unet").exists():
        raise ValueError(f"{out}: no model is there yet; sub-kinds go into one (export it first)")
    info, about = json.loads((out / "ebb.json").read_text(encoding="utf-8")), state["about"]
    there, net = UNet2DModel.from_pretrained(str(out), subfolder="unet").float(), kinds.plain(state)
    table, rows = there.class_embedding.weight, net.class_embedding.weight
    names, first = [label["name"] for label in info["labels"]], about["first"]
    if names != about["labels"] or len(table) != first or not torch.allclose(table, rows[:first]):
        raise ValueError(f"{out}: not the model that the training of sub-kinds began from")
    if part < 1:
        old, new = there.state_dict(), net.state_dict()
        new |= {name: old[name].lerp(new[name], part) for name in old if name != "class_embedding.weight"}
        net.load_state_dict(new)
    with renewing(out, whole=False) as folder:
        save_net(net, folder / "unet")
        how = record(state) | (dict(part=part) if part < 1 else {})
        named = [dict(label=label, captions=captions) for label, captions in about["kinds"]]
        amend(folder, info, kinds=named, trained=info.get("trained", {}) | dict(kinds=how))


EXAMPLES = 24  # captions of a label that ebb.json lists at most: `ebb labels` shows the first


def export_words(work, out):
    """Gives a model of labels a text encoder; its other networks stay as they are, and so does what labels
    sound like."""
    from . import export_text
    from .words import Led

    out, state = Path(out), trained(Path(work) / "words")
    if not (out / "ebb.json").exists() or not (out / "unet").exists():
        raise ValueError(f"{out}: no model is there yet; words go into one (export it first)")
    info, about = json.loads((out / "ebb.json").read_text(encoding="utf-8")), state["about"]
    names = [label["name"] for label in info["labels"]]
    table = UNet2DModel.from_pretrained(str(out), subfolder="unet").class_embedding.weight.detach().float()
    rows, kinds = about["rows"], len(info.get("kinds", []))
    same = len(rows) == len(names) + 1 + kinds and torch.equal(
        torch.cat([table[: len(names)], table[len(table) - kinds :]]),
        torch.cat([rows[: len(names)], rows[len(names) + 1 :]]),
    )
    if names != about["labels"] or not same:
        raise ValueError(f"{out}: not the model whose labels the words were learned for")
    with renewing(out, whole=False) as folder:
        export_text.save(Path(work) / "words", Led(state["config"]), state, folder, table.shape[1])
        export_text.add_to_index(out, folder)
        amend(
            folder,
            info,
            labels=[
                label | dict(prompts=about["heard"][label["name"]][:EXAMPLES]) for label in info["labels"]
            ],
            trained=info.get("trained", {}) | dict(words=record(state)),
        )


def record(state):
    """How a model was trained, for ebb.json."""
    mean_with = dict(mean_with=state["others"]) if state.get("others") else {}
    how = dict(bf16=state["bf16"]) if "bf16" in state else {}  # what was done, not what was asked for
    options = state["options"]
    if "start" in options:
        how["start"] = Path(options["start"]).name  # where it lay is nobody's concern
    return dict(steps=state["step"], minutes=round(state["spent"] / 60, 1)) | options | how | mean_with


def export_denoise(work, out, name, licence, credit, provenance, t_default=0.7, others=()):
    state = trained_apart([work, *others], "denoise")
    with renewing(out) as folder:
        save_net(built(UNet2DModel, state), folder / "unet")
        nets.scheduler("sample", clip=True).save_pretrained(folder / "scheduler")
        write_index(folder, dict(scheduler="DDIMScheduler", unet="UNet2DModel"))
        describe(
            folder,
            "denoise",
            name,
            window_frames=denoise.FRAMES,
            patch=list(denoise.PATCH),
            condition="noisy-mel",
            recommended=dict(sampler="ddim", steps=1),
            denoise=dict(
                t_default=t_default,
                auto_t=denoise.AUTO_T,
                auto_doubt=denoise.AUTO_DOUBT,
                auto_unsure=denoise.AUTO_UNSURE,
                auto_voice=denoise.AUTO_VOICE,
                target="change",
                range_db=denoise.RANGE,
                keep="(1-t)^2",
            ),
            licence=licence or UNLICENSED,
            credit=credit or UNCREDITED,
            provenance=provenance,
            trained=record(state),
        )
