#!/usr/bin/env python3
"""Checks certificates as check_certificate.py beside it does, and of networks with several outputs as well.

    python3 check_classes.py certificate.json ...

Labels are classes, and a sample x_n of class c stands for the rows (e_c - e_k) (x) x_n, k != c: they are made here.
"""
import sys
from fractions import Fraction as F
from check_certificate import KINDS, READERS, WORDS, Vector, combination, fits, holds, keys, main, margin, matrix, \
    number, sine, vector

class Row(Vector):
    """(e_own - e_other) (x) x, class after class."""

    def __init__(self, x, own, other, outputs):
        self.x, self.own, self.other, self.outputs, self.power, self.unit = x, own, other, outputs, x.power, x.unit

    @property
    def entries(self):
        zero = [0] * len(self.x.entries)
        of = {self.own: self.x.entries, self.other: [-e for e in self.x.entries]}
        return [e for k in range(self.outputs) for e in of.get(k, zero)]

    def dot(self, beta):
        D = len(self.x.entries)
        own, other = (beta.entries[k * D:(k + 1) * D] for k in (self.own, self.other))
        return sum(e * (b - c) for e, b, c in zip(self.x.entries, own, other)) * self.unit * beta.unit

    def bits(self):
        return self.x.bits()

def reader(stored):
    keys(stored["classes"], "outputs labels")
    C, labels = stored["classes"]["outputs"], stored["classes"]["labels"]
    fits(type(C) is int and 2 <= C <= 1024 and type(labels) is list)
    fits(all(type(c) is int and 0 <= c < C for c in labels))

    def rows(texts):
        samples = matrix(texts)
        fits(len(labels) == len(samples) and len(samples) * len(samples[0].entries) * C <= 1 << 26)
        return [Row(x, c, k, C) for x, c in zip(samples, labels) for k in range(C) if k != c]

    return {"rows": rows, "samples": rows(stored["signed_samples"]), "outputs": C}

def dual(proof, data):
    fits(data["outputs"] > 1, "a norm of matrices goes with classes")
    a = vector(proof["multipliers"], len(data["samples"]), True)
    total, z = sum(a.entries) * a.unit, combination(data["samples"], a)
    holds(total > 0, "sum_r a_r > 0")
    D = len(z.entries) // data["outputs"]
    vectors = [z.entries[i:i + D] for i in range(0, len(z.entries), D)]
    return total, z, vectors, D

def products(left, right):
    return [[sum(x * y for x, y in zip(v, w)) for w in right] for v in left]

def turned(rows):
    return [list(column) for column in zip(*rows)]

def least_schatten(proof, data):
    keys(proof, "kind depth multipliers gap angle directions")
    L = proof["depth"]
    fits(type(L) is int and 2 <= L <= 5 and type(proof["directions"]) is list)
    total, z, columns, D = dual(proof, data)
    q, short = 2 ** L, min(D, len(columns))
    fits(short ** 2 * (D + len(columns)) * max(z.bits() * q, 1) <= 1 << 32)
    if D < len(columns):  # (Z Z^T)^k Z
        columns, gram = turned(columns), products(turned(columns), turned(columns))
    else:
        gram = products(columns, columns)
    for _ in range(q // 2 - 1):
        columns = products(gram, turned(columns))
    if D < len(z.entries) // D:
        columns = turned(columns)
    ray = Vector([x for column in columns for x in column], z.power * (q - 1))
    product, gap = ray.dot(z), number(proof["gap"])
    fits(product.numerator.bit_length() * q * q <= 1 << 27)
    holds(0 <= gap and product <= (1 + gap) * margin(data["samples"], ray) * total, "gap of the exact direction")
    angle = proof["angle"] if proof["angle"] is None else number(proof["angle"])
    if angle is not None:
        left = (2 * (2 * gap + gap ** 2) * (q - 1)) ** (q // 2) * product ** (q - 1)
        holds(left <= (sine(angle) ** 2 * ray.dot(ray)) ** (q // 2), "angle of the exact direction")
    for one in proof["directions"]:
        keys(one, "name beta angle")
        fits(type(one["name"]) is str and angle is not None, "an angle goes with one of the exact direction")
        beta, rest = vector(one["beta"], len(z.entries)), number(one["angle"]) - angle
        inner, squares = beta.dot(ray), beta.dot(beta) * ray.dot(ray)
        holds(inner > 0 and squares - inner ** 2 <= sine(rest) ** 2 * squares, "angle of %.60a" % one["name"])

def is_semidefinite(m):
    """L D L^T in fractions."""
    for k in range(len(m)):
        if m[k][k] < 0 or (m[k][k] == 0 and any(m[k][k + 1:])):
            return False
        for i in range(k + 1, len(m)) if m[k][k] else ():
            factor = F(m[i][k]) / m[k][k]
            m[i] = [x - factor * y for x, y in zip(m[i], m[k])]
    return True

def least_nuclear(proof, data):
    keys(proof, "kind multipliers bound directions")
    total, z, columns, D = dual(proof, data)
    C, bound = len(columns), number(proof["bound"])
    holds(bound > 0, "bound > 0")
    fits(type(proof["directions"]) is list and proof["directions"], "nothing is claimed")
    vectors, short = (columns if C <= D else turned(columns)), min(C, D)
    bits = 2 * z.bits() + sum(x.bit_length() for x in ((bound / z.unit) ** 2).as_integer_ratio())
    fits(short ** 2 * max(C, D) * max(z.bits(), 1) <= 1 << 32 and short ** 4 * bits <= 1 << 32)
    square = (bound / z.unit) ** 2
    rest = [[(i == j) * square - x for j, x in enumerate(row)] for i, row in enumerate(products(vectors, vectors))]
    holds(is_semidefinite(rest), "bound^2 - Z^T Z is semidefinite")
    for one in proof["directions"]:
        keys(one, "name left right gap")
        fits(type(one["name"]) is str)
        left, right, gap = matrix(one["left"]), matrix(one["right"]), number(one["gap"])
        fits(len(left) == D and len(right) == C and len(left[0].entries) == len(right[0].entries))
        longest = max(x.bits() for x in left) + max(x.bits() for x in right)
        fits(len(z.entries) * len(left[0].entries) * max(longest, 1) <= 1 << 32)
        beta = Vector([sum(x * y for x, y in zip(u.entries, v.entries)) for v in right for u in left],
                      left[0].power + right[0].power)
        squares = sum(row.dot(row) for row in left + right)
        holds(gap >= 0 and squares * bound <= 2 * (1 + gap) * margin(data["samples"], beta) * total,
              "gap of %.60a" % one["name"])

READERS["classes feedback signed_samples"] = reader
KINDS.update({"least-schatten": least_schatten, "least-nuclear": least_nuclear})
WORDS.update({"least-schatten": "688b5ee918cfd199", "least-nuclear": "e5e1f49368a59fd7"})

if __name__ == "__main__":
    sys.exit(max(map(main, sys.argv[1:]), default=2))
