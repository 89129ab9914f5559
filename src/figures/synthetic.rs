//! Diagnostics with known power laws, for the tests of the figures.

use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

use super::Drawn;
use crate::{
    dataset::Dataset,
    diagnostics::{Alignment, CandidateAngles, Diagnostics, Invariant, Phases, Rate, Sandwich},
    limit::{Limit, LimitKind, Potential},
    loss::Loss,
    network::{Network, Signals},
    problem::Problem,
    rule::Rule,
    theory::{self, predictor_degree},
};

pub(super) struct Case {
    pub problem: Problem,
    pub diagnostics: Diagnostics,
    pub limit: Limit,
}

impl Case {
    pub(super) fn run(&self) -> Drawn<'_> {
        Drawn {
            problem: &self.problem,
            diagnostics: &self.diagnostics,
            limit: Some(&self.limit),
            steps: None,
        }
    }
}

const SAVES: usize = 301;
const SAMPLES: usize = 9;
const SUPPORT: usize = 4;
const DIMENSION: usize = 6;

pub(super) fn dfa(depth: usize) -> Case {
    let feedback = vec![DVector::from_element(DIMENSION, 1.0); depth - 1];
    let rate = -1.0 / predictor_degree(depth);
    let mut case = case(depth, Rule::direct_feedback_alignment(feedback), rate, 60.0);
    let tau = case.diagnostics.log_time.clone();
    let phi = DMatrix::from_fn(depth - 1, SAVES, |l, k| {
        0.3 * tau[k].powf(-rate * 2f64.powi(l as i32 + 1))
    });
    case.diagnostics.alignment = Some(Alignment {
        closed_form: phi.clone(),
        phi,
        residual: DMatrix::from_fn(depth, SAVES, |l, k| {
            if l == 0 {
                0.0
            } else {
                wiggle(k) * 10f64.powi(-15 + l as i32)
            }
        }),
    });
    case
}

pub(super) fn gradient_descent(depth: usize) -> Case {
    case(depth, Rule::gradient_descent(), -1.0 / depth as f64, 60.0)
}

/// Fixed feedback on a convolutional network.
pub(super) fn convolutional(dimension: usize, depth: usize) -> Case {
    let mut case = entry_by_entry(Network::convolutional(dimension, depth), true);
    case.diagnostics.phases = Some(phases(&case));
    case
}

/// Fixed feedback on a diagonal network.
pub(super) fn diagonal(depth: usize) -> Case {
    let mut case = entry_by_entry(Network::diagonal(DIMENSION, depth), true);
    case.diagnostics.phases = Some(phases(&case));
    case
}

pub(super) fn convolutional_gradient_descent(dimension: usize, depth: usize) -> Case {
    entry_by_entry(Network::convolutional(dimension, depth), false)
}

/// A network whose layers act entrywise, with candidate limits 0.1, 0.2, … rad from its own.
fn entry_by_entry(network: Network, has_feedback: bool) -> Case {
    let (depth, dimension) = (network.depth(), network.input_dimension());
    let mut case = if has_feedback {
        // Transforms of geometric sequences vanish nowhere.
        let feedback = (1..depth)
            .map(|l| DVector::from_fn(dimension, |j, _| (-0.5 * (j * l) as f64).exp()))
            .collect();
        let rate = -1.0 / predictor_degree(depth);
        case_of(
            network,
            Rule::direct_feedback_alignment(feedback),
            rate,
            60.0,
        )
    } else {
        case_of(network, Rule::gradient_descent(), -1.0 / depth as f64, 60.0)
    };
    let wave =
        |k: usize| DVector::from_fn(dimension, |j, _| (1.3 * ((k + 1) * j) as f64).sin() + 0.4);
    let limit = wave(0);
    let off = |level: f64, k: usize| {
        let side = wave(k + 1);
        let across = &side - &limit * (side.dot(&limit) / limit.norm_squared());
        &limit * level.cos() + across.normalize() * (level.sin() * limit.norm())
    };
    let d = &mut case.diagnostics;
    let angles = d.angle_to_limit.clone().unwrap();
    d.beta = DMatrix::from_columns(
        &(0..SAVES)
            .map(|k| off(angles[k], 5) * d.log_time[k])
            .collect::<Vec<_>>(),
    );
    let named: &[(&str, &str)] = if has_feedback {
        &[
            ("svm", "hard-margin SVM, ‖β‖₂"),
            ("main-text", "Theorem 2 as in the main text"),
            ("appendix", "Theorem 2 as in the appendix"),
            ("sparse", "gradient descent at L = 2, Fourier ℓ₁"),
        ]
    } else {
        &[("svm", "hard-margin SVM, ‖β‖₂")]
    };
    d.candidates = named
        .iter()
        .enumerate()
        .map(|(k, &(id, label))| {
            let level = 0.1 * (k + 1) as f64;
            CandidateAngles {
                id,
                label,
                beta: off(level, k),
                angle: angles.iter().map(|a| a.hypot(level)).collect(),
                beside: None,
                limit_beside: None,
            }
        })
        .collect();
    if let (false, Some(rate)) = (has_feedback, &mut d.rate) {
        rate.predicted = None;
    }
    case.limit.beta = limit;
    case
}

