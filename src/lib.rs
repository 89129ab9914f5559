//! marginflow: where training goes.
//!
//! Which of infinitely many solutions does a learning rule select? marginflow integrates the learning flows of gradient
//! descent (BP) and direct feedback alignment (DFA) out to times like t = exp(10^30), and checks on every run what
//! theory says about it.
//!
//! # The model in a page
//! Data `x_n` with labels `y_n = ±1`, signed samples `g_n = y_n x_n`; a network with predictor β and margins
//! `m_n = g_n·β`; multipliers `α_n = −∂𝓛/∂m_n`. A rule moves the weights, `θ' = Σ_n α_n y_n 𝒢_n(θ)`. Directions
//! converge like powers of `τ = ln(1+t)`, so the flow is integrated in the clock `s = ln(1+τ)`, with the
//! log-multipliers `p_n = τ − m_n` carried as states of their own: nothing cancels, however far the run goes
//! ([`flow`]).
//!
//! # One way for data to flow
//! ```text
//! Scenario ─build→ Problem ─integrate→ Trajectory ─diagnose→ Diagnostics ─check→ Verdicts ─→ report, figures
//!  (TOML)          dataset, network,    times, states,        margins, angles,    one per
//!                  rule, loss, θ0       solver stats, status  invariants, KKT     claim
//! ```
//! Each arrow is one public function: [`scenario::Scenario::build`], [`flow::integrate`], [`diagnostics::diagnose`],
//! [`claims::check`], [`report`] and [`figures::figures`]; [`run::run`] is all of them in order.
//!
//! # Example
//! Depth-2 DFA from zero weights on three points of the plane, to log-log-time 20 (t = exp(4.9·10⁸)):
//! ```
//! use marginflow::{dataset::Dataset, diagnostics::diagnose, flow::{FlowOptions, integrate}};
//! use marginflow::{limit::{Separability, max_margin}, loss::Loss, problem::Problem, rule::Rule};
//! use marginflow::network::{FullyConnectedLinear, Network};
//! use nalgebra::{DVector, dmatrix, dvector};
//!
//! let problem = Problem {
//!     dataset: Dataset::new(dmatrix![1.0, 0.2; -1.0, 0.3; 0.5, 3.0], dvector![1.0, -1.0, 1.0]),
//!     network: Network::new(FullyConnectedLinear::new(2, &[2])),
//!     rule: Rule::direct_feedback_alignment(vec![dvector![1.0, -0.5]]),
//!     loss: Loss::Exponential,
//!     theta0: DVector::zeros(2 * 2 + 2),
//! };
//! let Separability::Separable(limit) = max_margin(problem.dataset().signed_samples()) else { panic!() };
//! let trajectory = integrate(&problem, &FlowOptions::to(20.0), &mut |_| {})?;
//! let diagnostics = diagnose(&problem, &trajectory, Some(&limit));
//! assert!(diagnostics.final_angle().unwrap() < 1e-2);
//! assert!(diagnostics.worst_invariant() < 1e-6);
//! # Ok::<(), marginflow::error::Error>(())
//! ```

// The program calls everything; parts of the library have no other caller.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

pub mod accuracy;
pub mod activation;
pub mod claims;
#[cfg(feature = "cli")]
pub mod cli;
pub mod control;
pub mod dataset;
pub mod descent;
pub mod diagnostics;
pub mod error;
#[cfg(feature = "figures")]
pub mod figures;
pub mod flow;
#[cfg(feature = "scenarios")]
pub mod generalisation;
pub mod limit;
pub mod loss;
#[cfg(feature = "scenarios")]
pub mod memory;
pub mod network;
pub mod problem;
pub mod reference;
#[cfg(all(feature = "figures", feature = "scenarios"))]
pub mod report;
#[cfg(all(feature = "figures", feature = "scenarios"))]
mod reproduce;
pub mod rule;
#[cfg(feature = "scenarios")]
pub mod run;
#[cfg(feature = "scenarios")]
pub mod scenario;
pub mod spectrum;
#[cfg(all(feature = "figures", feature = "scenarios"))]
pub mod stability;
pub mod storage;
#[cfg(all(feature = "figures", feature = "scenarios"))]
pub mod sweep;
pub mod theory;
pub mod trajectory;
