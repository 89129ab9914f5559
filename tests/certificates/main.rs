//! Certificates: made, checked, mutated, and checked again by programs that share no code.

mod bases;
mod classes;
mod limits;
mod mutations;
mod networks;
mod program;
mod refusals;
mod truth;
