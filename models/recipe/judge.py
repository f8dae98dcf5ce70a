# SPDX-License-Identifier: LGPL-2.1-or-later
"""The judge of generated sounds: a small CNN, trained on the real training clips alone.

The judge never trains, guides, filters or selects sounds that it judges. It does not know their loudness:
every mel is shifted to the same maximum.
"""

import numpy as np
import torch
from torch import nn

from .train import fast_bf16


class Judge(nn.Module):
    """Mel (n, BANDS, FRAMES) -> label scores, and a 64-number embedding for distances."""

    def __init__(self, labels, width=24):
        super().__init__()
        sizes = (1, width, 2 * width, 3 * width, 4 * width, 64)
        self.body = nn.Sequential(
            *(
                part
                for a, b in zip(sizes, sizes[1:])
                for part in (
                    nn.Conv2d(a, b, 3, 2 if a == 1 else 1, 1),
                    nn.BatchNorm2d(b),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                )
            )
        )
        self.head = nn.Linear(64, labels)

    def embed(self, mel):
        return self.feel(mel)[1]

    def feel(self, mel):
        """The inner features at every size but the first, and the embedding."""
        x, felt = (mel - mel.amax((1, 2), keepdim=True) + 1).clamp(min=-1)[:, None], []
        for part in self.body:
            x = part(x)
            if isinstance(part, nn.MaxPool2d):
                felt.append(x)
        return felt[1:], 0.5 * (x.mean((2, 3)) + x.amax((2, 3)))

    def forward(self, mel):
        return self.head(nn.functional.dropout(self.embed(mel), 0.2, self.training))


def train_judge(mels, labels, count, steps, seed=0, batch=32):
    """Trains a judge. Labels are drawn equally often, and clips are disturbed, so that few clips suffice."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    judge = Judge(count).train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    odds = 1 / torch.bincount(labels, minlength=count).clamp(min=1)[labels].double() ** 0.75
    fast = fast_bf16(torch.device("cpu"))
    for _ in range(steps):
        chosen = torch.multinomial(odds, batch, True, generator=rng)
        x, y = disturbed(mels[chosen].float(), nn.functional.one_hot(labels[chosen], count).float(), rng)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            loss = nn.functional.cross_entropy(judge(x).float(), y, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
    return judge.eval()


def disturbed(x, y, rng):
    """Shifted in time, a band and a stretch masked, half of the clips with a quieter second sound."""
    x = torch.roll(x, int(torch.randint(-12, 13, (1,), generator=rng)), 2)
    band, frame = (int(torch.randint(0, n, (1,), generator=rng)) for n in (112, 224))
    x[:, band : band + 16] = -1
    x[:, :, frame : frame + 24] = -1
    part = 1 - 0.4 * torch.rand(len(x), 1, generator=rng) * (torch.rand(len(x), 1, generator=rng) < 0.5)
    x = torch.maximum(x, x.flip(0) + torch.log10(1 / part - 1 + 1e-6)[..., None] / 5)  # levels in dB / 50
    return x, part * y + (1 - part) * y.flip(0)


@torch.no_grad()
def listen(judge, mels, batch=32):
    """Scores (n, labels) and embeddings (n, 64)."""
    parts = [judge.embed(part.float()) for part in mels.split(batch)]
    embedding = torch.cat(parts)
    return judge.head(embedding), embedding.numpy()


def accuracy(scores, labels, top=1):
    return (scores.topk(min(top, scores.shape[1]), 1).indices == labels[:, None]).any(1).float()


def frechet(a, b):
    """The Frechet distance of two sets of embeddings, taken as normal distributions. Each set needs two clips
    at least."""
    gap = a.mean(0) - b.mean(0)
    one, two = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2 * cross)


def frechet_interval(a, b, draws=200, seed=0):
    """The distance at equal counts, and the middle 90 % of it over redrawn clips."""
    rng, n = np.random.default_rng(seed), min(len(a), len(b))
    pick = lambda x, again: x[rng.choice(len(x), n, again)]
    values = [frechet(pick(a, True), pick(b, True)) for _ in range(draws)]
    return round(frechet(pick(a, False), pick(b, False)), 2), [
        round(float(v), 2) for v in np.quantile(values, (0.05, 0.95))
    ]
