"""The student, the decoder's texture, and what is counted of sounds."""

import json
import os
import shutil

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel
from diffusers.models.unets.unet_2d import UNet2DOutput

from .. import data, diffusion, distill, export, judge_sfx, nets, sfx, texture, train
from .base import TINY, check, quietly, refused, train_tiny, with_autoencoder
from .check_train import check_killed


def run(root):
    work, teacher = with_autoencoder(root), root / "teacher"
    check_counting()
    if not (work / "sfx").exists():
        os.rename(train_tiny(work, "sfx", root / "sfx-for-student", 2).folder, work / "sfx")
    export.export_sfx(work, teacher, None, "test", "none", "nobody", "made up")
    check_path(work)
    check_student(root, work)
    check_texture(root, work)
    check_modulations()
    check_teachers(root, work)
    refused(["teacher"], work, "distill", "--start", "none", "--steps", 1)


def check_teachers(root, work):
    """A teacher's own schedule is what its student walks; one that says, knows or hears something else is refused."""
    lesson, model = root / "lesson", root / "teachers"
    shutil.copytree(work, lesson, ignore=shutil.ignore_patterns("sfx", "student"))

    def teacher(**process):
        shutil.rmtree(lesson / "sfx", ignore_errors=True)
        task = sfx.Diffuse(lesson, None, (16, 32, 32), **process)
        quietly(train.Run(task, lesson / "sfx", 1e-3, 4, steps=1, options=process).run)
        export.export_sfx(lesson, model, None, "test", "none", "nobody", "made up")

    teacher(schedule="linear", zero_snr=True)
    task = distill.Jumps(lesson, model, jumps=1, inner=2, checks=1)
    kept = train.read_state(lesson / "sfx")["average"]["weights"]
    check(torch.allclose(task.teacher.conv_in.weight, kept["conv_in.weight"], atol=1e-3), "a teacher's weights are its own")
    own = diffusion.Process("linear", zero_snr=True).alphas
    check(torch.equal(task.alphas, own) and task.about()["process"]["schedule"] == "linear", "and so is its schedule")
    check(all(torch.isfinite(state).all() for state in task.walks[1]), "from pure noise it walks as well")
    quietly(train.Run(task, lesson / "student", 1e-3, 4, steps=1).run)
    export.export_sfx(lesson, root / "linear-student", None, "test", "none", "nobody", "made up", run="student")
    says = diffusion.said_by(diffusion.load_config(root / "linear-student"))
    check(says == dict(schedule="linear", zero_snr=True, prediction="v_prediction"), f"a student is exported with it: {says}")
    info = json.loads((model / "ebb.json").read_text(encoding="utf-8"))
    (model / "ebb.json").write_text(json.dumps(info | dict(labels=info["labels"][:2])), encoding="utf-8")
    refused(["a teacher of the labels beep, click;"], lesson, "distill", "--start", model, "--steps", 1)
    teacher(prediction="sample")
    refused(["says v_prediction", "says sample"], lesson, "distill", "--start", model, "--steps", 1)
    teacher()
    nets.autoencoder((8, 8, 16, 16)).save_pretrained(lesson / "vae" / "net")
    refused(["another autoencoder"], lesson, "distill", "--start", model, "--steps", 1)


def check_path(work):
    """Where every sound is one and the same, what a teacher says is known, and each of its steps lands exactly."""
    task = TINY["student"](work)
    sound, noise, labels, jump = torch.randn(task.shape), torch.randn(2, *task.shape), torch.tensor([0, task.none]), torch.arange(2)
    (a, s), (b, r) = task.ends(jump)

    def knows(x, index, class_labels):
        alpha, sigma = task.level(index)
        return UNet2DOutput((alpha * x - sound) / sigma)

    for count, rest in ((1, 0), (2, 0), (8, 2)):
        batch = task.batch(count)
        check(len(batch[0]) == rest and task.losses(task.net, batch).shape == (count,), f"a batch of {count}")
    task.teacher.forward, before = knows, a * sound + s * noise
    after = task.follow(before, jump, labels)
    check(torch.allclose(after, b * sound + r * noise, atol=1e-4), "the teacher follows the way that is known")
    check(torch.allclose(task.land(before, jump, task.aim(before, jump, after)), after, atol=1e-4), "what is aimed at a state lands there")


def check_student(root, work):
    out = root / "student-model"
    os.rename(check_killed(root, work, "student").folder, work / "student")
    export.export_sfx(work, out, root / "teacher", "test", "none", "nobody", "made up", run="student")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    check(info["student"] == dict(first_class=4, steps=2), "the student's classes lie behind the teacher's")
    check(UNet2DModel.load_config(out / "unet")["num_class_embeds"] == 8, "two sets of classes")


def check_modulations():
    """Noise is like other noise, whatever its cells; what a regular weave adds to it stands at its own frequency."""
    many = torch.Generator().manual_seed(4)
    noise, other = (0.1 * torch.randn((8, 1, 128, 128), generator=many) for _ in range(2))
    ripple = 0.1 * torch.cos(2 * torch.pi * torch.arange(128) * 6 / texture.BLOCK)  # 6 rounds in a piece's frames
    of_noise = texture.modulations(noise)
    gap = (texture.modulations(other) - of_noise).mean((0, 1))
    check(gap.abs().max() < 0.3, "two noises have the same modulations")
    gap = (texture.modulations(noise + ripple) - of_noise).mean((0, 1))
    check(divmod(int(gap.argmax()), gap.shape[1]) in ((0, 5), (0, 6), (0, 7)) and gap.max() > 2, "a weave has its place")
    check((texture.modulations(torch.full_like(noise, -1)).std() < 1e-6), "silence has none")


def check_texture(root, work):
    before = AutoencoderKL.from_pretrained(work / "vae" / "net")
    run = check_killed(root, work, "texture", steps=4)
    check(sfx.space(run.net) == sfx.space(before), "the encoder stays")
    check(data.digest(run.net) != data.digest(before), "the decoder learns")


def check_counting():
    labels, mix, rng = np.array([0, 0, 1, 1, 1, 2]), np.array([1, 3, 0]), np.random.default_rng(0)
    check(sorted(labels[judge_sfx.same_mix(labels, mix, rng)]) == [0, 1, 1, 1], "clips with a given mix of labels")
    check(judge_sfx.at_mix(np.array([1.0, 0.5, 0.0]), mix) == 0.625, "an accuracy at that mix")
    train, held = (rng.standard_normal((n, 4)).astype(np.float32) for n in (200, 100))
    check(judge_sfx.memorised(held, held, train) == 0.05, "5 % of the held-back clips are as near as that")
    check(judge_sfx.memorised(train[:50], held, train) == 1, "copies are found out")
    mels = torch.rand(2, 128, 256)
    check(abs(judge_sfx.spectral_distance(mels, mels - 0.02) - 1) < 1e-3, "1 dB is 1 dB")
