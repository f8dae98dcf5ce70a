# SPDX-License-Identifier: LGPL-2.1-or-later
"""The student, the decoder's texture and likeness, and the measures of sounds."""

import json
import math
import os
import shutil

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel
from diffusers.models.unets.unet_2d import UNet2DOutput

from .. import (
    audio,
    data,
    decoder,
    diffusion,
    distill,
    export,
    grain,
    judge,
    judge_sfx,
    likeness,
    nets,
    sfx,
    texture,
    train,
)
from .base import TINY, check, quietly, recipe, refused, skip, train_tiny, with_autoencoder
from .check_train import check_killed


def run(root):
    work, teacher = with_autoencoder(root), root / "teacher"
    check_counting()
    if not (work / "sfx").exists():
        os.rename(train_tiny(work, "sfx", root / "sfx-for-student", 2).folder, work / "sfx")
    export.export_sfx(work, teacher, None, "test", "none", "nobody", "made up")
    check_path(work)
    check_student(root, work)
    check_decoder(root, work, "texture")
    check_modulations()
    check_digest()
    check_grain()
    check_crowds()
    check_likeness(root, work)
    check_renewed(root, work)
    check_teachers(root, work)
    refused(["teacher"], work, "distill", "--start", "none", "--steps", 1)


def check_teachers(root, work):
    """A student walks its teacher's own schedule. A teacher with another prediction, other labels or another
    mel is refused.
    """
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
    check(
        torch.allclose(task.teacher.conv_in.weight, kept["conv_in.weight"], atol=1e-3),
        "a teacher's weights are its own",
    )
    own = diffusion.Process("linear", zero_snr=True).alphas
    check(
        torch.equal(task.alphas, own) and task.about()["process"]["schedule"] == "linear",
        "and so is its schedule",
    )
    check(all(torch.isfinite(state).all() for state in task.walks[1]), "from pure noise it walks as well")
    quietly(train.Run(task, lesson / "student", 1e-3, 4, steps=1).run)
    export.export_sfx(
        lesson, root / "linear-student", None, "test", "none", "nobody", "made up", run="student"
    )
    says = diffusion.said_by(diffusion.load_config(root / "linear-student"))
    check(
        says == dict(schedule="linear", zero_snr=True, prediction="v_prediction"),
        f"a student is exported with it: {says}",
    )
    info = json.loads((model / "ebb.json").read_text(encoding="utf-8"))
    (model / "ebb.json").write_text(json.dumps(info | dict(labels=info["labels"][:2])), encoding="utf-8")
    refused(["a teacher of the labels beep, click;"], lesson, "distill", "--start", model, "--steps", 1)
    teacher(prediction="sample")
    refused(["says v_prediction", "says sample"], lesson, "distill", "--start", model, "--steps", 1)
    teacher()
    nets.autoencoder((8, 8, 16, 16)).save_pretrained(lesson / "vae" / "net")
    refused(["another autoencoder"], lesson, "distill", "--start", model, "--steps", 1)


def check_path(work):
    """Where all sounds are one sound, the answer of the teacher is known, and each of its steps lands
    exactly.
    """
    task = TINY["student"](work)
    sound, noise, labels, jump = (
        torch.randn(task.shape),
        torch.randn(2, *task.shape),
        torch.tensor([0, task.none]),
        torch.arange(2),
    )
    (a, s), (b, r) = task.ends(jump)

    def knows(x, index, class_labels):
        alpha, sigma = task.level(index)
        return UNet2DOutput((alpha * x - sound) / sigma)

    for count, rest in ((1, 0), (2, 0), (8, 2)):
        batch = task.batch(count)
        check(len(batch[0]) == rest and task.losses(task.net, batch).shape == (count,), f"a batch of {count}")
    task.teacher.forward, before = knows, a * sound + s * noise
    after = task.follow(before, jump, labels)
    check(
        torch.allclose(after, b * sound + r * noise, atol=1e-4), "the teacher follows the way that is known"
    )
    check(
        torch.allclose(task.land(before, jump, task.aim(before, jump, after)), after, atol=1e-4),
        "what is aimed at a state lands there",
    )


def check_student(root, work):
    out = root / "student-model"
    os.rename(check_killed(root, work, "student").folder, work / "student")
    export.export_sfx(work, out, root / "teacher", "test", "none", "nobody", "made up", run="student")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    check(info["student"] == dict(first_class=4, steps=2), "the student's classes lie behind the teacher's")
    check(UNet2DModel.load_config(out / "unet")["num_class_embeds"] == 8, "two sets of classes")


