"""The loop that trains any of the nets: resumable, bounded in time or in steps, the same on CPU and CUDA."""

import math
import os
import time
from pathlib import Path

import torch

from . import nets


class Run:
    """Everything a training needs to go on as if it had never stopped.

    `task` offers: net, batch(count) -> one training batch, losses(net, batch) -> loss per item and noise level index,
    validate(net) -> a line of text, and state() / load(state) for its own generators.
    """

    def __init__(self, task, folder, rate, batch, minutes=None, steps=None, bf16=False, save_every=180):
        self.task, self.folder, self.rate, self.count = task, Path(folder), rate, batch
        self.minutes, self.steps, self.bf16, self.save_every = minutes, steps, bf16, save_every
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = task.net.to(self.device, memory_format=torch.channels_last)
        self.average = nets.Average(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=rate, weight_decay=1e-3)
        self.step, self.spent = 0, 0.0
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self):
        return self.folder / "state.pt"

    def save(self):
        state = dict(step=self.step, spent=self.spent, net=self.net.state_dict(), average=self.average.state(),
                     optimiser=self.optimiser.state_dict(), task=self.task.state(), torch=torch.get_rng_state())
        part = self.path.with_suffix(".part")
        try:
            torch.save(state, part)  # a full disk or a kill leaves the last checkpoint as it was
        except RuntimeError as error:
            raise OSError(f"{part}: cannot be written; {self.path} is as it was") from error
        os.replace(part, self.path)

    def resume(self):
        if not self.path.exists():
            return False
        state = torch.load(self.path, map_location="cpu", weights_only=False)
        self.net.load_state_dict(state["net"])
        self.average.load(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.task.load(state["task"])
        torch.set_rng_state(state["torch"])
        self.step, self.spent = state["step"], state["spent"]
        return True

    def progress(self):
        return min(1, self.step / self.steps if self.steps else self.spent / (60 * self.minutes))

    def learning_rate(self):
        """Warm-up, then flat, then down to a twentieth over the last third: averaging does the rest."""
        late = max(0, (self.progress() - 2 / 3) * 3)
        return self.rate * min(1, (self.step + 1) / 100) * (0.525 + 0.475 * math.cos(math.pi * late))

    def one_step(self):
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        batch = self.task.batch(self.count)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.task.losses(self.net, batch).mean()
        if not torch.isfinite(loss):
            raise ValueError(f"step {self.step}: the loss is not a number; try a smaller --rate")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.average.update(self.net)
        self.step += 1
        return loss.item()

    def run(self):
        """Trains until the time or the steps are used up; saves on the way and at the end, and when interrupted."""
        began, saved, first, mean = time.monotonic() - self.spent, self.spent, (self.step, self.spent), None
        try:
            while self.progress() < 1:
                value = self.one_step()
                mean = value if mean is None else 0.99 * mean + 0.01 * value
                self.spent = time.monotonic() - began
                if self.spent - saved > self.save_every:
                    self.report(mean, first)
                    saved, first = self.spent, (self.step, time.monotonic() - began)
                    self.save()
        except KeyboardInterrupt:
            print("interrupted: saving", flush=True)
        self.report(mean, first)
        self.save()

    def report(self, mean, first):
        speed = (self.step - first[0]) * self.count / max(self.spent - first[1], 1e-9)
        weights = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average.weights)
        note = self.task.validate(self.net)
        self.net.load_state_dict(weights)
        print(f"{self.spent / 60:6.1f} min, step {self.step}: loss {mean or math.nan:.4f}, {speed:.0f} samples/s; "
              f"{note}", flush=True)


def by_noise(losses, index):
    """Mean loss of each quarter of the noise levels, from little noise to much."""
    quarter = index * 4 // nets.STEPS
    parts = [losses[quarter == q].mean().item() for q in range(4)]
    return f"held out {losses.mean().item():.4f} (by noise {' '.join(f'{p:.4f}' for p in parts)})"
