//! Is another norm the one that training minimises? Sets a run's direction beside minimisers of one's own potentials.
//!
//! ```text
//! cargo run --release --example custom_potential
//! ```
//!
//! A convolutional network of depth 2 under direct feedback alignment tends to the minimiser of `(Σ_d c_d
//! |β̂_d|^p)^{1/p}` with p = 4/3 and weights c from the feedback. Here p is varied at the same weights, and the weights
//! are left out at the same p.

use marginflow::control::Control;
use marginflow::limit::{Block, Potential, Separability, angle, minimise};
use marginflow::run::{RunOptions, run};
use marginflow::scenario;
use std::error::Error;
use std::path::Path;

pub fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/conv-dfa-2.toml");
    let finished = run(
        scenario::load(&path, &[])?,
        RunOptions::default(),
        &Control::none(),
    )?;
    let signed_samples = finished.problem.dataset().signed_samples();
    let learned = finished.diagnostics.final_beta();

    let law = finished
        .diagnostics
        .theory
        .limit
        .ok_or("no limit is predicted")?;
    let theory = law
        .potential()
        .ok_or("the limit is not that of a potential")?;
    let exponent = |p| Potential {
        exponent: p,
        ..theory.clone()
    };
    let unweighted = Potential {
        blocks: (theory.blocks.iter())
            .map(|block| Block {
                weight: 1.0,
                ..*block
            })
            .collect(),
        ..theory.clone()
    };
    let candidates = [
        ("p = 4/3, weights of the feedback", theory.clone()),
        ("p = 3/2, the same weights", exponent(1.5)),
        ("p = 1, the same weights", exponent(1.0)),
        ("p = 4/3, no weights", unweighted),
    ];
    let mut angles = Vec::new();
    for (name, potential) in candidates {
        let Separability::Separable(limit) = minimise(signed_samples, &potential) else {
            return Err(format!("{name}: no certified minimiser").into());
        };
        let angle = angle(learned.as_slice(), limit.beta.as_slice());
        println!(
            "{name:<34} {angle:.2e} rad from the run; duality gap of the minimiser {:.0e}",
            limit.duality_gap.unwrap_or(f64::NAN)
        );
        angles.push(angle);
    }
    // the run is at the first and at no other
    assert!(angles[0] < 1e-6 && angles[1..].iter().all(|a| *a > 1e-2));
    Ok(())
}
