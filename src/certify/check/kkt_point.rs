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
//! `w_j = (3b_j/8) u_j` wherever `w_j ≠ 0`. Units at zero are stationary by themselves. Units with the same gates and the
//! same sign s of v (of b) have one u, and only their sum counts: a *group* k contributes
//!
//! ```text
//! c_k γ_kn u_k·x_n to f(x_n),        c_k = ρ_k = Σ v_j²   resp.   c_k = (27/1024) Σ_j b_j² ‖u_k‖²
//! ```
//!
//! (nothing where `u_k·x_n = 0`), and the symmetry that rotates weights within a group is gone. What is left is a square
//! system of polynomials in the multipliers of the active samples, the ρ_k, and the gates on kinks:
//!
//! ```text
//! y_n f(x_n) = 1  (n active),      ‖u_k‖² = 1  (least norm),      u_k·x_n = 0  (on kinks)
//! ```
//!
//! **Krawczyk's test.** For a box X about m, any matrix C and the interval extension F'(X) of the derivative: if
//! `m − C F(m) + (I − C F'(X))(X − m)` lies in the interior of X, then X contains exactly one zero of F. Everything is
//! exact: endpoints are dyadic, and nothing is rounded. Over the whole box then: multipliers and ρ positive, gates on
//! kinks strictly between κ and 1, all other gates off their kinks, all other margins above one.

use super::vectors::Matrix;
use super::{Dyadic, Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

/// Most unknowns that are taken on.
const MOST_UNKNOWNS: usize = 200;

/// Most products of an evaluation that is taken on.
const MOST_WORK: usize = 4_000_000;

/// Longest number in bits.
const MOST_BITS: u64 = 4096;

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
    /// `y_n` = ±1; inputs are `x_n = y_n g_n`.
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

/// `[low, high]`.
#[derive(Debug, Clone)]
pub(in crate::certify) struct Interval {
    low: Dyadic,
    high: Dyadic,
}

impl Interval {
    fn point(x: Dyadic) -> Self {
        Self { low: x.clone(), high: x }
    }

    fn zero() -> Self {
        Self::point(Dyadic::zero())
    }

    fn plus(&self, other: &Self) -> Self {
        Self { low: &self.low + &other.low, high: &self.high + &other.high }
    }

    fn scaled(&self, factor: &Dyadic) -> Self {
        let (a, b) = (&self.low * factor, &self.high * factor);
        if factor.is_negative() { Self { low: b, high: a } } else { Self { low: a, high: b } }
    }

    fn times(&self, other: &Self) -> Self {
        if other.low.mantissa == other.high.mantissa && other.low.exponent == other.high.exponent {
            return self.scaled(&other.low);
        }
        let ends = [&self.low * &other.low, &self.low * &other.high, &self.high * &other.low, &self.high * &other.high];
        let low = ends.iter().min().cloned().unwrap_or_else(Dyadic::zero);
        let high = ends.into_iter().max().unwrap_or_else(Dyadic::zero);
        Self { low, high }
    }

    fn is_zero(&self) -> bool {
        self.low.mantissa.is_zero() && self.high.mantissa.is_zero()
    }

    fn is_positive(&self) -> bool {
        self.low.is_positive()
    }

    /// `max |x|`.
    fn magnitude(&self) -> Dyadic {
        self.low.abs().max(self.high.abs())
    }
}

/// A gate of a group at a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
    /// On the kink; the unknown.
    Kink(usize),
}

/// The statement, checked for form.
pub(in crate::certify) struct System<'a> {
    of: &'a KktPoint,
    /// `x_m·x_n`.
    gram: Vec<Vec<Dyadic>>,
    gates: Vec<Vec<Gate>>,
    /// `(27/1024) Σ b_j²` of every group; empty for least norm.
    strengths: Vec<Dyadic>,
    /// The position of every sample among the active.
    positions: Vec<Option<usize>>,
}

/// Everything that depends on the unknowns.
pub(in crate::certify) struct Values {
    unknowns: Vec<Interval>,
    /// `y_m λ_m γ_km`.
    shares: Vec<Vec<Interval>>,
    /// `u_k·x_n`.
    products: Vec<Vec<Interval>>,
    /// `‖u_k‖²`.
    squares: Vec<Interval>,
    /// c_k.
    strengths: Vec<Interval>,
    /// `y_n f(x_n)`.
    margins: Vec<Interval>,
}

fn fits(condition: bool, what: &str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure::malformed(what.into())) }
}

