"""PyTorch says what JAX says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marginflow as mf

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


def params(seed: int = 0) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    return {"w": 0.4 * draws.standard_normal((5, 6)), "v": 0.4 * draws.standard_normal((6, 1))}


def f(p: Any, x: Any) -> Any:
    return x @ p["w"] @ p["v"]


def tensors(p: Any) -> Any:
    return {name: torch.as_tensor(value) for name, value in p.items()}


def test_the_flow_is_that_of_jax(data: Any) -> None:
    X, y = data
    # a dictionary of JAX is flattened by its keys in their order
    p = dict(sorted(params().items()))
    ours = mf.from_torch(f, tensors(p), torch.as_tensor(X), y).flow(until=20.0)
    theirs = mf.from_jax(f, p, X, y).flow(until=20.0)
    assert np.allclose(ours.theta[-1], theirs.theta[-1], rtol=1e-6)
    assert set(ours.params) == {"w", "v"} and tuple(ours.params["w"].shape) == (5, 6)


def test_a_module_is_audited_as_it_is(data: Any) -> None:
    X, y = data
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(5, 40, bias=False), torch.nn.ReLU(), torch.nn.Linear(40, 1, bias=False))
    descent = torch.optim.SGD(module.parameters(), lr=0.1)
    inputs, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32)
    for _ in range(2000):
        descent.zero_grad()
        torch.exp(-module(inputs)[:, 0] * labels).sum().backward()
        descent.step()
    first, last = (module[i].weight.detach().double().numpy() for i in (0, 2))
    ours = mf.audit(module, None, X, y)
    theirs = mf.audit(lambda p, x: (jax.nn.relu(x @ p[0].T) @ p[1].T), [first, last], X, y)
    assert ours.degree == theirs.degree == 2 and ours.residual is not None and theirs.residual is not None
    assert ours.residual == pytest.approx(theirs.residual, rel=1e-9, abs=1e-9)
    assert ours.epsilon == pytest.approx(theirs.epsilon, rel=1e-9)


def test_classes_and_rules(data: Any) -> None:
    X, _ = data
    y = np.array([0, 1, 2, 0, 1, 2, 1, 0])
    draws = np.random.default_rng(1)
    p = {"v": 0.3 * draws.standard_normal((6, 3)), "w": 0.3 * draws.standard_normal((5, 6))}
    b = draws.standard_normal((6, 3))

    def update(q: Any, x: Any, delta: Any) -> Any:
        return {"w": x.T @ (delta @ b.T), "v": (x @ q["w"]).T @ delta}

    def update_torch(q: Any, x: Any, delta: Any) -> Any:
        return {"w": x.T @ (delta @ torch.as_tensor(b).T), "v": (x @ q["w"]).T @ delta}

    more = {"loss": "cross-entropy"}
    ours = mf.from_torch(f, tensors(p), X, y, update=update_torch, **more).flow(until=4.0)
    theirs = mf.from_jax(f, p, X, y, update=update, **more).flow(until=4.0)
    assert np.allclose(ours.margins[-1], theirs.margins[-1], rtol=1e-6, atol=1e-7)
