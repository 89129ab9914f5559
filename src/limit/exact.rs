//! Separability and the hard-margin machine in exact arithmetic.
//!
//! Numbers of type f64 are integers times powers of two, so what the data say as they are stored can be decided without
//! rounding. The method is that of `projection` (b = 0, e = 1) on integers: for a linearly independent set S the
//! systems `G_S G_Sᵀ λ = 1` and `G_S G_Sᵀ c = G_S g_p` are solved by elimination without fractions (Bareiss 1968), in
//! which every division is exact and numbers grow no longer than determinants. The objective rises strictly with every
//! sample that enters, so no set comes twice and ties are harmless.
//!
//! It costs too much for large problems in general position, which floating arithmetic decides well enough. What it may
//! cost is counted, in products of 64-bit words.

use super::doubled::{Doubled, DoubledVector};
use nalgebra::{DMatrix, DVector};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::float::FloatCore;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// What the data are.
#[derive(Debug)]
pub(super) enum Decision {
    /// Separable: the minimiser of ‖β‖ with margins one, and its multipliers, to the digits of doubled arithmetic.
    Separable {
        point: DoubledVector,
        multipliers: DoubledVector,
    },
    /// A non-negative combination that vanishes; its weights, length N.
    NotSeparable(DVector<f64>),
}

/// Why a step of elimination ended.
enum Stop {
    /// The member at this position depends on those before it.
    Dependent(usize),
    /// The work allowed is used up.
    OverBudget,
}

/// Decides about samples (D × N) by the active-set method from `start`; `None` if that takes more than `work`.
pub(super) fn decide(columns: &DMatrix<f64>, start: &[usize], work: u64) -> Option<Decision> {
    Integers::new(columns, work)?.decide(start).ok()
}

/// Whether sample p is a non-positive combination of others that are linearly independent, which together with it then
/// vanish; `None` if that takes more than `work` to tell.
pub(super) fn vanishes(
    columns: &DMatrix<f64>,
    p: usize,
    others: &[usize],
    work: u64,
) -> Option<bool> {
    match Integers::new(columns, work)?.split(others, p) {
        Ok(split) => Some(split.is_certificate()),
        Err(Stop::Dependent(_)) => Some(false),
        Err(Stop::OverBudget) => None,
    }
}

/// The weights with which sample p and the others vanish, as integers, length N: exact if some exist that are not
/// negative, none if not; `None` too if that takes more than `work` to tell.
pub(super) fn vanishing(
    columns: &DMatrix<f64>,
    p: usize,
    others: &[usize],
    work: u64,
) -> Option<Vec<BigInt>> {
    let split = Integers::new(columns, work)?.split(others, p).ok()?;
    if !split.is_certificate() {
        return None;
    }
    let mut weights = vec![BigInt::zero(); columns.ncols()];
    for (&n, c) in others.iter().zip(split.coefficients) {
        weights[n] = -c;
    }
    weights[p] = split.denominator;
    Some(weights)
}

/// The samples as integers.
struct Integers {
    /// `g_n / 2^exponent`.
    samples: Vec<Vec<BigInt>>,
    exponent: i32,
    /// What is left to spend.
    work: u64,
}

/// `g_p = Σ c_n g_n + z` over some members, `z` orthogonal to them; everything over one positive denominator.
struct Split {
    coefficients: Vec<BigInt>,
    /// `‖z‖²`.
    square: BigInt,
    denominator: BigInt,
}

impl Split {
    /// Farkas' certificate: `g_p − Σ c_n g_n = 0` with no negative weight.
    fn is_certificate(&self) -> bool {
        self.square.is_zero() && !self.coefficients.iter().any(Signed::is_positive)
    }
}

/// λ of a set over one positive denominator.
struct Solution {
    multipliers: Vec<BigInt>,
    denominator: BigInt,
}

