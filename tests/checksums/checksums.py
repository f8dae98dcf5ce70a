#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records the samples of many sounds, and compares them after a change of the code.

    tests/checksums/checksums.py record BUILD SUMS    writes SUMS: a line per output, its SHA-256 and its name
    tests/checksums/checksums.py check BUILD SUMS     makes all outputs again and names each that differs;
                                                      then the exit code is 1

Record before a rebuild, and check after each of its commits, on the same machine with the same compiler: bits
are the same only for the same build, device and thread count. The sums are over samples, not files, because
the recipe in a file may change. Devices are `ref` and `cpu` with one thread. Arguments after SUMS restrict
the run to outputs whose names begin so.
"""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TINY = "tests/models/tiny-"
NOISY = "examples/audio/speech-train-noisy.wav"
STATIC = "examples/audio/speech-film-static-noisy.wav"
CPU = "--device cpu --threads 1"
REF = "--device ref --threads 1"


def render(name, options, device=CPU, model=TINY + "sfx"):
    return name, f"ebb render --model {model} {device} --format wav32f --quiet {options} -o {{out}}/a.wav"


def latents(name, options, device=CPU, model=TINY + "sfx"):
    return name, f"ebb render --model {model} {device} --quiet {options} --save-latents {{out}}/a.npy"


def edit(name, options, device=CPU, model=TINY + "sfx", source=NOISY):
    return (
        name,
        f"ebb edit {source} --model {model} {device} --format wav32f --quiet {options} -o {{out}}/a.wav",
    )


def denoise(name, options, device=CPU, model=TINY + "denoise", source=NOISY):
    return (
        name,
        f"ebb denoise {source} {{out}}/a.wav --model {model} {device} --format wav32f --quiet {options}",
    )


def stream(name, properties, rest="", model=TINY + "sfx", device="cpu"):
    return name, (
        f"gst-launch-1.0 -q diffusesrc model={model} device={device} threads=1 seed=0 {properties} "
        f"! audio/x-raw,format=F32LE{rest}"
        " ! filesink location={out}/a.raw"
    )


def filtered(name, properties, model=TINY + "denoise", source=NOISY):
    return name, (
        f"gst-launch-1.0 -q filesrc location={source} ! wavparse ! audioconvert ! audio/x-raw,format=F32LE ! "
        f"diffusedenoise model={model} device=cpu threads=1 {properties} ! filesink location={{out}}/a.raw"
    )


OUTPUTS = [
    # sounds of one window: label, seed, sampler, guidance of every kind, lengths
    render("render-ref", "--label rain --seed 3", REF),
    render("render-plain", "--label rain --seed 3"),
    render("render-index", "--label kick --seed 3 --index 7"),
    render("render-none", "--label none --seed 4"),
    render("render-guidance", "--label rain --guidance 5 --rescale 0.7"),
    render("render-times", "--label rain --guidance 4 --guidance-from 0.2 --guidance-to 0.7"),
    render("render-negative", "--label rain --negative wind --guidance 3"),
    render("render-mixture", "--label rain:0.7,wind:0.3 --guidance 2.5"),
    render("render-eta", "--label rain --sampler ddim --eta 0.5 --steps 6"),
    render("render-churn", "--label rain --sampler heun --churn 10 --churn-from 0.1 --churn-to 20 --steps 5"),
    render("render-threshold", "--label rain --threshold 0.9"),
    render("render-karras", "--label rain --spacing karras --steps 7"),
    render("render-rk45", "--label rain --sampler rk45 --tolerance 0.01"),
    render("render-short", "--label kick --seconds 0.7 --phase-iterations 5 --fade 0.01"),
    render("render-long", "--label rain --seconds 9 --seed 5"),
    render("render-long-event", "--label kick --seconds 7 --seed 5"),
    render("render-trim", "--label kick --trim --lufs -23"),
    render("render-peak", "--label kick --peak -6"),
    render("render-gain", "--label kick --gain -3"),
    render("render-direct", "--seed 9", model=TINY + "direct"),
    render("render-direct-ref", "--seed 9", REF, TINY + "direct"),
    render("render-direct-long", "--seed 9 --seconds 2", model=TINY + "direct"),
    render("render-classifier", "--label rain --classifier-guidance 2", model=TINY + "led"),
    render("render-shipped", "--label rain --seed 1 --steps 3", model="sfx"),
    render("render-shipped-event", "--label footstep --seed 1 --steps 2", model="sfx"),
    (
        "render-path",
        f"ebb render --model {TINY}sfx {CPU} --format wav32f --quiet --label rain --seed 1 --to-seed 2 "
        "--count 4 -o {out}/",
    ),
    (
        "render-variations",
        f"ebb render --model {TINY}sfx {CPU} --format wav32f --quiet --label all --count 2 -o {{out}}/",
    ),
    (
        "render-list",
        f"ebb render --model {TINY}sfx {CPU} --format wav32f --quiet --list {{lists}}/list.csv -o {{out}}/",
    ),
    ("render-wav16", f"ebb render --model {TINY}sfx {CPU} --quiet --label rain -o {{out}}/a.wav"),
    (
        "render-wav24",
        f"ebb render --model {TINY}sfx {CPU} --quiet --label rain --format wav24 -o {{out}}/a.wav",
    ),
    # last states; torch's noise as diffusers has it
    latents("latents", "--label rain --seed 3"),
    latents("latents-ref", "--label rain --seed 3", REF),
    latents("torch", "--noise torch --label rain --seed 42"),
    latents("torch-ref", "--noise torch --label rain --seed 42 --steps 3", REF),
    latents("torch-guided", "--noise torch --label rain --seed 42 --guidance 3"),
    latents("torch-direct", "--noise torch --seed 42", model=TINY + "direct"),
    latents("torch-ddim", "--noise torch --seed 42 --sampler ddim --eta 1", model=TINY + "direct"),
    latents("torch-euler-a", "--noise torch --seed 1 --sampler euler-a --label rain"),
    # edits
    edit("edit-span", "--from 1.2 --to 2.0 --label rain"),
    edit("edit-span-ref", "--from 1.2 --to 1.5 --label rain", REF),
    edit("edit-event", "--from 1.2 --to 2.0 --label kick"),
    edit("edit-band", "--from 0.5 --to 1.5 --band 2000:8000 --label rain"),
    edit("edit-t", "--t 0.4 --label rain"),
    edit("edit-vary", "--vary 30 --steps 5"),
    edit("edit-before-after", "--before 0.6 --after 0.8 --label rain"),
    edit("edit-long", "--after 6 --label rain --resample 2"),
    edit("edit-shipped", "--from 1.2 --to 1.6 --label glass --steps 2", model="sfx"),
    # streams
    stream("stream-texture", "label=rain num-clips=4 seed=3"),
    stream("stream-texture-crossfade", "label=rain num-clips=3 seed=3 crossfade=0.4"),
    stream("stream-event", "label=kick num-clips=3 gap=0.1"),
    stream("stream-settings", "label=rain num-clips=2 steps=3 sampler=ddim guidance=3"),
    stream("stream-classifier", "label=rain num-clips=1 classifier-guidance=2", model=TINY + "led"),
    stream("stream-rate", "label=rain num-clips=2", ",rate=32000,channels=2"),
    stream("stream-direct", "num-clips=3", model=TINY + "direct", device="ref"),
    stream("stream-shipped", "label=sea_waves num-clips=2 steps=2", model="sfx"),
    # denoising in file windows, and in live ones through the element
    denoise("denoise", ""),
    denoise("denoise-ref", "--t 0.3", REF),
    denoise("denoise-t", "--t 0.6 --steps 3"),
    denoise("denoise-auto", "--t auto", source=STATIC),
    denoise("denoise-wet", "--t 0.5 --wet 0.6 --seed 4"),
    denoise("denoise-zero", "--t 0"),
    denoise("denoise-shipped", "--t 0.4", model="denoise"),
    denoise("denoise-shipped-steps", "--t 0.7 --steps 3 --wet 0.8 --seed 2", model="denoise"),
    denoise("denoise-shipped-auto", "--t auto", model="denoise", source=STATIC),
    filtered("live", "t=0.4"),
    filtered("live-auto", "auto-t=true"),
    filtered("live-shipped", "t=0.5", model="denoise", source=STATIC),
    filtered("live-shipped-auto", "auto-t=true", model="denoise"),
    # one network
    (
        "eval-unet",
        f"ebb eval {TINY}sfx/unet {CPU} --input {{lists}}/x8.npy --timestep 500 --label 1 "
        "--output {out}/a.npy",
    ),
    (
        "eval-unet-ref",
        f"ebb eval {TINY}sfx/unet {REF} --input {{lists}}/x8.npy --timestep 500 --label 1 "
        "--output {out}/a.npy",
    ),
    ("eval-decode", f"ebb eval {TINY}sfx/vae {CPU} --decode --input {{lists}}/x8.npy --output {{out}}/a.npy"),
    ("mel", f"ebb mel {NOISY} -o {{out}}/a.npy"),
]


def npy(path, shape):
    """Numbers that are no multiples of each other, as float32."""
    count = 1
    for size in shape:
        count *= size
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = [((i * 2654435761) % 65536) / 32768 - 1 for i in range(count)]
    with open(path, "wb") as f:
        f.write(
            b"\x93NUMPY\x01\x00"
            + struct.pack("<H", len(header))
            + header.encode()
            + struct.pack(f"<{count}f", *values)
        )


def prepare(folder):
    npy(os.path.join(folder, "x8.npy"), STATE)
    with open(os.path.join(folder, "list.csv"), "w") as f:
        f.write(
            "name,label,seed,index,seconds,steps,guidance,sampler,eta,gain,lufs,peak,trim\n"
            "one,rain,1,2,0.5,3,2,ddim,0.3,,,,\ntwo,kick,,,,,,,,-3,,,\nthree,rain,,,1,,,,,,,-6,true\n"
        )


STATE = (1, 4, 16, 32)


def samples(path):
    """A WAV's data chunk; any other file whole."""
    with open(path, "rb") as f:
        data = f.read()
    at = 12
    while data[:4] == b"RIFF" and at + 8 <= len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return data


