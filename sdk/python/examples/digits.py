#!/usr/bin/env python3
"""A classifier of handwritten digits in PyTorch, trained by `general`, which has no rate to tune, and by Adam at the
best of five.

usage: digits.py [--steps 300]
"""

import argparse

import torch

import lopt.tasks
import lopt.torch

DATA = lopt.tasks.Task("{plugin: mlp_classifier, dataset: digits, batch_size: 64}")  # for its batches of 8×8 images


def train(steps: int, make_optimizer) -> list[float]:
    """The losses of a training that begins, and sees its batches, as each other one does."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )
    optimizer = make_optimizer(model.parameters())
    losses = []
    for step in range(steps):
        batch = DATA.batch(step)
        images, labels = torch.from_numpy(batch["image"].reshape(64, 64)), torch.from_numpy(batch["label"]).long()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        if getattr(optimizer, "needs_loss", False):
            optimizer.step(loss)
        else:
            optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    mean = {}
    for rate in (0.001, 0.003, 0.01, 0.03, 0.1):
        losses = train(steps, lambda parameters: torch.optim.Adam(parameters, lr=rate))
        mean[f"Adam {rate:g}"] = sum(losses) / steps, losses[-1]
    losses = train(steps, lambda parameters: lopt.torch.LearnedOptimizer(parameters, "general", steps))
    mean["general"] = sum(losses) / steps, losses[-1]
    for name, (average, last) in mean.items():
        print(f"{name:<12} mean loss {average:.4f}, last {last:.4f}")
    best = min(value for name, (value, _) in mean.items() if name != "general")
    print(f"general beside the best Adam, mean loss: {100 * (mean['general'][0] / best - 1):+.0f} %")


if __name__ == "__main__":
    main()
