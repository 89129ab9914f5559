//! The margin that direct feedback alignment never lowers, between two saves of a run.
//!
//! Two layers under fixed feedback, on the level set, exponential loss: `γ̃ = ln(1/𝓛)/E^{3/4}`, `E = ½‖w_2‖²`
//! (docs/theory.md, section 8). With the margins of the weights as stored, computed exactly,
//! `min m − ln N ≤ ln(1/𝓛) ≤ min m`, and `ln N ≤ k·0.6931472` for `N ≤ 2^k`. So
//!
//! ```text
//! (min m₂ − ln N)⁴ E₁³ ≥ (min m₁)⁴ E₂³      proves that γ̃ is larger at the later save.
//! ```

use super::vectors::{Matrix, Vector};
use super::{Dyadic, Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use num_traits::Signed;
use serde::{Deserialize, Serialize};

/// Weights at two saves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackMargin {
    /// κ ≥ 0 of the hidden units: g(a) = a for a > 0, κa below.
    pub slope: Dyadic,
    /// `y_n` = ±1; inputs are `x_n = y_n g_n`. The same in all statements of a certificate, as the slope is.
    pub labels: Vec<i8>,
    pub earlier: Weights,
    pub later: Weights,
}

/// Weights of two layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// w_j, units × D.
    pub hidden: Vec<Vec<Dyadic>>,
    pub output: Vec<Dyadic>,
}

impl FeedbackMargin {
    /// The smallest margin, and `‖w_2‖² = 2E`.
    pub(in crate::certify) fn measures(
        &self,
        of: &Weights,
        data: &Exact<'_>,
    ) -> Result<(Dyadic, Dyadic), Failure> {
        let hidden = Matrix::of(&of.hidden)?;
        let output = Vector::of_length(&of.output, hidden.rows.len(), "output weights")?;
        let samples = &data.samples;
        let right = self.labels.len() == samples.rows.len()
            && self.labels.iter().all(|y| matches!(y, 1 | -1));
        if !right || hidden.columns != samples.columns || self.slope.is_negative() {
            return Err(Failure::malformed(
                "labels ±1, weights for every input, a slope that is not negative".into(),
            ));
        }
        let size = hidden
            .rows
            .iter()
            .flatten()
            .map(BigInt::bits)
            .max()
            .unwrap_or(0);
        if size.saturating_mul((hidden.rows.len() * samples.rows.len() * samples.columns) as u64)
            > 1 << 33
        {
            return Err(Failure::too_large("networks"));
        }
        let mut least: Option<Dyadic> = None;
        for (row, y) in samples.rows.iter().zip(&self.labels) {
            let mut margin = Dyadic::zero();
            for (j, w) in hidden.rows.iter().enumerate() {
                let product = super::vectors::dot(w, row) * i64::from(*y);
                let positive = product.is_positive();
                let preactivation = Dyadic::new(product, hidden.exponent + samples.exponent);
                let passed = if positive {
                    preactivation
                } else {
                    &preactivation * &self.slope
                };
                margin = &margin + &(&passed * &output.entry(j)).times(i64::from(*y));
            }
            least = Some(least.map_or(margin.clone(), |least| least.min(margin)));
        }
        Ok((least.unwrap_or_else(Dyadic::zero), output.square()))
    }
}

/// `k·0.6931472` for the least `2^k ≥ count`, times ten million.
fn ten_million_logarithms(count: usize) -> i64 {
    let doublings = i64::from(usize::BITS - count.saturating_sub(1).leading_zeros());
    doublings * 6_931_472
}

impl Kind for FeedbackMargin {
    fn claim(&self) -> &'static str {
        "The margin of feedback ln(1/loss)/(|w_2|^2/2)^(3/4), exponential loss, is at least as large for the later \
         weights as for the earlier ones."
    }

    fn inequality(&self) -> &'static str {
        "(min_n m_n(later) - ln N)^4 |w_2(earlier)|^6 >= min_n m_n(earlier)^4 |w_2(later)|^6"
    }

    fn gated(&self) -> Option<(&[i8], &Dyadic)> {
        Some((&self.labels, &self.slope))
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let (before, early) = self.measures(&self.earlier, data)?;
        let (after, late) = self.measures(&self.later, data)?;
        let logarithm = Dyadic::new(
            BigInt::from(ten_million_logarithms(data.samples.rows.len())),
            0,
        );
        let after = &after.times(10_000_000) - &logarithm;
        let before = before.times(10_000_000);
        holds(
            before.is_positive() && after.is_positive(),
            "min m > 0 earlier, min m > ln N later",
        )?;
        holds(
            &after.pow(4) * &early.pow(3) >= &before.pow(4) * &late.pow(3),
            self.inequality(),
        )?;
        Ok("the margin of feedback has not fallen".into())
    }
}
