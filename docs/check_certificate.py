#!/usr/bin/env python3
"""Checks certificates of marginflow, independently of it: Python's standard library and exact integers only.

    python3 check_certificate.py certificate.json ...

One line per statement. Exit code 0: all proved; 1: not; 65: not a certificate; 74: unreadable. docs/certificates.md
says what statements mean and why the inequalities prove them. Numbers -0x1fp-3 are integers times powers of two:
Fractions here; vectors are lists of integers over one power of two.
"""
import hashlib, json, math, re, sys
from fractions import Fraction as F

FORMAT = "marginflow-certificate/1"
NUMBER = re.compile(r"(-?)0x([0-9a-f]{1,4096})p([+-][0-9]{1,5})", re.ASCII)
BITS, LONGEST = 224, 1 << 28  # of cosines, of which 64 may be wrong; bytes of a file

class NotProved(Exception):
    pass

def holds(condition, text):
    if not condition:
        raise NotProved("this does not hold: " + text)

def fits(condition, text="the parts do not fit together, or are larger than this checker takes on"):
    if not condition:
        raise NotProved(text)

def keys(table, names):
    fits(type(table) is dict and set(table) == set(names.split()), "keys other than " + names)

def parts(text):
    match = NUMBER.fullmatch(text) if type(text) is str else None
    fits(match and abs(int(match[3])) <= 16384, "not a number: %.40a" % (text,))
    return int(match[1] + match[2], 16), int(match[3])

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

def vector(texts, length=None, weights=False):
    fits(type(texts) is list and length in (None, len(texts)))
    pairs = [parts(text) for text in texts]
    power = min((p for m, p in pairs if m), default=0)
    fits(sum(m.bit_length() + p - power for m, p in pairs if m) <= 1 << 28)
    holds(not weights or all(m >= 0 for m, _ in pairs), "weights >= 0")
    return Vector([m << (p - power) if m else 0 for m, p in pairs], power)

def matrix(rows):
    fits(type(rows) is list and rows and all(type(r) is list and len(r) == len(rows[0]) > 0 for r in rows))
    flat, width = vector([x for row in rows for x in row]), len(rows[0])
    return [Vector(flat.entries[i:i + width], flat.power) for i in range(0, len(flat.entries), width)]

def combination(rows, a):
    pairs = [(w, r.entries) for w, r in zip(a.entries, rows) if w] or [(0, rows[0].entries)]
    return Vector([sum(w * r[d] for w, r in pairs) for d in range(len(rows[0].entries))], rows[0].power + a.power)

def margin(rows, beta):
    least = min(row.dot(beta) for row in rows)
    holds(least > 0, "min_n g_n·beta > 0")
    return least

def convolved(x, y):
    n, other = len(x.entries), y.entries[::-1] * 2
    fits((x.bits() + y.bits()) * 2 * n <= 1 << 23)
    return Vector([sum(a * b for a, b in zip(x.entries, other[n - 1 - k:2 * n - 1 - k])) for k in range(n)],
                  x.power + y.power)

def correlated(x):
    return convolved(x, flipped(x))

def flipped(x):
    return Vector(x.entries[:1] + x.entries[:0:-1], x.power)

def raised(x, power):
    return convolved(raised(x, power - 1), x) if power else Vector([1] + [0] * (len(x.entries) - 1), 0)

