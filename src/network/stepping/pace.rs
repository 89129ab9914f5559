//! Step sizes, and the weights `η_k α_n` of the samples in one step, computed as in the formulas.

use crate::loss::{Groups, Loss};

/// The step size as a function of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// `η_k = η`.
    Constant,
    /// `η_k = η/𝓛(θ_k)` (Lyu and Li 2020): step sizes grow like 1/𝓛, and losses far below the smallest double are
    /// reached, since only differences of margins and ln 𝓛 enter.
    LossNormalised,
}

impl Schedule {
    /// The schedule's name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::LossNormalised => "loss-normalised",
        }
    }
}

/// The clock and the step weights of one run.
///
/// Under loss-normalised steps `t_k = Σ_{j<k} η/𝓛_j` overflows any float, but `r = t_k 𝓛_{k−1}` does not: one step is
/// `r ← r·𝓛_k/𝓛_{k−1} + η`, a contraction once the loss falls, so that rounding errors do not accumulate.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    loss: Loss,
    schedule: Schedule,
    size: f64,
    /// Rows per sample, which the loss may couple.
    rows: usize,
    /// r, 0 before the first step.
    elapsed: f64,
    /// ln 𝓛 at the last step taken.
    log_loss: f64,
}

impl Pace {
    pub(crate) fn new(loss: Loss, schedule: Schedule, size: f64) -> Self {
        Self {
            loss,
            schedule,
            size,
            rows: 1,
            elapsed: 0.0,
            log_loss: 0.0,
        }
    }

    /// The same on samples of `rows` rows each.
    pub(crate) fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// Turns the margins `m_n(θ_k)` into the weights `η_k α_n` and advances the clock by η_k.
    pub(crate) fn weigh(&mut self, margins: &mut [f64]) {
        let log_factor = match self.schedule {
            Schedule::Constant => self.size.ln(),
            Schedule::LossNormalised => {
                let groups = Groups::new(margins.len() / self.rows, self.rows);
                let log_loss = self.loss.log_loss_of(groups, margins);
                self.elapsed = if self.elapsed == 0.0 {
                    self.size
                } else {
                    self.elapsed * (log_loss - self.log_loss).exp() + self.size
                };
                self.log_loss = log_loss;
                self.size.ln() - log_loss
            }
        };
        if self.rows == 1 {
            for m in margins {
                *m = (log_factor - *m + self.loss.log_correction(*m)).exp();
            }
            return;
        }
        let mut corrections = margins.to_vec();
        let groups = Groups::new(margins.len() / self.rows, self.rows);
        self.loss.log_corrections(groups, &mut corrections);
        for (m, correction) in margins.iter_mut().zip(corrections) {
            *m = (log_factor - *m + correction).exp();
        }
    }

    /// `ln t_k`.
    pub(crate) fn log_time(&self) -> f64 {
        self.elapsed.ln() - self.log_loss
    }

    pub(crate) const STATE: usize = 2;

    pub(crate) fn state(&self) -> [f64; Self::STATE] {
        [self.elapsed, self.log_loss]
    }

    pub(crate) fn restore(&mut self, state: &[f64]) {
        self.elapsed = state[0];
        self.log_loss = state[1];
    }
}
