//! Losses, with multipliers in log space so that nothing underflows.
//!
//! With margins `m`, the multiplier of a row is `α = −∂𝓛/∂m`, and a loss is characterised by its log-correction
//! `κ = ln(α e^m)`: the log-multiplier is `−m + κ`. Margins belong to rows and rows to samples ([`Groups`]); a loss
//! sees one *group* at a time, the margins of one sample, and `𝓛 = Σ_n ℓ(group n)`. With one row per sample, as for
//! labels ±1, groups are single numbers, and [`Loss`] has methods for these.
//!
//! Your own loss implements [`LossFunction`] and is used as `Loss::new(&MyLoss)`; to be available in scenarios it needs
//! a line in [`Loss::ALL`].

mod cross_entropy;
mod exponential;
mod groups;
mod logistic;
#[cfg(test)]
mod tests;

pub use groups::Groups;

use std::fmt;

/// What a loss ℓ must provide.
pub trait LossFunction: Sync {
    /// Its name in a scenario and in reports.
    fn key(&self) -> &'static str;

    /// Its formula, one line.
    fn documentation(&self) -> &'static str;

    /// Replaces the margins `m` of one group by its log-corrections `κ_i(m) = ln(−∂ℓ/∂m_i · e^{m_i})`.
    fn log_correction(&self, margins: &mut [f64]);

    /// Writes `∂κ_i/∂m_j` of one group of k margins, row by row (k × k entries).
    fn jacobian(&self, margins: &[f64], jacobian: &mut [f64]);

    /// `ln ℓ` of one group, finite however large its margins are.
    fn log_term(&self, margins: &[f64]) -> f64;

    /// `ℓ⁻¹(𝓛)`, the margin of a single sample (a group of one) whose loss is 𝓛, from `ln 𝓛`.
    fn inverse(&self, log_loss: f64) -> f64;

    /// `ℓ⁻¹(𝓛)` as written in figures.
    fn inverse_symbol(&self) -> &'static str;

    /// Whether `κ = 0` for all margins, so that log-multipliers are `−m` and the margins themselves are not needed.
    fn log_correction_is_zero(&self) -> bool {
        false
    }

    /// Whether κ of a row depends on the other margins of its group.
    fn couples_rows(&self) -> bool {
        false
    }

    /// The vector form, if any, in which finite steps compute its multipliers.
    fn vector_form(&self) -> VectorForm {
        VectorForm::None
    }
}

/// Formulas for multipliers of groups of one that finite steps evaluate in vector arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorForm {
    /// `α = e^{−m}`.
    Exponential,
    /// `α = 1/(1+e^m)`.
    Logistic,
    /// `α = e^{κ(m)−m}`, one margin after the other.
    None,
}

/// The training loss: a name for a [`LossFunction`].
#[derive(Clone, Copy)]
pub struct Loss(&'static dyn LossFunction);

#[expect(
    non_upper_case_globals,
    reason = "named like the variants of an enum, which they read as"
)]
impl Loss {
    /// `ℓ(m) = exp(−m)`.
    pub const Exponential: Self = Self(&exponential::Exponential);
    /// `ℓ(m) = ln(1+exp(−m))`.
    pub const Logistic: Self = Self(&logistic::Logistic);
    /// `ℓ(m) = ln(1+Σ_k exp(−m_k))` over the margins of a sample.
    pub const CrossEntropy: Self = Self(&cross_entropy::CrossEntropy);
}

impl Loss {
    /// Every loss a scenario may name.
    pub const ALL: &[Self] = &[Self::Exponential, Self::Logistic, Self::CrossEntropy];

    /// A user-defined loss.
    pub const fn new(function: &'static dyn LossFunction) -> Self {
        Self(function)
    }

