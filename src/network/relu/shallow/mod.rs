//! The field of networks with one hidden layer, in one sweep over the samples and back.
//!
//! With a single hidden layer every error signal is a product, `s_jn = u_j e_n` with u the feedback (w_2 under BP), and
//! the first layer sees the data themselves:
//!
//! ```text
//! a_n = w_1ᵀ x_n,   h, M, κ from a,         w_2' = Σ_n e_n h_n
//! w_1j' = u_j Σ_n e_n (M_jn x_n + κ_jn w_j)
//! f_n' = h_n·w_2' + w_2·(M_n ∘ (w_1'ᵀ x_n) + κ_n ∘ (w_1·w_1'))
//! ```
//!
//! Forces of sliding pairs hold `w_1j'·x_n = 0` for the samples that slide on unit j: they take from w_1j' its part in
//! the span of these x_n, which is the same all along a piece.
//!
//! So one evaluation is two sweeps, in vector instructions across units, with three numbers kept for each pair between
//! them; the [passes](super::passes), which do any depth, go through memory some twenty times. They are the slow twin
//! in the tests, and do what this leaves out: units at rest or at zero weights, pairs whose forces are not unique.

mod sweeps;
#[cfg(test)]
mod tests;

use super::Setting;
use super::pattern::{Mode, Pair, Pattern};
use super::sizes::significant_inputs;
use crate::network::signals::Held;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use pulp::Arch;
use std::collections::BTreeMap;
use std::sync::Mutex;
use sweeps::{Back, Forth, Sines};

/// Units are counted in multiples of this: no vector of doubles is longer.
const LANES: usize = 8;

/// Above this dimension of the data products of matrices are faster.
const MOST_INPUTS: usize = 128;

/// Inputs of which less than this is left across those that slide on the same unit have no forces of their own.
const DEPENDENT: f64 = 3e-6;

/// What is the same at all states of a piece.
#[derive(Clone)]
pub(super) struct Shallow {
    /// Units, rounded up to [`LANES`]; those that are not there have no weights, and hear and say nothing.
    lanes: usize,
    /// Gates, of each sample those of all lanes; empty if the activation is curved.
    gates: Vec<f64>,
    /// 1 of active pairs, −1 of inactive ones, 0 of those that are on no side.
    sides: Vec<f64>,
    /// What is added to the sine of each pair: its slack; infinite if it is on no side.
    slack: Vec<f64>,
    /// `1/‖x_n‖`, 0 for inputs that are only rounding.
    inverse_inputs: Vec<f64>,
    slides: Vec<Slide>,
    scratch: Scratch,
}

/// The samples that slide on one unit.
#[derive(Clone)]
struct Slide {
    unit: usize,
    samples: Vec<usize>,
    /// Orthonormal basis of the span of their inputs, D × their number.
    basis: DMatrix<f64>,
    /// Their inner products.
    gram: Cholesky<f64, Dyn>,
}

/// Memory that one evaluation leaves to the next.
#[derive(Default)]
struct Scratch(Mutex<Vec<f64>>);

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Scratch {
    /// Runs `work` on that many numbers, whatever they are.
    fn with<T>(&self, numbers: usize, work: impl FnOnce(&mut [f64]) -> T) -> T {
        let mut fresh = Vec::new();
        match self.0.try_lock() {
            Ok(mut kept) => {
                let size = numbers.max(kept.len());
                kept.resize(size, 0.0);
                work(&mut kept[..numbers])
            }
            Err(_) => {
                fresh.resize(numbers, 0.0);
                work(&mut fresh)
            }
        }
    }
}

/// What one evaluation works on: pairs by sample, then lanes; inputs by input, then lanes; lanes.
struct Tables<'s> {
    outputs: &'s mut [f64],
    gates: &'s mut [f64],
    kappa: &'s mut [f64],
    weights: &'s mut [f64],
    pulls: &'s mut [f64],
    widths: &'s mut [f64],
    stretched: &'s mut [f64],
    last: &'s mut [f64],
    along: &'s mut [f64],
    feedback: &'s mut [f64],
    above: &'s mut [f64],
}

