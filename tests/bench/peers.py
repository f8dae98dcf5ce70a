# SPDX-License-Identifier: LGPL-2.1-or-later
"""Helpers of the benches that time a network of Ebb beside PyTorch and onnxruntime. Each peer is measured in
a process of its own, since memory is counted by process.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time


def onnxruntime_session(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def measure_call(run, output):
    """Prints, as JSON, the time and memory of the second call of `run` in this process. The first call's
    result goes to `output`.
    """
    import numpy

    numpy.save(output, run())
    cpu, start = time.process_time(), time.perf_counter()
    run()
    ms = (time.perf_counter() - start) * 1e3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": ms, "cpu": (time.process_time() - cpu) * 1e3, "memory": memory}))


def measure_command(command):
    """Runs `ebb eval`, which measures three passes, and looks at the memory of its process."""
    child = subprocess.Popen([*command, "--repeat", "3"], stdout=subprocess.PIPE)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("ebb failed")
    out = json.loads(text)
    return {"ms": out["ms_median"], "cpu": out["ms_processor"], "memory": usage.ru_maxrss / 1024}


def largest_difference(ours, theirs):
    """The largest difference of two .npy files, as a share of the largest value of `theirs`."""
    import numpy

    ours, theirs = numpy.load(ours), numpy.load(theirs)
    return abs(ours - theirs).max() / abs(theirs).max()


def measure_in_turn(peers, measure, rounds):
    """{peer: a measurement for each round}; the peers take turns, so that all meet the same machine."""
    rows = {peer: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            rows[peer].append(measure(peer))
    return rows


def report(rows):
    """Prints each peer's numbers, then their ratios to those of the first peer, Ebb."""
    median = {}
    for peer, row in rows.items():
        median[peer] = {key: statistics.median(r[key] for r in row) for key in row[0]}
        best = min(r["ms"] for r in row)
        m = median[peer]
        print(
            f"{peer:14s} best {best:8.0f} ms  median {m['ms']:8.0f} ms  processor {m['cpu']:8.0f} ms  "
            f"memory {m['memory']:6.0f} MiB"
        )
    first, *others = median
    for peer in others:
        ratios = (f"{key} {median[peer][key] / median[first][key]:.2f}" for key in median[peer])
        print(f"{peer} / {first}  " + "  ".join(ratios))
