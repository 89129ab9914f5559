//! Tolerances of steps and of their Newton iterations.

/// Tolerances stop growing with log-multipliers beyond this: far from active, p = P sinh(v/P) amplifies errors.
const LARGE: f64 = 10.0;

/// Tolerances of single steps.
#[derive(Debug, Clone)]
pub(super) struct Tolerances {
    pub relative: f64,
    /// Per layer.
    pub weights: Vec<f64>,
    pub relative_multipliers: f64,
    pub multipliers: f64,
    /// Newton's method ends once it changes the multipliers' common factor by less than this, relatively.
    pub newton: f64,
}

/// Relative accuracy of the proportions of the multipliers in late steps, whatever the tolerance: linear formulas
/// preserve the direction of the weights however large their truncation error; only Newton's method can turn it.
const DIRECTION: f64 = 1e-14;

impl Tolerances {
    /// Newton's method ends once it changes the proportions of the multipliers by less than this. An error of the
    /// direction at an early s decays like e^{−rs}, r ≤ 1, as the angle to the limit itself does, so it may be larger
    /// by that factor.
    pub(super) fn direction(&self, s: f64) -> f64 {
        (self.newton * (-s).exp()).max(DIRECTION)
    }

    /// Tolerance of one compressed log-multiplier.
    pub(super) fn of_multiplier(&self, v: f64) -> f64 {
        self.multipliers + self.relative_multipliers * v.abs().min(LARGE)
    }
}

/// What one step can know of log-multipliers.
///
/// Rates `e^s − m_n'` are rounded at ε e^s. Where a sample pulls with a share r of the strongest, its log-multiplier
/// answers to its own pull at a rate of r e^s, and rounding leaves an error of ε/r in it: nothing to the sum of all
/// pulls, but more than the tolerance, once r is small. Below r = e^{−`[`WEAK`]`}` a pull is lost in the rounding of
/// the sum, and nothing holds the log-multiplier against rounding: over a step h it moves by ε e^s h, and shorter steps
/// do not help. Samples that the limit leaves on the margin without a multiplier of their own (ties) go through all of
/// this. As soon as one of them pulls again, it is held to the tolerance like all others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rounding {
    /// e^s.
    growth: f64,
    /// Length of the step.
    step: f64,
    /// Of log-multipliers that nothing holds, over the step.
    size: f64,
    /// Most that counts as rounding otherwise.
    most: f64,
    /// The largest log-multiplier.
    strongest: f64,
    /// What [`WEAK`] is: less in coordinates.
    weak: f64,
}

/// Roundings in a rate.
const ROUNDINGS: f64 = 16.0;

/// Samples whose pull is this power of e below the strongest do not count in the sum of pulls.
const WEAK: f64 = 32.0;

/// The same where states are coordinates, whose rates are sums of terms that cancel.
const WEAK_IN_COORDINATES: f64 = 28.0;

/// What is not known of the rate of a weak sample, relative to e^s: proportions of multipliers are iterated to
/// [`DIRECTION`], and what each adds to the rate is rounded.
const UNKNOWN: f64 = 2048.0 * f64::EPSILON;

/// A weak log-multiplier is known to this share of its distance from the strongest.
const FAR: f64 = 1e-3;

/// Errors of this share of 1 + τ are nothing, as long as they do not matter to the pull.
const SHARE: f64 = 1e-9;

/// Log-multipliers are known to this, whatever the pull.
const KNOWN: f64 = 0.1;

impl Rounding {
    /// Of a step of size h to log-log-time s, where the largest log-multiplier is `strongest`.
    pub(super) fn of_step(s: f64, h: f64, strongest: f64) -> Self {
        let rate = ROUNDINGS * f64::EPSILON * s.exp();
        Self {
            growth: s.exp(),
            step: h,
            size: h * rate,
            most: KNOWN.min(SHARE * s.exp()),
            strongest,
            weak: WEAK,
        }
    }

    /// The same for coordinates in place of samples.
    pub(super) fn in_coordinates(self) -> Self {
        Self {
            weak: WEAK_IN_COORDINATES,
            ..self
        }
    }

    fn is_weak(self, p: f64) -> bool {
        p < self.strongest - self.weak
    }

    /// What is not known of the rate of a sample's log-multiplier p that nothing holds: zero of all others.
    pub(super) fn of_weak_rate(self, p: f64) -> f64 {
        match self.is_weak(p) {
            true => self.of_rate(1.0, 0.0),
            false => 0.0,
        }
    }

    /// In a log-multiplier p.
    pub(super) fn of_multiplier(self, p: f64) -> f64 {
        if self.is_weak(p) {
            // not so much that it could come to pull by mistake
            return self.size.min(FAR * (self.strongest - p));
        }
        let held = 4.0 * ROUNDINGS * f64::EPSILON * (self.strongest - p).exp();
        held.min(self.most)
    }

    /// How a row answers to a pull, per e^s, whose rate under the strongest pull alone is this.
    pub(super) fn answer(self, rate: f64) -> f64 {
        rate / self.growth
    }

    /// In a state whose row has this [`answer`](Self::answer), and which pulls with a share `pull` of the strongest:
    /// the rounding of its rate, over the step, or as far as it is held. As `u_i·β' ≤ (K_ii Σ E m')^½`, rates are of
    /// the size of the root of the answer.
    pub(super) fn of_state(self, answer: f64, pull: f64) -> f64 {
        let rate = 4.0 * ROUNDINGS * f64::EPSILON * answer.sqrt() * self.growth;
        let held = 1.0 / (pull * answer * self.growth);
        (rate * self.step.min(held)).min(self.most)
    }

    /// What is not known of the rate of such a coordinate, if its own pull is less: zero otherwise.
    pub(super) fn of_rate(self, answer: f64, pull: f64) -> f64 {
        match pull * answer.sqrt() < UNKNOWN {
            true => 2.0 * UNKNOWN * answer.sqrt() * self.growth,
            false => 0.0,
        }
    }
}

/// What a state must be known to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Error of the compressed state.
    pub error: f64,
    /// Rates up to this, of the expanded state, are rounding.
    pub idle: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_nothing_where_samples_pull_and_all_there_is_where_they_do_not() {
        for s in [5.0, 20.0, 60.0, 140.0] {
            let rounding = Rounding::of_step(s, 0.1, -s);
            for pull in [0.0, -5.0, -10.0] {
                assert!(rounding.of_multiplier(pull - s) <= 1e-9, "{s} {pull}");
                assert!(rounding.of_state(1.0, f64::exp(pull)) <= 1e-9, "{s} {pull}");
                assert_eq!(rounding.of_rate(1.0, f64::exp(pull)), 0.0);
            }
            let far = -f64::exp(s);
            assert_eq!(rounding.of_rate(1.0, 0.0), 2.0 * UNKNOWN * s.exp());
            assert_eq!(rounding.of_weak_rate(far), 2.0 * UNKNOWN * s.exp());
            assert_eq!(rounding.of_weak_rate(-10.0 - s), 0.0);
            assert!(rounding.of_multiplier(far) <= 1e-14 * f64::exp(s));
            // never so much that a sample could come to pull by mistake
            for below in [33.0, 40.0, 400.0] {
                assert!(rounding.of_multiplier(-s - below) <= 0.0011 * below);
            }
        }
    }
}
