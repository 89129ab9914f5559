//! Diagnostics with known power laws, for the tests of the figures.

use nalgebra::{DMatrix, DVector};

use super::Run;
use crate::{
    dataset::Dataset,
    diagnostics::{Alignment, Diagnostics, Invariant, Rate},
    limit::{Limit, LimitKind, Potential},
    loss::Loss,
    network::{FullyConnectedLinear, Network},
    problem::Problem,
    rule::Rule,
};

pub struct Case {
    pub problem: Problem,
    pub diagnostics: Diagnostics,
    pub limit: Limit,
}

impl Case {
    pub fn run(&self) -> Run<'_> {
        Run {
            problem: &self.problem,
            diagnostics: &self.diagnostics,
            limit: Some(&self.limit),
        }
    }
}

const SAVES: usize = 301;
const SAMPLES: usize = 9;
const SUPPORT: usize = 4;
const DIMENSION: usize = 6;

pub fn dfa(depth: usize) -> Case {
    let feedback = vec![DVector::from_element(DIMENSION, 1.0); depth - 1];
    let rate = -1.0 / (2f64.powi(depth as i32) - 1.0);
    let mut case = case(depth, Rule::DirectFeedbackAlignment(feedback), rate, 60.0);
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

pub fn gradient_descent(depth: usize) -> Case {
    case(depth, Rule::GradientDescent, -1.0 / depth as f64, 60.0)
}

/// A case out to `horizon` in s = ln(1+τ), e.g. 322 for τ = 10^140.
pub fn case(depth: usize, rule: Rule, rate: f64, horizon: f64) -> Case {
    let log_log_time: Vec<f64> = (0..SAVES)
        .map(|k| horizon * k as f64 / (SAVES - 1) as f64)
        .collect();
    let log_time: Vec<f64> = log_log_time.iter().map(|s| s.exp_m1()).collect();
    let law =
        |exponent: f64| -> Vec<f64> { log_log_time.iter().map(|s| (exponent * s).exp()).collect() };
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
        if matches!(rule, Rule::GradientDescent) {
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
    let invariant = |l: usize| Invariant {
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
    };
    let defined = |exponent: f64| {
        law(exponent)
            .into_iter()
            .enumerate()
            .map(|(k, v)| (k >= 6).then_some(v))
            .collect()
    };
    let mut limit_direction = DVector::zeros(DIMENSION);
    limit_direction[0] = 1.0;
    let samples = DMatrix::from_fn(SAMPLES, DIMENSION, |n, d| {
        ((n * 7 + d * 3) % 5) as f64 - 2.0
    });
    let dataset = Dataset::new(samples, DVector::from_element(SAMPLES, 1.0));
    Case {
        diagnostics: Diagnostics {
            margins: margins.clone(),
            min_margin: margins.column_iter().map(|c| c.min()).collect(),
            log_loss: margins
                .column_iter()
                .map(|c| Loss::Exponential.log_loss(c.iter().copied()))
                .collect(),
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
            candidates: Vec::new(),
            phases: None,
            kkt_residual: defined(rate),
            duality_gap: defined(2.0 * rate),
            alignment: None,
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
        },
        problem: Problem {
            dataset,
            network: Network::FullyConnectedLinear(FullyConnectedLinear::new(
                DIMENSION,
                &vec![DIMENSION; depth - 1],
            )),
            rule,
            loss: Loss::Exponential,
            theta0: DVector::zeros(DIMENSION * DIMENSION * (depth - 1) + DIMENSION),
        },
        limit: Limit {
            kind: LimitKind::MaxMargin,
            potential: Potential::euclidean(DIMENSION),
            beta: limit_direction,
            multipliers: DVector::from_fn(SAMPLES, |n, _| if n < SUPPORT { 0.25 } else { 0.0 }),
            duality_gap: Some(1e-15),
            stationarity: None,
            support: (0..SUPPORT).collect(),
            unique: true,
        },
    }
}

/// A bounded, irregular factor, the same in every run of the tests.
fn wiggle(k: usize) -> f64 {
    1.0 + 0.5 * (0.7 * k as f64).sin() + 0.4 * (0.11 * k as f64 + 1.0).cos()
}
