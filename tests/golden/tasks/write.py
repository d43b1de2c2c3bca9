"""Losses and gradients of tasks as JAX computes them, from the definitions of a peer's bench_tasks.py.
usage: write.py FOLDER_WITH_bench_tasks.py   writes TASK.npz beside this file: params/NAME, batch/NAME, loss,
gradient/NAME, in the names of lopt's tasks. Computed in float64, of float32 inputs."""

import os
import sys
import numpy as np

sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[:1]
import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_matmul_precision", "highest")
import builtins  # noqa: E402

quiet, builtins.print = builtins.print, lambda *a, **k: None
source = open(os.path.join(sys.path[0], "bench_tasks.py")).read().split("for name in sys.argv")[0]
peer = {}
exec(compile(source, "bench_tasks.py", "exec"), peer)
builtins.print = quiet
block = lambda i: [f"block{i}/{n}" for n in "scale0 offset0 qkv out scale1 offset1 w0 b0 w1 b1".split()]
NAMES = {
    "conv_classifier": "w0 b0 w1 b1 w b".split(),
    "mlp_autoencoder": [f"{n}{i}" for i in range(4) for n in "wb"],
    "char_rnn": "embedding w u b w_out b_out".split(),
    "transformer": ["embedding", "places"] + block(0) + block(1) + ["scale", "offset", "head"],
    "quadratic": ["x"],
}
for task, names in NAMES.items():
    init, loss, data = peer[task]()
    params = [np.asarray(p, np.float32) for p in init(jax.random.PRNGKey(3))]
    batch = {
        k: np.asarray(v, np.float32 if v.dtype.kind == "f" else np.int32)
        for k, v in data(np.random.default_rng(4), ()).items()
    }
    wide = lambda x: x.astype(np.float64) if x.dtype == np.float32 else x
    value, slopes = jax.value_and_grad(loss)([wide(p) for p in params], {k: wide(v) for k, v in batch.items()})
    arrays = {"loss": np.float32(value)} | {f"params/{n}": p for n, p in zip(names, params, strict=True)}
    arrays |= {f"gradient/{n}": np.asarray(g, np.float32) for n, g in zip(names, slopes)}
    if task != "quadratic":
        arrays |= {f"batch/{k}": v for k, v in batch.items()}
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), task + ".npz"), **arrays)
    print(task, float(value))
