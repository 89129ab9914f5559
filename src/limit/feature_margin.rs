//! The hard-margin direction of the features of the output layer.
//!
//! Any network whose output layer is linear, `f(x) = w_L·φ(x)`, has margins `m_n = w_L·(y_n φ(x_n))`. Once the features
//! no longer turn, `w_L' = Σ_n α_n y_n φ(x_n)` is a linear classifier trained on them, whatever the rule does below,
//! and converges in direction to their hard-margin support vector machine (the report's Theorem 3).

use super::{Limit, LimitKind, Separability, max_margin};
use nalgebra::DMatrix;

/// The certified hard-margin SVM of signed features `y_n φ(x_n)` (N × units): the limit direction of the output
/// weights, length units of the last hidden layer. `None` if no output weights separate the features, or if this
/// could not be decided.
pub fn feature_max_margin(features: &DMatrix<f64>) -> Option<Limit> {
    match max_margin(features) {
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
    use crate::dataset::Dataset;
    use crate::network::Relu;
    use nalgebra::{dmatrix, dvector};

    /// XOR data, which no hyperplane separates; units along (1,1), (−1,−1), (1,−1), (−1,1) give each sample a feature
    /// of its own, of sizes 2, 2, 2, 4.
    fn features(units: &[f64]) -> DMatrix<f64> {
        let data = Dataset::new(
            dmatrix![1.0, 1.0; -1.0, -1.0; 1.0, -1.0; -1.0, 1.0],
            dvector![1.0, 1.0, -1.0, -1.0],
        );
        let theta = [units, &[0.0; 4]].concat();
        Relu::new(2, &[4], 0.0).signed_features(&theta, &data)
    }

    #[test]
    fn features_separate_what_inputs_do_not() {
        let units = [1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -2.0, 2.0];
        let limit = feature_max_margin(&features(&units)).unwrap();
        assert_eq!(limit.kind.name(), "feature-max-margin");
        assert!((limit.beta - dvector![0.5, 0.5, -0.5, -0.25]).norm() < 1e-15);
    }

    #[test]
    fn none_without_separable_features() {
        // Units along one direction see only the first sample.
        assert!(feature_max_margin(&features(&[1.0, 1.0].repeat(4))).is_none());
        assert!(feature_max_margin(&features(&[0.0; 8])).is_none());
    }
}
