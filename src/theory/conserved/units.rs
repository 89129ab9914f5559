//! Conserved quantities per unit of ReLU networks, whatever the gates do along the way.
//!
//! A unit's output is homogeneous of degree one in its weights, so its derivative d in them has `w·d = h`. With error
//! signals δ_j = b_j fixed for the last hidden layer, `w_{L−1,j}' = b_j Σ α_n y_n d_{jn}` and
//! `w_{L,j}' = Σ α_n y_n h_{jn}`, hence `b_j w_{L,j} − ½‖w_{L−1,j}‖²` does not change, at any depth. BP:
//! `‖w_{l,j}‖² − ‖w_{l+1,j}‖²` (weights into the unit, weights out of it), since both terms change at twice the rate
//! `Σ α_n y_n h_{jn} ∂f/∂h_{jn}`. Kinks affect neither: there h = 0 and w·x = 0. All units of a layer together are one
//! vector, whose drift is relative to its terms.
//!
//! A rounded kink of a unit of layer l + 1 has a width proportional to `‖w‖‖h_l‖`, which is not a function of the
//! products `w_k h_{l,k}`: below the output layer only the sums over the units of a layer, `‖w_l‖_F² − ‖w_{l+1}‖_F²`,
//! are then conserved, because f is homogeneous of degree one in every layer.

use super::{Conserved, differences, subscript};
use crate::activation::Formula;
use crate::network::{Architecture, Layout, Relu};
use crate::theory::Errors;

pub(super) fn conserved(network: &Relu, errors: &Errors) -> Vec<Conserved> {
    let layout = network.layout();
    let depth = layout.depth();
    if depth < 2 {
        return Vec::new();
    }
    match errors {
        Errors::Backward => {
            let by_layer = |l: usize| network.activation().curved() && l < depth - 1;
            (1..depth)
                .map(|l| balance(layout, l, by_layer(l)))
                .collect()
        }
        Errors::Fixed { last: Some(b), .. } => vec![under_feedback(layout, b.as_slice())],
        Errors::Fixed { last: None, .. } | Errors::Other => Vec::new(),
    }
}

fn under_feedback(layout: &Layout, b: &[f64]) -> Conserved {
    let depth = layout.depth();
    let (last, output) = (subscript(depth - 1), subscript(depth));
    let formula = format!("bⱼw{output}ⱼ − ½‖w{last}ⱼ‖²");
    let (layout, b) = (layout.clone(), b.to_vec());
    Conserved::new("feedback-unit", depth - 1, formula, move |theta| {
        let w = layout.views(theta);
        let units = w[depth - 2].column_iter().zip(w[depth - 1].iter());
        let pairs = units.zip(&b).map(|((w_j, output), b_j)| {
            let kinetic = 0.5 * w_j.norm_squared();
            (b_j * output, kinetic, b_j.abs() + w_j.norm())
        });
        differences(pairs)
    })
}