def arccot(x, one):
    total = term = one // x
    for k in range(3, 999, 2):
        term = -(term // (x * x)) if term > 0 else -term // (x * x)
        total += term // k
    return total

def moduli(x):
    """|X_d|^2 from below, |X_d| from above, and how many, d = 0 … D/2; transform without a factor."""
    n, one, bounds = len(x.entries), 1 << BITS, []
    fits(n <= 2048 and x.bits() * n * n <= 1 << 33)
    turn = 8 * (4 * arccot(5, one) - arccot(239, one))
    table = []
    for j in range(n):
        series, term, k = [0, 0, 0, 0], one, 0
        while term:
            series[k % 4] += term
            k, term = k + 1, (term * (turn * j // n) >> BITS) // (k + 1)
        table.append((series[0] - series[2] >> 64, series[1] - series[3] >> 64))
    error, unit = sum(map(abs, x.entries)), x.unit / 2 ** (BITS - 64)
    for d in range(n // 2 + 1):
        re, im = (abs(sum(e * table[j * d % n][i] for j, e in enumerate(x.entries) if e)) for i in (0, 1))
        square = (re + error) ** 2 + (im + error) ** 2
        bounds.append(((max(re - error, 0) ** 2 + max(im - error, 0) ** 2) * unit ** 2,
                       (math.isqrt(square) + 1) * unit, 1 if d == 0 or 2 * d == n else 2))
    return bounds

def sine(angle):
    holds(0 <= angle <= F(14, 10), "0 <= angle <= 1.4")
    return angle - angle ** 3 / 6

def least_norm(proof, data):
    keys(proof, "kind norm features multipliers gap angle directions")
    norm, b, features = proof["norm"], data["feedback"], proof["features"]
    rows = data["samples"] if features is None else data["rows"](features)
    fits(norm == "euclidean" or features is None and data["outputs"] == 1, "features, and classes: euclidean norm only")
    a, D, L = vector(proof["multipliers"], len(rows), True), len(rows[0].entries), len(b) + 1
    total, z, q = sum(a.entries) * a.unit, combination(rows, a), 2 if norm == "euclidean" else 2 ** L
    holds(total > 0, "sum_n a_n > 0")
    fits(q <= 32)
    ray, largest, weights = exact(norm, z, b, q)
    gap, angle = (x if x is None else number(x) for x in (proof["gap"], proof["angle"]))
    fits((ray is None) == (gap is None) and (ray or angle is None) and type(proof["directions"]) is list)
    fits(ray or proof["directions"], "nothing is claimed")
    if ray:
        product = ray.dot(z)
        fits(product.numerator.bit_length() * q * q <= 1 << 27)
        holds(0 <= gap and product <= (1 + gap) * margin(rows, ray) * total, "gap of the exact direction")
    if angle is not None:
        excess, square = 2 * gap + gap ** 2, sine(angle) ** 2
        near = excess <= square * (1 + gap) ** 2 if q == 2 else (
            (2 * excess * (q - 1)) ** (q // 2) * largest * product ** (q - 1) <= (square * ray.dot(ray)) ** (q // 2))
        holds(near, "angle of the exact direction")
    for one in proof["directions"]:
        keys(one, "name beta gap angle radii")
        fits(type(one["name"]) is str and type(one["radii"]) is list)
        fits(not one["radii"] or (one["gap"] is not None and "power" in norm), "radii go with gaps of power norms")
        beta = vector(one["beta"], D)
        right, power = margin(rows, beta) * total, 1
        if one["gap"] is not None:
            if norm == "euclidean":
                left, right, power = beta.dot(beta) * product, right ** 2, 2
            elif norm == "entries-sum":
                left = sum(map(abs, beta.entries)) * beta.unit * max(map(abs, z.entries)) * z.unit
            elif norm == "frequencies-sum":
                left, right = sum(m * n for _, m, n in moduli(beta)) * max(m for _, m, _ in moduli(z)), right * D
            else:
                shares, scale = [(abs(beta[d]), 1, w) for d, w in enumerate(weights or ())], 1
                if norm == "frequencies-power":
                    below, scale = [moduli(x) for x in b], D ** (q - 1)
                    shares = [(m, n, math.prod(c[d][0] ** 2 ** (L - k - 1) for k, c in enumerate(below, 1)))
                              for d, (_, m, n) in enumerate(moduli(beta))]
                r = vector(one["radii"], len(shares), True)
                fits(r.bits() * len(shares) * q <= 1 << 26)
                holds(all(w * r[d] ** (q - 1) >= m for d, (m, _, w) in enumerate(shares)), "W_d r_d^(q-1) >= |beta_d|")
                s = sum(m * n * r[d] for d, (m, n, _) in enumerate(shares))
                left, right, power = s ** (q - 1) * product, right ** q * scale, q
            g = number(one["gap"])
            holds(g >= 0 and left <= (1 + g) ** power * right, "gap of %.60a" % one["name"])
        if one["angle"] is not None:
            fits(angle is not None, "an angle goes with an exact direction")
            rest, inner, squares = number(one["angle"]) - angle, beta.dot(ray), beta.dot(beta) * ray.dot(ray)
            holds(inner > 0 and squares - inner ** 2 <= sine(rest) ** 2 * squares, "angle of %.60a" % one["name"])
    return norm

def exact(norm, z, b, q):
    """The direction in which Hölder's inequality is an equality; s max W; W."""
    D, L = len(z.entries), len(b) + 1
    if norm == "euclidean":
        return z, 1, None
    if norm == "entries-power":
        powers = [(x, 2 ** (L - k)) for k, x in enumerate(b, 1)]
        fits((sum(x.bits() * n for x, n in powers) + z.bits()) * D * q <= 1 << 26)
        w = [math.prod(x.entries[d] ** n for x, n in powers) for d in range(D)]
        weights = Vector(w, sum(x.power * n for x, n in powers))
        beta = [e * x ** (q - 1) for e, x in zip(w, z.entries)]
        return Vector(beta, weights.power + (q - 1) * z.power), max(w) * weights.unit, weights
    if norm == "frequencies-power":
        kernel = raised(z, 0)
        for k, x in enumerate(b, 1):
            kernel = convolved(kernel, raised(correlated(x), 2 ** (L - k - 1)))
        largest = sum(map(abs, kernel.entries)) * kernel.unit * D ** (q // 2 - 1)
        return convolved(convolved(kernel, raised(correlated(z), q // 2 - 1)), z), largest, None
    fits(norm in ("entries-sum", "frequencies-sum"), "an unknown norm")
    return None, None, None

def separable(proof, data):
    keys(proof, "kind beta")
    margin(data["samples"], vector(proof["beta"], len(data["samples"][0].entries)))

def non_separable(proof, data):
    keys(proof, "kind multipliers")
    a = vector(proof["multipliers"], len(data["samples"]), True)
    holds(any(a.entries) and not any(combination(data["samples"], a).entries), "a != 0, sum_n a_n g_n = 0")

def phases(proof, data):
    keys(proof, "kind")
    b, rows = data["feedback"], data["samples"]
    fits(1 <= len(b) <= 4)
    z0 = combination(rows, Vector([1] * len(rows), 0))
    beta = exact("frequencies-power", z0, b, 2 ** (len(b) + 1))[0]
    products = [sum(x * y for x, y in zip(row.entries, beta.entries)) for row in rows]
    correlation = convolved(combination(rows, Vector(products, rows[0].power + beta.power)), flipped(z0))
    odd = Vector([x - y for x, y in zip(correlation.entries, flipped(correlation).entries)], correlation.power)
    for x in b[:2]:
        odd = convolved(odd, correlated(x))
    holds(any(odd.entries), "Im(conj(z0) z1) != 0 at a frequency with b_1 b_2 != 0")

def sandwich(proof, data):
    keys(proof, "kind norm multipliers accumulated output dual_excess radius_excess slack")
    norm, b, rows = proof["norm"], data["feedback"], data["samples"]
    fits(norm in ("entries-power", "frequencies-power") and 1 <= len(b) <= 4)
    L, D, N = len(b) + 1, len(rows[0].entries), len(rows)
    a, A, w = vector(proof["multipliers"], N, True), vector(proof["accumulated"], N, True), vector(proof["output"])
    q, (ray, z), (_, Z) = 2 ** L, *[(exact(norm, x, b, 2 ** L)[0], x) for x in (combination(rows, y) for y in (a, A))]
    total, mass = sum(a.entries) * a.unit, sum(A.entries) * A.unit
    holds(total > 0 and mass > 0, "multipliers != 0")
    unit = D ** (q - 2) if norm == "frequencies-power" else 1
    P, Q, R = ray.dot(z), exact(norm, Z, b, q)[0].dot(Z), q * w.dot(w) * F(2) ** (q - L - 2) * unit
    e, f, s = (number(proof[k]) for k in ("dual_excess", "radius_excess", "slack"))
    bottom, k = (margin(rows, ray) * mass) ** q, (N ** 16).bit_length() - 1
    holds(min(e, f, s) >= 0 and Q * P ** (q - 1) <= (1 + e) ** q * bottom, "psi*(Z) Psi/a <= 1 + dual_excess")
    holds(R * P ** (q - 1) <= (1 + f) ** q * bottom, "R Psi/a <= 1 + radius_excess")
    holds(Q <= (1 + s) * R, "psi*(Z)^q <= (1 + slack) R^q")
    bound = total ** q * k * F(693147, 16000000) * unit * 2 ** (q - L - 1)
    holds((f * mass) ** (q - 1) * P <= bound, "radius_excess a/Psi <= C")

READERS = {"feedback signed_samples":  # of data, by their keys
           lambda stored: {"rows": matrix, "samples": matrix(stored["signed_samples"]), "outputs": 1}}
KINDS = {"least-norm": least_norm, "separable": separable, "non-separable": non_separable, "phases": phases,
         "sandwich": sandwich}
# of claim and inequality, which are fixed: SHA-256, first digits
WORDS = {"least-norm:euclidean": "88f9a79a91b0fff6", "least-norm:entries-power": "b80425389b87cf46",
         "least-norm:frequencies-power": "ad9043e9349fa681", "least-norm:entries-sum": "de9893351affe489",
         "least-norm:frequencies-sum": "0d682b612c6516d3", "kkt-point:least-norm": "a45fa3f509cd29fa",
         "kkt-point:feedback": "27bc4f3f51e7a585", "separable": "dd5db4133aec0c8a", "non-separable": "7ae13600ef60009d",
         "phases": "fd6445a8344ba57d", "sandwich": "32855f8bd92c4df2", "feedback-margin": "1777d2803726bd96"}

def unique(pairs):
    fits(len(dict(pairs)) == len(pairs), "a key occurs twice")
    return dict(pairs)

def check(document):
    keys(document, "format scenario scenario_sha256 data statements")
    stored, statements = document["data"], document["statements"]
    reader = READERS.get(" ".join(sorted(stored))) if type(stored) is dict else None
    fits(reader, "keys of data other than signed_samples feedback; check_networks.py reads classes as well")
    data, feedback = reader(stored), stored["feedback"]
    fits(type(document["scenario"]) is str and type(document["scenario_sha256"]) is str)
    fits(type(statements) is list and 1 <= len(statements) <= 16 and type(feedback) is list and len(feedback) <= 7)
    data["feedback"] = [vector(b, len(data["samples"][0].entries)) for b in feedback]
    proofs = [s.get("proof") for s in statements if type(s) is dict]
    gated = [(p["labels"], number(p.get("slope"))) for p in proofs if type(p) is dict and "labels" in p]
    fits(all(one == gated[0] for one in gated) and (data["outputs"] == 1 or not (gated or feedback)))
    for statement in statements:
        keys(statement, "claim inequality proof")
        proof, why = statement["proof"], "a kind that is not checked here: check_networks.py knows all of them"
        fits(type(proof) is dict and type(proof.get("kind")) is str and proof["kind"] in KINDS, why)
        name = proof["kind"] + "".join(":%s" % proof.get(k) for k, kind in
                                       (("norm", "least-norm"), ("objective", "kkt-point")) if kind == proof["kind"])
        said = "%s\n%s" % (statement["claim"], statement["inequality"])
        fits(hashlib.sha256(said.encode()).hexdigest()[:16] == WORDS.get(name), "not the words of this kind")
        KINDS[proof["kind"]](proof, data)
        yield name

def main(path):
    try:
        with open(path, "rb") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise ValueError("more than %d bytes" % LONGEST)
        document = json.loads(text.decode(), object_pairs_hook=unique, parse_int=lambda t: int(t) if t != "-0" else 0.0)
        if type(document) is not dict or document.get("format") != FORMAT:
            raise ValueError("its format is not " + FORMAT)
        for line in check(document):
            print("%s: proved: %s" % (path, line))
        return 0
    except OSError as error:
        print("%s: %s" % (path, error))
        return 74
    except NotProved as why:
        print("%s: NOT PROVED: %s" % (path, why))
        return 1
    except (ValueError, RecursionError) as why:
        print("%s: not a certificate: %s" % (path, why))
        return 65

if __name__ == "__main__":
    sys.exit(max(map(main, sys.argv[1:]), default=2))