impl Integers {
    /// `None` if already writing the samples down takes too much.
    fn new(columns: &DMatrix<f64>, work: u64) -> Option<Self> {
        let parts: Vec<(BigInt, i32)> = columns.iter().map(|&x| dyadic(x)).collect();
        let exponents = parts
            .iter()
            .filter(|(m, _)| !m.is_zero())
            .map(|part| part.1);
        let exponent = exponents.min().unwrap_or(0);
        let scaled = |(mantissa, e): &(BigInt, i32)| {
            if mantissa.is_zero() {
                BigInt::zero()
            } else {
                mantissa << (e - exponent)
            }
        };
        let work = work.checked_sub(columns.len() as u64)?;
        Some(Self {
            samples: parts
                .chunks(columns.nrows())
                .map(|sample| sample.iter().map(scaled).collect())
                .collect(),
            exponent,
            work,
        })
    }

    fn decide(&mut self, start: &[usize]) -> Result<Decision, Stop> {
        let mut members = start.to_vec();
        loop {
            let solution = self.settle(&mut members)?;
            let Some((p, violation)) = self.most_violated(&members, &solution)? else {
                return Ok(self.rounded(&members, &solution));
            };
            if let Some(weights) = self.enter(&mut members, &solution, p, violation)? {
                return Ok(Decision::NotSeparable(weights));
            }
        }
    }

    /// Solves for the members, after dropping those that depend on others or get a negative multiplier.
    fn settle(&mut self, members: &mut Vec<usize>) -> Result<Solution, Stop> {
        loop {
            let ones = vec![BigInt::one(); members.len()];
            let dropped = match self.solve(members, ones) {
                Ok(solution) => {
                    let multipliers = solution.multipliers.iter().enumerate();
                    match multipliers.min_by_key(|(_, m)| *m) {
                        Some((position, lowest)) if lowest.is_negative() => position,
                        _ => return Ok(solution),
                    }
                }
                Err(Stop::Dependent(position)) => position,
                Err(stop) => return Err(stop),
            };
            members.remove(dropped);
        }
    }

    /// The sample farthest on the wrong side, and `1 − g_p·β`.
    fn most_violated(
        &mut self,
        members: &[usize],
        solution: &Solution,
    ) -> Result<Option<(usize, BigRational)>, Stop> {
        let point = self.combination(members, &solution.multipliers)?;
        let mut worst: Option<(usize, BigInt)> = None;
        for n in 0..self.samples.len() {
            let violation = &solution.denominator - self.dot(n, &point)?;
            let least = worst
                .as_ref()
                .map_or(BigInt::zero(), |worst| worst.1.clone());
            if violation > least && !members.contains(&n) {
                worst = Some((n, violation));
            }
        }
        Ok(worst.map(|(p, v)| (p, BigRational::new(v, solution.denominator.clone()))))
    }

    /// Lets sample p in, dropping the members that block it. `Some` with a vanishing combination if none exists.
    fn enter(
        &mut self,
        members: &mut Vec<usize>,
        solution: &Solution,
        p: usize,
        mut violation: BigRational,
    ) -> Result<Option<DVector<f64>>, Stop> {
        let over =
            |m: &BigInt, denominator: &BigInt| BigRational::new(m.clone(), denominator.clone());
        let mut multipliers: Vec<BigRational> = (solution.multipliers.iter())
            .map(|m| over(m, &solution.denominator))
            .collect();
        loop {
            let split = self.split(members, p)?;
            if split.is_certificate() {
                return Ok(Some(self.weights(members, p, &split)));
            }
            let coefficients: Vec<BigRational> = (split.coefficients.iter())
                .map(|c| over(c, &split.denominator))
                .collect();
            let blocking = (0..members.len())
                .filter(|&i| coefficients[i].is_positive())
                .map(|i| (i, &multipliers[i] / &coefficients[i]))
                .min_by(|a, b| a.1.cmp(&b.1));
            let square = over(&split.square, &split.denominator);
            match blocking {
                Some((position, step)) if &step * &square < violation => {
                    for (m, c) in multipliers.iter_mut().zip(&coefficients) {
                        *m -= &step * c;
                    }
                    violation -= step * square;
                    multipliers.remove(position);
                    members.remove(position);
                }
                _ => {
                    members.push(p);
                    return Ok(None);
                }
            }
        }
    }

