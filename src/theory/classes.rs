//! Fully connected linear networks with C outputs, where feedback alignment and gradient descent part ways.
//!
//! With `z = Σ α_{nk} x_n (e_{c_n} − e_k)ᵀ`, `Z = ∫z` (D × C), fixed feedback `F_l` (units × C), `K_l = F_lᵀF_l` and
//! zero weights, `w_1 = Z F_1ᵀ`, `w_l = F_{l−1} C_l F_lᵀ` (`F_L = 1`) with `C_2' = Zᵀz`, `C_{l+1}' = C_lᵀK_{l−1}C_l'`.
//! So `sym C_2 = ½ZᵀZ` and `sym C_{l+1} = ½C_lᵀK_{l−1}C_l` exactly, as for one output; the antisymmetric parts are
//! areas that Z sweeps, which fall behind where Z comes to point in one direction. Then, if every K_l is a multiple of
//! the identity on differences of outputs, `β ∝ Z (ZᵀZ)^{2^{L−1}−1} = ∇ tr (ZᵀZ)^{q/2}/q`, `q = 2^L`:
//!
//! | rule | limit of β, subject to `⟨x_n (e_{c_n} − e_k)ᵀ, β⟩ ≥ 1` |
//! |---|---|
//! | any, L = 1 | min ‖β‖_F, the multi-class SVM |
//! | fixed feedback, `K_l ∝ 1` | min Schatten norm, `p = 2^L/(2^L − 1)` |
//! | gradient descent, L = 2 | min nuclear norm |
//! | gradient descent, L > 2 | a stationary point of the Schatten quasi-norm, `p = 2/L` |
//!
//! With other K_l the limit is no minimiser: Z lies in the cone of the active rows, `β ∝ Z K_1 C_2 K_2 C_3 ⋯` with the
//! recursion above, which is a gradient only where the K_l commute with `ZᵀZ`.

use super::LimitForm;
use super::growth::predictor_degree;
use super::limit::CandidatePotential;
use crate::limit::Potential;
use crate::network::{Architecture, FullyConnectedLinear, Known, Signals};
use crate::problem::Problem;
use crate::singular::Singular;
use nalgebra::{DMatrix, DVector};

/// `K_l` may differ from a multiple of the identity by this share.
const ROUNDING: f64 = 1e-10;

/// Singular values below this share of a matrix are rounding, and `F⁺F` may differ from the identity on differences of
/// outputs by this much.
const INVERTIBLE: f64 = 1e-9;

/// The ids of the claims about limits.
pub(crate) const THM_1_VECTOR: &str = "thm-1-vector";
pub(crate) const GD_FC_VECTOR: &str = "gd-fc-vector";

/// The claim that states the limit, and its form.
pub(super) fn limit(
    problem: &Problem,
    network: &FullyConnectedLinear,
) -> Option<(&'static str, LimitForm)> {
    let depth = network.layout().depth();
    match problem.rule().limit_signals()? {
        Signals::Backward => {
            let potential = schatten(network, 2.0 / depth as f64);
            let form = if potential.exponent < 1.0 {
                LimitForm::Stationary(potential)
            } else {
                LimitForm::Minimiser(potential)
            };
            Some((GD_FC_VECTOR, form))
        }
        signals => {
            let feedback = network.fixed_signals(signals)?;
            let isotropic = feedback.iter().all(is_isotropic);
            isotropic.then(|| (THM_1_VECTOR, LimitForm::Minimiser(of_feedback(network))))
        }
    }
}

/// The limits of the other rule, and the multi-class SVM.
pub(super) fn candidates(
    problem: &Problem,
    network: &FullyConnectedLinear,
) -> Vec<CandidatePotential> {
    let depth = network.layout().depth();
    let Some(signals) = problem.rule().limit_signals() else {
        return Vec::new();
    };
    if depth == 1 {
        return Vec::new();
    }
    let frobenius = CandidatePotential {
        id: "frobenius",
        label: "multi-class SVM, Frobenius norm",
        potential: schatten(network, 2.0),
    };
    let nuclear = CandidatePotential {
        id: "nuclear",
        label: "gradient descent at L = 2, nuclear norm",
        potential: schatten(network, 1.0),
    };
    let of_feedback = CandidatePotential {
        id: "schatten",
        label: "fixed feedback with FₗᵀFₗ ∝ 1, Schatten norm",
        potential: of_feedback(network),
    };
    match (signals, depth) {
        (Signals::Backward, 2) => vec![frobenius, of_feedback],
        (Signals::Backward, _) => vec![frobenius, nuclear, of_feedback],
        _ if limit(problem, network).is_some() => vec![frobenius, nuclear],
        _ => vec![frobenius, nuclear, of_feedback],
    }
}

/// The Schatten norm of β with this exponent.
fn schatten(network: &FullyConnectedLinear, exponent: f64) -> Potential {
    Potential::schatten(shape(network), exponent)
}

/// That of fixed feedback.
fn of_feedback(network: &FullyConnectedLinear) -> Potential {
    let degree = predictor_degree(network.layout().depth());
    schatten(network, 1.0 + 1.0 / degree)
}

/// D and C.
fn shape(network: &FullyConnectedLinear) -> (usize, usize) {
    let shapes = network.layout().shapes();
    (shapes[0].0, network.outputs())
}

/// Whether FᵀF is a multiple of the identity on differences of outputs.
fn is_isotropic(f: &DMatrix<f64>) -> bool {
    let outputs = f.ncols();
    let differences = on_differences(outputs);
    let k = &differences * f.tr_mul(f) * &differences;
    let mean = k.trace() / (outputs as f64 - 1.0).max(1.0);
    mean > 0.0 && (k - differences * mean).amax() <= ROUNDING * mean
}

