"""A component of every kind."""

import numpy

import lopt
import lopt.numpy as np


class Lines(lopt.Dataset):
    """Points on two lines."""

    def __init__(self, count: int = 64):
        self.count = count

    def examples(self, split):
        random = numpy.random.default_rng(0 if split == "train" else 1)
        label = random.integers(0, 2, self.count)
        angle = random.uniform(0, 6.28, self.count)
        return {"image": (numpy.stack([2.0 * label - 1, numpy.sin(angle)])).T.astype("float32"), "label": label}


class Linear(lopt.Task):
    """A linear classifier with a running mean of its logits."""

    def __init__(self, data: lopt.Dataset = None, scale: float = 0.1):
        self.data, self.scale = data or Lines(), scale

    def batches(self):
        return self.data, 16

    def init(self, key):
        return {"layers": [{"w": self.scale * lopt.random.normal(key, (2, 2)), "b": np.zeros(2)}]}

    def logits(self, params, batch):
        return batch["image"] @ params["layers"][0]["w"] + params["layers"][0]["b"]

    def loss(self, params, batch, key):
        return np.cross_entropy(self.logits(params, batch), batch["label"])

    def metrics(self, params, batch):
        return {"accuracy": (np.accuracy(self.logits(params, batch), batch["label"]), "higher")}

    def init_state(self, key):
        return {"mean": np.zeros(2)}

    def training_loss(self, params, state, batch, key):
        return self.loss(params, batch, key), {"mean": 0.9 * state["mean"] + 0.1 * self.logits(params, batch).mean(0)}


class Scales(lopt.TaskFamily):
    """Linear classifiers of different scales."""

    def size(self):
        return 3

    def task(self, index):
        return Linear(Lines(), scale=0.1 * (index + 1))


class Halves(lopt.Schedule):
    """Half as much every `every` updates."""

    def __init__(self, value: float = 0.1, every: int = 10):
        self.value, self.every = value, every

    def rate(self, context):
        return self.value * 0.5 ** np.floor(context.step / self.every)


class Sign(lopt.Optimizer):
    """p ← p − rate · sign(g)"""

    def __init__(self, rate: lopt.Schedule = Halves()):
        self.rate = rate

    def init(self, params):
        return {"params": params, "n": 0}

    def update(self, state, grads, context):
        rate = (
            self.rate.rate(lopt.components.ScheduleContext(np.astype(context.iteration, np.float32), None, 0))
            if isinstance(self.rate, lopt.Schedule)
            else self.rate
        )
        return {
            "params": lopt.tree.map(lambda p, g: p - rate * np.sign(g), state["params"], grads),
            "n": state["n"] + 1,
        }


class Twice(lopt.Optimizer):
    """Two updates of another optimizer with the same gradient."""

    def __init__(self, inner: lopt.Optimizer = "adam"):
        self.inner = inner

    def init(self, params, context):
        return self.inner.init(params, context)

    def update(self, state, grads, context):
        return self.inner.update(self.inner.update(state, grads, context), grads, context)

    def params(self, state):
        return self.inner.params(state)
