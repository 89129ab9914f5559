//! ReLU networks whose units turn along arcs, some of them until they reach a boundary and stay on it.

use nalgebra::{DMatrix, DVector};

use super::synthetic::{self, Case, case_of};
use crate::{
    dataset::Dataset,
    diagnostics::{Diagnostics, Homogeneous},
    network::{Architecture, Network, Relu},
    problem::Problem,
    rule::Rule,
    theory::{self, predictor_degree},
};

/// A run of every kind, linear ones too.
pub(super) fn all() -> Vec<Case> {
    vec![
        synthetic::dfa(2),
        synthetic::dfa(5),
        synthetic::gradient_descent(3),
        synthetic::convolutional(8, 2),
        synthetic::convolutional(40, 3),
        synthetic::diagonal(2),
        synthetic::convolutional_gradient_descent(7, 2),
        relu(2, &[10], true),
        relu(5, &[12], true),
        relu(3, &[8, 6], false),
    ]
}

/// Hidden widths `hidden`, under DFA or gradient descent.
pub(super) fn relu(dimension: usize, hidden: &[usize], has_feedback: bool) -> Case {
    let depth = hidden.len() + 1;
    let network = Relu::new(dimension, hidden, 0.0);
    let alternating = |width: usize| {
        DVector::from_fn(width, |j, _| {
            (0.4 + 0.3 * (j as f64).sin().abs()) * if j % 3 == 1 { -1.0 } else { 1.0 }
        })
    };
    let feedback: Vec<DVector<f64>> = hidden.iter().map(|&width| alternating(width)).collect();
    let (rule, rate) = if has_feedback {
        let rate = -1.0 / predictor_degree(depth);
        (Rule::direct_feedback_alignment(feedback.clone()), rate)
    } else {
        (Rule::gradient_descent(), -1.0 / depth as f64)
    };
    let parameters = network.layout().parameters();
    let mut case = case_of(Network::new(network), rule, rate, 30.0);
    let samples = case.problem.dataset().len();
    let data = Dataset::new(
        DMatrix::from_fn(samples, dimension, |n, d| {
            (2.3 * n as f64 + 1.9 * d as f64 + 0.4).sin()
        }),
        case.problem.dataset().labels().clone(),
    );
    let start = DVector::from_element(parameters, 0.1);
    let problem = case.problem.with_dataset(data).unwrap();
    case.problem = problem.with_start(start).unwrap();
    case.diagnostics.theory = theory::of(&case.problem);
    let directions = directions(&case, dimension, hidden[0]);
    let width = hidden[hidden.len() - 1];
    case.limit.beta = DVector::from_element(width, 1.0);
    let d = &mut case.diagnostics;
    d.beta = DMatrix::zeros(0, d.log_time.len());
    for gaps in [
        &mut d.kkt_residual,
        &mut d.duality_gap,
        &mut d.accumulated_gap,
    ] {
        gaps.fill(None);
    }
    for (l, invariant) in d.invariants.iter_mut().enumerate() {
        invariant.name = format!("feedback-unit-{}", l + 1);
        invariant.formula = "bⱼ w₂ⱼ − ½‖w₁ⱼ‖²".into();
    }
    d.invariants.truncate(1);
    d.homogeneous = Some(homogeneous(
        d,
        case.problem.dataset().samples(),
        directions,
        &feedback[feedback.len() - 1],
        (depth, has_feedback),
    ));
    case
}

/// The same network with a smoothing ε.
pub(super) fn smooth(case: &mut Case, smoothing: f64) {
    let problem = &case.problem;
    let shapes = problem.network().shapes();
    let hidden: Vec<usize> = shapes[..shapes.len() - 1].iter().map(|s| s.1).collect();
    case.problem = Problem::new(
        problem.dataset().clone(),
        Relu::new(shapes[0].0, &hidden, smoothing),
        problem.rule().clone(),
        problem.loss(),
        problem.theta0().clone(),
    )
    .unwrap();
}

