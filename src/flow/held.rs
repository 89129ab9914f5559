//! Samples that contradict each other, held.
//!
//! Where the data are not separable, samples that pull against each other ([`Contradiction`]) come to rest at finite
//! margins while the others are still being learned. Their log-multipliers then grow like τ, and `E_n` amplifies
//! rounding until nothing can be integrated (τ ≈ 36). But by τ ≈ 16 they do nothing else than hold the predictor on
//! their span S where it is, to e^−16, and can be replaced by the forces that do so ([`Held`]). What is left are the
//! others, without their part in S: data that are separable, whose margins are `m_n = m̃_n + c_n` with `m̃_n` from
//! what they have outside S, and the constant c_n from S.

use super::clock::compress;
use super::run::FlowRun;
use super::system::System;
use crate::limit::Contradiction;
use crate::network::{Held, Kernel};
use crate::trajectory::HeldMargins;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the contradictory samples' updates leave of each other when they may be held: `|Σ E_n g_n| / Σ E_n|g_n|`, in
/// every feature.
const CANCELLED: f64 = 1e-5;

/// Steps of Newton's method to the minimum, which is near.
const ROUNDS: usize = 4;

/// How far from the minimum margins may be: no more than integration has left.
const NEAR: f64 = 0.01;

/// See the module.
pub(super) struct Holding {
    /// The field of the others.
    pub kernel: Arc<dyn Kernel>,
    pub since: Since,
    /// How many samples are held.
    pub count: usize,
}

/// What a mark knows of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Since {
    /// c_n, N.
    pub shift: Vec<f64>,
    /// Log-log-time of the run from which samples are held.
    pub s: f64,
}

/// Whether the updates of contradictory samples cancel but for what the others pull, at multipliers E.
pub(super) fn have_settled(
    found: &Contradiction,
    signed_samples: &DMatrix<f64>,
    multipliers: &[f64],
) -> bool {
    signed_samples.column_iter().all(|feature| {
        let terms = found.samples.iter().map(|&n| multipliers[n] * feature[n]);
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
        f64::abs(sum) <= CANCELLED * size
    })
}

/// Moves the predictor within S from where the weights have it, to the digits of the run, to where the loss of the
/// contradictory samples is least: by Newton's method, with `coefficients` the samples in the basis of S and `margins`
/// what they have of their margins there.
fn rest(system: &System, found: &Contradiction, coefficients: &DMatrix<f64>, margins: &mut [f64]) {
    let loss = system.loss();
    for _ in 0..ROUNDS {
        let size = coefficients.ncols();
        let mut pull = DVector::zeros(size);
        let mut curvature = DMatrix::zeros(size, size);
        for &n in &found.samples {
            let row = coefficients.row(n).transpose();
            let count = system.log_counts().get(n).copied().unwrap_or(0.0);
            let multiplier = (count - margins[n] + loss.log_correction(margins[n])).exp();
            let slope = multiplier * (1.0 - loss.log_correction_slope(margins[n]));
            pull.axpy(multiplier, &row, 1.0);
            curvature.ger(slope, &row, &row, 1.0);
        }
        let Some(factor) = curvature.cholesky() else {
            return;
        };
        let moved = coefficients * factor.solve(&pull);
        if moved.amax() > NEAR {
            return;
        }
        for (margin, moved) in margins.iter_mut().zip(moved.iter()) {
            *margin += moved;
        }
    }
}

impl Holding {
    /// Holds the samples of `system`, which has the field on all of them, from the weights θ at log-log-time s of the
    /// run on. None if the field takes no other rows than its samples.
    pub(super) fn begin(
        system: &System,
        field: &Arc<dyn Kernel>,
        found: &Contradiction,
        (theta, s): (&[f64], f64),
    ) -> Option<Self> {
        let inside = field.signed_samples()? - &found.rest;
        let mut shift = vec![0.0; inside.nrows()];
        field.on_rows(&inside)?.margins(theta, &mut shift);
        rest(
            system,
            found,
            &(inside * found.span.transpose()),
            &mut shift,
        );
        Self::resume(field, found, Since { shift, s })
    }

    /// Those of a mark.
    pub(super) fn resume(
        field: &Arc<dyn Kernel>,
        found: &Contradiction,
        since: Since,
    ) -> Option<Self> {
        let kernel = Held::new(field, &found.rest, &found.span)?;
        Some(Self {
            kernel: Arc::new(kernel),
            since,
            count: found.samples.len(),
        })
    }

    /// What a trajectory knows of it.
    pub(super) fn margins(&self) -> HeldMargins {
        let held = |(n, m): (usize, &f64)| self.kernel.dead().contains(&n).then_some(*m);
        HeldMargins {
            since: self.since.s,
            margins: self.since.shift.iter().enumerate().map(held).collect(),
        }
    }

    /// Compressed log-multipliers of all samples at the weights θ and log-log-time s of the run's epoch: τ − m̃_n.
    pub(super) fn states(&self, run: &FlowRun<'_>, theta: &[f64], s: f64) -> Vec<f64> {
        let mut margins = vec![0.0; self.kernel.samples()];
        self.kernel.margins(theta, &mut margins);
        let tau = run.log_time(s);
        margins.into_iter().map(|m| compress(tau - m)).collect()
    }
}
