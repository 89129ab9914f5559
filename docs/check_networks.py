#!/usr/bin/env python3
"""Checks certificates as check_certificate.py and check_classes.py beside it do, and statements about the weights of
networks as well: every kind there is.

    python3 check_networks.py certificate.json ...

Intervals have Fractions as ends; nothing is rounded.
"""
import functools, math, sys
# its kinds are among those that are checked here
import check_classes
from fractions import Fraction as F
from check_certificate import KINDS, WORDS, convolved, correlated, flipped, fits, holds, keys, main, matrix, \
    number, parts, raised, vector

O = (F(0), F(0))

class Dual:
    """An interval, and intervals of its derivatives."""
    def __init__(self, value, slopes=()):
        self.value, self.slopes = value, dict(slopes)

    def __add__(self, o):
        every = set(self.slopes) | set(o.slopes)
        return Dual(plus(self.value, o.value), {i: plus(self.slopes.get(i, O), o.slopes.get(i, O)) for i in every})

    def __mul__(self, o):
        every = set(self.slopes) | set(o.slopes)
        return Dual(times(self.value, o.value), {i: plus(times(self.slopes.get(i, O), o.value),
                                                         times(self.value, o.slopes.get(i, O))) for i in every})

def plus(a, b):
    return a[0] + b[0], a[1] + b[1]

def times(a, b):
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)

def point(x):
    return Dual((F(x), F(x)))

