//! Directions near the minimiser of `min ψ(β) s.t. Gβ ≥ 1`, for the norms that limits of linear networks have.
//!
//! With `q = 2^L` and weights `W_d = ∏_{k<L} |b_k[d]|^{2^{L−k}}` (entries, or moduli of the unitary transform),
//!
//! ```text
//! ψ(β) = (Σ_d W_d^{−1/(q−1)} |β_d|^p)^{1/p},  p = q/(q−1)        ψ*(Z) = (Σ_d W_d |Z_d|^q)^{1/q}
//! ```
//!
//! **The gap.** For `a ≥ 0`, `Z = Gᵀa`, and any β with `γ = min_n g_n·β > 0`, Hölder's inequality gives
//! `γ 1ᵀa ≤ β·Z ≤ ψ(β)ψ*(Z)`, and at the minimiser β* (margins at least one) `1ᵀa ≤ ψ(β*)ψ*(Z)`. So
//! `ψ(β)ψ*(Z) ≤ (1+g) γ 1ᵀa` proves `ψ(β/γ) ≤ (1+g) ψ(β*)`.
//!
//! **The exact direction** `ζ_d = W_d |Z_d|^{q−2} Z_d` makes Hölder's inequality an equality, so that only
//! `ζ·Z ≤ (1+g) γ 1ᵀa` has to be checked: a polynomial in Z and the feedback, no roots. In Fourier coordinates it is a
//! circular convolution of autocorrelations, rational again.
//!
//! **The angle.** q = 2: `cos ≥ 1/(1+g)`, since `β*·v ≥ ‖β*‖²` for all v with margins at least one. q > 2: ψ² is
//! 2-uniformly convex with constant p − 1 (Ball, Carlen and Lieb 1994; for p between 1 and 2, complex entries too), so
//! with `v = ζ/γ`, whose midpoint with β* has margins at least one, `(p−1) ψ(v−β*)² ≤ 2(2g+g²) ψ(β*)²`; and
//! `‖x‖₂ ≤ max W_d^{1/q} ψ(x)`. Hence `sin² ≤ 2(2g+g²)(q−1) max W^{2/q} ψ(ζ)²/‖ζ‖²`, of which the power q/2 is
//! rational: `ψ(ζ)^p = ζ·Z`.
//!
//! **Other directions** (the limit rounded to f64, the end of a run) are compared with ζ: their angle to β* is at most
//! that to ζ plus that of ζ. Their gap needs ψ(β) from above: with radii `r_d^{q−1} W_d ≥ |β_d|`,
//! `ψ(β)^p ≤ Σ |β_d| r_d`.

use super::angle::{six_sines, within};
use super::enclosure::Moduli;
use super::vectors::{Matrix, Vector};
use super::weights::{bounded, entry_weights, frequency_ray, frequency_weights};
use super::{Dyadic, Exact, Failure, Kind, holds, null_or};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize};

/// The norm ψ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// `‖β‖₂`.
    Euclidean,
    /// Entries, with the exponent and the weights that depth and feedback give.
    EntriesPower,
    /// The same of the entries of the unitary Fourier transform.
    FrequenciesPower,
    /// `Σ_d |β_d|`.
    EntriesSum,
    /// `Σ_d |β̂_d|`.
    FrequenciesSum,
}

/// How near directions are to that of the minimiser of ψ(β) subject to `Gβ ≥ 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastNorm {
    pub norm: Norm,
    /// Rows to be separated instead of the signed samples: features of a network, as stored. Where labels are classes
    /// they are in place of the samples, and the rows are made of them.
    #[serde(deserialize_with = "null_or")]
    pub features: Option<Vec<Vec<Dyadic>>>,
    /// a, length N.
    pub multipliers: Vec<Dyadic>,
    /// g of the exact direction ζ; null for sums, which have none.
    #[serde(deserialize_with = "null_or")]
    pub gap: Option<Dyadic>,
    /// Bound on the angle between ζ and the minimiser, radians.
    #[serde(deserialize_with = "null_or")]
    pub angle: Option<Dyadic>,
    pub directions: Vec<Direction>,
}

/// A direction that is compared with the minimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// What it is: a label, of which nothing is claimed.
    pub name: String,
    pub beta: Vec<Dyadic>,
    /// g; null where none is claimed.
    #[serde(deserialize_with = "null_or")]
    pub gap: Option<Dyadic>,
    /// Bound on its angle to the minimiser, radians; null where none is claimed.
    #[serde(deserialize_with = "null_or")]
    pub angle: Option<Dyadic>,
    /// `r_d` of the power norms: one for each entry, or each frequency from 0 to ⌊D/2⌋; none where no gap is claimed.
    pub radii: Vec<Dyadic>,
}

