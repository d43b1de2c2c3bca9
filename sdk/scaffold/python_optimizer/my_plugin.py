"""What it is, and where it was published."""

import lopt
import lopt.numpy as np


class MyPlugin(lopt.Optimizer):
    """p ← p − learning_rate · sign(m), m ← decay · m + (1 − decay) · g."""

    paper = ""

    def __init__(
        self,
        learning_rate: float = lopt.setting(0.01, at_least=0, doc="length of a step"),
        decay: float = lopt.setting(0.9, at_least=0, below=1, doc="of the mean of gradients"),
    ):
        self.learning_rate, self.decay = learning_rate, decay

    def init(self, params):
        return {"params": params, "m": lopt.tree.map(np.zeros_like, params)}

    def update(self, state, grads, context):
        m = np.moving_mean(state["m"], grads, self.decay)
        return {"params": lopt.tree.map(lambda p, m: p - self.learning_rate * np.sign(m), state["params"], m), "m": m}
