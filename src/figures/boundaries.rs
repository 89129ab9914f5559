//! Units of the first hidden layer at the samples' activation boundaries, `w_j·x_n = 0`: which cross, which stay.
//!
//! Everything is read off the saves: a crossing between two saves is detected if the signs differ, a sliding pair
//! (unit, sample) if it is on its boundary at several consecutive saves.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::Drawn;
use crate::activation::Formula;
use crate::limit::angle;

/// Sine of the angle to the boundary below which a pair counts as on it: far above the error of a run, far below what
/// occurs by chance at two consecutive saves.
const ON: f64 = 1e-6;
/// However wide the kinks are, pairs farther than this from a boundary do not count as sliding, since ordinary pairs
/// lie there too.
const WIDEST: f64 = 0.01;

/// In units of the width ε of a rounded kink: where units that would slide settle, as long as their gates are in [0.01,
/// 0.99].
const ROUNDED: f64 = 5.0;
/// A pair on the boundary at this many consecutive saves is sliding.
const STRETCH: usize = 3;

/// Units of the first hidden layer and samples, as seen at the saves.
pub(super) struct Boundaries<'a> {
    sines: &'a DMatrix<f64>,
    directions: &'a DMatrix<f64>,
    dimension: usize,
    pub units: usize,
    pub samples: usize,
    near: f64,
}

/// A pair and the saves during which it slides.
pub(super) struct Sliding {
    pub unit: usize,
    pub sample: usize,
    pub stretches: Vec<Range<usize>>,
}

impl<'a> Boundaries<'a> {
    /// `None` where directions were not recorded.
    pub(super) fn new(run: &Drawn<'a>) -> Option<Self> {
        let network = run.problem.network().units()?;
        let homogeneous = run.diagnostics.homogeneous.as_ref()?;
        let (dimension, units) = network.shapes()[0];
        let samples = run.problem.dataset().len();
        let (sines, directions) = (&homogeneous.activation_sines, &homogeneous.directions);
        let recorded = sines.nrows() == units * samples && directions.nrows() == dimension * units;
        (recorded && units * samples > 0).then_some(Self {
            sines,
            directions,
            dimension,
            units,
            samples,
            near: (ROUNDED * network.activation().softness()).clamp(ON, WIDEST),
        })
    }

    /// `w_j/‖w_j‖` at save `k`; `None` for zero weights, which have no direction.
    pub(super) fn direction(&self, unit: usize, k: usize) -> Option<DVector<f64>> {
        let w = self
            .directions
            .view((unit * self.dimension, k), (self.dimension, 1))
            .column(0)
            .into_owned();
        (w.norm() > 0.5).then_some(w)
    }

    /// Sine of the angle between the unit and the boundary, positive where it responds to the sample.
    fn sine(&self, unit: usize, sample: usize, k: usize) -> Option<f64> {
        self.direction(unit, k)?;
        let sine = self.sines[(unit + self.units * sample, k)];
        sine.is_finite().then_some(sine)
    }

    /// The angle between the unit and the boundary over the saves, degrees; NaN for zero weights.
    pub(super) fn degrees(&self, unit: usize, sample: usize) -> Vec<f64> {
        self.over_saves(|k| Some(self.sine(unit, sample, k)?.clamp(-1.0, 1.0).asin()))
    }

    /// How far the unit has turned since its first save with non-zero weights, degrees.
    pub(super) fn turned(&self, unit: usize) -> Vec<f64> {
        let start = (0..self.saves()).find_map(|k| self.direction(unit, k));
        self.over_saves(|k| {
            let now = self.direction(unit, k)?;
            Some(angle(now.as_slice(), start.as_ref()?.as_slice()))
        })
    }

    fn over_saves(&self, radians: impl Fn(usize) -> Option<f64>) -> Vec<f64> {
        (0..self.saves())
            .map(|k| radians(k).map_or(f64::NAN, f64::to_degrees))
            .collect()
    }

    fn saves(&self) -> usize {
        self.sines.ncols()
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (units, samples) = (self.units, self.samples);
        (0..units).flat_map(move |unit| (0..samples).map(move |sample| (unit, sample)))
    }

    /// The pairs that slide, and when.
    pub(super) fn sliding(&self) -> Vec<Sliding> {
        self.pairs()
            .map(|(unit, sample)| Sliding {
                unit,
                sample,
                stretches: self.stretches(unit, sample),
            })
            .filter(|pair| !pair.stretches.is_empty())
            .collect()
    }

