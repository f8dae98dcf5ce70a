#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes one call after another of Ebb's own code fail, in every command and element: how does that end?

faults.py BUILD_FOLDER [--runs N] [--only NAME,...] [--kinds KIND,...] [--stride N] [--every-call]

Calls that have the same stack are one place of the program, which many of them reach: the first and the last
of them fail, and those of a stack that an earlier command had as well do not again. With --every-call each
call does.

A run may succeed with the same output as without the fault. Otherwise it says why in a line, has the exit
status that ebb(1) has for it, and leaves no file. It never crashes, hangs, or keeps what it allocated.
fault.c says which calls are meant.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 60  # a run that lasts longer hangs
FAILED, NOT_FOUND, UNREADABLE, UNWRITABLE, NO_DEVICE = 1, 3, 4, 5, 6

# Kind of call: its errors, and the exit statuses that it may end with. "+": this call and all after it fail.
FAULTS = {
    "alloc": (("ENOMEM", "+ENOMEM"), {FAILED}),
    "thread": (("EAGAIN", "+EAGAIN"), {FAILED}),
    "open": (("EIO", "ENOSPC"), {UNREADABLE, UNWRITABLE}),
    "read": (("EIO", "EINTR", "SHORT", "+SHORT"), {UNREADABLE}),
    "write": (("EIO", "ENOSPC", "+ENOSPC", "EINTR", "SHORT", "+SHORT"), {UNWRITABLE}),
    "sync": (("EIO", "ENOSPC"), {UNWRITABLE}),
    "close": (("EIO", "EINTR"), {UNREADABLE, UNWRITABLE}),
    "rename": (("EIO", "ENOSPC"), {UNWRITABLE}),
    "link": (("EIO", "ENOSPC"), {UNWRITABLE}),
    "mkdir": (("EIO", "ENOSPC"), {UNWRITABLE}),
    "submit": (("LOST", "+LOST"), {NO_DEVICE}),
    "stat": (("+EIO",), {NOT_FOUND, UNREADABLE, UNWRITABLE}),
}
HARMLESS = ("EINTR", "SHORT", "+SHORT")  # nothing is wrong: the call is to be made again

MODELS = TESTS / "models"
GOLDEN = TESTS / "golden"
CPU = ("--device", "cpu", "--threads", "1")
FAST = ("--steps", "1", "--phase-iterations", "1", "-q", *CPU)
SFX = ("render", "-m", "tiny-sfx", *FAST)

