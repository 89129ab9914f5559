//! marginflow: where training goes.
//!
//! Which of infinitely many solutions does a learning rule select? marginflow integrates the learning flows of gradient
//! descent (BP) and direct feedback alignment (DFA) out to times like t = exp(10^30), and checks on every run what
//! theory says about it.
//!
//! # The model in brief
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
//!                    └─ theory::of ──────→ Theory: what is predicted, read by everything to the right
//! ```
//! Each arrow is one public function: `scenario::Scenario::build`, [`flow::integrate`], [`diagnostics::diagnose`],
//! [`claims::check`], `report` and `figures::figures`; `run::run` calls all of them in order. What theory predicts
//! for a problem, [`theory::of`], is a plain value that everything to the right of the problem reads.
//!
//! Cargo features: `scenarios` (TOML), `figures`, `cli`; all on by default; the links above work without them.
//!
//! # The three things people do
//! **Follow a flow, and measure it against what theory predicts.** Depth-2 DFA from zero weights on three points of the
//! plane, to log-log-time 20 (t = exp(4.9·10⁸)):
//! ```
//! use marginflow::{dataset::Dataset, diagnostics::diagnose, flow::{FlowOptions, integrate}};
//! use marginflow::{limit::{Separability, max_margin}, loss::Loss, problem::Problem, rule::Rule};
//! use marginflow::network::FullyConnectedLinear;
//! use nalgebra::{DVector, dmatrix, dvector};
//!
//! let problem = Problem::new(
//!     Dataset::new(dmatrix![1.0, 0.2; -1.0, 0.3; 0.5, 3.0], dvector![1.0, -1.0, 1.0]),
//!     FullyConnectedLinear::new(2, &[2]),
//!     Rule::direct_feedback_alignment(vec![dvector![1.0, -0.5]]),
//!     Loss::Exponential,
//!     DVector::zeros(2 * 2 + 2),
//! )?;
//! let Separability::Separable(limit) = max_margin(problem.dataset().signed_samples()) else { panic!() };
//! let trajectory = integrate(&problem, &FlowOptions::to(20.0), &mut |_| {})?;
//! let diagnostics = diagnose(&problem, &trajectory, Some(&limit));
//! assert!(diagnostics.final_angle().unwrap() < 1e-2);
//! assert!(diagnostics.worst_invariant() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Ask what theory says about a problem**, without running anything ([`theory`]):
//! ```
//! # use marginflow::{dataset::gaussian_teacher, loss::Loss, network::Network, problem::Problem, rule::Rule, theory};
//! # use nalgebra::{DVector, dvector};
//! let b = dvector![1.0, 0.5, -0.3, 0.2];
//! let problem = Problem::new(
//!     gaussian_teacher(4, 3, 1),
//!     Network::diagonal(4, 2),
//!     Rule::direct_feedback_alignment(vec![b]),
//!     Loss::Exponential,
//!     DVector::zeros(8),
//! )?;
//! let theory = theory::of(&problem);
//! let potential = theory.potential().expect("Theorem 2, corrected");
//! assert!((potential.exponent - 4.0 / 3.0).abs() < 1e-15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Bring your own field.** A [`Kernel`](network::Kernel) needs its sizes and three functions; clocks, implicit steps
//! and horizons come with [`flow::integrate_kernel`]. Here one weight per feature, `m_n = g_n·(w ⊙ w)`:
//! ```
//! use marginflow::flow::{FlowOptions, NewtonSolver, integrate_kernel};
//! use marginflow::network::{Kernel, Tangent};
//! use marginflow::loss::Loss;
//! use nalgebra::{DMatrix, DVector, dmatrix, dvector};
//! use std::sync::Arc;
//!
//! struct Squares(DMatrix<f64>);
//!
//! impl Kernel for Squares {
//!     fn parameters(&self) -> usize {
//!         self.0.ncols()
//!     }
//!     fn samples(&self) -> usize {
//!         self.0.nrows()
//!     }
//!     fn margins(&self, w: &[f64], margins: &mut [f64]) {
//!         let w = DVector::from_column_slice(w);
//!         margins.copy_from_slice((&self.0 * w.component_mul(&w)).as_slice());
//!     }
//!     fn velocity(&self, w: &[f64], alpha: &[f64], velocity: &mut [f64], rates: &mut [f64]) {
//!         let w = DVector::from_column_slice(w);
//!         let v = self.0.tr_mul(&DVector::from_column_slice(alpha)).component_mul(&w) * 2.0;
//!         rates.copy_from_slice((&self.0 * w.component_mul(&v) * 2.0).as_slice());
//!         velocity.copy_from_slice(v.as_slice());
//!     }
//!     fn tangent(&self, w: &[f64], alpha: &[f64], dw: &[f64], d_alpha: &[f64]) -> Tangent {
//!         let [w, alpha, dw, d_alpha] = [w, alpha, dw, d_alpha].map(DVector::from_column_slice);
//!         let (z, dz) = (self.0.tr_mul(&alpha), self.0.tr_mul(&d_alpha));
//!         let (v, dv) = (z.component_mul(&w) * 2.0, (z.component_mul(&dw) + dz.component_mul(&w)) * 2.0);
//!         Tangent {
//!             margins: &self.0 * w.component_mul(&dw) * 2.0,
//!             rates: &self.0 * (dw.component_mul(&v) + w.component_mul(&dv)) * 2.0,
//!             velocity: dv.as_slice().to_vec(),
//!         }
//!     }
//! }
//!
//! let kernel: Arc<dyn Kernel> = Arc::new(Squares(dmatrix![1.0, 0.2; 0.3, 1.0]));
//! let (start, options) = (dvector![0.1, 0.1], FlowOptions::to(10.0));
//! let run = integrate_kernel(&kernel, Loss::Exponential, &start, &options, NewtonSolver::Structured, &mut |_| {})?;
//! assert!(run.log_log_time.last() == Some(&10.0));
//! # Ok::<(), marginflow::error::Error>(())
//! ```

// What users of the crate cannot reach is not `pub`.
#![warn(unreachable_pub)]

pub mod accuracy;
pub mod activation;
pub mod certify;
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
mod products;
pub mod reference;
#[cfg(feature = "scenarios")]
pub mod report;
#[cfg(feature = "cli")]
mod reproduce;
pub mod rule;
#[cfg(feature = "scenarios")]
pub mod run;
#[cfg(feature = "scenarios")]
pub mod scenario;
pub mod singular;
pub mod spectrum;
#[cfg(feature = "scenarios")]
pub mod stability;
pub mod storage;
#[cfg(feature = "scenarios")]
pub mod study;
#[cfg(feature = "scenarios")]
pub mod sweep;
pub mod theory;
pub mod trajectory;
