//! Linear multistep formulas on nodes at unequal distances, as weights of the values at the nodes.
//!
//! All come from the polynomial through values at the nodes `t_0, t_1, …` (newest first): its value (extrapolation,
//! interpolation), its derivative at `t_0` (backward differences), its integral (Adams formulas), and its leading
//! divided difference (what the next node would add, which estimates the error). Nothing depends on how the steps
//! were chosen before. Products of many distances underflow or overflow where steps are tiny (1e-45 from enormous
//! multipliers), so they are taken in units of the last step.

/// Most nodes of one formula.
pub(super) const MOST_NODES: usize = 12;

type Weights = Vec<f64>;

/// Abscissae and weights of Gauss–Legendre quadrature on [−1, 1], exact to degree 11: enough for products of eleven
/// factors.
const GAUSS: [(f64, f64); 6] = [
    (-0.932_469_514_203_152, 0.171_324_492_379_170_36),
    (-0.661_209_386_466_264_5, 0.360_761_573_048_138_6),
    (-0.238_619_186_083_196_9, 0.467_913_934_572_691_04),
    (0.238_619_186_083_196_9, 0.467_913_934_572_691_04),
    (0.661_209_386_466_264_5, 0.360_761_573_048_138_6),
    (0.932_469_514_203_152, 0.171_324_492_379_170_36),
];

/// `1/Π_{i≠j} (t_j − t_i)`: weights of the divided difference over all nodes.
pub(super) fn divided_difference(nodes: &[f64]) -> Weights {
    nodes
        .iter()
        .enumerate()
        .map(|(j, t)| {
            let others = nodes.iter().enumerate().filter(|(i, _)| *i != j);
            1.0 / others.map(|(_, o)| t - o).product::<f64>()
        })
        .collect()
}

/// Distances from the newest node in units of the last step, and that unit.
fn in_steps(nodes: &[f64]) -> ([f64; MOST_NODES], f64) {
    let unit = match nodes {
        [newest, before, ..] => newest - before,
        _ => 1.0,
    };
    let mut distances = [0.0; MOST_NODES];
    for (d, t) in distances.iter_mut().zip(nodes) {
        *d = (t - nodes[0]) / unit;
    }
    (distances, unit)
}

/// The polynomial's value at t.
pub(super) fn value(nodes: &[f64], t: f64) -> Weights {
    nodes
        .iter()
        .enumerate()
        .map(|(j, t_j)| {
            let others = nodes.iter().enumerate().filter(|(i, _)| *i != j);
            others.map(|(_, o)| (t - o) / (t_j - o)).product()
        })
        .collect()
}

/// The polynomial's derivative at its first node.
pub(super) fn derivative(nodes: &[f64]) -> Weights {
    let t = nodes[0];
    let mut weights: Weights = (1..nodes.len())
        .map(|j| {
            let others = || (1..nodes.len()).filter(move |i| *i != j);
            let product: f64 = others()
                .map(|i| (t - nodes[i]) / (nodes[j] - nodes[i]))
                .product();
            product / (nodes[j] - t)
        })
        .collect();
    weights.insert(0, nodes[1..].iter().map(|o| 1.0 / (t - o)).sum());
    weights
}

/// The polynomial's integral over `[from, to]`.
pub(super) fn integral(nodes: &[f64], from: f64, to: f64) -> Weights {
    let count = nodes.len();
    let (relative, unit) = in_steps(nodes);
    let (from, to) = ((from - nodes[0]) / unit, (to - nodes[0]) / unit);
    let nodes = &relative[..count];
    let leading = divided_difference(nodes);
    let mut weights = vec![0.0; count];
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    for (x, w) in GAUSS {
        let t = middle + half * x;
        // Π_{i<j} (t − t_i), then times Π_{i>j}
        let mut before = [1.0; MOST_NODES + 1];
        for j in 0..count {
            before[j + 1] = before[j] * (t - nodes[j]);
        }
        let mut after = half * w * unit;
        for j in (0..count).rev() {
            weights[j] += before[j] * after;
            after *= t - nodes[j];
        }
    }
    for (w, l) in weights.iter_mut().zip(leading) {
        *w *= l;
    }
    weights
}

/// The largest h for which `y' = −y` decays on equidistant nodes under the formula of `order` + 1 of them, the new one
/// included: `2/|Σ_j (−1)^j β_j|`, where the root −1 appears. Infinite up to order one.
pub(super) fn adams_stability(order: usize) -> f64 {
    const INTERVALS: [f64; 8] = [
        f64::INFINITY,
        6.0,
        3.0,
        90.0 / 49.0,
        45.0 / 38.0,
        0.768_5,
        0.493_0,
        0.310_0,
    ];
    INTERVALS[order - 1]
}

/// Error of an Adams formula on all nodes but the last for `∫_from^to`, estimated with the value at the last node:
/// `∫ Π_{i<m} (t − t_i) dt · [t_0, …, t_m]`.
pub(super) fn adams_error(nodes: &[f64], from: f64, to: f64) -> Weights {
    let (relative, unit) = in_steps(nodes);
    let (from, to) = ((from - nodes[0]) / unit, (to - nodes[0]) / unit);
    let nodes = &relative[..nodes.len()];
    let (_, known) = nodes.split_last().unwrap_or((&0.0, &[]));
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let integral: f64 = GAUSS
        .iter()
        .map(|(x, w)| {
            let t = middle + half * x;
            half * w * known.iter().map(|o| t - o).product::<f64>()
        })
        .sum();
    scaled(divided_difference(nodes), integral * unit)
}

