#!/usr/bin/env python3
"""Eight small PyTorch models of the kinds that are trained on a processor: `general`, nothing tuned, beside Adam at the
best of seven rates, constant and with a cosine to zero.

usage: models.py [--steps 300] [--models images,table] [--seeds 1] [--rates 0.001,0.01] [--threads 2]
"""

import argparse
import math
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

import lopt.tasks
import lopt.torch

USUAL_RATE = 0.001
RATES = [0.0001, 0.0003, USUAL_RATE, 0.003, 0.01, 0.03, 0.1]
TEXT = pathlib.Path(__file__).resolve().parents[3] / "README.md"


@dataclass
class Problem:
    """A model, its batches, what is to be small, and what tells whether something was learned."""

    model: Callable[[], nn.Module]
    batch: Callable[[torch.Generator], tuple[Tensor, ...]]
    loss: Callable[..., Tensor]  # of the model and a batch
    test: Callable[[nn.Module], Tensor]


def digits() -> tuple[Tensor, Tensor]:
    """1,437 handwritten digits, 28×28 (from 8×8, as large as the usual ones), and which they are."""
    task = lopt.tasks.Task("{plugin: mlp_classifier, dataset: digits, batch_size: 1437}")
    batch = task.batch(0)
    images = torch.from_numpy(batch["image"]).reshape(-1, 1, 8, 8)
    return functional.interpolate(images, size=(28, 28), mode="bilinear"), torch.from_numpy(batch["label"]).long()


def from_arrays(
    model: Callable[[], nn.Module], x: Tensor, y: Tensor, loss: Callable, batch_size: int | None
) -> Problem:
    """Four fifths of the examples are for training; `batch_size` None: all of them in each step."""
    train = len(x) * 4 // 5

    def batch(generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = torch.randint(train, (batch_size,), generator=generator) if batch_size else slice(0, train)
        return x[rows], y[rows]

    def loss_of(network: nn.Module, inputs: Tensor, wanted: Tensor) -> Tensor:
        return loss(network(inputs), wanted)

    return Problem(model, batch, loss_of, lambda network: loss(network(x[train:]), y[train:]))


def dense(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for i, (rows, columns) in enumerate(zip(widths, widths[1:])):
        layers += [nn.Linear(rows, columns)] + ([activation()] if i < len(widths) - 2 else [])
    return nn.Sequential(*layers)


def images() -> Problem:
    x, y = digits()
    return from_arrays(lambda: dense(784, 256, 128, 10), x, y, functional.cross_entropy, 64)


def convolutions() -> Problem:
    x, y = digits()

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 49, 10),
        )

    return from_arrays(model, x, y, functional.cross_entropy, 64)


