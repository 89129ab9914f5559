//! The hard-margin direction of the features of the output layer.
//!
//! Any network whose output layer is linear, `f(x) = w_L·φ(x)`, has margins `m_n = w_L·(y_n φ(x_n))`. For features that
//! no longer turn, `w_L' = Σ_n α_n y_n φ(x_n)` is a linear classifier learning on them, whatever the rule does below,
//! and tends in direction to their support vector machine (the report's Theorem 3).

use super::{Limit, LimitKind, Separability, max_margin};
use crate::network::Relu;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};

/// Signed features `y_n φ(x_n)` of the output layer as rows, N × units, on the rows of `samples` (N × D).
pub fn signed_features(
    network: &Relu,
    theta: &[f64],
    samples: &DMatrix<f64>,
    labels: &DVector<f64>,
) -> DMatrix<f64> {
    let mut activations = network.activations(theta, samples);
    let last = activations.len() - 1;
    let mut features = activations.swap_remove(last).transpose();
    for (mut row, y) in features.row_iter_mut().zip(labels.iter()) {
        row *= *y;
    }
    features
}

/// The certified hard-margin SVM of the signed features of a ReLU network at θ: the limit direction of its output
/// weights, length units of the last hidden layer. `None` if no output weights separate the features (or this could not
/// be decided), and for networks that are linear in their input.
pub fn feature_max_margin(problem: &Problem, theta: &[f64]) -> Option<Limit> {
    let data = &problem.dataset;
    let network = problem.network.relu()?;
    match max_margin(&signed_features(
        network,
        theta,
        data.samples(),
        data.labels(),
    )) {
        Separability::Separable(limit) => Some(Limit {
            kind: LimitKind::FeatureMaxMargin,
            ..limit
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataset::Dataset, loss::Loss, network::Network, rule::Rule};
    use nalgebra::{dmatrix, dvector};

    /// Exclusive or: no hyperplane separates it; units along (1,1), (−1,−1), (1,−1), (−1,1) give each sample a feature
    /// of its own, of sizes 2, 2, 2, 4.
    fn exclusive_or(theta0: DVector<f64>) -> Problem {
        Problem {
            dataset: Dataset::new(
                dmatrix![1.0, 1.0; -1.0, -1.0; 1.0, -1.0; -1.0, 1.0],
                dvector![1.0, 1.0, -1.0, -1.0],
            ),
            network: Network::Relu(Relu::new(2, &[4], 0.0)),
            rule: Rule::GradientDescent,
            loss: Loss::Exponential,
            theta0,
        }
    }

    #[test]
    fn features_separate_what_inputs_do_not() {
        let units = [1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -2.0, 2.0];
        let theta: Vec<f64> = units.into_iter().chain([0.0; 4]).collect();
        let problem = exclusive_or(DVector::from_vec(theta.clone()));
        let limit = feature_max_margin(&problem, &theta).unwrap();
        assert_eq!(limit.kind.name(), "feature-max-margin");
        assert!((limit.beta - dvector![0.5, 0.5, -0.5, -0.25]).norm() < 1e-15);
    }

    #[test]
    fn none_without_separable_features() {
        // One direction of units sees the first sample only.
        let theta: Vec<f64> = [1.0, 1.0].repeat(4).into_iter().chain([1.0; 4]).collect();
        let problem = exclusive_or(DVector::from_vec(theta.clone()));
        assert!(feature_max_margin(&problem, &theta).is_none());
        assert!(feature_max_margin(&problem, &[0.0; 12]).is_none());
    }
}