/// The quantity of every unit, or of all units of the layer together.
fn balance(layout: &Layout, l: usize, together: bool) -> Conserved {
    let (this, next) = (subscript(l), subscript(l + 1));
    let unit = if together { "" } else { "ⱼ" };
    let formula = format!("‖w{this}{unit}‖² − ‖w{next}{unit}‖²");
    let layout = layout.clone();
    Conserved::new("balance", l, formula, move |theta| {
        let w = layout.views(theta);
        let (this, next) = (&w[l - 1], &w[l]);
        if together {
            return differences(std::iter::once((
                this.norm_squared(),
                next.norm_squared(),
                0.0,
            )));
        }
        let units = this.column_iter().zip(next.row_iter());
        differences(units.map(|(w_j, out)| (w_j.norm_squared(), out.norm_squared(), 0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::drift;
    use crate::dataset::Dataset;
    use crate::loss::Loss;
    use crate::network::{Network, Relu};
    use crate::problem::Problem;
    use crate::rule::Rule;
    use nalgebra::{DMatrix, DVector, dvector};

    fn wave(count: usize, seed: usize) -> DVector<f64> {
        DVector::from_fn(count, |i, _| {
            ((7 * i * seed + 3 * i + seed) as f64 * 0.7).sin()
        })
    }

    fn problem(hidden: &[usize], smoothing: f64, rule: Rule) -> Problem {
        let network = Network::new(Relu::new(3, hidden, smoothing));
        let samples = DMatrix::from_column_slice(4, 3, wave(12, 5).as_slice());
        Problem::new(
            Dataset::new(samples, dvector![1.0, -1.0, 1.0, 1.0]),
            network.clone(),
            rule,
            Loss::Exponential,
            wave(network.parameters(), 2),
        )
        .unwrap()
    }

    /// Central differences of the first margin: the update of gradient descent if only that sample had a multiplier.
    fn gradient(problem: &Problem) -> DVector<f64> {
        let h = 1e-6;
        DVector::from_fn(problem.theta0().len(), |i, _| {
            let at = |step: f64| {
                let mut theta = problem.theta0().clone();
                theta[i] += step;
                problem
                    .network()
                    .margins(theta.as_slice(), problem.dataset())[0]
            };
            (at(h) - at(-h)) / (2.0 * h)
        })
    }

    /// Drifts, per unit of time, of all invariants along `velocity`.
    fn drifts(problem: &Problem, velocity: &DVector<f64>) -> Vec<f64> {
        let h = 1e-5;
        let at = |step: f64| problem.theta0() + velocity * step;
        let (before, after) = (at(-h), at(h));
        super::super::of_network(problem)
            .iter()
            .map(|c| {
                let (a, b) = (c.measure(before.as_slice()), c.measure(after.as_slice()));
                drift(&a, &b, 0.0) / (2.0 * h)
            })
            .collect()
    }

    #[test]
    fn balance_is_conserved_under_gradient_descent_and_nothing_else() {
        for (hidden, smoothing) in [(vec![4], 0.0), (vec![4, 5], 0.0), (vec![4, 5, 3], 0.3)] {
            let problem = problem(&hidden, smoothing, Rule::gradient_descent());
            let velocity = gradient(&problem);
            let drifts_of = |v: &DVector<f64>| drifts(&problem, v);
            assert_eq!(drifts_of(&velocity).len(), hidden.len());
            assert!(drifts_of(&velocity).iter().all(|d| *d < 1e-8));
            // A first layer that lags is not gradient descent.
            let mut lagging = velocity.clone();
            lagging.rows_mut(0, 3 * hidden[0]).scale_mut(0.9);
            assert!(drifts_of(&lagging)[0] > 1e-3);
        }
    }

    #[test]
    fn the_feedback_law_is_conserved_at_any_depth() {
        let b = dvector![0.8, -0.5, 1.1];
        for (hidden, smoothing) in [(vec![3], 0.2), (vec![4, 3], 0.0), (vec![4, 3], 0.2)] {
            let signals = hidden.iter().map(|&units| wave(units, 9));
            let mut signals: Vec<DVector<f64>> = signals.collect();
            *signals.last_mut().unwrap() = b.clone();
            let problem = problem(&hidden, smoothing, Rule::direct_feedback_alignment(signals));
            // The last pair as fixed feedback moves it: δ_j = b_j in place of w_{L,j}.
            let shapes = problem.network().shapes();
            let last = problem.theta0().len() - 3;
            let first = last - shapes[shapes.len() - 2].0 * 3;
            let mut velocity = gradient(&problem);
            for j in 0..3 {
                let inputs = (last - first) / 3;
                let factor = b[j] / problem.theta0()[last + j];
                velocity
                    .rows_mut(first + j * inputs, inputs)
                    .scale_mut(factor);
            }
            let drifts = drifts(&problem, &velocity);
            assert_eq!(drifts.len(), 1);
            assert!(drifts[0] < 1e-8, "{drifts:?}");
            assert!(super::tests::drifts(&problem, &gradient(&problem))[0] > 1e-3);
        }
    }
}
