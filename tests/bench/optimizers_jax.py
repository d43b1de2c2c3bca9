"""The same updates as lopt-bench-optimizers, by their formulas in JAX, jitted, with the state given away.

usage: optimizers_jax.py PARAMETERS…    prints {"adam": {"10000": ns a parameter, …}, …}
"""

import json
import math
import sys
import time

import jax
import jax.numpy as jnp


def count(state):
    return state["t"] + 1.0


def corrected(state, g, b1=0.9, b2=0.999):
    t = count(state)
    m, v = b1 * state["m"] + (1 - b1) * g, b2 * state["v"] + (1 - b2) * g * g
    return t, m, v, m / (1 - b1**t), v / (1 - b2**t)


def adam(s, g, rate=lambda t: 0.001):
    t, m, v, mh, vh = corrected(s, g)
    return {"p": s["p"] - rate(t) * mh / (jnp.sqrt(vh) + 1e-8), "m": m, "v": v, "t": t}


def adamw(s, g):
    t, m, v, mh, vh = corrected(s, g)
    return {"p": s["p"] - 0.001 * (mh / (jnp.sqrt(vh) + 1e-8) + 0.01 * s["p"]), "m": m, "v": v, "t": t}


def nadamw(s, g):
    t, m, v, _, _ = corrected(s, g)
    rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return {"p": s["p"] - rate * ((0.9 * m + 0.1 * g) / (jnp.sqrt(v) + 1e-8) + 0.01 * s["p"]), "m": m, "v": v, "t": t}


def radam(s, g):
    t, m, v, mh, vh = corrected(s, g)
    most = 2 / (1 - 0.999) - 1
    rho = most - 2 * t * 0.999**t / (1 - 0.999**t)
    safe = jnp.where(rho >= 5, rho, 5.0)
    r = jnp.sqrt((safe - 4) * (safe - 2) * most / ((most - 4) * (most - 2) * safe))
    return {"p": s["p"] - 0.001 * jnp.where(rho >= 5, r * mh / (jnp.sqrt(vh) + 1e-8), mh), "m": m, "v": v, "t": t}


def adabelief(s, g):
    t = count(s)
    m = 0.9 * s["m"] + 0.1 * g
    v = 0.999 * s["v"] + 0.001 * (g - m) ** 2
    return {
        "p": s["p"] - 0.001 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t) + 1e-16) + 1e-16),
        "m": m,
        "v": v,
        "t": t,
    }


def yogi(s, g):
    t = count(s)
    m = 0.9 * s["m"] + 0.1 * g
    v = s["v"] - 0.001 * jnp.sign(s["v"] - g * g) * g * g
    return {"p": s["p"] - 0.001 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-3), "m": m, "v": v, "t": t}


def lamb(s, g):
    t, m, v, mh, vh = corrected(s, g)
    u = mh / (jnp.sqrt(vh) + 1e-6)
    return {"p": s["p"] - 0.001 * jnp.linalg.norm(s["p"]) / jnp.linalg.norm(u) * u, "m": m, "v": v, "t": t}


def schedule_free(s, g):
    t = count(s)
    rate = 0.0025 * jnp.sqrt(1 - 0.999**t)
    v = 0.999 * s["v"] + 0.001 * g * g
    z = s["z"] - rate * g / (jnp.sqrt(v) + 1e-8)
    w = s["w"] + rate**2
    return {"x": s["x"] + rate**2 / w * (z - s["x"]), "z": z, "v": v, "w": w, "t": t}


def adan(s, g):
    t = count(s)
    d = jnp.where(t > 1, g - s["before"], 0)
    m, k, n = 0.98 * s["m"] + 0.02 * g, 0.92 * s["d"] + 0.08 * d, 0.99 * s["v"] + 0.01 * (g + 0.92 * d) ** 2
    step = (m / (1 - 0.98**t) + 0.92 * k / (1 - 0.92**t)) / (jnp.sqrt(n / (1 - 0.99**t)) + 1e-8)
    return {"p": s["p"] - 0.001 * step, "m": m, "d": k, "v": n, "before": g, "t": t}