impl<'a> System<'a> {
    pub(in crate::certify) fn of(of: &'a KktPoint, samples: &Matrix) -> Result<Self, Failure> {
        let (count, groups) = (samples.rows.len(), of.groups.len());
        fits(of.labels.len() == count && of.labels.iter().all(|y| y.abs() == 1), "labels are ±1, one for each sample")?;
        fits(!of.slope.is_negative() && of.slope < Dyadic::one(), "slope in [0, 1)")?;
        fits(groups > 0 && !of.active.is_empty(), "no group, or no active sample")?;
        fits(of.active.windows(2).all(|pair| pair[0] < pair[1]), "active samples in increasing order")?;
        fits(of.active.iter().all(|n| *n < count), "active samples are among the samples")?;
        let mut unknowns = of.active.len() + if of.objective == Objective::LeastNorm { groups } else { 0 };
        let mut gates = Vec::new();
        for group in &of.groups {
            fits(group.sign.abs() == 1 && group.gates.len() == count, "one gate for each sample, and a sign ±1")?;
            let gate = |letter: u8| match letter {
                b'1' => Ok(Gate::Open),
                b'0' => Ok(Gate::Closed),
                b'k' => {
                    unknowns += 1;
                    Ok(Gate::Kink(unknowns - 1))
                }
                _ => Err(Failure::malformed("gates are 1, 0 or k".into())),
            };
            gates.push(group.gates.bytes().map(gate).collect::<Result<Vec<_>, _>>()?);
        }
        let size = [of.centre.len(), of.radii.len(), of.inverse.len()].iter().all(|n| *n == unknowns);
        fits(size && of.inverse.iter().all(|row| row.len() == unknowns), "as many numbers as unknowns")?;
        let work = groups.saturating_mul(unknowns).saturating_mul(count);
        if unknowns > MOST_UNKNOWNS || work > MOST_WORK || of.longest() > MOST_BITS || samples.rows.len() > 2000 {
            return Err(Failure::too_large("networks"));
        }
        let product = |m: usize, n: usize| {
            let sign = i64::from(of.labels[m] * of.labels[n]);
            let product = super::vectors::dot(&samples.rows[m], &samples.rows[n]);
            Dyadic::new(product * sign, 2 * samples.exponent)
        };
        let mut positions = vec![None; count];
        for (position, n) in of.active.iter().enumerate() {
            positions[*n] = Some(position);
        }
        Ok(Self {
            of,
            gram: (0..count).map(|m| (0..count).map(|n| product(m, n)).collect()).collect(),
            gates,
            strengths: of.strengths()?,
            positions,
        })
    }

    fn unknowns(&self) -> usize {
        self.of.centre.len()
    }

    fn sign(&self, n: usize) -> i64 {
        i64::from(self.of.labels[n])
    }

    fn gate(&self, k: usize, n: usize, unknowns: &[Interval]) -> Interval {
        match self.gates[k][n] {
            Gate::Open => Interval::point(Dyadic::one()),
            Gate::Closed => Interval::point(self.of.slope.clone()),
            Gate::Kink(unknown) => unknowns[unknown].clone(),
        }
    }

    pub(in crate::certify) fn values(&self, unknowns: Vec<Interval>) -> Values {
        let (groups, count) = (self.gates.len(), self.gram.len());
        let share = |k: usize, m: usize| match self.positions[m] {
            None => Interval::zero(),
            Some(at) => {
                let sign = Dyadic::new(BigInt::from(self.sign(m)), 0);
                unknowns[at].times(&self.gate(k, m, &unknowns)).scaled(&sign)
            }
        };
        let shares: Vec<Vec<Interval>> = (0..groups).map(|k| (0..count).map(|m| share(k, m)).collect()).collect();
        let products: Vec<Vec<Interval>> = (shares.iter())
            .map(|shares| (0..count).map(|n| self.combined(shares, n)).collect())
            .collect();
        let sum = |terms: &mut dyn Iterator<Item = Interval>| terms.fold(Interval::zero(), |a, b| a.plus(&b));
        let squares: Vec<Interval> = (shares.iter().zip(&products))
            .map(|(t, u)| sum(&mut t.iter().zip(u).filter(|(t, _)| !t.is_zero()).map(|(t, u)| t.times(u))))
            .collect();
        let strengths: Vec<Interval> = (0..groups)
            .map(|k| match self.of.objective {
                Objective::LeastNorm => unknowns[self.of.active.len() + k].clone(),
                Objective::Feedback => squares[k].scaled(&self.strengths[k]),
            })
            .collect();
        let margin = |n: usize| {
            let terms = &mut (0..groups).filter_map(|k| Some(strengths[k].times(&products[k][n]).scaled(&self.seen(k, n)?)));
            sum(terms).scaled(&Dyadic::new(BigInt::from(self.sign(n)), 0))
        };
        let margins = (0..count).map(margin).collect();
        Values { unknowns, shares, products, squares, strengths, margins }
    }

