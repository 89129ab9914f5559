//! Newton's method in the multipliers, with the weights held.
//!
//! Linearised in v at fixed θ the step equation `α_0 v_n + … = v_n'`, times `C_n`, reads
//! `C_n (α_0 + v_n' tanh(v_n/P)/P) dv_n + Σ_k K_nk (∂E_k/∂v_k) dv_k = −C_n R_n` with the tangent kernel K
//! (`m' = K E`). In the unknowns `y_k = dE_k` the matrix is `K + diag(C_n (α_0 + …)/(∂E_n/∂v_n))`: K changes only as
//! fast as the weights do, so it is kept from step to step, and only the diagonal, which spans e^s, is recomputed.
//! Samples whose own response `K_nn E_n` is small against α_0 are not stiff: they are iterated one by one.
//!
//! Besides their response by K, margins also respond to the weights that a change of the multipliers moves within the
//! step, mostly in the same proportion everywhere (weights and K grow as a whole): η times as much again. Two values
//! of η are learned from the iterates, one for the common factor of all multipliers and one for their proportions
//! (see [`Corrector::correct`]).

use super::elimination::Elimination;
use super::multipliers::Multipliers;
use super::tolerances::Allowance;
use crate::network::WeightPath;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// A sample takes part in the linear system where `E_n K_nn` exceeds this share of α_0.
const STIFF: f64 = 0.02;

/// Relative changes of multipliers below this may be rounding.
const NOISE: f64 = 1e-11;

/// An iteration is slow if its rate exceeds `SLOWER` times the rate with a fresh kernel, plus `SLOW`.
const SLOWER: f64 = 1.5;

/// See [`SLOWER`].
const SLOW: f64 = 0.05;

/// Overall growth of K beyond which it is recomputed.
const MOST_CHANGE: f64 = 1.5;

/// Share of the largest multiplier below which a sample cannot have made an iteration diverge.
const HEARD: f64 = 1e-8;

/// See the module.
#[derive(Default)]
pub(super) struct Corrector {
    learned: Learned,
    /// Samples of the present step, as positions in `learned.known`.
    active: Vec<usize>,
    scale: Vec<f64>,
    factor: Elimination,
    /// Rounds of this step.
    rounds: Vec<Round>,
    /// How often K was computed, since this corrector was made.
    pub evaluations: usize,
}

/// State that outlives a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Samples the stored kernel covers.
    known: Vec<usize>,
    /// K among them, at the weights where it was last computed.
    #[serde(with = "square")]
    kernel: DMatrix<f64>,
    /// The largest `K_nn` seen then.
    response: f64,
    /// `K_nn` of all states then.
    responses: Vec<f64>,
    /// `EᵀKE/EᵀE` then: K grows with the weights, nearly as a whole.
    quotient: f64,
    /// Factor by which K has grown since.
    growth: f64,
    /// Whether the kernel has to be recomputed, if one is needed.
    stale: bool,
    /// Whether the learned responses have misled an iteration.
    mistaken: bool,
    /// η of the common factor of all multipliers.
    excess: f64,
    /// η of their proportions.
    delayed: f64,
    /// Steps judged since K was computed, and how fast iterations converged then.
    age: usize,
    fresh_rate: f64,
    /// Whether K has ever been computed.
    begun: bool,
}

impl Learned {
    /// What is left where the states have become others: how fast iterations answer.
    pub(super) fn without_kernel(self) -> Self {
        Self {
            excess: self.excess,
            delayed: self.delayed,
            stale: true,
            mistaken: true,
            ..Self::default()
        }
    }
}

/// A square matrix, as its entries column by column.
mod square {
    use nalgebra::DMatrix;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        matrix: &DMatrix<f64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        matrix.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<DMatrix<f64>, D::Error> {
        let entries = Vec::<f64>::deserialize(from)?;
        let size = entries.len().isqrt();
        if size * size != entries.len() {
            return Err(D::Error::custom("the matrix is not square"));
        }
        Ok(DMatrix::from_vec(size, size, entries))
    }
}

/// Changes of E in one round of the iteration, with `common · E/max E` split off.
struct Round {
    raw: Vec<f64>,
    step: Vec<f64>,
    common_raw: f64,
    common_step: f64,
}

impl Corrector {
    /// To be called when an iteration has diverged: the next step gets a new kernel, whether it looks stiff or not.
    pub(super) fn forget(&mut self) {
        self.learned.stale = true;
        self.learned.mistaken = true;
    }

    /// Records how fast an iteration converged; if much more slowly than with a fresh kernel, the next step gets one.
    pub(super) fn judge(&mut self, rate: f64) {
        if self.learned.age == 0 {
            self.learned.fresh_rate = rate;
        } else if rate > SLOWER * self.learned.fresh_rate + SLOW {
            self.learned.stale = true;
        }
        self.learned.age += 1;
    }

