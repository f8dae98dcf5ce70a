# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exported folders: diffusers and Ebb open them and compute the same, and the pipeline plays them."""

import contextlib
import io
import json
import shutil
import subprocess

import diffusers
import numpy as np
import soundfile
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DModel

from .. import classifier, denoise, diffusion, evaluate, export, guide, judge, judge_denoise, nets, sfx, train
from .base import check, corpus, quietly, recipe, refused, skip, train_tiny, with_autoencoder

diffusers.utils.logging.disable_progress_bar()
MODELS = dict(  # name: options of its training
    latent=dict(),
    zero=dict(schedule="scaled_linear", zero_snr=True, weights="uniform"),
    direct=dict(direct=[16, 16], schedule="sigmoid", prediction="epsilon", weights="p2"),
    mel=dict(direct=[1, 1], schedule="linear", prediction="sample", channels=[8, 8, 8, 16]),
    laplace=dict(direct=[8, 8], schedule="laplace"),
)


def run(root):
    work = with_autoencoder(root)
    for name, options in MODELS.items():
        check_model(root, work, name, options)
    check_classifier(root, root / "latent-work", root / "models" / "latent")
    check_mean(root, root / "latent-work")
    check_denoiser(root)
    check_refusals(root, root / "latent-work")
    check_judge(root, work)
    check_licence(root)
    check_guide(root, work)


def check_licence(root):
    """A model that began from another has its licence and credit."""
    start, work = root / "begun-from", root / "begun"
    for folder in (start, work):
        folder.mkdir()
    (start / "ebb.json").write_text(
        '{"name": "old", "licence": "CC-BY-4.0", "credit": "them"}', encoding="utf-8"
    )
    begun = dict(options=dict(start="shipped"), about=dict(autoencoder="theirs"))
    alone = dict(options=dict(start="none"), about=dict(autoencoder=None))
    for state, given, wanted in (
        (begun, (None, None), ("CC-BY-4.0", f"{export.UNCREDITED}; from old: them")),
        (begun, ("CC0", "us"), ("CC0", "us; from old: them")),
        (alone, (None, None), (export.UNLICENSED, export.UNCREDITED)),
        (alone | dict(about=begun["about"]), (None, "us"), ("CC-BY-4.0", "us; from old: them")),
    ):
        check(export.inherited(start, work, state, *given) == wanted, f"licence: {wanted[0]}, {wanted[1]}")


def train_beside(work, here, steps, options):
    """Trains a small generator on the sounds of `work`, in a folder of its own. Returns the options of the
    training.
    """
    shutil.copytree(work, here, ignore=shutil.ignore_patterns("sfx"))
    options = dict(channels=[16, 32], layers=1) | options
    quietly(
        train.Run(sfx.Diffuse(here, None, **options), here / "sfx", 1e-3, 4, steps=steps, options=options).run
    )
    return options


def check_model(root, work, name, options):
    """Trains for a few steps, exports, and compares."""
    here, out = root / f"{name}-work", root / "models" / name
    options = train_beside(work, here, 4, options)
    status, said = recipe(here, "export", out, "--start", "none", "--textures", "hiss", "--licence", "CC0")
    check(status == 0, f"{name}: export: {said}")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    labels, kept = {label["name"]: label["kind"] for label in info["labels"]}, info["trained"]
    check(labels == dict(beep="event", click="event", hiss="texture"), f"{name}: labels are the folders")
    files = 2 - ("direct" in options)
    check(
        export.sums(out) == info["sha256"] and len(info["sha256"]) == files,
        f"{name}: the sums are those of the files",
    )
    check(kept["steps"] == 4 and kept["channels"] == options["channels"], f"{name}: says how it was trained")
    unet = UNet2DModel.from_pretrained(out, subfolder="unet").float().eval()
    vae = None if "direct" in options else AutoencoderKL.from_pretrained(out, subfolder="vae").float().eval()
    scheduler = diffusion.load_scheduler(out)
    check(
        scheduler.config.clip_sample == ("direct" in options),
        f"{name}: what is diffused is clipped where it was in training",
    )
    check(
        scheduler.config.prediction_type == options.get("prediction", "v_prediction"),
        f"{name}: its prediction",
    )
    mel = sfx.generate(unet, vae, info, torch.tensor([0, 2]), 2, scheduler=scheduler)
    check(mel.shape == (2, 128, 256) and torch.isfinite(mel).all() and mel.std() > 0, f"{name}: makes mels")
    check_in_diffusers(name, out, unet, options)
    check_in_ebb(root, name, out, unet, scheduler)


