//! Elimination of the differences of samples, with pivoting, in doubled arithmetic and in the metric of the response.

use super::{Choice, Coordinates, TIE};
use crate::limit::doubled::{Doubled, DoubledVector};
use nalgebra::{DMatrix, DVector};

/// log4 of the responses, so that the metric's roots are powers of two. Whatever does not answer at all counts as
/// little.
pub(super) fn metric(response: &[f64]) -> Vec<i32> {
    let logs = response.iter().map(|r| 0.5 * r.abs().log2());
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    logs.map(|log| (log - largest).max(LEAST_RESPONSE).round() as i32)
        .collect()
}

/// See [`metric`].
const LEAST_RESPONSE: f64 = -150.0;

/// What is left of `g_n − g_a` after some vectors have been taken out.
pub(super) struct Elimination {
    /// Samples without what is held of them, N × D.
    g: DMatrix<f64>,
    held: Held,
    pub(super) anchor: usize,
    metric: Vec<i32>,
    /// The metric.
    responses: DVector<f64>,
    /// Of all samples.
    remainders: Vec<DoubledVector>,
    /// Of the anchor itself.
    anchor_rest: DoubledVector,
    /// `c_2 …`
    relation: Vec<f64>,
    /// Largest entries by feature, those of rounding being [`TIE`] times as large.
    scales: DVector<f64>,
    vectors: Vec<DVector<f64>>,
    /// T by columns, from the second on.
    columns: Vec<DVector<f64>>,
    pivots: Vec<usize>,
}

/// Samples that are held, and what spans them.
pub(super) struct Held {
    samples: Vec<usize>,
    /// Orthogonal in the metric, one a row.
    vectors: Vec<DVector<f64>>,
}

/// The vectors that are to be taken out of others, in a metric.
struct Remover<'a> {
    responses: &'a DVector<f64>,
    /// Largest entries by feature, those of rounding being [`TIE`] times as large.
    scales: &'a DVector<f64>,
}

impl Remover<'_> {
    /// Square of the length, in the metric.
    fn square(&self, x: &DVector<f64>) -> f64 {
        let terms = x.iter().zip(self.responses).map(|(x, h)| h * x * x);
        terms.sum()
    }

    /// Takes a vector out of another, twice, which makes the factor a doubled number: the factor.
    fn take_out(&self, vector: &DVector<f64>, rest: &mut DoubledVector) -> f64 {
        let dual = vector.component_mul(self.responses);
        let square = vector.dot(&dual);
        let factors = [(); 2].map(|()| {
            let t = rest.dot(dual.as_slice()).value() / square;
            rest.add_scaled(Doubled::new(-t, 0.0), vector.as_slice());
            t
        });
        self.round(rest);
        factors[0] + factors[1]
    }

    /// Sets to zero what is rounding of the data: entries [`TIE`] times smaller than the largest, and all of what is
    /// no more than that of the samples. Entries in features that have no share in what is left must not be left in
    /// it, as their rates are rounded at ε e^s; but a difference of nearly equal samples has digits of its own.
    fn round(&self, rest: &mut DoubledVector) {
        let sizes = rest.hi.iter().zip(self.scales.iter());
        let sizes = sizes.map(|(x, scale)| if *x == 0.0 { 0.0 } else { x.abs() / scale });
        let sizes: Vec<f64> = sizes.collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        for (i, size) in sizes.into_iter().enumerate() {
            if largest <= TIE || size <= TIE * largest {
                rest.set(i, Doubled::new(0.0, 0.0));
            }
        }
    }

    /// Takes what spans the samples `held` out of all rows, with pivoting.
    fn hold(&self, held: &[usize], rows: &mut [DoubledVector]) -> Held {
        let mut vectors = Vec::new();
        let mut open = held.to_vec();
        loop {
            let squares = open.iter().map(|&n| (n, self.square(&rows[n].hi)));
            let largest = squares.max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((pivot, _)) = largest.filter(|(_, square)| *square > 0.0) else {
                break;
            };
            let vector = rows[pivot].hi.clone();
            for row in rows.iter_mut() {
                self.take_out(&vector, row);
            }
            open.retain(|n| *n != pivot);
            vectors.push(vector);
        }
        for n in held {
            rows[*n] = DoubledVector::zeros(self.scales.len());
        }
        Held {
            samples: held.to_vec(),
            vectors,
        }
    }
}

impl Elimination {
    /// With the most active of the samples as the anchor, in what is left of them when some are `held`. None if
    /// nothing is.
    pub(super) fn new(
        (g, held): (&DMatrix<f64>, &[usize]),
        p: &[f64],
        samples: &[usize],
        metric: Vec<i32>,
    ) -> Option<Self> {
        let candidates = samples
            .iter()
            .filter(|&n| g.row(*n).amax() > 0.0 && !held.contains(n));
        let anchor = candidates.max_by(|a, b| p[**a].total_cmp(&p[**b]))?;
        Some(Self::at((g, held), *anchor, metric))
    }

