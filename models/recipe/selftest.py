"""python -m recipe.selftest: the whole recipe on made-up sounds, in about a minute on a CPU."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from diffusers import AutoencoderKL, UNet2DModel

from . import audio, data, denoise, export, judge, nets, sfx, train

passed, failed = 0, 0


def check(good, what):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAILED: {what}", flush=True)


def make_sounds(folder, count=5):
    """Three labels: beeps, hisses, and clicks, at three rates; and a file that is none."""
    rng = np.random.default_rng(0)
    for label, rate in (("beep", 48000), ("hiss", 44100), ("click", 22050)):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            t = np.arange(rate * (3 if label == "hiss" else 1)) / rate
            sound = {"beep": np.sin(2 * np.pi * (400 + 100 * i) * t) * np.exp(-4 * t),
                     "hiss": 0.3 * rng.standard_normal(len(t)),
                     "click": np.where(t < 0.002 + 0.001 * i, 0.9, 0.0)}[label]
            soundfile.write(folder / label / f"{label}{i}.wav", 0.5 * sound, rate)
    (folder / "beep" / "broken.wav").write_bytes(b"RIFF not a sound")


def make_corpus(folder):
    """The same as a MANIFEST.tsv of speech, effects and noise."""
    lines = ["path\tclass\tsource_repository\toriginal_path\tlicence\tauthor_or_url\tduration_s\toriginal_sample_rate"]
    for kind, label, rate in (("sfx/beep", "beep", 48000), ("speech/ann", "speech/ann", 16000), ("noise", "noise/room", 48000)):
        (folder / kind).mkdir(parents=True)
        for i in range(12):
            t = np.arange(2 * rate) / rate
            sound = np.random.default_rng(i).standard_normal(len(t)) if kind == "noise" else np.sin(2000 * t * (1 + i))
            soundfile.write(folder / kind / f"{i}.wav", 0.3 * sound, rate)
            lines.append(f"{kind}/{i}.wav\t{label}\trepo\t{kind}{i * 7}\tCC0-1.0\tnobody\t2\t{rate}")
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def recipe(work, *words, **more):
    return subprocess.run([sys.executable, "-m", "recipe", "--work", str(work), *map(str, words)], text=True,
                          capture_output=True, cwd=Path(__file__).parent.parent, **more)


def check_mel():
    """Against the definition: a full-scale sine on a bin centre reads 0 dB; a triangle's peak is 1; gains of 1 stay 1."""
    t = torch.arange(audio.RATE) / audio.RATE
    spectrum = audio.stft(torch.sin(2 * torch.pi * 1500 * t))[:, 20:60]
    check(abs(spectrum.abs().max() - 1) < 1e-3, "a full-scale sine reads 1.0")
    check(audio.filterbank().shape == (128, 1025), "128 bands of 1025 bins")
    check((audio.mel(torch.zeros(5000)) == -1).all(), "silence is -1")
    check(torch.allclose(audio.spread(torch.ones(128, 3)), torch.ones(1025, 3)), "gains of 1 stay 1 on every bin")
    wave = torch.randn(9999) * 0.1
    check(torch.allclose(audio.istft(audio.stft(wave), 9999), wave, atol=1e-5), "istft undoes stft")
    a, b = torch.randn(2, 4000)
    both = audio.mel_power(audio.stft(a)) + audio.mel_power(audio.stft(b)) + 2 * audio.mel_cross(audio.stft(a), audio.stft(b))
    check(torch.allclose(both, audio.mel_power(audio.stft(a + b)), rtol=1e-3, atol=1e-6), "mels add with their cross term")


def check_nets():
    x = torch.randn(2, 3, 8, 12)
    patched = nets.to_patches(x, (4, 2))
    check(torch.equal(nets.from_patches(patched, (4, 2)), x), "patches come back")
    check(torch.equal(patched[0, (1 * 4 + 3) * 2 + 1, 1, 2], x[0, 1, 7, 5]), "channel (c * ph + i) * pw + j")
    clean, noisy = torch.tensor([[1e-3, 1e-6]]), torch.tensor([[1e-3, 1e-4]])
    check(torch.allclose(denoise.gain(denoise.change(clean, noisy, 0.0)), torch.tensor([[1.0, 0.01]]), atol=1e-4), "change and gain agree")
    check(torch.allclose(denoise.change(clean, noisy, 1.0), torch.ones(1, 2)), "nothing removed is 1")
    left = denoise.gain(denoise.change(torch.zeros(1), torch.ones(1), denoise.keep(torch.tensor([0.4]))))
    check(abs(left - 0.36) < 1e-3, "a start at t = 0.4 aims at 0.36 of the noise")


