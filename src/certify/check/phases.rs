//! Proposition 2 refuted: the phases of a convolutional network do not stay zero.
//!
//! From zero weights under fixed feedback, `ŵ_2 = φ_2 b̂_1 b̂_2^*` with `φ_2' = Ẑ^* ẑ`. All multipliers are equal at
//! t = 0 and fall with the margins, so `z = c₀ z₀ − c₁ t^{q−1} z₁ + …` with `z₀ = Gᵀ1`, `z₁ = GᵀGβ₀`, `c₀, c₁ > 0`,
//! where `β₀ = ∇Ψ*(z₀)` up to a positive factor: to leading order Z stays on a line, and no phase has moved yet. Hence
//!
//! ```text
//! Im φ_2' = −c t^q Im(ẑ₀^* ẑ₁) + O(t^{q+1}),  c > 0
//! ```
//!
//! at every frequency. If `Im(ẑ₀^* ẑ₁) ≠ 0` at one that the feedback reaches, φ_2 is not real for all small t > 0:
//! `ŵ_2` is no positive multiple of the feedback there. This is about the flow itself: nothing is integrated.
//!
//! `Im(ẑ₀^* ẑ₁)` is the transform of the antisymmetric part of the circular correlation of z₀ and z₁: rational.

use super::vectors::Vector;
use super::weights::frequency_ray;
use super::{Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize};

/// Nothing but the data is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {}

impl Kind for Phases {
    fn claim(&self) -> &'static str {
        "Under direct feedback alignment from zero weights (exponential or logistic loss) the second layer of the \
         convolutional network with this feedback is no real multiple of b_1 b_2^* (b_1 at depth 2) at some frequency, \
         for all small times t > 0."
    }

    fn inequality(&self) -> &'static str {
        "Im(conj(z0) z1) != 0 at a frequency with b_1 b_2 != 0, z0 = sum_n g_n, z1 = sum_n g_n g_n·beta0, beta0 with \
         the transform W |z0|^(q-2) z0"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        if data.feedback.is_empty() || data.depth() > 5 {
            return Err(Failure::malformed("feedback of depth 2 to 5".into()));
        }
        let ones = Vector {
            entries: vec![BigInt::from(1); data.samples.rows.len()],
            exponent: 0,
        };
        let z0 = data.samples.combined(&ones);
        let margins = data.samples.times(&frequency_ray(data, &z0)?);
        let z1 = data.samples.combined(&margins);
        let correlation = z1.convolved(&z0.reversed())?;
        let odd = correlation.minus(&correlation.reversed());
        let reached =
            (data.feedback.iter().take(2)).try_fold(odd, |x, b| x.convolved(&b.correlated()?))?;
        holds(
            !reached.is_zero(),
            "Im(conj(z0) z1) != 0 at a frequency with b_1 b_2 != 0",
        )?;
        Ok("layer 2 is no real multiple of the feedback for small t > 0".into())
    }
}
