//! What the states of a system say of its samples, and when they should be others.

use super::System;
use crate::flow::clock::{compress, expand};
use crate::flow::coordinates::{self, Coordinates};
use std::sync::PoisonError;

impl System {
    /// Log-multipliers `p_n` of all samples from the states v, at log-log-time s.
    pub(in crate::flow) fn log_multipliers(&self, v: &[f64], s: f64) -> Vec<f64> {
        let expanded: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
        match &self.coordinates {
            None => expanded,
            Some(coordinates) => {
                let mut p = vec![0.0; coordinates.samples()];
                coordinates.expand(&expanded, self.log_time(s), &mut p);
                p
            }
        }
    }

    /// The largest `p_n` of the samples that move something.
    pub(in crate::flow) fn strongest(&self, v: &[f64], s: f64) -> f64 {
        let idle = |n: &usize| match &self.coordinates {
            None => self.kernel.idle().contains(n),
            Some(coordinates) => coordinates.is_zero(*n),
        };
        let p = self.log_multipliers(v, s).into_iter().enumerate();
        let moving = p.filter(|(n, _)| !idle(n)).map(|(_, p)| p);
        moving.fold(f64::NEG_INFINITY, f64::max)
    }

    /// Compressed log-multipliers of all samples, as they are saved.
    pub(in crate::flow) fn compressed(&self, v: &[f64], s: f64) -> Vec<f64> {
        if self.coordinates.is_none() && self.shift.is_empty() {
            let mut v = v.to_vec();
            if let Some(held) = &self.held {
                held.release(&mut v, s);
            }
            return v;
        }
        let mut p = self.log_multipliers(v, s);
        for (p, shift) in p.iter_mut().zip(&self.shift) {
            *p -= shift;
        }
        p.into_iter().map(compress).collect()
    }

    /// (θ, v) with the compressed log-multipliers of all samples.
    pub(in crate::flow) fn in_samples(&self, y: &[f64], s: f64) -> Vec<f64> {
        let (theta, v) = y.split_at(self.parameters());
        [theta, &self.compressed(v, s)].concat()
    }

    /// The log-multipliers of the states v at log-log-time s in other coordinates, compressed.
    pub(in crate::flow) fn in_other_coordinates(
        &self,
        v: &[f64],
        s: f64,
        (other, by_relation): (&Coordinates, bool),
    ) -> Vec<f64> {
        let expanded: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
        let anchor = other.anchor();
        let at = |shift: &[f64], n: usize| shift.get(n).copied().unwrap_or(0.0);
        let more = |n: usize| at(other.shift(), n) - at(&self.shift, n);
        let (first, difference): (f64, Box<dyn Fn(usize) -> f64>) = match &self.coordinates {
            None => (
                expanded[anchor],
                Box::new(|n| expanded[n] - expanded[anchor]),
            ),
            Some(at) => {
                let t = at.combine();
                let sum = |factor: &dyn Fn(usize) -> f64| -> f64 {
                    expanded
                        .iter()
                        .enumerate()
                        .map(|(i, p)| factor(i) * p)
                        .sum()
                };
                let clock = |share: f64| {
                    if share == 0.0 {
                        0.0
                    } else {
                        share * self.log_time(s)
                    }
                };
                let shares = at.clock();
                let first = sum(&|i| t[(anchor, i)]) + clock(shares[anchor]);
                let difference = move |n: usize| {
                    sum(&|i| t[(n, i)] - t[(anchor, i)]) + clock(shares[n] - shares[anchor])
                };
                (first, Box::new(difference))
            }
        };
        let first = first + more(anchor);
        let difference = |n: usize| difference(n) + (more(n) - more(anchor));
        let solved = match by_relation {
            true => other.solve((first, self.log_time(s)), difference),
            false => None,
        };
        let coordinates = solved.unwrap_or_else(|| other.substitute(first, difference));
        coordinates.into_iter().map(compress).collect()
    }

    /// Log-multipliers of a state of this system as those of the same system in other coordinates.
    pub(in crate::flow) fn as_of(&self, other: &Coordinates, mut p: Vec<f64>) -> Vec<f64> {
        for (p, shift) in p.iter_mut().zip(&self.shift) {
            *p -= shift;
        }
        for (p, shift) in p.iter_mut().zip(other.shift()) {
            *p += shift;
        }
        p
    }

    /// Whether (other) coordinates might help a method that does not get on at the states v and log-log-time s.
    pub(in crate::flow) fn may_change_coordinates(&self, v: &[f64], s: f64) -> bool {
        match &self.coordinates {
            Some(coordinates) => {
                let expanded: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
                coordinates.may_change(&expanded, &self.log_multipliers(v, s), self.moment(s))
            }
            None => {
                let linear = self.kernel.signed_samples().is_some() && !self.samples_only;
                linear && s.exp() >= coordinates::NEEDED_GROWTH
            }
        }
    }

    /// Whether coordinates in which a log-multiplier is at most so many times smaller than the terms of its sum do
    /// much better than these at the states v.
    pub(in crate::flow) fn improves(&self, v: &[f64], s: f64, cancelled: f64) -> bool {
        let Some(coordinates) = &self.coordinates else {
            return true;
        };
        let expanded: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
        coordinates.are_improved(
            &expanded,
            &self.log_multipliers(v, s),
            (self.moment(s), cancelled),
        )
    }

    /// Whether states should be (other) coordinates of the log-multipliers from log-log-time s on.
    pub(in crate::flow) fn wants_coordinates(&self, v: &[f64], s: f64) -> bool {
        if let Some(coordinates) = &self.coordinates {
            let expanded: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
            return coordinates.are_outdated(
                &expanded,
                &self.log_multipliers(v, s),
                self.moment(s),
            );
        }
        if self.samples_only || s.exp() < coordinates::NEEDED_GROWTH {
            return false;
        }
        let Some(g) = self.kernel.signed_samples() else {
            return false;
        };
        let learned = coordinates::learned(v.iter().map(|v| expand(*v)), s);
        let mut known = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != learned {
            let p = self.log_multipliers(v, s);
            let dependent = coordinates::are_dependent(g, &p, &learned);
            *known = (learned, dependent);
        }
        known.1
    }
}
