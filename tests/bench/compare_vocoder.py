#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times a vocoder here, in PyTorch and in onnxruntime, and says how much memory each takes.

    compare_vocoder.py EBB [FOLDER] [--seconds 10 --threads 2 --rounds 5]

Without FOLDER: AudioLDM's HiFi-GAN at its full size, with random weights. The three take turns, each in a
process of its own. Printed are the best and the median of a pass, the processor time of a pass (on a machine
with other work, compare that, with --threads 1), the largest memory of the process, and how many times ours
fits into each. Needs torch, transformers, onnx and onnxruntime.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import peers

AUDIOLDM = {
    "model_in_dim": 64,
    "upsample_initial_channel": 1024,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "normalize_before": False,
}
PEERS = ("ours", "onnxruntime", "pytorch")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ebb")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", choices=PEERS[1:] + ("prepare",), help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(args, folder):
    """The network, the mel, and the network for onnxruntime."""
    import numpy
    import torch
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    torch.manual_seed(1)
    if not args.folder:
        net = SpeechT5HifiGan(SpeechT5HifiGanConfig(**AUDIOLDM))
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(torch.randn_like(p) / max(p[0].numel(), 1) ** 0.5)
        net.save_pretrained(folder / "net")
    net = SpeechT5HifiGan.from_pretrained(args.folder or folder / "net").eval()
    mel = torch.randn(1, round(args.seconds * 100), net.config.model_in_dim)
    numpy.save(folder / "mel.npy", mel.numpy())
    path = str(folder / "net.onnx")
    torch.onnx.export(net, (mel,), path, input_names=["mel"], opset_version=17, dynamo=False)


def run_pytorch(args, folder):
    import numpy
    import torch
    from transformers import SpeechT5HifiGan

    torch.set_num_threads(args.threads)
    net = SpeechT5HifiGan.from_pretrained(args.folder or folder / "net").eval()
    mel = torch.from_numpy(numpy.load(folder / "mel.npy"))

    def run():
        with torch.inference_mode():
            return net(mel).numpy()

    return run


def run_onnxruntime(args, folder):
    import numpy

    session = peers.onnxruntime_session(folder / "net.onnx", args.threads)
    mel = numpy.load(folder / "mel.npy")
    return lambda: session.run(None, {"mel": mel})[0]


def measure_peer(args, folder):
    run = (run_pytorch if args.peer == "pytorch" else run_onnxruntime)(args, folder)
    peers.measure_call(run, folder / f"{args.peer}.npy")


def measure_ours(args, folder):
    command = [args.ebb, "eval", args.folder or str(folder / "net"), "--input", str(folder / "mel.npy")]
    command += ["--output", str(folder / "ours.npy"), "--device", "cpu", "--threads", str(args.threads)]
    return peers.measure_command(command)


def in_process(args, peer, folder):
    """Runs this script for one peer in a process of its own, and returns what it prints. A process's memory
    counts that of the process that started it, so this one stays small.
    """
    command = [sys.executable, __file__, args.ebb, *([args.folder] if args.folder else []), "--peer", peer]
    command += ["--threads", str(args.threads), "--seconds", str(args.seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads), "COMPARE_FOLDER": str(folder)}
    return subprocess.run(command, check=True, capture_output=True, env=environment).stdout


def measure(args, peer, folder):
    return measure_ours(args, folder) if peer == "ours" else json.loads(in_process(args, peer, folder))


def compare(args, folder):
    in_process(args, "prepare", folder)
    rows = peers.measure_in_turn(PEERS, lambda peer: measure(args, peer, folder), args.rounds)
    difference = peers.largest_difference(folder / "ours.npy", folder / "pytorch.npy")
    print(f"largest difference from PyTorch: {difference:.1e} of the largest value")
    peers.report(rows)


def main():
    args = arguments()
    if args.peer:
        work = prepare if args.peer == "prepare" else measure_peer
        work(args, pathlib.Path(os.environ["COMPARE_FOLDER"]))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(args, pathlib.Path(folder))


if __name__ == "__main__":
    main()
