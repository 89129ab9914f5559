"""A theorem in ten lines: the README's example, with its assertions."""

import numpy as np

import marginflow as mf

draws = np.random.default_rng(5)
X = draws.standard_normal((12, 6))
y = np.sign(X @ draws.standard_normal(6))
problem = mf.Problem(X, y, network=mf.FullyConnected(depth=2), rule=mf.DFA(seed=7))
run = problem.flow(until=60)
print(run.claims)
assert run.rate is not None and run.rate.predicted is not None
print(run.rate.observed, run.rate.predicted, run.certified["limit_angle"])
assert run.claims["thm-1"].verdict == "holds" and abs(run.rate.observed - run.rate.predicted) < 0.01
