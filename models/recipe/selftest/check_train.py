# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trainings that are killed or stopped, meet a full disk, or are given damaged files. The last checkpoint
holds, and a resumed training equals an unbroken one.
"""

import io
import os
import platform
import shutil
import signal
import time
import unittest.mock

import torch

from .. import data, denoise, export, mix, nets, train
from ..audio import mel_power, stft
from .base import TINY, check, corpus, hang, prepared, quietly, recipe, refused, start_child, train_tiny
from .check_data import full_disk


def run(root):
    work = prepared(root)
    torch.set_num_threads(1)
    vae = check_killed(root, work, "vae")
    export.averaged(vae.folder, vae.net).save_pretrained(work / "vae" / "net")
    sfx = check_killed(root, work, "sfx")
    check_killed(root, work, "classifier")
    check_killed_saving(root, work, sfx)
    check_stopped(root, work)
    check_damage(root, work, sfx.folder)
    check_options(root, work)
    check_devices(root / "small")
    check_denoise(root)


def same(one, two):
    return all(
        torch.equal(one.average.weights[name], two.average.weights[name]) for name in one.average.weights
    )


def check_killed(root, work, what, steps=8, at=3):
    """A training that is killed within a step and resumed equals an unbroken one, bit for bit."""
    whole = train_tiny(work, what, root / f"{what}-whole", steps)
    folder = root / f"{what}-killed"
    child = start_child(train_tiny, work, what, folder, steps, at, hang, 0)
    wait(lambda: reached(folder) == at or not child.is_alive())
    child.kill()
    child.join()
    check(reached(folder) == at, f"{what}: killed in the middle, after step {reached(folder)} of {steps}")
    again = train_tiny(work, what, folder, steps)
    check(again.step == steps and same(whole, again), f"{what}: resumed equals unbroken")
    return again


def reached(folder):
    state = train.read_state(folder)
    return state["step"] if state else 0


def wait(done, seconds=300):
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def die_saving(work, folder):
    """Goes on training. The next save writes half of its file and ends there, as a kill would."""

    def half(value, file):
        whole = io.BytesIO()
        whole_save(value, whole)
        file.write(whole.getvalue()[: whole.tell() // 2])
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    whole_save, torch.save = torch.save, half
    train_tiny(work, "sfx", folder, 8, save_every=0)


def check_killed_saving(root, work, whole):
    folder = root / "half-saved"
    run = train.Run(TINY["sfx"](work), folder, 1e-3, 4, steps=8)
    for _ in range(3):
        run.one_step()
    run.save()
    before = run.path.read_bytes()
    child = start_child(die_saving, work, folder)
    child.join(120)
    check(
        child.exitcode == -signal.SIGKILL and (folder / "state.pt.part").exists(),
        "killed in the middle of a save",
    )
    check(run.path.read_bytes() == before, "the last checkpoint is as it was")
    check(same(whole, train_tiny(work, "sfx", folder, 8)), "killed while saving, resumed: equals unbroken")
    check(not (folder / "state.pt.part").exists(), "the half file is gone after the next save")


def check_stopped(root, work):
    """A signal ends the training after the current step. The rest, done later, gives the same bits."""
    whole = train_tiny(work, "vae", root / "vae-whole", 8)
    folder = root / "stopped"
    run = train_tiny(work, "vae", folder, 8, 3, lambda run: os.kill(os.getpid(), signal.SIGTERM))
    check(run.step == reached(folder) == 4, f"stopped and saved after the step under way: {run.step}")
    check(same(whole, train_tiny(work, "vae", folder, 8)), "stopped and resumed equals unbroken")


def check_damage(root, work, folder):
    """Full disks, cut files, the files of other nets, values that are no numbers."""
    state, size = folder / "state.pt", (folder / "state.pt").stat().st_size
    before = state.read_bytes()
    run = train.Run(TINY["sfx"](work), folder, 1e-3, 4, steps=12)
    run.resume()
    run.one_step()
    with full_disk(size // 2):
        try:
            run.save()
            said = ""
        except OSError as error:
            said = str(error)
        quietly(run.save_on_the_way)  # only says so
    check(
        "cannot be written" in said and "as it was" in said and state.read_bytes() == before,
        f"a full disk: {said}",
    )
    check(not list(folder.glob("*.part")), "a full disk leaves no half checkpoint")
    kept = (work / "vae" / "net" / "config.json").read_bytes()
    with full_disk(2000):
        check_raises(
            lambda: export.keep_net(nets.autoencoder((8, 8, 8, 8)), work / "vae" / "net"),
            "net.part: cannot be written",
        )
    check(
        (work / "vae" / "net" / "config.json").read_bytes() == kept
        and not list((work / "vae").glob("*.part")),
        "a full disk leaves the autoencoder that was there",
    )
    run.save()
    check(train.read_state(folder)["step"] == 9, "with room again it is saved")

    losses, run.task.losses = run.task.losses, lambda net, batch: losses(net, batch) * float("nan")
    weights = {name: value.clone() for name, value in run.net.state_dict().items()}
    check_raises(run.one_step, "not a number", "step 9 is as it was", "--rate")
    untouched = [torch.equal(weights[name], value) for name, value in run.net.state_dict().items()]
    check(all(untouched), "NaN does not reach the weights")
    run.task.losses = lambda net, batch: (
        losses(net, batch) + 0 * (net.conv_in.bias.sum() * 0).abs().sqrt()
    )  # slope 0 / 0
    check_raises(run.one_step, "not a number")

    shutil.copytree(folder, root / "cut-state" / "sfx")
    os.truncate(root / "cut-state" / "sfx" / "state.pt", size // 2)
    check_raises(lambda: train.read_state(root / "cut-state" / "sfx"), "state.pt: cannot be read", "delete")
    (root / "cut-state" / "sfx" / "state.pt").write_bytes(b"")
    check_raises(lambda: export.trained(root / "cut-state" / "sfx"), "state.pt: cannot be read")
    check_raises(lambda: export.trained(root / "nowhere"), "nothing trained here")
    other = train.Run(TINY["vae"](work), folder, 1e-3, 4, steps=12)
    check_raises(other.resume, "train afresh with another --work")
    latents = work / "latents.pt"
    kept = latents.read_bytes()
    os.truncate(latents, 1000)
    quietly(TINY["sfx"], work)
    check(len(latents.read_bytes()) == len(kept), "a cut cache is made anew")


def check_raises(function, *words):
    try:
        function()
        said = "nothing"
    except (ValueError, OSError) as error:
        said = str(error)
    check(all(word in said for word in words), f"expected an error with {words}, got: {said}")


def check_options(root, work):
    """A training keeps its options, and refuses to go on with others."""
    small = root / "small"
    shutil.copytree(work, small, ignore=shutil.ignore_patterns("vae", "sfx"))
    words = (
        "--start",
        "none",
        "--direct",
        "16,16",
        "--channels",
        "16,32",
        "--layers",
        1,
        "--threads",
        1,
        "--batch",
        4,
    )
    status, said = recipe(
        small, "train", *words, "--steps", 2, "--schedule", "sigmoid", "--prediction", "sample", "--no-bf16"
    )
    check(
        status == 0 and "step 2" in said and "samples/s" in said and "by noise" in said,
        f"a direct model trains: {said}",
    )
    check("none is held out" in said, f"it says that nothing is held out: {said}")
    check("2 steps teach a network next to nothing" in said, f"it says that two steps are few: {said}")
    status, said = recipe(small, "train", "--steps", 3, "--threads", 1)
    check(
        status == 0 and "going on from step 2" in said and "step 3" in said,
        f"options come from the checkpoint: {said}",
    )
    kept = train.read_state(small / "sfx")["options"]
    check(
        (kept["schedule"], kept["channels"], kept["rate"]) == ("sigmoid", [16, 32], 4e-4),
        f"options are kept: {kept}",
    )
    refused(["--start sounds", "has no ebb.json"], small, "train", "--steps", 4, "--start", "sounds")
    refused(["--channels 16,32", "--channels 16,16"], small, "train", "--steps", 4, "--channels", "16,16")
    refused(
        ["--prediction sample", "--prediction epsilon"],
        small,
        "train",
        "--steps",
        4,
        "--prediction",
        "epsilon",
    )
    status, said = recipe(small, "train", "--steps", 3, "--rate", "1e-5", "--threads", 1)
    check(status == 0 and train.read_state(small / "sfx")["options"]["rate"] == 1e-5, "another rate is fine")
    shutil.copytree(root / "sounds", root / "fewer-sounds", ignore=shutil.ignore_patterns("click"))
    recipe(small, "prepare", root / "fewer-sounds")
    refused(["began with labels", "another --work"], small, "train", "--steps", 4)
    recipe(small, "prepare", root / "sounds", "--gain", 3)
    refused(["prepared sounds are not those", "another --work"], small, "train", "--steps", 4)
    recipe(small, "prepare", root / "sounds")


def check_devices(work):
    """What a checkpoint tells about its machine does not bind another machine."""
    status, said = recipe(
        work, "train", "--what", "vae", "--steps", 1, "--batch", 2, "--channels", "8,8,8,8", "--threads", 1
    )
    kept = train.read_state(work / "vae") if status == 0 else {}
    check(
        status == 0
        and kept["options"]["bf16"] is None
        and kept["bf16"] == train.fast_bf16(torch.device("cpu")),
        f"mixed precision is kept as it was asked for: {said}",
    )
    cpu, cuda = torch.device("cpu"), torch.device("cuda:1")
    with (
        unittest.mock.patch("torch.cpu._is_avx512_bf16_supported", lambda: False),
        unittest.mock.patch("torch.cpu._is_amx_tile_supported", lambda: False),
    ):
        check(
            not train.fast_bf16(cpu) or platform.machine() not in ("x86_64", "AMD64"),
            "AVX-512 alone emulates it",
        )
    check(
        train.own(["a", "b"], cuda) == "b" and train.own(["a"], cuda) == "a", "one generator for one device"
    )


def check_denoise(root):
    net = check_killed(root, corpus(root), "denoise").net.eval()
    task = TINY["denoise"](corpus(root))
    check(all(len(task.batch(1)[0]) == 1 for _ in denoise.LENGTHS), "a batch of one, of every length")
    bank = data.Bank(corpus(root))
    task = denoise.Task(bank, channels=(8, 16, 16, 16), checks=24, harm=1.0, loud=1.0, edge=5)
    batches = [task.batch(2) for _ in range(4)]
    check(
        [(part[0].shape[-1], part[-1]) for part in batches] == [(128, 0), (256, 0), (64, 5), (64, 0)],
        "one batch in four is judged by its edge",
    )
    check(all(torch.isfinite(task.losses(task.net, batch)).all() for batch in batches), "losses are numbers")
    mixer = mix.Mixer(bank, False, 1, sounds=(0, 0, 1, 0), quiet=1.0)
    clean, noisy, *_, spoken = mixer.batch(8, 16)
    check(not spoken.any() and torch.allclose(clean, noisy), "effects alone, without noise")
    wave = 0.1 * torch.randn(20000)
    for frames in (16, 64, 96):
        check(
            denoise.sample(net, torch.zeros(1, 1, 128, frames), 0.5).shape[-1] == frames,
            f"a width of {frames} frames",
        )
    check(torch.allclose(denoise.clean(net, wave, 0.0), wave, atol=1e-5), "t = 0 changes nothing")
    tone, noise = torch.sin(torch.arange(96000) * 0.1), torch.randn(96000)
    for snr in (0, 10, 20):  # a sound that pauses, as sounds do
        heard = tone * (torch.arange(96000) % 24000 < 12000) + noise * 10 ** (-(snr + 6) / 20)
        found = denoise.estimate_snr(mel_power(stft(heard)))
        check(abs(found - snr) < 3, f"SNR of {snr} dB is estimated as {found:.1f}")