def check_classifier(root, work, out):
    """Trains a classifier, puts it into the model, and renders with its guidance in Ebb."""
    options = dict(channels=[16, 32])
    run = train.Run(
        classifier.Classify(work, None, **options), work / "classifier", 1e-3, 4, steps=4, options=options
    )
    quietly(run.run)
    before = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    status, said = recipe(work, "export", out, "--what", "classifier")
    check(status == 0, f"classifier: export: {said}")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    check(
        info["sha256"] == export.sums(out) and len(info["sha256"]) == 3,
        "classifier: the sums are those of the files",
    )
    check(
        info["labels"] == before["labels"] and info["classifier"]["trained"]["steps"] == 4,
        "classifier: the rest is as it was",
    )
    x, t = torch.randn(2, *info["latent"]["shape"]), torch.tensor([10, 900])
    mean = classifier.with_weights(
        dict(run.net.config), {k: v.half().float() for k, v in run.average.weights.items()}
    )
    check(
        torch.equal(classifier.load(out / "classifier")(x, t), mean(x, t)),
        "classifier: it says what the trained one says",
    )
    if shutil.which("ebb"):
        made = [
            ebb(
                "render",
                "--model",
                out,
                "--label",
                "click",
                "--steps",
                2,
                "--classifier-guidance",
                g,
                "--save-latents",
                root / f"led{g}.npy",
            )
            for g in (0, 5)
        ]
        check(all(done.returncode == 0 for done in made), f"classifier: Ebb is led by it: {made[1].stderr}")
        check(
            not np.array_equal(*(np.load(root / f"led{g}.npy") for g in (0, 5))),
            "classifier: it leads elsewhere",
        )
    (root / "empty").mkdir(exist_ok=True)
    refused(["no model is there"], work, "export", root / "empty", "--what", "classifier")
    info["labels"].reverse()
    shutil.copytree(out, root / "models" / "reversed")
    (root / "models" / "reversed" / "ebb.json").write_text(json.dumps(info), encoding="utf-8")
    refused(["labels"], work, "export", root / "models" / "reversed", "--what", "classifier")
    refused(
        ["its noise is scaled_linear rescaled"],
        work,
        "export",
        root / "models" / "zero",
        "--what",
        "classifier",
    )
    check_over(root, work, out)


def check_over(root, work, out):
    """Exports over a model that exists. A classifier of the same space stays; nets that the new model does
    not have go.
    """
    over = root / "models" / "over"
    shutil.copytree(out, over)
    status, said = recipe(work, "export", over, "--start", "none")
    info = json.loads((over / "ebb.json").read_text(encoding="utf-8"))
    check(
        status == 0
        and "classifier" in info
        and export.sums(over) == info["sha256"]
        and len(info["sha256"]) == 3,
        f"over: its classifier stays: {said}",
    )
    for name, rest in (("zero", ["scheduler", "unet", "vae"]), ("direct", ["scheduler", "unet"])):
        status, said = recipe(root / f"{name}-work", "export", over, "--start", "none")
        info = json.loads((over / "ebb.json").read_text(encoding="utf-8"))
        check(
            status == 0
            and "removed" in said
            and "classifier" not in info
            and export.sums(over) == info["sha256"]
            and sorted(path.name for path in over.iterdir() if path.is_dir()) == rest,
            f"over: {name} leaves no other net: {said}",
        )
    if shutil.which("ebb"):
        done = ebb("render", "-m", over, "--label", "hiss", "-o", root / "over.wav", "--device", "cpu", "-q")
        check(done.returncode == 0, f"over: Ebb opens it: {done.stderr}")


