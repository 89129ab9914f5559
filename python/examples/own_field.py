"""A field of one's own in NumPy: one weight per feature, squared, under gradient descent."""

import numpy as np
import numpy.typing as npt

import marginflow as mf

Array = npt.NDArray[np.float64]
G: Array = np.array([[1.0, 0.2, 0.5], [0.3, 1.0, 0.1]])


def margins(w: Array) -> Array:
    """m = G (w ⊙ w)."""
    return G @ (w * w)


def velocity(w: Array, alpha: Array) -> Array:
    """Σ_n α_n ∇m_n."""
    return 2.0 * w * (G.T @ alpha)


def rates(w: Array, v: Array) -> Array:
    """∂m/∂w · v."""
    return G @ (2.0 * w * v)


model = mf.Model(margins, velocity, rates, start=[0.1, 0.1, 0.1], gradient=True, degree=2)
run = model.flow(until=30.0)
early, late = run.audit(len(run.s) // 2), run.audit()
print(run, early, late, sep="\n")
assert early.residual is not None and late.residual is not None and late.residual < 1e-4 < early.residual
