"""Rules on wide models: a step of each, and what it remembers, beside PyTorch's own forward and backward pass of the
same transformer and beside what the rule's arithmetic takes at the processor's peak.

Run by .cache/torch/bin/python (after ./dev torch). A rule's FLOP are those of its products and networks alone, counted
from its formula; a rule without (Adam) is held against its memory traffic at the speed of a copy.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "sdk", "python", "src"))
os.environ.setdefault("LOPT_PREFIX", os.path.join(ROOT, "build"))
import torch  # noqa: E402

import lopt.torch  # noqa: E402


class Block(torch.nn.Module):
    """Causal attention and a feed-forward layer (gelu), each behind a layer norm and added to what it got."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)])
        self.qkv, self.out = torch.nn.Linear(width, 3 * width, bias=False), torch.nn.Linear(width, width, bias=False)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = (
            self.qkv(self.norms[0](x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        attended = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(torch.nn.functional.gelu(self.up(self.norms[1](x))))


class Transformer(torch.nn.Module):
    """lopt's task `transformer`: the next character of 64."""

    def __init__(self, blocks: int, width: int, heads: int, length: int, alphabet: int = 64):
        super().__init__()
        self.embedding = torch.nn.Embedding(alphabet, width)
        self.places = torch.nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = torch.nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm, self.head = torch.nn.LayerNorm(width), torch.nn.Linear(width, alphabet, bias=False)

    def forward(self, read):
        return self.head(self.norm(self.blocks(self.embedding(read) + self.places)))


def resident_bytes() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")


def median_seconds(f, times: int) -> float:
    f()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def copy_speed(threads: int) -> float:
    """Bytes a second, read and written, of a copy that is far larger than the caches."""
    source = torch.ones(64 * 2**20)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / median_seconds(lambda: target.copy_(source), 3)


def matrices_of(model):
    """(smaller, larger) dimension of each parameter of two."""
    return [tuple(sorted(p.shape)) for p in model.parameters() if p.dim() == 2]


def muon_flop(model) -> float:
    """Five times A = X Xᵀ and A², which are symmetric, and B X."""
    return sum(5 * (3 * m * m * n + m**3) for m, n in matrices_of(model))


def orthogonal_blocks_flop(model, block: int = 64) -> float:
    """Of each block the Gram matrix, twelve small products (seven symmetric iterations), and R X."""
    return sum(
        m / min(m, block) * (3 * min(m, block) ** 2 * n + 12 * 2 * min(m, block) ** 3) for m, n in matrices_of(model)
    )


def fresh(rule: str, folder: str) -> dict:
    """A learned optimizer with the weights that a meta-training of it begins with."""
    run = os.path.join(folder, rule)
    spec = (
        f"{{seed: 0, steps: 1, task: quadratic, learned_optimizer: {rule}, meta_optimizer: adam, "
        "estimator: {plugin: pes, tasks: 1, unroll_length: 1, problem_length: 1}}"
    )
    subprocess.run(
        [os.path.join(ROOT, "build", "bin", "lopt-run"), "train", "-", "-q", "--out", run],
        input=spec,
        text=True,
        check=True,
    )
    return {"plugin": "learned", "theta": run}


def layers_flop(*widths: int):
    """Of a network of these widths at each of n parameters."""
    return lambda model, n: 2 * n * sum(a * b for a, b in zip(widths, widths[1:]))


#: By name: FLOP of a step of a model with n parameters; bytes a parameter that the formula reads and writes; whether it
#: is a learned optimizer, which then has fresh weights.
RULES = {
    "adam": (lambda model, n: 0, 28, False),
    "muon": (lambda model, n: muon_flop(model), 20, False),
    "general": (lambda model, n: orthogonal_blocks_flop(model), 28, False),
    "per_parameter_mlp": (layers_flop(3, 64, 2), 20, True),
    "mlp_lopt": (layers_flop(8, 32, 32, 2), 60, True),
    "adafac_mlp_lopt": (layers_flop(28, 4, 4, 2), 44, True),
}


def measure(name: str, spec, model, loss: float, args) -> tuple[float, float]:
    """Seconds a step, and bytes a parameter that are in use more than before, at the most."""
    parameters = list(model.parameters())
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = resident_bytes()
    optimizer = lopt.torch.LearnedOptimizer(parameters, spec, num_steps=1000, threads=args.threads)
    seconds = median_seconds(
        lambda: optimizer.step(loss=loss) if optimizer.needs_loss else optimizer.step(), args.steps
    )
    return seconds, (resident_bytes() - before) / sum(p.numel() for p in parameters)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("blocks", 10), ("width", 768), ("heads", 12), ("batch", 8), ("length", 32), ("steps", 3)):
        options.add_argument(f"--{name}", type=int, default=usual)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--rules", nargs="*", default=list(RULES), choices=list(RULES))
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    bench = subprocess.run(
        [os.path.join(ROOT, "build", "bin", "lopt-bench"), "--peak"], check=True, capture_output=True, text=True
    )
    peak = json.loads(bench.stdout)["peak_gflops"] * 1e9 / os.cpu_count() * args.threads
    speed = copy_speed(args.threads)
    model = Transformer(args.blocks, args.width, args.heads, args.length)
    n = sum(p.numel() for p in model.parameters())
    read = torch.randint(0, 64, (args.batch, args.length))
    following = torch.randint(0, 64, (args.batch * args.length,))

    def forward_backward():
        loss = torch.nn.functional.cross_entropy(model(read).flatten(0, 1), following)
        for p in model.parameters():
            p.grad = None
        loss.backward()
        return loss

    training = median_seconds(forward_backward, args.steps)
    print(
        f"{n / 1e6:.1f} million parameters; forward and backward pass in PyTorch: {training * 1e3:.0f} ms; peak "
        f"{peak / 1e9:.0f} GFLOP/s, a copy {speed / 1e9:.1f} GB/s; {args.threads} threads"
    )
    own = torch.optim.Adam(model.parameters(), lr=1e-6, fused=True)
    print(f"PyTorch's fused Adam: {median_seconds(own.step, args.steps) * 1e3:.0f} ms")
    del own
    print(f"{'rule':<18}{'a step, ms':>12}{'× passes':>10}{'state, B':>10}{'bound, ms':>11}{'× bound':>9}")
    loss = forward_backward().item()
    with tempfile.TemporaryDirectory() as folder:
        for name in args.rules:
            flop, traffic, learned = RULES[name]
            seconds, state = measure(name, fresh(name, folder) if learned else name, model, loss, args)
            bound = max(flop(model, n) / peak, traffic * n / speed)
            print(
                f"{name:<18}{seconds * 1e3:>12.0f}{seconds / training:>10.2f}{state:>10.1f}{bound * 1e3:>11.0f}"
                f"{seconds / bound:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
