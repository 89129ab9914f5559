//! The equations of a KKT point of two layers with gates, their derivative, and Krawczyk's test; `kkt_point` derives
//! them.

use super::interval::Interval;
use super::kkt_point::{KktPoint, Objective, fits};
use super::vectors::Matrix;
use super::{Dyadic, Failure, holds};
use num_bigint::BigInt;
use num_traits::Zero;

/// Most unknowns that are taken on.
const MOST_UNKNOWNS: usize = 200;

/// Most products of an evaluation that is taken on.
const MOST_WORK: usize = 4_000_000;

/// Longest number in bits.
const MOST_BITS: u64 = 4096;

impl KktPoint {
    /// The gates of every group, and the number of unknowns.
    fn gates(&self, count: usize) -> Result<(Vec<Vec<Gate>>, usize), Failure> {
        let strengths = match self.objective {
            Objective::LeastNorm => self.groups.len(),
            Objective::Feedback => 0,
        };
        let mut unknowns = self.active.len() + strengths;
        let mut gates = Vec::new();
        for group in &self.groups {
            fits(
                matches!(group.sign, 1 | -1) && group.gates.len() == count,
                "one gate for each sample, and a sign ±1",
            )?;
            let gate = |letter: u8| match letter {
                b'1' => Ok(Gate::Open),
                b'0' => Ok(Gate::Closed),
                b'k' => {
                    unknowns += 1;
                    Ok(Gate::Kink(unknowns - 1))
                }
                _ => Err(Failure::malformed("gates are 1, 0 or k".into())),
            };
            gates.push(group.gates.bytes().map(gate).collect::<Result<_, _>>()?);
        }
        Ok((gates, unknowns))
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
    pub(super) of: &'a KktPoint,
    /// `x_m·x_n` for active m, all n; only active samples have multipliers.
    gram: Vec<Vec<Dyadic>>,
    gates: Vec<Vec<Gate>>,
    /// `(27/1024) Σ b_j²` of every group; empty for least norm.
    strengths: Vec<Dyadic>,
    /// The position of every sample among the active.
    positions: Vec<Option<usize>>,
}

/// Everything that depends on the unknowns.
pub(in crate::certify) struct Values {
    pub(super) unknowns: Vec<Interval>,
    /// `y_m λ_m γ_km`.
    pub(super) shares: Vec<Vec<Interval>>,
    /// `u_k·x_n`.
    pub(super) products: Vec<Vec<Interval>>,
    /// `‖u_k‖²`.
    pub(super) squares: Vec<Interval>,
    /// c_k.
    pub(super) strengths: Vec<Interval>,
    /// `y_n f(x_n)`.
    pub(super) margins: Vec<Interval>,
}

impl<'a> System<'a> {
    pub(in crate::certify) fn of(of: &'a KktPoint, samples: &Matrix) -> Result<Self, Failure> {
        let (count, groups) = (samples.rows.len(), of.groups.len());
        fits(
            of.labels.len() == count && of.labels.iter().all(|y| matches!(y, 1 | -1)),
            "labels are ±1, one for each sample",
        )?;
        fits(
            !of.slope.is_negative() && of.slope < Dyadic::one(),
            "slope in [0, 1)",
        )?;
        fits(
            groups > 0 && !of.active.is_empty(),
            "no group, or no active sample",
        )?;
        fits(
            of.active.windows(2).all(|pair| pair[0] < pair[1]),
            "active samples in increasing order",
        )?;
        fits(
            of.active.iter().all(|n| *n < count),
            "active samples are among the samples",
        )?;
        let (gates, unknowns) = of.gates(count)?;
        let size = [of.centre.len(), of.radii.len(), of.inverse.len()]
            .iter()
            .all(|n| *n == unknowns);
        fits(
            size && of.inverse.iter().all(|row| row.len() == unknowns),
            "as many numbers as unknowns",
        )?;
        let entries = samples.rows.iter().flatten();
        let longest = entries.map(BigInt::bits).max().unwrap_or(0);
        let work = groups.saturating_mul(unknowns).saturating_mul(count);
        let too_long = of.longest().max(longest) > MOST_BITS;
        if unknowns > MOST_UNKNOWNS || work > MOST_WORK || too_long || count > 2000 {
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
            gram: (0..count)
                .map(|m| {
                    if positions[m].is_some() {
                        (0..count).map(|n| product(m, n)).collect()
                    } else {
                        Vec::new()
                    }
                })
                .collect(),
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
                unknowns[at]
                    .times(&self.gate(k, m, &unknowns))
                    .scaled(&sign)
            }
        };
        let shares: Vec<Vec<Interval>> = (0..groups)
            .map(|k| (0..count).map(|m| share(k, m)).collect())
            .collect();
        let products: Vec<Vec<Interval>> = (shares.iter())
            .map(|shares| (0..count).map(|n| self.combined(shares, n)).collect())
            .collect();
        let sum = |terms: &mut dyn Iterator<Item = Interval>| {
            terms.fold(Interval::zero(), |a, b| a.plus(&b))
        };
        let squares: Vec<Interval> = (shares.iter().zip(&products))
            .map(|(t, u)| {
                sum(&mut t
                    .iter()
                    .zip(u)
                    .filter(|(t, _)| !t.is_zero())
                    .map(|(t, u)| t.times(u)))
            })
            .collect();
        let strengths: Vec<Interval> = (0..groups)
            .map(|k| match self.of.objective {
                Objective::LeastNorm => unknowns[self.of.active.len() + k].clone(),
                Objective::Feedback => squares[k].scaled(&self.strengths[k]),
            })
            .collect();
        let margin = |n: usize| {
            let terms = &mut (0..groups).filter_map(|k| {
                Some(
                    strengths[k]
                        .times(&products[k][n])
                        .scaled(&self.seen(k, n)?),
                )
            });
            sum(terms).scaled(&Dyadic::new(BigInt::from(self.sign(n)), 0))
        };
        let margins = (0..count).map(margin).collect();
        Values {
            unknowns,
            shares,
            products,
            squares,
            strengths,
            margins,
        }
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
            .fold(Interval::zero(), |sum, (t, row)| {
                sum.plus(&t.scaled(&row[n]))
            })
    }