/// `1 − 11ᵀ/C`, the projection onto differences of C outputs.
fn on_differences(outputs: usize) -> DMatrix<f64> {
    DMatrix::identity(outputs, outputs).add_scalar(-1.0 / outputs as f64)
}

/// `F⁺`, C × units, of feedback F, units × C. `None` unless `F⁺F` is the identity on differences of outputs, as it
/// never is in a layer of fewer than C − 1 units: what such a layer has learned does not show in its weights alone.
pub(super) fn inverse_on_differences(f: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let inverse = Singular::of(f).pseudo_inverse(INVERTIBLE * f.norm());
    let differences = on_differences(f.ncols());
    let off = &differences * (&inverse * f) - &differences;
    (off.amax() <= INVERTIBLE).then_some(inverse)
}

/// The law of alignment of layers with several outputs, from zero weights.
#[derive(Debug, Clone)]
pub struct ClassAlignment {
    /// `F_1 … F_L` with `F_L = 1`, units × C.
    feedback: Vec<DMatrix<f64>>,
    /// Their pseudo-inverses, each the identity after its F on differences of outputs.
    inverses: Vec<DMatrix<f64>>,
}

/// What the layers are in the coordinates of the feedback.
#[derive(Debug, Clone)]
pub struct Matrices {
    /// `Z = w_1 (F_1⁺)ᵀ`, D × C.
    pub z: DMatrix<f64>,
    /// `C_2 … C_L` with `C_l = F_{l−1}⁺ w_l (F_l⁺)ᵀ`, C × C.
    pub c: Vec<DMatrix<f64>>,
}

/// `None` unless feedback is fixed and weights start at zero, for one layer, and where the `F_l⁺` do not undo the `F_l`
/// on differences of outputs: Z and the C_l cannot be told from the weights then.
pub(super) fn alignment(problem: &Problem) -> Option<ClassAlignment> {
    let Known::FullyConnectedClasses(network) = problem.network().known() else {
        return None;
    };
    let from_zero = problem.theta0().amax() == 0.0;
    let mut feedback = from_zero.then(|| problem.feedback_matrices())??;
    if feedback.is_empty() {
        return None;
    }
    let outputs = network.outputs();
    feedback.push(DMatrix::identity(outputs, outputs));
    let inverses = feedback.iter().map(inverse_on_differences);
    Some(ClassAlignment {
        inverses: inverses.collect::<Option<_>>()?,
        feedback,
    })
}

impl ClassAlignment {
    /// `k_l^{1/2}` of `F_lᵀF_l = k_l` on differences of outputs, l = 1 … L − 1, for isotropic feedback.
    pub(super) fn lengths(&self) -> Vec<f64> {
        let hidden = self.feedback.len() - 1;
        let outputs = self.feedback[hidden].ncols();
        let differences = on_differences(outputs);
        let length = |f: &DMatrix<f64>| (f * &differences).norm() / (outputs as f64 - 1.0).sqrt();
        self.feedback[..hidden].iter().map(length).collect()
    }

    /// Z of the first layer, D·C numbers column by column.
    pub fn first_matrix(&self, first: &DMatrix<f64>) -> DVector<f64> {
        let z = first * self.inverses[0].transpose();
        DVector::from_column_slice(z.as_slice())
    }

    /// Z and the C_l of these weights.
    pub fn matrices(&self, weights: &[DMatrix<f64>]) -> Matrices {
        let z = &weights[0] * self.inverses[0].transpose();
        let pairs = self.inverses.windows(2).zip(&weights[1..]);
        let c = pairs.map(|(inverses, w)| &inverses[0] * w * inverses[1].transpose());
        Matrices { z, c: c.collect() }
    }

    /// The direction of β once areas have fallen behind, from that of Z: `Z K_1 C_2 K_2 ⋯ K_{L−1} C_L` with
    /// `C_2 = ½ZᵀZ`, `C_{l+1} = ½C_lᵀK_{l−1}C_l`, of length one; zero for Z = 0.
    pub fn settled_predictor(&self, z: &DMatrix<f64>) -> DMatrix<f64> {
        let unit = |m: DMatrix<f64>| match m.norm() {
            0.0 => m,
            norm => m / norm,
        };
        let hidden = &self.feedback[..self.feedback.len() - 1];
        let mut c: Option<DMatrix<f64>> = None;
        let mut beta = unit(z.clone());
        for (l, f) in hidden.iter().enumerate() {
            // K_{l−1} lies between C_l and the next, where Z is C_1
            let next = match (&c, l) {
                (Some(c), 1..) => {
                    let below = &hidden[l - 1] * c;
                    below.tr_mul(&below)
                }
                _ => z.tr_mul(z),
            };
            let next = unit(next);
            beta = unit(&beta * f.tr_mul(&(f * &next)));
            c = Some(next);
        }
        beta
    }

    /// `½ZᵀZ` and `½C_lᵀK_{l−1}C_l`, which the symmetric parts of `C_2 … C_L` are exactly.
    pub fn symmetric_parts(&self, matrices: &Matrices) -> Vec<DMatrix<f64>> {
        let mut parts = vec![matrices.z.tr_mul(&matrices.z) * 0.5];
        let hidden = matrices.c.len() - 1;
        for (c, f) in matrices.c[..hidden].iter().zip(&self.feedback) {
            let k = f.tr_mul(f);
            parts.push(c.tr_mul(&(k * c)) * 0.5);
        }
        parts
    }
}
