//! The curves of every figure, computed from the arrays alone.

use super::archive::Run;
use num_complex::Complex64;

/// What is drawn on logarithmic axes instead of zero.
fn floored(values: Vec<f64>) -> Vec<f64> {
    let floor = |x: f64| if x < 1e-17 { 1e-17 } else { x };
    values.into_iter().map(floor).collect()
}

fn over(values: &[f64], by: &[f64]) -> Vec<f64> {
    values.iter().zip(by).map(|(x, y)| x / y).collect()
}

/// Curves of a figure, computed from the arrays alone.
pub(super) fn measured(run: &Run, figure: &str) -> Vec<Vec<f64>> {
    let number = |pointer: &str| run.report.pointer(pointer).unwrap().as_f64().unwrap();
    let of_certified = |name: &str| floored(run.sparse(name, "certified"));
    let relu = run.arrays.contains_key("unit_norms");
    match figure {
        "angle-to-limit" if run.arrays.contains_key("angle_to_limit") => {
            vec![run.floats("angle_to_limit").to_vec()]
        }
        "angle-to-limit" => vec![run.defined("feature_angle")],
        "candidates" => {
            let mut curves = run.columns("candidate_angles");
            curves.push(run.floats("angle_to_limit").to_vec());
            curves.into_iter().map(floored).collect()
        }
        "spectrum" => {
            let [end, limit] = moduli(run);
            // a level at every frequency: both of its ends, and nothing
            let levels = limit.into_iter().flat_map(|x| [x, x, f64::NAN]);
            vec![end, levels.collect()]
        }
        "neurons" => turns(run),
        "margins" => {
            let margins = run.columns("margins").into_iter();
            margins.map(|m| over(&m, run.floats("log_time"))).collect()
        }
        "norms" => {
            let mut curves = run.columns("layer_norms");
            let loss: Vec<f64> = run.floats("log_loss").iter().map(|l| -l).collect();
            curves.push(over(&loss, run.floats("log_time")));
            curves
        }
        "alignment" => {
            let left = run.columns("alignment_residual").into_iter().map(floored);
            run.columns("phi").into_iter().chain(left).collect()
        }
        "phases" => {
            let mut curves = arguments(run);
            curves.extend(run.columns("largest_phase"));
            curves
        }
        "swept-area" => {
            let areas = run.columns("swept_area").into_iter();
            (run.indices("frequencies").into_iter().zip(areas))
                .filter(|(d, _)| turns_in_the_plane(*d))
                .map(|(_, area)| area.into_iter().map(|a| 2.0 * a.abs()).collect())
                .collect()
        }
        "certificate" if relu => vec![of_certified("duality_gap")],
        "certificate" => vec![
            of_certified("kkt_residual"),
            of_certified("duality_gap"),
            floored(run.defined("accumulated_gap")),
        ],
        "sandwich" => {
            let least = number("/final/sandwich/least");
            let below: Vec<f64> = run
                .floats("accumulated")
                .iter()
                .map(|a| a / least)
                .collect();
            let constant = number("/final/sandwich/constant");
            let above = below.iter().map(|below| below + constant).collect();
            ["dual_of_z", "radius"]
                .map(|name| run.floats(name).to_vec())
                .into_iter()
                .chain([above, below])
                .collect()
        }
        "invariants" => {
            let mut drifts = run.columns("invariant_drift");
            drifts.push(run.floats("multiplier_drift").to_vec());
            let sizes = drifts
                .into_iter()
                .map(|d| d.into_iter().map(f64::abs).collect());
            sizes.map(floored).collect()
        }
        "singular-values" => {
            let sigma = run.columns("singular_values");
            let ratios = sigma[1..].iter().map(|s| over(s, &sigma[0]));
            // what is below is not drawn
            let large = |s: Vec<f64>| s.into_iter().filter(|ratio| *ratio > 1e-6).collect();
            let ratios = ratios.map(large).filter(|s: &Vec<f64>| !s.is_empty());
            let areas = run.columns("relative_area").into_iter().map(floored);
            ratios.chain(areas).collect()
        }
        "output-weights" => {
            let weights = run.columns("output_weights");
            let norm = |k: usize| weights.iter().map(|w| w[k] * w[k]).sum::<f64>().sqrt();
            let norms: Vec<f64> = (0..run.saves()).map(norm).collect();
            weights.iter().map(|w| over(w, &norms)).collect()
        }
        "kkt" => {
            let mut curves: Vec<Vec<f64>> = ["feedback_kkt", "gradient_kkt", "epsilon", "delta"]
                .map(|name| floored(run.defined(name)))
                .into();
            curves.push(run.floats("normalised_margin").to_vec());
            curves
        }
        "dfa-margin" => vec![
            run.defined("feedback_margin"),
            run.defined("smoothed_margin"),
        ],
        "finite-steps" => (1..)
            .take_while(|i| run.arrays.contains_key(&format!("steps_{i}_k")))
            .map(|i| {
                let loss = run.floats(&format!("steps_{i}_log_loss"));
                // the curves begin after the start
                loss[1..].iter().map(|l| loss[0] - l).collect()
            })
            .collect(),
        "step-sizes" => {
            let distances = run.report["order"]["distances"].as_array().unwrap();
            vec![
                distances
                    .iter()
                    .map(|pair| pair[1].as_f64().unwrap())
                    .collect(),
            ]
        }
        other => panic!("{other}: say here how to compute it from the files"),
    }
}

