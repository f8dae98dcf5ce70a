#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times a pass of a U-Net that sees text, and its memory, here, in PyTorch and in onnxruntime.

    compare_conditional.py EBB riffusion|audioldm [--threads 2 --rounds 3 --folder KEPT] [--bf16]

riffusion: Stable Diffusion's U-Net, 860 M parameters, at 64 x 64 x 4 with 77 tokens. audioldm: that of
AudioLDM-S, 185 M, at 8 x 256 x 16 with a vector. Weights are random. The peers take turns, each in a process
of its own: ours with the file in 32 bits and in 16, the others in 32. Printed are the best and the median of
a pass, the processor time of a pass (on a machine with other work, compare that), the largest memory of the
process, and how many times ours, in 32 bits, fits into each. With --bf16 ours, from the file in 16 bits, and
PyTorch compute in bfloat16, and nothing else is measured. --folder keeps the networks for the next time.
Needs torch, diffusers, onnx and onnxruntime; riffusion needs 14 GB of memory and 16 GB of disk.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import peers

KINDS = {
    "riffusion": {
        "config": {"sample_size": 64, "cross_attention_dim": 768},
        "shape": (1, 4, 64, 64),
        "text": (1, 77, 768),
    },
    "audioldm": {
        "config": {
            "sample_size": 128,
            "in_channels": 8,
            "out_channels": 8,
            "block_out_channels": (128, 256, 384, 640),
            "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 3,
            "up_block_types": ("CrossAttnUpBlock2D",) * 3 + ("UpBlock2D",),
            "cross_attention_dim": (128, 256, 384, 640),
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": 512,
            "class_embeddings_concat": True,
        },
        "shape": (1, 8, 256, 16),
        "vector": (1, 512),
    },
}
TIMESTEP = 500
PEERS = ("ours", "ours, 16 bits", "onnxruntime", "pytorch")
BF16_PEERS = ("ours, bf16", "ours", "pytorch, bf16")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ebb")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder")
    parser.add_argument("--bf16", action="store_true")
    hidden = ("prepare", *PEERS[2:], BF16_PEERS[2])
    parser.add_argument("--peer", choices=hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


def inputs(kind, folder):
    """The input arrays that this network has, by name."""
    import numpy

    names = ["x", *(name for name in ("text", "vector") if name in KINDS[kind])]
    return {name: numpy.load(folder / f"{name}.npy") for name in names}


def call(net, values):
    return net(
        values["x"],
        TIMESTEP,
        values.get("text"),
        class_labels=values.get("vector"),
        return_dict=False,
    )[0]


def export(net, kind, folder):
    import torch

    values = {name: torch.from_numpy(value) for name, value in inputs(kind, folder).items()}

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, *tensors):
            return call(self.net, dict(zip(values, tensors)))

    (folder / "onnx").mkdir()
    torch.onnx.export(
        Plain().eval(),
        tuple(values.values()),
        str(folder / "onnx" / "net.onnx"),
        input_names=list(values),
        opset_version=17,
        dynamo=False,
    )


def prepare(args, folder):
    import numpy
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(1)
    kind = KINDS[args.kind]
    net = UNet2DConditionModel(**kind["config"]).eval()
    print(sum(p.numel() for p in net.parameters()), "parameters", file=sys.stderr)
    for name, shape in (("x", kind["shape"]), ("text", kind.get("text")), ("vector", kind.get("vector"))):
        if shape:
            numpy.save(folder / f"{name}.npy", torch.randn(shape).numpy())
    net.half().save_pretrained(folder / "half")
    net.float().save_pretrained(folder / "net")
    if not args.bf16:
        export(net, args.kind, folder)


def run_pytorch(args, folder):
    import torch
    from diffusers import UNet2DConditionModel

    number = torch.bfloat16 if args.bf16 else torch.float32
    torch.set_num_threads(args.threads)
    net = UNet2DConditionModel.from_pretrained(folder / "net", torch_dtype=number).eval()
    net = net.to(memory_format=torch.channels_last) if args.bf16 else net
    values = {name: torch.from_numpy(value).to(number) for name, value in inputs(args.kind, folder).items()}

    def run():
        with torch.inference_mode():
            return call(net, values).float().numpy()

    return run


def run_onnxruntime(args, folder):
    session = peers.onnxruntime_session(folder / "onnx" / "net.onnx", args.threads)
    values = inputs(args.kind, folder)
    return lambda: session.run(None, values)[0]


def measure_peer(args, folder):
    run = (run_pytorch if args.peer.startswith("pytorch") else run_onnxruntime)(args, folder)
    peers.measure_call(run, folder / f"{args.peer}.npy")


def measure_ours(args, folder, net, bf16):
    command = [args.ebb, "eval", str(folder / net), "--input", str(folder / "x.npy")]
    command += ["--timestep", str(TIMESTEP), "--device", "cpu", "--threads", str(args.threads)]
    command += ["--output", str(folder / f"ours-{net}.npy")] + (["--bf16"] if bf16 else [])
    for name in ("text", "vector"):
        if name in KINDS[args.kind]:
            command += [f"--{name}", str(folder / f"{name}.npy")]
    return peers.measure_command(command)


def in_a_process(args, peer, folder):
    command = [sys.executable, __file__, args.ebb, args.kind, "--peer", peer]
    command += ["--threads", str(args.threads), "--folder", str(folder)] + ["--bf16"] * args.bf16
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout


def measure(args, peer, folder):
    if peer.startswith("ours"):
        half = args.bf16 or peer == "ours, 16 bits"
        return measure_ours(args, folder, "half" if half else "net", peer == "ours, bf16")
    return json.loads(in_a_process(args, peer, folder))


def compare(args, folder):
    if not (folder / ("net" if args.bf16 else "onnx")).exists():
        in_a_process(args, "prepare", folder)
    names = BF16_PEERS if args.bf16 else PEERS
    rows = peers.measure_in_turn(names, lambda peer: measure(args, peer, folder), args.rounds)
    files = ("ours-half.npy", "pytorch, bf16.npy") if args.bf16 else ("ours-net.npy", "pytorch.npy")
    difference = peers.largest_difference(*(folder / name for name in files))
    print(f"largest difference from PyTorch: {difference:.1e} of the largest value")
    peers.report(rows)


def main():
    args = arguments()
    if args.peer == "prepare":
        prepare(args, pathlib.Path(args.folder))
    elif args.peer:
        measure_peer(args, pathlib.Path(args.folder))
    elif args.folder:
        os.makedirs(args.folder, exist_ok=True)
        compare(args, pathlib.Path(args.folder))
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(args, pathlib.Path(folder))


if __name__ == "__main__":
    main()