    /// The loss with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// Its name in a scenario.
    pub fn name(self) -> &'static str {
        self.0.key()
    }

    /// Its formula, one line.
    pub fn documentation(self) -> &'static str {
        self.0.documentation()
    }

    /// `κ(m) = ln(α(m)·e^m)` of a group of one: 0 for the exponential loss, `−ln(1+e^{−m})` for the logistic one.
    pub fn log_correction(self, margin: f64) -> f64 {
        let mut group = [margin];
        self.0.log_correction(&mut group);
        group[0]
    }

    /// `dκ/dm` of a group of one: 0, or `1/(1+e^m)`.
    pub fn log_correction_slope(self, margin: f64) -> f64 {
        let mut slope = [0.0];
        self.0.jacobian(&[margin], &mut slope);
        slope[0]
    }

    /// Whether `κ = 0` for all margins, so that log-multipliers are `−m`.
    pub fn log_correction_is_zero(self) -> bool {
        self.0.log_correction_is_zero()
    }

    /// Whether κ of a row depends on the other margins of its sample.
    pub fn couples_rows(self) -> bool {
        self.0.couples_rows()
    }

    /// κ and `∂κ_i/∂m_i` of all rows, from their margins in groups of `size`. The derivatives in the other margins of
    /// a group are left out: iterations that solve for multipliers converge without them, since they fade with e^{−m}.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn corrections(
        self,
        size: usize,
        margins: &[f64],
        corrections: &mut [f64],
        slopes: &mut [f64],
    ) {
        corrections.copy_from_slice(margins);
        if self.log_correction_is_zero() {
            corrections.fill(0.0);
            slopes.fill(0.0);
            return;
        }
        let size = size.max(1);
        let mut jacobian = vec![0.0; size * size];
        let groups = margins.chunks(size).zip(slopes.chunks_mut(size));
        for (correction, (group, slopes)) in corrections.chunks_mut(size).zip(groups) {
            self.0.log_correction(correction);
            let jacobian = &mut jacobian[..group.len() * group.len()];
            self.0.jacobian(group, jacobian);
            let diagonal = jacobian.iter().step_by(group.len() + 1);
            slopes.iter_mut().zip(diagonal).for_each(|(s, d)| *s = *d);
        }
    }

    /// Replaces the margins of all groups by their log-corrections κ.
    ///
    /// # Panics
    /// If there is not one margin per row.
    pub fn log_corrections(self, groups: Groups, margins: &mut [f64]) {
        for group in groups.split_mut(margins) {
            self.0.log_correction(group);
        }
    }

    /// Writes `∂κ_i/∂m_j` of one group of k margins, row by row.
    ///
    /// # Panics
    /// If `jacobian` does not have k × k entries.
    pub fn jacobian(self, margins: &[f64], jacobian: &mut [f64]) {
        assert_eq!(jacobian.len(), margins.len().pow(2), "k × k entries");
        self.0.jacobian(margins, jacobian);
    }

    /// `ln 𝓛` from the margins, finite however large they are, where every group has one row.
    pub fn log_loss(self, margins: impl Iterator<Item = f64> + Clone) -> f64 {
        log_sum(margins.map(|m| self.0.log_term(&[m])))
    }

    /// `ln 𝓛` from the margins of all groups, finite however large they are.
    ///
    /// # Panics
    /// If there is not one margin per row.
    pub fn log_loss_of(self, groups: Groups, margins: &[f64]) -> f64 {
        log_sum(groups.split(margins).map(|group| self.0.log_term(group)))
    }

    /// `ℓ⁻¹(𝓛)`, the margin of a single sample whose loss is 𝓛, from `ln 𝓛`.
    pub fn inverse(self, log_loss: f64) -> f64 {
        self.0.inverse(log_loss)
    }

    /// `ℓ⁻¹(𝓛)` as written in figures.
    pub fn inverse_symbol(self) -> &'static str {
        self.0.inverse_symbol()
    }

    /// The vector form that finite steps may use.
    pub fn vector_form(self) -> VectorForm {
        self.0.vector_form()
    }
}

/// `ln Σ exp(x)` without overflow.
fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    largest + terms.map(|x| (x - largest).exp()).sum::<f64>().ln()
}

/// Losses are distinguished by their names.
impl PartialEq for Loss {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Loss {}

impl fmt::Debug for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loss({})", self.name())
    }
}