impl<'s> Tables<'s> {
    fn numbers([lanes, samples, dimension]: [usize; 3]) -> usize {
        lanes * (3 * samples + 2 * dimension + 6)
    }

    /// All but the pairs zero.
    fn of(scratch: &'s mut [f64], [lanes, samples, dimension]: [usize; 3]) -> Self {
        let mut rest = scratch;
        let mut next = |numbers: usize| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(numbers);
            rest = others;
            own
        };
        let mut pairs = || next(lanes * samples);
        let (outputs, gates, kappa) = (pairs(), pairs(), pairs());
        let mut zero = |numbers: usize| {
            let own = next(numbers);
            own.fill(0.0);
            own
        };
        Self {
            outputs,
            gates,
            kappa,
            weights: zero(lanes * dimension),
            pulls: zero(lanes * dimension),
            widths: zero(lanes),
            stretched: zero(lanes),
            last: zero(lanes),
            along: zero(lanes),
            feedback: zero(lanes),
            above: zero(lanes),
        }
    }
}

impl Shallow {
    /// Of a piece; `None` where only the passes can do it.
    pub(super) fn new(
        setting: &Setting,
        pattern: Option<&Pattern>,
        slack: &BTreeMap<Pair, f64>,
    ) -> Option<Self> {
        let [(dimension, units)] = setting.layout.hidden() else {
            return None;
        };
        let one_output = setting.data.outputs() == 1;
        if !setting.plain || !one_output || !setting.is_of_kinks() {
            return None;
        }
        let (units, samples) = (*units, setting.labels.len());
        let curved = setting.is_rounded();
        let unknown = !curved && pattern.is_none();
        let rests = pattern.is_some_and(|p| p.resting().next().is_some());
        if *dimension > MOST_INPUTS || unknown || rests {
            return None;
        }
        let lanes = units.div_ceil(LANES) * LANES;
        let inputs = significant_inputs(&setting.inputs);
        let mut shallow = Self {
            lanes,
            gates: Vec::new(),
            sides: Vec::new(),
            slack: Vec::new(),
            inverse_inputs: (inputs.iter())
                .map(|size| if *size > 0.0 { 1.0 / size } else { 0.0 })
                .collect(),
            slides: Vec::new(),
            scratch: Scratch::default(),
        };
        if let Some(pattern) = pattern.filter(|_| !curved) {
            shallow.gates = vec![0.0; lanes * samples];
            shallow.sides = vec![0.0; lanes * samples];
            shallow.slack = vec![f64::INFINITY; lanes * samples];
            let gates = pattern.gates(0);
            for p in pattern.pairs() {
                let place = p.sample * lanes + p.unit;
                shallow.gates[place] = gates[(p.unit, p.sample)];
                let side = match pattern.get(p) {
                    Mode::Active => 1.0,
                    Mode::Inactive => -1.0,
                    Mode::Sliding | Mode::Resting => continue,
                };
                if inputs[p.sample] > 0.0 {
                    shallow.sides[place] = side;
                    shallow.slack[place] = slack.get(&p).copied().unwrap_or(0.0);
                }
            }
            let pairs = pattern.sliding().chunk_by(|p, q| p.unit == q.unit);
            let slides = pairs.map(|pairs| Slide::new(&setting.inputs, pairs));
            shallow.slides = slides.collect::<Option<_>>()?;
        }
        Some(shallow)
    }

