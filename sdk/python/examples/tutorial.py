"""The JAX tutorial's task and learned optimizer, in Python."""

import lopt
import lopt.numpy as np
from lopt import random


class Classifier(lopt.Task):
    """A fully connected network of one hidden layer that classifies images."""

    def __init__(
        self,
        hidden: int = lopt.setting(128, at_least=1, doc="width of the hidden layer"),
        batch_size: int = 128,
        dataset: lopt.Dataset = "digits",
    ):
        self.hidden, self.batch_size, self.dataset = hidden, batch_size, dataset

    def batches(self):
        return self.dataset, self.batch_size

    def init(self, key):
        pixels = self.example_types["image"][0][0]
        a, b = random.split(key)
        return {
            "w0": 0.02 * random.normal(a, (pixels, self.hidden)),
            "b0": np.zeros(self.hidden),
            "w1": 0.02 * random.normal(b, (self.hidden, 10)),
            "b1": np.ones(10),
        }

    def loss(self, params, batch, key):
        hidden = np.relu(batch["image"] @ params["w0"] + params["b0"])
        return np.cross_entropy(hidden @ params["w1"] + params["b1"], batch["label"])


class PerParameterMlp(lopt.LearnedOptimizer):
    """A small network applied to each parameter by itself."""

    def __init__(self, hidden: int = 64, decay: float = 0.9):
        self.hidden = hidden
        self.features = np.Features(["parameter", "momentum", "gradient"], decay)

    def init(self, key):
        a, b = random.split(key)
        return {
            "w0": random.normal(a, (3, self.hidden)),
            "b0": np.zeros(self.hidden),
            "w1": random.normal(b, (self.hidden, 2)),
            "b1": np.zeros(2),
        }

    def start(self, theta, params):
        return {"params": params, "accumulators": self.features.start(params)}

    def update(self, theta, state, grads, context):
        accumulators = self.features.next(state["accumulators"], grads, context)
        features = self.features.of(state["params"], grads, accumulators, context)

        def step(p, features):
            out = features.clip(-1e9, 1e9).network(theta)
            return p - out[..., 0] * 0.01 * np.exp(np.clip(out[..., 1] * 0.01, -20.0, 20.0))

        return {"params": lopt.tree.map(step, state["params"], features), "accumulators": accumulators}