# Name: the words of the command. {w} is the run's own folder; what is written there is compared.
COMMANDS = {
    "info": ("info", "tiny-sfx"),
    "info --json": ("info", "--json", "tiny-denoise"),
    "info SOUND": ("info", "{w}/in.wav"),
    "labels": ("labels", "tiny-sfx"),
    "labels --json": ("labels", "tiny-led", "--json"),
    "samplers": ("samplers",),
    "schedules": ("schedules",),
    "settings": ("settings",),
    "render": (*SFX, "--label", "kick", "-o", "{w}/out.wav"),
    "render -": (*SFX, "--threads", "2", "--label", "kick", "-o", "-"),
    "render mixture": (*SFX, "--label", "rain:0.5,kick:0.5", "--seconds", "4", "-o", "{w}/out.wav"),
    "render level": (*SFX, "--label", "kick", "--trim", "--lufs", "-20", "-o", "{w}/out.wav"),
    "render loop": (*SFX, "--label", "rain", "--loop", "-o", "{w}/out.wav"),
    "render classifier": ("render", "-m", "tiny-led", *FAST, "--label", "rain", "--classifier-guidance", "2",
                          "-o", "{w}/out.wav"),
    "render direct": ("render", "-m", "tiny-direct", *FAST, "-o", "{w}/out.wav"),
    "render CSV": (*SFX, "--list", "{w}/list.csv", "-o", "{w}/out"),
    "render JSON Lines": (*SFX, "--list", "{w}/list.jsonl", "-o", "{w}/out"),
    "render --report": (*SFX, "--label", "kick", "-o", "{w}/out/", "--report", "{w}/page"),
    "render --like": (*SFX, "--like", "{w}/made.wav", "-o", "{w}/out.wav"),
    "render prompt": ("render", "-m", "tiny-riffusion", *FAST, "--prompt", "rain", "-o", "{w}/out.wav"),
    "render vocoder": ("render", "-m", "tiny-audioldm", *FAST, "--prompt", "rain", "-o", "{w}/out.wav"),
    "denoise": ("denoise", "{w}/in.wav", "{w}/out.wav", "-m", "tiny-denoise", "--steps", "1", "-q", *CPU),
    "denoise folder": ("denoise", "{w}/in.wav", "{w}/two.wav", "-o", "{w}/out", "-m", "tiny-denoise",
                       "--steps", "1", "-q", *CPU),
    "edit": ("edit", "{w}/in.wav", "-m", "tiny-sfx", "--from", "0.1", "--to", "0.2", *FAST, "-o",
             "{w}/out.wav"),
    "edit --vary": ("edit", "{w}/in.wav", "-m", "tiny-sfx", "--vary", "30", *FAST, "-o", "{w}/out.wav"),
    "plot spectrogram": ("plot", "{w}/in.wav", "-o", "{w}/out.png"),
    "plot process": ("plot", "process", "-m", "tiny-sfx", "--steps", "1", *CPU, "-o", "{w}/out.png"),
    "plot schedule": ("plot", "schedule", "-o", "{w}/out.png"),
    "plot visits": ("plot", "visits", "ddim", "-o", "{w}/out.png"),
    "plot convergence": ("plot", "convergence", "{w}/convergence.txt", "-o", "{w}/out.png"),
    "bench": ("bench", "tiny-sfx", "--steps", "1", "--repeat", "1", *CPU),
    "mel": ("mel", "{w}/in.wav", "-m", "tiny-sfx", "-o", "{w}/out.npy"),
    "eval": ("eval", f"{MODELS}/tiny-sfx/unet", "-i", f"{GOLDEN}/eval/unet-x.npy", "-t", "731", "-l", "1,2",
             *CPU, "-o", "{w}/out.npy"),
    "tokens": ("tokens", f"{GOLDEN}/tokenizers/clip", "rain on"),
    "tokens T5": ("tokens", f"{GOLDEN}/tokenizers/t5", "rain on"),
    "src": ("src",),
    "denoise element": ("denoise",),
    "fx": ("fx",),
    "render on Vulkan": (*SFX, "--device", "vulkan", "--label", "kick", "-o", "{w}/out.wav"),
    "denoise on Vulkan": ("denoise", "{w}/in.wav", "{w}/out.wav", "-m", "tiny-denoise", "--steps", "1", "-q",
                     "--device", "vulkan"),
    "src on Vulkan": ("src", "vulkan"),
    "denoise element on Vulkan": ("denoise", "vulkan"),
    "fx on Vulkan": ("fx", "vulkan"),
}  # fmt: skip
ELEMENTS = ("src", "denoise element", "fx", "src on Vulkan", "denoise element on Vulkan", "fx on Vulkan")
TIMED = ("bench",)  # what it prints is never the same twice


@dataclasses.dataclass
class End:
    """How a run ended."""

    code: int | None  # None: it hung
    output: str  # a checksum of standard output and of the files
    said: list[str]  # lines on standard error
    files: dict[str, str]  # that it wrote: checksums
    claims: list[str] = dataclasses.field(default_factory=list)  # that it left
    report: dict[str, int] = dataclasses.field(default_factory=dict)
    places: list[str] = dataclasses.field(default_factory=list)
    stacks: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # kind: stack: its calls


