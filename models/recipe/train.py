# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training loop of all networks: it can be resumed, ends by time or by steps, and is the same on CPU and
CUDA."""

import math
import platform
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from . import data, nets, parts

FEW_STEPS = 100  # a model of 21 steps made noise, one of 253 made sounds that were recognised
FREE = {"rate", "batch", "ema", "clip", "bf16", "start"}  # options that a resumed training may change


class Task:
    """What a Run trains: a net, its data and its losses.

    A task has net, batch(count) -> one training batch, losses(net, batch) -> loss per item, validate(net) ->
    a line of text, and the generator of all its draws.
    """

    layout = None  # of the weights in memory; None: as layout() has it
    paces = {}  # weights that learn faster than all others, by name, and how many times as fast

    def state(self):
        return dict(generator=self.generator.get_state())

    def load(self, state):
        self.generator.set_state(state["generator"])

    def about(self):
        """What an export needs beside the net: numbers, strings, lists, tensors."""
        return {}


def pick_device(name="auto"):
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"--device {name}: expected auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"--device {name}: PyTorch finds no CUDA device here (--device cpu works everywhere)"
        )
    return device


def fast_bf16(device):
    """Whether mixed precision is faster here: some CPUs, and GPUs, only emulate it."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    # oneDNN says yes to every x86 with AVX-512, instructions for bfloat16 or not
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def out_of_memory(error):
    """Whether an exception means that memory has run out. PyTorch has no exception type for that on a CPU."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def layout(device, bf16):
    """The layout of a net's weights in memory: channels last, except for mixed precision on a CPU, which is
    1.1 to 1.15 times as fast without it. A task whose net is wide may know better (Task.layout)."""
    return torch.contiguous_format if device.type == "cpu" and bf16 else torch.channels_last


def read_state(folder):
    """The last checkpoint in a training's folder, None if there is none yet."""
    path = Path(folder) / "state.pt"
    return data.load_tensors(path, f"delete {path} to train afresh") if path.exists() else None


def settle(defaults, state, given):
    """The options of a training: the given ones, else those of its checkpoint, else the defaults."""
    kept = state.get("options", {}) if state else {}
    for name, value in given.items():
        if name in kept and name not in FREE and kept[name] != value:
            raise ValueError(
                f"this training began with {flag(name, kept[name])}, "
                f"it cannot go on with {flag(name, value)}; "
                "leave the option away, or train afresh with another --work"
            )
    return defaults | {name: value for name, value in kept.items() if name in defaults} | given


def flag(name, value):
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return f"--{name.replace('_', '-')} {text}"


