"""Functions of JAX, Flax, Haiku and optax as tasks and rules: JAX's numbers, and sentences for what is not there.

usage: test_jax.py BUILD     (needs jax, flax, dm-haiku and optax: `./dev jax` gets them and runs this)
"""

import os
import pathlib
import sys
import tempfile
import unittest

import numpy as np

from counting import main

build = os.path.abspath(sys.argv[1])
source = pathlib.Path(__file__).resolve().parents[2]
os.environ["LOPT_PREFIX"] = build
sys.path[:0] = [str(source / "sdk/python/src"), str(source / "sdk/python/examples")]
try:
    import flax.linen
    import haiku
    import jax
    import jax.numpy as jnp
    import optax
    from jax import lax
except ImportError as missing:
    print(f"SKIPPED: {missing.name} is not here, so nothing of lopt.jax is tested; ./dev jax gets it and tests")
    print("0 passed, 0 failed")
    sys.exit(0)
import lopt  # noqa: E402
import lopt.jax  # noqa: E402
from lopt import numpy as lnp  # noqa: E402
from lopt._trace import Trace  # noqa: E402

KEY = jax.random.PRNGKey(7)
RANDOM = np.random.default_rng(0)


def real(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


class Primitives(unittest.TestCase):
    """Values and gradients of functions of JAX, by lopt's reference executor."""

    def same(self, function, *arguments, gradient=True, rtol=2e-5):
        arguments = [jnp.asarray(x) for x in arguments]
        expected = jax.tree.leaves(function(*arguments))
        with Trace():
            symbolic = [lnp.asarray(np.asarray(x)) for x in arguments]
            found = jax.tree.leaves(lopt.jax.apply(function, *symbolic), is_leaf=lambda x: isinstance(x, lnp.Array))
            for a, b in zip(found, expected, strict=True):
                self.assertEqual(a.shape, b.shape)
                np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=1e-6)
            if not gradient:
                return
            places = tuple(i for i, x in enumerate(arguments) if np.asarray(x).dtype == np.float32)
            weights = [np.cos(np.arange(np.size(y))).reshape(np.shape(y)).astype(np.float32) for y in expected]

            def loss(*given):
                return sum(
                    jnp.sum(y * w)
                    for y, w in zip(jax.tree.leaves(function(*given)), weights)
                    if jnp.issubdtype(y.dtype, jnp.floating)
                )

            slopes = jax.grad(loss, places)(*arguments)
            grads = lnp.gradient(lopt.jax.apply(loss, *symbolic), [symbolic[i] for i in places])
            for a, b in zip(grads, slopes, strict=True):
                np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=2e-5)

    def test_elementwise(self):
        x = real(3, 5)
        for f in (
            jnp.exp,
            jnp.tanh,
            jnp.sin,
            jax.nn.gelu,
            jax.nn.silu,
            jax.nn.relu,
            jax.nn.softplus,
            jax.nn.sigmoid,
            jax.nn.elu,
            jax.nn.leaky_relu,
            jax.nn.log_softmax,
            jax.nn.softmax,
            jax.nn.relu6,
            jnp.arctan,
            jnp.sinh,
            jnp.cosh,
            jnp.arcsinh,
            jnp.cbrt,
            jax.scipy.special.erf,
            lambda x: x**3,
            lambda x: jnp.abs(x) ** 1.5,
            lambda x: jnp.clip(x, -0.5, 0.5),
            lambda x: jnp.where(x > 0, x, 2 * x),
            lambda x: jnp.log1p(jnp.abs(x)),
            lambda x: jnp.exp2(x),
            lambda x: lax.rsqrt(1 + x * x),
            lambda x: jnp.nan_to_num(x / 2),
            lambda x: jnp.logaddexp(x, 2 * x),
            lambda x: jnp.hypot(x, 1.0),
            lambda x: jax.nn.standardize(x),
            lambda x: jnp.linalg.norm(x),
        ):
            with self.subTest(getattr(f, "__name__", str(f))):
                self.same(f, x, rtol=1e-4)
        for f in (
            jnp.floor,
            jnp.ceil,
            jnp.round,
            jnp.sign,
            lambda x: x // 0.3,
            lambda x: x % 0.3,
            lambda x: lax.nextafter(x, jnp.float32(9)),
            lambda x: (x > 0).sum(),
            lambda x: jnp.argmax(x, 1),
            lambda x: x.astype(jnp.int32) // 2,
            lambda x: jnp.isfinite(x),
        ):
            self.same(f, x, gradient=False)

    def test_shapes_and_order(self):
        x = real(4, 6)
        for f in (
            lambda x: x.T.reshape(3, 8),
            lambda x: jnp.flip(x, 1),
            lambda x: jnp.pad(x, ((1, 2), (0, 1)), constant_values=3.0),
            lambda x: lax.pad(x, 0.0, ((0, 0, 1), (-1, 2, 0))),
            lambda x: jnp.roll(x, 2, 1),
            lambda x: jnp.sort(x, 0),
            lambda x: lax.top_k(x, 2)[0],
            lambda x: jnp.cumsum(x, 1),
            lambda x: jnp.cumprod(x, 0),
            lambda x: lax.cummax(x, 1),
            lambda x: lax.cumsum(x, 1, reverse=True),
            lambda x: lax.cumlogsumexp(x, 1),
            lambda x: jnp.tile(x, (2, 1)),
            lambda x: jnp.repeat(x, 2, 1),
            lambda x: jnp.split(x, 3, 1)[1],
            lambda x: jnp.tril(x),
            lambda x: jnp.concatenate([x, x + 1], 1),
            lambda x: jnp.median(x),
            lambda x: jnp.std(x, 0),
            lambda x: x.prod(1),
        ):
            self.same(f, x)
        self.same(lambda x: lax.sort_key_val(x, jnp.arange(6))[1], x[0], gradient=False)

    def test_by_index(self):
        x, i = real(5, 4), jnp.array([3, 0, 3])
        for f in (
            lambda x: x[i],
            lambda x: x[i, jnp.array([1, 2, 0])],
            lambda x: jnp.take_along_axis(x, jnp.array([[1], [0], [3], [2], [1]]), 1),
            lambda x: x.at[i].add(2.0),
            lambda x: x.at[1:3, 0].set(7.0),
            lambda x: x.at[i, 0].mul(2.0),
            lambda x: x[:, ::2],
            lambda x: lax.dynamic_slice(x, (jnp.argmax(x[:, 0]) * 0 + 1, 2), (2, 2)),
            lambda x: lax.dynamic_update_slice(x, jnp.ones((2, 2)), (jnp.argmin(x[:, 0]) * 0 + 2, 1)),
            lambda x: jnp.eye(5)[:, :4] * x,
            lambda x: jnp.einsum("ij,kj->ik", x, x),
            lambda x: jax.vmap(lambda r: r @ r)(x),
            lambda x: x[jnp.argsort(x[:, 0])],
        ):
            self.same(f, x)

    def test_products_convolutions_and_pools(self):
        a, b = real(2, 3, 4), real(2, 4, 5)
        self.same(lambda a, b: a @ b, a, b)
        self.same(lambda a, b: jnp.einsum("bij,bjk->bki", a, b), a, b)
        x, w = real(2, 7, 6, 4), real(3, 2, 4, 5)
        for layout, images, kernel in (
            (("NHWC", "HWIO", "NHWC"), x, w),
            (("NCHW", "OIHW", "NCHW"), x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1)),
        ):
            for more in (
                dict(window_strides=(1, 1), padding="SAME"),
                dict(window_strides=(2, 1), padding="VALID"),
                dict(window_strides=(1, 2), padding=((1, 2), (0, 1))),
                dict(window_strides=(1, 1), padding="VALID", rhs_dilation=(2, 1)),
                dict(window_strides=(1, 1), padding=((2, 2), (1, 1)), lhs_dilation=(2, 2)),
            ):
                with self.subTest(f"{layout} {more}"):
                    self.same(
                        lambda x, w: lax.conv_general_dilated(x, w, dimension_numbers=layout, **more), images, kernel
                    )
        self.same(
            lambda x, w: lax.conv_general_dilated(
                x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2
            ),
            x,
            real(3, 3, 2, 6),
        )
        self.same(
            lambda x, w: lax.conv_general_dilated(x, w, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")),
            real(2, 9, 3),
            real(3, 3, 4),
        )
        self.same(lambda x: flax.linen.max_pool(x, (2, 2), (2, 2), "SAME"), x)
        self.same(lambda x: flax.linen.avg_pool(x, (3, 2), (1, 2), "VALID"), x)
        self.same(lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 3), (1, 1), "SAME"), x[0, 0])

    def test_control_flow(self):
        x = real(6, 3)
        self.same(lambda x: lax.scan(lambda c, r: (jnp.tanh(c + r), c * r), jnp.zeros(3), x), x)
        self.same(
            lambda x: lax.scan(
                lambda c, r: ((c[0] + 1, c[1] * 0.5 + r), c[0]), (jnp.int32(0), jnp.zeros(3)), x, reverse=True
            )[0][1],
            x,
        )
        self.same(lambda x: lax.fori_loop(0, 20, lambda i, v: v * 0.9 + i * x[0], x[1]), x)
        self.same(
            lambda x: lax.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, jnp.sin(s[1])), (0, x))[1],
            x,
            gradient=False,
        )
        self.same(lambda x: lax.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - 1, x), x)
        self.same(
            lambda x: lax.switch(jnp.argmax(x[:, 0]), [jnp.sin, jnp.cos, jnp.tanh, jnp.exp, jnp.abs, lambda v: v], x), x
        )
        self.same(jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))), x)
        self.same(lambda x: jax.vmap(lambda k: jax.random.normal(k, (3,)))(jax.random.split(KEY, 4)) * x[:4], x)

    def test_random_numbers_are_jaxs(self):
        key = np.asarray(KEY)
        for f in (
            lambda k: jax.random.normal(k, (3, 4)),
            lambda k: jax.random.uniform(k, (5,), minval=-2, maxval=3),
            lambda k: jax.random.bernoulli(k, 0.3, (9,)),
            lambda k: jax.random.split(k, 3),
            lambda k: jax.random.fold_in(k, 5),
            lambda k: jax.random.randint(k, (6,), 0, 17),
            lambda k: jax.random.truncated_normal(k, -2, 2, (8,)),
            lambda k: jax.random.categorical(k, jnp.zeros((4, 3))),
            lambda k: jax.random.permutation(k, 7),
            lambda k: jax.random.gumbel(k, (3,)),
            lambda k: jax.random.fold_in(k, jnp.argmax(jax.random.bits(k, (4,)))),
            lambda k: jax.random.normal(jax.random.split(jax.random.wrap_key_data(k))[1], (2,)),
        ):
            self.same(f, key, gradient=False)

    def test_derivatives_that_functions_bring(self):
        @jax.custom_vjp
        def twice(x):
            return jnp.sin(x)

        twice.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (2 * g * x,))

        @jax.custom_jvp
        def odd(x):
            return x * x

        odd.defjvp(lambda p, t: (p[0] ** 2, 5 * t[0] * p[0]))
        self.same(lambda x: twice(x * 2), real(4))
        self.same(lambda x: odd(x) * x, real(4))
        self.same(lambda x: jax.nn.relu(x - x), real(4))