    /// The velocity at θ for `multipliers`, and the margin rates it causes; false where only the passes can tell.
    pub(super) fn velocity(
        &self,
        setting: &Setting,
        (theta, multipliers): (&[f64], &[f64]),
        velocity: &mut [f64],
        rates: &mut [f64],
    ) -> bool {
        let (dimension, units) = setting.layout.hidden()[0];
        let sizes = [self.lanes, setting.labels.len(), dimension];
        let (first, output) = theta.split_at(dimension * units);
        let errors: Vec<f64> = errors(setting, multipliers);
        self.scratch.with(Tables::numbers(sizes), |scratch| {
            let mut at = Tables::of(scratch, sizes);
            transpose(first, at.weights, (dimension, self.lanes), at.widths);
            at.feedback[..units].copy_from_slice(signals(setting, output));
            at.above[..units].copy_from_slice(output);
            let known = Arch::new().dispatch(Forth {
                shallow: self,
                setting,
                weights: at.weights,
                widths: at.widths,
                errors: Some(&errors),
                outputs: &mut *at.outputs,
                gates: &mut *at.gates,
                kappa: &mut *at.kappa,
                pulls: &mut *at.pulls,
                stretched: &mut *at.stretched,
                last: &mut *at.last,
            });
            if !known {
                return false;
            }
            // a unit that is not there has a rounded kink all the same
            at.last[units..].fill(0.0);
            self.hold(&mut at);
            Arch::new().dispatch(Back {
                shallow: self,
                setting,
                velocity: at.pulls,
                along: at.along,
                outputs: at.outputs,
                gates: match self.gates.is_empty() {
                    true => at.gates,
                    false => &self.gates,
                },
                kappa: at.kappa,
                last: at.last,
                above: at.above,
                rates,
            });
            let (own_first, own_last) = velocity.split_at_mut(dimension * units);
            for (j, own) in own_first.chunks_exact_mut(dimension).enumerate() {
                for (d, x) in own.iter_mut().enumerate() {
                    *x = at.pulls[d * self.lanes + j];
                }
            }
            own_last.copy_from_slice(&at.last[..units]);
            true
        })
    }

    /// From sums over samples to the velocity of the first layer, under the forces of sliding pairs, and `w_j·w_j'`.
    fn hold(&self, at: &mut Tables<'_>) {
        let lanes = self.lanes;
        let columns = || at.weights.chunks_exact(lanes);
        for (pull, w) in at.pulls.chunks_exact_mut(lanes).zip(columns()) {
            for j in 0..lanes {
                pull[j] = at.feedback[j] * (pull[j] + at.stretched[j] * w[j]);
            }
        }
        for slide in &self.slides {
            slide.hold(at.pulls, lanes);
        }
        for (pull, w) in at.pulls.chunks_exact(lanes).zip(columns()) {
            for j in 0..lanes {
                at.along[j] += pull[j] * w[j];
            }
        }
    }

    /// `m_n`; false where only the passes can tell.
    pub(super) fn margins(&self, setting: &Setting, theta: &[f64], margins: &mut [f64]) -> bool {
        let (dimension, units) = setting.layout.hidden()[0];
        let (lanes, samples) = (self.lanes, setting.labels.len());
        let (table, column) = (lanes * samples, lanes * dimension);
        let (first, output) = theta.split_at(dimension * units);
        self.scratch.with(3 * table + column + lanes, |scratch| {
            let (outputs, rest) = scratch.split_at_mut(table);
            let (gates, rest) = rest.split_at_mut(table);
            let (kappa, rest) = rest.split_at_mut(table);
            let (weights, widths) = rest.split_at_mut(column);
            transpose(first, weights, (dimension, lanes), widths);
            let known = Arch::new().dispatch(Forth {
                shallow: self,
                setting,
                weights,
                widths,
                errors: None,
                outputs: &mut *outputs,
                gates,
                kappa,
                pulls: &mut [],
                stretched: &mut [],
                last: &mut [],
            });
            if known {
                for ((m, h), y) in
                    (margins.iter_mut().zip(outputs.chunks_exact(lanes))).zip(setting.labels.iter())
                {
                    *m = y * h.iter().zip(output).map(|(h, w)| h * w).sum::<f64>();
                }
            }
            known
        })
    }