    /// γ_kn where the group is off its kink and passes something on.
    fn seen(&self, k: usize, n: usize) -> Option<Dyadic> {
        match self.gates[k][n] {
            Gate::Open => Some(Dyadic::one()),
            Gate::Closed => (!self.of.slope.mantissa.is_zero()).then(|| self.of.slope.clone()),
            Gate::Kink(_) => None,
        }
    }

    /// `Σ_m t_m x_m·x_n`.
    fn combined(&self, shares: &[Interval], n: usize) -> Interval {
        (shares.iter().zip(&self.gram))
            .filter(|(t, _)| !t.is_zero())
            .fold(Interval::zero(), |sum, (t, row)| sum.plus(&t.scaled(&row[n])))
    }

    /// F.
    fn equations(&self, at: &Values) -> Vec<Interval> {
        let less_one = |x: &Interval| x.plus(&Interval::point(Dyadic::one().times(-1)));
        let mut all: Vec<Interval> = self.of.active.iter().map(|n| less_one(&at.margins[*n])).collect();
        if self.of.objective == Objective::LeastNorm {
            all.extend(at.squares.iter().map(less_one));
        }
        all.extend(self.on_kinks().map(|(k, n, _)| at.products[k][n].clone()));
        all
    }

    /// Group, sample and unknown of every gate on a kink.
    fn on_kinks(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let kink = |(k, n): (usize, usize)| match self.gates[k][n] {
            Gate::Kink(unknown) => Some((k, n, unknown)),
            _ => None,
        };
        let count = self.gram.len();
        (0..self.gates.len()).flat_map(move |k| (0..count).map(move |n| (k, n))).filter_map(kink)
    }

    /// The derivative of F in one unknown.
    fn column(&self, unknown: usize, at: &Values) -> Vec<Interval> {
        let groups = self.gates.len();
        // the one share of each group that changes, and how
        let mut changes: Vec<Option<(usize, Interval)>> = vec![None; groups];
        if let Some(n) = self.of.active.get(unknown) {
            let sign = Dyadic::new(BigInt::from(self.sign(*n)), 0);
            for (k, change) in changes.iter_mut().enumerate() {
                *change = Some((*n, self.gate(k, *n, &at.unknowns).scaled(&sign)));
            }
        } else if let Some((k, n, _)) = self.on_kinks().find(|(_, _, at)| *at == unknown)
            && let Some(position) = self.positions[n]
        {
            let sign = Dyadic::new(BigInt::from(self.sign(n)), 0);
            changes[k] = Some((n, at.unknowns[position].scaled(&sign)));
        }
        let products = |k: usize, n: usize| match &changes[k] {
            Some((m, change)) => change.scaled(&self.gram[*m][n]),
            None => Interval::zero(),
        };
        let square = |k: usize| match &changes[k] {
            Some((m, change)) => change.times(&at.products[k][*m]).scaled(&Dyadic::one().times(2)),
            None => Interval::zero(),
        };
        let strength = |k: usize| match self.of.objective {
            Objective::LeastNorm if unknown == self.of.active.len() + k => Interval::point(Dyadic::one()),
            Objective::LeastNorm => Interval::zero(),
            Objective::Feedback => square(k).scaled(&self.strengths[k]),
        };
        let margin = |n: &usize| {
            let term = |k: usize| {
                let seen = self.seen(k, *n)?;
                let change = strength(k).times(&at.products[k][*n]).plus(&at.strengths[k].times(&products(k, *n)));
                Some(change.scaled(&seen))
            };
            let sum = (0..groups).filter_map(term).fold(Interval::zero(), |a, b| a.plus(&b));
            sum.scaled(&Dyadic::new(BigInt::from(self.sign(*n)), 0))
        };
        let mut all: Vec<Interval> = self.of.active.iter().map(margin).collect();
        if self.of.objective == Objective::LeastNorm {
            all.extend((0..groups).map(square));
        }
        all.extend(self.on_kinks().map(|(k, n, _)| products(k, n)));
        all
    }

