"""Twelve updates of optimizers and wrappers by their formulas in float64, as `lopt-run replay-updates` reads them.

The gradients and first parameters are those of package/optimizer_adam.npz. Formulas are the papers', written here
apart from the plugins: roots by eigenvalues, orthonormal bases by QR.
"""

import numpy as np

package = np.load("../package/optimizer_adam.npz")
names = ["b", "conv", "gain", "w"]
first = {n: package[f"param_0/{n}"].astype(np.float64) for n in names}
grads = [{n: package[f"grad_{k}/{n}"].astype(np.float64) for n in names} for k in range(12)]
steps = 12


def each(f, *trees):
    return {n: f(*[t[n] for t in trees]) for n in names}


def zeros():
    return each(np.zeros_like, first)


def write(name, states):
    arrays = {"loss": package["loss"]}
    for k, params in enumerate(states):
        for n in names:
            arrays[f"param_{k}/{n}"] = params[n].astype(np.float32)
            if k < steps:
                arrays[f"grad_{k}/{n}"] = package[f"grad_{k}/{n}"]
    np.savez_compressed(f"{name}.npz", **arrays)


def run(rule):
    """States from a rule(params, gradient, i) -> params."""
    states = [first]
    for i in range(steps):
        states.append(rule(states[-1], grads[i], i))
    return states


def momentum_rule(rate, decay=0.9, nesterov=False):
    m = zeros()

    def rule(p, g, i):
        for n in names:
            m[n] = decay * m[n] + rate(i) * g[n]
        return each(lambda p, m, g: p - (rate(i) * g + decay * m if nesterov else m), p, m, g)

    return rule


def adam_rule(rate, b1=0.9, b2=0.999, eps=1e-8):
    m, v = zeros(), zeros()

    def rule(p, g, i):
        for n in names:
            m[n] = b1 * m[n] + (1 - b1) * g[n]
            v[n] = b2 * v[n] + (1 - b2) * g[n] ** 2
        t = i + 1
        return each(lambda p, m, v: p - rate(i) * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps), p, m, v)

    return rule


def sgd_rule(rate):
    return lambda p, g, i: each(lambda p, g: p - rate(i) * g, p, g)


def constant(value):
    return lambda i: value


def lion(rate=0.01, b1=0.9, b2=0.99, decay=0.1):
    m = zeros()

    def rule(p, g, i):
        u = each(lambda m, g: np.sign(b1 * m + (1 - b1) * g), m, g)
        for n in names:
            m[n] = b2 * m[n] + (1 - b2) * g[n]
        return each(lambda p, u: p - rate * (u + decay * p), p, u)

    return rule


def adafactor(rate=0.01, relative=True):
    state = {}

    def rule(p, g, i):
        t, out = i + 1, {}
        beta = 1 - t**-0.8
        for n in names:
            q = g[n] ** 2 + 1e-30
            if q.ndim < 2:
                state[n] = beta * state.get(n, 0) + (1 - beta) * q
                v = state[n]
            else:
                order = np.argsort(q.shape, kind="stable")
                largest, second = int(order[-1]), int(order[-2])
                r, c = state.get(n, (0, 0))
                r = beta * r + (1 - beta) * q.mean(axis=largest, keepdims=True)
                c = beta * c + (1 - beta) * q.mean(axis=second, keepdims=True)
                state[n] = (r, c)
                v = r * c / r.mean(axis=second, keepdims=True)
            u = g[n] / np.sqrt(v)
            u = u / max(1.0, np.sqrt(np.mean(u**2)))
            size = min(rate, 1 / np.sqrt(t)) * max(1e-3, np.sqrt(np.mean(p[n] ** 2))) if relative else rate
            out[n] = p[n] - size * u
        return out

    return rule


def adan(rate=0.01, b1=0.98, b2=0.92, b3=0.99, eps=1e-8, decay=0.1):
    m, d, v = zeros(), zeros(), zeros()

    def rule(p, g, i):
        t = i + 1
        change = each(lambda g, before: g - before, g, grads[i - 1]) if i else zeros()
        for n in names:
            m[n] = b1 * m[n] + (1 - b1) * g[n]
            d[n] = b2 * d[n] + (1 - b2) * change[n]
            v[n] = b3 * v[n] + (1 - b3) * (g[n] + b2 * change[n]) ** 2
        return each(
            lambda p, m, d, v: (p - rate * (m / (1 - b1**t) + b2 * d / (1 - b2**t)) / (np.sqrt(v / (1 - b3**t)) + eps))
            / (1 + rate * decay),
            p,
            m,
            d,
            v,
        )

    return rule


