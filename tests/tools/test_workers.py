#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several runs of `ebb render` in one folder: parts, claims, and runs that are killed at random.

test_workers.py EBB TESTS_FOLDER KILLS
"""

import collections
import filecmp
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOUNDS = 20
BEAT = 5  # seconds after which a run touches its claim: tools/claim.c
OTHER_SYSTEM = "ebb claim 1\nanother-boot/4026531836 1 1 123abc elsewhere\n"


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, condition, what, detail=""):
        self.count += 1
        self.failed += not condition
        print(("ok" if condition else "not ok") + f" {self.count} - {what}", flush=True)
        if not condition and detail:
            print("# " + str(detail).replace("\n", "\n# "), flush=True)


class Runs:
    def __init__(self, ebb, tests, folder):
        self.ebb, self.folder = ebb, folder
        self.environment = {**os.environ, "EBB_MODEL_PATH": os.path.join(tests, "models")}
        self.list = os.path.join(folder, "list.csv")
        with open(self.list, "w", encoding="utf-8") as file:
            file.write("label,seconds,folder\n")
            for i in range(SOUNDS):
                file.write(f"{('rain', 'kick', 'bell', 'wind')[i % 4]},{0.3 + 0.1 * (i % 5):.1f},{{label}}\n")

    def command(self, out, *options):
        return [self.ebb, "render", "--model", "tiny-sfx", "--device", "cpu", "--threads", "1"] + [
            "--phase-iterations",
            "1",
            "--list",
            self.list,
            "-o",
            os.path.join(self.folder, out),
            *options,
        ]

    def run(self, out, *options):
        return subprocess.run(
            self.command(out, *options), env=self.environment, capture_output=True, text=True, check=False
        )

    def start(self, out, *options, log=None, listed=True):
        file = open(log, "a", encoding="utf-8") if log else subprocess.DEVNULL
        command = [
            part for part in self.command(out, *options) if listed or part not in ("--list", self.list)
        ]
        process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=subprocess.STDOUT)
        if log:
            file.close()
        return process

    def text(self, log):
        with open(os.path.join(self.folder, log), encoding="utf-8") as file:
            return file.read()

    def waits(self, worker, log, words):
        """Whether the run says that it waits, and then goes on."""
        end = time.monotonic() + 120
        while words not in self.text(log) and worker.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        return words in self.text(log) and worker.poll() is None

    def files(self, out, hidden=False):
        found = []
        for folder, _, names in os.walk(os.path.join(self.folder, out)):
            found += [os.path.join(folder, name) for name in names if name.startswith(".") == hidden]
        return sorted(found)

    def wrong(self, out, reference):
        """Files that differ from the reference, half-written ones among them."""
        base, other = os.path.join(self.folder, out), os.path.join(self.folder, reference)
        return [
            path
            for path in self.files(out)
            if not filecmp.cmp(path, os.path.join(other, os.path.relpath(path, base)), shallow=False)
        ]


def made(log):
    """How often each file was made, by the lines of JSON; the last one may be cut off."""
    count = collections.Counter()
    with open(log, encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.get("status") == "made":
                count[row["file"]] += 1
    return count


def check_parts(tap, runs):
    for parts in (2, 7):
        out = f"parts{parts}"
        workers = [runs.start(out, "--shard", f"{i + 1}/{parts}") for i in range(parts)]
        codes = [worker.wait() for worker in workers]
        tap.ok(codes == [0] * parts, f"{parts} parts at once", codes)
        tap.ok(len(runs.files(out)) == SOUNDS and not runs.wrong(out, "alone"), "are the files of one run")
    tap.ok(runs.run("more", "--shard", "41/50").returncode == 0, "a part without sounds is fine")
    for text in ("3/2", "0/2", "1", "1/0", "-1/2", "1/2x", "+1/2", ""):
        run = runs.run("refused", "--shard", text)
        tap.ok(run.returncode == 2 and "--shard" in run.stderr, f'--shard "{text}" is refused', run.stderr)
    tap.ok(not os.path.exists(os.path.join(runs.folder, "refused")), "and makes nothing")


def check_together(tap, runs):
    log = os.path.join(runs.folder, "together.log")
    workers = [runs.start("together", "--json", log=log) for _ in range(3)]
    codes = [worker.wait() for worker in workers]
    count = made(log)
    tap.ok(codes == [0, 0, 0], "three runs of one list at once", codes)
    tap.ok(len(count) == SOUNDS and set(count.values()) == {1}, "make each file once", count)
    tap.ok(not runs.wrong("together", "alone"), "as one run does")
    tap.ok(not runs.files("together", hidden=True), "and leave nothing", runs.files("together", hidden=True))


def claim_of(path):
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.claim")


def age(path, seconds):
    """Last touched so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def check_claims(tap, runs):
    """Claims of a run on another machine, whose process cannot be looked for here."""
    runs.run("claims")
    path = runs.files("claims")[3]
    for text, what in ((OTHER_SYSTEM, "a claim from elsewhere"), ("garbage", "a claim nobody understands")):
        os.remove(path)
        with open(claim_of(path), "w", encoding="utf-8") as file:
            file.write(text)
        worker = runs.start("claims", log=os.path.join(runs.folder, "claims.log"))
        tap.ok(runs.waits(worker, "claims.log", "1 sound was begun by other runs"), what + " is respected")
        worker.send_signal(signal.SIGINT)
        tap.ok(
            worker.wait() == 130 and not os.path.exists(path), "by a run that waits and can be interrupted"
        )
        tap.ok("1 left to other runs" in runs.text("claims.log"), "and says so", runs.text("claims.log"))
        os.remove(os.path.join(runs.folder, "claims.log"))
        # The claim ages while the run waits: how long a busy machine takes to start the run is no matter.
        age(claim_of(path), 3000)
        worker = runs.start("claims", "--stale", "3600", log=os.path.join(runs.folder, "claims.log"))
        respected = runs.waits(worker, "claims.log", "waiting")
        age(claim_of(path), 3700)
        code, said = worker.wait(), runs.text("claims.log")
        tap.ok(code == 0 and "1 of 20 sounds made" in said, "until it is stale", said)
        tap.ok(respected, "and not before", said)
        os.remove(os.path.join(runs.folder, "claims.log"))
        tap.ok(not runs.files("claims", hidden=True), "and nothing is left of it")
    with open(claim_of(path), "w", encoding="utf-8") as file:
        file.write(OTHER_SYSTEM)
    age(claim_of(path), 3700)
    run = runs.run("claims", "--check")
    tap.ok(run.returncode == 0 and "1 claim" in run.stdout, "--check tells of claims", run.stdout)
    runs.run("claims", "--stale", "30")
    tap.ok(not os.path.exists(claim_of(path)), "a stale claim on a file that is there goes away")
    for stale in ("9", "0", "nan"):
        tap.ok(runs.run("claims", "--stale", stale).returncode == 2, f"--stale {stale} is refused")


