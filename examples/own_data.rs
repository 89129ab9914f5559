//! A flow on data of one's own, without a scenario file.
//!
//! ```text
//! cargo run --release --example own_data
//! ```
//!
//! Six points of the plane, with a constant feature so that the separating line need not pass through the origin; a
//! fully connected linear network of depth 2, by direct feedback alignment from zero weights. Prints how the line
//! turns, from t = 1 to t = exp(10¹³).

use marginflow::dataset::Dataset;
use marginflow::diagnostics::diagnose;
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::limit::{Separability, max_margin};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DVector, dmatrix, dvector};
use std::error::Error;

pub fn main() -> Result<(), Box<dyn Error>> {
    // rows are samples; the last column is the constant feature
    let samples = dmatrix![
        2.0, 2.5, 1.0;  3.0, 1.5, 1.0;  3.5, 3.0, 1.0;
        0.5, 1.0, 1.0;  1.0, 0.0, 1.0; -0.5, 0.5, 1.0
    ];
    let labels = dvector![1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
    let network = Network::new(FullyConnectedLinear::new(3, &[4]));
    let problem = Problem::new(
        Dataset::new(samples, labels),
        network.clone(),
        Rule::direct_feedback_alignment(vec![dvector![1.0, -0.5, 0.3, 2.0]]),
        Loss::Logistic,
        DVector::zeros(network.parameters()),
    )
    .unwrap();
    let Separability::Separable(limit) = max_margin(problem.dataset().signed_samples()) else {
        return Err("no line separates the points".into());
    };
    let options = FlowOptions {
        saves: SaveAt::Uniform(7),
        ..FlowOptions::to(30.0)
    };
    let trajectory = integrate(&problem, &options, &mut |_| {})?;
    let diagnostics = diagnose(&problem, &trajectory, Some(&limit));
    for (k, log_time) in diagnostics.log_time.iter().enumerate().skip(1) {
        let beta = diagnostics.beta.column(k).normalize();
        let angle = (diagnostics.angle_to_limit.as_ref()).map_or(f64::NAN, |angles| angles[k]);
        println!(
            "ln(1+t) = {log_time:<10.3e} line {:+.6} x {:+.6} y {:+.6} = 0, {angle:.1e} rad from the widest gap",
            beta[0], beta[1], beta[2],
        );
    }
    println!(
        "the run's own proof: duality gap {:.1e}; largest drift of conserved quantities {:.1e}",
        diagnostics
            .duality_gap
            .last()
            .copied()
            .flatten()
            .unwrap_or(f64::NAN),
        diagnostics.worst_invariant(),
    );
    assert!(diagnostics.final_angle().is_some_and(|angle| angle < 1e-3));
    assert!(diagnostics.worst_invariant() < 1e-6);
    Ok(())
}
