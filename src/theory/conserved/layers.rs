//! Conserved quantities of general networks.
//!
//! **Gradient descent.** Where margins are homogeneous of degree `d_l` in `w_l`, `⟨w_l, ∂m/∂w_l⟩ = d_l m` (Euler), so
//! `½ (‖w_l‖²)' = d_l Σ α_n m_n` and `‖w_l‖²/d_l − ‖w_{l+1}‖²/d_{l+1}` does not change. This holds for shared weights
//! and several outputs alike; with biases margins are homogeneous in the last layer only, and nothing follows.
//!
//! **Fixed feedback.** A unit of the last hidden layer, with an activation of degree p, has `⟨w_c, ∂h_u/∂w_c⟩ = p h_u`
//! in the weights of its channel c, bias included, whatever is below. Its signal is `b_u·e` with the row b_u of the
//! feedback, and its output weights, the row w_{L,u}, move by `Σ h_u e`. So for every channel, summed over positions,
//! `Σ_u b_u·w_{L,u} − ‖w_c‖²/(2p)` does not change. Averages before the output layer come between the two rows, and
//! then nothing follows.

use super::{Conserved, differences, subscript};
use crate::network::{Architecture, Layered, Signals};
use crate::problem::Problem;
use crate::theory::Errors;

pub(super) fn conserved(problem: &Problem, network: &Layered, errors: &Errors) -> Vec<Conserved> {
    match errors {
        Errors::Backward => balances(network),
        Errors::Fixed { .. } => under_feedback(problem, network).into_iter().collect(),
        Errors::Other => Vec::new(),
    }
}

fn balances(network: &Layered) -> Vec<Conserved> {
    let Some(degrees) = network.degrees() else {
        return Vec::new();
    };
    let of_layer = |l: usize| match degrees[l - 1] {
        1 => format!("‖w{}‖²", subscript(l)),
        degree => format!("‖w{}‖²/{degree}", subscript(l)),
    };
    (1..network.layout().depth())
        .map(|l| {
            let formula = format!("{} − {}", of_layer(l), of_layer(l + 1));
            let (layout, degrees) = (network.layout().clone(), degrees.clone());
            Conserved::new("balance", l, formula, move |theta| {
                let w = layout.views(theta);
                let term = |l: usize| w[l].norm_squared() / f64::from(degrees[l]);
                differences(std::iter::once((term(l - 1), term(l), 0.0)))
            })
        })
        .collect()
}

fn under_feedback(problem: &Problem, network: &Layered) -> Option<Conserved> {
    let feedback = match problem.rule().signals() {
        Signals::Backward => return None,
        Signals::Layerwise(f) => f.last()?.clone(),
        Signals::Direct(b) => b.last()?.clone(),
    };
    let (channels, degree) = network.last_hidden()?;
    let layout = network.layout().clone();
    let depth = layout.depth();
    let (last, output) = (subscript(depth - 1), subscript(depth));
    let formula = format!("Σ b·w{output} − ‖w{last}‖²/{}", 2 * degree);
    Some(Conserved::new(
        "feedback-unit",
        depth - 1,
        formula,
        move |theta| {
            let w = layout.views(theta);
            let (below, above) = (&w[depth - 2], &w[depth - 1]);
            let positions = above.nrows() / channels;
            differences((0..channels).map(|c| {
                let kinetic = below.column(c).norm_squared() / f64::from(2 * degree);
                let units = (0..positions).map(|p| c + channels * p);
                let aligned: f64 = units
                    .clone()
                    .map(|u| feedback.row(u).dot(&above.row(u)))
                    .sum();
                let reach: f64 = units.map(|u| feedback.row(u).norm()).sum();
                (aligned, kinetic, reach + below.column(c).norm())
            }))
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::super::drift;
    use super::*;
    use crate::activation::{ExactRelu, Formula, Identity, Quadratic};
    use crate::dataset::{gaussian_class_teacher, standard_normals};
    use crate::loss::Loss;
    use crate::network::{LayerSpec, Network};
    use crate::rule::Rule;
    use nalgebra::{DMatrix, DVector};

    fn normals(seed: u64, n: usize) -> Vec<f64> {
        standard_normals("conserved layers tests", seed)
            .take(n)
            .collect()
    }

    fn problem(hidden: &[LayerSpec], rule: impl Fn(&Network) -> Rule) -> Problem {
        let data = gaussian_class_teacher(6, 8, 3, 1).unwrap();
        let network = Network::new(Layered::new(6, hidden, 3).unwrap());
        let theta = DVector::from_vec(normals(1, network.parameters()));
        let rule = rule(&network);
        Problem::new(data, network, rule, Loss::Exponential, theta).unwrap()
    }

    /// The drift of every quantity per unit of time along the field, and along a field whose first layer lags.
    fn drifts(problem: &Problem) -> [Vec<f64>; 2] {
        let kernel = problem.kernel();
        let theta = problem.theta0().as_slice();
        let alpha: Vec<f64> = normals(2, kernel.samples())
            .iter()
            .map(|x| x.exp())
            .collect();
        let (mut v, mut rates) = (vec![0.0; theta.len()], vec![0.0; kernel.samples()]);
        kernel.velocity(theta, &alpha, &mut v, &mut rates);
        let h = 1e-5;
        [1.0, 0.9].map(|pace| {
            let last = problem
                .network()
                .layout()
                .range(problem.network().depth() - 1);
            let at = |step: f64| -> Vec<f64> {
                let moved = |i: usize| step * v[i] * if last.contains(&i) { 1.0 } else { pace };
                (0..theta.len()).map(|i| theta[i] + moved(i)).collect()
            };
            let (before, after) = (at(-h), at(h));
            let of =
                |c: &Conserved| drift(&c.measure(&before), &c.measure(&after), 0.0) / (2.0 * h);
            super::super::of_network(problem).iter().map(of).collect()
        })
    }

    #[test]
    fn what_is_conserved_is_so_along_the_field_and_no_other() {
        let relu = ExactRelu.rounded(0.2);
        let with_bias = LayerSpec {
            bias: true,
            ..LayerSpec::convolution(2, 3, Quadratic)
        };
        let networks = [
            vec![
                LayerSpec::convolution(3, 2, Quadratic),
                LayerSpec::dense(4, relu),
            ],
            vec![LayerSpec::dense(6, Identity), with_bias],
        ];
        let direct = |network: &Network| {
            let shapes = network.signal_shapes().into_iter().enumerate();
            let b =
                shapes.map(|(l, (r, c))| DMatrix::from_vec(r, c, normals(10 + l as u64, r * c)));
            Rule::direct_feedback_matrices(b.collect())
        };
        let layerwise = |network: &Network| {
            let shapes = network.feedback_shapes().iter().enumerate();
            let f =
                shapes.map(|(l, &(r, c))| DMatrix::from_vec(r, c, normals(20 + l as u64, r * c)));
            Rule::feedback_alignment(f.collect())
        };
        for (hidden, balances) in networks.iter().zip([2, 0]) {
            for (rule, count) in [
                (problem(hidden, |_| Rule::gradient_descent()), balances),
                (problem(hidden, direct), 1),
                (problem(hidden, layerwise), 1),
            ] {
                let [kept, lagging] = drifts(&rule);
                assert_eq!(kept.len(), count);
                assert!(kept.iter().all(|d| *d < 1e-8), "{kept:?}");
                assert!(lagging.last().is_none_or(|d| *d > 1e-3), "{lagging:?}");
            }
        }
    }
}