/// Paths `Ẑ = e^{id} (x + i v x/(1+x))` with `x = (1+τ)^{1/(2^L−1)} − 1`, so that
/// `Im φ_2 = −v (x − 2 ln(1+x) + x/(1+x))` exactly; above layer 2 only the real parts and the decay are correct.
fn phases(case: &Case) -> Phases {
    let network = case.problem.network().spectrum().unwrap();
    let depth = case.problem.network().depth();
    let entries = network.frequencies();
    let offset = |d: usize| {
        if entries[d].len == 2 {
            0.9 * (1.0 + 2.3 * d as f64).sin()
        } else {
            0.0
        }
    };
    let s = &case.diagnostics.log_log_time;
    let x = |k: usize| (s[k] / predictor_degree(depth)).exp_m1();
    let z = DMatrix::from_fn(entries.len(), SAVES, |d, k| {
        let x = x(k);
        let turned = if entries[d].len == 2 { d as f64 } else { 0.0 };
        Complex64::from_polar(1.0, turned) * Complex64::new(x, offset(d) * x / (1.0 + x))
    });
    let mut phi = vec![DMatrix::from_fn(entries.len(), SAVES, |d, k| {
        let x = x(k);
        let area = x - 2.0 * x.ln_1p() + x / (1.0 + x);
        Complex64::new(0.5 * z[(d, k)].norm_sqr(), -offset(d) * area)
    })];
    while phi.len() + 1 < depth {
        let next = phi[phi.len() - 1].map(|phi: Complex64| {
            let slope = if phi.re > 0.0 {
                1.2 * phi.im / phi.re
            } else {
                0.0
            };
            0.5 * phi.norm_sqr() * Complex64::new(1.0, slope)
        });
        phi.push(next);
    }
    let largest = |phi: &DMatrix<Complex64>, k: usize| {
        phi.column(k)
            .iter()
            .map(|phi| phi.arg().abs())
            .fold(0.0, f64::max)
    };
    Phases {
        frequencies: (0..entries.len()).collect(),
        on_lines: false,
        argument: DMatrix::from_fn(depth - 1, SAVES, |l, k| largest(&phi[l], k)),
        certain: DMatrix::from_fn(depth - 1, SAVES, |l, k| largest(&phi[l], k)),
        recursion: DMatrix::from_fn(depth - 1, SAVES, |l, k| 1e-9 * wiggle(k + 7 * l)),
        phi,
        z,
    }
}

/// Bounds that close like 1/a, `a = (1+τ)^{1/(2^L−1)} − 1`.
pub(super) fn sandwich(case: &Case, from_zero: bool) -> Sandwich {
    let degree = predictor_degree(case.problem.network().depth());
    let s = &case.diagnostics.log_log_time;
    let accumulated: Vec<f64> = s.iter().map(|s| (s / degree).exp_m1()).collect();
    let least = 0.8;
    let above = |share: f64| -> Vec<f64> {
        let bounded = |a: &f64| a / least + share * a / (1.0 + a);
        accumulated.iter().map(bounded).collect()
    };
    Sandwich {
        dual: above(0.2),
        radius: above(0.5),
        largest_dual: above(if from_zero { 0.5 } else { 0.6 }),
        constant: 1.0,
        least,
        accumulated,
    }
}

/// A fully connected case up to `horizon` in s = ln(1+τ), e.g. 322 for τ = 10^140.
pub(super) fn case(depth: usize, rule: Rule, rate: f64, horizon: f64) -> Case {
    let network = Network::fully_connected(DIMENSION, &vec![DIMENSION; depth - 1]);
    case_of(network, rule, rate, horizon)
}

