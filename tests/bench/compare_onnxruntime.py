#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times one U-Net pass here, in PyTorch and in onnxruntime, on the same folder in the same run.

    compare_onnxruntime.py BENCH_NET UNET_FOLDER [--height 16 --width 32 --threads 2 --rounds 10 --passes 30]

The three take turns, so that a busy machine treats them alike; printed are each one's best and median in
milliseconds, the processor time of a pass (on a machine with other work, compare that, with --threads 1), and
how many times ours fits into onnxruntime's. Needs torch, diffusers, onnx and onnxruntime.
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench_net")
    parser.add_argument("folder")
    parser.add_argument("--height", type=int, default=16)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--bf16", action="store_true", help="ours and PyTorch in bfloat16 as well")
    parser.add_argument("--bf16-alone", action="store_true", help="the same, and ours in float32 beside it")
    return parser.parse_args()


def timed(function, passes):
    """Milliseconds of each pass, and the processor's of one on average."""
    times = []
    function()
    cpu = time.process_time()
    for _ in range(passes):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return times, (time.process_time() - cpu) * 1e3 / passes


class Ours:
    def __init__(self, args, bf16=False):
        self.rest = ["1", "0", "bf16"] if bf16 else []
        self.command = [
            args.bench_net,
            args.folder,
            str(args.height),
            str(args.width),
            "cpu",
            str(args.threads),
        ]

    def __call__(self, passes):
        command = self.command + [str(passes)] + self.rest
        out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return [out["ms_min"], out["ms_median"]], out["ms_cpu"]


class Torch:
    def __init__(self, args, torch, model):
        x = torch.randn(1, model.config.in_channels, args.height, args.width, dtype=model.dtype).to(
            memory_format=torch.channels_last
        )
        label = torch.zeros(1, dtype=torch.long) if model.config.num_class_embeds else None
        model = model.to(memory_format=torch.channels_last)

        def run():
            with torch.inference_mode():
                model(x, 500, class_labels=label)

        self.run = run

    def __call__(self, passes):
        return timed(self.run, passes)


class Onnx:
    def __init__(self, args, torch, model, path):
        import onnxruntime

        x, t = torch.randn(1, model.config.in_channels, args.height, args.width), torch.tensor([500.0])
        inputs = {"x": x, "t": t}
        if model.config.num_class_embeds:
            inputs["label"] = torch.zeros(1, dtype=torch.long)

        class Plain(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = model

            def forward(self, x, t, label=None):
                return self.net(x, t, class_labels=label, return_dict=False)[0]

        torch.onnx.export(
            Plain().eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            opset_version=17,
            dynamo=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {name: value.numpy() for name, value in inputs.items()}
        self.run = lambda: session.run(None, feed)

    def __call__(self, passes):
        return timed(self.run, passes)


def main():
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch
    from diffusers import UNet2DModel

    torch.set_num_threads(args.threads)
    model = UNet2DModel.from_pretrained(args.folder).float().eval()
    with tempfile.TemporaryDirectory() as folder:
        peers = {"ours": Ours(args)}
        if not args.bf16_alone:
            peers["onnxruntime"] = Onnx(args, torch, model, os.path.join(folder, "net.onnx"))
            peers["pytorch"] = Torch(args, torch, model)
        if args.bf16 or args.bf16_alone:
            peers["ours, bf16"] = Ours(args, True)
            peers["torch, bf16"] = Torch(args, torch, copy.deepcopy(model).to(torch.bfloat16))
        times, cpu = {name: [] for name in peers}, {name: [] for name in peers}
        for _ in range(args.rounds):
            for name, peer in peers.items():
                wall, processor = peer(args.passes)
                times[name] += wall
                cpu[name].append(processor)
                time.sleep(0.05)  # the last one's threads stop spinning
    columns = {
        "min": (times, min),
        "median": (times, statistics.median),
        "processor": (cpu, statistics.median),
    }
    for name in peers:
        print(
            f"{name:12s}"
            + "".join(f"  {what} {f(data[name]):8.2f} ms" for what, (data, f) in columns.items())
        )
    pairs = (("onnxruntime", "ours"), ("ours", "ours, bf16"), ("torch, bf16", "ours, bf16"))
    for slow, fast in pairs:
        if slow in peers and fast in peers:
            ratios = {what: f(data[slow]) / f(data[fast]) for what, (data, f) in columns.items()}
            print(f"{slow} / {fast}" + "".join(f"  {what} {ratio:.2f}" for what, ratio in ratios.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