class Whole(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def agrees(self, task, init, loss):
        params = task.init(seed=0)
        self.assertTrue(
            jax.tree.all(
                jax.tree.map(lambda a, b: np.allclose(a, b, rtol=1e-5, atol=1e-7), params, init(jax.random.PRNGKey(0)))
            )
        )
        batch = task.batch(0)
        value, grads = task.loss_and_gradient(params, batch)
        there, slopes = jax.value_and_grad(loss)(
            params, batch, jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(0), 0), 0)
        )
        self.assertLess(abs(value - there) / abs(there), 1e-5)
        largest = max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(slopes))
        for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(slopes), strict=True):
            self.assertLess(float(jnp.max(jnp.abs(a - b))) / largest, 1e-5)

    def test_flax(self):
        class Net(flax.linen.Module):
            @flax.linen.compact
            def __call__(self, x):
                x = flax.linen.Conv(8, (3, 3))(x.reshape(-1, 8, 8, 1))
                x = flax.linen.max_pool(flax.linen.relu(flax.linen.LayerNorm()(x)), (2, 2), (2, 2))
                return flax.linen.Dense(10)(x.reshape(x.shape[0], -1))

        net = Net()
        init = lambda key: net.init(key, jnp.zeros((1, 64)))
        loss = lambda params, batch, key: optax.softmax_cross_entropy_with_integer_labels(
            net.apply(params, batch["image"]), batch["label"]
        ).mean()
        task = lopt.jax.task(init, loss, dataset="digits", batch_size=16)
        self.agrees(task, init, loss)
        run = lopt.train(task=task, optimizer=optax.adam(1e-3), steps=5, seed=1, quiet=True)
        self.assertGreater(run.summary["runs"][0]["loss_first_20"], 0)

    def test_haiku(self):
        forward = haiku.without_apply_rng(haiku.transform(lambda x: haiku.nets.MLP([16, 10])(x)))
        init = lambda key: forward.init(key, jnp.zeros((1, 64)))
        loss = lambda params, batch, key: -jnp.mean(
            jnp.sum(jax.nn.log_softmax(forward.apply(params, batch["image"])) * jax.nn.one_hot(batch["label"], 10), -1)
        )
        self.agrees(lopt.jax.task(init, loss, dataset="digits", batch_size=16), init, loss)

    def test_a_learned_optimizer_goes_on_without_python(self):
        import waves

        rule = lopt.jax.learned_optimizer(
            lambda key: {"log_rate": jnp.float32(-3.0), "net": 0.1 * jax.random.normal(key, (2, 1))},
            lambda theta, params: {"params": params, "m": jax.tree.map(jnp.zeros_like, params)},
            lambda theta, state, grads, loss, iteration, num_steps, key: {
                "params": jax.tree.map(
                    lambda p, m, g: p
                    - jnp.exp(theta["log_rate"]) * (m + (jnp.stack([m, g], -1) @ theta["net"])[..., 0]),
                    state["params"],
                    state["m"],
                    grads,
                ),
                "m": jax.tree.map(lambda m, g: 0.9 * m + g, state["m"], grads),
            },
        )
        given = dict(
            task=waves.Waves(),
            learned_optimizer=rule,
            seed=1,
            quiet=True,
            meta_optimizer="{plugin: adam, learning_rate: 0.01}",
            estimator="{plugin: truncated_gradient, tasks: 2, unroll_length: 5, problem_length: 20}",
        )
        whole, half = lopt.train(steps=6, **given), lopt.train(steps=3, **given)
        import subprocess

        env = {n: v for n, v in os.environ.items() if n != "LOPT_TRACER"}
        subprocess.run(
            [os.path.join(build, "bin/lopt-run"), "resume", half.folder, "steps=6", "-q"],
            env={**env, "LOPT_PYTHON": "/bin/false"},
            check=True,
        )
        for name in whole.theta:
            np.testing.assert_array_equal(whole.theta[name], half.theta[name])

    def test_optax(self):
        params = {"w": real(4, 3), "b": real(3)}
        grads = [{"w": real(4, 3), "b": real(3)} for _ in range(3)]
        for tx in (
            optax.adamw(1e-2),
            optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9, nesterov=True)),
            optax.adafactor(1e-2),
            optax.contrib.muon(1e-2),
            optax.adam(optax.warmup_cosine_decay_schedule(0.0, 1e-2, 2, 10)),
        ):
            own = {n: x.copy() for n, x in params.items()}
            optimizer, state, there = lopt.Optimizer(tx, own), tx.init(params), params
            for g in grads:
                optimizer.step(g)
                updates, state = tx.update(g, state, there)
                there = optax.apply_updates(there, updates)
            for name in own:
                np.testing.assert_allclose(own[name], there[name], rtol=2e-5, atol=1e-6)

    def test_the_notebook(self):
        import json
        import subprocess

        cells = json.loads((source / "sdk/python/examples/from_jax.ipynb").read_text())["cells"]
        code = "STEPS = 5\n" + "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        done = subprocess.run(
            [sys.executable, "-"],
            input=code,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src"), "LOPT_TRACER": ""},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine beside adam", done.stdout)

    def test_what_is_wrong_is_a_sentence_with_its_line(self):
        cases = {
            "svd": (lambda p, b, k: jnp.linalg.svd(p["w"])[1].sum(), "the primitive 'svd' of JAX has no counterpart"),
            "loop": (
                lambda p, b, k: lax.while_loop(lambda x: x < 3.0, lambda x: x + 1, p["w"].sum()),
                "a while loop whose end depends on values",
            ),
            "half": (
                lambda p, b, k: p["w"].astype(jnp.bfloat16).sum().astype(jnp.float32),
                "a computation in bfloat16",
            ),
            "scalar": (lambda p, b, k: p["w"], "reshape"),
        }
        for name, (loss, sentence) in cases.items():
            with self.subTest(name), self.assertRaisesRegex(lopt.LoptError, sentence) as caught:
                lopt.train(
                    task=lopt.jax.task(lambda key: {"w": jnp.ones((3, 2))}, loss), optimizer="sgd", steps=1, quiet=True
                )
            if name in ("svd", "loop", "half"):
                self.assertRegex(str(caught.exception), r"test_jax.py:\d+")


if __name__ == "__main__":
    main(*sys.argv[2:])