/// What is known from the multipliers.
pub(in crate::certify) struct Dual<'a> {
    rows: &'a Matrix,
    /// Gᵀa.
    pub z: Vector,
    /// 1ᵀa.
    pub total: Dyadic,
    /// q = 2^L.
    pub q: u32,
    pub exact: Option<Ray>,
}

/// One entry, or one frequency, of a direction.
pub(in crate::certify) struct Share {
    pub size: Dyadic,
    pub weight: Dyadic,
    multiplicity: i64,
}

/// Of `left ≤ (1+g)^power right`.
pub(in crate::certify) struct Sides {
    pub left: Dyadic,
    pub right: Dyadic,
    pub power: u32,
}

/// The exact direction.
pub(in crate::certify) struct Ray {
    pub beta: Vector,
    /// β·Z.
    pub product: Dyadic,
    /// `s max W_d` from above, where `ζ = s W|Z|^{q−2}Z`.
    pub largest: Dyadic,
}

impl Kind for LeastNorm {
    fn claim(&self) -> &'static str {
        match self.norm {
            Norm::Euclidean => {
                "The direction Z = sum_n a_n g_n, and those listed, are within these gaps and angles of the \
                 hard-margin support vector machine of the rows: the minimiser of |beta|_2 subject to g_n·beta >= 1."
            }
            Norm::EntriesPower => {
                "The direction W Z^(q-1), Z = sum_n a_n g_n, and those listed, are within these gaps and angles of the \
                 minimiser of sum_d W_d^(-1/(q-1)) |beta_d|^(q/(q-1)) subject to g_n·beta >= 1, where q = 2^L and W_d \
                 = prod_k |b_k[d]|^(2^(L-k))."
            }
            Norm::FrequenciesPower => {
                "The direction with the transform W |Z|^(q-2) Z, Z = sum_n a_n g_n, and those listed, are within these \
                 gaps and angles of the minimiser of sum_d W_d^(-1/(q-1)) |beta_d|^(q/(q-1)) subject to g_n·beta >= 1, \
                 where beta_d, b_k[d] are entries of unitary Fourier transforms, q = 2^L and W_d = prod_k \
                 |b_k[d]|^(2^(L-k))."
            }
            Norm::EntriesSum => {
                "The directions listed are within these gaps of the least sum_d |beta_d| subject to g_n·beta >= 1."
            }
            Norm::FrequenciesSum => {
                "The directions listed are within these gaps of the least sum_d |beta_d| subject to g_n·beta >= 1, \
                 where beta_d are entries of the unitary Fourier transform."
            }
        }
    }

    fn inequality(&self) -> &'static str {
        "psi(beta) psi*(sum_n a_n g_n) <= (1 + gap) min_n g_n·beta sum_n a_n"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let own = self
            .features
            .as_ref()
            .map(|rows| data.rows_of(rows))
            .transpose()?;
        if (own.is_some() || data.samples.classes.is_some()) && self.norm != Norm::Euclidean {
            return Err(Failure::malformed(
                "features, and classes, go with the Euclidean norm".into(),
            ));
        }
        let rows = own.as_ref().unwrap_or(&data.samples);
        let dual = self.dual(data, rows)?;
        let mut said = vec![format!(
            "{} rows in {} dimensions",
            rows.count(),
            rows.width()
        )];
        match (&dual.exact, &self.gap) {
            (None, None) if self.angle.is_none() => {}
            (Some(ray), Some(gap)) => {
                let margin = positive_margin(rows, &ray.beta)?;
                holds(
                    ray.product <= &(&one_plus(gap)? * &margin) * &dual.total,
                    "beta·Z ≤ (1 + gap) min g_n·beta sum a_n, beta the exact direction",
                )?;
                said.push(format!("gap {}", gap.at_most()));
                if let Some(angle) = &self.angle {
                    holds(
                        ray.is_within(dual.q, gap, angle)?,
                        "angle of the exact direction ≤ angle",
                    )?;
                    said.push(format!("angle {}", angle.at_most()));
                }
            }
            _ => {
                return Err(Failure::malformed(
                    "a gap, an angle, goes with an exact direction only".into(),
                ));
            }
        }
        if self.directions.is_empty() && dual.exact.is_none() {
            return Err(Failure::malformed(
                "no direction: nothing is claimed".into(),
            ));
        }
        for direction in &self.directions {
            said.push(self.judge(direction, data, &dual)?);
        }
        Ok(said.join("; "))
    }
}