/// The same on any network.
pub(super) fn case_of(network: Network, rule: Rule, rate: f64, horizon: f64) -> Case {
    let samples = DMatrix::from_fn(SAMPLES, network.input_dimension(), |n, d| {
        ((n * 7 + d * 3) % 5) as f64 - 2.0
    });
    let theta0 = DVector::zeros(network.parameters());
    let dataset = Dataset::new(samples, DVector::from_element(SAMPLES, 1.0));
    let problem = Problem::new(dataset, network, rule, Loss::Exponential, theta0).unwrap();
    let mut beta = DVector::zeros(DIMENSION);
    beta[0] = 1.0;
    Case {
        diagnostics: diagnostics(&problem, rate, horizon),
        problem,
        limit: Limit {
            kind: LimitKind::MaxMargin,
            beta,
            multipliers: DVector::from_fn(SAMPLES, |n, _| if n < SUPPORT { 0.25 } else { 0.0 }),
            duality_gap: Some(1e-15),
            stationarity: None,
            unique: true,
            potential: Potential::euclidean(DIMENSION),
            support: (0..SUPPORT).collect(),
        },
    }
}

/// Margins that grow like τ, towards 1 on the support and more elsewhere; an angle that falls like `e^{rate s}`.
fn diagnostics(problem: &Problem, rate: f64, horizon: f64) -> Diagnostics {
    let depth = problem.network().depth();
    let backward = problem.rule().signals() == Signals::Backward;
    let log_log_time: Vec<f64> = (0..SAVES)
        .map(|k| horizon * k as f64 / (SAVES - 1) as f64)
        .collect();
    let log_time: Vec<f64> = log_log_time.iter().map(|s| s.exp_m1()).collect();
    let final_margin = |n: usize| {
        if n < SUPPORT {
            1.0
        } else {
            1.0 + 0.45 * (n - SUPPORT + 1) as f64
        }
    };
    let margins = DMatrix::from_fn(SAMPLES, SAVES, |n, k| {
        log_time[k] * (final_margin(n) - (0.8 + 0.15 * n as f64) * (-0.6 * log_log_time[k]).exp())
    });
    let growth = |l: usize| {
        if backward {
            -rate
        } else {
            -rate * 2f64.powi(l as i32)
        }
    };
    let layer_norms = DMatrix::from_fn(depth, SAVES, |l, k| {
        (0.5 + 0.5 * l as f64)
            * (growth(l) * log_log_time[k]).exp()
            * (1.0 - (-log_log_time[k] - 0.1).exp())
    });
    let defined = |exponent: f64| -> Vec<Option<f64>> {
        (log_log_time.iter().enumerate())
            .map(|(k, s)| (k >= 6).then_some((exponent * s).exp()))
            .collect()
    };
    Diagnostics {
        theory: theory::of(problem),
        homogeneous: None,
        feature_machine: None,
        min_margin: margins.column_iter().map(|c| c.min()).collect(),
        log_loss: margins
            .column_iter()
            .map(|c| Loss::Exponential.log_loss(c.iter().copied()))
            .collect(),
        margins,
        layer_norms,
        beta: DMatrix::from_fn(
            DIMENSION,
            SAVES,
            |d, k| if d == 0 { log_time[k] } else { 0.0 },
        ),
        angle_to_limit: Some(
            log_log_time
                .iter()
                .map(|s| (0.9 * (rate * s).exp()) / (1.0 + 2.0 * (-0.4 * s).exp()))
                .collect(),
        ),
        kkt_residual: defined(rate),
        duality_gap: defined(2.0 * rate),
        accumulated_gap: defined(1.5 * rate),
        classes: None,
        alignment: None,
        phases: None,
        sandwich: None,
        beside_limit: None,
        candidates: Vec::new(),
        invariants: (1..=depth).map(invariant).collect(),
        multiplier_drift: (0..SAVES).map(|k| 1e-9 * wiggle(3 * k)).collect(),
        rate: Some(Rate {
            observed: rate,
            predicted: Some(rate),
            window: [0.5 * horizon, 0.95 * horizon],
            halves: [rate, rate],
        }),
        log_log_time,
        log_time,
    }
}

/// A conserved quantity of layer l that drifts a little, and irregularly.
fn invariant(l: usize) -> Invariant {
    Invariant {
        name: format!("feedback-scalar-{l}"),
        formula: format!("½‖w{l} b‖²/‖b‖² − bᵀw b/‖b‖², layer {l}"),
        drift: (0..SAVES)
            .map(|k| {
                if k == 0 {
                    0.0
                } else {
                    wiggle(k + 40 * l) * 1e-13 * (k as f64).powi(2) / 900.0
                }
            })
            .collect(),
    }
}

/// A bounded, irregular factor, the same in every run of the tests.
fn wiggle(k: usize) -> f64 {
    1.0 + 0.5 * (0.7 * k as f64).sin() + 0.4 * (0.11 * k as f64 + 1.0).cos()
}
