//! Step weights `η_k α_n` and clocks of several runs at once, in vector arithmetic; [`Pace`](super::pace::Pace) is the
//! slow twin.
//!
//! Under loss-normalised steps the loss is stored as `𝓛 = e^{−m_min} Σ_n e^{m_min − m_n}`, in terms of the smallest
//! margin `m_min` and the sum, which lies between 1 and N: neither underflows, and no step takes a logarithm. The
//! exponential loss needs N exponentials and one for the clock `r ← r·𝓛_k/𝓛_{k−1} + η`; other losses, whose terms are
//! logarithms themselves, are left to scalar arithmetic, with `ln 𝓛 = −m_min` and a sum of 1.

use super::pace::Schedule;
use super::vector::{Aligned, exp};
use crate::loss::{Loss, VectorForm};
use pulp::{Simd, bytemuck};

/// What the lanes of a vector of margins hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// Samples of one run, one vector of samples after the other; lanes without a sample have margin ∞, hence no
    /// weight.
    Samples,
    /// Runs; one vector per sample.
    Runs,
}

/// Clocks of as many runs as a vector has lanes, or of one run, repeated in all lanes.
#[derive(Debug)]
pub(crate) struct Weights {
    loss: Loss,
    schedule: Schedule,
    lanes: Lanes,
    /// η
    sizes: Aligned,
    /// ln η
    log_sizes: Aligned,
    /// r, 0 before the first step.
    elapsed: Aligned,
    /// m_min at the last step; before the first, so low that r contributes nothing.
    least: Aligned,
    /// `Σ_n e^{m_min − m_n}` at the last step.
    sum: Aligned,
}

impl Weights {
    /// Runs of step sizes `sizes`, one per lane of a vector.
    pub(crate) fn of_runs(loss: Loss, schedule: Schedule, sizes: &[f64]) -> Self {
        Self::new(loss, schedule, Lanes::Runs, sizes)
    }

    /// One run with its samples in vectors of `width` lanes.
    pub(crate) fn of_samples(loss: Loss, schedule: Schedule, size: f64, width: usize) -> Self {
        Self::new(loss, schedule, Lanes::Samples, &vec![size; width])
    }

    fn new(loss: Loss, schedule: Schedule, lanes: Lanes, sizes: &[f64]) -> Self {
        let filled = |value: &dyn Fn(f64) -> f64| {
            let mut numbers = Aligned::zeros(sizes.len());
            for (number, size) in numbers.iter_mut().zip(sizes) {
                *number = value(*size);
            }
            numbers
        };
        Self {
            loss,
            schedule,
            lanes,
            sizes: filled(&|size| size),
            log_sizes: filled(&f64::ln),
            elapsed: filled(&|_| 0.0),
            least: filled(&|_| f64::MIN),
            sum: filled(&|_| 1.0),
        }
    }