/// Whether the transform at frequency d of eight samples is complex.
fn turns_in_the_plane(d: usize) -> bool {
    d != 0 && d != 4
}

/// arg φ_l of every layer and frequency; NaN where there is none.
fn arguments(run: &Run) -> Vec<Vec<f64>> {
    let [saves, layers, frequencies] = run.arrays["phi_hat"].shape[..] else {
        panic!("three axes")
    };
    let phi = run.complex("phi_hat");
    let known = run.indices("frequencies");
    let pairs = (0..layers).flat_map(|l| (0..frequencies).map(move |f| (l, f)));
    pairs
        .filter(|(_, f)| turns_in_the_plane(known[*f]))
        .map(|(l, f)| {
            let at = |k: usize| phi[(k * layers + l) * frequencies + f];
            let argument = |z: Complex64| if z.norm() == 0.0 { f64::NAN } else { z.arg() };
            (0..saves).map(|k| argument(at(k))).collect()
        })
        .collect()
}

/// |β̂_d|/‖β‖ at the end of a convolutional run, and of its limit, by the sum that defines them.
fn moduli(run: &Run) -> [Vec<f64>; 2] {
    let end: Vec<f64> = run
        .columns("beta")
        .iter()
        .map(|b| b[run.saves() - 1])
        .collect();
    [&end[..], run.floats("limit_beta")].map(|beta| {
        let size = beta.iter().map(|x| x * x).sum::<f64>().sqrt();
        let count = beta.len() as f64;
        (0..=beta.len() / 2)
            .map(|d| {
                let turn = |j: usize| -std::f64::consts::TAU * (d * j) as f64 / count;
                let terms = beta.iter().enumerate();
                let sum: Complex64 = terms.map(|(j, x)| Complex64::from_polar(*x, turn(j))).sum();
                sum.norm() / count.sqrt() / size
            })
            .collect()
    })
}

/// How far every unit has turned from its start, degrees.
fn turns(run: &Run) -> Vec<Vec<f64>> {
    let [saves, inputs, units] = run.arrays["w_1"].shape[..] else {
        panic!("three axes")
    };
    let w = run.floats("w_1");
    let unit = |k: usize, j: usize| -> Vec<f64> {
        let column: Vec<f64> = (0..inputs)
            .map(|i| w[(k * inputs + i) * units + j])
            .collect();
        let size = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        column.into_iter().map(|x| x / size).collect()
    };
    let turned = |k: usize, j: usize| -> f64 {
        let (a, b) = (unit(0, j), unit(k, j));
        let (mut less, mut more) = (0.0, 0.0);
        for (x, y) in a.iter().zip(&b) {
            less += (x - y) * (x - y);
            more += (x + y) * (x + y);
        }
        2.0 * f64::atan2(less.sqrt(), more.sqrt()).to_degrees()
    };
    (0..units)
        .map(|j| (0..saves).map(|k| turned(k, j)).collect())
        .collect()
}
