//! An exact KKT point of a two-layer network with gates, near stored weights.
//!
//! `f(x) = Σ_j v_j g(w_j·x)`, g(a) = a for a > 0 and κa below. Two margin problems, both subject to `y_n f(x_n) ≥ 1`:
//!
//! ```text
//! least norm: min ½ Σ_j (‖w_j‖² + v_j²)        feedback: min Σ_j ‖w_j‖⁴/b_j²,  v_j = ‖w_j‖²/(2b_j)
//! ```
//!
//! With `u_j = Σ_n λ_n y_n γ_jn x_n` (gates γ = 1, κ, or between them on a kink, `w_j·x_n = 0`) stationarity says
//! `w_j = v_j u_j`, `v_j = w_j·u_j`, so `‖u_j‖ = 1` wherever `v_j ≠ 0`; resp. `4‖w‖²w/b² = (w·u)w/b + ‖w‖²u/(2b)`, so
//! `w_j = (3b_j/8) u_j` wherever `w_j ≠ 0`. Units at zero are stationary by themselves. Units with the same gates and
//! the same sign s of v (of b) have one u, and only their sum counts: a *group* k contributes
//!
//! ```text
//! c_k γ_kn u_k·x_n to f(x_n),        c_k = ρ_k = Σ v_j²   resp.   c_k = (27/1024) Σ_j b_j² ‖u_k‖²
//! ```
//!
//! (nothing where `u_k·x_n = 0`), and the symmetry that rotates weights within a group is gone. What is left is a
//! square system of polynomials in the multipliers of the active samples, the ρ_k, and the gates on kinks:
//!
//! ```text
//! y_n f(x_n) = 1  (n active),      ‖u_k‖² = 1  (least norm),      u_k·x_n = 0  (on kinks)
//! ```
//!
//! **Krawczyk's test.** For a box X about m, any matrix C and the interval extension F'(X) of the derivative: if
//! `m − C F(m) + (I − C F'(X))(X − m)` lies in the interior of X, then X contains exactly one zero of F. Everything is
//! exact: endpoints are dyadic, and nothing is rounded. Over the whole box then: multipliers and ρ positive, gates on
//! kinks strictly between κ and 1, all other gates off their kinks, all other margins above one.

use super::interval::Interval;
use super::kkt_system::{System, Values};
use super::vectors::Matrix;
use super::{Dyadic, Exact, Failure, Kind, holds, null_or};
use num_bigint::BigInt;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

/// Which margin problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// `½ Σ_j (‖w_j‖² + v_j²)`.
    LeastNorm,
    /// `Σ_j ‖w_j‖⁴/b_j²`.
    Feedback,
}

/// A KKT point within `distance` of the weights stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KktPoint {
    pub objective: Objective,
    /// κ in [0, 1).
    pub slope: Dyadic,
    /// `y_n` = ±1; inputs are `x_n = y_n g_n`. The same in all statements of a certificate, as the slope is.
    pub labels: Vec<i8>,
    pub units: Vec<Unit>,
    pub groups: Vec<Group>,
    /// Indices n with `y_n f(x_n) = 1`, increasing, from 0.
    pub active: Vec<usize>,
    /// The middle of the box: multipliers of the active samples, then ρ_k (least norm), then gates on kinks, group by
    /// group.
    pub centre: Vec<Dyadic>,
    /// Half its width, for every unknown.
    pub radii: Vec<Dyadic>,
    /// C, row by row.
    pub inverse: Vec<Vec<Dyadic>>,
    /// By how much the stored weights are multiplied.
    pub scale: Dyadic,
    /// ε: the multiplied weights are within ε of the KKT point, relative to its length.
    pub distance: Dyadic,
}

/// A hidden unit with its stored weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Its group, from 0; null for units at zero in the KKT point.
    #[serde(deserialize_with = "null_or")]
    pub group: Option<usize>,
    /// w_j.
    pub hidden: Vec<Dyadic>,
    /// v_j (least norm) or b_j (feedback).
    pub output: Dyadic,
}