def check_beat(tap, runs):
    """A long run keeps its claim young. A run that lost its claim leaves the file alone.

    The run stands still while the time passes after which it touches its claim, and while it loses its claim.
    So the sound need not take longer than that, on whatever machine.
    """
    options = ["--label", "rain", "--name", "long", "--seconds", "100", "--steps", "30"]
    log = os.path.join(runs.folder, "beat.log")
    worker = runs.start("beat", *options, log=log, listed=False)
    path = os.path.join(runs.folder, "beat", "long.wav")
    while not os.path.exists(claim_of(path)):
        time.sleep(0.02)
    worker.send_signal(signal.SIGSTOP)
    born = os.stat(claim_of(path)).st_mtime
    time.sleep(BEAT + 0.5)
    worker.send_signal(signal.SIGCONT)
    while os.path.exists(claim_of(path)) and os.stat(claim_of(path)).st_mtime == born:
        time.sleep(0.02)
    worker.send_signal(signal.SIGSTOP)
    touched = os.path.exists(claim_of(path))
    tap.ok(touched, "a claim is touched while its sound is made", runs.text("beat.log"))
    with open(claim_of(path) + "2", "w", encoding="utf-8") as file:
        file.write(OTHER_SYSTEM)
    os.replace(claim_of(path) + "2", claim_of(path))
    worker.send_signal(signal.SIGCONT)
    lost = runs.waits(worker, "beat.log", "1 sound was begun by other runs")
    tap.ok(lost, "a run that lost its claim leaves the sound to the other one", runs.text("beat.log"))
    tap.ok(not os.path.exists(path), "and writes nothing")
    worker.send_signal(signal.SIGINT)
    worker.wait()
    tap.ok(os.path.exists(claim_of(path)), "nor touches the claim of the other one")