class Recurrent(nn.Module):
    def __init__(self, alphabet: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(alphabet, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.output = nn.Linear(width, alphabet)

    def forward(self, text: Tensor) -> Tensor:
        return self.output(self.gru(self.embedding(text))[0])


class Attentive(nn.Module):
    """Transformer blocks that look back, with learned positions."""

    def __init__(self, alphabet: int, width: int, length: int):
        super().__init__()
        self.embedding, self.position = nn.Embedding(alphabet, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, dropout=0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, alphabet)

    def forward(self, text: Tensor) -> Tensor:
        length = text.shape[1]
        ahead = torch.full((length, length), -math.inf).triu(1)
        x = self.embedding(text) + self.position(torch.arange(length))
        for block in self.blocks:
            x = block(x, ahead)
        return self.output(self.norm(x))


def characters(model: Callable[[int, int], nn.Module], batch_size: int, length: int) -> Problem:
    text = TEXT.read_text(encoding="utf-8")
    alphabet = sorted(set(text))
    codes = torch.tensor([alphabet.index(c) for c in text])
    train = len(codes) * 4 // 5

    def pieces(first: int, last: int, count: int, generator: torch.Generator) -> Tensor:
        starts = torch.randint(first, last - length, (count,), generator=generator).tolist()
        return torch.stack([codes[start : start + length + 1] for start in starts])

    def loss(network: nn.Module, piece: Tensor) -> Tensor:
        return functional.cross_entropy(network(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())

    held_out = pieces(train, len(codes), 32, torch.Generator().manual_seed(1))
    return Problem(
        lambda: model(len(alphabet), length),
        lambda g: (pieces(0, train, batch_size, g),),
        loss,
        lambda network: loss(network, held_out),
    )


def recurrent() -> Problem:
    return characters(lambda alphabet, _: Recurrent(alphabet, 96), 32, 48)


def transformer() -> Problem:
    return characters(lambda alphabet, length: Attentive(alphabet, 64, length), 32, 48)


def made_up_table(rows: int) -> tuple[Tensor, Tensor]:
    """Twenty numbers, and one that depends on some of them, with noise."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(rows, 20, generator=generator)
    y = (
        x[:, 0] * x[:, 1]
        + torch.sin(2 * x[:, 2])
        + 0.5 * x[:, 3:8].sum(1)
        + 0.2 * torch.randn(rows, generator=generator)
    )
    return x, y / y.std()


def squared(found: Tensor, wanted: Tensor) -> Tensor:
    return ((found.squeeze(1) - wanted) ** 2).mean()


def table() -> Problem:
    x, y = made_up_table(4000)
    return from_arrays(lambda: dense(20, 64, 64, 1, activation=nn.SiLU), x, y, squared, 64)


def full_batch() -> Problem:
    x, y = made_up_table(1200)
    classes = torch.bucketize(y, torch.quantile(y, torch.tensor([0.2, 0.4, 0.6, 0.8])))
    return from_arrays(lambda: dense(20, 64, 5), x, classes, functional.cross_entropy, None)


def physics() -> Problem:
    """u'' = −π² sin(π x) on [−1, 1] with u(±1) = 0, whose solution is sin(π x): a network whose second derivative is in
    the loss."""

    def loss(network: nn.Module, x: Tensor) -> Tensor:
        x = x.requires_grad_(True)
        u = network(x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
        ends = network(torch.tensor([[-1.0], [1.0]]))
        return ((second + math.pi**2 * torch.sin(math.pi * x)) ** 2).mean() / math.pi**4 + (ends**2).mean()

    points = torch.linspace(-1, 1, 64).reshape(-1, 1)
    return Problem(
        lambda: dense(1, 32, 32, 1, activation=nn.Tanh),
        lambda _: (points.clone(),),
        loss,
        lambda network: ((network(points) - torch.sin(math.pi * points)) ** 2).mean(),
    )


class Autoencoder(nn.Module):
    def __init__(self, code: int = 16):
        super().__init__()
        self.encoder, self.decoder = dense(784, 128, 2 * code), dense(code, 128, 784)

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mean + noise * torch.exp(log_variance / 2)), mean, log_variance


def variational() -> Problem:
    x = digits()[0].flatten(1)
    train = len(x) * 4 // 5

    def loss(network: nn.Module, pixels: Tensor, noise: Tensor) -> Tensor:
        found, mean, log_variance = network(pixels, noise)
        missing = functional.binary_cross_entropy_with_logits(found, pixels, reduction="sum") / len(pixels)
        return missing + 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()

    def batch(generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = torch.randint(train, (64,), generator=generator)
        return x[rows], torch.randn(64, 16, generator=generator)

    held_out = torch.randn(len(x) - train, 16, generator=torch.Generator().manual_seed(3))
    return Problem(Autoencoder, batch, loss, lambda network: loss(network, x[train:], held_out))


MODELS = {
    "images": images,
    "convolutions": convolutions,
    "recurrent": recurrent,
    "transformer": transformer,
    "table": table,
    "full batch": full_batch,
    "physics": physics,
    "variational": variational,
}


@dataclass
class Run:
    """One training: its losses, the lowest test loss of twenty, and the seconds that the optimizer and the whole step
    took."""

    losses: list[float] = field(default_factory=list)
    test: float = math.inf
    optimizer_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def mean(self) -> float:
        mean = statistics.fmean(self.losses)
        return mean if math.isfinite(mean) else math.inf

    def lasts(self) -> Iterator[float]:
        """Means over a tenth of the steps."""
        window = max(1, len(self.losses) // 10)
        return (statistics.fmean(self.losses[k - window : k]) for k in range(window, len(self.losses) + 1))

    def end(self) -> float:
        return list(self.lasts())[-1]

    def steps_to(self, loss: float) -> int | None:
        window = max(1, len(self.losses) // 10)
        return next((k + window for k, last in enumerate(self.lasts()) if last <= loss), None)


def parameter_groups(model: nn.Module) -> list[dict]:
    """An embedding [words, width] lies in PyTorch as in lopt; weights [out, in] are turned."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    groups = [
        {"params": [p for p in model.parameters() if id(p) in embeddings], "axes": "torch"},
        {"params": [p for p in model.parameters() if id(p) not in embeddings]},
    ]
    return [group for group in groups if group["params"]]


def train(problem: Problem, make_optimizer: Callable, steps: int, seed: int) -> Run:
    """A training that begins, and draws its batches, as each other one of this seed does."""
    torch.manual_seed(seed)
    model, generator, run = problem.model(), torch.Generator().manual_seed(seed), Run()
    optimizer, schedule = make_optimizer(model)
    for step in range(steps):
        batch = problem.batch(generator)
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = problem.loss(model, *batch)
        loss.backward()
        middle = time.perf_counter()
        if getattr(optimizer, "needs_loss", False):
            optimizer.step(loss)
        else:
            optimizer.step()
        end = time.perf_counter()
        if schedule is not None:
            schedule.step()
        run.losses.append(loss.item())
        run.optimizer_seconds.append(end - middle)
        run.seconds.append(end - begin)
        if (step + 1) % max(1, steps // 20) == 0:
            run.test = min(run.test, test_loss(problem, model, optimizer))
    return run


def test_loss(problem: Problem, model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """Rules that judge by an average have its parameters in the meantime."""
    model.eval()
    with torch.no_grad():
        if isinstance(optimizer, lopt.torch.LearnedOptimizer):
            with optimizer.evaluation():
                loss = problem.test(model).item()
        else:
            loss = problem.test(model).item()
    model.train()
    return loss if math.isfinite(loss) else math.inf


def adam(rate: float, steps: int, cosine: bool) -> Callable:
    def make(model: nn.Module):
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if cosine else None

    return make


def compare(problem: Problem, steps: int, seeds: int, rates: list[float], spec: str) -> dict[str, float]:
    """Ratios of `spec`'s training to Adam's, medians over the seeds."""

    def runs(make: Callable) -> list[Run]:
        return [train(problem, make, steps, seed) for seed in range(seeds)]

    def total(of: list[Run]) -> float:
        return sum(run.mean() for run in of)

    def ratio(own: list[Run], other: list[Run], value: Callable[[Run], float]) -> float:
        return statistics.median(value(a) / value(b) for a, b in zip(own, other, strict=True))

    constant = {rate: runs(adam(rate, steps, False)) for rate in rates}
    cosine = {rate: runs(adam(rate, steps, True)) for rate in rates}
    tuned, tuned_cosine = min(constant.values(), key=total), min(cosine.values(), key=total)
    best_test = min([*constant.values(), *cosine.values()], key=lambda of: sum(run.test for run in of))
    ours = runs(lambda model: (lopt.torch.LearnedOptimizer(parameter_groups(model), spec, steps), None))
    step, own_whole = (statistics.median(getattr(ours[0], key)) for key in ("optimizer_seconds", "seconds"))
    adams_step, whole = (statistics.median(getattr(tuned[0], key)) for key in ("optimizer_seconds", "seconds"))
    reached = ours[0].steps_to(tuned[0].end())
    return {
        "mean": ratio(ours, tuned, Run.mean),
        "cosine": ratio(ours, tuned_cosine, Run.mean),
        "end": ratio(ours, tuned, Run.end),
        "test": ratio(ours, best_test, lambda run: run.test),
        "to 0.001": ratio(ours, constant[USUAL_RATE], Run.mean),
        "step": 1e3 * step,
        "Adam's": 1e3 * adams_step,
        "whole": 1e3 * whole,
        "cost": own_whole / whole,
        "steps": reached / steps if reached else math.nan,
        "time": reached / steps * own_whole / whole if reached else math.nan,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rates", default=",".join(map(str, RATES)), help="of Adam, among which the best is chosen")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--models", default=",".join(MODELS), help="of " + ", ".join(MODELS))
    parser.add_argument("--optimizer", default="general", help="a recipe, a run's folder or a spec")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rates = sorted({USUAL_RATE, *map(float, options.rates.split(","))})
    print(
        "Mean loss to Adam's at its best rate, constant and with a cosine; loss at the end; lowest test loss to the "
        "lowest\n"
        "of all of Adam's; mean loss to Adam's at 0.001; ms of our step, Adam's, and the whole step with Adam's; the "
        "whole\n"
        "step with ours to that; the share of Adam's steps, and of its time, until its end is reached.\n"
    )
    heading = None
    for name in options.models.split(","):
        if name.strip() not in MODELS:
            parser.error(f"there is no model '{name.strip()}'; there are: {', '.join(MODELS)}")
        found = compare(MODELS[name.strip()](), options.steps, options.seeds, rates, options.optimizer)
        if heading is None:
            heading = f"{'':<13}" + "".join(f"{key:>9}" for key in found)
            print(heading)
        print(f"{name.strip():<13}" + "".join(f"{value:>9.2f}" for value in found.values()), flush=True)


if __name__ == "__main__":
    main()
