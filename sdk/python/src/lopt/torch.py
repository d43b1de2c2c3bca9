"""lopt's optimizers, learned ones too, as torch.optim.Optimizer.

>>> optimizer = lopt.torch.LearnedOptimizer(model.parameters(), "general", num_steps=1000)
>>> loss = loss_of(model(x), y); loss.backward(); optimizer.step(loss)
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from ._library import Handle
from .errors import UsageError
from .host import HostTask, _key_of
from .spec import spec_text

#: How a rule that looks at shapes is to see PyTorch's tensors, by their rank: weights are [in, out] in lopt, and [out,
#: in] there; convolutions [height, width, in, out], and [out, in, height, width].
AXES = {2: (1, 0), 4: (2, 3, 1, 0)}


class _Defaults(dict):
    """A group's defaults, which say to schedulers that would cycle a momentum what to do: there is none."""

    def __contains__(self, key: object) -> bool:
        if key in ("momentum", "betas") and sys._getframe(1).f_globals.get("__name__") == "torch.optim.lr_scheduler":
            raise UsageError(
                "lopt's optimizers have no momentum that a schedule could cycle: give the scheduler "
                "cycle_momentum=False"
            )
        return super().__contains__(key)


class _Moved:
    """A parameter that the rule moves, and what the library works on: itself, or, where it is no float32 of the
    processor in contiguous memory, a copy."""

    def __init__(self, parameter: torch.Tensor, copy: torch.Tensor | None = None):
        self.parameter, self._copy = parameter, copy

    @property
    def is_direct(self) -> bool:
        p = self.parameter
        return p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous()

    def memory(self) -> torch.Tensor:
        """With the parameter as it is now."""
        p = self.parameter
        if self.is_direct:
            self._copy = None
            return p.detach()
        if self._copy is None or self._copy.shape != p.shape:
            self._copy = p.detach().to("cpu", torch.float32, copy=True).contiguous()
        elif not torch.equal(p, self._copy.to(p.device, p.dtype)):
            self._copy.copy_(p)  # somebody else has moved it
        return self._copy

    def write_back(self) -> None:
        if self._copy is not None:
            self.parameter.copy_(self._copy)

    def saved(self) -> torch.Tensor | None:
        """What the parameter itself does not say: the float32 that it was rounded from."""
        return None if self.is_direct or self._copy is None else self._copy.clone()