def check_states(tap, runs):
    runs.run("states")
    files = runs.files("states")
    shutil.copy(files[5], files[5].replace(".wav", "-copy.wav"))
    os.remove(files[1])
    with open(files[2], "r+b") as file:
        file.truncate(9000)
    shutil.copy(files[3], files[4])
    run = runs.run("states", "--check")
    lines = run.stdout.split("\n")
    tap.ok(run.returncode == 1, "--check fails where something is wrong")
    tap.ok(f"missing: {files[1]}" in lines, "what is missing", run.stdout)
    tap.ok(
        any(line.startswith(f"damaged: {files[2]}: cut off") for line in lines), "what is damaged", run.stdout
    )
    tap.ok(f"differs: {files[4]}: its recipe is another one" in lines, "what differs", run.stdout)
    twin = f"doubled: {files[5].replace('.wav', '-copy.wav')}: the sound of {files[5]}"
    tap.ok(twin in lines, "what is there twice", run.stdout)
    tap.ok("17 of 20 sounds there, 1 missing, 1 damaged, 1 differ, 1 doubled" in run.stdout, "a sum")
    rows = [json.loads(line) for line in runs.run("states", "--check", "--json").stdout.splitlines()]
    tap.ok(
        sorted(row["status"] for row in rows) == ["damaged", "differs", "doubled", "missing"], "as JSON", rows
    )
    runs.run("states")
    run = runs.run("states", "--check", "--quiet")
    tap.ok(run.returncode == 1 and "missing" not in run.stdout, "a run makes what is missing", run.stdout)
    tap.ok(runs.run("alone", "--check").returncode == 0, "and --check is content where all is well")


def is_sanitized(ebb):
    """Whether ebb has a sanitizer, which takes more address space and more memory a row."""
    bound = 300 << 20
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    return (
        subprocess.run([ebb, "version"], preexec_fn=limit, capture_output=True, check=False).returncode != 0
    )


def check_memory(tap, runs):
    """Of a list of 100 000 rows, a run holds the text and some bytes a row."""
    if is_sanitized(runs.ebb):
        for what in ("--shard", "--check"):
            tap.ok(True, f"{what} of 100 000 rows # SKIP under a sanitizer")
        return
    used = []
    short = runs.list
    for rows in (1000, 100000):
        runs.list = os.path.join(runs.folder, f"{rows}.csv")
        with open(runs.list, "w", encoding="utf-8") as file:
            file.write("label,seed\n" + "".join(f"rain,{seed}\n" for seed in range(rows)))
        size = os.path.getsize(runs.list)
        for options in (["--shard", f"{rows}/{rows}", "--quiet"], ["--check", "--quiet"]):
            with open(os.devnull, "w", encoding="utf-8") as nothing:
                command = runs.command("memory", *options)
                process = subprocess.Popen(command, env=runs.environment, stdout=nothing)
                used.append((os.wait4(process.pid, 0)[2].ru_maxrss * 1024, size))
    runs.list = short
    for i, what in ((0, "--shard"), (1, "--check")):
        more, text = used[i + 2][0] - used[i][0], used[i + 2][1]
        tap.ok(
            more < 2 * text + 64 * 100000, f"{what} of 100 000 rows takes {more >> 10} KiB more than of 1000"
        )


def check_kills(tap, runs, kills):
    """Two runs. One or both are killed, again and again, and others take their place."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    log, out = os.path.join(runs.folder, "kills.log"), "kills"
    workers, killed, wrong, begun = [], 0, [], 0
    while killed < kills:
        workers = [worker for worker in workers if worker.poll() is None]
        while len(workers) < 2:
            workers.append(runs.start(out, "--json", log=log))
            begun += 1
        time.sleep(dice.uniform(0.02, 0.4))
        for worker in dice.sample(workers, dice.choice((1, 1, 2))):
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            worker.wait()
        wrong += runs.wrong(out, "alone")
        if len(runs.files(out)) == SOUNDS and killed < kills:  # begin again, to be killed at other places
            count = made(log)
            wrong += [path for path in count if count[path] > 1]
            for worker in workers:
                worker.kill()
                worker.wait()
            shutil.rmtree(os.path.join(runs.folder, out))
            os.remove(log)
    for worker in workers:
        worker.wait()
    last = runs.run(out)
    tap.ok(
        last.returncode == 0, f"after {killed} killed of {begun} runs one goes on (dice {seed})", last.stderr
    )
    tap.ok(not wrong, "no file was ever half there, or another one, or made twice", wrong)
    count = made(log)
    tap.ok(all(times == 1 for times in count.values()), "no run made what another one had made", count)
    check = runs.run(out, "--check")
    tap.ok(check.returncode == 0, "nothing is lost, nothing there twice", check.stdout)
    tap.ok(len(runs.files(out)) == SOUNDS and not runs.wrong(out, "alone"), "the files are those of one run")
    tap.ok(not runs.files(out, hidden=True), "and nothing else is left", runs.files(out, hidden=True))


def main():
    kills = int(sys.argv[3])
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), folder)
        run = runs.run("alone")
        tap.ok(run.returncode == 0 and len(runs.files("alone")) == SOUNDS, "one run alone", run.stderr)
        if kills < 20:
            check_parts(tap, runs)
            check_together(tap, runs)
            check_claims(tap, runs)
            check_beat(tap, runs)
            check_states(tap, runs)
            check_memory(tap, runs)
        check_kills(tap, runs, kills)
    print(f"1..{tap.count}")
    return tap.failed > 0


sys.exit(main())
