//! The forces that keep sliding pairs on their kinks.
//!
//! The rates a' are linear in the forces ν, so these solve a square linear system whose entries are inner products of
//! gradients (see [`rays`](super::rays)).
//!
//! **Gangs.** Two samples of which a unit of the second layer or above sees inputs that are parallel and stay so (a
//! single unit below sees both, say) are on their kinks at the same weights. There the system is singular: forces hold
//! the unit in many ways, which differ in what they pass down. Such pairs open and close together on the way across
//! the kink, in small steps and where it is rounded, so that they have one gate: Filippov's solution at a single
//! surface. Of each gang all rates but one are replaced by `s_l ν_i = s_i ν_l`, l its first pair. Where signals depend
//! on forces in layers above (backpropagation, feedback alignment), both are found in turns.

use super::passes::{Forward, Motion};
use super::pattern::{Pair, Pattern};
use super::rays::{Rays, form};
use crate::network::pseudo_inverse;
use nalgebra::{DMatrix, DVector, Dyn, LU};
use std::sync::OnceLock;

/// Pivots below this fraction of the largest count as zero.
const SINGULAR: f64 = 1e-11;

/// Inputs are parallel where the cosine of their angle misses one by this.
const PARALLEL: f64 = 1e-14;

/// Turns between forces of gangs and signals that depend on them.
const MOST_TURNS: usize = 30;

/// Forces that change by less, relatively, have been found.
const FOUND: f64 = 1e-14;

/// The linear system of the forces.
pub(super) struct Forces {
    /// `∂a'_i/∂ν_k`
    matrix: DMatrix<f64>,
    /// Factorised, without regard to gangs.
    free: OnceLock<SquareSystem>,
    /// By place among the sliding pairs: a pair that has the gate of another, and that other.
    gangs: Vec<(usize, usize)>,
    pub count: usize,
    /// Gradients of the sliding preactivations.
    pub rows: Rays,
    /// Effect of unit forces on the weights.
    pub columns: Rays,
}

impl Forces {
    /// Factorised; where pairs have a gate together, without that condition, by least squares.
    pub(super) fn system(&self) -> &SquareSystem {
        self.free
            .get_or_init(|| SquareSystem::new(self.matrix.clone()))
    }

    /// The system with the conditions of gangs under these signals of the sliding pairs.
    fn ganged(&self, s: &DMatrix<f64>) -> SquareSystem {
        let mut matrix = self.matrix.clone();
        for &(i, l) in &self.gangs {
            let unit = self.unit((i, l), s);
            matrix.row_mut(i).fill(0.0);
            matrix[(i, i)] = unit * s[l];
            matrix[(i, l)] = -unit * s[i];
            if s[l] == 0.0 && s[i] == 0.0 {
                matrix[(i, i)] = 1.0;
            }
        }
        SquareSystem::new(matrix)
    }

    /// What the condition of a gang is multiplied by, so that it counts as much as a rate.
    fn unit(&self, (i, l): (usize, usize), s: &DMatrix<f64>) -> f64 {
        let largest = s[i].abs().max(s[l].abs());
        if largest > 0.0 {
            self.matrix[(l, l)].abs() / largest
        } else {
            0.0
        }
    }
}

/// Solves square systems; where they are singular, by least squares with least norm (more sliding samples than a unit
/// has dimensions, or linearly dependent ones: the motion is determined all the same).
pub(super) enum SquareSystem {
    Lu(LU<f64, Dyn, Dyn>),
    PseudoInverse(DMatrix<f64>),
    /// Of a matrix that is not finite: no solution is a number.
    None,
}

impl SquareSystem {
    fn new(matrix: DMatrix<f64>) -> Self {
        if !matrix.iter().all(|x| x.is_finite()) {
            return Self::None;
        }
        let lu = matrix.clone().lu();
        let pivots = lu.u().diagonal().abs();
        if pivots.min() > SINGULAR * pivots.max() {
            return Self::Lu(lu);
        }
        let cut = SINGULAR * matrix.amax() * matrix.nrows() as f64;
        match pseudo_inverse(matrix, |_| cut.max(f64::MIN_POSITIVE)) {
            Some(inverse) => Self::PseudoInverse(inverse),
            None => Self::Lu(lu),
        }
    }

    pub(super) fn solve(&self, b: &DMatrix<f64>) -> DMatrix<f64> {
        let solution = match self {
            Self::Lu(lu) => lu.solve(b),
            Self::PseudoInverse(inverse) => Some(inverse * b),
            Self::None => None,
        };
        solution.unwrap_or_else(|| DMatrix::from_element(b.nrows(), b.ncols(), f64::NAN))
    }
}