    pub(super) fn at(
        (g, held): (&DMatrix<f64>, &[usize]),
        anchor: usize,
        metric: Vec<i32>,
    ) -> Self {
        let roots = metric.iter().map(|k| 4.0_f64.powi(*k));
        let responses = DVector::from_iterator(metric.len(), roots);
        let scales = DVector::from_iterator(g.ncols(), g.column_iter().map(|c| c.amax()));
        let mut rows: Vec<DoubledVector> =
            (g.row_iter()).map(|row| row.transpose().into()).collect();
        let remover = Remover {
            responses: &responses,
            scales: &scales,
        };
        let held = remover.hold(held, &mut rows);
        let g = DMatrix::from_fn(g.nrows(), g.ncols(), |n, d| rows[n].hi[d]);
        let anchor_rest = rows[anchor].clone();
        for row in &mut rows {
            row.subtract(&anchor_rest);
        }
        Self {
            held,
            anchor,
            responses,
            metric,
            remainders: rows,
            vectors: vec![anchor_rest.hi.clone()],
            anchor_rest,
            relation: Vec::new(),
            scales,
            g,
            columns: Vec::new(),
            pivots: vec![anchor],
        }
    }

    fn is_zero(&self, n: usize) -> bool {
        self.g.row(n).amax() == 0.0
    }

    /// `samples` without the anchor, and without those that are zero.
    pub(super) fn without_anchor(&self, samples: Vec<usize>) -> Vec<usize> {
        let keep = |n: &usize| *n != self.anchor && !self.is_zero(*n);
        samples.into_iter().filter(keep).collect()
    }

    /// Length of a remainder relative to the samples that it is a difference of.
    pub(super) fn size(&self, sample: usize) -> f64 {
        let length = |n: usize| self.g.row(n).norm();
        self.remainders[sample].hi.norm() / length(sample).max(length(self.anchor))
    }

    /// The sample with the longest remainder; none if nothing is left of any.
    pub(super) fn largest(&self, among: &[usize]) -> Option<usize> {
        let remover = Remover {
            responses: &self.responses,
            scales: &self.scales,
        };
        let squares = (among.iter()).map(|&n| (n, remover.square(&self.remainders[n].hi)));
        let (sample, square) = squares.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (square > 0.0).then_some(sample)
    }

    /// Takes the remainder of a sample as the next vector, out of all others; removes the sample from `open`.
    pub(super) fn eliminate(&mut self, sample: usize, open: &mut Vec<usize>) {
        open.retain(|n| *n != sample);
        let remover = Remover {
            responses: &self.responses,
            scales: &self.scales,
        };
        // large multiples of small vectors have brought their rounding back into those before
        let mut rest = self.remainders[sample].clone();
        let before = self.vectors[1..].iter();
        let more: Vec<f64> = before.map(|u| remover.take_out(u, &mut rest)).collect();
        if rest.hi.amax() == 0.0 {
            return;
        }
        for (column, more) in self.columns.iter_mut().zip(more) {
            column[sample] += more;
        }
        let vector = rest.hi.clone();
        self.remainders[sample] = rest;
        let factors = (self.remainders.iter_mut()).map(|rest| remover.take_out(&vector, rest));
        let column = DVector::from_iterator(self.g.nrows(), factors);
        let share = remover.take_out(&vector, &mut self.anchor_rest);
        self.relation.push(share);
        self.columns.push(column);
        self.vectors.push(vector);
        self.pivots.push(sample);
    }

    pub(super) fn finish(mut self, since: f64, cancelled: f64) -> Coordinates {
        let zero: Vec<usize> = (0..self.g.nrows()).filter(|&n| self.is_zero(n)).collect();
        let remover = Remover {
            responses: &self.responses,
            scales: &self.scales,
        };
        for (vector, share) in self.vectors[1..].iter().zip(&mut self.relation) {
            *share += remover.take_out(vector, &mut self.anchor_rest);
        }
        let ones = DVector::from_element(self.g.nrows(), 1.0);
        let columns: Vec<DVector<f64>> = std::iter::once(ones).chain(self.columns).collect();
        let mut combine = DMatrix::from_columns(&columns);
        combine.row_mut(self.anchor).fill(0.0);
        combine[(self.anchor, 0)] = 1.0;
        for &n in &zero {
            combine.row_mut(n).fill(0.0);
        }
        let rows: Vec<_> = self.vectors.iter().map(DVector::transpose).collect();
        let mut clock = DVector::zeros(self.g.nrows());
        for &n in &zero {
            clock[n] = 1.0;
        }
        let held: Vec<_> = (self.held.vectors.iter()).map(DVector::transpose).collect();
        let related = self.anchor_rest.hi.amax() == 0.0;
        Coordinates {
            vectors: DMatrix::from_rows(&rows),
            pivoted: combine.clone(),
            combine,
            clock,
            relation: related.then_some(self.relation),
            held: match held.is_empty() {
                true => DMatrix::zeros(0, self.g.ncols()),
                false => DMatrix::from_rows(&held),
            },
            rest: self.g,
            shift: Vec::new(),
            choice: Choice {
                held: self.held.samples,
                pivots: self.pivots,
                metric: self.metric,
                since,
                cancelled,
                at_first: 0.0,
                looser: 1.0,
                dropped: None,
            },
            zero,
        }
    }
}

/// Solves equations whose rows are coefficients and right-hand sides, without exchanging rows: those that come first
/// are of samples being learned, and must not take up the rounding of others that are much larger.
pub(super) fn in_order(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = rows.len();
    for k in 0..size {
        let (above, below) = rows.split_at_mut(k + 1);
        let pivot = &above[k];
        for row in below {
            let factor = row[k] / pivot[k];
            for (x, y) in row.iter_mut().zip(pivot).skip(k) {
                *x -= factor * y;
            }
        }
    }
    let mut solution = vec![0.0; size];
    for k in (0..size).rev() {
        let known: f64 = (k + 1..size).map(|j| rows[k][j] * solution[j]).sum();
        solution[k] = (rows[k][size] - known) / rows[k][k];
    }
    solution.iter().all(|x| x.is_finite()).then_some(solution)
}
