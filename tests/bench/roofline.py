#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a network's time goes, and what share of one core's peak each kernel reaches.

    roofline.py BUILD/tests/bench UNET_FOLDER HEIGHT WIDTH [bf16]

The folder has bench-peak, bench-net and libcpu-clock.so, built by `ninja`. Operations are profiled by
processor time, one thread. For each kind: its share of the time, the multiplications that it makes (Winograd
needs 4 or 2.25 times fewer than the plain sum, which AMX takes), their share of the peak, and what bounds it:
the larger of the times that these multiplications and the bytes that must be moved would take.
"""

import json
import math
import os
import re
import subprocess
import sys

CONV = re.compile(r"conv (\d+)x(\d+) (\d+) -> (\d+), (\d+) x (\d+)(?:, stride (\d+))?(?:, batch (\d+))?")
SHAPE = re.compile(r"(?:norm|attention) (\d+), (\d+) x (\d+)(?:, batch (\d+))?")


def tiles(h, w, size):
    return math.ceil(h / size) * math.ceil(w / size)


def winograd(h, w, cin, cout, stride):
    """The tile's size by the rule of lib/backend/cpu/winograd.c; 0: direct."""
    if stride != 1 or cin < 16 or cout < 16:
        return 0
    costs = {0: 9 * h * w, **{size: (size + 2) ** 2 * (tiles(h, w, size) + 4) for size in (2, 4)}}
    return min(costs, key=costs.get)


def of_conv(match, tiles_of_amx):
    """Kind, multiplications and additions, and bytes: source, result and weights once."""
    kh, kw, cin, cout, h, w, stride, batch = (int(x) if x else 1 for x in match.groups())
    direct = kh != 3 or (tiles_of_amx and cin >= 16)
    size = 0 if direct else winograd(h, w, cin, cout, stride)
    work = 2 * kh * kw * cin * cout * h * w * batch
    if size:
        work = 2 * (size + 2) ** 2 * cin * cout * tiles(h, w, size) * batch
    plain = f"conv {kh}x{kw}" + (f", stride {stride}" if stride > 1 else "")
    kind = f"conv 3x3, F({size}, 3)" if size else plain
    moved = 4 * (h * w * batch * (cin * stride * stride + cout) + kh * kw * cin * cout)
    return kind, work, moved


def of_row(op, tiles_of_amx):
    match = CONV.match(op)
    if match:
        return of_conv(match, tiles_of_amx)
    match = SHAPE.match(op)
    c, h, w, batch = (int(x) if x else 1 for x in match.groups()) if match else (0, 0, 0, 0)
    pixels = h * w * batch
    if op.startswith("attention"):
        return "attention", 4 * h * w * pixels * c, 16 * pixels * c
    return op.split(" ")[0], 0, 4 * pixels * c


def main():
    tools = sys.argv[1]
    peak = json.loads(subprocess.run([f"{tools}/bench-peak"], check=True, capture_output=True).stdout)
    bf16 = sys.argv[5:] == ["bf16"]
    precision = "bf16" if bf16 else "fp32"
    command = [f"{tools}/bench-net"] + sys.argv[2:5] + ["cpu", "1", "3", "1", "0", precision, "profile"]
    clock = {**os.environ, "LD_PRELOAD": f"{tools}/libcpu-clock.so"}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=clock)
    lines = run.stdout.splitlines()
    amx = bf16 and "AMX" in json.loads(lines[0])["device"]
    gflops, gbs = peak["amx_gflops" if amx else precision + "_gflops"], peak["memory_gbs"]
    kinds = {}
    for row in json.loads(lines[-1])["profile"]:
        kind, work, moved = of_row(row["op"], amx)
        sums = kinds.setdefault(kind, [0, 0, 0])
        for i, value in enumerate((row["ms"], work * row["times"] * 1e-9, moved * row["times"] * 1e-9)):
            sums[i] += value
    total = sum(ms for ms, _, _ in kinds.values())
    print(f"peak of a core: {gflops:.0f} GFLOP/s, {gbs:.0f} GB/s; a pass: {total:.1f} ms")
    print("| kernel | time | share | GFLOP | of the peak | bound |\n|---|---|---|---|---|---|")
    for kind, (ms, work, moved) in sorted(kinds.items(), key=lambda item: -item[1][0]):
        compute, memory = work / gflops * 1e3, moved / gbs * 1e3
        bound = "multiplications" if compute >= memory else "memory"
        print(
            f"| {kind} | {ms:.2f} ms | {100 * ms / total:.0f} % | {work:.2f} | {100 * compute / ms:.0f} % |"
            f" {bound}, {max(compute, memory):.2f} ms |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