    /// F at the centre.
    pub(in crate::certify) fn residual(&self) -> Vec<Dyadic> {
        let centre = self.values(self.of.centre.iter().cloned().map(Interval::point).collect());
        self.equations(&centre).into_iter().map(|x| x.low).collect()
    }

    /// F' at the centre, column by column.
    pub(in crate::certify) fn derivative(&self) -> Vec<Vec<Dyadic>> {
        let centre = self.values(self.of.centre.iter().cloned().map(Interval::point).collect());
        let column = |u: usize| self.column(u, &centre).into_iter().map(|x| x.low).collect();
        (0..self.unknowns()).map(column).collect()
    }

    pub(in crate::certify) fn the_box(&self) -> Vec<Interval> {
        let pairs = self.of.centre.iter().zip(&self.of.radii);
        pairs.map(|(m, r)| Interval { low: m - r, high: m + r }).collect()
    }

    /// Whether Krawczyk's operator maps the box into its interior.
    fn contracts(&self, at: &Values) -> Result<(), Failure> {
        let unknowns = self.unknowns();
        let residual = self.residual();
        let columns: Vec<Vec<Interval>> = (0..unknowns).map(|u| self.column(u, at)).collect();
        for (i, row) in self.of.inverse.iter().enumerate() {
            let newton = row.iter().zip(&residual).fold(Dyadic::zero(), |sum, (c, f)| &sum + &(c * f));
            let mut reach = newton.abs();
            for (j, column) in columns.iter().enumerate() {
                let mut entry = Interval::point(if i == j { Dyadic::one() } else { Dyadic::zero() });
                for (c, derivative) in row.iter().zip(column) {
                    entry = entry.plus(&derivative.scaled(&c.times(-1)));
                }
                reach = &reach + &(&entry.magnitude() * &self.of.radii[j]);
            }
            holds(reach < self.of.radii[i], "|C F(m)| + |I - C F'(X)| r < r (Krawczyk's test)")?;
        }
        Ok(())
    }

    /// What must hold over the whole box besides.
    fn is_strict(&self, at: &Values) -> Result<(), Failure> {
        let (active, groups) = (self.of.active.len(), self.gates.len());
        let positive = if self.of.objective == Objective::LeastNorm { active + groups } else { active };
        holds(at.unknowns[..positive].iter().all(Interval::is_positive), "multipliers and strengths > 0")?;
        for (k, n, unknown) in self.on_kinks() {
            let gate = &at.unknowns[unknown];
            holds(self.of.slope < gate.low && gate.high < Dyadic::one(), "slope < gate on a kink < 1")?;
            fits(self.positions[n].is_some() && k < groups, "gates on kinks are those of active samples")?;
        }
        for (k, gates) in self.gates.iter().enumerate() {
            for (n, gate) in gates.iter().enumerate() {
                let wanted = match gate {
                    Gate::Open => i64::from(self.of.groups[k].sign),
                    Gate::Closed => -i64::from(self.of.groups[k].sign),
                    Gate::Kink(_) => continue,
                };
                let product = at.products[k][n].scaled(&Dyadic::new(BigInt::from(wanted), 0));
                holds(product.is_positive(), "gates are those of the preactivations")?;
            }
        }
        for (n, margin) in at.margins.iter().enumerate() {
            if self.positions[n].is_none() {
                holds(margin.low > Dyadic::one(), "margins of samples that are not active > 1")?;
            }
        }
        Ok(())
    }
}

impl KktPoint {
    fn longest(&self) -> u64 {
        let lists = [&self.centre, &self.radii].into_iter().chain(&self.inverse).flatten();
        let units = self.units.iter().flat_map(|unit| unit.hidden.iter().chain([&unit.output]));
        let all = lists.chain(units).chain([&self.scale, &self.distance, &self.slope]);
        all.map(|x| x.mantissa.bits() + x.exponent.unsigned_abs()).max().unwrap_or(0)
    }