def check_folder(root):
    make_sounds(root / "sounds")
    done = recipe(root / "work", "prepare", root / "sounds")
    check(done.returncode == 0 and "15 clips" in done.stdout, "prepare reads 15 clips: " + done.stdout + done.stderr)
    check("broken.wav" in done.stderr, "prepare names the unreadable file")
    (root / "empty").mkdir()
    done = recipe(root / "none", "prepare", root / "empty")
    check(done.returncode == 1 and "no sounds" in done.stderr and "Traceback" not in done.stderr, "an empty folder is an error")
    done = recipe(root / "none", "train", "--steps", 1)
    check(done.returncode == 1 and "prepare" in done.stderr, "train without prepare says so")


def tiny(work, what):
    """Small nets for the tests, which a CPU trains in seconds."""
    torch.set_num_threads(1)
    if what == "vae":
        return sfx.Autoencode(work, (8, 8, 16, 16))
    if what == "sfx":
        return sfx.Diffuse(work, None, (16, 32, 32))
    return denoise.Task(data.Bank(work), channels=(8, 16, 16, 16), checks=24)


def train_tiny(work, what, folder, steps, pause=0.0, save_every=1e9):
    run = train.Run(tiny(work, what), folder, 1e-3, 4, steps=steps, save_every=save_every)
    run.resume()
    if pause:  # give the killer its chance
        one_step = run.one_step
        run.one_step = lambda: (time.sleep(pause), one_step())[1]
    run.run()
    return run


def check_killed(root, work, what, steps=8):
    """A training killed in the middle and resumed equals an unbroken one, bit for bit."""
    whole = train_tiny(work, what, root / f"{what}-whole", steps)
    folder = root / f"{what}-killed"
    code = f"from recipe import selftest; selftest.train_tiny({str(work)!r}, {what!r}, {str(folder)!r}, {steps}, 0.4, 0)"
    child = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (folder / "state.pt").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reached = torch.load(folder / "state.pt", weights_only=True)["step"]
    check(0 < reached < steps, f"{what}: killed in the middle, at step {reached} of {steps}")
    again = train_tiny(work, what, folder, steps)
    one, two = whole.average.weights, again.average.weights
    check(again.step == steps and all(torch.equal(one[name], two[name]) for name in one), f"{what}: resumed equals unbroken")
    return again


def check_sfx(root):
    work = root / "work"
    run = check_killed(root, work, "vae")
    export.averaged(run.folder, run.net).save_pretrained(work / "vae" / "net")
    run = check_killed(root, work, "sfx")
    os.rename(run.folder, work / "sfx")
    out = root / "model"
    export.export_sfx(work, out, None, "test", "none", "nobody", "made up")
    info = json.loads((out / "ebb.json").read_text(encoding="utf-8"))
    check([label["name"] for label in info["labels"]] == ["beep", "click", "hiss"], "labels are the folders")
    check(export.sums(out) == info["sha256"] and len(info["sha256"]) == 2, "the sums are those of the files")
    unet = UNet2DModel.from_pretrained(out, subfolder="unet").float().eval()
    vae = AutoencoderKL.from_pretrained(out, subfolder="vae").float().eval()
    mel = sfx.generate(unet, vae, info, torch.tensor([0, 2]), steps=2)
    check(mel.shape == (2, 128, 256) and torch.isfinite(mel).all(), "the exported model makes mels")
    seen = sfx.Windows(work)
    ear = judge.train_judge(seen.train, seen.train_labels, 3, 100, batch=16)
    scores, embedding = judge.listen(ear, seen.train)
    check(judge.accuracy(scores, seen.train_labels).mean() > 0.8, "a judge tells beeps, clicks and hisses apart")
    check(judge.frechet(embedding, embedding) < 1e-3 < judge.frechet(embedding[:9], embedding[9:]), "Frechet distance")


def check_denoise(root):
    make_corpus(root / "corpus")
    work = root / "corpus-work"
    check(recipe(work, "prepare", root / "corpus").returncode == 0, "prepare reads a manifest")
    run = check_killed(root, work, "denoise", steps=60)
    net = run.net.eval()
    wave = 0.1 * torch.randn(20000)
    for frames in (16, 64, 96):
        check(denoise.sample(net, torch.zeros(1, 1, 128, frames), 0.5).shape[-1] == frames, f"a width of {frames} frames")
    check(torch.allclose(denoise.clean(net, wave, 0.0), wave, atol=1e-5), "t = 0 changes nothing")
    tone, noise = torch.sin(torch.arange(96000) * 0.1), torch.randn(96000)
    for snr in (0, 10, 20):  # a sound that pauses, as sounds do
        heard = tone * (torch.arange(96000) % 24000 < 12000) + noise * 10 ** (-(snr + 6) / 20)
        found = denoise.estimate_snr(audio.mel_power(audio.stft(heard)))
        check(abs(found - snr) < 3, f"SNR of {snr} dB is estimated as {found:.1f}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        check_mel()
        check_nets()
        check_folder(root)
        check_sfx(root)
        check_denoise(root)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
