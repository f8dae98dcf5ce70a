# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bank: every clip of a folder of sounds, at 48 kHz as int16 in one file, with an index."""

import contextlib
import csv
import fnmatch
import json
import os
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

from . import audio

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".m4a"}
STEADY = ["rain", "wind", "sea_waves", "fire", "water", "engine", "chainsaw", "helicopter"]
COLUMNS = ("path", "class", "original_path", "original_sample_rate")  # of a MANIFEST.tsv
FEW = 8  # clips of a label below which it is warned of
ASIDE = ("reported", "unused")  # clips that nothing trains on, fits to or chooses by; see read_aside
RESERVED = ("all", "none")  # what ebb and the GStreamer elements take for something else
LONGEST_CAPTION = 400  # letters


# ---- files that are whole or not there ----


@contextlib.contextmanager
def replacing(path):
    """Yields a name to write to. The new file takes the place of `path` if nothing fails, and is deleted
    otherwise.
    """
    part = Path(f"{path}.part")
    try:
        yield part
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # PyTorch has its own words for a full disk
        why = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        with contextlib.suppress(OSError):
            why = "the disk is full" if shutil.disk_usage(part.parent).free < 1 << 20 else why
        raise OSError(f"{path}: cannot be written: {why}; what was there is as it was") from error
    finally:
        part.unlink(missing_ok=True)


def write_json(path, value):
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def save_tensors(path, value):
    """Saves tensors, numbers, strings, and lists and dicts of these."""
    with replacing(path) as part, open(part, "wb") as file:  # whose errors say more than PyTorch's own file's
        torch.save(value, file)


def load_tensors(path, advice, **more):
    try:
        return torch.load(path, map_location="cpu", weights_only=True, **more)
    except Exception as error:  # a cut or foreign file can raise anything
        raise ValueError(
            f"{path}: cannot be read as what PyTorch saved ({type(error).__name__}); {advice}"
        ) from error


def cached(path, key, make):
    """What `make` returns, kept in a file with its key. A file with another key, or a damaged file, is made
    again.
    """
    with contextlib.suppress(ValueError):
        kept = load_tensors(path, "", mmap=True) if path.exists() else {}
        if kept.get("key") == key:
            return kept
    value = make() | dict(key=key)
    save_tensors(path, value)
    return value


# ---- what there is to read ----


def held_out(name):
    """Whether a source is held out from training: one in ten is. All pieces of one recording have the same
    source.
    """
    return crc_of(name) % 10 == 0


def crc_of(name):
    """The checksum of a file's name, which need not be text."""
    return zlib.crc32(name.encode("utf-8", "surrogateescape"))