def adafactor(s, g):
    t = count(s)
    beta = 1 - t**-0.8
    q = g * g + 1e-30
    row, column = beta * s["row"] + (1 - beta) * q.mean(1), beta * s["column"] + (1 - beta) * q.mean(0)
    u = g / jnp.sqrt((row / row.mean())[:, None] * column[None])
    u = u / jnp.maximum(jnp.sqrt(jnp.mean(u * u)), 1)
    size = jnp.minimum(0.01, t**-0.5) * jnp.maximum(jnp.sqrt(jnp.mean(s["p"] ** 2)), 1e-3)
    return {"p": s["p"] - size * u, "row": row, "column": column, "t": t}


def momentum(s, g, nesterov=False):
    m = 0.9 * s["m"] + 0.01 * g
    return {"p": s["p"] - (0.01 * g + 0.9 * m if nesterov else m), "m": m}


def rmsprop(s, g):
    v = 0.9 * s["v"] + 0.1 * g * g
    m = 0.01 * g * jax.lax.rsqrt(v + 1e-8) + 0.0 * s["m"]
    return {"p": s["p"] - m, "v": v, "m": m}


def lars(s, g):
    m = 0.1 * 0.001 * jnp.linalg.norm(s["p"]) / jnp.linalg.norm(g) * g + 0.9 * s["m"]
    return {"p": s["p"] - m, "m": m}


def fromage(s, g):
    shrink = 1 / math.sqrt(1 + 1e-4)
    return {"p": shrink * (s["p"] - 0.01 * jnp.linalg.norm(s["p"]) / jnp.linalg.norm(g) * g)}


def lion(s, g):
    return {"p": s["p"] - 1e-4 * jnp.sign(0.9 * s["m"] + 0.1 * g), "m": 0.99 * s["m"] + 0.01 * g}


def muon(s, g):
    m = 0.95 * s["m"] + g
    x = g + 0.95 * m
    x = x / (jnp.linalg.norm(x) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return {"p": s["p"] - 0.02 * x, "m": m}


def clipped(s, g):
    return adam(s, g * jnp.minimum(1, 1 / jnp.linalg.norm(g)))


def decayed(s, g):
    after = adam(s, g)
    return {**after, "p": after["p"] - 1e-4 * s["p"]}


UPDATES = {
    "sgd": (lambda s, g: {"p": s["p"] - 0.01 * g}, "p"),
    "momentum": (momentum, "pm"),
    "nesterov": (lambda s, g: momentum(s, g, True), "pm"),
    "adam": (adam, "pmvt"),
    "adam, cosine": (lambda s, g: adam(s, g, lambda t: 0.0005 * (1 + jnp.cos(math.pi * (t - 1) / 100))), "pmvt"),
    "rmsprop": (rmsprop, "pvm"),
    "adabelief": (adabelief, "pmvt"),
    "adamw": (adamw, "pmvt"),
    "nadamw": (nadamw, "pmvt"),
    "radam": (radam, "pmvt"),
    "yogi": (yogi, "pmvt"),
    "lion": (lion, "pm"),
    "adan": (adan, ["p", "m", "d", "v", "before", "t"]),
    "fromage": (fromage, "p"),
    "lars": (lars, "pm"),
    "lamb": (lamb, "pmvt"),
    "adafactor": (adafactor, ["p", "row", "column", "t"]),
    "schedule_free": (schedule_free, ["x", "z", "v", "w", "t"]),
    "muon": (muon, "pm"),
    "clip_by_norm, adam": (clipped, "pmvt"),
    "weight_decay, adam": (decayed, "pmvt"),
}


def measure(update, names, n):
    side = round(math.sqrt(n))
    shapes = {"t": (), "w": (), "row": (side,), "column": (side,)}
    state = {name: jax.random.normal(jax.random.PRNGKey(1), shapes.get(name, (side, side))) ** 2 + 1 for name in names}
    g = jax.random.normal(jax.random.PRNGKey(2), (side, side))
    step = jax.jit(update, donate_argnums=0)
    best, end, runs = math.inf, time.perf_counter() + 1, 0
    while runs < 6 or (time.perf_counter() < end and runs < 2000):
        begin = time.perf_counter()
        state = jax.block_until_ready(step(state, g))
        if runs:
            best = min(best, time.perf_counter() - begin)
        runs += 1
    return best * 1e9 / side**2


results = {}
for name, (update, names) in UPDATES.items():
    results[name] = {n: measure(update, names, int(n)) for n in sys.argv[1:] if name != "muon" or int(n) <= 10**6}
print(json.dumps(results))
