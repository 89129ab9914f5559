//! Everything measured along a trajectory; claims and figures read this and nothing else. (fields fixed, computation follows)

use nalgebra::DMatrix;

/// The alignment scalars of a DFA run (THEORY §3): `w_l ≈ φ_l b_{l−1} b_lᵀ`, l = 2..L (`b_L = 1`).
#[derive(Debug, Clone)]
pub struct Alignment {
    /// `φ_l(t) = b_{l−1}ᵀ w_l b_l / (‖b_{l−1}‖²‖b_l‖²)`, rows l = 2..L, (L−1) × T.
    pub phi: DMatrix<f64>,
    /// The closed form `φ_2 = ½‖Z‖²`, `φ_{l+1} = ½‖b_{l−1}‖²φ_l²`, same shape.
    pub closed_form: DMatrix<f64>,
    /// `‖w_l − φ_l b_{l−1}b_lᵀ‖/‖w_l‖` (row l−1 for l = 1..L; for l = 1 `‖w_1 − Z b_1ᵀ‖/‖w_1‖`), L × T.
    pub residual: DMatrix<f64>,
}

/// A conserved quantity, as relative drift along the run.
#[derive(Debug, Clone)]
pub struct Invariant {
    pub name: String,
    /// Relative drift at each save, length T.
    pub drift: Vec<f64>,
}

/// Slope of ln(angle to the limit) against s over a window.
#[derive(Debug, Clone)]
pub struct Rate {
    pub observed: f64,
    pub predicted: f64,
    pub window: [f64; 2],
    /// Slopes of the first and the second half of the window.
    pub halves: [f64; 2],
}

/// All measurements; every vector has one entry per save (T).
#[derive(Debug, Clone)]
pub struct Diagnostics {
    pub log_log_time: Vec<f64>,
    /// τ = ln(1+t).
    pub log_time: Vec<f64>,
    /// N × T.
    pub margins: DMatrix<f64>,
    pub min_margin: Vec<f64>,
    /// ln 𝓛.
    pub log_loss: Vec<f64>,
    /// ‖w_l‖_F, L × T.
    pub layer_norms: DMatrix<f64>,
    /// D × T (linear networks).
    pub beta: DMatrix<f64>,
    /// Radians; `None` without a limit.
    pub angle_to_limit: Option<Vec<f64>>,
    /// Relative distance of β/γ from the cone of active samples; NaN-free: infinity never stored, `None` while γ ≤ 0.
    pub kkt_residual: Vec<Option<f64>>,
    /// Duality gap the run certifies by itself; `None` while γ ≤ 0.
    pub duality_gap: Vec<Option<f64>>,
    pub alignment: Option<Alignment>,
    pub invariants: Vec<Invariant>,
    /// max_n |p_n − (τ − m_n)|/(1+τ).
    pub multiplier_drift: Vec<f64>,
    pub rate: Option<Rate>,
}