    /// Whether the kernel is that of the present weights.
    pub(super) fn is_fresh(&self) -> bool {
        !self.learned.stale && self.learned.begun
    }

    /// `K_nn` of a state, once it is known.
    pub(super) fn response(&self, state: usize) -> Option<f64> {
        let then = self.learned.responses.get(state)?;
        Some(self.learned.growth * then)
    }

    /// Whether a sample belongs to the linear system of this step.
    pub(super) fn takes_part(&self, sample: usize) -> bool {
        let position = |a: &usize| self.learned.known[*a].cmp(&sample);
        self.active.binary_search_by(position).is_ok()
    }

    /// The matrix of one step, factorised. `diagonal`: `α_0 + v_n' tanh(v_n/P)/P`; `rates`: `K E` at the present
    /// weights.
    pub(super) fn prepare(
        &mut self,
        path: &mut dyn WeightPath,
        at: &[f64],
        multipliers: &Multipliers,
        rates: &[f64],
        (diagonal, allowances): (&[f64], &[Allowance]),
    ) {
        let samples = diagonal.len();
        let strengths = &multipliers.strengths;
        // relative to the largest, whose square may overflow
        let pull = multipliers.pull();
        let answering = || (0..samples).filter(|n| strengths[*n] > 0.0);
        let largest = answering().fold(f64::MIN_POSITIVE, |l, n| l.max(pull[n].abs()));
        let pairs = || answering().map(|n| (pull[n] / largest, rates[n]));
        let squares: f64 = pairs().map(|(e, _)| e * e).sum();
        let quotient = pairs().map(|(e, m)| e * m).sum::<f64>() / (squares * largest);
        self.learned.growth = quotient / self.learned.quotient;
        if !(1.0 / MOST_CHANGE..MOST_CHANGE).contains(&self.learned.growth) {
            self.learned.growth = 1.0;
            self.learned.stale = true;
        }
        if self.learned.mistaken {
            // `quotient` says little where the answers to single samples cancel in `K E`
            let heard = |n: &usize| strengths[*n] > HEARD * largest;
            self.compute(path, at, (0..samples).filter(heard).collect(), multipliers);
            self.learned.quotient = quotient;
            self.learned.growth = 1.0;
        }
        let response = (self.learned.response * self.learned.growth).max(quotient);
        // the rate of a coordinate that nothing holds does not answer to it
        let rests = |n: usize| multipliers.in_coordinates() && allowances[n].idle > 0.0;
        let stiff =
            |n: usize, share: f64| !rests(n) && strengths[n] * response > share * diagonal[n].abs();
        let wanted = (0..samples).filter(|&n| stiff(n, STIFF));
        let missing = wanted
            .clone()
            .any(|n| self.learned.known.binary_search(&n).is_err());
        let stiff_samples = wanted.count() > 0;
        if stiff_samples && (missing || self.learned.stale) {
            // with room for those about to become stiff
            let chosen = (0..samples).filter(|&n| stiff(n, 0.1 * STIFF)).collect();
            self.compute(path, at, chosen, multipliers);
            self.learned.quotient = quotient;
            self.learned.growth = 1.0;
        }
        self.active.clear();
        if stiff_samples {
            let positions = self.learned.known.iter().enumerate();
            self.active.extend(
                positions
                    .filter(|(_, n)| stiff(**n, 0.1 * STIFF))
                    .map(|(i, _)| i),
            );
        }
        self.rounds.clear();
        self.factorise(multipliers, diagonal);
    }

    /// Turns `raw`, the change of E computed with K alone, into the change to make (in place).
    ///
    /// Raw changes depend on the errors e of E as `raw_i = −(e_i + η e_{i−1})`, since the weights in use are those of
    /// the last round's velocities, and `e_{i+1} = e_i + step_i`: so the step `(raw_i − η step_{i−1})/(1 + η)` ends
    /// the iteration if η is right, and `raw_i − raw_{i+1} = step_i + η step_{i−1}` yields η. The common factor of
    /// all multipliers is not one round late (velocities have been scaled): there
    /// `raw_i − raw_{i+1} = (1 + η) step_i`.
    fn correct(&mut self, raw: &mut [f64], values: &[f64]) {
        let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let pairs = || values.iter().map(|e| e / largest);
        let squares: f64 = pairs().map(|e| e * e).sum();
        let common = pairs().zip(&*raw).map(|(e, y)| e * y).sum::<f64>() / squares;
        for (y, e) in raw.iter_mut().zip(pairs()) {
            *y -= common * e;
        }
        if let [.., before, last] = &self.rounds[..] {
            let size = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
            let noise = (NOISE * largest).powi(2);
            if last.common_step.powi(2) > noise {
                let response = (last.common_raw - common) / last.common_step;
                self.learned.excess = (response - 1.0).clamp(-0.3, 0.6);
            }
            let square = size(&before.step);
            if square > noise {
                let answers = last.raw.iter().zip(&*raw).zip(&last.step);
                let along = answers
                    .zip(&before.step)
                    .map(|(((r, now), s), b)| (r - now - s) * b);
                self.learned.delayed = (along.sum::<f64>() / square).clamp(-0.3, 1.0);
            }
        }
        let mut round = Round {
            raw: raw.to_vec(),
            common_raw: common,
            common_step: common / (1.0 + self.learned.excess),
            step: Vec::new(),
        };
        if let Some(last) = self.rounds.last() {
            for (y, s) in raw.iter_mut().zip(&last.step) {
                *y -= self.learned.delayed * s;
            }
        }
        for y in &mut *raw {
            *y /= 1.0 + self.learned.delayed;
        }
        round.step = raw.to_vec();
        for (y, e) in raw.iter_mut().zip(pairs()) {
            *y += round.common_step * e;
        }
        self.rounds.push(round);
    }

