//! Measurements on ReLU networks, which are not linear in their input.

use nalgebra::DMatrix;

/// What theory says about homogeneous networks, at every save (T). `None` where a measurement is undefined: no positive
/// margin, or no separable features.
#[derive(Debug, Clone)]
pub struct Homogeneous {
    /// Angle between the output weights `w_L` and the hard-margin SVM of the features of the same save, radians.
    pub feature_angle: Vec<Option<f64>>,
    /// Margin of that SVM on features scaled to `Σ_n ‖φ_n‖² = N`.
    pub feature_margin: Vec<Option<f64>>,
    /// Relative KKT residual of `min Σ_j ‖w_j‖⁴/b_j²` subject to `y_n f(x_n) ≥ 1` (two layers, fixed feedback).
    pub feedback_kkt: Vec<Option<f64>>,
    /// Relative KKT residual of `min ½‖θ‖²` subject to `y_n f(x_n) ≥ 1`: the limit points of gradient descent.
    pub gradient_kkt: Vec<Option<f64>>,
    /// ε of the (ε, δ)-KKT condition of Lyu and Li.
    pub epsilon: Vec<Option<f64>>,
    /// δ of the same.
    pub delta: Vec<Option<f64>>,
    /// `min_n m_n / ‖θ‖^L`.
    pub normalised_margin: Vec<f64>,
    /// `ln(1/𝓛) / ‖θ‖^L`; `None` while 𝓛 ≥ 1.
    pub smoothed_margin: Vec<Option<f64>>,
    /// Output weights `w_L`, units × T.
    pub output_weights: DMatrix<f64>,
    /// Norms `‖w_{L−1,j}‖` of the units of the last hidden layer, units × T.
    pub unit_norms: DMatrix<f64>,
    /// Sines `a_{jn}/(‖w_j‖‖x_n‖)` of the angles between the units of the first hidden layer and the activation boundaries
    /// of the samples, (units · N) × T with the units fastest; empty for large networks.
    pub activation_sines: DMatrix<f64>,
    /// Directions `w_j/‖w_j‖` of the first hidden layer, (D · units) × T with the coordinates fastest; empty for large
    /// networks.
    pub directions: DMatrix<f64>,
}
