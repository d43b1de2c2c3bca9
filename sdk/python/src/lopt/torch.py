"""lopt's optimizers, learned ones too, as torch.optim.Optimizer.

>>> optimizer = lopt.torch.LearnedOptimizer(model.parameters(), "general", num_steps=1000)
>>> loss = loss_of(model(x), y); loss.backward(); optimizer.step(loss)
"""

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ._library import Handle
from .errors import UsageError
from .spec import spec_text

#: How a rule that looks at shapes is to see PyTorch's tensors, by their rank: weights are [in, out] in lopt, and [out, in]
#: there; convolutions [height, width, in, out], and [out, in, height, width].
AXES = {2: (1, 0), 4: (2, 3, 1, 0)}


class LearnedOptimizer(torch.optim.Optimizer):
    """An optimizer of lopt for the parameters of a PyTorch model, on the processor.

    `spec`: "general" (a recipe), the folder of a run, "adam", "{plugin: adam, learning_rate: 0.01}", or a mapping.
    `num_steps`: how many steps there will be; 0: not known. `lr` of a group multiplies its steps, so that schedulers work.
    `axes` of a group: as AXES; "torch" for tensors that are to be seen as they are, such as embeddings [words, width].
    """

    def __init__(self, params: Iterable, spec: str | os.PathLike | dict = "general", num_steps: int = 0, lr: float = 1.0,
                 axes: str | None = None, threads: int | None = None):
        super().__init__(params, {"lr": lr, "axes": axes})
        self._spec, self._num_steps = spec_text(spec), num_steps
        self._threads = threads or torch.get_num_threads()
        self._tensors = [p for group in self.param_groups for p in group["params"] if p.requires_grad]
        # What the library works on: a parameter itself, or, where that is no float32 of the processor, a copy.
        self._masters = [self._master_of(p) for p in self._tensors]
        self._handle = self._make_handle()

    def _make_handle(self) -> Handle:
        axes = [group["axes"] for group in self.param_groups for p in group["params"] if p.requires_grad]
        handle = Handle(self._spec, [(f"parameter {i}", tuple(p.shape), None if how == "torch" else AXES.get(p.dim()))
                                     for i, (p, how) in enumerate(zip(self._tensors, axes))], self._num_steps)
        handle.set_threads(self._threads)
        return handle

    @staticmethod
    def _master_of(p: torch.Tensor) -> torch.Tensor:
        if p.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise UsageError(f"a parameter is of {p.dtype}; lopt moves float32, bfloat16 and float16")
        if p.device.type != "cpu":
            warnings.warn(f"a parameter is on {p.device}; lopt computes on the processor, so each step copies it there and back",
                          stacklevel=3)
        if p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous():
            return p.detach()
        return p.detach().to("cpu", torch.float32, copy=True).contiguous()

    def add_param_group(self, group: dict) -> None:
        if hasattr(self, "_handle"):
            raise UsageError("lopt plans a step for the parameters that there are in the beginning; make another "
                             "optimizer for more of them")
        super().add_param_group(group)

    @property
    def needs_loss(self) -> bool:
        """Whether the rule looks at the loss: step(loss) then."""
        return self._handle.needs_loss

    @torch.no_grad()
    def step(self, loss: torch.Tensor | float | Callable | None = None):
        """After backward(). `loss`: for rules that look at it; a closure that computes it is called first, as PyTorch does."""
        value: Any = loss
        if callable(loss) and not isinstance(loss, torch.Tensor):
            with torch.enable_grad():
                value = loss()
        for p, master in zip(self._tensors, self._masters):
            if not self._shares(p, master) and not torch.equal(p, master.to(p.device, p.dtype)):
                master.copy_(p)  # somebody else has moved it
        grads = [self._gradient(p) for p in self._tensors]
        scales = [float(group["lr"]) for group in self.param_groups for p in group["params"] if p.requires_grad]
        self._handle.step([master.data_ptr() for master in self._masters],
                          [None if grad is None else grad.data_ptr() for grad in grads],
                          None if value is None else float(value), None if all(s == 1 for s in scales) else scales)
        for p, master in zip(self._tensors, self._masters):
            if not self._shares(p, master):
                p.copy_(master)
        return value

    @staticmethod
    def _shares(p: torch.Tensor, master: torch.Tensor) -> bool:
        return p.device.type == "cpu" and p.data_ptr() == master.data_ptr()

    @staticmethod
    def _gradient(p: torch.Tensor) -> torch.Tensor | None:
        if p.grad is None:
            return None
        if p.grad.is_sparse:
            raise UsageError("a gradient is sparse; lopt wants dense ones")
        return p.grad.detach().to("cpu", torch.float32).contiguous()

    def state_dict(self) -> dict:
        """As torch.optim's, with what the rule remembers as one tensor of bytes, which torch.save takes."""
        state = super().state_dict()
        state["lopt"] = {"state": torch.frombuffer(bytearray(self._handle.save()), dtype=torch.uint8),
                         "masters": [None if self._shares(p, m) else m.clone()
                                     for p, m in zip(self._tensors, self._masters)]}
        return state

    def load_state_dict(self, state: dict) -> None:
        if "lopt" not in state:
            raise UsageError("this is the state of another optimizer: it has no entry 'lopt'")
        own = state["lopt"]
        self._handle.load(own["state"].numpy().tobytes())
        for master, saved in zip(self._masters, own["masters"]):
            if saved is not None:
                master.copy_(saved)
        super().load_state_dict({key: value for key, value in state.items() if key != "lopt"})
