"""A folder of sounds -> a bank: every clip at 48 kHz as int16 in one flat file, and an index."""

import csv
import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np

from . import audio

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".m4a"}
STEADY = ["rain", "wind", "sea_waves", "fire", "water", "engine", "chainsaw", "helicopter"]


def held_out(name):
    """One source in ten never trains. All pieces of one recording share their name."""
    return zlib.crc32(name.encode()) % 10 == 0


def list_manifest(folder):
    with open(folder / "MANIFEST.tsv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            kind = row["path"].split("/")[0]
            yield dict(path=row["path"], kind=kind, label=row["class"].removeprefix(kind + "/"),
                       source=row["original_path"], rate=int(row["original_sample_rate"]))


def list_folder(folder):
    """folder/label/file: every label is a folder."""
    for path in sorted(folder.glob("*/**/*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).as_posix()
            yield dict(path=name, kind="sfx", label=name.split("/")[0], source=name, rate=0)


def synthetic():
    """Chords for the denoiser, which should know music, and coloured noise to take away."""
    for i in range(60):
        yield dict(path=f"synthetic/chord{i}", kind="music", label="chord", source=f"chord{i}", rate=48000,
                   samples=chord(np.random.default_rng([1, i])))
    for i in range(160):
        yield dict(path=f"synthetic/noise{i}", kind="noise", label="coloured", source=f"noise{i}", rate=48000,
                   samples=coloured(np.random.default_rng([2, i])))


def chord(rng, seconds=5):
    """A few bars of held or plucked notes, each a row of harmonics."""
    out, n = np.zeros(seconds * audio.RATE), seconds * audio.RATE
    slope, pluck = rng.uniform(0.5, 2.5), rng.uniform() < 0.6
    for _ in range(rng.integers(4, 14)):
        start, hz = rng.integers(0, n - 4800), 55 * 2 ** (rng.integers(0, 48) / 12)
        t = np.arange(min(n - start, int(audio.RATE * rng.uniform(0.2, 2.5)))) / audio.RATE
        envelope = np.minimum(1, t / rng.uniform(0.002, 0.08)) * np.minimum(1, (t[-1] - t) / 0.03)
        envelope *= np.exp(-t * rng.uniform(1, 8)) if pluck else 1
        for k in range(1, min(24, int(16000 / hz)) + 1):
            out[start:start + len(t)] += envelope * k ** -slope * np.sin(2 * np.pi * (hz * k * t + rng.uniform()))
    return (0.7 * out / np.abs(out).max()).astype(np.float32)


def coloured(rng, seconds=5):
    """Noise of a random slope and a few broad bumps; one in four hums at the mains frequency."""
    n = seconds * audio.RATE
    hz = np.fft.rfftfreq(n, 1 / audio.RATE) + 20
    shape = -rng.uniform(0, 6) * np.log2(hz / 1000)
    for _ in range(rng.integers(0, 4)):
        shape += rng.uniform(-12, 12) * np.exp(-np.log2(hz / rng.uniform(100, 12000)) ** 2 / rng.uniform(0.1, 2))
    spectrum = np.fft.rfft(rng.standard_normal(n)) * 10 ** (np.clip(shape, -60, 24) / 20)
    out = np.fft.irfft(spectrum, n)
    out /= np.sqrt(np.mean(out ** 2))
    if rng.uniform() < 0.25:
        t, mains = np.arange(n) / audio.RATE, rng.choice([50, 60])
        for k in range(1, 20):
            out += rng.uniform(0, 3) / k * np.sin(2 * np.pi * (mains * k * t + rng.uniform()))
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def active_level(samples):
    """RMS of the parts within 30 dB of the loudest hundredth of a second, in dB."""
    block = samples[:len(samples) // 480 * 480].reshape(-1, 480) if len(samples) >= 480 else samples[None]
    power = np.square(block, dtype=np.float64).mean(1)
    return float(10 * np.log10(power[power >= 1e-3 * power.max()].mean() + 1e-12))


def tidy(samples):
    """A sound of one's own as the shipped ones are: no silence at the ends, peak at -1 dB."""
    peak = np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > 1e-3 * peak)
    return samples[loud[0]:loud[-1] + 1] * np.float32(10 ** (-1 / 20) / peak)


def prepare(folder, work):
    """Reads every sound below `folder` into `work`/bank.i16 and `work`/bank.json."""
    folder, work = Path(folder), Path(work)
    manifest = (folder / "MANIFEST.tsv").exists()
    rows = list(list_manifest(folder) if manifest else list_folder(folder))
    if not rows:
        raise ValueError(f"{folder}: no sounds found; expected {folder}/label/sound.wav")
    if manifest and any(row["kind"] == "noise" for row in rows):
        rows += synthetic()
    work.mkdir(parents=True, exist_ok=True)
    clips, position = [], 0
    with open(work / "bank.i16.part", "wb") as file:
        for number, row in enumerate(rows):
            try:
                samples = row.pop("samples", None)
                if samples is None:
                    samples, rate = audio.read(folder / row["path"])
                    row["rate"] = row["rate"] or rate
                if np.abs(samples).max() < 1e-4:
                    raise ValueError(f"{row['path']}: silent")
            except ValueError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            if not manifest:
                samples = tidy(samples)
            pcm = np.clip(np.rint(samples * 32767), -32767, 32767).astype("<i2")
            file.write(pcm.tobytes())
            clips.append(dict(row, start=position, length=len(pcm), held=held_out(row["source"]),
                              level=round(active_level(samples), 2)))
            position += len(pcm)
            if number % 500 == 499:
                print(f"{number + 1} of {len(rows)} clips", flush=True)
    if not clips:
        raise ValueError(f"{folder}: not one of {len(rows)} files could be read")
    os.replace(work / "bank.i16.part", work / "bank.i16")
    write_json(work / "bank.json", clips)
    report(clips, position)


def report(clips, samples):
    labels = sorted({clip["label"] for clip in clips if clip["kind"] == "sfx"})
    print(f"{len(clips)} clips, {samples / audio.RATE / 60:.1f} minutes, {len(labels)} labels, "
          f"{sum(clip['held'] for clip in clips)} clips held out")
    for label in labels:
        count = sum(clip["label"] == label for clip in clips)
        if count < 8:
            print(f"{label}: only {count} clips; the net will repeat them rather than learn them", file=sys.stderr)


def write_json(path, value):
    part = Path(f"{path}.part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


class Bank:
    """The prepared clips; samples are read from disk as they are asked for."""

    def __init__(self, work):
        work = Path(work)
        if not (work / "bank.json").exists():
            raise ValueError(f"{work}: no prepared sounds here; run `python -m recipe prepare DATA` first")
        self.clips = json.loads((work / "bank.json").read_text(encoding="utf-8"))
        self.pcm = np.memmap(work / "bank.i16", "<i2", "r")

    def choose(self, kind, held, labels=None, without=()):
        return [clip for clip in self.clips if clip["kind"] == kind and clip["held"] == held
                and (labels is None or clip["label"] in labels) and clip["label"] not in without]

    def samples(self, clip, start=0, length=None):
        """Samples [start, start + length) of a clip, zeros outside it."""
        length = clip["length"] - start if length is None else length
        out = np.zeros(length, np.float32)
        low, high = max(start, 0), min(start + length, clip["length"])
        if low < high:
            out[low - start:high - start] = self.pcm[clip["start"] + low:clip["start"] + high] / np.float32(32767)
        return out


def digest(net):
    """A short name for a net's weights, to know whether what was made with it is still good."""
    crc = 0
    for value in net.state_dict().values():
        crc = zlib.crc32(value.detach().cpu().float().numpy().tobytes(), crc)
    return f"{crc:08x}"