/// (D · units) × T: arcs, every other unit stays on the first boundary it meets.
fn directions(case: &Case, dimension: usize, units: usize) -> DMatrix<f64> {
    let samples = case.problem.dataset().samples();
    let s = &case.diagnostics.log_log_time;
    let mut found = DMatrix::zeros(dimension * units, s.len());
    for j in 0..units {
        let wave = |phase: f64| {
            DVector::from_fn(dimension, |i, _| {
                (1.7 * (j * dimension + i) as f64 + phase * (i + 1) as f64).sin()
            })
        };
        let (from, to) = (wave(0.3), wave(2.1));
        let mut kept: Option<usize> = None;
        let mut last = from.normalize();
        for (k, s) in s.iter().enumerate() {
            let part = (-s / 3.0).exp();
            let free = (&from * part + &to * (1.0 - part)).normalize();
            if j % 2 == 0 && kept.is_none() {
                let crossed = |n: &usize| {
                    let x = samples.row(*n).transpose();
                    x.dot(&free) * x.dot(&last) < 0.0
                };
                kept = (0..samples.nrows()).find(crossed);
            }
            let mut now = free;
            if let Some(n) = kept {
                let x = samples.row(n).transpose().normalize();
                now -= &x * x.dot(&now);
                now.normalize_mut();
                if now.dot(&last) < 0.0 {
                    now.neg_mut();
                }
            }
            found
                .view_mut((j * dimension, k), (dimension, 1))
                .copy_from(&now);
            last = now;
        }
    }
    found
}

fn homogeneous(
    d: &Diagnostics,
    samples: &DMatrix<f64>,
    directions: DMatrix<f64>,
    feedback: &DVector<f64>,
    (depth, has_feedback): (usize, bool),
) -> Homogeneous {
    let (s, saves) = (&d.log_log_time, d.log_log_time.len());
    let law = |size: f64, exponent: f64| -> Vec<Option<f64>> {
        s.iter()
            .enumerate()
            .map(|(k, s)| (k >= 6).then(|| size * (exponent * s).exp()))
            .collect()
    };
    let growth = if has_feedback { 1.0 / 3.0 } else { 0.5 };
    let unit_norms = DMatrix::from_fn(feedback.len(), saves, |j, k| {
        // Every fifth unit responds to no support vector.
        let grown = if j % 5 == 4 { s[k].min(2.0) } else { s[k] };
        (0.1 + 0.05 * j as f64) * (growth * grown).exp()
    });
    let output_weights = DMatrix::from_fn(feedback.len(), saves, |j, k| {
        let norm: f64 = unit_norms[(j, k)];
        if has_feedback {
            norm.powi(2) / (2.0 * feedback[j])
        } else {
            norm * feedback[j].signum()
        }
    });
    let fade = if has_feedback { -1.0 / 3.0 } else { 0.0 };
    let normalised: Vec<f64> = s
        .iter()
        .map(|s| (fade * s).exp() * (0.3 - 0.9 * (-0.8 * s).exp()))
        .collect();
    let units = directions.nrows() / samples.ncols();
    let activation_sines = DMatrix::from_fn(units * samples.nrows(), saves, |row, k| {
        let x = samples.row(row / units).transpose().normalize();
        let w = directions.view((row % units * samples.ncols(), k), (samples.ncols(), 1));
        x.dot(&w)
    });
    let (first, second) = if has_feedback {
        (-1.0 / 3.0, -0.002)
    } else {
        (0.0, -0.5)
    };
    Homogeneous {
        feature_angle: d
            .angle_to_limit
            .as_ref()
            .unwrap()
            .iter()
            .map(|a| Some(*a))
            .collect(),
        feature_margin: s
            .iter()
            .map(|s| Some(0.2 + 0.3 * (-0.5 * s).exp()))
            .collect(),
        feedback_kkt: if has_feedback && depth == 2 {
            law(0.8, first)
        } else {
            vec![None; saves]
        },
        gradient_kkt: law(0.9, second),
        epsilon: law(1.3, second),
        delta: law(0.4, -0.5),
        smoothed_margin: normalised
            .iter()
            .zip(s)
            .map(|(m, s)| (*m > 0.0).then(|| m * (1.0 - 0.4 * (-0.5 * s).exp())))
            .collect(),
        normalised_margin: normalised,
        feedback_margin: s
            .iter()
            .map(|s| (has_feedback && depth == 2 && *s > 1.0).then(|| 0.7 - (-0.5 * s).exp()))
            .collect(),
        output_weights,
        unit_norms,
        activation_sines,
        directions,
        dead: Vec::new(),
        degree: u32::try_from(depth).unwrap_or(u32::MAX),
        smoothing: 0.0,
        unseen: Some(Vec::new()),
    }
}