def check_modulations():
    """One noise has the modulations of another, whatever its cells are. A regular weave that is added to it
    stands at its own frequency.
    """
    many = torch.Generator().manual_seed(4)
    noise, other = (0.1 * torch.randn((8, 1, 128, 128), generator=many) for _ in range(2))
    ripple = 0.1 * torch.cos(
        2 * torch.pi * torch.arange(128) * 6 / texture.BLOCK
    )  # 6 rounds in a piece's frames
    of_noise = texture.modulations(noise)
    gap = (texture.modulations(other) - of_noise).mean((0, 1))
    check(gap.abs().max() < 0.3, "two noises have the same modulations")
    gap = (texture.modulations(noise + ripple) - of_noise).mean((0, 1))
    check(
        divmod(int(gap.argmax()), gap.shape[1]) in ((0, 5), (0, 6), (0, 7)) and gap.max() > 2,
        "a weave has its place",
    )
    check((texture.modulations(torch.full_like(noise, -1)).std() < 1e-6), "silence has none")


def check_decoder(root, work, what):
    before = AutoencoderKL.from_pretrained(work / "vae" / "net")
    run = check_killed(root, work, what, steps=4)
    check(sfx.space(run.net) == sfx.space(before), f"{what}: the encoder stays")
    check(data.digest(run.net) != data.digest(before), f"{what}: the decoder learns")
    return run


def check_digest():
    net = torch.nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-0.0, 1.0]]))
    average = nets.Average(net)
    average.update(net)
    of_net = data.digest(net)
    net.load_state_dict(average.weights)
    check(data.digest(net) == of_net, "an average of what stays the same has the same digest, -0 too")


def check_grain():
    """Noise scatters as in the library's grain and keeps its mean level. A tone and an attack stay."""
    smooth = torch.full((1, 128, 256), -0.2)
    made = grain.grained(smooth, torch.Generator().manual_seed(1))
    power = (10 ** (5 * made)).mean(2) / 10 ** (5 * smooth[..., 0])
    check(
        (power / grain.gains()[:, 0] - 1).abs().max() < 0.35, "noise keeps the mean power"
    )  # low bands: 256 frames are 100 draws
    if judge_sfx.library().exists():
        sound = judge_sfx.Inversion().there_and_back(smooth, True)
        spread = [(50 * mel[0, 8:, 8:-8].float()).std().item() for mel in (made, sound)]
        check(abs(spread[0] - spread[1]) < 0.5, f"noise scatters as the library's does: {spread} dB")
    else:
        skip("the library is not built, so its grain was not compared (./dev test-recipe builds it)")
    tone = smooth.clone()
    tone[:, 60] = 0.4
    check(
        torch.equal(grain.grained(tone)[:, 59:62], tone[:, 59:62]),
        "a partial has none, nor what is beside it",
    )
    burst = smooth.clone()
    burst[..., 100:] = 0.4
    check(torch.equal(grain.grained(burst)[..., 99:102], burst[..., 99:102]), "nor has an attack")
    (slope,) = torch.autograd.grad(grain.grained(smooth.requires_grad_()).sum(), smooth)
    check(torch.equal(slope, torch.ones_like(slope)), "slopes go through the levels")


def check_crowds():
    """The distance is that of the judge. Moving the sounds of the batch lowers it."""
    rng = torch.Generator().manual_seed(2)
    labels, mix = torch.arange(40) % 2, torch.tensor([0.5, 0.5])
    one, two = torch.randn((40, 6), generator=rng), 0.5 + torch.randn((40, 6), generator=rng)
    real, crowd = likeness.Crowd(one, labels, mix), likeness.Crowd(two, labels, mix)
    at, size = torch.arange(8), real.moments(one)[1].trace().item()
    now = two[at].clone().requires_grad_()
    apart, between = crowd.distance(real, at, now)
    exact = judge.frechet(two.numpy(), one.numpy())  # of unbiased covariances, n / (n - 1) of ours
    check(
        abs(apart.item() * size / exact - 1) < 0.03,
        f"Frechet distance of a crowd: {apart.item() * size} of {exact}",
    )
    means = sum(0.5 * (two[labels == k].mean(0) - one[labels == k].mean(0)).square().sum() for k in (0, 1))
    check(abs(between.item() * size - means.item()) < 1e-4, "and of its labels' means")
    (slope,) = torch.autograd.grad(apart, now)
    nearer = crowd.distance(real, at, two[at] - slope / slope.norm())[0]
    check(nearer < apart, "the slope leads nearer")
    same = likeness.Crowd(one.clone(), labels, mix).distance(real, at, one[at])
    check(same[0] < 1e-3 and same[1] == 0, f"a crowd is not apart from itself: {same}")


