#!/usr/bin/env python3
"""A small character model in PyTorch, trained by `general`, which has no rate to tune, and by Adam at the best of five.

usage: characters.py [TEXT_FILE] [--steps 300]
"""

import argparse
import pathlib

import torch

import lopt.torch


class Characters(torch.nn.Module):
    """The next character from those before it: an embedding, a GRU and a linear layer."""

    def __init__(self, alphabet: int, width: int = 48):
        super().__init__()
        self.embedding = torch.nn.Embedding(alphabet, width)
        self.gru = torch.nn.GRU(width, width, batch_first=True)
        self.output = torch.nn.Linear(width, alphabet)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        return self.output(self.gru(self.embedding(text))[0])


def train(
    text: torch.Tensor, alphabet: int, steps: int, make_optimizer, batch: int = 16, length: int = 32
) -> list[float]:
    """The losses of a training that begins, and draws its batches, as each other one does."""
    torch.manual_seed(0)
    model = Characters(alphabet)
    optimizer = make_optimizer(model)
    losses = []
    for _ in range(steps):
        starts = torch.randint(len(text) - length - 1, (batch,)).tolist()
        piece = torch.stack([text[start : start + length + 1] for start in starts])
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        loss.backward()
        if getattr(optimizer, "needs_loss", False):
            optimizer.step(loss)
        else:
            optimizer.step()
        losses.append(loss.item())
    return losses


def general(model: Characters, steps: int) -> torch.optim.Optimizer:
    embedding = list(model.embedding.parameters())
    others = [p for name, p in model.named_parameters() if not name.startswith("embedding")]
    # An embedding [words, width] lies in PyTorch as in lopt; weights [out, in] are turned.
    return lopt.torch.LearnedOptimizer([{"params": embedding, "axes": "torch"}, {"params": others}], "general", steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", default=str(pathlib.Path(__file__).resolve().parents[3] / "README.md"))
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    characters = pathlib.Path(options.text).read_text(encoding="utf-8")
    alphabet = sorted(set(characters))
    text = torch.tensor([alphabet.index(c) for c in characters])
    mean = {}
    for rate in (0.001, 0.003, 0.01, 0.03, 0.1):
        losses = train(text, len(alphabet), options.steps, lambda model: torch.optim.Adam(model.parameters(), lr=rate))
        mean[f"Adam {rate:g}"] = (sum(losses) / len(losses), losses[-1])
    losses = train(text, len(alphabet), options.steps, lambda model: general(model, options.steps))
    mean["general"] = (sum(losses) / len(losses), losses[-1])
    for name, (average, last) in mean.items():
        print(f"{name:<12} mean loss {average:.3f}, last {last:.3f}")
    best = min(value for name, (value, _) in mean.items() if name != "general")
    print(f"general beside the best Adam, mean loss: {100 * (mean['general'][0] / best - 1):+.0f} %")


if __name__ == "__main__":
    main()
