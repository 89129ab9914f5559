//! Finite steps: against NumPy, against the flow, across interruptions, from the command line; how large they may be.

mod archive;
mod cli;
mod critical;
mod numpy;
mod order;
#[path = "../support/program.rs"]
mod program;
mod resume;

use marginflow::scenario::{self, Scenario};
use std::path::Path;

/// A scenario of the gallery, changed.
fn scenario(name: &str, overrides: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    scenario::load(&path, &overrides).unwrap()
}
