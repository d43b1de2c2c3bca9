"""A task and a learned optimizer in Python, meta-trained in seconds and compared with Adam at its best rate.

usage: waves.py [META_STEPS]
"""

import sys

import lopt
import lopt.numpy as np


class Waves(lopt.Task):
    """Weights of cosines, fitted to a sine: mean squared error of points drawn anew for each step."""

    def __init__(
        self,
        width: int = lopt.setting(12, at_least=1, doc="how many cosines"),
        batch: int = lopt.setting(64, at_least=1, unit="points", doc="points a step"),
    ):
        self.width, self.batch = width, batch

    def init(self, key):
        return {"w": 0.1 * lopt.random.normal(key, (self.width, 1))}

    def loss(self, params, batch, key):
        x = lopt.random.uniform(key, (self.batch, 1), -1.0, 1.0)
        return np.mean((np.cos(x * np.arange(self.width)) @ params["w"] - np.sin(3 * x)) ** 2)


class Momentum(lopt.LearnedOptimizer):
    """p ← p − eʳ m, m ← sigmoid(d) m + g, with r and d for each tensor's name alike."""

    def init(self, key):
        return {"log_rate": -3.0, "decay": 2.0}

    def start(self, theta, params):
        return {"params": params, "m": lopt.tree.map(np.zeros_like, params)}

    def update(self, theta, state, grads, context):
        m = lopt.tree.map(lambda m, g: np.sigmoid(theta["decay"]) * m + g, state["m"], grads)
        return {"params": lopt.tree.map(lambda p, m: p - np.exp(theta["log_rate"]) * m, state["params"], m), "m": m}


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    run = lopt.train(
        task=Waves(),
        learned_optimizer=Momentum(),
        seed=1,
        steps=steps,
        estimator="{plugin: pes, tasks: 16, unroll_length: 10, problem_length: 100, std: 0.01}",
        meta_optimizer="{plugin: adam, learning_rate: 0.02}",
    )
    compared = lopt.evaluate(
        tasks={"waves": Waves(width=20)},
        optimizers={"adam": {"tuned": "adam"}, "mine": run},
        steps=[100],
        seeds=5,
        quiet=True,
    )
    print(compared.verdict)


if __name__ == "__main__":
    main()