    /// Sample p along and across the members.
    fn split(&mut self, members: &[usize], p: usize) -> Result<Split, Stop> {
        let products = (members.iter())
            .map(|&n| self.product(n, p))
            .collect::<Result<Vec<_>, _>>()?;
        let solution = self.solve(members, products.clone())?;
        let along: BigInt = (solution.multipliers.iter().zip(&products))
            .map(|(c, h)| c * h)
            .sum();
        Ok(Split {
            square: self.product(p, p)? * &solution.denominator - along,
            coefficients: solution.multipliers,
            denominator: solution.denominator,
        })
    }

    /// Solves `G_S G_Sᵀ x = right`. Leading minors of a Gram matrix are positive while its vectors are independent.
    fn solve(&mut self, members: &[usize], right: Vec<BigInt>) -> Result<Solution, Stop> {
        let k = members.len();
        let mut rows = Vec::with_capacity(k);
        for (&m, right) in members.iter().zip(right) {
            let mut row = Vec::with_capacity(k + 1);
            for &n in members {
                row.push(self.product(m, n)?);
            }
            row.push(right);
            rows.push(row);
        }
        let mut previous = BigInt::one();
        for i in 0..k {
            let pivot_row = std::mem::take(&mut rows[i]);
            let pivot = pivot_row[i].clone();
            if pivot.is_zero() {
                return Err(Stop::Dependent(i));
            }
            let words = pivot.bits() / 64 + 1;
            self.spend((k * (k + 1 - i)) as u64 * (3 * words * words + 8))?;
            for row in rows.iter_mut().filter(|row| !row.is_empty()) {
                let factor = std::mem::take(&mut row[i]);
                for (entry, above) in row.iter_mut().zip(&pivot_row).skip(i + 1) {
                    *entry = (&pivot * &*entry - &factor * above) / &previous;
                }
            }
            rows[i] = pivot_row;
            previous = pivot;
        }
        Ok(Solution {
            multipliers: rows.iter_mut().map(|row| row.swap_remove(k)).collect(),
            denominator: previous,
        })
    }

    /// `Σ x_i g_i` over the members.
    fn combination(&mut self, members: &[usize], x: &[BigInt]) -> Result<Vec<BigInt>, Stop> {
        let dimension = self.samples[0].len();
        let longest = x.iter().map(BigInt::bits).max().unwrap_or(0);
        self.spend((members.len() * dimension) as u64 * (longest / 64 + 8))?;
        let mut sum = vec![BigInt::zero(); dimension];
        for (&n, x) in members.iter().zip(x) {
            for (sum, g) in sum.iter_mut().zip(&self.samples[n]) {
                *sum += x * g;
            }
        }
        Ok(sum)
    }

    fn dot(&mut self, n: usize, x: &[BigInt]) -> Result<BigInt, Stop> {
        let longest = x.iter().map(BigInt::bits).max().unwrap_or(0);
        self.spend(x.len() as u64 * (longest / 64 + 8))?;
        Ok(self.samples[n].iter().zip(x).map(|(g, x)| g * x).sum())
    }

    /// `g_m·g_n`.
    fn product(&mut self, m: usize, n: usize) -> Result<BigInt, Stop> {
        let sample = self.samples[m].clone();
        self.dot(n, &sample)
    }

    fn spend(&mut self, work: u64) -> Result<(), Stop> {
        self.work = self.work.checked_sub(work).ok_or(Stop::OverBudget)?;
        Ok(())
    }

    /// `1` for p and `−c_n` for the members.
    fn weights(&self, members: &[usize], p: usize, split: &Split) -> DVector<f64> {
        let mut weights = DVector::zeros(self.samples.len());
        weights[p] = 1.0;
        for (&n, c) in members.iter().zip(&split.coefficients) {
            weights[n] = doubled(-c, &split.denominator, 0).hi;
        }
        weights
    }

    /// β and λ in the units of the columns.
    fn rounded(&self, members: &[usize], solution: &Solution) -> Decision {
        let Solution {
            multipliers: exact,
            denominator,
        } = solution;
        let mut multipliers = DoubledVector::zeros(self.samples.len());
        for (&n, m) in members.iter().zip(exact) {
            multipliers.set(n, doubled(m.clone(), denominator, -2 * self.exponent));
        }
        let dimension = self.samples[0].len();
        let mut point = DoubledVector::zeros(dimension);
        for d in 0..dimension {
            let sum = members
                .iter()
                .zip(exact)
                .map(|(&n, m)| m * &self.samples[n][d])
                .sum();
            point.set(d, doubled(sum, denominator, -self.exponent));
        }
        Decision::Separable { point, multipliers }
    }
}

