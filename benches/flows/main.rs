//! What flows and limits cost on one core, and what warns of a wrong one.
//!
//! ```text
//! cargo bench --bench flows                    # works: whole flows at matched accuracy
//! cargo bench --bench flows -- scaling         # time against D, L, N and the horizon, with exponents
//! cargo bench --bench flows -- pieces          # vector field, Jacobian product, Newton set-up and solve
//! cargo bench --bench flows -- relu            # ReLU networks: smoothed and exact kinks, and a wide one
//! cargo bench --bench flows -- limits          # reference solutions
//! cargo bench --bench flows -- alarms          # which alarms fire over a ladder of tolerances
//! ```
//!
//! With `--json` a part prints its records, one JSON object per line, in place of its table. With MARGINFLOW_PEERS set
//! to the folder of the peers (its README describes `instances/`), the works are those; else random ones of the same
//! sizes. `benches/peers.py` runs this beside other programs.
//!
//! Every flow is measured in a process of its own, after a warm-up, as the median of several repeats in seconds of
//! processor time; its memory is the largest resident set of that process after the warm-up.

mod alarms;
mod limits;
mod measure;
mod pieces;
mod recipe;
mod relu;
mod scaling;
mod timing;
mod works;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "What flows and limits cost")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Records as JSON lines in place of the table.
    #[arg(long, global = true)]
    json: bool,
    /// Another time-stepping method than the default.
    #[arg(long, global = true)]
    method: Option<String>,
    /// Cargo says this to every bench.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Whole flows, at the tolerance that matches the accuracy of the peers and at the default one.
    Works {
        /// W1, W2, W3, W3-big, W3-big-20; all of them without any.
        names: Vec<String>,
    },
    /// Time per step and per run, steps and memory over D, L, N and the horizon, under BP and DFA.
    Scaling {
        /// D, L, N, s; all of them without any.
        sweeps: Vec<String>,
    },
    /// ReLU networks.
    Relu {
        /// W7, W8, W9-wide, W9-iris-8, W9-iris-50, W10-100, W10; all but the last two without any.
        names: Vec<String>,
    },
    /// The parts of a step.
    Pieces,
    /// Reference solutions and their gaps.
    Limits,
    /// Alarms over a ladder of tolerances, on W2.
    Alarms,
    /// One measurement, in a process of its own.
    #[command(hide = true)]
    Measure { request: String },
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let peers = std::env::var_os("MARGINFLOW_PEERS").map(PathBuf::from);
    let peers = peers.as_deref();
    let method = arguments.method.as_deref();
    let part = match arguments.part {
        Some(part) => part,
        None if arguments.bench => Part::Works { names: Vec::new() },
        // `cargo test --benches` runs this to see that it starts.
        None => return Ok(()),
    };
    match part {
        Part::Works { names } => works::run(peers, &names, method, arguments.json),
        Part::Scaling { sweeps } => scaling::run(&sweeps, method, arguments.json),
        Part::Relu { names } => relu::run(&names, method, arguments.json),
        Part::Pieces => pieces::run(arguments.json),
        Part::Limits => limits::run(peers, arguments.json),
        Part::Alarms => alarms::run(peers, method, arguments.json),
        Part::Measure { request } => {
            let record = measure::measure(&serde_json::from_str(&request)?)?;
            println!("{}", serde_json::to_string(&record)?);
            Ok(())
        }
    }
}
