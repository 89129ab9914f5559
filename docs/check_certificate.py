#!/usr/bin/env python3
"""Checks certificates of marginflow, independently of it: Python's standard library and exact integers only.

    python3 check_certificate.py certificate.json ...

One line per statement. Exit code 0: all are proved. 1: some are not. 65: not a certificate. 74: unreadable.
docs/certificates.md says what the statements mean and why the inequalities below prove them. Numbers are integers
times powers of two, written -0x1fp-3; here they are Fractions, and vectors are lists of integers over one power of two.
"""
import json, math, re, sys
from fractions import Fraction as F

FORMAT = "marginflow-certificate/1"
NUMBER = re.compile(r"(-?)0x([0-9a-f]{1,4096})p([+-])([0-9]{1,5})")
PRECISION, GUARD = 160, 64
PSI = "psi(beta) psi*(sum_n a_n g_n) <= (1 + gap) min_n g_n·beta sum_n a_n"
SVM = ("The direction Z = sum_n a_n g_n, and those listed, are within these gaps and angles of the hard-margin support "
       "vector machine of the rows: the minimiser of |beta|_2 subject to g_n·beta >= 1.")
POWER = ("and those listed, are within these gaps and angles of the minimiser of sum_d W_d^(-1/(q-1)) "
         "|beta_d|^(q/(q-1)) subject to g_n·beta >= 1, where ")
WEIGHTS = "q = 2^L and W_d = prod_k |b_k[d]|^(2^(L-k))."
SUM = "The directions listed are within these gaps of the least sum_d |beta_d| subject to g_n·beta >= 1"
UNITARY = "entries of unitary Fourier transforms, "
NORMS = {
    "euclidean": SVM,
    "entries-power": "The direction W Z^(q-1), Z = sum_n a_n g_n, " + POWER + WEIGHTS,
    "frequencies-power": "The direction with the transform W |Z|^(q-2) Z, Z = sum_n a_n g_n, " + POWER
                         + "beta_d, b_k[d] are " + UNITARY + WEIGHTS,
    "entries-sum": SUM + ".",
    "frequencies-sum": SUM + ", where beta_d are entries of the unitary Fourier transform.",
}


class NotProved(Exception):
    pass


def holds(inequality, text):
    if not inequality:
        raise NotProved("this does not hold: " + text)


def wellformed(condition, text="the parts do not fit together"):
    if not condition:
        raise NotProved(text)


def parts(text):
    """Mantissa and power of two."""
    match = NUMBER.fullmatch(text) if type(text) is str else None
    wellformed(match and text.isascii() and int(match[4]) <= 16384, "not a number: %.40r" % (text,))
    mantissa = int(match[2], 16)
    return (-mantissa if match[1] else mantissa), int(match[3] + match[4])


def number(text):
    mantissa, power = parts(text)
    return F(mantissa << max(power, 0), 1 << max(-power, 0))


class Vector:
    """entries * 2^power."""

    def __init__(self, entries, power):
        self.entries, self.power, self.unit = entries, power, F(2) ** power

    def __getitem__(self, i):
        return self.entries[i] * self.unit

    def dot(self, other):
        return sum(x * y for x, y in zip(self.entries, other.entries)) * self.unit * other.unit

    def bits(self):
        return max(x.bit_length() for x in self.entries)


def small(bits, limit=1 << 26):
    wellformed(bits <= limit, "larger than this checker takes on")


def vector(texts, length=None, sign=False):
    wellformed(type(texts) is list and (length is None or len(texts) == length))
    pairs = [parts(text) for text in texts]
    power = min((p for m, p in pairs if m), default=0)
    small(sum(m.bit_length() + p - power for m, p in pairs if m), 1 << 28)
    holds(not sign or all(m >= 0 for m, _ in pairs), "weights >= 0")
    return Vector([m << (p - power) if m else 0 for m, p in pairs], power)


def matrix(rows):
    wellformed(type(rows) is list and rows and all(type(row) is list for row in rows) and rows[0])
    wellformed(all(len(row) == len(rows[0]) for row in rows), "rows of different lengths")
    flat, width = vector([x for row in rows for x in row]), len(rows[0])
    return [Vector(flat.entries[i:i + width], flat.power) for i in range(0, len(flat.entries), width)]