def check_in_diffusers(name, out, unet, options):
    parts = dict(vae=None) if (out / "vae").exists() else {}  # a pipeline of noise and U-Net takes no more
    pipeline = DiffusionPipeline.from_pretrained(out, **parts)
    check(
        type(pipeline.scheduler).__name__
        == diffusion.SCHEDULES[options.get("schedule", "squaredcos_cap_v2")][0].__name__
        and torch.equal(pipeline.unet.conv_in.weight, unet.conv_in.weight),
        f"{name}: diffusers opens it as a pipeline",
    )


@torch.no_grad()
def check_in_ebb(root, name, out, unet, scheduler, label=1, steps=4):
    """Runs the loop of the scheduler's class from the same noise in diffusers and in Ebb, then renders a
    sound.
    """
    if not shutil.which("ebb"):
        skip(f"{name}: ebb is not on the PATH (./dev test-recipe puts it there)")
        return
    sampler = "ddim" if isinstance(scheduler, DDIMScheduler) else "ddpm"
    done = ebb(
        "render",
        "-m",
        out,
        "--label",
        "click",
        "--seed",
        3,
        "--noise",
        "torch",
        "--sampler",
        sampler,
        "--steps",
        steps,
        "--guidance",
        1,
        "--device",
        "cpu",
        "--save-latents",
        root / "x.npy",
        "-q",
    )
    check(done.returncode == 0, f"{name}: ebb opens it: {done.stderr}")
    if done.returncode:
        return
    found, noise = torch.from_numpy(np.load(root / "x.npy")), torch.Generator().manual_seed(3)
    x = torch.randn(found.shape, generator=noise)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(
            unet(x, t, class_labels=torch.tensor([label])).sample, t, x, generator=noise
        ).prev_sample
    error = float((found - x).abs().max() / x.abs().max())
    check(error < 1e-3, f"{name}: Ebb's latents are diffusers', within 0.1 %: {error:.1e}")
    done = ebb("render", "-m", out, "--label", "hiss", "-o", root / f"{name}.wav", "--device", "cpu", "-q")
    wave, rate = soundfile.read(root / f"{name}.wav") if done.returncode == 0 else (np.zeros(1), 0)
    good = rate == 48000 and len(wave) > 100000 and np.isfinite(wave).all() and wave.std() > 0
    check(good, f"{name}: ebb renders it: {done.stderr}")
    if name == "latent":
        check_played(root, out)
        check_start(out, unet, scheduler)


def check_start(out, unet, scheduler):
    """A training that starts from a model finds its labels by name. New labels begin apart from others."""
    net = nets.sfx_unet((16, 32), 3, (unet.config.in_channels, *unet.config.sample_size), 1)
    sfx.copy_weights(net, ["click", "one", "two"], out, diffusion.said_by(scheduler.config))
    old, new = unet.class_embedding.weight, net.class_embedding.weight
    check(
        torch.equal(net.conv_in.weight, unet.conv_in.weight)
        and torch.equal(new[0], old[1])
        and torch.equal(new[3], old[3]),
        "a start takes weights, known labels and no label",
    )
    check(
        not any(torch.allclose(new[1], row, atol=0.1) for row in (new[0], new[2], new[3])),
        "new labels begin apart",
    )


def ebb(*words):
    return subprocess.run(["ebb", *map(str, words)], text=True, capture_output=True)


def check_played(root, out):
    if (
        not shutil.which("gst-launch-1.0")
        or subprocess.run(["gst-inspect-1.0", "diffusesrc"], capture_output=True).returncode
    ):
        skip("diffusesrc is not there to play it (./dev test-recipe puts it there)")
        return
    line = f"diffusesrc model={out} label=hiss num-clips=1 ! audioconvert ! wavenc"
    line += f" ! filesink location={root}/played.wav"
    done = subprocess.run(
        ["gst-launch-1.0", "-q", *line.split()], text=True, capture_output=True, timeout=120
    )
    wave, rate = soundfile.read(root / "played.wav") if done.returncode == 0 else (np.zeros(1), 0)
    check(
        rate == 48000 and len(wave) > 90000 and wave.std() > 0,
        f"diffusesrc plays it: {rate} Hz, {wave.shape}: {done.stderr}",
    )


