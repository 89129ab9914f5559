//! Measurements on homogeneous networks that are not linear in their input.
//!
//! The output layer is compared with the SVM of the features of the same save (`limit::feature_margin`), not of the
//! final ones: both angles tend to zero together, and this one does not need the run to have ended. `stationarity`
//! has the KKT problems in all layers, `gradients` the subdifferentials that these involve.

mod gradients;
mod large;
mod measured;
mod stationarity;
#[cfg(test)]
mod tests;
mod unseen;

use crate::limit::{Certifier, Limit, Potential, Separability, angle, max_margin_from};
use crate::problem::Problem;
use crate::theory::{FeedbackMargin, MarginProblem, Theory};
use measured::Measured;
use nalgebra::{DMatrix, DVector, DVectorView};
use stationarity::{Normalised, Support};
use unseen::Watch;

pub use stationarity::output_on_level_set;
pub use unseen::Unseen;

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
    /// `min_n m_n / ‖θ‖^L`, 0 at θ = 0.
    pub normalised_margin: Vec<f64>,
    /// `ℓ⁻¹(𝓛) / ‖θ‖^L` for the loss ℓ of one sample, which for the exponential loss is `ln(1/𝓛) / ‖θ‖^L`; `None` while
    /// that is not positive. Gradient descent never lowers it (Lyu and Li 2020).
    pub smoothed_margin: Vec<Option<f64>>,
    /// γ̃, which two layers with fixed feedback never lower while it is defined
    /// ([`FeedbackMargin`](crate::theory::FeedbackMargin)); `None` until the loss is below that of one sample with
    /// margin zero, while an output weight has the sign against its feedback, and for other rules and depths.
    pub feedback_margin: Vec<Option<f64>>,
    /// Output weights `w_L`, units × T.
    pub output_weights: DMatrix<f64>,
    /// Norms `‖w_{L−1,j}‖` of the units of the last hidden layer, units × T.
    pub unit_norms: DMatrix<f64>,
    /// Sines `a_{jn}/(‖w_j‖‖x_n‖)` of the angles between the units of the first hidden layer and the activation
    /// boundaries of the samples, (units · N) × T with the units fastest; 0 at zero weights; 0 × T for large networks.
    pub activation_sines: DMatrix<f64>,
    /// Directions `w_j/‖w_j‖` of the first hidden layer, (D · units) × T with the coordinates fastest; empty for large
    /// networks.
    pub directions: DMatrix<f64>,
    /// Samples on which some hidden layer passes nothing on at the end: their margins are zero.
    pub dead: Vec<usize>,
    /// L, the degree of the outputs in θ; the number of layers where every activation is of degree one.
    pub degree: u32,
    /// ε of rounded kinks; 0 for exact ones.
    pub smoothing: f64,
    /// With rounded kinks, the samples that no unit of the exact network with these weights would see at some save: it
    /// would not learn them, this network does after `t ≈ 1/ε²`. `None` where this was not watched (general layers).
    pub unseen: Option<Vec<Unseen>>,
}

/// Largest table of directions that is kept, in numbers.
const LARGEST_TABLE: usize = 1 << 22;

/// Output weights of the wrong sign up to this fraction of all of them are rounding of zero.
const ROUNDING: f64 = 1e-9;

/// Distance of one save's output weights from their limit.
pub(super) struct Features {
    /// Angle between `w_L` and the SVM of the features.
    pub angle: Option<f64>,
    /// Duality gap that `w_L` certifies on the features with its best multipliers.
    pub gap: Option<f64>,
}

/// Fills [`Homogeneous`] save by save.
pub(super) struct Builder<'a> {
    problem: &'a Problem,
    network: Measured<'a>,
    /// `b_1`, for two layers and fixed feedback.
    feedback: Option<DVector<f64>>,
    law: Option<&'a FeedbackMargin>,
    /// Support of the previous feature SVM.
    svm: Support,
    /// Supports of the three KKT problems at the previous save.
    supports: [Support; 3],
    watch: Option<Watch>,
    measured: Homogeneous,
}

impl<'a> Builder<'a> {
    /// `None` for networks that are linear in their input.
    pub(super) fn new(problem: &'a Problem, theory: &'a Theory, saves: usize) -> Option<Self> {
        let network = Measured::of(problem.network())?;
        let shapes = problem.network().shapes();
        let (dimension, units) = shapes[0];
        let (last, outputs) = shapes[shapes.len() - 1];
        let samples = problem.dataset().len();
        let table = |rows: usize| {
            let fits =
                rows * saves <= LARGEST_TABLE && shapes.len() > 1 && network.gated().is_some();
            DMatrix::zeros(if fits { rows } else { 0 }, saves)
        };
        Some(Self {
            problem,
            network,
            feedback: match &theory.margin_problem {
                Some(MarginProblem::LeastFeedbackPotential(b)) => Some(b.clone()),
                _ => None,
            },
            law: theory.feedback_margin.as_ref(),
            svm: Support::new(),
            supports: [const { Support::new() }; 3],
            watch: network.gated().and_then(Watch::of),
            measured: Homogeneous {
                feature_angle: Vec::with_capacity(saves),
                feature_margin: Vec::with_capacity(saves),
                feedback_kkt: Vec::with_capacity(saves),
                gradient_kkt: Vec::with_capacity(saves),
                epsilon: Vec::with_capacity(saves),
                delta: Vec::with_capacity(saves),
                normalised_margin: Vec::with_capacity(saves),
                smoothed_margin: Vec::with_capacity(saves),
                feedback_margin: Vec::with_capacity(saves),
                output_weights: DMatrix::zeros(last * outputs, saves),
                unit_norms: DMatrix::zeros(units_of_last(network, shapes), saves),
                activation_sines: table(units * samples),
                directions: table(dimension * units),
                dead: Vec::new(),
                degree: network.degree(),
                smoothing: network.softness(),
                unseen: None,
            },
        })
    }

