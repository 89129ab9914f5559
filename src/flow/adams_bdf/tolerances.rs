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
