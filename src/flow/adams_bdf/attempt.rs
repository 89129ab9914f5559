//! One attempted step: Newton's method on both formulas at once, error estimates at the orders in use and at the
//! neighbouring ones, and acceptance of the step if the errors are small enough.

use super::corrector::Corrector;
use super::multipliers::Multipliers;
use super::tolerances::{Allowance, Rounding, Tolerances};
use super::{HISTORY, MOST_ADAMS, MOST_BACKWARD, Stepper, combine, weights};

/// Remaining error that Newton's method may leave in samples that are not stiff, in units of the tolerance of a step.
const LATE: f64 = 0.1;

/// Rounds of one Newton iteration.
const MOST_ROUNDS: usize = 10;

/// Relative changes of the multipliers up to this may be rounding, where the linear system is ill-conditioned.
const ROUNDING_OF_CHANGES: f64 = 1e-9;

/// Relative changes up to this that come and go are rounding, and do not mean that an iteration diverges.
const RESTLESS: f64 = 1e-11;

const SAFETY: f64 = 0.9;

/// Newton's method takes a state further than this from where the formula expects it by mistake only: no tolerance is
/// more than a tenth. After a step that was much longer the estimated error would not tell.
const FAR: f64 = 10.0;

/// A sample whose pull is this share of the strongest is weak: errors of others' rates may move it by more than one.
const WEAK: f64 = 1e-8;

/// Share of an Adams formula's interval of stability that is used. Differences between margins keep their size while
/// weights grow like e^{s/L}, so the direction settles at a rate of at most one in s; a formula at the end of its
/// interval of stability would not let it settle, only keep its error within the tolerance.
const STABLE: f64 = 0.6;

/// A step is at most this many times as long as the last.
const MOST_GROWTH: f64 = 2.0;

/// Scratch of one attempted step.
pub(super) struct Trial {
    v: Vec<f64>,
    /// Where the formula expects it.
    expected: Vec<f64>,
    dv: Vec<f64>,
    residual: Vec<f64>,
    /// m', of the margins
    pub rates: Vec<f64>,
    diagonal: Vec<f64>,
    pub multipliers: Multipliers,
    /// What states must be known to.
    pub allowances: Vec<Allowance>,
    /// Coefficients of the slots.
    pub at: Vec<f64>,
}

impl Trial {
    /// With that many slots.
    pub(super) fn new(v: &[f64], slots: usize, multipliers: Multipliers) -> Self {
        let zeros = vec![0.0; v.len()];
        Self {
            v: v.to_vec(),
            expected: zeros.clone(),
            dv: zeros.clone(),
            residual: zeros.clone(),
            rates: zeros.clone(),
            diagonal: zeros,
            multipliers,
            allowances: Vec::new(),
            at: vec![0.0; slots],
        }
    }

    /// The change of the multipliers split in two: the relative change they have in common, and the largest entry of
    /// the remainder, relative to the largest multiplier.
    fn relative_change(&self) -> (f64, f64) {
        let m = &self.multipliers;
        let values = m.answering().map(|(_, e)| e);
        let largest = values.fold(f64::MIN_POSITIVE, f64::max);
        let changes = m.changes(&self.dv);
        let pairs = || (m.answering()).map(|(n, e)| (changes[n] / largest, e / largest));
        let squares: f64 = pairs().map(|(_, e)| e * e).sum();
        let common = match m.all_answer {
            true => pairs().map(|(d, e)| d * e).sum::<f64>() / squares.max(f64::MIN_POSITIVE),
            false => 0.0,
        };
        let rest = pairs()
            .map(|(d, e)| (d - common * e).abs())
            .fold(0.0, f64::max);
        (common, rest)
    }

    /// Whether a state is nowhere near where it is expected.
    fn is_far(&self) -> bool {
        let mut pairs = self.v.iter().zip(&self.expected);
        !pairs.all(|(v, expected)| (v - expected).abs() <= FAR)
    }

