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
pub(super) struct Elimination<'a> {
    g: &'a DMatrix<f64>,
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

impl<'a> Elimination<'a> {
    /// With the most active of the samples as the anchor. None if all are zero.
    pub(super) fn new(
        g: &'a DMatrix<f64>,
        p: &[f64],
        samples: &[usize],
        metric: Vec<i32>,
    ) -> Option<Self> {
        let candidates = samples.iter().filter(|&&n| g.row(n).amax() > 0.0);
        let anchor = candidates.max_by(|a, b| p[**a].total_cmp(&p[**b]))?;
        Some(Self::at(g, *anchor, metric))
    }

    pub(super) fn at(g: &'a DMatrix<f64>, anchor: usize, metric: Vec<i32>) -> Self {
        let minus = -g.row(anchor).transpose();
        let remainders = g.row_iter().map(|row| {
            let mut difference = DoubledVector::from(row.transpose());
            difference.add(&minus);
            difference
        });
        let roots = metric.iter().map(|k| 4.0_f64.powi(*k));
        Self {
            g,
            anchor,
            responses: DVector::from_iterator(metric.len(), roots),
            metric,
            remainders: remainders.collect(),
            anchor_rest: g.row(anchor).transpose().into(),
            relation: Vec::new(),
            scales: DVector::from_iterator(g.ncols(), g.column_iter().map(|c| c.amax())),
            vectors: vec![-minus],
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

    /// Square of the length of a remainder, in the metric.
    fn square(&self, sample: usize) -> f64 {
        let rest = &self.remainders[sample].hi;
        rest.iter()
            .zip(&self.responses)
            .map(|(r, h)| h * r * r)
            .sum()
    }

    /// Length of a remainder relative to the samples that it is a difference of.
    pub(super) fn size(&self, sample: usize) -> f64 {
        let length = |n: usize| self.g.row(n).norm();
        self.remainders[sample].hi.norm() / length(sample).max(length(self.anchor))
    }

    /// The sample with the longest remainder; none if nothing is left of any.
    pub(super) fn largest(&self, among: &[usize]) -> Option<usize> {
        let squares = among.iter().map(|&n| (n, self.square(n)));
        let (sample, square) = squares.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (square > 0.0).then_some(sample)
    }

    /// Takes the remainder of a sample as the next vector, out of all others; removes the sample from `open`.
    pub(super) fn eliminate(&mut self, sample: usize, open: &mut Vec<usize>) {
        open.retain(|n| *n != sample);
        let vector = self.remainders[sample].hi.clone();
        let dual = vector.component_mul(&self.responses);
        let square = vector.dot(&dual);
        let scales = &self.scales;
        let take_out = |rest: &mut DoubledVector| -> f64 {
            // twice, which makes the factor a doubled number
            let factors = [(); 2].map(|()| {
                let t = rest.dot(dual.as_slice()).value() / square;
                rest.add_scaled(Doubled::new(-t, 0.0), vector.as_slice());
                t
            });
            for (i, scale) in scales.iter().enumerate() {
                if rest.hi[i].abs() <= TIE * scale {
                    rest.set(i, Doubled::new(0.0, 0.0));
                }
            }
            factors[0] + factors[1]
        };
        let factors = self.remainders.iter_mut().map(take_out);
        let column = DVector::from_iterator(self.g.nrows(), factors);
        self.relation.push(take_out(&mut self.anchor_rest));
        self.columns.push(column);
        self.vectors.push(vector);
        self.pivots.push(sample);
    }

    pub(super) fn finish(self, since: f64, cancelled: f64) -> Coordinates {
        let zero: Vec<usize> = (0..self.g.nrows()).filter(|&n| self.is_zero(n)).collect();
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
        let related = self.anchor_rest.hi.amax() == 0.0;
        Coordinates {
            vectors: DMatrix::from_rows(&rows),
            pivoted: combine.clone(),
            combine,
            clock,
            relation: related.then_some(self.relation),
            choice: Choice {
                pivots: self.pivots,
                metric: self.metric,
                since,
                cancelled,
                looser: 1.0,
                dropped: None,
            },
            zero,
        }
    }
}
