//! marginflow: where training goes (skeleton; module docs follow).
pub mod claims;
pub mod dataset;
pub mod diagnostics;
pub mod error;
pub mod figures;
pub mod flow;
pub mod limit;
pub mod loss;
pub mod network;
pub mod problem;
pub mod report;
pub mod rule;
pub mod scenario;
pub mod trajectory;