    /// Bounds the changes of weak samples that are held by their own pull. Newton's method takes that for linear, but
    /// it is an exponential: from too little of it the step is any number, and its effect on the others is none, so
    /// that nothing else would tell. A pull is multiplied by what the linear equation multiplies it by, or divided by
    /// e. Whether one of them had to be bounded.
    fn damp(&mut self, corrector: &Corrector) -> bool {
        if self.multipliers.in_coordinates() {
            return false;
        }
        let strengths = &self.multipliers.strengths;
        let weak = WEAK * strengths.iter().copied().fold(0.0, f64::max);
        let mut damped = false;
        for (n, dv) in self.dv.iter_mut().enumerate() {
            let cosh = self.multipliers.cosh[n];
            let change = *dv * cosh;
            if change.abs() > 1.0 && strengths[n] < weak && corrector.takes_part(n) {
                let bounded = if change > 0.0 { change.ln_1p() } else { -1.0 };
                *dv = bounded / cosh;
                damped = true;
            }
        }
        damped
    }
}

pub(super) enum Attempt {
    Done,
    /// The error in units of the tolerance, and the order whose estimate it is.
    TooLarge(f64, usize),
    Diverged,
}

impl Stepper<'_> {
    pub(super) fn attempt(&mut self, next: f64) -> Attempt {
        let (t, s) = (self.times[0], self.base + next);
        let mut nodes = Vec::with_capacity(HISTORY + 1);
        nodes.push(next);
        nodes.extend_from_slice(&self.times);
        let (q, m) = (self.backward.now, self.adams.now);
        let alpha = weights::derivative(&nodes[..=q]);
        let ahead = &self.times[..(q + 1).min(self.times.len())];
        combine(&weights::value(ahead, next), &self.v, &mut self.trial.v);
        self.trial.expected.clone_from(&self.trial.v);
        // Σ_{j>0} α_j v_{n+1−j}
        let mut past = vec![0.0; self.trial.v.len()];
        combine(&alpha[1..], &self.v, &mut past);
        let explicit = weights::integral(&self.times[..(m + 1).min(self.known)], t, next);
        let implicit = weights::integral(&nodes[..=m.min(self.known)], t, next);
        self.lay_out(&explicit, 0);
        let newest = self.slots[HISTORY];
        self.path.clear(newest);

        let (mut first, mut before) = (0.0, [f64::INFINITY; 2]);
        for round in 0..MOST_ROUNDS {
            self.trial
                .multipliers
                .set(&self.trial.v, s, self.loss, &self.log_counts);
            self.evaluate(newest);
            if round == 0 {
                let strongest = self.trial.multipliers.strongest();
                self.allow(Rounding::of_step(s, next - t, strongest));
            }
            let slope = self.slopes(s);
            for n in 0..slope.len() {
                let v = self.trial.v[n];
                self.trial.residual[n] = alpha[0] * v + past[n] - slope[n];
            }
            if round == 0 {
                // at the weights that these rates are of: where an expected multiplier is far off, its velocity leads
                // to any others, whose kernel would hold the states where they are
                self.prepare(alpha[0], &slope, s);
                self.lay_out(&implicit, 1);
            }
            let trial = &mut self.trial;
            let solved = self.corrector.solve(
                &trial.residual,
                &trial.multipliers,
                &trial.diagonal,
                &mut trial.dv,
            );
            if !solved || !trial.dv.iter().all(|d| d.is_finite()) {
                return Attempt::Diverged;
            }
            let damped = self.trial.damp(&self.corrector);
            let (common, rest) = self.trial.relative_change();
            let change = rest.max(common.abs());
            // velocities are linear in the multipliers: a common factor needs no evaluation
            self.path.scale(newest, 1.0 + common);
            for (v, d) in self.trial.v.iter_mut().zip(&self.trial.dv) {
                *v += d;
            }
            // converged, or stagnating at the level of rounding
            let idle = change > 0.5 * before[0] && before[0] > 0.5 * before[1];
            let restless = change.max(before[0]).max(before[1]) <= RESTLESS;
            let stagnant = round > 3 && (idle && change <= ROUNDING_OF_CHANGES || restless);
            let settled = rest <= self.tolerances.direction(s)
                && common.abs() <= self.tolerances.newton
                && self.late_answers(common) <= LATE;
            if (settled || stagnant) && !damped {
                if self.trial.is_far() {
                    break;
                }
                for e in &mut self.trial.multipliers.values {
                    *e *= 1.0 + common;
                }
                if round > 1 {
                    let rate = (change / first).powf(1.0 / round as f64);
                    self.corrector.judge(rate);
                }
                return self.judge(&nodes, &implicit);
            }
            if round > 1 && change > RESTLESS.max(2.0 * before[0]) {
                break;
            }
            if round == 0 {
                first = change;
            }
            before = [change, before[0]];
        }
        Attempt::Diverged
    }

    /// Lays out weights of nodes as coefficients of slots; `first`: 0 if the first weight belongs to the newest node,
    /// 1 if to the trial's.
    pub(super) fn lay_out(&mut self, weights: &[f64], first: usize) {
        self.trial.at.fill(0.0);
        for (j, w) in weights.iter().enumerate() {
            let slot = if j < first {
                self.slots[HISTORY]
            } else {
                self.slots[j - first]
            };
            self.trial.at[slot] = *w;
        }
    }

    pub(super) fn evaluate(&mut self, slot: usize) {
        self.evaluations += 1;
        self.path.velocity(
            &self.trial.at,
            self.trial.multipliers.pull(),
            slot,
            &mut self.trial.rates,
        );
    }

    /// `v_n' = (e^s − m_n')/C_n`, of coordinates `v_i' = (o_i e^s − m_i')/C_i`.
    pub(super) fn slopes(&self, s: f64) -> Vec<f64> {
        let growth = s.exp();
        let rates = self.trial.rates.iter().zip(&self.trial.multipliers.cosh);
        let rates = rates.zip(self.offsets.iter().zip(&self.trial.allowances));
        let slopes = rates.map(|((m, c), (o, allowed))| match o * growth - m {
            // what nothing holds must not drift with its rounding
            rate if rate.abs() <= allowed.idle => 0.0,
            rate => rate / c,
        });
        let mut slopes: Vec<f64> = slopes.collect();
        self.trial.multipliers.rest(&mut slopes);
        slopes
    }

    fn prepare(&mut self, leading: f64, slope: &[f64], s: f64) {
        let growth = s.exp();
        let trial = &mut self.trial;
        for (n, slope) in slope.iter().enumerate() {
            // below this, v' is rounding of e^s − m'
            let settled = slope.abs() * trial.multipliers.cosh[n] < 1e-13 * growth;
            let curvature = if settled {
                0.0
            } else {
                slope * trial.multipliers.tanh[n]
            };
            trial.diagonal[n] = leading + curvature / crate::flow::clock::COMPRESSION;
        }
        self.corrector.prepare(
            &mut *self.path,
            &trial.at,
            &trial.multipliers,
            &trial.rates,
            (&trial.diagonal, &trial.allowances),
        );
    }

    /// Says what the states must be known to, those of the trial being near.
    pub(super) fn allow(&mut self, rounding: Rounding) {
        let multipliers = &self.trial.multipliers;
        let response = |state| self.corrector.response(state);
        self.trial.allowances = multipliers.allowances(&self.tolerances, rounding, response);
    }

    /// Root mean square in units of the tolerance.
    pub(super) fn size_of_multipliers(&self, x: &[f64]) -> f64 {
        let squares = x.iter().zip(&self.trial.allowances);
        let squares = squares.map(|(x, allowed)| (x / allowed.error).powi(2));
        (squares.sum::<f64>() / x.len() as f64).sqrt()
    }

    /// How much the samples iterated one by one still have to change in response to a last common change of all
    /// multipliers, in units of the tolerance: far from active, `p_n' = e^s − m_n'` is a small difference.
    fn late_answers(&self, common: f64) -> f64 {
        let trial = &self.trial;
        let answers = (0..trial.v.len()).filter(|n| !self.corrector.takes_part(*n));
        let answers = answers.map(|n| {
            let dv = common * trial.rates[n] / (trial.multipliers.cosh[n] * trial.diagonal[n]);
            dv.abs() / trial.allowances[n].error
        });
        answers.fold(0.0, f64::max)
    }

    /// Estimates errors at the orders in use and at the neighbouring ones; accepts the step if they are small enough.
    fn judge(&mut self, nodes: &[f64], implicit: &[f64]) -> Attempt {
        if self.trial.multipliers.in_coordinates() {
            // of a state that passes zero, what was allowed where it was expected says little of where it is
            let strongest = self.trial.multipliers.strongest();
            let (s, h) = (self.base + nodes[0], nodes[0] - nodes[1]);
            self.allow(Rounding::of_step(s, h, strongest));
        }
        let (q, m) = (self.backward.now, self.adams.now);
        let errors = |this: &mut Self, order: usize| this.backward_error(nodes, order);
        let (error_v, error_w) = (errors(self, q), self.adams_error(nodes, m));
        if error_v.is_nan() || error_w.is_nan() || error_v.max(error_w) > 1.0 {
            return if error_v > error_w {
                Attempt::TooLarge(error_v, q)
            } else {
                Attempt::TooLarge(error_w, m)
            };
        }
        let h = nodes[0] - nodes[1];
        let growth_v = {
            let lower = (q > 1).then(|| self.backward_error(nodes, q - 1));
            let higher = (q < MOST_BACKWARD && self.backward.age > q && self.times.len() > q + 2)
                .then(|| self.backward_error(nodes, q + 1));
            self.backward
                .choose(lower, error_v, higher, |_| f64::INFINITY)
        };
        let growth_w = {
            let lower = (m > 1).then(|| self.adams_error(nodes, m - 1));
            let higher = (m < MOST_ADAMS && self.adams.age > m && self.known > m)
                .then(|| self.adams_error(nodes, m + 1));
            let stable = |order: usize| STABLE * weights::adams_stability(order) / h;
            self.adams.choose(lower, error_w, higher, stable)
        };
        self.lay_out(implicit, 1);
        self.path.advance(&self.trial.at);
        self.accept(nodes[0], implicit);
        let growth = SAFETY * growth_v.min(growth_w);
        self.h = if (0.95..1.2).contains(&growth) {
            h
        } else {
            h * growth.clamp(0.5, MOST_GROWTH)
        };
        Attempt::Done
    }

    fn backward_error(&mut self, nodes: &[f64], order: usize) -> f64 {
        let weights = weights::backward_error(&nodes[..order + 2]);
        let trial = &mut self.trial;
        combine(&weights[1..], &self.v, &mut trial.residual);
        for (x, v) in trial.residual.iter_mut().zip(&trial.v) {
            *x += weights[0] * v;
        }
        self.size_of_multipliers(&self.trial.residual)
    }

    fn adams_error(&mut self, nodes: &[f64], order: usize) -> f64 {
        let weights = weights::adams_error(&nodes[..=order], nodes[1], nodes[0]);
        self.lay_out(&weights, 1);
        let Tolerances {
            relative, weights, ..
        } = &self.tolerances;
        self.path.size(&self.trial.at, *relative, weights)
    }

    fn accept(&mut self, t: f64, implicit: &[f64]) {
        let newest = std::iter::once(&self.trial.multipliers.values).chain(&self.multipliers);
        for (w, e) in implicit.iter().zip(newest) {
            for (a, e) in self.accumulated.iter_mut().zip(e) {
                *a += w * e;
            }
        }
        push(&mut self.times, t);
        push(&mut self.v, self.trial.v.clone());
        push(&mut self.multipliers, self.trial.multipliers.values.clone());
        self.slots.rotate_right(1);
        self.known = (self.known + 1).min(HISTORY);
        self.backward.age += 1;
        self.adams.age += 1;
    }
}

/// Puts the newest first, and drops the oldest.
fn push<T>(history: &mut Vec<T>, newest: T) {
    history.insert(0, newest);
    history.truncate(HISTORY);
}