def root(a, p):
    values, vectors = np.linalg.eigh(a)
    return (vectors * values ** (-1 / p)) @ vectors.T


def shampoo(rate=0.1, eps=1e-4, momentum=0.9, longest=1024):
    state, m = {}, zeros()

    def rule(p, g, i):
        out = {}
        for n in names:
            if g[n].ndim < 2:
                state[n] = state.get(n, eps) + g[n] ** 2
                step = g[n] / np.sqrt(state[n])
            else:
                x = g[n].reshape(-1, g[n].shape[-1])
                left, right = state.get(n, (eps * np.eye(x.shape[0]), eps * np.eye(x.shape[1])))
                left, right = left + x @ x.T, right + x.T @ x
                state[n] = (left, right)
                if x.shape[0] > longest:
                    step = x @ root(right, 2)
                else:
                    step = root(left, 4) @ x @ root(right, 4)
                step = step.reshape(g[n].shape)
            m[n] = momentum * m[n] + step
            out[n] = p[n] - rate * m[n]
        return out

    return rule


def qr(a):
    q, r = np.linalg.qr(a)
    return q * np.sign(np.diag(r))


def soap(rate=0.01, b1=0.9, b2=0.999, eps=1e-8, beta=0.95, frequency=2):
    m, v, sides = zeros(), zeros(), {}

    def rule(p, g, i):
        t, out = i + 1, {}
        for n in names:
            m[n] = b1 * m[n] + (1 - b1) * g[n]
            if g[n].ndim < 2:
                v[n] = b2 * v[n] + (1 - b2) * g[n] ** 2
                step = m[n] / (1 - b1**t) / (np.sqrt(v[n] / (1 - b2**t)) + eps)
            else:
                x, y = g[n].reshape(-1, g[n].shape[-1]), m[n].reshape(-1, g[n].shape[-1])
                rows, columns = x.shape
                left, right, ql, qr_ = sides.get(n, (0, 0, np.eye(rows), np.eye(columns)))
                v[n] = b2 * v[n] + (1 - b2) * ((ql.T @ x @ qr_) ** 2).reshape(g[n].shape)
                turned = (ql.T @ (y / (1 - b1**t)) @ qr_) / (np.sqrt(v[n].reshape(x.shape) / (1 - b2**t)) + eps)
                step = (ql @ turned @ qr_.T).reshape(g[n].shape)
                left, right = beta * left + (1 - beta) * x @ x.T, beta * right + (1 - beta) * x.T @ x
                if t % frequency == 0 or t == 1:
                    ql = qr(left @ ql + 1e-5 * np.linalg.norm(left) * ql)
                    qr_ = qr(right @ qr_ + 1e-5 * np.linalg.norm(right) * qr_)
                sides[n] = (left, right, ql, qr_)
            out[n] = p[n] - rate * step
        return out

    return rule


def newton_schulz(x):
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if turned else x


def muon(rate=0.02, momentum=0.95, adam=0.0003, b1=0.9, b2=0.95, eps=1e-10):
    m, v = zeros(), zeros()

    def rule(p, g, i):
        t, out = i + 1, {}
        for n in names:
            if g[n].ndim < 2:
                m[n] = b1 * m[n] + (1 - b1) * g[n]
                v[n] = b2 * v[n] + (1 - b2) * g[n] ** 2
                out[n] = p[n] - adam * (m[n] / (1 - b1**t)) / (np.sqrt(v[n] / (1 - b2**t)) + eps)
            else:
                m[n] = momentum * m[n] + g[n]
                u = (g[n] + momentum * m[n]).reshape(-1, g[n].shape[-1])
                scale = np.sqrt(max(1, u.shape[0] / u.shape[1]))
                out[n] = p[n] - rate * scale * newton_schulz(u).reshape(g[n].shape)
        return out

    return rule


