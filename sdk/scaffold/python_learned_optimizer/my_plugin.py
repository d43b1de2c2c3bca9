"""What it is, and where it was published."""

import lopt
import lopt.numpy as np


class MyPlugin(lopt.LearnedOptimizer):
    """Adam's step and a small network's correction of it, on features of each parameter."""

    def __init__(
        self,
        hidden: int = lopt.setting(16, at_least=1, doc="hidden units"),
        features: list[str] = lopt.setting(["momentum 0.9", "normalized gradient"], doc="what the network sees"),
    ):
        self.hidden, self.features = hidden, np.Features(features)

    def init(self, key):
        return {
            "log_rate": -4.0,
            "network": np.dense_weights(key, [self.features.count(), self.hidden, 1], last_is_zero=True),
        }

    def start(self, theta, params):
        return {"params": params, "seen": self.features.start(params)}

    def update(self, theta, state, grads, context):
        seen = self.features.next(state["seen"], grads, context)
        features = self.features.of(state["params"], grads, seen, context)

        def step(p, g, f):
            direction = g / (np.rms(g) + 1e-8) + f.network(theta["network"])[..., 0]
            return p - np.exp(theta["log_rate"]) * direction

        return {"params": lopt.tree.map(step, state["params"], grads, features), "seen": seen}