def check_likeness(root, work):
    run = check_decoder(root, work, "likeness")
    out = root / "likened"
    shutil.copytree(root / "teacher", out)
    shutil.copytree(run.folder, work / "likeness")
    status, said = recipe(work, "export", out, "--what", "likeness")
    check(status == 0, f"a decoder goes into a model: {said}")
    sums = [
        json.loads((folder / "ebb.json").read_text(encoding="utf-8"))["sha256"]
        for folder in (root / "teacher", out)
    ]
    changed = sorted(name for name in sums[1] if sums[0][name] != sums[1][name])
    check(changed == ["vae/diffusion_pytorch_model.safetensors"], f"and into nothing else of it: {changed}")
    refused(["no model of latents"], work, "export", root / "nowhere", "--what", "likeness")
    shutil.rmtree(work / "likeness")
    refused(
        ["learns from what a model generates"],
        work,
        "train",
        "--what",
        "likeness",
        "--start",
        "none",
        "--steps",
        1,
    )


def check_renewed(root, work):
    """A decoder of other widths, which works on squares of cells, and an encoder that says what the old one
    says."""
    task, run = TINY["decoder"](work), check_killed(root, work, "decoder", steps=4)
    check(task.batch(5)[-1] == 5, "before critics begin, all latents are recorded")
    task.steps = task.begin
    z, mels, louder, usual, known = batch = task.batch(5)
    counts = (len(z), len(mels), len(louder), *map(len, usual), known)
    check(counts == (5, 5, 2, 3, 3, 2), f"then two of five: {counts}")
    check(len(task.made) == 2 * 2 * 3, "two generated latents of three labels, and as many revisited")
    check(task.losses(task.net, batch).shape == (5,), "a loss for each")
    check_critics()
    check_hearing()
    check_revisiting()
    check_same_sizes(root, work)

    out, new = root / "renewed", nets.autoencoder((8, 16, 16), 8, fold=2)
    mel = torch.rand(1, 1, 128, 64)
    check(nets.decoded(new, nets.encoded(new, mel).mean).shape == mel.shape, "squares fold and unfold")
    shutil.copytree(root / "teacher", out)
    shutil.copytree(run.folder, work / "decoder")
    for _ in range(2):  # the second time, its own encoder is there
        status, said = recipe(work, "export", out, "--what", "decoder")
        check(status == 0, f"it goes into a model: {said}")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    vae = AutoencoderKL.from_pretrained(out, subfolder="vae")
    check(info["patch"] == [2, 2] and nets.fold_of(vae) == 2, "which says how it is folded")
    check("decoder" in info["trained"] and info["latent"], "and how it was trained")
    task = sfx.Diffuse(work, out, (16, 32, 32))
    check(task.shape == tuple(info["latent"]["shape"]), "its latents have the shape of the old ones")
    shutil.rmtree(work / "decoder")
    words = ("train", "--what", "decoder", "--steps", 1, "--start")
    refused(["learns from what a model generates"], work, *words, "none")
    refused(["expected levels and fold that make 8 cells of one"], work, *words, out, "--channels", "8,16")
    nets.autoencoder((8, 8, 16, 16)).save_pretrained(out / "vae")
    shutil.copytree(run.folder, work / "decoder")
    refused(["another encoder"], work, "export", out, "--what", "decoder")
    shutil.rmtree(work / "decoder")


def check_same_sizes(root, work):
    """A decoder of the old one's sizes begins where that stands, and its encoder stays."""
    before = sfx.shipped(AutoencoderKL.from_pretrained(work / "vae" / "net"))
    task = decoder.Renew(work, root / "teacher", channels=(8, 8, 16, 16), fold=1, begin=0, made=2)
    run = train.Run(task, work / "decoder", 1e-2, 4, steps=2)
    check(sfx.space(task.old) == sfx.space(task.net), "it has the old encoder")
    check(data.digest(task.net) == data.digest(task.old), "and begins as the old one")
    quietly(run.run)
    check(sfx.space(run.net) == sfx.space(task.old), "the encoder stays")
    for part, out in ((0, root / "nothing"), (0.5, root / "half"), (1, root / "whole")):
        shutil.copytree(root / "teacher", out)
        status, said = recipe(work, "export", out, "--what", "decoder", "--part", part)
        check(status == 0, f"a part of the way: {said}")
    bias = [
        AutoencoderKL.from_pretrained(folder, subfolder="vae").float().decoder.conv_out.bias.item()
        for folder in (root / "nothing", root / "half", root / "whole")
    ]
    check(bias[0] == before.decoder.conv_out.bias.item(), f"nothing of the way is the old decoder: {bias}")
    check(abs(bias[1] - (bias[0] + bias[2]) / 2) < 1e-3 and bias[0] != bias[2], f"half is between: {bias}")
    info = json.loads((root / "half" / "ebb.json").read_text(encoding="utf-8"))
    check(info["trained"]["decoder"]["part"] == 0.5 and "patch" not in info, "ebb.json says so")
    shutil.rmtree(work / "decoder")