    fn members(&self, k: usize) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(move |unit| unit.group == Some(k))
    }

    /// `(27/1024) Σ b_j²`; checks that groups have units, and these their sign.
    fn strengths(&self) -> Result<Vec<Dyadic>, Failure> {
        fits(self.units.iter().all(|unit| unit.group.is_none_or(|k| k < self.groups.len())), "units are in groups")?;
        let strength = |(k, group): (usize, &Group)| {
            fits(self.members(k).next().is_some(), "groups have units")?;
            let sign = i64::from(group.sign);
            fits(self.members(k).all(|unit| unit.output.times(sign).is_positive()), "units have the sign of their group")?;
            let sum = self.members(k).fold(Dyadic::zero(), |sum, unit| &sum + &unit.output.pow(2));
            Ok(Dyadic::new(sum.mantissa * 27, sum.exponent - 10))
        };
        self.groups.iter().enumerate().map(strength).collect()
    }

    /// Bounds of `‖scale θ − θ*‖²` from above and of `‖θ*‖²` from below.
    pub(in crate::certify) fn squares(&self, samples: &Matrix, at: &Values) -> Result<(Dyadic, Dyadic), Failure> {
        let (mut apart, mut size) = (Dyadic::zero(), Dyadic::zero());
        let sum = |a: &Dyadic, b: &Interval| a + &b.magnitude().pow(2);
        let mut directions: Vec<Vec<Interval>> = Vec::new();
        for shares in &at.shares {
            directions.push(self.direction(shares, samples));
        }
        for unit in &self.units {
            fits(unit.hidden.len() == samples.columns, "hidden weights, one for each input")?;
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
                Objective::Feedback => Interval::point(Dyadic::new(&unit.output.mantissa * 3, unit.output.exponent - 3)),
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
        for (n, share) in shares.iter().enumerate().filter(|(_, share)| !share.is_zero()) {
            for (sum, x) in sum.iter_mut().zip(&samples.rows[n]) {
                *sum = sum.plus(&share.scaled(&Dyadic::new(x * i64::from(self.labels[n]), samples.exponent)));
            }
        }
        sum
    }

    /// `v_j` of the KKT point: ρ_k shared out as the stored weights share it, `v_j √(ρ_k/Σ v_i²)`.
    fn output(&self, unit: &Unit, k: usize, at: &Values) -> Result<Interval, Failure> {
        let total = self.members(k).fold(Dyadic::zero(), |sum, unit| &sum + &unit.output.pow(2));
        let strength = &at.strengths[k];
        fits(strength.is_positive() && total.is_positive(), "strengths > 0")?;
        let low = root(&strength.low, &total, false);
        let high = root(&strength.high, &total, true);
        Ok(Interval { low, high }.scaled(&unit.output))
    }
}

/// `√(a/b)` to [`ROOT`] bits behind the point, rounded down or up.
fn root(a: &Dyadic, b: &Dyadic, up: bool) -> Dyadic {
    let shift = a.exponent - b.exponent + 2 * ROOT;
    let (mut top, mut bottom) = (a.mantissa.clone(), b.mantissa.clone());
    if shift >= 0 { top <<= shift } else { bottom <<= -shift }
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
                "The problem min sum_j (|w_j|^2 + v_j^2)/2 subject to y_n f(x_n) >= 1, f(x) = sum_j v_j g(w_j·x), has a \
                 KKT point with strict complementarity within this relative distance of the multiplied weights."
            }
            Objective::Feedback => {
                "The problem min sum_j |w_j|^4/b_j^2 subject to y_n f(x_n) >= 1, f(x) = sum_j |w_j|^2/(2 b_j) g(w_j·x), \
                 has a KKT point with strict complementarity within this relative distance of the multiplied weights."
            }
        }
    }

    fn inequality(&self) -> &'static str {
        "|C F(m)| + |I - C F'(X)| r < r; lambda > 0, gates off kinks, other margins > 1 over the box X = m +- r"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let system = System::of(self, &data.samples)?;
        holds(self.radii.iter().all(Dyadic::is_positive), "radii > 0")?;
        let at = system.values(system.the_box());
        system.contracts(&at)?;
        system.is_strict(&at)?;
        holds(!self.distance.is_negative(), "distance ≥ 0")?;
        let (apart, size) = self.squares(&data.samples, &at)?;
        holds(apart <= &self.distance.pow(2) * &size, "|scale theta - theta*| ≤ distance |theta*|")?;
        let at_zero = self.units.iter().filter(|unit| unit.group.is_none()).count();
        let kinks = system.on_kinks().count();
        Ok(format!(
            "a KKT point of {} units in {} groups, {at_zero} at zero, {kinks} gates on kinks, {} active samples; \
             relative distance {:.1e}",
            self.units.len(),
            self.groups.len(),
            self.active.len(),
            self.distance.to_f64()
        ))
    }
}

impl Values {
    /// At the centre of the box.
    pub(in crate::certify) fn at_centre(system: &System<'_>) -> Self {
        system.values(system.of.centre.iter().cloned().map(Interval::point).collect())
    }
}