class Runs:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.inputs = folder / "inputs"
        self.inputs.mkdir()
        plugins = subprocess.run(
            ["pkg-config", "--variable=pluginsdir", "gstreamer-1.0"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        self.environment = {
            **os.environ,
            "EBB_MODEL_PATH": str(MODELS),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CACHE_DIR": str(folder / "cache"),
            "LC_ALL": "C.UTF-8",
            "MALLOC_PERTURB_": "165",  # what is read before it is written, or after it is freed, shows
            "EBB_GST_PLUGIN": str(build / "gst-plugin/libgstdiffuse.so"),
            "EBB_GST_CORE": f"{plugins}/libgstcoreelements.so",
            "GST_PLUGIN_SYSTEM_PATH_1_0": "",
            "GST_PLUGIN_PATH_1_0": "",
            "GST_REGISTRY": str(folder / "registry"),
            "GST_REGISTRY_UPDATE": "no",
            "GST_REGISTRY_FORK": "no",
            "OMP_NUM_THREADS": "2",
        }
        self.make_inputs()

    def make_inputs(self):
        ebb, inputs = self.build / "tools/ebb", self.inputs
        helper = self.build / "tests/tools/tools-helper"
        subprocess.run([helper, "wav", "clean16", inputs / "in.wav"], check=True)
        subprocess.run([helper, "wav", "noise", inputs / "two.wav"], check=True)
        subprocess.run(
            [ebb, *SFX, "--label", "bell", "-o", inputs / "made.wav"], check=True, env=self.environment
        )
        (inputs / "list.csv").write_text("label,seed,name\nkick,1,a\nbell,2,b\n", encoding="utf-8")
        (inputs / "list.jsonl").write_text('{"label": "kick", "seed": 1, "folder": "f"}\n', encoding="utf-8")
        (inputs / "convergence.txt").write_text(
            "ddim 0.1 10\nddim 0.01 20\nddim 0.001 40\n", encoding="utf-8"
        )

    def command(self, name, folder):
        words = [word.replace("{w}", str(folder)) for word in COMMANDS[name]]
        program = "tests/faults/element" if name in ELEMENTS else "tools/ebb"
        return [str(self.build / program), *words]

    def run(self, name, fault="", seconds=SECONDS, stacks=False):
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            work = pathlib.Path(place) / "w"
            shutil.copytree(self.inputs, work)
            report = pathlib.Path(place) / "report"
            environment = {
                **self.environment,
                "LD_PRELOAD": str(self.build / "tests/faults/libebb-fault.so"),
                "EBB_FAULT_REPORT": str(report),
                "EBB_FAULT": fault,
                **({"EBB_FAULT_STACKS": "1"} if stacks else {}),
            }
            try:
                done = subprocess.run(
                    self.command(name, work), env=environment, capture_output=True, cwd=work, timeout=seconds,
                    stdin=subprocess.DEVNULL, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return End(None, "", [], {})
            return self.end_of(name, done, work, report)

    def end_of(self, name, done, work, report):
        written = sorted(
            path
            for path in work.rglob("*")
            if path.is_file() and not (self.inputs / path.relative_to(work)).exists()
        )
        clean = lambda data: data.replace(str(work).encode(), b"{w}")
        claims = [str(path.relative_to(work)) for path in written if path.suffix == ".claim"]
        contents = {
            str(path.relative_to(work)): clean(path.read_bytes())
            for path in written
            if path.suffix != ".claim"
        }
        printed = b"" if name in TIMED else clean(done.stdout)
        output = hashlib.sha256(repr((printed, contents)).encode()).hexdigest()
        files = {path: what_makes_whole(path, data) for path, data in contents.items()}
        end = End(
            done.returncode, output, clean(done.stderr).decode(errors="replace").splitlines(), files, claims
        )
        if report.exists():
            read_report(report.read_text(encoding="utf-8", errors="replace"), end)
        return end


def what_makes_whole(path, data):
    """A checksum. A page may lack a sound that could not be read, and is whole when it has its end."""
    return hashlib.sha256(data[-20:] if path.endswith(".html") else data).hexdigest()


def read_report(text, end):
    for line in text.splitlines():
        words = line.split()
        if words[0] == "calls":
            end.report[words[1]] = int(words[2])
        elif words[0] in ("blocks", "descriptors"):
            end.report[words[0]] = int(words[1])
        elif words[0] == "stack":
            end.stacks.setdefault(words[1], {})[words[2]] = int(words[3])
        else:
            end.places.append(line)


def judge(name, kind, error, plain, end):
    """What is wrong with how a run with a fault ended; "" where nothing is."""
    if end.code is None:
        return "hangs"
    if end.code < 0 or end.code > 128:
        return f"dies of signal {-end.code}"
    if end.code == 0:
        if end.output != plain.output:
            return "says that all is well, with another output"
    elif error in HARMLESS:
        return f"fails ({end.code}) where nothing is wrong"
    else:
        wrong = judge_failure(name, kind, plain, end)
        if wrong:
            return wrong
    # A claim that cannot be read may be another run's: it stays, and a later run finds it stale.
    if end.claims and kind not in ("open", "read"):
        return f"leaves {end.claims[0]}"
    for what in ("blocks", "descriptors"):
        if end.report.get(what, 0) > plain.report.get(what, 0):
            return f"keeps {what}: {end.report[what]} in place of {plain.report[what]}"
    return ""


def judge_failure(name, kind, plain, end):
    if end.code not in (FAULTS[kind][1] if name not in ELEMENTS else {FAILED}):
        return f"exit status {end.code}"
    said = [line for line in end.said if line not in plain.said]
    if not said:
        return "fails without a word"
    if not all(line.startswith("ebb") for line in said):
        return "says what is not its own"
    for path, digest in end.files.items():
        if plain.files.get(path) != digest:
            return f"leaves {path}, which is no whole file"
    return ""


@dataclasses.dataclass
class Case:
    name: str
    kind: str
    error: str
    points: list  # calls that are to fail: "7", or "1@STACK": the first of those with this stack
    stride: int = 1
    runs: int = 0
    missed: int = 0  # the call was not made: threads take turns as they like
    right: int = 0  # ended with the same output
    wrong: dict = dataclasses.field(default_factory=dict)  # what: [numbers of calls]

    def chosen(self, stride=0):
        """Every stride-th point, from one in the middle of the first so many; one at least."""
        stride = stride or self.stride
        return self.points[(min(stride, len(self.points)) - 1) // 2 :: stride]

    def fault(self, point):
        on = self.error.startswith("+")
        return f"{self.kind}:{point}{'+' if on else ''}:{self.error.lstrip('+')}"


def commands_of(arguments):
    """All; of those on Vulkan none where there are to be few runs: a software driver is slow."""
    return [name for name in COMMANDS if not arguments.runs or not name.endswith(" on Vulkan")]


def points_of(plain, kind, every_call, seen):
    """The calls of a kind that are to fail. `seen` has the stacks of the program's earlier commands."""
    if every_call:
        return [str(number + 1) for number in range(plain.report[kind])]
    new = {stack: calls for stack, calls in plain.stacks.get(kind, {}).items() if stack not in seen}
    seen.update(new)
    return [
        f"{number}@{stack}" for stack, calls in new.items() for number in ((1, calls) if calls > 1 else (1,))
    ]


def plan(runs, arguments, plains):
    cases, seen = [], collections.defaultdict(set)
    for name in arguments.only or commands_of(arguments):
        on_gpu = name.endswith(" on Vulkan")
        # A driver may compile shaders.
        plains[name] = runs.run(name, seconds=20 * SECONDS, stacks=not arguments.every_call)
        if on_gpu and plains[name].code in (FAILED, NO_DEVICE):
            print(f"{name} is left out: {plains[name].said}")
            continue
        if plains[name].code != 0 or plains[name].said:
            sys.exit(f"{name} does not work without a fault: {plains[name].said}")
        for kind in ("submit",) if on_gpu else arguments.kinds or FAULTS:
            known = seen[kind, name in ELEMENTS, on_gpu]
            points = points_of(plains[name], kind, arguments.every_call, known)
            cases += [Case(name, kind, error, points) for error in FAULTS[kind][0] if points]
    stride = arguments.stride
    while arguments.runs and sum(len(case.chosen(stride)) for case in cases) > max(
        arguments.runs, len(cases)
    ):
        stride += 1 + stride // 8
    for case in cases:
        case.stride = stride
    return cases


def try_case(runs, case, plains, pool):
    plain = plains[case.name]
    ends = pool.map(lambda point: (point, runs.run(case.name, case.fault(point))), case.chosen())
    for point, end in ends:
        case.runs += 1
        case.missed += not any(place.startswith("at ") for place in end.places)
        wrong = judge(case.name, case.kind, case.error, plain, end)
        case.right += not wrong and end.code == 0
        if wrong:
            case.wrong.setdefault(wrong, []).append((point, end))


def place_of(build, line):
    """Function, file and line of a place like "at 0 libebb.so.1+0x12d65 -", where the build knows them."""
    what, size, place, symbol = line.split()[:4]
    module, offset = place.split("+")
    path = next(
        (
            build / folder / module
            for folder in ("lib", "tools", "gst-plugin")
            if (build / folder / module).is_file()
        ),
        None,
    )
    if path and shutil.which("addr2line"):
        found = subprocess.run(
            ["addr2line", "-sfe", path, offset], capture_output=True, text=True, check=False
        )
        return f"{what} {size} {' '.join(found.stdout.split())}"
    return line


def show(build, case, verbose):
    for what, found in sorted(case.wrong.items(), key=lambda item: -len(item[1])):
        point, end = found[0]
        print(f"  {case.name}, {case.fault(point)}: {what} (of {len(found)} such runs)")
        for line in end.said[:3]:
            print(f"    said: {line}")
        for line in end.places[:verbose]:
            print(f"    {place_of(build, line)}")


def arguments_of(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    comma = lambda text: text.split(",")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument(
        "--runs", type=int, default=0, help="take every n-th call, so that there are about so many"
    )
    parser.add_argument("--only", type=comma, help="commands and elements, by name")
    parser.add_argument("--kinds", type=comma, help="of calls")
    parser.add_argument("--stride", type=int, default=1, help="take every n-th call")
    parser.add_argument("--every-call", action="store_true", help="not one of those with the same stack")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--places", type=int, default=8, help="lines of where a finding was, at most")
    return parser.parse_args(argv)


def main():
    arguments = arguments_of(sys.argv[1:])
    plains, cases = {}, []
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool,
    ):
        runs = Runs(arguments.build.resolve(), pathlib.Path(folder))
        cases = plan(runs, arguments, plains)
        for case in cases:
            try_case(runs, case, plains, pool)
            if case.wrong:
                show(runs.build, case, arguments.places)
                sys.stdout.flush()
    return table(cases)


def table(cases):
    """A row a command: how many faults, and how many of them had no effect."""
    rows = collections.defaultdict(lambda: [0, 0, 0, 0])
    for case in cases:
        findings = sum(len(found) for found in case.wrong.values())
        for i, value in enumerate((case.runs, case.right, case.missed, findings)):
            rows[case.name][i] += value
    rows["sum"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(f"{'':24} {'faults':>8} {'no effect':>10} {'not reached':>12} {'findings':>9}")
    for name, row in rows.items():
        print(f"{name:24} {row[0]:8} {row[1]:10} {row[2]:12} {row[3]:9}")
    return 1 if rows["sum"][3] or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
