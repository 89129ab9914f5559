//! Data of C classes: the rows are built here from samples and classes, so that a statement is about the data.
//!
//! A network has C outputs, β is a D × C matrix (column by column: class after class), and a margin belongs to a pair,
//! `m_{nk} = f_{c_n}(x_n) − f_k(x_n)`. So a sample stands for C − 1 rows `g_{nk} = (e_{c_n} − e_k) ⊗ x_n`, `k ≠ c_n` in
//! order, sample after sample. Products with them are taken from `Xβ` (N × C): the rows themselves are never written.

use super::Failure;
use super::vectors::{Matrix, dot};
use num_bigint::BigInt;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

/// Most outputs.
const MOST_OUTPUTS: usize = 1024;

/// Most products `N D C` that one multiplication with all rows takes.
const MOST_PRODUCTS: usize = 1 << 26;

/// The class of every sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// C, at least two.
    pub outputs: usize,
    /// `c_n`, numbered from 0.
    pub labels: Vec<usize>,
}

impl Classes {
    /// Whether they are classes of these samples, of a size that is taken on.
    pub(super) fn fit(&self, samples: &Matrix) -> Result<(), Failure> {
        if self.outputs < 2
            || self.labels.len() != samples.rows.len()
            || self.labels.iter().any(|class| *class >= self.outputs)
        {
            return Err(Failure::malformed(
                "a class below the number of outputs for every sample, two outputs or more".into(),
            ));
        }
        let numbers = samples.rows.len().saturating_mul(samples.columns);
        if self.outputs > MOST_OUTPUTS || numbers.saturating_mul(self.outputs) > MOST_PRODUCTS {
            return Err(Failure::too_large("classes"));
        }
        Ok(())
    }

    /// How many rows there are, N(C − 1).
    pub(super) fn count(&self) -> usize {
        self.labels.len() * (self.outputs - 1)
    }

    /// The other classes of a sample, in order.
    fn others(&self, own: usize) -> impl Iterator<Item = usize> {
        (0..self.outputs).filter(move |class| *class != own)
    }

    /// `g_{nk}·β` of all rows, without the powers of two.
    pub(super) fn products(&self, samples: &Matrix, beta: &[BigInt]) -> Vec<BigInt> {
        let mut products = Vec::with_capacity(self.count());
        for (x, own) in samples.rows.iter().zip(&self.labels) {
            let of_class: Vec<BigInt> = beta
                .chunks(samples.columns)
                .map(|column| dot(x, column))
                .collect();
            let others = self.others(*own);
            products.extend(others.map(|other| &of_class[*own] - &of_class[other]));
        }
        products
    }

    /// `Σ a_{nk} g_{nk}`, without the powers of two.
    pub(super) fn combined(&self, samples: &Matrix, a: &[BigInt]) -> Vec<BigInt> {
        let columns = samples.columns;
        let mut sum = vec![BigInt::zero(); columns * self.outputs];
        let mut add = |class: usize, factor: &BigInt, x: &[BigInt]| {
            let column = &mut sum[class * columns..][..columns];
            for (sum, x) in column.iter_mut().zip(x) {
                *sum += factor * x;
            }
        };
        let of_samples = a.chunks(self.outputs - 1);
        for ((x, own), a) in samples.rows.iter().zip(&self.labels).zip(of_samples) {
            add(*own, &a.iter().sum(), x);
            for (other, a) in self.others(*own).zip(a).filter(|(_, a)| !a.is_zero()) {
                add(other, &-a, x);
            }
        }
        sum
    }
}