class Run:
    """A training with all that it needs to continue as if it had never stopped."""

    def __init__(
        self,
        task,
        folder,
        rate,
        batch,
        minutes=None,
        steps=None,
        bf16=False,
        save_every=180,
        ema=0.999,
        clip=1.0,
        device="auto",
        options=None,
        parts=None,
    ):
        self.task, self.folder, self.rate, self.count = task, Path(folder), rate, batch
        self.minutes, self.steps, self.bf16, self.save_every, self.clip = (
            minutes,
            steps,
            bf16,
            save_every,
            clip,
        )
        self.options, self.device, self.parts = options or {}, pick_device(device), parts
        self.net = task.net.to(self.device, memory_format=task.layout or layout(self.device, bf16))
        self.average = nets.Average(self.net, ema)
        self.optimiser = torch.optim.AdamW(groups(self.net, task.paces), lr=rate, weight_decay=1e-3)
        self.step, self.spent, self.saved_step, self.stopped = 0, 0.0, None, False
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self):
        return self.folder / "state.pt"

    def save(self):
        """Saves a checkpoint. A full disk or a kill leaves the previous one as it was."""
        state = dict(
            step=self.step,
            spent=self.spent,
            net=self.net.state_dict(),
            average=self.average.state(),
            optimiser=self.optimiser.state_dict(),
            task=self.task.state(),
            torch=torch.get_rng_state(),
            cuda=[torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else [],
            options=self.options,
            bf16=self.bf16,
            config=plain(dict(self.net.config)),
            about=self.about(),
        )
        data.save_tensors(self.path, state)
        if self.parts:
            parts.leave(self.parts, state, self.path)
        self.saved_step = self.step

    def about(self):
        return getattr(self.task, "about", dict)()

    def resume(self, state=None):
        state = state or read_state(self.folder)
        if not state:
            return False
        if "net" not in state:
            raise ValueError(
                f"{self.path}: weights alone, without the state to go on from; "
                "export them, then train with --start"
            )
        kept, now = state.get("about", {}), self.about()
        for key in ("labels", "autoencoder"):
            if kept.get(key) != now.get(key) and key in kept:
                raise ValueError(
                    f"{self.path}: this training began with {key} {kept[key]}, there are now {now.get(key)}; "
                    "train afresh with another --work"
                )
        if kept.get("sounds", now.get("sounds")) != now.get("sounds"):  # older checkpoints do not say
            raise ValueError(
                f"{self.path}: the prepared sounds are not those that this training began with, and clips "
                "that it learned from may be held out now; prepare the same ones again, or train afresh "
                "with another --work"
            )
        try:
            self.net.load_state_dict(state["net"])
            self.average.load(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.task.load(state["task"])
            torch.set_rng_state(state["torch"])
            if self.device.type == "cuda" and state.get("cuda"):
                torch.cuda.set_rng_state(own(state["cuda"], self.device), self.device)
            self.step, self.spent = state["step"], state["spent"]
        except (RuntimeError, KeyError, ValueError) as error:
            if out_of_memory(error):
                raise
            raise ValueError(
                f"{self.path}: a checkpoint of another training ({str(error).splitlines()[0]}); "
                "train with the options it began with, or with another --work"
            ) from error
        self.saved_step = self.step
        return True

    def progress(self):
        return min(1, self.step / self.steps if self.steps else self.spent / (60 * self.minutes))

    def learning_rate(self):
        """Warm-up, then constant, then down to a twentieth over the last third. Averaging the weights does
        the rest."""
        late = max(0, (self.progress() - 2 / 3) * 3)
        return self.rate * min(1, (self.step + 1) / 100) * (0.525 + 0.475 * math.cos(math.pi * late))

    def one_step(self):
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate() * group.get("pace", 1)
        batch = self.task.batch(self.count)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.task.losses(self.net, batch).mean()
        self.optimiser.zero_grad()
        loss.backward()
        size = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip or math.inf)
        if not torch.isfinite(loss + size):  # before it reaches the weights
            kept = (
                "" if self.saved_step is None else f"; the checkpoint of step {self.saved_step} is as it was"
            )
            raise ValueError(
                f"step {self.step}: the loss or its slope is not a number, try a smaller --rate{kept}"
            )
        self.optimiser.step()
        self.average.update(self.net)
        self.step += 1
        return loss.item()

    def run(self):
        """Trains until the time or the steps are used up, or a signal stops it. Saves on the way and at the
        end."""
        began, saved, first, mean = time.monotonic() - self.spent, self.spent, (self.step, self.spent), None
        with self.listening():
            while self.progress() < 1 and not self.stopped:
                value = self.one_step()
                mean = value if mean is None else 0.99 * mean + 0.01 * value
                self.spent = time.monotonic() - began
                self.tick(mean, first)
                if self.spent - saved > self.save_every:
                    self.report(mean, first)
                    saved, first = self.spent, (self.step, time.monotonic() - began)
                    self.save_on_the_way()
        self.report(mean, first)
        self.save()
        if self.step < FEW_STEPS:
            print(f"recipe: {advice(self.step)}", file=sys.stderr, flush=True)

    def save_on_the_way(self):
        try:
            self.save()
        except OSError as error:  # there may be room the next time
            print(f"recipe: {error}; training goes on", file=sys.stderr, flush=True)

    def listening(self):
        """Ctrl-C and SIGTERM end the training after the present step; a second signal ends it at once."""

        def stop(number, frame):
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True
            print("stopping after this step, then saving", flush=True)

        return Signals(stop)

    def caveat(self):
        seen = getattr(self.task, "seen", None)
        return " (of clips that it trains on: none is held out)" if seen and seen.shared else ""

    def speed(self, first):
        return (self.step - first[0]) * self.count / max(self.spent - first[1], 1e-9)

    def tick(self, mean, first):
        """Prints one line that overwrites itself."""
        if sys.stdout.isatty():
            print(
                f"\r{100 * self.progress():3.0f} %  step {self.step}, loss {mean:.4f}, "
                f"{self.speed(first):.0f} samples/s ",
                end="",
                flush=True,
            )

    def report(self, mean, first):
        speed = self.speed(first)
        weights = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average.weights)
        note = self.task.validate(self.net) + self.caveat()
        self.net.load_state_dict(weights)
        over = "\r\033[K" if sys.stdout.isatty() else ""  # what tick() wrote
        print(
            f"{over}{self.spent / 60:6.1f} min, step {self.step}: loss {mean or math.nan:.4f}, "
            f"{speed:.0f} samples/s; {note}",
            flush=True,
        )


def groups(net, paces):
    """The weights of a net, in groups that learn as fast."""
    by_pace = {}
    for name, weights in net.named_parameters():
        by_pace.setdefault(paces.get(name, 1), []).append(weights)
    return [dict(params=weights, pace=pace) for pace, weights in by_pace.items()]


def advice(steps):
    counted = "1 step teaches" if steps == 1 else f"{steps} steps teach"
    return (
        f"{counted} a network next to nothing: expect noise; the same command with more --minutes goes on "
        "(--threads 1 is faster where other programs hold the cores)"
    )


def own(states, device):
    """The state of `device`'s generator among a checkpoint's CUDA generators. There is one; older checkpoints
    have one for each GPU."""
    return states[min(device.index or 0, len(states) - 1)]


class Signals:
    """Sends SIGINT and SIGTERM to `handler` while it is open (signals reach the main thread alone)."""

    def __init__(self, handler):
        self.handler, self.old = handler, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.old = {
                number: signal.signal(number, self.handler) for number in (signal.SIGINT, signal.SIGTERM)
            }

    def __exit__(self, *_):
        for number, handler in self.old.items():
            signal.signal(number, handler)


def plain(value):
    """Tuples as lists: a checkpoint has lists alone."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def by_noise(losses, index):
    """Mean loss of each quarter of the noise levels, from little noise to much."""
    quarter = index * 4 // nets.STEPS
    parts = [losses[quarter == q].mean().item() for q in range(4)]
    return f"held out {losses.mean().item():.4f} (by noise {' '.join(f'{p:.4f}' for p in parts)})"