/// Units with one sign and one set of gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Of v_j, b_j: ±1.
    pub sign: i8,
    /// One letter for each sample: `1` for γ = 1, `0` for γ = κ, `k` on the kink.
    pub gates: String,
}

pub(super) fn fits(condition: bool, what: &str) -> Result<(), Failure> {
    if condition {
        Ok(())
    } else {
        Err(Failure::malformed(what.into()))
    }
}

impl KktPoint {
    pub(super) fn longest(&self) -> u64 {
        let lists = [&self.centre, &self.radii]
            .into_iter()
            .chain(&self.inverse)
            .flatten();
        let units = self
            .units
            .iter()
            .flat_map(|unit| unit.hidden.iter().chain([&unit.output]));
        let all = lists
            .chain(units)
            .chain([&self.scale, &self.distance, &self.slope]);
        all.map(|x| x.mantissa.bits() + x.exponent.unsigned_abs())
            .max()
            .unwrap_or(0)
    }

    fn members(&self, k: usize) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(move |unit| unit.group == Some(k))
    }

    /// `(27/1024) Σ b_j²`; checks that groups have units, and these their sign.
    pub(super) fn strengths(&self) -> Result<Vec<Dyadic>, Failure> {
        fits(
            self.units
                .iter()
                .all(|unit| unit.group.is_none_or(|k| k < self.groups.len())),
            "units are in groups",
        )?;
        let strength = |(k, group): (usize, &Group)| {
            fits(self.members(k).next().is_some(), "groups have units")?;
            let sign = i64::from(group.sign);
            fits(
                self.members(k)
                    .all(|unit| unit.output.times(sign).is_positive()),
                "units have the sign of their group",
            )?;
            let sum = self
                .members(k)
                .fold(Dyadic::zero(), |sum, unit| &sum + &unit.output.pow(2));
            Ok(Dyadic::new(sum.mantissa * 27, sum.exponent - 10))
        };
        self.groups.iter().enumerate().map(strength).collect()
    }

    /// Bounds of `‖scale θ − θ*‖²` from above and of `‖θ*‖²` from below.
    pub(in crate::certify) fn squares(
        &self,
        samples: &Matrix,
        at: &Values,
    ) -> Result<(Dyadic, Dyadic), Failure> {
        let (mut apart, mut size) = (Dyadic::zero(), Dyadic::zero());
        let sum = |a: &Dyadic, b: &Interval| a + &b.magnitude().pow(2);
        let mut directions: Vec<Vec<Interval>> = Vec::new();
        for shares in &at.shares {
            directions.push(self.direction(shares, samples));
        }
        for unit in &self.units {
            fits(
                unit.hidden.len() == samples.columns,
                "hidden weights, one for each input",
            )?;
            let scaled: Vec<Dyadic> = unit.hidden.iter().map(|w| w * &self.scale).collect();
            let Some(k) = unit.group else {
                apart = scaled.iter().fold(apart, |sum, w| &sum + &w.pow(2));
                if self.objective == Objective::LeastNorm {
                    apart = &apart + &(&unit.output * &self.scale).pow(2);
                }
                continue;
            };
            let factor = match self.objective {
                // 3b/8
                Objective::Feedback => Interval::point(Dyadic::new(
                    &unit.output.mantissa * 3,
                    unit.output.exponent - 3,
                )),
                Objective::LeastNorm => self.output(unit, k, at)?,
            };
            for (w, u) in scaled.iter().zip(&directions[k]) {
                apart = sum(&apart, &factor.times(u).plus(&Interval::point(w.times(-1))));
            }
            let square = factor.times(&factor);
            size = &size + &square.times(&at.squares[k]).low;
            if self.objective == Objective::LeastNorm {
                let own = (&unit.output * &self.scale).times(-1);
                apart = sum(&apart, &factor.plus(&Interval::point(own)));
                size = &size + &square.low;
            }
        }
        Ok((apart, size))
    }

    /// `u_k`.
    fn direction(&self, shares: &[Interval], samples: &Matrix) -> Vec<Interval> {
        let mut sum = vec![Interval::zero(); samples.columns];
        for (n, share) in shares
            .iter()
            .enumerate()
            .filter(|(_, share)| !share.is_zero())
        {
            for (sum, x) in sum.iter_mut().zip(&samples.rows[n]) {
                *sum = sum.plus(&share.scaled(&Dyadic::new(
                    x * i64::from(self.labels[n]),
                    samples.exponent,
                )));
            }
        }
        sum
    }

    /// `v_j` of the KKT point: ρ_k shared out as the stored weights share it, `v_j √(ρ_k/Σ v_i²)`.
    fn output(&self, unit: &Unit, k: usize, at: &Values) -> Result<Interval, Failure> {
        let total = self
            .members(k)
            .fold(Dyadic::zero(), |sum, unit| &sum + &unit.output.pow(2));
        let strength = &at.strengths[k];
        fits(
            strength.is_positive() && total.is_positive(),
            "strengths > 0",
        )?;
        let low = root(&strength.low, &total, false);
        let high = root(&strength.high, &total, true);
        Ok(Interval { low, high }.scaled(&unit.output))
    }
}