def read_captions(folder):
    """{path: caption} of a folder's captions.tsv; empty if it has none."""
    if not (folder / "captions.tsv").exists():
        return {}
    with open(folder / "captions.tsv", newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = {"path", "caption"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{folder}/captions.tsv: no column {', '.join(sorted(missing))}")
        return {row["path"]: tidy_caption(row["caption"] or "") for row in rows}


def tidy_caption(text):
    """One line, without blanks at its ends."""
    return " ".join(text.split())[:LONGEST_CAPTION]


def caption_beside(path):
    """The text of sound.txt beside sound.wav, "" if there is none."""
    beside = path.with_suffix(".txt")
    try:
        return tidy_caption(beside.read_text(encoding="utf-8-sig")) if beside.is_file() else ""
    except UnicodeDecodeError as error:
        raise ValueError(f"{beside}: a caption must be UTF-8") from error


def list_manifest(folder):
    captions = read_captions(folder)
    with open(folder / "MANIFEST.tsv", newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{folder}/MANIFEST.tsv: no column {', '.join(missing)}")
        for row in rows:
            kind = row["path"].split("/")[0]
            if not (row["original_sample_rate"] or "").isdigit():
                raise ValueError(
                    f"{folder}/MANIFEST.tsv, line {rows.line_num}: original_sample_rate is "
                    f'"{row["original_sample_rate"]}", expected Hz'
                )
            yield dict(
                path=row["path"],
                kind=kind,
                label=row["class"].removeprefix(kind + "/"),
                source=row["original_path"],
                rate=int(row["original_sample_rate"]),
                licence=row.get("licence") or "",
                caption=captions.get(row["path"], ""),
            )


def list_folder(folder):
    """Lists folder/label/file and everything deeper: each folder is a label. Prints what it passes over."""
    aside = []
    for path in sorted([*folder.glob("*"), *folder.glob("*/**/*")]):
        name = path.relative_to(folder).as_posix()
        if any(piece.startswith(".") for piece in name.split("/")):
            continue
        if path.is_dir():
            if path.is_symlink() and "/" in name:  # these might lead back to where they are
                complain(f"{path}: a link to a folder within a label is not followed")
            continue
        if path.suffix.lower() == ".txt" and "/" in name:
            continue  # a caption beside a sound
        if path.suffix.lower() not in SUFFIXES:
            aside.append(name)
        elif "/" not in name:
            complain(f"{path}: not in a folder named after its label")
        else:
            yield dict(
                path=name,
                kind="sfx",
                label=name.split("/")[0],
                source=name,
                rate=0,
                caption=caption_beside(path),
            )
    if aside:
        print(
            f"passed over, no sounds by their names: {', '.join(aside[:5])}{' ...' if len(aside) > 5 else ''}"
        )


def complain(what):
    print(f"left out: {what}", file=sys.stderr, flush=True)


def check_label(folder, label):
    if any("\udc80" <= letter <= "\udcff" for letter in label):  # bytes that are no UTF-8, as Python has them
        raise ValueError(f"{folder / label}: a label must be UTF-8; rename the folder")
    if label in RESERVED or set(label) & set(",:"):
        raise ValueError(
            f"{folder / label}: a label may not hold , or : and may not be called {' or '.join(RESERVED)}; "
            "rename the folder"
        )


def synthetic():
    """Made-up sounds for the denoiser: chords, so that it knows music, and coloured noise to take away."""
    for i in range(60):
        yield dict(
            path=f"synthetic/chord{i}",
            kind="music",
            label="chord",
            source=f"chord{i}",
            rate=48000,
            samples=chord(np.random.default_rng([1, i])),
        )
    for i in range(160):
        yield dict(
            path=f"synthetic/noise{i}",
            kind="noise",
            label="coloured",
            source=f"noise{i}",
            rate=48000,
            samples=coloured(np.random.default_rng([2, i])),
        )


def chord(rng, seconds=5):
    """Some bars of held or plucked notes. Each note is a row of harmonics."""
    out, n = np.zeros(seconds * audio.RATE), seconds * audio.RATE
    slope, pluck = rng.uniform(0.5, 2.5), rng.uniform() < 0.6
    for _ in range(rng.integers(4, 14)):
        start, hz = rng.integers(0, n - 4800), 55 * 2 ** (rng.integers(0, 48) / 12)
        t = np.arange(min(n - start, int(audio.RATE * rng.uniform(0.2, 2.5)))) / audio.RATE
        envelope = np.minimum(1, t / rng.uniform(0.002, 0.08)) * np.minimum(1, (t[-1] - t) / 0.03)
        envelope *= np.exp(-t * rng.uniform(1, 8)) if pluck else 1
        for k in range(1, min(24, int(16000 / hz)) + 1):
            out[start : start + len(t)] += (
                envelope * k**-slope * np.sin(2 * np.pi * (hz * k * t + rng.uniform()))
            )
    return (0.7 * out / np.abs(out).max()).astype(np.float32)


def coloured(rng, seconds=5):
    """Noise with a random slope and some broad bumps. One in four has a hum at the frequency of the mains."""
    n = seconds * audio.RATE
    hz = np.fft.rfftfreq(n, 1 / audio.RATE) + 20
    shape = -rng.uniform(0, 6) * np.log2(hz / 1000)
    for _ in range(rng.integers(0, 4)):
        shape += rng.uniform(-12, 12) * np.exp(
            -(np.log2(hz / rng.uniform(100, 12000)) ** 2) / rng.uniform(0.1, 2)
        )
    spectrum = np.fft.rfft(rng.standard_normal(n)) * 10 ** (np.clip(shape, -60, 24) / 20)
    out = np.fft.irfft(spectrum, n)
    out /= np.sqrt(np.mean(out**2))
    if rng.uniform() < 0.25:
        t, mains = np.arange(n) / audio.RATE, rng.choice([50, 60])
        for k in range(1, 20):
            out += rng.uniform(0, 3) / k * np.sin(2 * np.pi * (mains * k * t + rng.uniform()))
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def active_level(samples):
    """The level of the active parts in dB: their RMS. Active are hundredths of a second within 30 dB of the
    loudest.
    """
    block = samples[: len(samples) // 480 * 480].reshape(-1, 480) if len(samples) >= 480 else samples[None]
    power = np.square(block, dtype=np.float64).mean(1)
    return float(10 * np.log10(power[power >= 1e-3 * power.max()].mean() + 1e-12))


def tidy(samples):
    """Trims the silence at both ends and sets the peak to -1 dB, as the shipped sounds have it."""
    peak = np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > 1e-3 * peak)
    return samples[loud[0] : loud[-1] + 1] * np.float32(10 ** (-1 / 20) / peak)


def read_clip(folder, row, tidied):
    """The samples of the clip of a row as int16, and their rate. Raises ValueError."""
    samples = row.pop("samples", None)
    if samples is None:
        try:
            samples, rate = audio.read(folder / row["path"])
        except MemoryError as error:
            raise ValueError(
                f"{folder / row['path']}: too long for the memory there is; cut it into pieces"
            ) from error
        row["rate"] = row["rate"] or rate
    if np.abs(samples).max() < 1e-4:
        raise ValueError(f"{folder / row['path']}: silent")
    if tidied:
        samples = tidy(samples)
    return samples, np.clip(np.rint(samples * 32767), -32767, 32767).astype("<i2")


def read_all(folder, rows, file, tidied):
    """Appends every readable sound to `file` and returns their index. A repeated sound counts once."""
    clips, seen, position = [], {}, 0
    for number, row in enumerate(rows):
        try:
            samples, pcm = read_clip(folder, row, tidied)
        except ValueError as error:
            complain(error)
            continue
        crc = zlib.crc32(pcm.tobytes())
        twin = seen.setdefault((crc, len(pcm)), row)
        if tidied and twin is not row:
            same = "" if twin["label"] == row["label"] else f": is it {row['label']} or {twin['label']}?"
            complain(f"{folder / row['path']}: the same sound as {folder / twin['path']}{same}")
            continue
        file.write(pcm.tobytes())
        clips.append(
            dict(row, start=position, length=len(pcm), crc=crc, level=round(active_level(samples), 2))
        )
        position += len(pcm)
        if number % 500 == 499:
            print(f"{number + 1} of {len(rows)} clips", flush=True)
    return clips


def split(clips, manifest):
    """Marks one source in ten as held out. Without a manifest, each label of at least FEW clips holds out a
    tenth of them. No label loses all its clips.
    """
    for clip in clips:
        clip["held"] = manifest and held_out(clip["source"])
    for label in {clip["label"] for clip in clips if clip["kind"] == "sfx"}:
        of_label = [clip for clip in clips if clip["kind"] == "sfx" and clip["label"] == label]
        if not manifest and len(of_label) >= FEW:
            of_label.sort(key=lambda clip: crc_of(clip["source"]))
            for clip in of_label[: -(-len(of_label) // 10)]:
                clip["held"] = True
        if all(clip["held"] for clip in of_label):
            for clip in of_label:
                clip["held"] = False


def read_aside(path):
    """Reads a list of clips to put aside: rows (side, class, licence), where `*` stands for any text."""
    rules = []
    with open(path, newline="", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            rule = line.split()
            if len(rule) != 3 or rule[0] not in ASIDE:
                raise ValueError(
                    f'{path}, line {number}: "{line.strip()[:80]}", '
                    f"expected {' or '.join(ASIDE)}, a class and a licence"
                )
            rules.append(tuple(rule))
    return rules


def put_aside(clips, rules):
    """Marks each clip by the first rule that fits. The other clips of a reported source become unused, since
    they are pieces of the same recording.
    """
    for clip in clips:
        name = clip["label"] if clip["kind"] == "sfx" else f"{clip['kind']}/{clip['label']}"
        fits = (
            side
            for side, label, licence in rules
            if fnmatch.fnmatchcase(name, label) and fnmatch.fnmatchcase(clip.get("licence", ""), licence)
        )
        clip["aside"] = next(fits, "")
    reported = {clip["source"] for clip in clips if clip["aside"] == "reported"}
    for clip in clips:
        if not clip["aside"] and clip["source"] in reported:
            clip["aside"] = "unused"


def prepare(folder, work, augment=None, aside=None):
    """Reads every sound below `folder` into `work`/bank.i16 and `work`/bank.json. `augment`: see sfx.AUGMENT.
    `aside`: see read_aside.
    """
    folder, work = Path(folder), Path(work)
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    manifest, rules = (folder / "MANIFEST.tsv").exists(), read_aside(aside) if aside else []
    if rules and not manifest:
        raise ValueError(f"{folder}: no MANIFEST.tsv, by whose classes and licences {aside} puts clips aside")
    rows = list(list_manifest(folder) if manifest else list_folder(folder))
    if not rows:
        raise ValueError(f"{folder}: no sounds found; expected {folder}/label/sound.wav")
    labels = sorted({row["label"] for row in rows if row["kind"] == "sfx"})
    for label in labels:
        check_label(folder, label)
    if manifest and any(row["kind"] == "noise" for row in rows):
        rows += synthetic()
    work.mkdir(parents=True, exist_ok=True)
    with replacing(work / "bank.i16") as part:
        with open(part, "wb") as file:
            clips = read_all(folder, rows, file, not manifest)
        if not clips:
            raise ValueError(f"{folder}: not one of {len(rows)} files could be read")
        (work / "bank.json").unlink(missing_ok=True)  # an index never stands beside another's samples
    split(clips, manifest)
    put_aside(clips, rules)
    write_json(work / "augment.json", augment or {})
    write_json(work / "bank.json", clips)
    report(clips, labels)


def report(clips, labels):
    minutes = sum(clip["length"] for clip in clips) / audio.RATE / 60
    counts = {
        label: sum(clip["label"] == label and clip["kind"] == "sfx" for clip in clips) for label in labels
    }
    print(
        f"{len(clips)} clips, {minutes:.1f} minutes, {sum(map(bool, counts.values()))} labels, "
        f"{sum(clip['held'] and not clip['aside'] for clip in clips)} clips held out"
    )
    for side in ASIDE:
        if count := sum(clip["aside"] == side for clip in clips):
            print(f"{count} clips {side}: nothing is trained on them")
    for label, count in counts.items():
        if not count:
            print(f"{label}: no sound in it could be read; the model will not know it", file=sys.stderr)
        elif count < FEW:
            print(
                f"{label}: only {count} clip{'s'[: count > 1]}; the net will repeat rather than learn them",
                file=sys.stderr,
            )


class Bank:
    """The prepared clips. Samples are read from the disk when they are needed."""

    def __init__(self, work):
        work = Path(work)
        if not (work / "bank.json").exists() or not (work / "bank.i16").exists():
            raise ValueError(f"{work}: no prepared sounds here; run `python -m recipe prepare DATA` first")
        index, plan = work / "bank.json", work / "augment.json"
        self.augment = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else {}
        self.clips = json.loads(index.read_text(encoding="utf-8"))
        self.stamp = zlib.crc32(index.read_bytes() + json.dumps(self.augment, sort_keys=True).encode())
        self.pcm = np.memmap(work / "bank.i16", "<i2", "r")
        if len(self.pcm) != sum(clip["length"] for clip in self.clips):
            raise ValueError(
                f"{work}: bank.i16 and bank.json are not of one piece; "
                "run `python -m recipe prepare DATA` again"
            )

    def choose(self, kind, held, labels=None, without=()):
        """The clips of a kind that are held out (`held` is true), that train (false), or that are put aside
        ("reported").
        """
        return [
            clip
            for clip in self.clips
            if clip["kind"] == kind
            and (clip.get("aside") or clip["held"]) == held
            and (labels is None or clip["label"] in labels)
            and clip["label"] not in without
        ]

    def samples(self, clip, start=0, length=None):
        """Samples [start, start + length) of a clip, zeros outside it."""
        length = clip["length"] - start if length is None else length
        out = np.zeros(length, np.float32)
        low, high = max(start, 0), min(start + length, clip["length"])
        if low < high:
            out[low - start : high - start] = self.pcm[
                clip["start"] + low : clip["start"] + high
            ] / np.float32(32767)
        return out


def digest(net):
    """A short name of a net's weights. What was made with other weights has another name."""
    crc = 0
    for value in net.state_dict().values():
        value = value.detach().cpu().float() + 0.0  # -0 becomes 0: a running average of -0 is 0
        crc = zlib.crc32(value.numpy().tobytes(), crc)
    return f"{crc:08x}"