class LearnedOptimizer(torch.optim.Optimizer):
    """An optimizer of lopt for the parameters of a PyTorch model, on the processor.

    `spec`: "general" (a recipe), the folder of a run, "adam", "{plugin: adam, learning_rate: 0.01}", or a mapping.
    `num_steps`: how many steps there will be; 0: not known. `lr` of a group multiplies its steps, so that schedulers
    work.
    `axes` of a group: as AXES; "torch" for tensors that are to be seen as they are, such as embeddings [words, width].
    """

    def __init__(
        self,
        params: Iterable,
        spec: str | os.PathLike | dict = "general",
        num_steps: int = 0,
        lr: float = 1.0,
        axes: str | None = None,
        threads: int | None = None,
    ):
        self._moved: dict[int, _Moved] = {}  # by the parameter's number, counted through all groups
        self._handle: Handle | None = None
        self._spec, self._num_steps = spec_text(spec), num_steps
        self._threads = threads or torch.get_num_threads()
        super().__init__(params, _Defaults(lr=lr, axes=axes))
        for p in self._parameters():
            if p.device.type != "cpu":
                warnings.warn(
                    f"a parameter is on {p.device}; lopt computes on the processor, so each step copies it there "
                    "and back",
                    stacklevel=2,
                )
                break
        self._take_in_parameters()

    def _parameters(self) -> list[torch.Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _of_groups(self, key: str) -> list:
        """A setting of each parameter's group."""
        return [group[key] for group in self.param_groups for _ in group["params"]]

    def _take_in_parameters(self, wanted: Iterable[int] | None = None) -> None:
        """Plans steps for the parameters that are trained now, and those that were: one that was frozen, or in a group
        that was added, begins when it is first seen."""
        parameters = self._parameters()
        if wanted is None:
            wanted = [i for i, p in enumerate(parameters) if i in self._moved or (p.requires_grad and p.numel() > 0)]
        # Parameters may have been put in another's place: a deep copy of a model, say.
        moved = {
            i: (
                self._moved[i]
                if i in self._moved and self._moved[i].parameter is parameters[i]
                else _Moved(parameters[i], self._moved[i].saved() if i in self._moved else None)
            )
            for i in wanted
        }
        for i in moved:
            if parameters[i].dtype not in (torch.float32, torch.bfloat16, torch.float16):
                raise UsageError(f"a parameter is of {parameters[i].dtype}; lopt moves float32, bfloat16 and float16")
        if not moved or (self._handle is not None and moved.keys() == self._moved.keys()):
            self._moved = moved
            return
        axes = self._of_groups("axes")
        handle = Handle(
            self._spec,
            [
                (
                    f"parameter {i}",
                    tuple(parameters[i].shape),
                    None if axes[i] == "torch" else AXES.get(parameters[i].dim()),
                )
                for i in moved
            ],
            self._num_steps,
        )
        handle.set_threads(self._threads)
        if self._handle is not None:
            handle.continue_from(self._handle, [one.memory().data_ptr() for one in moved.values()])
        self._handle, self._moved = handle, moved

    @property
    def needs_loss(self) -> bool:
        """Whether the rule looks at the loss: step(loss) then. `general` goes without it too, where the first step has
        none."""
        return self._handle is not None and self._handle.needs_loss

    @torch.no_grad()
    def step(self, closure: Callable | torch.Tensor | float | None = None, loss: torch.Tensor | float | None = None):
        """After backward(), as step() or, for rules that look at the loss, step(loss); or with a closure that computes
        the loss, by itself or as `closure=`, which is called first, as PyTorch does."""
        value: Any = loss
        if callable(closure) and not isinstance(closure, torch.Tensor):
            with torch.enable_grad():
                value = closure()
        elif closure is not None:
            value = closure
        self._take_in_parameters()
        if self._handle is None:
            return value
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise UsageError(f"the loss has the shape {list(value.shape)}; one number is wanted")
        memory = [one.memory() for one in self._moved.values()]
        if len({tensor.data_ptr() for tensor in memory}) < len(memory):
            raise UsageError(
                "two parameters share their memory, and each would be moved from where it was: let them be "
                "one torch.nn.Parameter"
            )
        grads = [self._gradient(one.parameter) for one in self._moved.values()]
        rates = self._of_groups("lr")
        scales = [float(rates[i]) for i in self._moved]
        self._handle.step(
            [tensor.data_ptr() for tensor in memory],
            [None if grad is None else grad.data_ptr() for grad in grads],
            None if value is None else float(value),
            None if all(s == 1 for s in scales) else scales,
        )
        for one in self._moved.values():
            one.write_back()
        return value

    @contextlib.contextmanager
    @torch.no_grad()
    def evaluation(self) -> Iterator[None]:
        """In it the parameters are those that the rule is to be judged by: an average of the way, where it keeps one
        (`schedule_free`, `averaged`). Behind it they are again what is trained.

        >>> with optimizer.evaluation(): loss = test_loss(model)
        """
        trained = [one.parameter.detach().clone() for one in self._moved.values()]
        if self._handle is not None:
            memory = [one.memory() for one in self._moved.values()]
            judged = [torch.empty_like(tensor) for tensor in memory]
            self._handle.evaluation_params([t.data_ptr() for t in memory], [t.data_ptr() for t in judged])
            for one, tensor in zip(self._moved.values(), judged, strict=True):
                one.parameter.copy_(tensor)
        try:
            yield
        finally:
            for one, tensor in zip(self._moved.values(), trained, strict=True):
                one.parameter.copy_(tensor)

    @staticmethod
    def _gradient(p: torch.Tensor) -> torch.Tensor | None:
        if p.grad is None:
            return None
        if p.grad.is_sparse:
            raise UsageError("a gradient is sparse; lopt wants dense ones")
        return p.grad.detach().to("cpu", torch.float32).contiguous()

    def _own_state(self) -> dict:
        return {
            "state": torch.frombuffer(bytearray(self._handle.save()), dtype=torch.uint8) if self._handle else None,
            "parameters": list(self._moved),
            "masters": [one.saved() for one in self._moved.values()],
        }

    def _load_own_state(self, own: dict) -> None:
        parameters = self._parameters()
        wanted = own.get("parameters", list(self._moved))
        if any(i >= len(parameters) for i in wanted):
            raise UsageError(
                f"the state is of {max(wanted) + 1} parameters or more; this optimizer has {len(parameters)}"
            )
        moved = {
            i: _Moved(parameters[i], saved if saved is None else saved.clone())
            for i, saved in zip(wanted, own["masters"], strict=True)
        }
        if own["state"] is None:
            return
        if moved.keys() != self._moved.keys():
            self._handle, self._moved = None, {}
            self._take_in_parameters(wanted)
        assert self._handle is not None
        self._handle.load(own["state"].numpy().tobytes())
        self._moved = moved

    def state_dict(self) -> dict:
        """As torch.optim's, with what the rule remembers as one tensor of bytes, which torch.save takes."""
        state = super().state_dict()
        state["lopt"] = self._own_state()
        return state

    def load_state_dict(self, state: dict) -> None:
        if "lopt" not in state:
            raise UsageError("this is the state of another optimizer: it has no entry 'lopt'")
        own = state["lopt"]
        self._load_own_state(own)
        super().load_state_dict({key: value for key, value in state.items() if key != "lopt"})

    # For copy.deepcopy and pickle: parameters go as PyTorch's do, the rule's memory as bytes.
    def __getstate__(self) -> dict:
        return {
            "defaults": dict(self.defaults),
            "state": self.state,
            "param_groups": self.param_groups,
            "_spec": self._spec,
            "_num_steps": self._num_steps,
            "_threads": self._threads,
            "lopt": self._own_state(),
        }

    def __setstate__(self, state: dict) -> None:
        own = state.pop("lopt", None)
        super().__setstate__(state)
        self.defaults = _Defaults(self.defaults)
        if own is not None:
            self._moved, self._handle = {}, None
            self._load_own_state(own)


def task(
    make_model: Callable[[], torch.nn.Module], loss: Callable, batches: Callable, *, name: str | None = None
) -> HostTask:
    """A task of lopt whose problems are PyTorch models: `make_model()` makes one, `loss(model, batch)` is a scalar, and
    `batches(generator)` draws a batch with a torch.Generator. It runs in worker processes, one thread each (lopt.host);
    weights and batches are those of lopt's keys.

    >>> run = lopt.train(task=lopt.torch.task(make_model, loss, batches), learned_optimizer=…, estimator="{plugin: pes,
    …}", …)
    """
    return TorchTask(make_model, loss, batches, name or getattr(loss, "__name__", "torch"))


class TorchTask(HostTask):
    """See `task`."""

    def __init__(self, make_model: Callable[[], torch.nn.Module], loss: Callable, batches: Callable, name: str):
        super().__init__(self._initial, loss, name=name)
        self._make_model, self._loss, self._batches = make_model, loss, batches
        self._model: _FlatModel | None = None  # of a worker

    def batches(self) -> None:
        return None

    def _initial(self, key: np.ndarray) -> dict[str, np.ndarray]:
        before = torch.default_generator.get_state()
        torch.default_generator.manual_seed(_seed_of(key))
        made = {name: p.detach().numpy().copy() for name, p in self._make_model().named_parameters()}
        torch.default_generator.set_state(before)
        return made

    def answer(self, settings: dict, data: np.ndarray) -> np.ndarray:
        if settings["function"] != "loss":
            return super().answer(settings, data)
        if self._model is None:
            self._model = _FlatModel(self._make_model())
        model, size = self._model, len(self._model.weights)
        seed = _seed_of(_key_of(data[size : size + 4]))
        model.weights.copy_(torch.from_numpy(data[:size]))
        model.grads.zero_()
        model.generator.manual_seed(seed)
        torch.default_generator.manual_seed(seed)  # dropout and the like
        value = self._loss(model.model, self._batches(model.generator))
        value.backward()
        result = np.empty(1 + size, np.float32)
        result[0] = value.item()
        result[1:] = model.grads.numpy()
        return result


def _seed_of(key: np.ndarray) -> int:
    return (int(key[0]) << 32 | int(key[1])) & 0x7FFFFFFFFFFFFFFF


class _FlatModel:
    """A model whose parameters, and their gradients, lie in one tensor each."""

    def __init__(self, model: torch.nn.Module):
        parameters = list(model.parameters())
        self.model, self.generator = model, torch.Generator()
        count = sum(p.numel() for p in parameters)
        self.weights, self.grads = torch.empty(count), torch.zeros(count)
        at = 0
        for p in parameters:
            p.data = self.weights[at : at + p.numel()].view(p.shape)
            p.grad = self.grads[at : at + p.numel()].view(p.shape)
            at += p.numel()