    /// Everything that outlives a step.
    pub(super) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Takes over what another corrector has [`learned`](Self::learned); evaluations are counted from there. `None` if
    /// it does not fit.
    pub(super) fn recall(&mut self, learned: Learned) -> Option<()> {
        if learned.known.len() != learned.kernel.nrows() {
            return None;
        }
        self.learned = learned;
        Some(())
    }

    fn compute(
        &mut self,
        path: &mut dyn WeightPath,
        at: &[f64],
        samples: Vec<usize>,
        multipliers: &Multipliers,
    ) {
        self.learned.kernel = path.tangent_kernel(at, &samples);
        self.learned.response = self.learned.kernel.diagonal().amax();
        let own = (0..multipliers.strengths.len()).map(|n| match samples.binary_search(&n) {
            Ok(at) => self.learned.kernel[(at, at)],
            Err(_) if multipliers.in_coordinates() => path.tangent_kernel(at, &[n])[(0, 0)],
            Err(_) => self.learned.response,
        });
        self.learned.responses = own.collect();
        self.learned.known = samples;
        self.learned.stale = false;
        self.learned.mistaken = false;
        self.learned.age = 0;
        self.learned.begun = true;
        self.evaluations += 1;
    }

    fn factorise(&mut self, multipliers: &Multipliers, diagonal: &[f64]) {
        let size = self.active.len();
        let matrix = self.factor.begin(size);
        for (column, &b) in matrix.chunks_exact_mut(size.max(1)).zip(&self.active) {
            let known = self.learned.kernel.column(b);
            for (x, &a) in column.iter_mut().zip(&self.active) {
                *x = self.learned.growth * known[a];
            }
        }
        self.scale.clear();
        if let Some(curvature) = multipliers.curvature() {
            let states: Vec<usize> = self.active.iter().map(|a| self.learned.known[*a]).collect();
            couple(matrix, &curvature, &states);
        }
        for (j, &b) in self.active.iter().enumerate() {
            let n = self.learned.known[b];
            let entry = &mut matrix[j * size + j];
            *entry += multipliers.cosh[n] * diagonal[n] / multipliers.slopes[n];
            let size = entry.abs();
            self.scale
                .push(if size > 0.0 { size.sqrt().recip() } else { 1.0 });
        }
        for (column, b) in matrix.chunks_exact_mut(size.max(1)).zip(&self.scale) {
            for (x, a) in column.iter_mut().zip(&self.scale) {
                *x *= a * b;
            }
        }
        self.factor.factorise();
    }

    /// Computes dv from the residuals R; false if the matrix is singular.
    pub(super) fn solve(
        &mut self,
        residual: &[f64],
        multipliers: &Multipliers,
        diagonal: &[f64],
        dv: &mut [f64],
    ) -> bool {
        for n in 0..dv.len() {
            dv[n] = -residual[n] / diagonal[n];
        }
        let samples: Vec<usize> = self.active.iter().map(|a| self.learned.known[*a]).collect();
        let mut y: Vec<f64> = samples
            .iter()
            .zip(&self.scale)
            .map(|(&n, scale)| -multipliers.cosh[n] * residual[n] * scale)
            .collect();
        if !self.factor.solve(&mut y) {
            return false;
        }
        for (y, scale) in y.iter_mut().zip(&self.scale) {
            *y *= scale;
        }
        let common: Vec<f64> = samples.iter().map(|n| multipliers.common(*n)).collect();
        self.correct(&mut y, &common);
        for (n, y) in samples.iter().zip(y) {
            dv[*n] = y / multipliers.slopes[*n];
        }
        true
    }
}

/// `K → K M diag(M)⁻¹` among the active states: the pull answers to all coordinates.
fn couple(matrix: &mut [f64], curvature: &DMatrix<f64>, states: &[usize]) {
    let size = states.len();
    let kernel = DMatrix::from_column_slice(size, size, matrix);
    let among = DMatrix::from_fn(size, size, |i, j| {
        curvature[(states[i], states[j])] / curvature[(states[j], states[j])]
    });
    matrix.copy_from_slice((kernel * among).as_slice());
}