def check_critics():
    """Every critic answers to what it looks at, and its slopes are bounded."""
    critics, mels = decoder.Critics().eval(), torch.rand(2, 1, 128, 64)
    for view, felt in zip(decoder.VIEWS, critics(mels)):
        check(len(felt) == len(view["strides"]) + 1 and felt[-1].shape[:2] == (2, 1), f"{view}: scores")
    check(decoder.apart(critics(mels), critics(mels)) == 0, "nothing is apart from itself")
    check(decoder.apart(critics(mels), critics(mels.flip(3))) > 0.1, "a sound is from its mirror image")


def check_hearing():
    """Losses hear what the library makes of a mel: its silence, its grain, and a weave."""
    rng = torch.Generator().manual_seed(1)
    mels, latent = torch.full((2, 1, audio.BANDS, sfx.FRAMES), -0.2), dict(silence=-0.95)
    mels[:, :, :, 128:] = -1
    sound = decoder.heard(mels, latent, rng)
    check((sound[..., 128:] == -1).all(), "silence has no grain")
    loud = sound[..., :128] * audio.MEL["db_range"]
    noise = audio.mel(torch.randn(3 * audio.RATE, generator=rng)).float() * audio.MEL["db_range"]
    real, made = noise[4:].std(1).mean(), loud[:, 0, 4:].std(2).mean()
    check(abs(real - made) < 0.2, f"smooth noise scatters as noise does: {made:.2f} dB, {real:.2f} dB")
    check(abs(loud.median() + 10) < 0.5, f"around its level: {loud.median():.2f} dB")

    usual = decoder.usually(sound)
    long = decoder.usually(torch.cat([sound[..., :128], sound[..., :128]], 3))
    for (bands, frames), part, whole in zip(decoder.BLOCKS, usual, long):
        check(part.shape == (2, bands * (frames // 2 + 1)), f"{bands} x {frames}: all frequencies")
        check(
            abs((part - whole).mean()) < 0.3, f"{bands} x {frames}: how long a sound is makes no difference"
        )
    woven = sound + 0.04 * torch.sin(torch.arange(sfx.FRAMES) * 2 * math.pi / 6)
    gaps = [(a - b).mean(0) for a, b in zip(decoder.usually(sfx.hushed(woven, latent)), usual)]
    for block, gap in zip(decoder.BLOCKS, gaps):
        check(gap.max() > 1 + 5 * gap.median().abs(), f"{block}: a weave of 2 dB stands out: {gap.max():.1f}")


def check_revisiting():
    """A net that knows the only sound leads back to it."""
    sound, schedule = torch.randn(8, 4, 4), diffusion.Process().scheduler

    def knows(x, index, class_labels):
        a, s = (part[index].sqrt()[:, None, None, None] for part in (alphas, 1 - alphas))
        eps = (x - a * sound) / s
        return UNet2DOutput(a * eps - s * sound)

    alphas = schedule.alphas_cumprod
    x = torch.randn(3, 8, 4, 4)
    back = decoder.revisited(knows, schedule, x, torch.zeros(3), torch.Generator().manual_seed(1))
    check(torch.allclose(back, sound.expand(3, -1, -1, -1), atol=1e-3), "revisited: the sound that is known")


def check_counting():
    labels, mix, rng = np.array([0, 0, 1, 1, 1, 2]), np.array([1, 3, 0]), np.random.default_rng(0)
    check(
        sorted(labels[judge_sfx.same_mix(labels, mix, rng)]) == [0, 1, 1, 1],
        "clips with a given mix of labels",
    )
    check(judge_sfx.at_mix(np.array([1.0, 0.5, 0.0]), mix) == 0.625, "an accuracy at that mix")
    train, held = (rng.standard_normal((n, 4)).astype(np.float32) for n in (200, 100))
    check(judge_sfx.memorised(held, held, train) == 0.05, "5 % of the held-back clips are as near as that")
    check(judge_sfx.memorised(train[:50], held, train) == 1, "copies are found out")
    mels = torch.rand(2, 128, 256)
    check(abs(judge_sfx.spectral_distance(mels, mels - 0.02) - 1) < 1e-3, "1 dB is 1 dB")
