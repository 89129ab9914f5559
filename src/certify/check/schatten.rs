//! Directions near the minimiser of a Schatten norm: the limits of direct feedback alignment with several outputs.
//!
//! `ψ(β) = (Σ σ_i(β)^p)^{1/p}` over singular values, `p = q/(q−1)`, `q = 2^L`; the dual norm is the Schatten norm with
//! q (von Neumann 1937). For `a ≥ 0`, `Z = Σ a_r g_r` as a D × C matrix, the direction
//!
//! ```text
//! ζ = ∇ tr (ZᵀZ)^{q/2}/q = Z (ZᵀZ)^{q/2−1}
//! ```
//!
//! has the singular values `σ_i(Z)^{q−1}` in the bases of Z: Hölder's inequality is an equality,
//! `ζ·Z = ψ(ζ)ψ*(Z) = Σ σ_i^q`. As in `least_norm`, `1ᵀa ≤ ψ(β*)ψ*(Z)` for the minimiser β* of ψ(β) subject to
//! `g_r·β ≥ 1`, so with `γ = min_r g_r·ζ > 0`
//!
//! ```text
//! ζ·Z ≤ (1 + g) γ 1ᵀa      proves      ψ(ζ/γ) ≤ (1 + g) ψ(β*)
//! ```
//!
//! a polynomial in Z: no singular value is computed.
//!
//! **The angle.** For 1 < p ≤ 2 the square of a Schatten norm is 2-uniformly convex with constant p − 1, as that of
//! an ℓp norm is (Ball, Carlen and Lieb 1994, of trace ideals), `ψ(ζ)^p = ζ·Z`, and `‖x‖_F ≤ ψ(x)`: the bound of
//! `least_norm` with all weights one. Other directions are compared with ζ: their angle to β* is at most that to ζ
//! plus that of ζ.

use super::angle::within;
use super::least_norm::{Ray, harmless, one_plus, positive_margin};
use super::square::{Vectors, bounded_work, power};
use super::vectors::Vector;
use super::weights::bounded;
use super::{Dyadic, Exact, Failure, Kind, holds, null_or};
use serde::{Deserialize, Serialize};

/// How near directions are to that of the minimiser of ψ(β) subject to `Gβ ≥ 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastSchatten {
    /// L, 2 to 5.
    pub depth: u32,
    /// a, one for each row: N(C − 1).
    pub multipliers: Vec<Dyadic>,
    /// g of the exact direction ζ.
    pub gap: Dyadic,
    /// Bound on the angle between ζ and the minimiser, radians.
    #[serde(deserialize_with = "null_or")]
    pub angle: Option<Dyadic>,
    pub directions: Vec<Near>,
}

/// A direction that is compared with the minimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// What it is: a label, of which nothing is claimed.
    pub name: String,
    /// Column by column, D·C.
    pub beta: Vec<Dyadic>,
    /// Bound on its angle to the minimiser, radians.
    pub angle: Dyadic,
}

/// What is known from the multipliers.
pub(in crate::certify) struct Dual {
    pub ray: Ray,
    /// 1ᵀa.
    pub total: Dyadic,
    /// q = 2^L.
    pub q: u32,
}

/// C of the data.
///
/// # Errors
/// If their labels are no classes.
pub(super) fn outputs_of(data: &Exact<'_>) -> Result<usize, Failure> {
    (data.samples.classes.as_ref())
        .map(|classes| classes.outputs)
        .ok_or_else(|| Failure::malformed("a norm of matrices goes with classes".into()))
}

impl LeastSchatten {
    pub(in crate::certify) fn dual(&self, data: &Exact<'_>) -> Result<Dual, Failure> {
        let outputs = outputs_of(data)?;
        if !(2..=5).contains(&self.depth) {
            return Err(Failure::malformed("depth 2 to 5".into()));
        }
        let q = 1 << self.depth;
        let a = Vector::weights(&self.multipliers, data.samples.count(), "multipliers")?;
        let total = a.sum();
        holds(total.is_positive(), "sum_r a_r > 0")?;
        let z = data.samples.combined(&a);
        let vectors = Vectors::of(&z, outputs);
        let (short, long) = vectors.sizes();
        let bits = z.bits().saturating_mul(u64::from(q));
        bounded_work(short * short * (short + long), bits)?;
        // (ZᵀZ)^{q/2−1}, and q/2 = 2^{L−1}
        let beta = Vector {
            entries: vectors.times(&power(&vectors.gram(), self.depth - 1)),
            exponent: z.exponent * i64::from(q - 1),
        };
        let product = beta.dot(&z);
        bounded(product.mantissa.bits(), q * q / 2)?;
        let largest = Dyadic::one();
        Ok(Dual {
            ray: Ray {
                beta,
                product,
                largest,
            },
            total,
            q,
        })
    }
}

impl Kind for LeastSchatten {
    fn claim(&self) -> &'static str {
        "The direction Z (Z^T Z)^(q/2-1), Z = sum_r a_r g_r as a matrix, is within this gap and angle, and those \
         listed are within these angles, of the minimiser of the Schatten norm (sum_i sigma_i(beta)^p)^(1/p), p = \
         q/(q-1), q = 2^L, subject to <x_n (e_c - e_k)^T, beta> >= 1 for every sample n of class c and every other \
         class k."
    }

    fn inequality(&self) -> &'static str {
        "beta·Z <= (1 + gap) min_r g_r·beta sum_r a_r, beta = Z (Z^T Z)^(q/2-1)"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let Dual { ray, total, q } = self.dual(data)?;
        let margin = positive_margin(&data.samples, &ray.beta)?;
        holds(
            ray.product <= &(&one_plus(&self.gap)? * &margin) * &total,
            self.inequality(),
        )?;
        let (rows, width) = (data.samples.count(), data.samples.width());
        let mut said = vec![format!(
            "{rows} rows in {width} dimensions; gap {}",
            self.gap.at_most()
        )];
        if let Some(angle) = &self.angle {
            holds(
                ray.is_within(q, &self.gap, angle)?,
                "angle of the exact direction ≤ angle",
            )?;
            said.push(format!("angle {}", angle.at_most()));
        }
        for near in &self.directions {
            let Some(own) = &self.angle else {
                return Err(Failure::malformed(
                    "an angle goes with an angle of the exact direction only".into(),
                ));
            };
            let beta = Vector::of_length(&near.beta, width, "beta")?;
            let text = "angle to the exact direction + angle of the exact direction ≤ angle";
            holds(
                near.angle >= *own && within(&beta, &ray.beta, &(&near.angle - own))?,
                text,
            )?;
            let name = harmless(&near.name);
            said.push(format!("{name} angle {}", near.angle.at_most()));
        }
        Ok(said.join("; "))
    }
}
