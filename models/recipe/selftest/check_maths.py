# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mel, patches, schedules, predictions and weights of the loss, against their definitions. The mel also
against the library's.
"""

import shutil
import subprocess

import numpy as np
import soundfile
import torch

from .. import audio, denoise, diffusion, evaluate_denoise, judge_denoise, nets, sfx
from .base import check, skip


def run(root):
    check_mel()
    check_mel_of_ebb(root)
    check_nets()
    check_denoise()
    check_automatic()
    check_labels()
    check_diffusion(root)


def check_labels():
    """A model of fewer labels is compared with the sounds of its own."""
    seen = sfx.Windows.__new__(sfx.Windows)
    seen.labels, seen.stamp = ["bell", "rain", "wind"], 7
    seen.train, seen.train_labels = torch.arange(4.0), torch.tensor([2, 1, 0, 2])
    seen.held, seen.held_labels = torch.arange(2.0), torch.tensor([1, 0])
    seen.train_captions, seen.held_captions = ["w", "r", "b", "v"], ["r", "b"]
    seen.keep_labels(["wind", "bell"])
    check(seen.train.tolist() == [0, 2, 3] and seen.train_labels.tolist() == [0, 1, 0], "two of three")
    check(seen.train_captions == ["w", "b", "v"] and seen.held_captions == ["b"], "their captions")
    check(seen.held.tolist() == [1] and seen.held_labels.tolist() == [1], "on both sides")
    check(seen.labels == ["wind", "bell"] and seen.stamp != 7, "another judge hears them")


def check_mel():
    """A full-scale sine on the centre of a bin reads 0 dB. The peak of a triangle is 1. Gains of 1 change
    nothing.
    """
    t = torch.arange(audio.RATE) / audio.RATE
    spectrum = audio.stft(torch.sin(2 * torch.pi * 1500 * t))[:, 20:60]
    check(abs(spectrum.abs().max() - 1) < 1e-3, "a full-scale sine reads 1.0")
    check(audio.filterbank().shape == (128, 1025), "128 bands of 1025 bins")
    check((audio.mel(torch.zeros(5000)) == -1).all(), "silence is -1")
    faint = torch.full((128, 3), -0.96)  # -88 dB; the limit of a frame is -80
    faint[0], faint[1, 1] = torch.tensor([-0.9, -0.9, -0.7]), -0.82  # -85, -85 and -81, -75 dB
    quiet = torch.where(faint < -0.95, -1.0, faint)
    quiet[0, 0] = -1
    check(torch.equal(sfx.hushed(faint, dict(silence=-0.95)), quiet), "a frame of which nothing is left")
    check(torch.equal(sfx.hushed(faint, {}), faint), "no silence where none is asked for")
    check(
        torch.allclose(audio.spread(torch.ones(128, 3)), torch.ones(1025, 3)),
        "gains of 1 stay 1 on every bin",
    )
    wave = torch.randn(9999) * 0.1
    check(torch.allclose(audio.istft(audio.stft(wave), 9999), wave, atol=1e-5), "istft undoes stft")
    a, b = torch.randn(2, 4000)
    both = (
        audio.mel_power(audio.stft(a))
        + audio.mel_power(audio.stft(b))
        + 2 * audio.mel_cross(audio.stft(a), audio.stft(b))
    )
    check(
        torch.allclose(both, audio.mel_power(audio.stft(a + b)), rtol=1e-3, atol=1e-6),
        "mels add with their cross term",
    )


def check_mel_of_ebb(root):
    """The mels of the recipe and of Ebb agree: a sweep, noise that fades by 90 dB, silence."""
    if not shutil.which("ebb"):
        skip("ebb is not on the PATH, so its mel was not compared (./dev test-recipe puts it there)")
        return
    t = np.arange(3 * audio.RATE) / audio.RATE
    sweep = 0.5 * np.sin(2 * np.pi * 20 / 2.2 * (np.exp(2.2 * t) - 1))
    noise = np.random.default_rng(0).standard_normal(len(t)) * 10 ** (-1 - 1.5 * t)
    soundfile.write(root / "seen.wav", np.concatenate([sweep, noise, 0 * t[:9000]]), audio.RATE, "FLOAT")
    done = subprocess.run(["ebb", "mel", root / "seen.wav", "-m", nets_folder(), "-o", root / "seen.npy"])
    ours = audio.mel(torch.from_numpy(audio.read(root / "seen.wav")[0])).numpy()
    check(done.returncode == 0, "ebb mel")
    theirs = np.load(root / "seen.npy")[0, 0] if done.returncode == 0 else np.zeros_like(ours)
    check(theirs.shape == ours.shape, f"ebb sees {theirs.shape}, the recipe {ours.shape}")
    worst = np.abs(theirs - ours).max() if theirs.shape == ours.shape else np.inf
    check(
        worst < 2e-3 and ours.std() > 0.2,
        f"the recipe's mel is the library's, within 0.1 dB: {worst * 50:.4f} dB",
    )


def nets_folder():
    from ..sfx import SHIPPED

    return SHIPPED


def check_denoise():
    """The loss measures waveforms: the energy of an error in the mel, over all bands, is the energy in the
    spectrum.
    """
    sound, noise = torch.randn(2, 9000, generator=torch.Generator().manual_seed(1)) * torch.tensor(
        [[1.0], [0.4]]
    )
    s, x = audio.stft(sound), audio.stft(sound + noise)
    clean, noisy, both = audio.mel_power(s), audio.mel_power(x), audio.mel_cross(s, x)
    for part, gain in ((0.0, 0.7), (0.36, 0.8)):
        wanted, kept, power = denoise.energies(clean, noisy, both, torch.ones(1), torch.tensor(part))
        error = wanted - 2 * gain * kept + gain**2 * power
        direct = audio.mel_power(s + part * (x - s) - gain * x)
        check(
            torch.allclose(error, direct, rtol=1e-3, atol=1e-6),
            f"the energy of an error with {part} of the noise kept",
        )
    goal = denoise.change(clean, noisy, 0.0)[None, None]
    parts = denoise.energies(clean, noisy, both, torch.ones(1), torch.zeros(1))[:, None, None]
    idle, better = denoise.loss(torch.ones_like(goal), goal, parts), denoise.loss(goal, goal, parts)
    check(better < idle, "the goal costs less than doing nothing")
    check_loss(goal, parts)
    seen = denoise.windows(torch.arange(5.0)[None], past=2, new=4, ahead=2)[:, 0, 0]
    check(
        torch.equal(seen, torch.tensor([[1.0, 0, 0, 1, 2, 3, 4, 4], [2, 3, 4, 4, 3, 2, 1, 0]])),
        "outside lies the mirror image",
    )
    steps = torch.arange(5.0)[None] * denoise.FALLS / audio.MEL["db_range"]
    seen = denoise.windows(steps, past=1, new=2, ahead=0, mirrored=2)[:, 0, 0] / steps[0, 1]
    check(
        torch.allclose(seen, torch.tensor([[0.0, 0, 1, 1, 0], [1, 2, 3, 3, 2], [3, 4, 4, 4, 4]])),
        "a live window ends in its mirror image",
    )
    seen = denoise.windows(3 * steps, past=1, new=2, ahead=0, mirrored=2)[1, 0, 0] / steps[0, 1]
    check(torch.allclose(seen, torch.tensor([3.0, 6, 9, 9, 7])), "which falls slowly")
    tone = torch.sin(torch.arange(48000) * 0.3)
    check(
        abs(judge_denoise.si_sdr(tone, tone + 0.1 * torch.cos(torch.arange(48000) * 0.3)) - 20) < 0.01,
        "SI-SDR of 20 dB",
    )
    check(
        abs(judge_denoise.log_spectral_distance(noise, 2 * noise, depth=120) - 6.02) < 0.01,
        "twice as loud is 6 dB apart",
    )


def check_loss(goal, parts):
    """What each option of the denoiser's loss adds: a cost of harm, of loudness, and of the last frames
    alone."""
    worse = goal - 1
    for guess, harmful in ((goal, False), (worse, True)):
        plain, harmed = denoise.loss(guess, goal, parts), denoise.loss(guess, goal, parts, harm=2.0)
        ratio = denoise.loss(guess, goal, parts, harm=1.0) - plain
        check(
            torch.allclose(harmed - plain, 2 * ratio, atol=1e-4) and (ratio > 0.1) == harmful,
            f"harm counts more, gain does not: {ratio.item():.2f}",
        )
    wanted = parts[0]
    same, less, more = (denoise.loudness(wanted * scale, wanted).item() for scale in (1, 10**-1.5, 10**1.5))
    check(same < 0.01 < less < more, f"loudness: {same:.4f}, {less:.3f} of what lacks, {more:.3f} of noise")
    speech, other = (
        denoise.loss(worse, goal, parts, torch.tensor([spoken]), loud=1.0) - denoise.loss(worse, goal, parts)
        for spoken in (1.0, 0.0)
    )
    check(speech > 0.01 and other == 0, "loudness counts for speech alone")
    late = goal.clone()
    late[..., :-3] -= 1
    check(
        torch.equal(*(denoise.loss(guess, goal, parts, edge=3) for guess in (goal, late))),
        "nothing but the last frames counts",
    )
    check(
        (denoise.loss(late, goal, parts, edge=4) > denoise.loss(goal, goal, parts, edge=4)).all(),
        "and all of them do",
    )


def check_automatic():
    """Made-up results: speech gains up to a t of 0.8, effects above 8 dB lose, and the doubt is the SNR less
    2 dB. The table for them falls and ends in 0, and speech keeps its part. A clean recording is left
    alone at any doubt.
    """
    snr, t = np.array(judge_denoise.FIT_SNRS)[:, None, None], np.array(judge_denoise.FIT_TS)
    off = np.array([-2, 0, 2])
    opinions = np.stack([np.zeros((len(snr), 3)), snr[..., 0] + off], -1)
    speech = snr + np.zeros((3, 1)) + 6 * np.minimum(t / 0.8, 1)
    curves = dict(
        speech=(speech, None, opinions), effects=(speech + np.minimum(0, 8 - snr) * t, None, opinions)
    )
    fit = judge_denoise.fit_auto(curves)
    ts = [point[1] for point in fit]
    check(ts == sorted(ts, reverse=True) and ts[0] >= 0.8 and ts[-1] == 0, f"automatic t falls to 0: {fit}")
    gains = dict(zip(judge_denoise.FIT_SNRS, judge_denoise.gained((denoise.AUTO_T, fit), curves)["speech"]))
    check(
        all(gains[at] >= 6 * part - 1e-9 for at, part in judge_denoise.KEEP.items()),
        f"speech keeps its part: {gains}",
    )
    check(gains[25] < 4, f"and gives way to effects where it may: {gains}")
    left = judge_denoise.pick_t((denoise.AUTO_T, [[0, 1]]), np.array([[0, -50], [22.5, 9], [40, -50]]))
    told, parts = judge_denoise.REPORTED, evaluate_denoise.PARTS
    check(
        evaluate_denoise.reported(parts, None) == evaluate_denoise.reported(("auto",), 36) == told
        and set(evaluate_denoise.reported(parts, 36).values()) == {36},
        "automatic t is fitted on no scene of a table",
    )
    check(np.allclose(left, [0.9, 0.525, 0]), f"less, and nothing, of what is clean: {left}")
    tables = [[0, 0.8]], [[0, 1]], [[0.45, 1], [0.55, 0]]
    told = judge_denoise.pick_t(tables, np.array([[0, 9, 0.4], [0, 9, 0.5], [0, 6, 0.5], [0, 5, 0.9]]))
    check(np.allclose(told, [0.8, 0.5, 0.75, 0.8]), f"a net that is unsure does less where it counts: {told}")
    tables = [[0, 1], [20, 0]], [[0, 0.2]], [[0, 1]], [[0.6, 0], [0.8, 1]]
    told = judge_denoise.pick_t(
        tables,
        np.array(
            [
                [0, 9, 0, own, v, beside, together]
                for own, v, beside, together in (
                    (5, 0.9, 0, 0),
                    (5, 0.7, -3, -1),
                    (5, 0.5, 0, 0),
                    (30, 0.9, 0, 0),
                    (5, 0.9, -14, 0),
                    (5, 0.9, 0, 0.5),
                )
            ]
        ),
    )
    check(
        np.allclose(told, [0.75, 0.475, 0.2, 0.2, 0.475, 0.2]),
        f"beside a voice the net's own SNR decides: {told}",
    )
    check_voice()


def check_voice():
    """A buzz in syllables is like a voice; hiss, and clicks of it, are not, at any level."""
    rng, time = np.random.default_rng(4), np.arange(4 * audio.RATE) / audio.RATE
    hiss = rng.standard_normal(len(time))
    buzz = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    sounds = dict(
        voice=buzz * np.maximum(0, np.sin(2 * np.pi * 3 * time)), hiss=hiss, clicks=hiss * (time % 0.4 < 0.02)
    )
    for level in (1e-3, 0.1):
        like = {
            name: denoise.voice_likeness(
                audio.mel_power(audio.stft(torch.from_numpy(level * x).float())).double()
            )
            for name, x in sounds.items()
        }
        check(like["voice"] > 0.8 and max(like["hiss"], like["clicks"]) < 0.65, f"a voice is told: {like}")


def check_nets():
    x = torch.randn(2, 3, 8, 12)
    patched = nets.to_patches(x, (4, 2))
    check(torch.equal(nets.from_patches(patched, (4, 2)), x), "patches come back")
    check(torch.equal(patched[0, (1 * 4 + 3) * 2 + 1, 1, 2], x[0, 1, 7, 5]), "channel (c * ph + i) * pw + j")
    clean, noisy = torch.tensor([[1e-3, 1e-6]]), torch.tensor([[1e-3, 1e-4]])
    gain = denoise.gain(denoise.change(clean, noisy, 0.0))
    check(torch.allclose(gain, torch.tensor([[1.0, 0.01]]), atol=1e-4), "change and gain agree")
    check(torch.allclose(denoise.change(clean, noisy, 1.0), torch.ones(1, 2)), "nothing removed is 1")
    left = denoise.gain(denoise.change(torch.zeros(1), torch.ones(1), denoise.keep(torch.tensor([0.4]))))
    check(abs(left - 0.36) < 1e-3, "a start at t = 0.4 aims at 0.36 of the noise")
    average, net = nets.Average(torch.nn.Linear(1, 1, bias=False), 0.5), torch.nn.Linear(1, 1, bias=False)
    for name in average.weights:
        average.weights[name].zero_()
    average.steps = 1000
    with torch.no_grad():
        net.weight.fill_(8)
    average.update(net)
    average.update(net)
    check(average.weights["weight"].item() == 6, "a running average of decay 1/2 goes 0, 4, 6 towards 8")


def check_diffusion(root):
    for schedule in diffusion.SCHEDULES:
        for zero in (False, True):
            one = diffusion.scheduler("v_prediction", False, schedule, zero)
            one.save_pretrained(root / "one" / "scheduler")
            two = diffusion.load_scheduler(root / "one")
            falls = bool((one.alphas_cumprod.diff() < 0).all())
            check(
                torch.equal(one.alphas_cumprod, two.alphas_cumprod) and falls,
                f"{schedule}: as saved, and falling",
            )
            check(not zero or one.alphas_cumprod[-1] < 1e-12, f"{schedule}: ends in pure noise when asked")
    x, generator = torch.randn(64, 1, 2, 2), torch.Generator().manual_seed(0)
    index = torch.randint(0, diffusion.STEPS, (64,), generator=generator)
    for prediction in diffusion.PREDICTIONS:  # x_t and the goal together give x_0 back
        process = diffusion.Process(prediction=prediction)
        noisy, goal = process.noised(x, index, generator)
        a, s = (
            part[index][:, None, None, None] for part in (process.alphas.sqrt(), (1 - process.alphas).sqrt())
        )
        back = dict(v_prediction=a * noisy - s * goal, epsilon=(noisy - s * goal) / a, sample=goal)[
            prediction
        ]
        known = index < 900 if prediction == "epsilon" else index >= 0  # in pure noise epsilon says little
        check(torch.allclose(back[known], x[known], atol=1e-3), f"{prediction}: x_t and the goal give x_0")
    snr = lambda process: process.alphas.double() / (1 - process.alphas.double())
    for prediction, share in (
        ("v_prediction", lambda r: r + 1),
        ("epsilon", lambda r: r),
        ("sample", lambda r: 0 * r + 1),
    ):
        for weights, formula in (
            ("min-snr", lambda r: r.clamp(max=5)),
            ("p2", lambda r: r / (1 + r)),
            ("uniform", share),
        ):
            process = diffusion.Process("linear", prediction, weights)
            expected = formula(snr(process)) / share(snr(process))
            check(
                torch.allclose(process.weights.double(), expected / expected.mean(), rtol=1e-4),
                f"{weights} of {prediction}",
            )