    /// Measures save k; returns the results for the output layer.
    pub(super) fn record(
        &mut self,
        k: usize,
        theta: &[f64],
        smallest_margin: f64,
        log_loss: f64,
    ) -> Features {
        let size = DVectorView::from_slice(theta, theta.len()).norm();
        let size = size.powi(self.network.degree() as i32);
        let (dead, features) = self.network.features(theta, self.problem.dataset());
        let ratio = |margin: f64| if size > 0.0 { margin / size } else { 0.0 };
        let smoothed = self.problem.loss().inverse(log_loss);
        let m = &mut self.measured;
        m.normalised_margin.push(ratio(smallest_margin));
        m.smoothed_margin
            .push((smoothed > 0.0).then(|| ratio(smoothed)));
        m.dead = dead;
        if let Some(watch) = &mut self.watch {
            watch.record(k, theta, self.problem.dataset().samples());
        }
        self.record_weights(k, theta);
        self.record_feedback_margin(k, smoothed);
        self.record_residuals(theta);
        self.record_features(k, &features)
    }

    fn record_weights(&mut self, k: usize, theta: &[f64]) {
        let weights = self.problem.network().weights(theta);
        let m = &mut self.measured;
        let last = weights.len() - 1;
        m.output_weights
            .column_mut(k)
            .copy_from_slice(weights[last].as_slice());
        if last == 0 || m.unit_norms.nrows() == 0 {
            return;
        }
        for (j, w) in weights[last - 1].column_iter().enumerate() {
            m.unit_norms[(j, k)] = w.norm();
        }
        let directions = unit_columns(&weights[0]);
        let samples = unit_columns(&self.problem.dataset().samples().transpose());
        if m.directions.nrows() > 0 {
            m.directions
                .column_mut(k)
                .copy_from_slice(directions.as_slice());
        }
        if m.activation_sines.nrows() > 0 {
            let sines = directions.tr_mul(&samples);
            m.activation_sines
                .column_mut(k)
                .copy_from_slice(sines.as_slice());
        }
    }

    fn record_feedback_margin(&mut self, k: usize, smoothed: f64) {
        let output = self.measured.output_weights.column(k).into_owned();
        let log = self.law.and_then(|law| {
            let along = law.against(&output) <= ROUNDING;
            law.log(smoothed, &output).filter(|_| along)
        });
        self.measured.feedback_margin.push(log.map(f64::exp));
    }

    fn record_residuals(&mut self, theta: &[f64]) {
        let data = self.problem.dataset();
        let at = Normalised::new(self.network, theta, data);
        let [gradient, pair, feedback] = &mut self.supports;
        let m = &mut self.measured;
        m.gradient_kkt.push(
            at.as_ref()
                .and_then(|at| stationarity::gradient_kkt(at, gradient)),
        );
        let (epsilon, delta) = at
            .as_ref()
            .and_then(|at| stationarity::epsilon_delta(at, pair))
            .unzip();
        m.epsilon.push(epsilon);
        m.delta.push(delta);
        m.feedback_kkt.push(
            self.feedback
                .as_ref()
                .zip(self.network.gated())
                .and_then(|(b, relu)| stationarity::feedback_kkt(relu, theta, b, data, feedback)),
        );
    }

    fn record_features(&mut self, k: usize, features: &DMatrix<f64>) -> Features {
        let samples = features.nrows();
        let output = self.measured.output_weights.column(k).into_owned();
        let limit = match max_margin_from(features, &self.svm) {
            Separability::Separable(limit) => Some(limit),
            _ => None,
        };
        if let Some(limit) = &limit {
            self.svm.clone_from(&limit.support);
        }
        let direction = |limit: &Limit| angle(output.as_slice(), limit.beta.as_slice());
        let scale = features.norm() / (samples as f64).sqrt();
        let m = &mut self.measured;
        m.feature_angle.push(limit.as_ref().map(direction));
        m.feature_margin
            .push(limit.as_ref().map(|l| 1.0 / (l.beta.norm() * scale)));
        let gap = limit.is_some().then(|| {
            let mut certifier = Certifier::new(features, &Potential::euclidean(features.ncols()));
            let multipliers = certifier.best_multipliers(&output);
            certifier.duality_gap(&output, &multipliers)
        });
        Features {
            angle: m.feature_angle[m.feature_angle.len() - 1],
            gap: gap.flatten(),
        }
    }

    pub(super) fn finish(self) -> Homogeneous {
        Homogeneous {
            unseen: match self.network.gated() {
                Some(_) => Some(self.watch.map(Watch::finish).unwrap_or_default()),
                None => None,
            },
            ..self.measured
        }
    }
}

/// Units of the last hidden layer, of which norms are kept: where each has weights of its own.
fn units_of_last(network: Measured<'_>, shapes: &[(usize, usize)]) -> usize {
    match shapes.split_last() {
        Some((last, hidden)) if !hidden.is_empty() && network.gated().is_some() => last.0,
        _ => 0,
    }
}

/// Columns divided by their norms; zero stays zero.
fn unit_columns(m: &DMatrix<f64>) -> DMatrix<f64> {
    let mut units = m.clone();
    for mut column in units.column_iter_mut() {
        let length = column.norm();
        if length > 0.0 {
            column.unscale_mut(length);
        }
    }
    units
}
