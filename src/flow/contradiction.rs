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
use crate::loss::Groups;
use crate::network::Kernel;
use crate::trajectory::HeldMargins;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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
        let mut rest = Rest {
            system,
            groups: groups(&found.samples, system.rows()),
            counts: found.samples.iter().map(|&n| system.count(n)).collect(),
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

/// Places in `held`, increasing, of the rows that belong to one sample of `rows` each.
fn groups(held: &[usize], rows: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (place, n) in held.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if held[last.start] / rows == n / rows => last.end = place + 1,
            _ => groups.push(place..place + 1),
        }
    }
    groups
}

/// The loss of the contradictory samples in S. Where a loss couples the rows of a sample, those that are not held have
/// margins that grow without bound, and are no longer in it.
struct Rest<'a> {
    system: &'a System,
    /// Those that the loss may couple.
    groups: Vec<Range<usize>>,
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
        for _ in 0..ROUNDS {
            let (pull, curvature) = self.derivatives();
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

    /// `Σ_n α_n g_n` and `−∂/∂β` of it, in the basis of S: with `α_i = e^{κ_i − m_i}` the second is
    /// `Σ_ij α_i (δ_ij − ∂κ_i/∂m_j) g_i g_jᵀ` over the rows of every sample.
    fn derivatives(&self) -> (DVector<f64>, DMatrix<f64>) {
        let loss = self.system.loss();
        let size = self.coefficients.ncols();
        let mut pull = DVector::zeros(size);
        let mut curvature = DMatrix::zeros(size, size);
        let margins = self.margins();
        for group in &self.groups {
            let rows = self.coefficients.rows(group.start, group.len());
            let margins = &margins.as_slice()[group.clone()];
            let mut multipliers = margins.to_vec();
            loss.log_corrections(Groups::new(1, group.len()), &mut multipliers);
            for ((x, m), count) in multipliers
                .iter_mut()
                .zip(margins)
                .zip(&self.counts[group.clone()])
            {
                *x = (count - m + *x).exp();
            }
            let mut answers = vec![0.0; group.len() * group.len()];
            loss.jacobian(margins, &mut answers);
            // row by row, so its columns are those of the transposed
            let answers = DMatrix::from_vec(group.len(), group.len(), answers).transpose();
            let one = DMatrix::identity(group.len(), group.len());
            let multipliers = DVector::from_vec(multipliers);
            let weighted = DMatrix::from_diagonal(&multipliers) * (one - answers);
            pull += rows.tr_mul(&multipliers);
            curvature += rows.transpose() * weighted * rows;
        }
        (pull, curvature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::network::{Network, Signals};
    use nalgebra::dmatrix;

    #[test]
    fn rows_of_one_sample_belong_together() {
        assert_eq!(groups(&[0, 1, 3, 6, 7, 8], 3), [0..2, 2..3, 3..6]);
        assert_eq!(groups(&[2, 5], 1), [0..1, 1..2]);
    }

    /// Two samples of three classes, the first sample held with both of its rows, the second with one.
    #[test]
    fn derivatives_are_those_of_the_loss() {
        let data = crate::dataset::gaussian_class_teacher(2, 4, 3, 1).unwrap();
        let kernel =
            Network::fully_connected_with_outputs(2, &[], 3).kernel(Signals::Backward, &data);
        let system = System::new(kernel, Loss::CrossEntropy, Default::default(), 0.0).with_rows(2);
        let rest = |along: [f64; 2]| Rest {
            system: &system,
            groups: groups(&[0, 1, 3], 2),
            counts: vec![2f64.ln(), 2f64.ln(), 0.0],
            coefficients: dmatrix![1.0, 0.2; -0.5, 0.4; -0.3, -1.0],
            along: DVector::from_column_slice(&along),
        };
        let at = [0.3, -0.2];
        let value = |along: [f64; 2]| {
            let m = rest(along).margins();
            2.0 * (1.0 + (-m[0]).exp() + (-m[1]).exp()).ln() + (1.0 + (-m[2]).exp()).ln()
        };
        let (pull, curvature) = rest(at).derivatives();
        let h = 1e-5;
        for i in 0..2 {
            let moved = |by: f64| {
                let mut along = at;
                along[i] += by;
                along
            };
            let slope = (value(moved(h)) - value(moved(-h))) / (2.0 * h);
            assert!((pull[i] + slope).abs() < 1e-9, "{} {slope}", pull[i]);
            let (after, before) = (
                rest(moved(h)).derivatives().0,
                rest(moved(-h)).derivatives().0,
            );
            let turned = (after - before) / (2.0 * h);
            assert!((turned + curvature.column(i)).amax() < 1e-9);
        }
    }
}