    /// Turns margins `m_n(θ_k)` (whole vectors) into weights `η_k α_n` and advances the clocks by η_k.
    #[inline(always)]
    pub(crate) fn weigh<S: Simd>(&mut self, simd: S, margins: &mut [f64]) {
        match (self.schedule, self.loss.vector_form()) {
            (Schedule::Constant, VectorForm::Exponential) => {
                let log_size = S::as_simd_f64s(&self.log_sizes).0[0];
                for m in S::as_mut_simd_f64s(margins).0 {
                    *m = exp(simd, simd.sub_f64s(log_size, *m));
                }
            }
            (Schedule::Constant, VectorForm::Logistic) => {
                // α = 1/(1+e^m) = e^{−m}/(1+e^{−m}): with e = e^{−|m|}, nothing overflows.
                let size = S::as_simd_f64s(&self.sizes).0[0];
                let (zero, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
                for m in S::as_mut_simd_f64s(margins).0 {
                    let e = exp(simd, simd.neg_f64s(simd.abs_f64s(*m)));
                    let above = simd.select_f64s(simd.greater_than_or_equal_f64s(*m, zero), e, one);
                    let alpha = simd.div_f64s(above, simd.add_f64s(one, e));
                    *m = simd.mul_f64s(size, alpha);
                }
            }
            (Schedule::Constant, VectorForm::None) => {
                let width = self.log_sizes.len();
                for (place, m) in margins.iter_mut().enumerate() {
                    *m = (self.log_sizes[place % width] - *m + self.loss.log_correction(*m)).exp();
                }
            }
            (Schedule::LossNormalised, VectorForm::Exponential) => self.normalise(simd, margins),
            (Schedule::LossNormalised, VectorForm::Logistic | VectorForm::None) => {
                self.normalise_each(simd, margins);
            }
        }
    }

    #[inline(always)]
    fn normalise<S: Simd>(&mut self, simd: S, margins: &mut [f64]) {
        let margins = S::as_mut_simd_f64s(margins).0;
        let mut least = simd.splat_f64s(f64::INFINITY);
        for m in margins.iter() {
            least = simd.min_f64s(least, *m);
        }
        if self.lanes == Lanes::Samples {
            least = simd.splat_f64s(simd.reduce_min_f64s(least));
        }
        let mut sum = simd.splat_f64s(0.0);
        for m in margins.iter_mut() {
            *m = exp(simd, simd.sub_f64s(least, *m));
            sum = simd.add_f64s(sum, *m);
        }
        if self.lanes == Lanes::Samples {
            sum = simd.splat_f64s(simd.reduce_sum_f64s(sum));
        }
        let factor = simd.div_f64s(S::as_simd_f64s(&self.sizes).0[0], sum);
        for m in margins {
            *m = simd.mul_f64s(*m, factor);
        }
        self.advance_clocks(simd, least, sum);
    }

    #[inline(always)]
    fn advance_clocks<S: Simd>(&mut self, simd: S, least: S::f64s, sum: S::f64s) {
        let elapsed = &mut S::as_mut_simd_f64s(&mut self.elapsed).0[0];
        let least_before = &mut S::as_mut_simd_f64s(&mut self.least).0[0];
        let sum_before = &mut S::as_mut_simd_f64s(&mut self.sum).0[0];
        let ratio = simd.div_f64s(
            simd.mul_f64s(exp(simd, simd.sub_f64s(*least_before, least)), sum),
            *sum_before,
        );
        *elapsed = simd.mul_add_f64s(*elapsed, ratio, S::as_simd_f64s(&self.sizes).0[0]);
        *least_before = least;
        *sum_before = sum;
    }

    #[inline(always)]
    fn normalise_each<S: Simd>(&mut self, simd: S, margins: &mut [f64]) {
        let mut least = simd.splat_f64s(0.0);
        match self.lanes {
            Lanes::Samples => {
                least =
                    simd.splat_f64s(-normalise_lane(self.loss, self.log_sizes[0], margins, 0, 1));
            }
            Lanes::Runs => {
                let lanes =
                    bytemuck::cast_slice_mut::<S::f64s, f64>(std::slice::from_mut(&mut least));
                for (lane, least) in lanes.iter_mut().enumerate() {
                    let log_size = self.log_sizes[lane];
                    *least = -normalise_lane(self.loss, log_size, margins, lane, S::F64_LANES);
                }
            }
        }
        self.advance_clocks(simd, least, simd.splat_f64s(1.0));
    }

    /// `ln t_k` of the run in `lane`.
    pub(crate) fn log_time(&self, lane: usize) -> f64 {
        self.elapsed[lane].ln() + self.least[lane] - self.sum[lane].ln()
    }

    pub(crate) const STATE: usize = 3;

    /// The clock of the run in `lane`.
    pub(crate) fn state(&self, lane: usize) -> [f64; Self::STATE] {
        [self.elapsed[lane], self.least[lane], self.sum[lane]]
    }

    /// Sets the clock of the run in `lane`, or of the only run.
    pub(crate) fn restore(&mut self, lane: usize, state: &[f64]) {
        let lanes = match self.lanes {
            Lanes::Runs => lane..lane + 1,
            Lanes::Samples => 0..self.sizes.len(),
        };
        for (numbers, value) in [&mut self.elapsed, &mut self.least, &mut self.sum]
            .into_iter()
            .zip(state)
        {
            numbers[lanes.clone()].fill(*value);
        }
    }
}

/// Loss-normalised weights of every `stride`-th margin from `first` on; returns ln 𝓛.
fn normalise_lane(
    loss: Loss,
    log_size: f64,
    margins: &mut [f64],
    first: usize,
    stride: usize,
) -> f64 {
    let log_loss = loss.log_loss(margins.iter().copied().skip(first).step_by(stride));
    for m in margins.iter_mut().skip(first).step_by(stride) {
        *m = (log_size - log_loss - *m + loss.log_correction(*m)).exp();
    }
    log_loss
}

#[cfg(test)]
mod tests {
    use super::super::pace::Pace;
    use super::super::vector::{instruction_sets, width};
    use super::*;
    use crate::loss::LossFunction;
    use pulp::WithSimd;

    struct Weigh<'a>(&'a mut Weights, &'a mut [f64]);

