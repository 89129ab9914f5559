//! What the parts of an implicit step cost, at a state in the midst of a run.

use crate::recipe::Sizes;
use crate::timing::timed;
use marginflow::dataset::standard_normals;
use marginflow::flow::clock::compress;
use marginflow::flow::{FlowOptions, NewtonSolver, SaveAt, System, integrate};
use serde::Serialize;
use std::error::Error;
use std::hint::black_box;

const REPEATS: usize = 5;
/// s of the state: the support has formed.
const AT: f64 = 5.0;
/// c of the implicit step `(1 − cJ) x = b`.
const STEP: f64 = 0.02;

/// Names, and D, L, N of the two sizes.
const NETWORKS: [(&str, bool, bool, [[usize; 3]; 2]); 3] = [
    (
        "fully connected, DFA",
        false,
        true,
        [[50, 3, 60], [200, 3, 100]],
    ),
    (
        "fully connected, BP",
        false,
        false,
        [[50, 3, 60], [200, 3, 100]],
    ),
    (
        "convolutional, DFA",
        true,
        true,
        [[32, 2, 40], [256, 3, 100]],
    ),
];

/// A row of the table; times in seconds.
#[derive(Serialize)]
struct Row {
    network: &'static str,
    sizes: [usize; 3],
    parameters: usize,
    vector_field: f64,
    jacobian_product: f64,
    set_up: f64,
    solve: f64,
}

/// Measures every network at both sizes.
///
/// # Errors
/// If a flow does not start.
pub fn run(json: bool) -> Result<(), Box<dyn Error>> {
    if !json {
        println!(
            "| network | D | L | N | weights | vector field µs | Jacobian product µs | Newton set-up µs | Newton solve \
             µs |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
    }
    for (network, convolutional, feedback, both) in NETWORKS {
        for [dimension, depth, samples] in both {
            let row = measure(
                network,
                Sizes {
                    convolutional,
                    feedback,
                    dimension,
                    depth,
                    samples,
                    initial: 0.1,
                },
            )?;
            if json {
                println!("{}", serde_json::to_string(&row)?);
                continue;
            }
            let [vector_field, product, set_up, solve] = [
                row.vector_field,
                row.jacobian_product,
                row.set_up,
                row.solve,
            ]
            .map(|t| 1e6 * t);
            println!(
                "| {network} | {dimension} | {depth} | {samples} | {} | {vector_field:.1} | {product:.1} | {set_up:.1} \
                 | {solve:.1} |",
                row.parameters,
            );
        }
    }
    Ok(())
}

fn measure(network: &'static str, sizes: Sizes) -> Result<Row, Box<dyn Error>> {
    let problem = sizes.draw();
    let options = FlowOptions {
        // Any state near the flow will do.
        rtol: 1e-3,
        atol: 1e-5,
        saves: SaveAt::Uniform(2),
        ..FlowOptions::to(AT)
    };
    let trajectory = integrate(&problem, &options, &mut |_| {})?;
    let last = trajectory.len() - 1;
    let log_multipliers = trajectory.log_multipliers.column(last);
    let mut y = trajectory.theta.column(last).as_slice().to_vec();
    y.extend(log_multipliers.iter().map(|p| compress(*p)));
    let kernel = problem.kernel();
    let system = System::new(kernel, problem.loss(), NewtonSolver::Structured, 0.0);
    let direction: Vec<f64> = standard_normals("bench direction", 1)
        .take(y.len())
        .collect();
    let mut out = vec![0.0; y.len()];
    let seconds = |call: &mut dyn FnMut()| timed(REPEATS, call, || ()).median;
    let vector_field = seconds(&mut || system.rhs(black_box(&y), AT, &mut out));
    let jacobian_product =
        seconds(&mut || system.jacobian_product(black_box(&y), AT, &direction, &mut out));
    let set_up = seconds(&mut || {
        black_box(system.linearise(black_box(&y), AT, STEP));
    });
    let step = system.linearise(&y, AT, STEP);
    let solve = seconds(&mut || {
        out.copy_from_slice(black_box(&direction));
        step.solve(&mut out);
    });
    Ok(Row {
        network,
        sizes: [sizes.dimension, sizes.depth, sizes.samples],
        parameters: problem.network().parameters(),
        vector_field,
        jacobian_product,
        set_up,
        solve,
    })
}
