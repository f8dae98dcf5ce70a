# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders of sounds as people have them, and what the recipe makes of them."""

import json
import os
import resource
import shutil

import numpy as np
import soundfile
import torch

from .. import audio, data, sfx, train
from .base import check, make_sounds, prepared, recipe, refused


def run(root):
    prepared(root)
    check_messy(root)
    check_refusals(root)
    check_split(root)
    check_augment(root)
    check_full_disk(root)


def check_messy(root):
    """A file that cannot be used is named with the reason. The others are read."""
    folder = root / "messy"
    make_sounds(folder)
    for name, content in (
        ("beep/broken.wav", b"RIFF not a sound"),
        ("beep/empty.wav", b""),
        ("hiss/words.wav", b"hello\n" * 99),
        ("notes.txt", b"notes"),
        (".hidden/x.wav", b""),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    soundfile.write(folder / "click" / "none.wav", np.zeros(0), 48000)
    soundfile.write(folder / "click" / "silent.wav", np.zeros(48000), 48000)
    soundfile.write(folder / "click" / "nan.wav", np.full(4800, np.nan), 48000, "FLOAT")
    shutil.copy(folder / "beep" / "beep0.wav", folder / "loose.wav")
    shutil.copy(folder / "beep" / "beep1.wav", folder / "hiss" / "mislabelled.wav")
    shutil.copy(folder / "beep" / "beep2.wav", folder / "beep" / "again.flac")  # a WAV by another name
    (folder / "beep" / "deeper" / "down").mkdir(parents=True)
    soundfile.write(
        folder / "beep" / "deeper" / "down" / "low.wav", 0.1 * np.sin(np.arange(9000) * 0.01), 48000
    )
    (folder / "lonely").mkdir()
    for i in range(2):
        soundfile.write(
            folder / "lonely" / f"{i}.wav", 0.1 * np.sin(np.arange(9000) * (0.02 + 0.01 * i)), 48000
        )
    (folder / "hollow").mkdir()
    (folder / "hollow" / "broken.ogg").write_bytes(b"OggS")
    (folder / "click" / "gone.wav").symlink_to("nowhere.wav")
    soundfile.write(folder / "click" / "one.wav", np.ones(1) / 2, 192000)
    odd = os.fsencode(folder / "click") + b"/\xff.wav"
    with open(odd, "wb") as file:
        file.write((folder / "lonely" / "0.wav").read_bytes()[:-2])
    with open(odd.replace(b"\xff", b"\xfe"), "wb") as file:
        file.write(b"no sound")
    (folder / "click" / "more").symlink_to(folder / "lonely")
    status, said = recipe(root / "messy-work", "prepare", folder)
    clips = json.loads((root / "messy-work" / "bank.json").read_text()) if status == 0 else []
    check(status == 0 and len(clips) == 19, f"19 sounds of a messy folder are read, not {len(clips)}: {said}")
    for words in (
        "broken.wav: not a sound",
        "empty.wav: not a sound",
        "words.wav: not a sound",
        "none.wav: no samples",
        "silent.wav: silent",
        "nan.wav: no samples, or",
        "loose.wav: not in a folder",
        "is it hiss or beep?",
        "the same sound as",
        "gone.wav",
        "one.wav: no samples",
        "\udcfe.wav: not a sound",
        "click/more: a link",
        "lonely: only 2 clips",
        "hollow: no sound in it",
        "notes.txt",
    ):
        check(words in said, f"of a messy folder it is said: {words}; said was: {said}")
    check("Traceback" not in said and "hidden" not in said, "no traceback, nothing of hidden folders")
    check(
        not any(clip["held"] for clip in clips if clip["label"] == "lonely"),
        "a label with 2 clips trains on both",
    )
    check_memory(root)


def check_memory(root):
    """A sound that is too large for the memory is named. The rest is read."""

    def short(path):
        raise MemoryError

    read, audio.read = audio.read, short
    try:
        refused(
            ["beep0.wav: too long for the memory", "not one of 15 files"],
            root / "no-work",
            "prepare",
            root / "sounds",
        )
    finally:
        audio.read = read
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
    check(
        train.out_of_memory(error) and not train.out_of_memory(RuntimeError("shape")),
        "a CPU's out of memory is known",
    )


def check_refusals(root):
    (root / "empty").mkdir()
    refused(["no sounds found", "label/sound.wav"], root / "none", "prepare", root / "empty")
    refused(["no such folder"], root / "none", "prepare", root / "nowhere")
    refused(["prepare DATA"], root / "none", "train", "--steps", 1)
    for label in ("rain,heavy", "a:b", "none", os.fsdecode(b"\xff")):
        folder = root / "names" / label
        folder.mkdir(parents=True)
        shutil.copy(root / "sounds" / "beep" / "beep0.wav", folder)
        refused(["rename the folder", label], root / "none", "prepare", root / "names")
        shutil.rmtree(folder)
    for text, words in (
        ("path\tclass\n", "no column original_path"),
        ("\t".join(data.COLUMNS) + "\na\tb\tc\tx\n", "line 2"),
    ):
        (root / "empty" / "MANIFEST.tsv").write_text(text)
        refused([words], root / "none", "prepare", root / "empty")
    for words, options in (
        ("expected 1 to 65536", ("--batch", 0)),
        ("expected 0.001 to", ("--minutes", 0)),
        ("divisors of the mel's 128 rows", ("--direct", "10,10")),
        ("list of whole numbers", ("--channels", "8,x")),
        ("multiples of 8", ("--channels", "12,24")),
        ("does not concern", ("--what", "vae", "--schedule", "linear")),
        ("invalid choice", ("--schedule", "steep")),
        ("v_prediction or sample", ("--direct", "--zero-snr", "--prediction", "epsilon")),
        ("can be halved for 5 at most", ("--channels", "8,8,8,8,8,8,8", "--direct")),
    ):
        refused([words], root / "work", "train", "--steps", 1, *options)
    if not torch.cuda.is_available():
        refused(["no CUDA device"], root / "work", "train", "--device", "cuda")
    bank = root / "cut"
    shutil.copytree(root / "work", bank)
    os.truncate(bank / "bank.i16", 1000)
    refused(["not of one piece"], bank, "train", "--steps", 1)


def check_split(root):
    counts = dict(many=30, some=8, few=7)
    rows = [
        dict(kind="sfx", label=label, source=f"{label}{i}") for label in counts for i in range(counts[label])
    ]
    data.split(rows, False)
    held = lambda label: sum(row["held"] for row in rows if row["label"] == label)
    check(
        (held("many"), held("some"), held("few")) == (3, 1, 0),
        "a tenth of each label is held out, at least one of eight",
    )
    name = next(f"s{i}" for i in range(99) if data.held_out(f"s{i}"))
    rows = [dict(kind=kind, label="x", source=name) for kind in ("sfx", "speech")]
    data.split(rows, True)
    check(
        [row["held"] for row in rows] == [False, True], "a label keeps a sound to learn; a speaker may be new"
    )


def check_augment(root):
    bank = data.Bank(root / "work")
    clips = bank.choose("sfx", False, ["beep"])
    wave = bank.samples(clips[0])
    others = lambda rng: bank.samples(clips[1])
    window = lambda seed=0, **plan: sfx.disturbed(wave, others, sfx.PLAIN | plan, np.random.default_rng(seed))
    level = lambda x: 10 * np.log10(np.square(x, dtype=np.float64).sum())
    plain = window(shift=0)
    check(
        np.array_equal(plain[: len(wave)], wave) and not plain[len(wave) :].any(),
        "unchanged when asked for nothing",
    )
    starts = {
        int(np.flatnonzero(window(seed, shift=8))[0]) - int(np.flatnonzero(wave)[0]) for seed in range(40)
    }
    check(starts == {i * audio.HOP for i in range(9)}, "a clip starts up to eight frames in")
    gains = [level(window(seed, shift=0, gain=6)) - level(plain) for seed in range(40)]
    check(-6.01 < min(gains) < -4 and 4 < max(gains) < 6.01, "gain within 6 dB either way")
    second = window(shift=0, mix=1) - plain
    best = (
        abs(np.dot(second[: len(wave)], others(None)[: len(wave)]))
        / np.linalg.norm(second)
        / np.linalg.norm(others(None))
    )
    check(best > 0.99, "the second clip of a mix is one of the same label")
    owner = lambda **plan: sfx.windows(bank, clips[:1], sfx.PLAIN | plan, np.random.default_rng(0))[1]
    check(len(owner(speeds=[1.0, 0.5], copies=3)) == 6, "three copies at each of two speeds")
    slow = sfx.windows(bank, clips[:1], sfx.PLAIN | dict(speeds=[2.0], shift=0), np.random.default_rng(0))[0][
        0
    ].float()
    usual = sfx.windows(bank, clips[:1], sfx.PLAIN | dict(shift=0), np.random.default_rng(0))[0][0].float()
    edges = audio.band_edges()[1:-1]
    ratio = edges[slow[:, 5].argmax()] / edges[usual[:, 5].argmax()]
    check(1.8 < ratio < 2.2, f"speed 2 sounds an octave higher: {ratio:.2f}")


def check_full_disk(root):
    """A limit on the size of files stands in for a full disk. Earlier files stay, and no half-written file is
    left.
    """
    work = root / "work"
    before = (work / "bank.json").read_bytes(), (work / "bank.i16").read_bytes()
    with full_disk(20000):
        refused(["bank.i16: cannot be written", "as it was"], work, "prepare", root / "sounds")
    now = (work / "bank.json").read_bytes(), (work / "bank.i16").read_bytes()
    check(before == now, "a full disk leaves the prepared sounds")
    check(not list(work.glob("*.part")), "a full disk leaves nothing half written")


class full_disk:
    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.old[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.old)
