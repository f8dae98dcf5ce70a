#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times one evaluation of a U-Net in PyTorch: eager in 16 bits, and as a CUDA graph. Our peer on a GPU.

    peer_torch.py UNET_FOLDER --height H --width W [--batch N] [--passes P] [--device cuda]

Without CUDA (--device cpu) it runs eagerly in 32 bits: that only shows that the script works. One JSON line
per way. Needs torch and diffusers.
"""

import argparse
import json
import statistics
import time

import torch
from diffusers import UNet2DModel


def timed(run, passes, wait):
    times = []
    for _ in range(passes):
        start = time.perf_counter()
        run()
        wait()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def inputs(net, args, dtype):
    x = torch.randn(
        args.batch, net.config.in_channels, args.height, args.width, dtype=dtype, device=args.device
    )
    labels = (
        torch.zeros(args.batch, dtype=torch.long, device=args.device) if net.config.num_class_embeds else None
    )
    time_ = torch.full((args.batch,), 500, device=args.device)
    return x.to(memory_format=torch.channels_last), time_, labels


def graph_of(evaluate):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            evaluate()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        evaluate()
    return graph.replay


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--passes", type=int, default=50)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    cuda = args.device.startswith("cuda")
    dtype = torch.float16 if cuda else torch.float32
    net = (
        UNet2DModel.from_pretrained(args.folder)
        .to(args.device, dtype)
        .to(memory_format=torch.channels_last)
        .eval()
    )
    x, time_, labels = inputs(net, args, dtype)
    wait = torch.cuda.synchronize if cuda else (lambda: None)
    with torch.inference_mode():

        def evaluate():
            return net(x, time_, class_labels=labels).sample

        evaluate()
        name = torch.cuda.get_device_name() if cuda else "cpu"
        print(
            json.dumps(
                {
                    "peer": "torch eager",
                    "version": torch.__version__,
                    "device": name,
                    "dtype": str(dtype),
                    "ms": timed(evaluate, args.passes, wait),
                }
            )
        )
        if cuda:
            print(
                json.dumps(
                    {
                        "peer": "torch CUDA graph",
                        "version": torch.__version__,
                        "device": name,
                        "dtype": str(dtype),
                        "ms": timed(graph_of(evaluate), args.passes, wait),
                    }
                )
            )


if __name__ == "__main__":
    main()