impl Forward<'_> {
    /// The forces of the sliding pairs as a function of `a'` there.
    pub(super) fn forces(&self) -> Option<Forces> {
        let pairs = self.pattern?.sliding();
        (!pairs.is_empty()).then(|| {
            let rows = Rays::of_pairs(self, pairs, true);
            let columns = Rays::of_pairs(self, pairs, false);
            let gangs = (1..pairs.len()).filter_map(|i| {
                let first = pairs[..i].iter().position(|p| self.is_gang(*p, pairs[i]));
                first.map(|l| (i, l))
            });
            Forces {
                matrix: form(self, &rows, &columns),
                free: OnceLock::new(),
                gangs: gangs.collect(),
                count: pairs.len(),
                rows,
                columns,
            }
        })
    }

    /// Whether two pairs of a unit above the first layer see parallel inputs, and go on to: their kinks are one.
    pub(super) fn is_gang(&self, p: Pair, q: Pair) -> bool {
        p.layer > 0
            && (p.layer, p.unit) == (q.layer, q.unit)
            && self.are_parallel(p.layer, p.sample, q.sample)
            && self.stay_parallel(p.layer, p.sample, q.sample)
    }

    /// Whether two columns of what a layer sees are parallel.
    fn are_parallel(&self, layer: usize, p: usize, q: usize) -> bool {
        let (x, y) = (self.h[layer].column(p), self.h[layer].column(q));
        let sizes = x.norm() * y.norm();
        sizes > 0.0 && x.dot(&y) >= (1.0 - PARALLEL) * sizes
    }

    /// Whether parallel columns are so on all of this piece: both have one entry that is not shut off, the same; or
    /// dense layers below have the same gates for both, down to data that are parallel.
    fn stay_parallel(&self, layer: usize, p: usize, q: usize) -> bool {
        if layer == 0 {
            return true;
        }
        let (setting, below) = (self.setting, &self.gates[layer - 1]);
        let own = |column: usize| {
            let sample = column / setting.patches(layer);
            let open = below.select_columns(&setting.columns(layer - 1, &[sample]));
            let open = open.map(|gate| f64::from(u8::from(gate != 0.0)));
            let seen = setting.taken(layer, open, true);
            let seen = seen.column(column % setting.patches(layer)).into_owned();
            seen.map(|x| x != 0.0)
        };
        let (open, other) = (own(p), own(q));
        if open == other && open.iter().filter(|open| **open).count() == 1 {
            return true;
        }
        setting.plain
            && below.column(p) == below.column(q)
            && self.are_parallel(layer - 1, p, q)
            && self.stay_parallel(layer - 1, p, q)
    }

    /// The motion under multipliers α, with sliding pairs kept on their kinks.
    pub(super) fn motion(&self, multipliers: &[f64], forces: Option<&Forces>) -> Motion {
        let output = self.setting.errors(multipliers);
        let Some(forces) = forces else {
            return self.motion_with(output, DVector::zeros(0));
        };
        let free = self.motion_with(output.clone(), DVector::zeros(forces.count));
        let mut held = self.on_sliding(&free.a_dot) * -1.0;
        if forces.gangs.is_empty() {
            let nu = forces.system().solve(&held);
            return self.motion_with(output, nu.column(0).into_owned());
        }
        for (i, _) in &forces.gangs {
            held[*i] = 0.0;
        }
        let mut motion = free;
        for _ in 0..MOST_TURNS {
            let system = forces.ganged(&self.on_sliding(&motion.signals));
            let nu = system.solve(&held).column(0).into_owned();
            let change = (&nu - &motion.forces).amax();
            let largest = nu.amax();
            motion = self.motion_with(output.clone(), nu);
            if change <= FOUND * largest || change.is_nan() {
                break;
            }
        }
        motion
    }

    /// How forces change along a direction in which without that `rates` and `signals` of the sliding pairs do; exact
    /// unless signals of gangs depend on forces themselves.
    pub(super) fn turned_forces(
        &self,
        motion: &Motion,
        forces: &Forces,
        (rates, signals): (&[DMatrix<f64>], &[DMatrix<f64>]),
    ) -> DVector<f64> {
        let mut held = self.on_sliding(rates) * -1.0;
        if forces.gangs.is_empty() {
            return forces.system().solve(&held).column(0).into_owned();
        }
        let (s, ds) = (self.on_sliding(&motion.signals), self.on_sliding(signals));
        let nu = &motion.forces;
        for &(i, l) in &forces.gangs {
            held[i] = forces.unit((i, l), &s) * (ds[i] * nu[l] - ds[l] * nu[i]);
        }
        let system = forces.ganged(&s);
        system.solve(&held).column(0).into_owned()
    }

    /// The entries at the sliding pairs, S × 1.
    fn on_sliding(&self, layers: &[DMatrix<f64>]) -> DMatrix<f64> {
        let pairs = self.pattern.map_or(&[][..], Pattern::sliding);
        DMatrix::from_fn(pairs.len(), 1, |i, _| {
            let p = pairs[i];
            layers[p.layer][(p.unit, p.sample)]
        })
    }

    pub(super) fn add_forces(
        &self,
        layer: usize,
        forces: &DVector<f64>,
        errors: &mut DMatrix<f64>,
    ) {
        let pairs = self.pattern.map_or(&[][..], Pattern::sliding);
        for (p, nu) in pairs.iter().zip(forces.iter()) {
            if p.layer == layer {
                errors[(p.unit, p.sample)] += nu;
            }
        }
    }
}