    /// F.
    fn equations(&self, at: &Values) -> Vec<Interval> {
        let less_one = |x: &Interval| x.plus(&Interval::point(Dyadic::one().times(-1)));
        let mut all: Vec<Interval> = self
            .of
            .active
            .iter()
            .map(|n| less_one(&at.margins[*n]))
            .collect();
        if self.of.objective == Objective::LeastNorm {
            all.extend(at.squares.iter().map(less_one));
        }
        all.extend(self.on_kinks().map(|(k, n, _)| at.products[k][n].clone()));
        all
    }

    /// Group, sample and unknown of every gate on a kink.
    pub(super) fn on_kinks(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let kink = |(k, n): (usize, usize)| match self.gates[k][n] {
            Gate::Kink(unknown) => Some((k, n, unknown)),
            _ => None,
        };
        let count = self.gram.len();
        (0..self.gates.len())
            .flat_map(move |k| (0..count).map(move |n| (k, n)))
            .filter_map(kink)
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
            Some((m, change)) => change
                .times(&at.products[k][*m])
                .scaled(&Dyadic::one().times(2)),
            None => Interval::zero(),
        };
        let strength = |k: usize| match self.of.objective {
            Objective::LeastNorm if unknown == self.of.active.len() + k => {
                Interval::point(Dyadic::one())
            }
            Objective::LeastNorm => Interval::zero(),
            Objective::Feedback => square(k).scaled(&self.strengths[k]),
        };
        let margin = |n: &usize| {
            let term = |k: usize| {
                let seen = self.seen(k, *n)?;
                let change = strength(k)
                    .times(&at.products[k][*n])
                    .plus(&at.strengths[k].times(&products(k, *n)));
                Some(change.scaled(&seen))
            };
            let sum = (0..groups)
                .filter_map(term)
                .fold(Interval::zero(), |a, b| a.plus(&b));
            sum.scaled(&Dyadic::new(BigInt::from(self.sign(*n)), 0))
        };
        let mut all: Vec<Interval> = self.of.active.iter().map(margin).collect();
        if self.of.objective == Objective::LeastNorm {
            all.extend((0..groups).map(square));
        }
        all.extend(self.on_kinks().map(|(k, n, _)| products(k, n)));
        all
    }

    /// The values at the centre of the box.
    pub(in crate::certify) fn centre(&self) -> Values {
        let centre = self.of.centre.iter().cloned();
        self.values(centre.map(Interval::point).collect())
    }

    /// F at the centre.
    pub(in crate::certify) fn residual(&self) -> Vec<Dyadic> {
        self.equations(&self.centre())
            .into_iter()
            .map(|x| x.low)
            .collect()
    }

    /// F' at the centre, column by column.
    pub(in crate::certify) fn derivative(&self) -> Vec<Vec<Dyadic>> {
        let centre = self.centre();
        let column = |u: usize| self.column(u, &centre).into_iter().map(|x| x.low).collect();
        (0..self.unknowns()).map(column).collect()
    }

    pub(in crate::certify) fn the_box(&self) -> Vec<Interval> {
        let pairs = self.of.centre.iter().zip(&self.of.radii);
        pairs
            .map(|(m, r)| Interval {
                low: m - r,
                high: m + r,
            })
            .collect()
    }

    /// Whether Krawczyk's operator maps the box into its interior.
    pub(super) fn contracts(&self, at: &Values) -> Result<(), Failure> {
        let unknowns = self.unknowns();
        let residual = self.residual();
        let columns: Vec<Vec<Interval>> = (0..unknowns).map(|u| self.column(u, at)).collect();
        for (i, row) in self.of.inverse.iter().enumerate() {
            let newton = row
                .iter()
                .zip(&residual)
                .fold(Dyadic::zero(), |sum, (c, f)| &sum + &(c * f));
            let mut reach = newton.abs();
            for (j, column) in columns.iter().enumerate() {
                let mut entry = Interval::point(if i == j {
                    Dyadic::one()
                } else {
                    Dyadic::zero()
                });
                for (c, derivative) in row.iter().zip(column) {
                    entry = entry.plus(&derivative.scaled(&c.times(-1)));
                }
                reach = &reach + &(&entry.magnitude() * &self.of.radii[j]);
            }
            holds(
                reach < self.of.radii[i],
                "|C F(m)| + |I - C F'(X)| r < r (Krawczyk's test)",
            )?;
        }
        Ok(())
    }

    /// What must hold over the whole box besides.
    pub(super) fn is_strict(&self, at: &Values) -> Result<(), Failure> {
        let (active, groups) = (self.of.active.len(), self.gates.len());
        let positive = if self.of.objective == Objective::LeastNorm {
            active + groups
        } else {
            active
        };
        holds(
            at.unknowns[..positive].iter().all(Interval::is_positive),
            "multipliers and strengths > 0",
        )?;
        for (k, n, unknown) in self.on_kinks() {
            let gate = &at.unknowns[unknown];
            holds(
                self.of.slope < gate.low && gate.high < Dyadic::one(),
                "slope < gate on a kink < 1",
            )?;
            fits(
                self.positions[n].is_some() && k < groups,
                "gates on kinks are those of active samples",
            )?;
        }
        for (k, gates) in self.gates.iter().enumerate() {
            for (n, gate) in gates.iter().enumerate() {
                let wanted = match gate {
                    Gate::Open => i64::from(self.of.groups[k].sign),
                    Gate::Closed => -i64::from(self.of.groups[k].sign),
                    Gate::Kink(_) => continue,
                };
                let product = at.products[k][n].scaled(&Dyadic::new(BigInt::from(wanted), 0));
                holds(
                    product.is_positive(),
                    "gates are those of the preactivations",
                )?;
            }
        }
        for (n, margin) in at.margins.iter().enumerate() {
            if self.positions[n].is_none() {
                holds(
                    margin.low > Dyadic::one(),
                    "margins of samples that are not active > 1",
                )?;
            }
        }
        Ok(())
    }
}