    fn stretches(&self, unit: usize, sample: usize) -> Vec<Range<usize>> {
        let on = |k: usize| {
            k < self.saves()
                && self
                    .sine(unit, sample, k)
                    .is_some_and(|sine| sine.abs() <= self.near)
        };
        let mut found = Vec::new();
        let mut start = 0;
        for k in 0..=self.saves() {
            if !on(k) {
                if k - start >= STRETCH {
                    found.push(start..k);
                }
                start = k + 1;
            }
        }
        found
    }

    /// Crossings up to every save: a pair has crossed when it is off its boundary on the side opposite its last.
    pub(super) fn crossings(&self) -> Vec<usize> {
        let mut new = vec![0; self.saves()];
        for (unit, sample) in self.pairs() {
            let mut side = None;
            for (k, new) in new.iter_mut().enumerate() {
                let now = self
                    .sine(unit, sample, k)
                    .filter(|sine| sine.abs() > self.near)
                    .map(|sine| sine > 0.0);
                if now.is_some() {
                    *new += usize::from(side.is_some() && side != now);
                    side = now;
                }
            }
        }
        new.iter()
            .scan(0, |sum, new| {
                *sum += new;
                Some(*sum)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{synthetic, synthetic_relu};

    #[test]
    fn pairs_cross_or_stay_as_the_sines_say() {
        let mut case = synthetic_relu::relu(2, &[2], true);
        let samples = case.problem.dataset().len();
        let homogeneous = case.diagnostics.homogeneous.as_mut().unwrap();
        let sines = &mut homogeneous.activation_sines;
        let saves = sines.ncols();
        sines.fill(0.5);
        for k in 0..saves {
            // Unit 1, sample 0: crosses at save 10, returns at 20; in between two saves on the boundary.
            sines[(1, k)] = match k {
                9 | 10 => 1e-9,
                11..20 => -0.1,
                _ => 0.1,
            };
            // Unit 0, sample 1: arrives at save 30, stays until 39, leaves to the side it came from.
            sines[(2, k)] = if (30..40).contains(&k) { -1e-12 } else { 0.2 };
        }
        homogeneous.directions.fill(0.0);
        homogeneous.directions.row_mut(0).fill(1.0);
        homogeneous.directions.row_mut(2).fill(1.0);
        // Zero weights have no direction: the zeros of unit 1 and sample 2 mean nothing.
        homogeneous.activation_sines[(5, 3)] = -0.3;
        homogeneous.directions.column_mut(3).fill(0.0);
        let run = case.run();
        let found = Boundaries::new(&run).unwrap();
        assert_eq!((found.units, found.samples), (2, samples));
        let crossings = found.crossings();
        assert_eq!((crossings[10], crossings[11], crossings[19]), (0, 1, 1));
        assert_eq!(crossings[saves - 1], 2);
        let sliding = found.sliding();
        assert_eq!(sliding.len(), 1);
        let [pair] = &sliding[..] else {
            panic!("one pair")
        };
        assert_eq!((pair.unit, pair.sample), (0, 1));
        assert_eq!((pair.stretches.len(), &pair.stretches[0]), (1, &(30..40)));
        assert!(found.degrees(1, 0)[3].is_nan());
        assert!((found.degrees(0, 0)[5] - 30.0).abs() < 1e-9);
    }

    #[test]
    fn smoothed_units_count_as_sliding_within_their_smoothing() {
        let mut case = synthetic_relu::relu(5, &[4], true);
        let sharp = Boundaries::new(&case.run()).unwrap().sliding().len();
        let homogeneous = case.diagnostics.homogeneous.as_mut().unwrap();
        for sine in homogeneous.activation_sines.iter_mut() {
            *sine += 2e-3;
        }
        assert!(sharp > 0);
        assert_eq!(Boundaries::new(&case.run()).unwrap().sliding().len(), 0);
        synthetic_relu::smooth(&mut case, 1e-3);
        assert!(Boundaries::new(&case.run()).unwrap().sliding().len() >= sharp);
    }

    #[test]
    fn networks_too_large_to_record_have_no_boundaries() {
        let mut case = synthetic_relu::relu(3, &[6], true);
        case.diagnostics
            .homogeneous
            .as_mut()
            .unwrap()
            .activation_sines = DMatrix::zeros(0, 0);
        assert!(Boundaries::new(&case.run()).is_none());
        assert!(Boundaries::new(&synthetic::dfa(2).run()).is_none());
    }
}
