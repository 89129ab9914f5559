//! How flows behave: budgets, failures and saves; samples that depend on each other or contradict each other; ReLU
//! networks and their kinks; accuracy that is judged, and alarms; losses that may rise.

mod accuracy;
mod alarms;
mod contradictory;
mod dependent;
#[path = "../support/judged.rs"]
mod judged;
mod loss_monotonicity;
#[path = "../support/program.rs"]
mod program;
mod relu;
mod runs;
mod saddles;
#[path = "../support/mod.rs"]
mod support;
mod ties;
