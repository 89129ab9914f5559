//! The short programs in `examples/` run, and their assertions hold.

#[path = "../../examples/custom_claim.rs"]
mod custom_claim;
#[path = "../../examples/custom_potential.rs"]
mod custom_potential;
#[path = "../../examples/own_data.rs"]
mod own_data;
#[path = "../../examples/theorem_3_needs_a_margin.rs"]
mod theorem_3_needs_a_margin;

#[test]
fn a_potential_of_ones_own() {
    custom_potential::main().unwrap();
}

#[test]
fn a_claim_of_ones_own() {
    custom_claim::main().unwrap();
}

#[test]
fn data_of_ones_own() {
    own_data::main().unwrap();
}

#[test]
fn theorem_three_needs_a_margin() {
    theorem_3_needs_a_margin::main().unwrap();
}