/// x as an odd integer (or zero) times a power of two.
fn dyadic(x: f64) -> (BigInt, i32) {
    let (mantissa, exponent, sign) = FloatCore::integer_decode(x);
    let zeros = if mantissa == 0 {
        0
    } else {
        mantissa.trailing_zeros()
    };
    let odd = BigInt::from(mantissa >> zeros) * sign;
    (odd, i32::from(exponent) + zeros as i32)
}

/// `2^exponent numerator/denominator`, rounded to doubled arithmetic.
fn doubled(numerator: BigInt, denominator: &BigInt, exponent: i32) -> Doubled {
    let ratio = if exponent >= 0 {
        BigRational::new(numerator << exponent, denominator.clone())
    } else {
        BigRational::new(numerator, denominator << -exponent)
    };
    let hi = ratio.to_f64().unwrap_or(f64::NAN);
    let lo = BigRational::from_float(hi).and_then(|hi| (ratio - hi).to_f64());
    Doubled::new(hi, lo.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    const WORK: u64 = 10_000_000;

    #[test]
    fn numbers_are_taken_apart_and_put_together_exactly() {
        for x in [1.0, -0.75, 3e300, 5e-324, -1.0 / 3.0, 0.0] {
            let (odd, exponent) = dyadic(x);
            assert!(odd.is_zero() || odd.bit(0), "{x}");
            assert_eq!(doubled(odd, &BigInt::one(), exponent).value(), x);
        }
        let third = doubled(BigInt::one(), &BigInt::from(3), 0);
        assert!(third.lo != 0.0 && Doubled::new(1.0 / 3.0, 0.0).minus(third).abs() < 1e-16);
    }

    #[test]
    fn the_margin_may_be_less_than_the_rounding_of_its_terms() {
        // (L + 1, L) and (−L, 1 − L): β = (1 − 2L, 1 + 2L) has both margins one, 4e-19 of what they cancel from.
        let large = 2f64.powi(30);
        let columns = dmatrix![large + 1.0, -large; large, 1.0 - large];
        let Some(Decision::Separable { point, .. }) = decide(&columns, &[], WORK) else {
            panic!("separable")
        };
        assert_eq!(point.hi.as_slice(), [1.0 - 2.0 * large, 1.0 + 2.0 * large]);
        // Without the ones they are opposite.
        let opposite = dmatrix![large, -large; large, -large];
        match decide(&opposite, &[0, 1], WORK) {
            Some(Decision::NotSeparable(weights)) => assert_eq!(weights.as_slice(), [1.0, 1.0]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_start_ends_at_the_same_solution() {
        // Cube vertices above the plane and the centre of their face.
        let columns = dmatrix![
            1.0, 1.0, -1.0, -1.0, 0.0;
            1.0, -1.0, 1.0, -1.0, 0.0;
            1.0, 1.0, 1.0, 1.0, 1.0
        ];
        for start in [&[][..], &[4], &[0, 1, 2, 3, 4], &[3, 0]] {
            match decide(&columns, start, WORK) {
                Some(Decision::Separable { point, multipliers }) => {
                    assert_eq!(point.hi.as_slice(), [0.0, 0.0, 1.0]);
                    assert!((multipliers.hi.sum() - 1.0).abs() < 1e-15);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_dependence_is_proved_or_refuted() {
        // 0.3 is not three times 0.1.
        let columns = dmatrix![1.0, -0.5, -0.1; 2.0, -1.0, -0.2; 3.0, -1.5, -0.3];
        assert_eq!(vanishes(&columns, 0, &[1], WORK), Some(true));
        assert_eq!(vanishes(&columns, 0, &[2], WORK), Some(false));
        assert_eq!(vanishes(&columns, 0, &[1], 10), None);
    }
}
