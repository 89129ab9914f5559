//! What steps and their Newton iterations are held to.

/// Log-multipliers beyond this are known no less well: far from active, p = P sinh(v/P) amplifies their errors.
const LARGE: f64 = 10.0;

/// What single steps are held to.
#[derive(Debug, Clone)]
pub struct Tolerances {
    pub relative: f64,
    /// Per layer.
    pub weights: Vec<f64>,
    pub relative_multipliers: f64,
    pub multipliers: f64,
    /// Newton's method ends where it changes all multipliers together by less, relative to their size.
    pub newton: f64,
}

/// Relative accuracy of the proportions of the multipliers in late steps, whatever the tolerance: linear formulas keep
/// the direction of the weights however large their truncation error, Newton's method is what can turn it.
const DIRECTION: f64 = 1e-14;

impl Tolerances {
    /// Newton's method ends where it changes the proportions of the multipliers by less. A turn of the direction at an
    /// early s fades like e^{−rs}, r ≤ 1, as the angle to the limit itself does, so it may be as much larger.
    pub fn direction(&self, s: f64) -> f64 {
        (self.newton * (-s).exp()).max(DIRECTION)
    }

    /// Of one compressed log-multiplier.
    pub fn of_multiplier(&self, v: f64) -> f64 {
        self.multipliers + self.relative_multipliers * v.abs().min(LARGE)
    }
}
