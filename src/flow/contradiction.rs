//! Samples that contradict each other, held.
//!
//! Where the data are not separable, samples that pull against each other ([`Contradiction`]) come to rest at finite
//! margins while the others are still being learned. Their log-multipliers then grow like τ, and `E_n` amplifies
//! rounding until nothing can be integrated (τ ≈ 36). But by τ ≈ 12 they do nothing else than hold the predictor on
//! their span S where it is, to e^−12, and can be replaced by the forces that do so
//! ([`Constrained`](crate::network::Constrained)). What is left are the others without their part in S: data that are
//! separable, whose log-multipliers are carried in [`Coordinates`](super::coordinates::Coordinates). What margins have
//! from S is constant.

use super::system::System;
use crate::limit::Contradiction;
use crate::network::Kernel;
use crate::trajectory::HeldMargins;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// What the contradictory samples' updates leave of each other when they may be held: `|Σ E_n g_n| / Σ E_n|g_n|`, in
/// every feature.
const CANCELLED: f64 = 1e-5;

/// Steps of Newton's method to the minimum, which is near.
const ROUNDS: usize = 4;

/// How far from the minimum margins may be: no more than integration has left.
const NEAR: f64 = 0.01;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Holding {
    /// Those that are held, increasing.
    pub samples: Vec<usize>,
    /// Log-log-time of the run from which they are held.
    pub since: f64,
    /// Where the predictor is held in S, length D.
    beta: Vec<f64>,
    /// Margins of the samples there.
    margins: Vec<f64>,
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

impl Holding {
    /// Holds the samples of `system`, whose field on all of them is `field`, from log-log-time s of the run on; moves
    /// the weights θ to where they are held. None if the field takes no other rows than its samples.
    pub(super) fn begin(
        system: &System,
        field: &dyn Kernel,
        found: &Contradiction,
        (theta, s): (&mut [f64], f64),
    ) -> Option<Self> {
        let along_span = field.on_rows(&found.span)?;
        let mut along = vec![0.0; found.span.nrows()];
        along_span.margins(theta, &mut along);
        let g = field.signed_samples()?.select_rows(&found.samples);
        let counts = found.samples.iter().map(|&n| system.count(n)).collect();
        let mut rest = Rest {
            system,
            counts,
            coefficients: g * found.span.transpose(),
            along: DVector::from_vec(along),
        };
        rest.reach();
        move_along(&*along_span, theta, &rest.along)?;
        Some(Self {
            samples: found.samples.clone(),
            since: s,
            margins: rest.margins().data.into(),
            beta: (found.span.transpose() * rest.along).data.into(),
        })
    }

    /// Where the predictor is held in S, length D.
    pub(super) fn beta(&self) -> DVector<f64> {
        DVector::from_column_slice(&self.beta)
    }

    /// What a trajectory of N samples knows of it.
    pub(super) fn of_all(&self, samples: usize) -> HeldMargins {
        let mut margins = vec![None; samples];
        for (&n, &margin) in self.samples.iter().zip(&self.margins) {
            margins[n] = Some(margin);
        }
        HeldMargins {
            since: self.since,
            margins,
        }
    }
}

/// Moves weights by what the rows of a kernel pull until their margins are these: the way on which the flow itself
/// would have brought them there.
fn move_along(kernel: &dyn Kernel, theta: &mut [f64], margins: &DVector<f64>) -> Option<()> {
    let all: Vec<usize> = (0..margins.len()).collect();
    let mut here = DVector::zeros(margins.len());
    let mut velocity = vec![0.0; theta.len()];
    let mut rates = vec![0.0; margins.len()];
    for _ in 0..ROUNDS {
        kernel.margins(theta, here.as_mut_slice());
        let response = kernel.tangent_kernel(theta, &all);
        let pull = response.lu().solve(&(margins - &here))?;
        kernel.velocity(theta, pull.as_slice(), &mut velocity, &mut rates);
        for (weight, moved) in theta.iter_mut().zip(&velocity) {
            *weight += moved;
        }
    }
    Some(())
}

/// The loss of the contradictory samples in S.
struct Rest<'a> {
    system: &'a System,
    /// ln of how many samples each stands for.
    counts: Vec<f64>,
    /// The samples in the basis of S.
    coefficients: DMatrix<f64>,
    /// The predictor in the basis of S.
    along: DVector<f64>,
}

impl Rest<'_> {
    fn margins(&self) -> DVector<f64> {
        &self.coefficients * &self.along
    }

    /// Moves the predictor from where the weights have it, to the digits of the run, to where the loss is least, by
    /// Newton's method.
    fn reach(&mut self) {
        let loss = self.system.loss();
        for _ in 0..ROUNDS {
            let size = self.coefficients.ncols();
            let mut pull = DVector::zeros(size);
            let mut curvature = DMatrix::zeros(size, size);
            let margins = self.margins();
            let samples = self.coefficients.row_iter().zip(&self.counts);
            for ((row, count), &m) in samples.zip(margins.iter()) {
                let row = row.transpose();
                let multiplier = (count - m + loss.log_correction(m)).exp();
                let slope = multiplier * (1.0 - loss.log_correction_slope(m));
                pull.axpy(multiplier, &row, 1.0);
                curvature.ger(slope, &row, &row, 1.0);
            }
            let Some(factor) = curvature.cholesky() else {
                return;
            };
            let step = factor.solve(&pull);
            if (&self.coefficients * &step).amax() > NEAR {
                return;
            }
            self.along += step;
        }
    }
}