    impl WithSimd for Weigh<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.weigh(simd, self.1);
        }
    }

    /// The logistic loss, standing in for a loss without vector instructions.
    struct Scalar;

    impl LossFunction for Scalar {
        fn key(&self) -> &'static str {
            "scalar"
        }
        fn documentation(&self) -> &'static str {
            Loss::Logistic.documentation()
        }
        fn log_correction(&self, margins: &mut [f64]) {
            margins[0] = Loss::Logistic.log_correction(margins[0]);
        }
        fn jacobian(&self, margins: &[f64], jacobian: &mut [f64]) {
            jacobian[0] = Loss::Logistic.log_correction_slope(margins[0]);
        }
        fn log_term(&self, margins: &[f64]) -> f64 {
            Loss::Logistic.log_loss(margins.iter().copied())
        }
        fn inverse(&self, log_loss: f64) -> f64 {
            Loss::Logistic.inverse(log_loss)
        }
        fn inverse_symbol(&self) -> &'static str {
            Loss::Logistic.inverse_symbol()
        }
    }

    const SCALAR: Loss = Loss::new(&Scalar);

    const CASES: [(Loss, Schedule); 6] = [
        (SCALAR, Schedule::Constant),
        (SCALAR, Schedule::LossNormalised),
        (Loss::Exponential, Schedule::Constant),
        (Loss::Exponential, Schedule::LossNormalised),
        (Loss::Logistic, Schedule::Constant),
        (Loss::Logistic, Schedule::LossNormalised),
    ];
    const SAMPLES: usize = 13;

    /// Margins of step k of run `run`: from negative ones to a loss below 1e-800, each run at its own pace.
    fn margins(k: usize, run: usize) -> [f64; SAMPLES] {
        std::array::from_fn(|n| {
            let [k, run, n] = [k, run, n].map(|i| i as f64);
            -5.0 + (60.0 + 7.0 * run) * k + (1.0 + n).sin() * (1.0 + k)
        })
    }

    /// The scalar pace subtracts logarithms as large as the margins, so it carries rounding errors of their size.
    fn assert_close(actual: f64, expected: f64, margins: &[f64], what: &str) {
        let largest = margins.iter().fold(1.0, |l: f64, m| l.max(m.abs()));
        // Below the smallest normal double the vector exponential is zero.
        let tolerance = 4.0 * f64::EPSILON * largest * expected.abs() + f64::MIN_POSITIVE;
        assert!(
            (actual - expected).abs() <= tolerance,
            "{what}: {actual:e}, not {expected:e}"
        );
    }

    #[test]
    fn weights_and_clock_of_one_run_are_those_of_the_scalar_pace() {
        for set in instruction_sets() {
            for (loss, schedule) in CASES {
                let mut weights = Weights::of_samples(loss, schedule, 0.3, width(set));
                let mut pace = Pace::new(loss, schedule, 0.3);
                for k in 0..40 {
                    let m = margins(k, 0);
                    let (mut expected, mut actual) = (m, m.to_vec());
                    actual.resize(SAMPLES.next_multiple_of(width(set)), f64::INFINITY);
                    pace.weigh(&mut expected);
                    set.dispatch(Weigh(&mut weights, &mut actual));
                    let what = format!("{} lanes, {loss:?}, {schedule:?}, step {k}", width(set));
                    for (actual, expected) in actual.iter().zip(expected) {
                        assert_close(*actual, expected, &m, &what);
                    }
                    assert!(actual[SAMPLES..].iter().all(|w| *w == 0.0), "{what}");
                    if schedule == Schedule::LossNormalised {
                        assert_close(weights.log_time(0), pace.log_time(), &m, &what);
                    }
                }
            }
        }
    }

    #[test]
    fn weights_and_clocks_of_runs_are_those_of_their_scalar_paces() {
        for set in instruction_sets() {
            let runs = width(set);
            for (loss, schedule) in CASES {
                let sizes: Vec<f64> = (0..runs).map(|run| 0.3 / (1.0 + run as f64)).collect();
                let mut weights = Weights::of_runs(loss, schedule, &sizes);
                let mut paces: Vec<Pace> = sizes
                    .iter()
                    .map(|size| Pace::new(loss, schedule, *size))
                    .collect();
                for k in 0..40 {
                    let mut actual = vec![0.0; SAMPLES * runs];
                    for run in 0..runs {
                        for (n, m) in margins(k, run).into_iter().enumerate() {
                            actual[n * runs + run] = m;
                        }
                    }
                    set.dispatch(Weigh(&mut weights, &mut actual));
                    for (run, pace) in paces.iter_mut().enumerate() {
                        let m = margins(k, run);
                        let mut expected = m;
                        pace.weigh(&mut expected);
                        let what = format!(
                            "{} lanes, {loss:?}, {schedule:?}, step {k}, run {run}",
                            width(set)
                        );
                        for (n, expected) in expected.into_iter().enumerate() {
                            assert_close(actual[n * runs + run], expected, &m, &what);
                        }
                        if schedule == Schedule::LossNormalised {
                            assert_close(weights.log_time(run), pace.log_time(), &m, &what);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_time_has_passed_before_the_first_step() {
        let weights = Weights::of_samples(Loss::Exponential, Schedule::LossNormalised, 0.1, 4);
        assert_eq!(weights.log_time(0), f64::NEG_INFINITY);
    }
}
