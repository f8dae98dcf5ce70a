"""python -m recipe prepare | train | evaluate | export"""

import argparse
import json
import sys
from pathlib import Path

import torch

from . import classifier, data, denoise, evaluate, export, sfx, train

WHAT = ("sfx", "vae", "classifier", "denoise")


def run_train(args):
    tasks = dict(sfx=lambda: sfx.Diffuse(args.work, args.start, seed=args.seed),
                 vae=lambda: sfx.Autoencode(args.work, seed=args.seed),
                 classifier=lambda: classifier.Classify(args.work, args.start, seed=args.seed),
                 denoise=lambda: denoise.Task(data.Bank(args.work), seed=args.seed))
    if args.threads:
        torch.set_num_threads(args.threads)
    rate = args.rate or dict(sfx=4e-4, vae=2e-3, classifier=1e-3, denoise=1e-3)[args.what]
    batch = args.batch or dict(sfx=16, vae=8, classifier=32, denoise=32)[args.what]
    run = train.Run(tasks[args.what](), args.work / args.what, rate, batch, args.minutes, args.steps, args.bf16,
                    args.save_every)
    if run.resume():
        print(f"going on from step {run.step}, {run.spent / 60:.1f} minutes in", flush=True)
    run.run()
    if args.what == "vae":
        export.averaged(args.work / "vae", run.net.cpu()).save_pretrained(args.work / "vae" / "net")


def run_evaluate(args):
    torch.set_num_threads(args.threads or 2)
    name = json.loads((args.model / "ebb.json").read_text(encoding="utf-8"))["kind"]
    if name == "denoise":
        evaluate.denoiser(args.model, data.Bank(args.work), args.count or 16, args.write)
    else:
        evaluate.generator(args.model, args.work, args.count or 6, args.judge_steps, args.write)


def run_export(args):
    about = args.name or args.out.name, args.licence, args.credit, args.provenance
    if args.what == "denoise":
        export.export_denoise(args.work, args.out, *about)
    else:
        export.export_sfx(args.work, args.out, args.start, *about, {*export.TEXTURES, *args.textures})
    print(f"{args.out}: open it with Ebb, or with diffusers")


def arguments():
    parser = argparse.ArgumentParser(prog="python -m recipe", description="Train Ebb's models on your own sounds.")
    parser.add_argument("--work", type=Path, default=Path("recipe-work"), help="caches and checkpoints (recipe-work)")
    steps = parser.add_subparsers(dest="step", required=True)

    add = steps.add_parser("prepare", help="read folder/label/*.wav, or a folder with a MANIFEST.tsv")
    add.add_argument("data", type=Path)
    add.set_defaults(run=lambda args: data.prepare(args.data, args.work))

    add = steps.add_parser("train", help="train, or go on training")
    add.add_argument("--what", choices=WHAT, default="sfx")
    add.add_argument("--minutes", type=float, default=10, help="training time in all, earlier runs included (10)")
    add.add_argument("--steps", type=int, help="stop at this many steps instead")
    add.add_argument("--start", type=existing, default=sfx.SHIPPED, help="model to start from; 'none': from nothing")
    add.add_argument("--rate", type=float, help="learning rate")
    add.add_argument("--batch", type=int)
    add.add_argument("--seed", type=int, default=1)
    add.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="mixed precision (on)")
    add.add_argument("--threads", type=int)
    add.add_argument("--save-every", type=float, default=120, help="seconds between checkpoints (120)")
    add.set_defaults(run=run_train)

    add = steps.add_parser("evaluate", help="measure a model on what it has not heard")
    add.add_argument("model", type=Path)
    add.add_argument("--count", type=int, help="clips per label (6), or scenes per level (16)")
    add.add_argument("--judge-steps", type=int, default=2500)
    add.add_argument("--threads", type=int)
    add.add_argument("--write", action="store_true", help="put scores and the table for automatic t into ebb.json")
    add.set_defaults(run=run_evaluate)

    add = steps.add_parser("export", help="write a model folder")
    add.add_argument("out", type=Path)
    add.add_argument("--what", choices=("sfx", "denoise"), default="sfx")
    add.add_argument("--start", type=existing, default=sfx.SHIPPED, help="as in train")
    add.add_argument("--name", help="the folder's name")
    add.add_argument("--textures", nargs="*", default=[], metavar="LABEL", help="labels that go on without a seam")
    add.add_argument("--licence", default="all rights reserved")
    add.add_argument("--credit", default="trained with Ebb's recipe on private recordings")
    add.add_argument("--provenance", default="", help="one sentence on the sounds it learned from")
    add.set_defaults(run=run_export)
    return parser


def existing(text):
    return None if text == "none" else Path(text)


def main():
    args = arguments().parse_args()
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        print(f"recipe: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