    /// The least of all sines on the sides of their pairs, with their slack, and how far inside of their intervals all
    /// gates are; `None` where only the passes can tell.
    pub(super) fn inside(
        &self,
        setting: &Setting,
        pattern: &Pattern,
        (theta, multipliers): (&[f64], &[f64]),
    ) -> Option<(f64, f64)> {
        let (dimension, units) = setting.layout.hidden()[0];
        let lanes = self.lanes;
        let (first, output) = theta.split_at(dimension * units);
        let mut weights = vec![0.0; lanes * dimension];
        let mut widths = vec![0.0; lanes];
        transpose(first, &mut weights, (dimension, lanes), &mut widths);
        if widths.contains(&0.0) {
            return None;
        }
        let inverse: Vec<f64> = widths.iter().map(|w| 1.0 / w.sqrt()).collect();
        let of_sides = Arch::new().dispatch(Sines {
            shallow: self,
            setting,
            weights: &weights,
            inverse_widths: &inverse,
        });
        let errors = errors(setting, multipliers);
        let feedback = signals(setting, output);
        let kink = pattern.kink(0);
        let mut of_gates = f64::INFINITY;
        for slide in &self.slides {
            let mut pull = DVector::zeros(dimension);
            for (n, e) in errors.iter().enumerate().filter(|(_, e)| **e != 0.0) {
                let gate = self.gates[n * lanes + slide.unit];
                if gate != 0.0 {
                    pull.axpy(gate * e, &setting.inputs.column(n), 1.0);
                }
            }
            let u = feedback[slide.unit];
            let held = DVector::from_fn(slide.samples.len(), |i, _| {
                -u * pull.dot(&setting.inputs.column(slide.samples[i]))
            });
            let forces = slide.gram.solve(&held);
            for (n, force) in slide.samples.iter().zip(forces.iter()) {
                let signal = u * errors[*n];
                // without a signal any gate will do
                let gate = match *force == 0.0 && signal == 0.0 {
                    true => kink.inactive,
                    false => force / signal,
                };
                let inside = kink.inside(gate);
                // NaN is outside
                of_gates = if inside >= of_gates { of_gates } else { inside };
            }
        }
        Some((of_sides, of_gates))
    }
}

/// `e_n = α_n y_n`
fn errors(setting: &Setting, multipliers: &[f64]) -> Vec<f64> {
    let labels = setting.labels.iter();
    labels.zip(multipliers).map(|(y, e)| y * e).collect()
}

/// u
fn signals<'a>(setting: &'a Setting, output: &'a [f64]) -> &'a [f64] {
    match &setting.signals {
        Held::Backward => output,
        Held::Layerwise(f) => f[0].as_slice(),
        Held::Direct(b) => b[0].as_slice(),
    }
}

/// `w_1` with units along columns, and `‖w_j‖²`, one for lanes without a unit.
fn transpose(
    first: &[f64],
    weights: &mut [f64],
    (dimension, lanes): (usize, usize),
    widths: &mut [f64],
) {
    weights.fill(0.0);
    widths.fill(1.0);
    for (j, w) in first.chunks_exact(dimension).enumerate() {
        for (d, w) in w.iter().enumerate() {
            weights[d * lanes + j] = *w;
        }
        widths[j] = w.iter().map(|w| w * w).sum();
    }
}

impl Slide {
    /// `None` if the inputs are dependent.
    fn new(inputs: &DMatrix<f64>, pairs: &[Pair]) -> Option<Self> {
        let samples: Vec<usize> = pairs.iter().map(|p| p.sample).collect();
        let columns = inputs.select_columns(&samples);
        if columns.ncols() > columns.nrows() {
            return None;
        }
        let mut basis = columns.clone();
        for k in 0..basis.ncols() {
            let (before, mut rest) = basis.columns_range_pair_mut(..k, k..);
            let mut own = rest.column_mut(0);
            let size = own.norm();
            for _ in 0..2 {
                let along = before.tr_mul(&own);
                own.gemv(-1.0, &before, &along, 1.0);
            }
            let left = own.norm();
            if left.is_nan() || left <= DEPENDENT * size {
                return None;
            }
            own /= left;
        }
        Some(Self {
            unit: pairs[0].unit,
            gram: columns.tr_mul(&columns).cholesky()?,
            samples,
            basis,
        })
    }

    /// Takes from the velocity of the unit its part in the span of the sliding inputs.
    fn hold(&self, velocity: &mut [f64], lanes: usize) {
        for _ in 0..2 {
            for q in self.basis.column_iter() {
                let own = |d: usize| d * lanes + self.unit;
                let along: f64 = (q.iter().enumerate())
                    .map(|(d, q)| q * velocity[own(d)])
                    .sum();
                for (d, q) in q.iter().enumerate() {
                    velocity[own(d)] -= along * q;
                }
            }
        }
    }
}
