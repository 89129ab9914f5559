//! Data, features, weights and feedback, scaled by powers of ten.

use super::program::{Case, Truth};
use super::scenario::{GRADIENT_DESCENT, LABELS, NETWORKS, Parts, SAMPLES, csv, on_files};
use marginflow::limit::{Separability, max_margin};
use nalgebra::DMatrix;

pub const GROUP: &str = "Scales";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut on = |name: String, parts: &Parts, rows: &[[f64; 3]], truth: Truth| {
        let case = Case::run(GROUP, name, parts.text());
        let case = case.file("x.csv", csv(rows)).file("y.csv", LABELS);
        cases.push(case.known(truth));
    };
    for exponent in [200, 20, -8, -20, -100, -200] {
        let scale = 10f64.powi(exponent);
        let rows = SAMPLES.map(|row| row.map(|x| scale * x));
        for (k, (name, network)) in NETWORKS.into_iter().enumerate() {
            let parts = Parts {
                network,
                ..on_files()
            };
            // scaling does not turn the hard-margin direction
            let truth = match k {
                0 => Truth::Direction(svm(), f64::INFINITY),
                _ => Truth::Separable,
            };
            on(
                format!("all data times 1e{exponent}, {name}"),
                &parts,
                &rows,
                truth,
            );
        }
        if exponent.abs() != 20 {
            continue;
        }
        let logistic = Parts {
            loss: "logistic",
            ..on_files()
        };
        on(
            format!("all data times 1e{exponent}, logistic loss"),
            &logistic,
            &rows,
            Truth::Separable,
        );
    }
    for exponent in [200, 20, -200] {
        let scale = 10f64.powi(exponent);
        let rows = SAMPLES.map(|[x, y, z]| [x, scale * y, z]);
        for (name, network) in NETWORKS {
            let parts = Parts {
                network,
                ..on_files()
            };
            on(
                format!("one feature times 1e{exponent}, {name}"),
                &parts,
                &rows,
                Truth::Separable,
            );
        }
    }
    for scale in ["1e-300", "1e3", "1e100"] {
        for (k, (name, network)) in NETWORKS.into_iter().enumerate() {
            let parts = Parts {
                initial: format!("initial.gaussian = {{ scale = {scale}, seed = 3 }}"),
                network,
                ..on_files()
            };
            on(
                format!("initial weights of {scale}, {name}"),
                &parts,
                &SAMPLES,
                Truth::Separable,
            );
            if k == 0 {
                let parts = Parts {
                    rule: GRADIENT_DESCENT.into(),
                    ..parts
                };
                on(
                    format!("initial weights of {scale}, {name}, gradient descent"),
                    &parts,
                    &SAMPLES,
                    Truth::Separable,
                );
            }
        }
    }
    for (scale, networks) in [
        ("1e-100", &NETWORKS[..2]),
        ("1e6", &NETWORKS[..1]),
        ("1e100", &NETWORKS[..]),
    ] {
        for &(name, network) in networks {
            let parts = Parts {
                rule: format!(
                    "[rule.direct-feedback-alignment]\nfeedback.gaussian = {{ seed = 7, scale = {scale} }}"
                ),
                network,
                ..on_files()
            };
            on(
                format!("feedback of {scale}, {name}"),
                &parts,
                &SAMPLES,
                Truth::Separable,
            );
        }
    }
    cases
}

/// The hard-margin direction of the three points.
fn svm() -> Vec<f64> {
    let signed = DMatrix::from_fn(3, 3, |n, d| [1.0, -1.0, 1.0][n] * SAMPLES[n][d]);
    match max_margin(&signed) {
        Separability::Separable(limit) => limit.beta.as_slice().to_vec(),
        other => panic!("{other:?}"),
    }
}
