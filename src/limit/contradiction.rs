//! Samples that pull against each other.
//!
//! Data split in one way into two parts (Ji & Telgarsky, "The implicit bias of gradient descent on nonseparable data",
//! 2019). Of the *contradictory* ones some combination with positive weights vanishes, `Σ_n a_n g_n = 0`, `a_n > 0`:
//! the loss of a predictor has a minimum on their span S, and their margins come to rest. What is left of the others
//! in the orthogonal complement of S is separable, and their margins grow for ever.

use super::max_margin::hard_margin;
use super::separability::{Proof, Separability};
use crate::singular::Singular;
use nalgebra::DMatrix;

/// Directions whose singular value is below this, relative to the largest, are rounding; so is what is left of a
/// sample outside the span, relative to the sample.
const ROUNDING: f64 = 1e-10;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Contradiction {
    /// Indices of the contradictory samples, increasing, from 0; none if the data are separable.
    pub samples: Vec<usize>,
    /// An orthonormal basis of their span S, one vector a row.
    pub span: DMatrix<f64>,
    /// The samples without their part in S, N × D; exactly zero for contradictory ones.
    pub rest: DMatrix<f64>,
}

impl Contradiction {
    /// That of the rows g_n; `None` where neither a separator nor its impossibility could be certified.
    pub(crate) fn of(signed_samples: &DMatrix<f64>) -> Option<Self> {
        let mut found = Self {
            samples: Vec::new(),
            span: DMatrix::zeros(0, signed_samples.ncols()),
            rest: signed_samples.clone(),
        };
        loop {
            let others: Vec<usize> = (0..signed_samples.nrows())
                .filter(|n| !found.samples.contains(n))
                .collect();
            if others.is_empty() {
                return Some(found);
            }
            let rest = found.rest.select_rows(&others);
            match hard_margin(&rest, &[], Proof::ToRounding) {
                Separability::Separable(_) => return Some(found),
                Separability::NotSeparable(certificate) => {
                    let support = certificate.support.iter().map(|&i| others[i]);
                    found.samples.extend(support);
                    found.extend_to_span(signed_samples);
                }
                Separability::Unreachable { .. } | Separability::Undecided(_) => return None,
            }
        }
    }

    /// Takes in the samples that lie in the span, and takes the span out of the others.
    fn extend_to_span(&mut self, signed_samples: &DMatrix<f64>) {
        let mut members = signed_samples.select_rows(&self.samples);
        for mut row in members.row_iter_mut() {
            let size = row.norm();
            if size > 0.0 {
                row /= size;
            }
        }
        let decomposition = Singular::of(&members);
        let values = &decomposition.values;
        let least = ROUNDING * values.first().copied().unwrap_or(0.0);
        let rank = values.iter().filter(|value| **value > least).count();
        self.span = decomposition.v.columns(0, rank).transpose();
        // twice, so that what is left is orthogonal to rounding of its own size
        self.rest = signed_samples - signed_samples * self.span.transpose() * &self.span;
        self.rest -= &self.rest * self.span.transpose() * &self.span;
        for (n, mut row) in self.rest.row_iter_mut().enumerate() {
            let inside = row.norm() <= ROUNDING * signed_samples.row(n).norm();
            if inside && !self.samples.contains(&n) {
                self.samples.push(n);
            }
            if inside || self.samples.contains(&n) {
                row.fill(0.0);
            }
        }
        self.samples.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;

    #[test]
    fn separable_data_have_no_contradiction() {
        let g = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 1.0, 1.0, 2.0, -1.0]);
        let found = Contradiction::of(&g).unwrap();
        assert!(found.samples.is_empty());
        assert_eq!(found.span.nrows(), 0);
        assert_eq!(found.rest, g);
    }

    #[test]
    fn a_line_of_contradictions_is_told_from_what_it_does_not_touch() {
        // the first two contradict each other, the third lies on their line, the others have something of their own
        let g = DMatrix::from_row_slice(
            5,
            3,
            &[
                1.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.5, 0.0, 0.0, 3.0, 1.0, 0.0, -1.0, 1.0, 1.0,
            ],
        );
        let found = Contradiction::of(&g).unwrap();
        assert_eq!(found.samples, [0, 1, 2]);
        assert_eq!(found.span.nrows(), 1);
        assert!((found.span[(0, 0)].abs() - 1.0).abs() < 1e-15);
        let expected = [[0.0; 3]; 3].into_iter();
        let expected = expected.chain([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]]);
        for (n, row) in expected.enumerate() {
            for (d, x) in row.into_iter().enumerate() {
                assert!((found.rest[(n, d)] - x).abs() < 1e-15, "{n} {d}");
            }
        }
    }

    #[test]
    fn planted_contradictions_are_found() {
        for seed in 0..20 {
            let mut normals = standard_normals("contradiction", seed);
            let mut next = || normals.next().unwrap();
            let (span, dimension) = (1 + seed as usize % 3, 6);
            // of 3(r + 1) samples in r dimensions a combination that vanishes, and 4 with something of their own
            let basis = DMatrix::from_fn(span, dimension, |_, _| next());
            let direction = DMatrix::from_fn(1, dimension, |_, _| next());
            let mut inside = DMatrix::from_fn(3 * (span + 1), span, |_, _| next());
            let last = inside.nrows() - 1;
            let sum = inside.rows(0, last).row_sum();
            inside.row_mut(last).copy_from(&-sum);
            let beside = DMatrix::from_fn(4, span, |_, _| next()) * &basis
                + DMatrix::from_fn(4, 1, |_, _| next().abs() + 0.1) * &direction;
            let g = DMatrix::from_rows(
                &(inside * basis)
                    .row_iter()
                    .chain(beside.row_iter())
                    .map(|row| row.into_owned())
                    .collect::<Vec<_>>(),
            );
            let found = Contradiction::of(&g).unwrap();
            let expected: Vec<usize> = (0..3 * (span + 1)).collect();
            assert_eq!(found.samples, expected, "seed {seed}");
            assert_eq!(found.span.nrows(), span, "seed {seed}");
        }
    }
}