def combination(rows, a):
    sums = [0] * len(rows[0].entries)
    for row, weight in zip(rows, a.entries):
        if weight:
            sums = [s + weight * x for s, x in zip(sums, row.entries)]
    return Vector(sums, rows[0].power + a.power)


def margin(rows, beta):
    least = min(sum(x * y for x, y in zip(row.entries, beta.entries)) for row in rows)
    holds(least > 0, "min_n g_n·beta > 0")
    return least * rows[0].unit * beta.unit


def convolved(x, y):
    """Circular convolution, as one product of integers."""
    length = len(x.entries)
    width = (x.bits() + y.bits() + length.bit_length() + 2 + 7) // 8
    small(16 * width * length, 1 << 23)

    def packed(entries):
        digits = [0] * len(entries)
        carry = 0
        for i, e in enumerate(entries):
            carry, digits[i] = divmod(e + carry, 1 << 8 * width)
        joined = b"".join(d.to_bytes(width, "little") for d in digits)
        return int.from_bytes(joined, "little") + (carry << 8 * width * len(entries))

    product = packed(x.entries) * packed(y.entries) + (1 << 16 * width * length + 8 * width)
    digits = product.to_bytes(width * (2 * length + 3), "little")
    sums, carry = [0] * length, 0
    for i in range(2 * length):
        digit = int.from_bytes(digits[i * width:(i + 1) * width], "little") + carry
        carry = digit >> (8 * width - 1)
        sums[i % length] += digit - (carry << 8 * width)
    return Vector(sums, x.power + y.power)


def correlated(x):
    return convolved(x, Vector(x.entries[:1] + x.entries[:0:-1], x.power))


def raised(x, power):
    result = Vector([1] + [0] * (len(x.entries) - 1), 0)
    for _ in range(power):
        result = convolved(result, x)
    return result


def arccot(x, one):
    term, total, k = one // x, one // x, 1
    while term:
        term, k = abs(term) // (x * x) * (1 if term < 0 else -1), k + 2
        total += term // k
    return total


