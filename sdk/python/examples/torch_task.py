"""A PyTorch model as a task: the recipe `general`, trained on for it in about ten minutes, beside Adam at its best
rate.

usage: torch_task.py [META_STEPS]
"""

import sys

import torch
from torch.nn import functional

import lopt
import lopt.torch

draws = torch.Generator().manual_seed(0)
X, W = torch.randn(2048, 20, generator=draws), torch.randn(20, 8, generator=draws)
Y = torch.sin(X @ W).prod(1, keepdim=True) + 0.3 * (X[:, :3] ** 2).sum(1, keepdim=True)


def make_model():
    return torch.nn.Sequential(
        torch.nn.Linear(20, 48), torch.nn.Tanh(), torch.nn.Linear(48, 48), torch.nn.Tanh(), torch.nn.Linear(48, 1)
    )


def batches(generator):
    chosen = torch.randint(0, len(X), (32,), generator=generator)
    return X[chosen], Y[chosen]


def loss(model, batch):
    return functional.mse_loss(model(batch[0]), batch[1])


task = lopt.torch.task(make_model, loss, batches)


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    run = lopt.train(
        task=task,
        seed=1,
        steps=steps,
        init_theta="general",
        learned_optimizer="{plugin: steered, rate: {plugin: cosine, value: 0.08, end: 0.001}}",
        estimator="{plugin: pes, tasks: 8, unroll_length: 20, problem_length: 200, truncation: log_uniform, "
        "least_length: 20, std: 0.02, loss_clip: 100}",
        meta_optimizer="{plugin: adam, learning_rate: {plugin: cosine, value: 0.001, end: 0.0002}}",
        meta_gradient="{clip_norm: 1}",
    )
    print(
        lopt.evaluate(
            tasks={"torch": task},
            optimizers={"adam": {"tuned": "adam"}, "mine": run, "general": "{plugin: learned, theta: general}"},
            steps=[200],
            seeds=3,
            quiet=True,
        ).verdict
    )


if __name__ == "__main__":
    main()