def check_mean(root, work):
    """The mean of two trainings is the mean of their weights. Different nets, or schedules, have none."""
    other, out = root / "other-work", root / "models" / "mean"
    train_beside(work, other, 3, dict(seed=2))
    status, said = recipe(work, "export", out, "--start", "none", "--mean-with", other)
    check(status == 0, f"mean: export: {said}")
    one, two = (
        train.read_state(place / "sfx")["average"]["weights"]["conv_in.weight"] for place in (work, other)
    )
    found = UNet2DModel.from_pretrained(out, subfolder="unet").conv_in.weight.float()
    check(
        torch.allclose(found, (one + two) / 2, atol=1e-3) and not torch.allclose(found, one, atol=1e-3),
        "mean: of both",
    )
    told = json.loads((out / "ebb.json").read_text(encoding="utf-8"))["trained"]["mean_with"]
    check(len(told) == 1 and told[0]["seed"] == 2 and told[0]["steps"] == 3, "mean: says with what")
    for name, reason in (("direct", "its net"), ("zero", "its schedule")):
        refused(
            [f"{reason} is not that of"],
            work,
            "export",
            root / "x",
            "--start",
            "none",
            "--mean-with",
            root / f"{name}-work",
        )
    refused(
        ["nothing trained here"],
        work,
        "export",
        root / "x",
        "--start",
        "none",
        "--mean-with",
        root / "nowhere",
    )


def check_denoiser(root):
    """Ebb and the recipe make the same of a mix, at a given t and at an automatic one. They draw different
    noise for x_t, which a net after two steps of training still shows.
    """
    work, out = corpus(root), root / "models" / "cleaner"
    train_tiny(work, "denoise", work / "denoise", 2)
    status, said = recipe(work, "export", out, "--what", "denoise")
    check(status == 0, f"denoiser: export: {said}")
    if not shutil.which("ebb"):
        skip("denoiser: ebb is not on the PATH (./dev test-recipe puts it there)")
        return
    rng, t = np.random.default_rng(1), np.arange(6 * 48000) / 48000
    mix = torch.from_numpy(
        0.1 * np.sin(2000 * t) * (np.sin(5 * t) > 0) + 0.06 * rng.standard_normal(len(t))
    ).float()
    soundfile.write(root / "mix.wav", mix.numpy(), 48000, subtype="FLOAT")
    net = UNet2DModel.from_pretrained(out, subfolder="unet").float().eval()
    done = ebb("denoise", "-m", out, "--device", "cpu", "--t", "0.7", root / "mix.wav", root / "clean.wav")
    heard = (
        torch.from_numpy(soundfile.read(root / "clean.wav", dtype="float32")[0])
        if done.returncode == 0
        else mix
    )
    wanted = denoise.clean(net, mix, 0.7)
    error = float((heard - wanted).square().sum() / (mix - wanted).square().sum())
    check(
        error < 0.05,
        f"denoiser: Ebb takes away what the recipe does, within 5 % of its power: {error:.1e}: {done.stderr}",
    )
    said = ebb(
        "denoise",
        "-m",
        out,
        "--device",
        "cpu",
        "--t",
        "auto",
        "--json",
        root / "mix.wav",
        root / "measured.wav",
    )
    found = json.loads(said.stdout) if said.returncode == 0 else dict(t=-1, snr_db=-99)
    told = np.array(denoise.opinions(net, mix))
    snr, doubt = told[:2]
    picked = float(
        judge_denoise.pick_t((denoise.AUTO_T, denoise.AUTO_DOUBT, [[0, 1]], denoise.AUTO_VOICE), told)
    )
    check(
        abs(found["t"] - picked) < 0.06 and abs(found["snr_db"] - snr) < 0.1,
        f"denoiser: Ebb chooses {found}, the recipe {picked:.3f} for {snr:.2f} dB and a doubt of {doubt:.2f}",
    )
    check(0.15 < picked < 0.95, f"denoiser: the mix leaves a choice: {picked}")


