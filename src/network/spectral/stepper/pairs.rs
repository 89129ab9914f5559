//! Coordinates in pairs, as the products of a step need them.

use crate::network::SpectralLinear;
use nalgebra::{DMatrix, DVector};
use std::f64::consts::SQRT_2;

/// The D coordinates of a layer as H pairs: the real and imaginary part of an entry of the half spectrum, or two
/// entries that are real. Complex pairs come first. The last pair of an odd D has one coordinate and a zero next to
/// it.
pub(super) struct Pairs {
    complex: usize,
    coordinates: Vec<[Option<usize>; 2]>,
}

impl Pairs {
    pub(super) fn of(network: &SpectralLinear) -> Self {
        let frequencies = network.frequencies();
        let starts = |len: usize| {
            frequencies
                .iter()
                .filter(move |f| f.len == len)
                .map(|f| f.start)
        };
        let mut coordinates: Vec<_> = starts(2).map(|s| [Some(s), Some(s + 1)]).collect();
        let complex = coordinates.len();
        let real: Vec<usize> = starts(1).collect();
        coordinates.extend(real.chunks(2).map(|c| [Some(c[0]), c.get(1).copied()]));
        Self {
            complex,
            coordinates,
        }
    }

    /// H.
    pub(super) fn len(&self) -> usize {
        self.coordinates.len()
    }

    /// How many of them are complex.
    pub(super) fn complex(&self) -> usize {
        self.complex
    }

    /// The coordinates of every pair.
    pub(super) fn coordinates(&self) -> &[[Option<usize>; 2]] {
        &self.coordinates
    }

    /// The numbers at `coordinates`, pair by pair; those of complex pairs are multiplied by `2^{halvings/2}`.
    fn gather(&self, coordinates: &DVector<f64>, halvings: i32) -> Vec<[f64; 2]> {
        let scale = if halvings % 2 == 0 {
            2f64.powi(halvings / 2)
        } else {
            2f64.powi((halvings - 1).div_euclid(2)) * SQRT_2
        };
        let pairs = self.coordinates.iter().enumerate();
        pairs
            .map(|(p, places)| {
                let scale = if p < self.complex { scale } else { 1.0 };
                places.map(|place| place.map_or(0.0, |i| scale * coordinates[i]))
            })
            .collect()
    }

    /// The samples of the step: the rows of G in pairs, `κ g_n` with `κ = 2^{(1−L)/2}` at complex ones.
    pub(super) fn samples(&self, rows: &DMatrix<f64>, depth: usize) -> Vec<Vec<[f64; 2]>> {
        let halvings = 1 - depth as i32;
        rows.row_iter()
            .map(|row| self.gather(&row.transpose(), halvings))
            .collect()
    }

    /// The feedback of the step, `2^{(L−l)/2} b̂_l^*`, from the coordinates of `b_l`, `l = 1 … L−1`.
    pub(super) fn feedback(&self, coordinates: &[DVector<f64>]) -> Vec<Vec<[f64; 2]>> {
        let layers = coordinates.iter().rev().enumerate();
        let mut feedback: Vec<_> = layers
            .map(|(above, b)| {
                // the coordinates are already √2 b̂
                let mut pairs = self.gather(b, above as i32);
                for [_, imaginary] in &mut pairs[..self.complex] {
                    *imaginary = -*imaginary;
                }
                pairs
            })
            .collect();
        feedback.reverse();
        feedback
    }
}