def moduli(x):
    """Pairs of bounds of |X_d|^2, d = 0 … D/2, of the transform without a factor."""
    length = len(x.entries)
    wellformed(length <= 2048 and x.bits() * length ** 2 <= 1 << 33, "larger than this checker takes on")
    one = 1 << PRECISION + GUARD
    pi = 4 * (4 * arccot(5, one) - arccot(239, one))
    table = []
    for j in range(length):
        angle, term, k, series = 2 * pi * j // length, one, 0, [0, 0, 0, 0]
        while term:
            series[k % 4] += term
            k += 1
            term = (term * angle >> PRECISION + GUARD) // k
        table.append((series[0] - series[2] >> GUARD, series[1] - series[3] >> GUARD))
    error, unit, bounds = sum(map(abs, x.entries)), x.unit ** 2 / F(4) ** PRECISION, []
    for d in range(length // 2 + 1):
        re = abs(sum(e * table[j * d % length][0] for j, e in enumerate(x.entries)))
        im = abs(sum(e * table[j * d % length][1] for j, e in enumerate(x.entries)))
        low = max(re - error, 0) ** 2 + max(im - error, 0) ** 2
        bounds.append((low * unit, (re + error) ** 2 + (im + error) ** 2, unit))
    return bounds


def above(bound):
    """|X_d| from above."""
    _, square, unit = bound
    scale = math.isqrt(unit.denominator)
    return F(math.isqrt(square) + 1) * (math.isqrt(unit.numerator) if scale == 1 else F(1, scale))


def multiplicity(d, length):
    return 1 if d == 0 or 2 * d == length else 2


def sines(angle):
    holds(0 <= angle <= F(14, 10), "0 <= angle <= 1.4")
    return angle - angle ** 3 / 6


def within(u, v, angle):
    product, squares = u.dot(v), u.dot(u) * v.dot(v)
    return product > 0 and squares - product ** 2 <= sines(angle) ** 2 * squares


class LeastNorm:
    FIELDS = {"norm", "features", "multipliers", "gap", "angle", "directions"}

    def words(self, proof):
        return NORMS.get(proof["norm"] if type(proof["norm"]) is str else None), PSI

    def verify(self, proof, data):
        self.norm, self.b = proof["norm"], data["feedback"]
        rows = data["samples"] if proof["features"] is None else matrix(proof["features"])
        wellformed(proof["features"] is None or self.norm == "euclidean")
        self.rows, self.D, self.L = rows, len(rows[0].entries), len(self.b) + 1
        a = vector(proof["multipliers"], len(rows), sign=True)
        self.total, self.z = sum(a.entries) * a.unit, combination(rows, a)
        holds(self.total > 0, "sum_n a_n > 0")
        self.q = 2 if self.norm == "euclidean" else 2 ** self.L
        wellformed(self.q <= 32, "larger than this checker takes on")
        self.ray = ray = self.exact()
        gap, angle = proof["gap"], proof["angle"]
        wellformed((ray is None) == (gap is None) and (gap is not None or angle is None))
        if ray:
            self.product = ray.dot(self.z)
            small(self.product.numerator.bit_length() * self.q ** 2 // 2)
            gap = self.gap(gap)
            holds(self.product <= (1 + gap) * margin(rows, ray) * self.total, "gap of the exact direction")
        if angle is not None:
            holds(self.near(gap, number(angle)), "angle of the exact direction")
        wellformed(type(proof["directions"]) is list and (ray or proof["directions"]), "nothing is claimed")
        for direction in proof["directions"]:
            self.judge(direction, angle)
        return "gap %s, angle %s, %d directions" % (show(gap), show(angle and number(angle)), len(proof["directions"]))

    def gap(self, text):
        gap = number(text)
        holds(gap >= 0, "gap >= 0")
        return gap

    def exact(self):
        """The direction in which Hölder's inequality is an equality; s max W."""
        if self.norm == "euclidean":
            self.largest = F(1)
            return self.z
        if self.norm == "entries-power":
            self.weights = [F(1)] * self.D
            for k, b in enumerate(self.b, 1):
                self.weights = [w * b[d] ** 2 ** (self.L - k) for d, w in enumerate(self.weights)]
            self.largest = max(self.weights)
            power = min(-(w.denominator.bit_length() - 1) for w in self.weights)
            integers = Vector([int(w / F(2) ** power) for w in self.weights], power)
            small((integers.bits() + self.z.bits()) * self.D * self.q)
            return Vector([w * z ** (self.q - 1) for w, z in zip(integers.entries, self.z.entries)],
                          power + (self.q - 1) * self.z.power)
        if self.norm == "frequencies-power":
            kernel = Vector([1] + [0] * (self.D - 1), 0)
            for k, b in enumerate(self.b, 1):
                kernel = convolved(kernel, raised(correlated(b), 2 ** (self.L - k - 1)))
            self.largest = sum(map(abs, kernel.entries)) * kernel.unit * self.D ** (self.q // 2 - 1)
            return convolved(convolved(kernel, raised(correlated(self.z), self.q // 2 - 1)), self.z)

    def near(self, gap, angle):
        excess, sine, q = 2 * gap + gap ** 2, sines(angle) ** 2, self.q
        if q == 2:
            return excess <= sine * (1 + gap) ** 2
        small((self.product.numerator.bit_length() + sine.numerator.bit_length()) * 2 * q)
        left = (2 * excess * (q - 1)) ** (q // 2) * self.largest * self.product ** (q - 1)
        return left <= (sine * self.ray.dot(self.ray)) ** (q // 2)

    def judge(self, direction, own):
        wellformed(type(direction) is dict and set(direction) == {"name", "beta", "gap", "angle", "radii"})
        wellformed(type(direction["name"]) is str and type(direction["radii"]) is list)
        beta = vector(direction["beta"], self.D)
        product = margin(self.rows, beta) * self.total
        wellformed(direction["gap"] is not None or not direction["radii"], "radii go with a gap")
        wellformed("power" in self.norm or not direction["radii"], "radii go with power norms")
        if direction["gap"] is not None:
            left, right, power = self.sides(direction, beta, product)
            holds(left <= (1 + self.gap(direction["gap"])) ** power * right, "gap of " + direction["name"])
        if direction["angle"] is not None:
            wellformed(own is not None, "an angle goes with an exact direction")
            rest = number(direction["angle"]) - number(own)
            holds(rest >= 0 and within(beta, self.ray, rest), "angle of " + direction["name"])

    def sides(self, direction, beta, product):
        if self.norm == "euclidean":
            return beta.dot(beta) * self.product, product ** 2, 2
        if self.norm == "entries-sum":
            return sum(map(abs, beta.entries)) * beta.unit * max(map(abs, self.z.entries)) * self.z.unit, product, 1
        if self.norm == "frequencies-sum":
            total = sum(above(b) * multiplicity(d, self.D) for d, b in enumerate(moduli(beta)))
            return total * max(map(above, moduli(self.z))), product * self.D, 1
        q, scale = self.q, 1
        if self.norm == "entries-power":
            shares = [(abs(beta[d]), w, 1) for d, w in enumerate(self.weights)]
        else:
            bounds, scale = [moduli(b) for b in self.b], self.D ** (self.q - 1)
            shares = [(above(b), math.prod(c[d][0] ** 2 ** (self.L - k - 1) for k, c in enumerate(bounds, 1)),
                       multiplicity(d, self.D)) for d, b in enumerate(moduli(beta))]
        radii = vector(direction["radii"], len(shares), sign=True)
        small(radii.bits() * len(shares) * q)
        holds(all(w * radii[d] ** (q - 1) >= size for d, (size, w, _) in enumerate(shares)), "W_d r_d^(q-1) >= |beta_d|")
        total = sum(size * radii[d] * count for d, (size, _, count) in enumerate(shares))
        small((total.numerator.bit_length() + product.numerator.bit_length()) * 4 * q)
        return total ** (q - 1) * self.product, product ** q * scale, q


class Separable:
    FIELDS = {"beta"}

    def words(self, proof):
        return ("The samples are linearly separable: this direction classifies every one of them.",
                "min_n g_n·beta > 0")

    def verify(self, proof, data):
        margin(data["samples"], vector(proof["beta"], len(data["samples"][0].entries)))
        return "separable"


class NonSeparable:
    FIELDS = {"multipliers"}

    def words(self, proof):
        return ("No hyperplane through the origin separates the samples: a combination of them with non-negative "
                "weights, not all zero, vanishes.", "a >= 0, a != 0, sum_n a_n g_n = 0")

    def verify(self, proof, data):
        a = vector(proof["multipliers"], len(data["samples"]), sign=True)
        holds(any(a.entries), "a != 0")
        holds(not any(combination(data["samples"], a).entries), "sum_n a_n g_n = 0")
        return "not separable"


KINDS = {"least-norm": LeastNorm, "separable": Separable, "non-separable": NonSeparable}


def show(x):
    return "none" if x is None else "%.1e" % x


def unique(pairs):
    wellformed(len({key for key, _ in pairs}) == len(pairs), "a key occurs twice")
    return dict(pairs)


def check(document):
    wellformed(set(document) == {"format", "scenario", "scenario_sha256", "data", "statements"})
    wellformed(type(document["scenario"]) is str and type(document["scenario_sha256"]) is str)
    data, statements = document["data"], document["statements"]
    wellformed(type(data) is dict and set(data) == {"signed_samples", "feedback"})
    wellformed(type(statements) is list and statements, "no statements: nothing is claimed")
    samples = matrix(data["signed_samples"])
    wellformed(type(data["feedback"]) is list and len(data["feedback"]) <= 7)
    exact = {"samples": samples, "feedback": [vector(b, len(samples[0].entries)) for b in data["feedback"]]}
    for statement in statements:
        wellformed(type(statement) is dict and set(statement) == {"claim", "inequality", "proof"})
        proof = statement["proof"]
        wellformed(type(proof) is dict and type(proof.get("kind")) is str and proof["kind"] in KINDS, "unknown kind")
        kind = KINDS[proof["kind"]]()
        wellformed(set(proof) == kind.FIELDS | {"kind"})
        words = kind.words(proof)
        wellformed((statement["claim"], statement["inequality"]) == words, "the words are not those of this kind")
        yield proof["kind"] + ": " + kind.verify(proof, exact)


def main(path):
    try:
        text = open(path, "rb").read()
    except OSError as error:
        print("%s: %s" % (path, error))
        return 74
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except NotProved as why:
        print("%s: NOT PROVED: %s" % (path, why))
        return 1
    except (ValueError, RecursionError):
        document = None
    if type(document) is not dict or document.get("format") != FORMAT:
        print("%s: not a certificate" % path)
        return 65
    try:
        for line in check(document):
            print("%s: proved: %s" % (path, line))
    except (NotProved, OverflowError) as why:
        print("%s: NOT PROVED: %s" % (path, why))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(max(map(main, sys.argv[1:]), default=2))
