//! The bounds of what a first layer has learned: `a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C`, at one save of a run.
//!
//! `Z = GᵀA` with the multipliers A that the run has accumulated, `a = 1ᵀA`, `½‖w_L‖² = (c₀/q) R^q` with
//! `c₀ = 2^{−(q−L−1)}`, Ψ the least ψ(β) with `Gβ ≥ 1`, and `C = (π/n)/sin(π/n) (ΨH/c₀)^{1/n}`, n = q − 1, H = ln N for
//! the exponential loss (docs/theory.md, section 5). The left inequality is Hölder's and needs no proof. Checked are
//!
//! ```text
//! ψ*(Z) Ψ/a ≤ 1 + e,      R Ψ/a ≤ 1 + f,      ψ*(Z)^q ≤ (1 + s) R^q,      f a/Ψ ≤ C
//! ```
//!
//! with Ψ from above by the direction ζ of the multipliers of the limit, and from below by these multipliers; `C ≥
//! (ΨH/c₀)^{1/n}`, and `H ≥ k ln 2/16` for `2^k ≤ N^16`. s is what the errors of the integrator leave.

use super::least_norm::{LeastNorm, Norm};
use super::vectors::Vector;
use super::{Dyadic, Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize};

/// The numbers of a save, and the multipliers of the limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandwich {
    /// Entries or frequencies, with powers.
    pub norm: Norm,
    /// Of the limit, length N.
    pub multipliers: Vec<Dyadic>,
    /// A, length N.
    pub accumulated: Vec<Dyadic>,
    /// w_L, in orthonormal coordinates.
    pub output: Vec<Dyadic>,
    /// e.
    pub dual_excess: Dyadic,
    /// f.
    pub radius_excess: Dyadic,
    /// s.
    pub slack: Dyadic,
}

/// `10^6 ln 2` from below.
const LN_2: i64 = 693_147;

/// The parts that are compared.
pub(in crate::certify) struct Parts {
    /// `(ψ*(Z)Ψ/a)^q` from above, as left and right sides.
    pub dual: (Dyadic, Dyadic),
    /// `(RΨ/a)^q` from above.
    pub radius: (Dyadic, Dyadic),
    /// `ψ*(Z)^q` and `R^q`.
    pub order: (Dyadic, Dyadic),
    /// `(a/Ψ)^n` and `C^n` from below, to be compared once f is known: `f^n left ≤ right`.
    pub constant: (Dyadic, Dyadic),
    pub q: u32,
}

impl Sandwich {
    pub(in crate::certify) fn parts(&self, data: &Exact<'_>) -> Result<Parts, Failure> {
        if !matches!(self.norm, Norm::EntriesPower | Norm::FrequenciesPower)
            || data.feedback.is_empty()
        {
            return Err(Failure::malformed("a power norm with feedback".into()));
        }
        let near = |multipliers: &Vec<Dyadic>| LeastNorm {
            norm: self.norm,
            features: None,
            multipliers: multipliers.clone(),
            gap: None,
            angle: None,
            directions: Vec::new(),
        };
        let (limit, run) = (near(&self.multipliers), near(&self.accumulated));
        let (limit, run) = (
            limit.dual(data, &data.samples)?,
            run.dual(data, &data.samples)?,
        );
        let (Some(ray), Some(learned)) = (&limit.exact, &run.exact) else {
            return Err(Failure::malformed("a power norm".into()));
        };
        let margin = data.samples.times(&ray.beta).least();
        holds(margin.is_positive(), "min_n g_n·beta > 0 for the limit")?;
        let (q, depth) = (limit.q, data.depth());
        // both products carry the factor D^{q−2} of circular convolutions
        let unit = match self.norm {
            Norm::FrequenciesPower => BigInt::from(data.samples.columns).pow(q - 2),
            _ => BigInt::from(1),
        };
        let unit = Dyadic::new(unit, 0);
        let squared = Vector::of(&self.output)?.square();
        let power = Dyadic::new(
            squared.mantissa * q,
            squared.exponent + i64::from(q) - i64::from(depth) - 2,
        );
        let bottom = (&margin * &run.total).pow(q);
        let top = ray.product.pow(q - 1);
        let count = data.samples.rows.len() as u64;
        let doublings = (BigInt::from(count).pow(16)).bits() as i64 - 1;
        // C^n c₀ 16·10⁶ Q_limit ≥ (1ᵀa)^q k LN_2 and (a/Ψ)^n: Ψ^q = Ψ·Ψ^n is moved to the right side
        let shift = i64::from(q) - i64::from(depth) - 1;
        let right = limit.total.pow(q).times(doublings * LN_2);
        Ok(Parts {
            dual: (&learned.product * &top, bottom.clone()),
            radius: (&(&power * &unit) * &top, bottom),
            order: (learned.product.clone(), &power * &unit),
            constant: (
                (&run.total.pow(q - 1) * &ray.product).times(16_000_000),
                &(&right * &unit) * &Dyadic::new(BigInt::from(1), shift),
            ),
            q,
        })
    }
}

impl Kind for Sandwich {
    fn claim(&self) -> &'static str {
        "At this save the accumulated multipliers A and the output layer of the run keep between the bounds of Theorem \
         2 from zero weights (exponential loss): a/Psi <= psi*(Z) <= R <= a/Psi + C, the middle one up to the slack."
    }

    fn inequality(&self) -> &'static str {
        "psi*(Z) Psi/a <= 1 + dual_excess, R Psi/a <= 1 + radius_excess, psi*(Z)^q <= (1 + slack) R^q, radius_excess \
         a/Psi <= C"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let parts = self.parts(data)?;
        let of = |excess: &Dyadic| &Dyadic::one() + excess;
        let signs = [&self.dual_excess, &self.radius_excess, &self.slack];
        holds(
            signs.iter().all(|x| !x.is_negative()),
            "excesses and slack ≥ 0",
        )?;
        holds(
            parts.dual.0 <= &of(&self.dual_excess).pow(parts.q) * &parts.dual.1,
            "psi*(Z) Psi/a ≤ 1 + dual_excess",
        )?;
        holds(
            parts.radius.0 <= &of(&self.radius_excess).pow(parts.q) * &parts.radius.1,
            "R Psi/a ≤ 1 + radius_excess",
        )?;
        holds(
            parts.order.0 <= &of(&self.slack) * &parts.order.1,
            "psi*(Z)^q ≤ (1 + slack) R^q",
        )?;
        let left = &self.radius_excess.pow(parts.q - 1) * &parts.constant.0;
        holds(left <= parts.constant.1, "radius_excess a/Psi ≤ C")?;
        let [dual, radius, slack] = signs.map(Dyadic::at_most);
        Ok(format!(
            "psi*(Z)Psi/a − 1 ≤ {dual}, R Psi/a − 1 ≤ {radius}, slack {slack}"
        ))
    }
}
