//! Predictors whose nuclear norm is nearly the least: the limits of gradient descent with two layers and
//! several outputs.
//!
//! **From below.** For `a ≥ 0` and `Z = Σ a_r g_r` as a D × C matrix with no singular value above c, every β with
//! `g_r·β ≥ 1` has `1ᵀa ≤ β·Z ≤ c ‖β‖_*`. That no singular value is above c is `c² − ZᵀZ ⪰ 0` (or `c² − ZZᵀ ⪰ 0`, which
//! is the same), proved by `LDLᵀ` in integers.
//!
//! **From above.** A predictor is given by its factors, `β = U Vᵀ`, and `‖UVᵀ‖_* ≤ ½(‖U‖² + ‖V‖²)`: the square sums of
//! factors that are balanced, which no root has to be taken for. So, with `γ = min_r g_r·β > 0`,
//!
//! ```text
//! ½(‖U‖² + ‖V‖²) c ≤ (1 + g) γ 1ᵀa      proves      ‖β/γ‖_* ≤ (1 + g) min ‖·‖_*
//! ```
//!
//! There is no angle: the norm is not strictly convex.

use super::least_norm::{harmless, one_plus, positive_margin};
use super::schatten::outputs_of;
use super::square::{Vectors, bounded_work, is_semidefinite};
use super::vectors::{Matrix, Vector, dot};
use super::{Dyadic, Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize};

/// How near predictors are to the least nuclear norm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastNuclear {
    /// a, one for each row: N(C − 1).
    pub multipliers: Vec<Dyadic>,
    /// c.
    pub bound: Dyadic,
    /// At least one.
    pub directions: Vec<Factored>,
}

/// A predictor `U Vᵀ` that is compared with the minimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factored {
    /// What it is: a label, of which nothing is claimed.
    pub name: String,
    /// U, D rows.
    pub left: Vec<Vec<Dyadic>>,
    /// V, C rows of the same length.
    pub right: Vec<Vec<Dyadic>>,
    /// g.
    pub gap: Dyadic,
}

impl LeastNuclear {
    /// `1ᵀa`.
    ///
    /// # Errors
    /// Unless c bounds the singular values of Z.
    pub(in crate::certify) fn total(&self, data: &Exact<'_>) -> Result<Dyadic, Failure> {
        let outputs = outputs_of(data)?;
        let a = Vector::weights(&self.multipliers, data.samples.count(), "multipliers")?;
        let total = a.sum();
        holds(
            total.is_positive() && self.bound.is_positive(),
            "sum_r a_r > 0, bound > 0",
        )?;
        let z = data.samples.combined(&a);
        let vectors = Vectors::of(&z, outputs);
        let (short, long) = vectors.sizes();
        // both over the lower power of two
        let square = self.bound.pow(2);
        let unit = square.exponent.min(2 * z.exponent);
        let shifts = (square.exponent - unit) + (2 * z.exponent - unit);
        let bits = 2 * z.bits() + square.mantissa.bits() + shifts.unsigned_abs();
        bounded_work(short * short * long, z.bits())?;
        bounded_work(short * short * short, short * bits)?;
        let diagonal = square.over(unit);
        let mut rest = vectors.gram();
        for (i, row) in rest.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                let product = &*entry << (2 * z.exponent - unit);
                *entry = if i == j {
                    &diagonal - product
                } else {
                    -product
                };
            }
        }
        holds(is_semidefinite(rest), "bound^2 - Z^T Z is semidefinite")?;
        Ok(total)
    }

    /// `½(‖U‖² + ‖V‖²) c` and `γ 1ᵀa`, both twice.
    pub(in crate::certify) fn sides(
        &self,
        of: &Factored,
        total: &Dyadic,
        data: &Exact<'_>,
    ) -> Result<(Dyadic, Dyadic), Failure> {
        let (left, right) = (Matrix::of(&of.left)?, Matrix::of(&of.right)?);
        let samples = &data.samples;
        let shape = (left.rows.len(), right.rows.len());
        if shape != (samples.columns, outputs_of(data)?) || left.columns != right.columns {
            return Err(Failure::malformed(
                "factors of D and of C rows, of one length".into(),
            ));
        }
        let longest = |m: &Matrix| m.rows.iter().flatten().map(BigInt::bits).max().unwrap_or(0);
        let products = (samples.width() * left.columns) as u64;
        bounded_work(products, longest(&left) + longest(&right))?;
        let columns = right.rows.iter();
        let entries = columns.flat_map(|v| left.rows.iter().map(move |u| dot(u, v)));
        let beta = Vector {
            entries: entries.collect(),
            exponent: left.exponent + right.exponent,
        };
        let margin = positive_margin(samples, &beta)?;
        let square = |m: &Matrix| {
            let sum: BigInt = m.rows.iter().map(|row| dot(row, row)).sum();
            Dyadic::new(sum, 2 * m.exponent)
        };
        let squares = &square(&left) + &square(&right);
        Ok((&squares * &self.bound, (&margin * total).times(2)))
    }
}

impl Kind for LeastNuclear {
    fn claim(&self) -> &'static str {
        "The predictors beta = U V^T listed are within these gaps of the least nuclear norm sum_i sigma_i(beta) \
         subject to <x_n (e_c - e_k)^T, beta> >= 1 for every sample n of class c and every other class k."
    }

    fn inequality(&self) -> &'static str {
        "bound^2 - Z^T Z >= 0, Z = sum_r a_r g_r, and (|U|^2 + |V|^2)/2 bound <= (1 + gap) min_r g_r·(U V^T) sum_r a_r"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let total = self.total(data)?;
        if self.directions.is_empty() {
            return Err(Failure::malformed(
                "no direction: nothing is claimed".into(),
            ));
        }
        let (rows, width) = (data.samples.count(), data.samples.width());
        let mut said = vec![format!("{rows} rows in {width} dimensions")];
        for of in &self.directions {
            let (left, right) = self.sides(of, &total, data)?;
            holds(
                left <= &one_plus(&of.gap)? * &right,
                "(|U|^2 + |V|^2)/2 bound ≤ (1 + gap) min g_r·beta sum a_r",
            )?;
            said.push(format!("{} gap {}", harmless(&of.name), of.gap.at_most()));
        }
        Ok(said.join("; "))
    }
}