/// Error of backward differences on all nodes but the last in the value at the first, estimated with the value at the
/// last node: with q the order, `Π_{0<j≤q} (t_0 − t_j) / α_0` times the divided difference over all q + 2 nodes,
/// where `α_0 = Σ_{0<j≤q} 1/(t_0 − t_j)` is the formula's leading weight.
pub(super) fn backward_error(nodes: &[f64]) -> Weights {
    let order = nodes.len() - 2;
    let (relative, _) = in_steps(nodes);
    let nodes = &relative[..nodes.len()];
    let distances = || nodes[1..=order].iter().map(|t| nodes[0] - t);
    let leading: f64 = distances().map(f64::recip).sum();
    scaled(
        divided_difference(nodes),
        distances().product::<f64>() / leading,
    )
}

fn scaled(mut weights: Weights, factor: f64) -> Weights {
    for w in &mut weights {
        *w *= factor;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [f64; 6] = [1.0, 0.7, 0.65, 0.2, -0.3, -0.35];

    fn dot(weights: &[f64], f: impl Fn(f64) -> f64) -> f64 {
        weights.iter().zip(NODES).map(|(w, t)| w * f(t)).sum()
    }

    fn monomial(degree: i32) -> impl Fn(f64) -> f64 {
        move |t: f64| t.powi(degree)
    }

    #[test]
    fn formulas_are_exact_on_polynomials_as_long_as_the_nodes_allow() {
        for count in 2..=NODES.len() {
            let nodes = &NODES[..count];
            for degree in 0..count as i32 {
                let f = monomial(degree);
                let k = f64::from(degree);
                assert!((dot(&value(nodes, 1.3), &f) - 1.3_f64.powi(degree)).abs() < 1e-9);
                let slope = if degree == 0 { 0.0 } else { k };
                assert!((dot(&derivative(nodes), &f) - slope).abs() < 1e-9);
                let exact = (1.0 - 0.7_f64.powi(degree + 1)) / (k + 1.0);
                assert!((dot(&integral(nodes, 0.7, 1.0), &f) - exact).abs() < 1e-12);
            }
            let leading = dot(&divided_difference(nodes), monomial(count as i32 - 1));
            assert!((leading - 1.0).abs() < 1e-9, "{leading}");
        }
    }

    #[test]
    fn intervals_of_stability_follow_from_the_weights() {
        let nodes: Vec<f64> = (0..9).map(|j| -f64::from(j)).collect();
        for order in 1..=8 {
            let beta = integral(&nodes[..=order], nodes[1], nodes[0]);
            let sum: f64 = beta.iter().rev().fold(0.0, |sum, b| b - sum);
            let exact = if order == 1 {
                f64::INFINITY
            } else {
                2.0 / sum.abs()
            };
            let ratio = adams_stability(order) / exact;
            assert!(order == 1 || (ratio - 1.0).abs() < 1e-3, "{order}: {exact}");
        }
    }

    #[test]
    fn weights_scale_with_the_steps_however_small() {
        let nodes = [0.0, -1.0, -1.5, -2.5, -3.5, -4.0, -5.0, -6.0, -7.0, -8.0];
        let unit = 1e-60;
        let small = nodes.map(|t| t * unit);
        let pairs = [
            (integral(&nodes, -1.0, 0.0), integral(&small, -unit, 0.0)),
            (
                adams_error(&nodes, -1.0, 0.0),
                adams_error(&small, -unit, 0.0),
            ),
        ];
        for (a, b) in &pairs {
            for (a, b) in a.iter().zip(b) {
                assert!((b / unit / a - 1.0).abs() < 1e-12, "{a} {b}");
            }
        }
        let pairs = backward_error(&nodes)
            .into_iter()
            .zip(backward_error(&small));
        for (a, b) in pairs {
            assert!((b / a - 1.0).abs() < 1e-12, "{a} {b}");
        }
    }

    /// On a polynomial of the degree that the last node resolves, the estimates equal the errors.
    #[test]
    fn errors_are_those_of_the_formulas() {
        for m in 1..5 {
            let f = monomial(m as i32);
            let exact = (1.0 - 0.7_f64.powi(m as i32 + 1)) / (m as f64 + 1.0);
            let missing = exact - dot(&integral(&NODES[..m], 0.7, 1.0), &f);
            let estimate = dot(&adams_error(&NODES[..=m], 0.7, 1.0), &f);
            assert!((estimate - missing).abs() < 1e-14, "{estimate} {missing}");
        }
        // y' = (q+1) t^q with exact history: solve the formula for the new value
        for q in 1..5 {
            let f = monomial(q as i32 + 1);
            let alpha = derivative(&NODES[..=q]);
            let history: f64 = (1..=q).map(|j| alpha[j] * f(NODES[j])).sum();
            let solved = (q as f64 + 1.0 - history) / alpha[0];
            let estimate = dot(&backward_error(&NODES[..q + 2]), &f);
            assert!((estimate - (solved - 1.0)).abs() < 1e-12);
        }
    }
}