/// A name is the file's own word: it must not look like one of the checker's.
pub(super) fn harmless(name: &str) -> String {
    name.chars().flat_map(char::escape_debug).take(60).collect()
}

/// `1 + g` of a gap that is not negative.
pub(super) fn one_plus(gap: &Dyadic) -> Result<Dyadic, Failure> {
    holds(!gap.is_negative(), "gap ≥ 0")?;
    Ok(&Dyadic::one() + gap)
}

pub(super) fn positive_margin(rows: &Matrix, beta: &Vector) -> Result<Dyadic, Failure> {
    let margin = rows.times(beta).least();
    holds(margin.is_positive(), "min_n g_n·beta > 0")?;
    Ok(margin)
}

impl LeastNorm {
    pub(in crate::certify) fn dual<'a>(
        &self,
        data: &Exact<'_>,
        rows: &'a Matrix,
    ) -> Result<Dual<'a>, Failure> {
        let a = Vector::weights(&self.multipliers, rows.count(), "multipliers")?;
        let total = a.sum();
        holds(total.is_positive(), "sum_n a_n > 0")?;
        let z = rows.combined(&a);
        let q = match self.norm {
            Norm::Euclidean => 2,
            _ => 1 << data.depth(),
        };
        if q > 32 {
            return Err(Failure::too_large("depths"));
        }
        let ray = |beta: Vector, largest: Dyadic| {
            let product = beta.dot(&z);
            Ray {
                beta,
                product,
                largest,
            }
        };
        let exact = match self.norm {
            Norm::Euclidean => Some(ray(z.clone(), Dyadic::one())),
            Norm::EntriesPower => {
                let weights = entry_weights(data, z.bits(), q)?;
                Some(ray(weights.times(&z.power(q - 1)), weights.largest()))
            }
            Norm::FrequenciesPower => {
                let weights = frequency_weights(data)?;
                let beta = frequency_ray(data, &z)?;
                let scale = BigInt::from(rows.columns).pow(q / 2 - 1);
                Some(ray(beta, &Dyadic::new(scale, 0) * &weights.length_1()))
            }
            Norm::EntriesSum | Norm::FrequenciesSum => None,
        };
        if let Some(ray) = &exact {
            bounded(ray.product.mantissa.bits(), q * q / 2)?;
        }
        Ok(Dual {
            rows,
            z,
            total,
            q,
            exact,
        })
    }

    /// `|β_d|` from above and `W_d` from below, in the units of the radii: over the entries, or over the half spectrum
    /// of `B = √D β̂` with `D^{q/2−1} W_d`.
    pub(in crate::certify) fn sizes_and_weights(
        &self,
        beta: &Vector,
        data: &Exact<'_>,
    ) -> Result<Vec<Share>, Failure> {
        let depth = data.depth();
        if self.norm == Norm::FrequenciesPower {
            let moduli = Moduli::of(beta)?;
            let feedback = data
                .feedback
                .iter()
                .map(Moduli::of)
                .collect::<Result<Vec<_>, _>>()?;
            let weight = |d: usize| {
                (feedback.iter().zip(1..)).fold(Dyadic::one(), |w, (b, k)| {
                    &w * &b.below[d].pow(1 << (depth - k - 1))
                })
            };
            let shares = moduli.roots_above().into_iter().enumerate();
            return Ok(shares
                .map(|(d, size)| Share {
                    size,
                    weight: weight(d),
                    multiplicity: moduli.multiplicity(d),
                })
                .collect());
        }
        let weights = entry_weights(data, 0, 1 << depth)?;
        let share = |d: usize| Share {
            size: beta.entry(d).abs(),
            weight: weights.entry(d),
            multiplicity: 1,
        };
        Ok((0..beta.entries.len()).map(share).collect())
    }

    /// `Σ_d |β_d| r_d` from above, where `r_d^{q−1} W_d ≥ |β_d|`.
    fn bounded_sum(
        &self,
        of: &Direction,
        beta: &Vector,
        data: &Exact<'_>,
        q: u32,
    ) -> Result<Dyadic, Failure> {
        let shares = self.sizes_and_weights(beta, data)?;
        let radii = Vector::weights(&of.radii, shares.len(), "radii")?;
        bounded(radii.bits() * shares.len() as u64, q)?;
        let mut sum = Dyadic::zero();
        for (d, share) in shares.iter().enumerate() {
            let radius = radii.entry(d);
            holds(
                &share.weight * &radius.pow(q - 1) >= share.size,
                "W_d r_d^(q-1) ≥ |beta_d|",
            )?;
            sum = &sum + &(&share.size * &radius).times(share.multiplicity);
        }
        Ok(sum)
    }

    fn judge(&self, of: &Direction, data: &Exact<'_>, dual: &Dual<'_>) -> Result<String, Failure> {
        let beta = Vector::of_length(&of.beta, dual.rows.width(), "beta")?;
        let margin = positive_margin(dual.rows, &beta)?;
        let mut said = vec![harmless(&of.name)];
        if let Some(gap) = &of.gap {
            let sides = self.sides(of, &beta, &(&margin * &dual.total), data, dual)?;
            let text = "psi(beta) psi*(Z) ≤ (1 + gap) min g_n·beta sum a_n";
            holds(
                sides.left <= &one_plus(gap)?.pow(sides.power) * &sides.right,
                text,
            )?;
            said.push(format!("gap {}", gap.at_most()));
        } else if !of.radii.is_empty() {
            return Err(Failure::malformed("radii go with a gap".into()));
        }
        if let Some(angle) = &of.angle {
            let (Some(ray), Some(own)) = (&dual.exact, &self.angle) else {
                return Err(Failure::malformed(
                    "an angle goes with an angle of the exact direction only".into(),
                ));
            };
            let text = "angle to the exact direction + angle of the exact direction ≤ angle";
            holds(
                angle >= own && within(&beta, &ray.beta, &(angle - own))?,
                text,
            )?;
            said.push(format!("angle {}", angle.at_most()));
        }
        Ok(said.join(" "))
    }

    /// `ψ(β)ψ*(Z)` and `γ 1ᵀa`, both to a power that makes them rational.
    pub(in crate::certify) fn sides(
        &self,
        of: &Direction,
        beta: &Vector,
        product: &Dyadic,
        data: &Exact<'_>,
        dual: &Dual<'_>,
    ) -> Result<Sides, Failure> {
        let is_power = matches!(self.norm, Norm::EntriesPower | Norm::FrequenciesPower);
        if !is_power && !of.radii.is_empty() {
            return Err(Failure::malformed("radii go with power norms only".into()));
        }
        let dimension = dual.rows.columns as i64;
        match (self.norm, &dual.exact) {
            (Norm::FrequenciesSum, _) => {
                let moduli = Moduli::of(beta)?;
                let roots = moduli.roots_above();
                let sum = (roots.iter().enumerate()).fold(Dyadic::zero(), |sum, (d, root)| {
                    &sum + &root.times(moduli.multiplicity(d))
                });
                let most = Moduli::of(&dual.z)?.roots_above().into_iter().max();
                let left = &sum * &most.unwrap_or_else(Dyadic::zero);
                Ok(Sides {
                    left,
                    right: product.times(dimension),
                    power: 1,
                })
            }
            (Norm::EntriesPower | Norm::FrequenciesPower, Some(ray)) => {
                let sum = self.bounded_sum(of, beta, data, dual.q)?;
                let scale = if self.norm == Norm::EntriesPower {
                    1
                } else {
                    dimension
                };
                bounded(sum.mantissa.bits() + product.mantissa.bits(), dual.q * 4)?;
                let scale = Dyadic::new(BigInt::from(scale).pow(dual.q - 1), 0);
                Ok(Sides {
                    left: &sum.pow(dual.q - 1) * &ray.product,
                    right: &product.pow(dual.q) * &scale,
                    power: dual.q,
                })
            }
            // ψ*(Z)² = Z·Z
            (_, Some(ray)) => Ok(Sides {
                left: &beta.square() * &ray.product,
                right: product.pow(2),
                power: 2,
            }),
            (_, None) => Ok(Sides {
                left: &beta.length_1() * &dual.z.largest(),
                right: product.clone(),
                power: 1,
            }),
        }
    }
}

impl Ray {
    /// Whether the gap g bounds the angle between this direction and the minimiser by θ, for `q = 2^L`.
    pub(in crate::certify) fn is_within(
        &self,
        q: u32,
        gap: &Dyadic,
        theta: &Dyadic,
    ) -> Result<bool, Failure> {
        let sines = six_sines(theta)?.pow(2);
        let excess = &gap.times(2) + &gap.pow(2);
        if q == 2 {
            return Ok(excess.times(36) <= &sines * &one_plus(gap)?.pow(2));
        }
        let half = q / 2;
        bounded(self.product.mantissa.bits() + sines.mantissa.bits(), 2 * q)?;
        let left = &excess.times(72 * i64::from(q - 1)).pow(half)
            * &(&self.largest * &self.product.pow(q - 1));
        Ok(left <= (&sines * &self.beta.square()).pow(half))
    }
}