def check_refusals(root, work):
    out = root / "not-a-model"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    refused(["is no model"], work, "export", out, "--start", "none")
    refused(
        ["no such label", "beep, click, hiss"],
        work,
        "export",
        root / "x",
        "--start",
        "none",
        "--textures",
        "hizz",
    )
    refused(["nothing trained here"], root / "nowhere", "export", root / "x")
    refused(["another autoencoder"], moved_vae(root, work), "export", root / "x")
    check((out / "thesis.txt").exists() and not (root / "x").exists(), "what is refused writes nothing")
    model, card = root / "models" / "latent", root / "models" / "latent" / "README.md"
    card.write_text("a card")
    check(
        recipe(work, "export", model, "--start", "none")[0] == 0 and card.exists(),
        "an export over a model keeps its card",
    )
    check(not list(root.glob("models/*.part")), "nothing half is left")


def moved_vae(root, work):
    """The same training with another autoencoder."""
    other = root / "other-vae"
    shutil.copytree(work, other)
    nets.autoencoder((8, 8, 16, 16)).save_pretrained(other / "vae" / "net")
    return other


def check_judge(root, work):
    seen = sfx.Windows(work)
    ear = judge.train_judge(seen.train, seen.train_labels, 3, 100, batch=16)
    scores, embedding = judge.listen(ear, seen.train)
    check(
        judge.accuracy(scores, seen.train_labels).mean() > 0.8, "a judge tells beeps, clicks and hisses apart"
    )
    check(
        judge.frechet(embedding, embedding) < 1e-3 < judge.frechet(embedding[:9], embedding[9:]),
        "Frechet distance",
    )
    check(
        judge.accuracy(scores[:, :2], seen.train_labels.clamp(max=1), 3).all(),
        "of two labels, the right one is among three",
    )
    labels, one = np.array([0]), seen.train[:1]
    few = {
        side: evaluate.Heard(ear, one, labels, np.array([1, 0, 0]))
        for side in ("training", "generated", "held-back")
    }
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        evaluate.show_distances(few)
    check("too few held-back clips" in said.getvalue(), f"no distance to a single clip: {said.getvalue()}")
    refused(["no label has clips held out"], work, "evaluate", root / "models" / "latent")


def check_guide(root, work):
    """Each label gets the guidance whose sounds lie nearest to the label's clips."""
    rng = np.random.default_rng(0)
    real, near, far = rng.normal(0, 1, (400, 3)), rng.normal(0, 1, (50, 3)), rng.normal(2, 1, (50, 3))
    alike, apart, narrow = (guide.distance(made, real, 3) for made in (near, far, 0.1 * near))
    check(
        abs(alike) < 0.1 and 3 < apart < 5 and 0.5 < narrow < 1,
        f"clouds apart, clouds too narrow: {alike}, {apart}, {narrow}",
    )
    if not shutil.which("ebb"):
        skip("guide: ebb is not on the PATH (./dev test-recipe puts it there)")
        return
    model = root / "guided"
    shutil.copytree(root / "models" / "latent", model)
    words = "--guidances", "1", "4", "--count", "2", "--judge-steps", "4"
    status, said = recipe(work, "guide", model, *words)
    labels = lambda: json.loads((model / "ebb.json").read_text(encoding="utf-8"))["labels"]
    check(
        status == 0
        and "| label | 1 | 4 | chosen |" in said
        and not any("guidance" in label for label in labels()),
        said,
    )
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ") and "label" not in line]
    check(
        len(rows) == 3
        and all((float(row[1]) <= float(row[2])) == (row[3].strip(" |") == "1") for row in rows),
        f"the least: {rows}",
    )
    status, said = recipe(work, "guide", model, *words, "--write")
    chosen = [label["guidance"] for label in labels()]
    check(
        status == 0 and chosen == [float(row[3].strip(" |")) for row in rows],
        f"written, the same every time: {chosen} {rows}",
    )
    told = subprocess.run(
        ["ebb", "labels", model, "--json"], capture_output=True, text=True, check=True
    ).stdout
    check([label["guidance"] for label in json.loads(told)] == chosen, "and Ebb knows")
    refused(["other labels"], work, "guide", sfx.SHIPPED)