def root(x, up):
    return F(math.isqrt((x.numerator << 400) // x.denominator) + 2 * up, 1 << 200)

def kkt_point(proof, data):
    keys(proof, "kind objective slope labels units groups active centre radii inverse scale distance")
    rows, y, S, K, units = data["samples"], proof["labels"], proof["active"], proof["groups"], proof["units"]
    N, D, slope, least = len(rows), len(rows[0].entries), number(proof["slope"]), proof["objective"] == "least-norm"
    fits(all(type(x) is list for x in (y, S, K, units)) and len(y) == N and S and K and N <= 2000)
    fits(all(type(n) is int for n in y + S) and set(y) <= {1, -1} and S == sorted(set(S)) and 0 <= S[0] and S[-1] < N)
    fits(least or proof["objective"] == "feedback")
    for group in K:
        keys(group, "sign gates")
        fits(type(group["sign"]) is int and abs(group["sign"]) == 1 and type(group["gates"]) is str)
        fits(len(group["gates"]) == N and set(group["gates"]) <= set("10k"))
    kinks = [(k, n) for k, group in enumerate(K) for n in range(N) if group["gates"][n] == "k"]
    first = len(S) + (len(K) if least else 0)
    size, inverse = first + len(kinks), proof["inverse"]
    fits(size <= 200 and size * len(K) * N <= 4000000 and type(inverse) is list and len(inverse) == size)
    lists = [proof["centre"], proof["radii"]] + inverse
    fits(all(type(x) is list and len(x) == size for x in lists))
    texts = [x for row in lists for x in row] + [proof["slope"], proof["scale"], proof["distance"]]
    for unit in units:
        keys(unit, "group hidden output")
        fits(type(unit["hidden"]) is list and len(unit["hidden"]) == D)
        texts += unit["hidden"] + [unit["output"]]
    fits(all(abs(p) + abs(m).bit_length() <= 4096 for m, p in map(parts, texts)) and max(r.bits() for r in rows) <= 4096)
    centre, radii, *inverse = [[number(x) for x in row] for row in lists]
    fits(all(u["group"] is None or type(u["group"]) is int and 0 <= u["group"] < len(K) for u in units))
    members = [[number(u["output"]) for u in units if u["group"] == k] for k in range(len(K))]
    fits(all(m and all(v * group["sign"] > 0 for v in m) for m, group in zip(members, K)), "signs of groups")
    holds(0 <= slope < 1 and all(r > 0 for r in radii), "0 <= slope < 1, radii > 0")
    gram = [[y[m] * y[n] * rows[m].dot(rows[n]) for n in range(N)] for m in S]

    def system(X):
        f, shares, products, squares, strengths = [point(0)] * N, [], [], [], []
        for k, group in enumerate(K):
            gate = [X[first + kinks.index((k, n))] if g == "k" else point(1 if g == "1" else slope)
                    for n, g in enumerate(group["gates"])]
            t = [point(y[m]) * X[i] * gate[m] for i, m in enumerate(S)]
            u = [functools.reduce(Dual.__add__, (t[i] * point(gram[i][n]) for i in range(len(S)))) for n in range(N)]
            square = functools.reduce(Dual.__add__, (t[i] * u[m] for i, m in enumerate(S)))
            c = X[len(S) + k] if least else point(F(27, 1024) * sum(b * b for b in members[k])) * square
            f = [f[n] if g == "k" else f[n] + point(y[n]) * c * gate[n] * u[n] for n, g in enumerate(group["gates"])]
            for values, value in zip((shares, products, squares, strengths), (t, u, square, c)):
                values.append(value)
        zeros = [f[n] + point(-1) for n in S] + [s + point(-1) for s in squares if least]
        return zeros + [products[k][n] for k, n in kinks], shares, products, squares, strengths, f

    zero = [z.value[0] for z in system([point(x) for x in centre])[0]]
    X = [Dual((m - r, m + r), {i: (F(1), F(1))}) for i, (m, r) in enumerate(zip(centre, radii))]
    zeros, shares, products, squares, strengths, f = system(X)
    for i, row in enumerate(inverse):
        reach = abs(sum(c * z for c, z in zip(row, zero)))
        for j in range(size):
            low, high = functools.reduce(plus, (times((-c, -c), z.slopes.get(j, O)) for c, z in zip(row, zeros)))
            reach += radii[j] * max(abs(low + (i == j)), abs(high + (i == j)))
        holds(reach < radii[i], "|C F(m)| + |I - C F'(X)| r < r (Krawczyk's test)")
    holds(all(x.value[0] > 0 for x in X[:first]), "multipliers and strengths > 0")
    holds(all(slope < x.value[0] and x.value[1] < 1 for x in X[first:]), "slope < gate on a kink < 1")
    fits(all(n in S for _, n in kinks))
    for k, group in enumerate(K):
        for n, g in enumerate(group["gates"]):
            sign = group["sign"] if g == "1" else -group["sign"]
            holds(g == "k" or times((sign, sign), products[k][n].value)[0] > 0, "gates are those of the preactivations")
    holds(all(f[n].value[0] > 1 for n in range(N) if n not in S), "margins of samples that are not active > 1")
    scale, distance, apart, length = number(proof["scale"]), number(proof["distance"]), F(0), F(0)
    for unit in units:
        w, v, k = [scale * number(x) for x in unit["hidden"]], number(unit["output"]), unit["group"]
        if k is None:
            apart += sum(x * x for x in w) + (least and (scale * v) ** 2)
            continue
        total, s = sum(m * m for m in members[k]), strengths[k].value
        factor = times((v, v), (root(s[0] / total, 0), root(s[1] / total, 1))) if least else (v * 3 / 8, v * 3 / 8)
        for d in range(D):
            x = functools.reduce(plus, (times(t.value, (y[m] * rows[m][d],) * 2) for t, m in zip(shares[k], S)))
            apart += max(abs(end - w[d]) for end in times(factor, x)) ** 2
        apart += least and max(abs(end - scale * v) for end in factor) ** 2
        length += times(times(factor, factor), squares[k].value)[0] + (least and times(factor, factor)[0])
    holds(distance >= 0 and apart <= distance ** 2 * length, "|scale theta - theta*| <= distance |theta*|")

def feedback_margin(proof, data):
    keys(proof, "kind slope labels earlier later")
    y, slope, rows = proof["labels"], number(proof["slope"]), data["samples"]
    fits(type(y) is list and all(type(s) is int and s in (1, -1) for s in y) and len(y) == len(rows) and slope >= 0)

    def measures(weights):
        keys(weights, "hidden output")
        hidden = matrix(weights["hidden"])
        output = vector(weights["output"], len(hidden))
        fits(len(hidden[0].entries) == len(rows[0].entries))
        fits(max(w.bits() for w in hidden) * len(hidden) * len(rows) * len(rows[0].entries) <= 1 << 33)
        seen = [[s * w.dot(row) for w in hidden] for s, row in zip(y, rows)]
        passed = [[a if a > 0 else slope * a for a in line] for line in seen]
        margins = [s * sum(output[j] * h for j, h in enumerate(line)) for s, line in zip(y, passed)]
        return min(margins), output.dot(output)

    (before, early), (after, late) = measures(proof["earlier"]), measures(proof["later"])
    after -= F(6931472, 10000000) * (len(rows) - 1).bit_length()
    holds(before > 0 and after > 0 and after ** 4 * early ** 3 >= before ** 4 * late ** 3, "the margin has not fallen")

def falling(x):
    """e^-x, x >= 0, from below and from above."""
    if x >= 64:
        return F(0), F(1, 1 << 92)
    y, total, term, k = x / 128, F(0), F(1), 0
    while k < 40:  # y < 1/2: what follows is less than the next term, 2^-40/40! < 2^-190
        total, k, term = total + term, k + 1, -term * y / (k + 1)
        term = F(round(term * 2 ** 260), 1 << 260)
    ends = [total - F(1, 1 << 180), min(total + F(1, 1 << 180), F(1))]
    for _ in range(7):
        ends = [F(math.floor(ends[0] ** 2 * 2 ** 220), 1 << 220), F(math.ceil(ends[1] ** 2 * 2 ** 220), 1 << 220)]
    return tuple(ends)

def loss_rises(proof, data):
    keys(proof, "kind layers")
    b, rows, L, D = data["feedback"], data["samples"], len(data["feedback"]) + 1, len(data["samples"][0].entries)
    fits(type(proof["layers"]) is list and len(proof["layers"]) == L and 2 <= L <= 5 and len(rows) <= 64 and D <= 256)
    w = [vector(one, D) for one in proof["layers"]]
    one, sides = raised(w[0], 0), (root(F(D), 0), root(F(D), 1))
    beta = functools.reduce(convolved, w)
    margins = [row.dot(beta) for row in rows]
    apart = [(m - min(margins)) / D ** (L // 2) for m in margins]
    ends = [(x, x) if L % 2 else times((x, x), sides) for x in apart]
    alpha = [(falling(high)[0], falling(low)[1]) for low, high in ends]
    rate = (F(0), F(0))
    for l in range(L):
        factors = [correlated(x) for x in w[:l]] + [flipped(x) for x in b[l:l + 1]] + w[l + 1:]
        kernel = functools.reduce(convolved, factors, one)
        fits((kernel.bits() + max(row.bits() for row in rows)) * len(rows) * D <= 1 << 24)
        roots = functools.reduce(times, [sides] * (L - 2 - l), (F(1), F(1)))
        for g, own in zip(rows, alpha):
            pulled = convolved(kernel, g)
            for h, other in zip(rows, alpha):
                rate = plus(rate, times((h.dot(pulled),) * 2, times(roots, times(own, other))))
    holds(rate[1] < 0, "sum_n exp(-m_n) dm_n/dt < 0")

KINDS.update({"kkt-point": kkt_point, "feedback-margin": feedback_margin, "loss-rises": loss_rises})
WORDS["loss-rises"] = "613e6bcf3e2643a8"

if __name__ == "__main__":
    sys.exit(max(map(main, sys.argv[1:]), default=2))