def make(command, environment, lists):
    """SHA-256 over all files that the command writes, in the order of their names; None with what went
    wrong."""
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run(
            command.format(out=out, lists=lists),
            shell=True,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        files = sorted(os.listdir(out))
        if run.returncode or not files:
            return None, (run.stderr or run.stdout or "no output").strip().splitlines()[-1:]
        total = hashlib.sha256()
        for name in files:
            total.update(samples(os.path.join(out, name)))
        return total.hexdigest(), []


def environment_of(build):
    build = os.path.abspath(build)
    env = dict(
        os.environ,
        EBB_MODEL_PATH=os.path.join(ROOT, "models"),
        GST_PLUGIN_PATH=os.path.join(build, "gst-plugin"),
        LD_LIBRARY_PATH=os.path.join(build, "lib"),
        GST_REGISTRY=os.path.join(build, "checksums-registry.bin"),
    )
    env["PATH"] = os.path.join(build, "tools") + ":" + env["PATH"]
    return env


def read_sums(path):
    with open(path) as f:
        return {name: sum_ for sum_, name in (line.split() for line in f)}


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("record", "check"):
        sys.exit(__doc__)
    verb, build, path = sys.argv[1:4]
    known = read_sums(path) if verb == "check" else {}
    wanted = [o for o in OUTPUTS if not sys.argv[4:] or o[0].startswith(tuple(sys.argv[4:]))]
    good, bad, lines = 0, 0, []
    with tempfile.TemporaryDirectory() as lists:
        prepare(lists)
        for name, command in wanted:
            found, why = make(command, environment_of(build), lists)
            if found is None or (verb == "check" and known.get(name) != found):
                bad += 1
                print(f"{name}: {why[0] if why else 'the samples differ' if found else 'no output'}")
                continue
            good += 1
            lines.append(f"{found} {name}\n")
    if verb == "record":
        with open(path, "w") as f:
            f.writelines(lines)
    print(f"checksums: {good} passed, {bad} failed")
    sys.exit(1 if bad else 0)


main()