def schedule_free(adam, rate, beta=0.9, b2=0.999, eps=1e-8, decay=0.01):
    x, z, v, weights = dict(first), dict(first), zeros(), 0.0
    states = [first]
    for i in range(steps):
        gamma = rate(i) * (np.sqrt(1 - b2 ** (i + 1)) if adam else 1)
        weights += gamma**2
        c = gamma**2 / weights
        for n in names:
            g, y = grads[i][n], states[-1][n]
            v[n] = b2 * v[n] + (1 - b2) * g**2
            z[n] = z[n] - gamma * ((g / (np.sqrt(v[n]) + eps) if adam else g) + decay * y)
            x[n] = (1 - c) * x[n] + c * z[n]
        states.append(each(lambda z, x: (1 - beta) * z + beta * x, z, x))
    return states


def prodigy(rate=1.0, b1=0.9, b2=0.999, eps=1e-8, d0=0.01):
    m, v, s = zeros(), zeros(), zeros()
    memory = {"d": d0, "r": 0.0}
    slow = np.sqrt(b2)

    def rule(p, g, i):
        d = memory["d"]
        for n in names:
            m[n] = b1 * m[n] + (1 - b1) * d * g[n]
            v[n] = b2 * v[n] + (1 - b2) * d**2 * g[n] ** 2
            s[n] = slow * s[n] + (1 - slow) * rate * d**2 * g[n]
        inner = sum(np.sum(g[n] * (first[n] - p[n])) for n in names)
        memory["r"] = slow * memory["r"] + (1 - slow) * rate * d**2 * inner
        memory["d"] = max(d, memory["r"] / sum(np.abs(s[n]).sum() for n in names))
        return each(lambda p, m, v: p - rate * d * m / (np.sqrt(v) + d * eps), p, m, v)

    return rule


def clipped_by_norm(inner, norm):
    def rule(p, g, i):
        length = np.sqrt(sum(np.sum(g[n] ** 2) for n in names))
        return inner(p, each(lambda g: g * min(1, norm / length), g), i)

    return rule


def look_ahead(inner, every, share):
    slow = dict(first)

    def rule(p, g, i):
        p = inner(p, g, i)
        if (i + 1) % every == 0:
            for n in names:
                slow[n] = slow[n] + share * (p[n] - slow[n])
            p = dict(slow)
        return p

    return rule


def accumulated(inner, every):
    total = zeros()

    def rule(p, g, i):
        for n in names:
            total[n] = total[n] + g[n]
        if (i + 1) % every:
            return p
        p = inner(p, each(lambda t: t / every, total), i // every)
        total.update(zeros())
        return p

    return rule


def decayed(inner, share):
    return lambda p, g, i: each(lambda after, before: after - share * before, inner(p, g, i), p)


def by_leaf(first_rule, names_of_first, rest):
    def rule(p, g, i):
        a, b = first_rule(p, g, i), rest(p, g, i)
        return {n: a[n] if n in names_of_first else b[n] for n in names}

    return rule


def cosine(value, n=100):
    return lambda i: value * (1 + np.cos(np.pi * i / n)) / 2


def warm_up(n, then):
    return lambda i: (i + 1) / n * then(0) if i < n else then(i - n)


write("nesterov", run(momentum_rule(constant(0.05), nesterov=True)))
write("lion", run(lion()))
write("adafactor", run(adafactor()))
write("adafactor_absolute", run(adafactor(relative=False)))
write("adan", run(adan()))
write("shampoo", run(shampoo()))
write("shampoo_one_side", run(shampoo(longest=8)))
write("soap", run(soap()))
write("muon", run(muon()))
write("schedule_free_sgd", schedule_free(False, warm_up(4, constant(0.1))))
write("schedule_free_adam", schedule_free(True, constant(0.01)))
write("prodigy", run(prodigy()))
write("clip_by_norm", run(clipped_by_norm(momentum_rule(constant(0.1)), 0.5)))
write("clip_by_value", run(lambda p, g, i: each(lambda p, g: p - 0.1 * np.clip(g, -0.2, 0.2), p, g)))
write("weight_decay", run(decayed(adam_rule(constant(0.01)), 0.001)))
write("look_ahead", run(look_ahead(adam_rule(constant(0.01)), 3, 0.5)))
write("accumulate", run(accumulated(adam_rule(cosine(0.01, 100 // 4)), 4)))
write("by_leaf", run(by_leaf(sgd_rule(constant(0.1)), ["b", "gain"], adam_rule(constant(0.01)))))
write("cosine", run(adam_rule(cosine(0.01))))
write("warm_up", run(sgd_rule(warm_up(5, cosine(0.1, 95)))))