/// `√(a/b)` to [`ROOT`] bits behind the point, rounded down or up.
fn root(a: &Dyadic, b: &Dyadic, up: bool) -> Dyadic {
    let shift = a.exponent - b.exponent + 2 * ROOT;
    let (mut top, mut bottom) = (a.mantissa.clone(), b.mantissa.clone());
    if shift >= 0 {
        top <<= shift
    } else {
        bottom <<= -shift
    }
    let quotient = top / bottom;
    let root = quotient.sqrt() + if up { BigInt::from(2) } else { BigInt::zero() };
    Dyadic::new(root, -ROOT)
}

/// See [`root`].
const ROOT: i64 = 200;

impl Kind for KktPoint {
    fn claim(&self) -> &'static str {
        match self.objective {
            Objective::LeastNorm => {
                "The problem min sum_j (|w_j|^2 + v_j^2)/2 subject to y_n f(x_n) >= 1, f(x) = sum_j v_j g(w_j·x), has \
                 a KKT point with strict complementarity within this relative distance of the multiplied weights."
            }
            Objective::Feedback => {
                "The problem min sum_j |w_j|^4/b_j^2 subject to y_n f(x_n) >= 1, f(x) = sum_j |w_j|^2/(2 b_j) \
                 g(w_j·x), has a KKT point with strict complementarity within this relative distance of the \
                 multiplied weights."
            }
        }
    }

    fn inequality(&self) -> &'static str {
        "|C F(m)| + |I - C F'(X)| r < r; lambda > 0, gates off kinks, other margins > 1 over the box X = m +- r"
    }

    fn gated(&self) -> Option<(&[i8], &Dyadic)> {
        Some((&self.labels, &self.slope))
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let system = System::of(self, &data.samples)?;
        holds(self.radii.iter().all(Dyadic::is_positive), "radii > 0")?;
        let at = system.values(system.the_box());
        system.contracts(&at)?;
        system.is_strict(&at)?;
        holds(!self.distance.is_negative(), "distance ≥ 0")?;
        let (apart, size) = self.squares(&data.samples, &at)?;
        holds(
            apart <= &self.distance.pow(2) * &size,
            "|scale theta - theta*| ≤ distance |theta*|",
        )?;
        let at_zero = self
            .units
            .iter()
            .filter(|unit| unit.group.is_none())
            .count();
        let kinks = system.on_kinks().count();
        Ok(format!(
            "a KKT point of {} units in {} groups, {at_zero} at zero, {kinks} gates on kinks, {} active samples; \
             relative distance {}",
            self.units.len(),
            self.groups.len(),
            self.active.len(),
            self.distance.at_most()
        ))
    }
}
