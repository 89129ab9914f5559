//! Small integer problems, as degenerate as they come, against linear programs in rational arithmetic.

use super::tests::gaussian;
use super::*;
use crate::spectrum::Basis;
use nalgebra::DMatrix;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

fn rational(x: f64) -> BigRational {
    BigRational::from_float(x).expect("finite")
}

/// `min ‖x‖₁ s.t. g_n·x ≥ level_n`, by the simplex method on its dual with Bland's rule; `None` if no x is feasible.
fn least_l1(rows: &[Vec<BigRational>], levels: &[BigRational]) -> Option<BigRational> {
    let dimension = rows[0].len();
    // Slack of ±(Gᵀa)_d ≤ 1 = value − rates · a; the last row is the objective.
    let mut values = vec![BigRational::one(); 2 * dimension];
    values.push(BigRational::zero());
    let mut rates: Vec<Vec<BigRational>> = (0..2 * dimension)
        .map(|i| {
            let sign = |x: &BigRational| if i < dimension { x.clone() } else { -x.clone() };
            rows.iter().map(|g| sign(&g[i % dimension])).collect()
        })
        .collect();
    rates.push(levels.iter().map(|level| -level.clone()).collect());
    let objective = 2 * dimension;
    let count = rows.len();
    let mut resting: Vec<usize> = (0..count).collect();
    let mut basic: Vec<usize> = (count..count + objective).collect();
    loop {
        let entering = (0..count)
            .filter(|&j| rates[objective][j].is_negative())
            .min_by_key(|&j| resting[j]);
        let Some(column) = entering else {
            return Some(values[objective].clone());
        };
        let leaving = (0..objective)
            .filter(|&i| rates[i][column].is_positive())
            .min_by(|&i, &k| {
                let length = |i: usize| &values[i] / &rates[i][column];
                length(i).cmp(&length(k)).then(basic[i].cmp(&basic[k]))
            });
        let row = leaving?;
        let pivot = rates[row][column].clone();
        let above: Vec<BigRational> = rates[row].iter().map(|x| x / &pivot).collect();
        let value = &values[row] / &pivot;
        for i in (0..=objective).filter(|&i| i != row) {
            let factor = rates[i][column].clone();
            if factor.is_zero() {
                continue;
            }
            for (x, above) in rates[i].iter_mut().zip(&above) {
                *x -= &factor * above;
            }
            rates[i][column] = -&factor / &pivot;
            values[i] -= &factor * &value;
        }
        rates[row] = above;
        rates[row][column] = pivot.recip();
        values[row] = value;
        std::mem::swap(&mut basic[row], &mut resting[column]);
    }
}

fn exact_rows(g: &DMatrix<f64>) -> Vec<Vec<BigRational>> {
    g.row_iter()
        .map(|row| row.iter().map(|&x| rational(x)).collect())
        .collect()
}

/// min ‖β‖₁ s.t. Gβ ≥ 1.
fn l1_optimum(g: &DMatrix<f64>) -> Option<BigRational> {
    least_l1(&exact_rows(g), &vec![BigRational::one(); g.nrows()])
}

/// Whether every coordinate of the ℓ1 minimiser β is determined: moving one by `step` costs something.
fn is_unique_l1(g: &DMatrix<f64>, beta: &DVector<f64>, optimum: &BigRational, step: f64) -> bool {
    let cost = |d: usize, sign: f64| {
        let mut rows = exact_rows(g);
        let mut levels = vec![BigRational::one(); g.nrows()];
        let mut unit = vec![BigRational::zero(); g.ncols()];
        unit[d] = rational(sign);
        rows.push(unit);
        levels.push(rational(sign * beta[d] + step));
        least_l1(&rows, &levels)
    };
    let least = optimum * rational(1.0 + 1e-9);
    let costs = (0..g.ncols()).flat_map(|d| [cost(d, 1.0), cost(d, -1.0)]);
    costs.into_iter().flatten().all(|cost| cost > least)
}

/// Problems of a kind, by their seed: N up to 8, D up to 6.
fn problem(seed: u64) -> DMatrix<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (n, d) = (rng.random_range(1..9), rng.random_range(1..7));
    let kind = seed % 7;
    let mut x = DMatrix::from_fn(n, d, |_, _| {
        f64::from(match kind {
            0 => 2 * rng.random_range(0..2) - 1,
            1 => rng.random_range(-1..2),
            2 => rng.random_range(0..2),
            3 => rng.random_range(0..4),
            4 => rng.random_range(-3..4),
            _ => i32::from(rng.random_range(0..3) == 0),
        })
    });
    // Two equal features, and two equal samples.
    if kind >= 5 && d > 1 {
        let copy = x.column(0).into_owned();
        x.set_column(d - 1, &copy);
    }
    if kind == 6 && n > 1 {
        let copy = x.row(0).into_owned();
        x.set_row(n - 1, &copy);
    }
    // Labels of a teacher for two thirds, which are separable unless a sample has margin zero.
    let teacher = gaussian(d, 1, &mut rng);
    for mut row in x.row_iter_mut() {
        let sign = if seed.is_multiple_of(3) {
            f64::from(2 * rng.random_range(0..2) - 1)
        } else {
            (&row * &teacher)[0].signum()
        };
        row *= sign;
    }
    x
}

fn potential(basis: Basis, dimension: usize, exponent: f64) -> Potential {
    let weights = vec![1.0; basis.frequencies(dimension).len()];
    Potential::spectral(basis, dimension, exponent, &weights)
}

/// What came of problems of one potential.
#[derive(Debug, Default)]
struct Count {
    separable: usize,
    not_separable: usize,
    undecided: Vec<u64>,
    wrong: Vec<u64>,
    not_unique: usize,
}

impl Count {
    fn add(&mut self, seed: u64, separable: bool, decision: &Separability) {
        match decision {
            Separability::Separable(limit) => {
                self.separable += 1;
                self.not_unique += usize::from(!limit.unique);
                if !separable || limit.duality_gap.is_none_or(|gap| gap > GAP_TOLERANCE) {
                    self.wrong.push(seed);
                }
            }
            Separability::NotSeparable(certificate) => {
                self.not_separable += 1;
                if separable || certificate.residual > 1e-14 {
                    self.wrong.push(seed);
                }
            }
            _ => self.undecided.push(seed),
        }
    }

    #[track_caller]
    fn assert_no_exception(&self, what: &str) {
        println!(
            "{what}: {} separable ({} not unique), {} not",
            self.separable, self.not_unique, self.not_separable
        );
        assert!(
            self.undecided.is_empty() && self.wrong.is_empty(),
            "{what}: undecided {:?}, wrong {:?}",
            self.undecided,
            self.wrong
        );
        assert!(self.separable > 0 && self.not_separable > 0, "{what}");
    }
}

/// The ℓ1 minimiser, hence separability, against the rational program; the ℓ2 one along with it.
fn assert_linear_programs(seeds: std::ops::Range<u64>) {
    let (mut sparse, mut euclidean) = (Count::default(), Count::default());
    for seed in seeds {
        let g = problem(seed);
        let optimum = l1_optimum(&g);
        let decision = minimise(&g, &potential(Basis::Standard, g.ncols(), 1.0));
        sparse.add(seed, optimum.is_some(), &decision);
        if let (Some(optimum), Separability::Separable(limit)) = (&optimum, &decision) {
            let exact = optimum.to_f64().expect("finite");
            let found: f64 = limit.beta.iter().map(|b| b.abs()).sum();
            assert!(
                (found / exact - 1.0).abs() < 1e-14,
                "{seed}: {found} {exact}"
            );
            if seed.is_multiple_of(10) {
                let unique = is_unique_l1(&g, &limit.beta, optimum, 1e-5);
                assert_eq!(limit.unique, unique, "{seed}");
            }
        }
        euclidean.add(seed, optimum.is_some(), &max_margin(&g));
    }
    sparse.assert_no_exception("ℓ1");
    euclidean.assert_no_exception("ℓ2");
}

#[test]
fn ten_thousand_linear_programs() {
    assert_linear_programs(0..10_000);
}

/// The other potentials on the same problems, certified by their gap.
fn assert_potentials(seeds: std::ops::Range<u64>) {
    for (basis, exponent) in [
        (Basis::Fourier, 1.0),
        (Basis::Standard, 4.0 / 3.0),
        (Basis::Fourier, 4.0 / 3.0),
        (Basis::Standard, 8.0 / 7.0),
        (Basis::Fourier, 8.0 / 7.0),
    ] {
        let mut count = Count::default();
        for seed in seeds.clone() {
            let g = problem(seed);
            let separable = l1_optimum(&g).is_some();
            count.add(
                seed,
                separable,
                &minimise(&g, &potential(basis, g.ncols(), exponent)),
            );
        }
        count.assert_no_exception(&format!("{basis:?}, p = {exponent:.3}"));
    }
}

#[test]
fn every_potential_on_ten_thousand() {
    assert_potentials(0..10_000);
}

/// The lower bound on ψ that multipliers prove, p = 4/3 and unit weights, in rational arithmetic: with z = Gᵀa and
/// β = z³, Hölder's inequality is an equality, so the gap is `β·z/(γ 1ᵀa) − 1`.
fn exact_gap(g: &DMatrix<f64>, multipliers: &DVector<f64>) -> Option<f64> {
    let rows = exact_rows(g);
    let a: Vec<BigRational> = multipliers.iter().map(|&a| rational(a)).collect();
    let combination = |d: usize| {
        rows.iter()
            .zip(&a)
            .map(|(g, a)| &g[d] * a)
            .sum::<BigRational>()
    };
    let z: Vec<BigRational> = (0..g.ncols()).map(combination).collect();
    let beta: Vec<BigRational> = z.iter().map(|z| z * z * z).collect();
    let dot = |u: &[BigRational], v: &[BigRational]| -> BigRational {
        u.iter().zip(v).map(|(u, v)| u * v).sum()
    };
    let margin = rows.iter().map(|g| dot(g, &beta)).min()?;
    let total: BigRational = a.iter().sum();
    if !margin.is_positive() {
        return None;
    }
    (dot(&beta, &z) / (margin * total) - BigRational::one()).to_f64()
}

#[test]
fn feedback_limits_are_proved_in_rational_arithmetic() {
    let mut proved = 0;
    for seed in 0..1_000 {
        let g = problem(seed);
        let decision = minimise(&g, &potential(Basis::Standard, g.ncols(), 4.0 / 3.0));
        if let Separability::Separable(limit) = decision {
            let gap = exact_gap(&g, &limit.multipliers).expect("positive margins");
            assert!((0.0..1e-12).contains(&gap), "{seed}: {gap:e}");
            proved += 1;
        }
    }
    assert!(proved > 400, "{proved}");
}

/// Large integers whose last sample is all but opposite to a combination of the others, in which some have no part: it
/// is for the last digit to say whether a non-negative combination vanishes.
fn thin(seed: u64, size: i64, dimension: usize) -> DMatrix<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut rows: Vec<Vec<i64>> = (0..dimension)
        .map(|_| {
            (0..dimension)
                .map(|_| rng.random_range(-size..size))
                .collect()
        })
        .collect();
    let weights: Vec<i64> = (0..dimension).map(|_| rng.random_range(0..3)).collect();
    let last = (0..dimension).map(|d| {
        let sum: i64 = rows.iter().zip(&weights).map(|(row, w)| w * row[d]).sum();
        rng.random_range(-1..2) - sum
    });
    let last = last.collect();
    rows.push(last);
    DMatrix::from_fn(dimension + 1, dimension, |n, d| rows[n][d] as f64)
}

/// (x, y) with `c x + d y = 1`; `None` unless c and d are coprime.
fn bezout(c: i64, d: i64) -> Option<(i64, i64)> {
    if d == 0 {
        return (c == 1).then_some((1, 0));
    }
    let (x, y) = bezout(d, c % d)?;
    Some((y, x - c / d * y))
}

/// Three samples in the plane: (c, d), coprime and of a size, one all but opposite to it, and one across. Areas decide:
/// `(c, d) × opposite` is −1, 0 or 1, so a margin is of the order of size⁻² relative to the samples.
fn thinner(seed: u64, size: i64) -> DMatrix<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (c, d, u, v) = loop {
        let (c, d) = (
            rng.random_range(size / 2..size),
            rng.random_range(size / 2..size),
        );
        if let Some((x, y)) = bezout(c, d) {
            // The area of (c, d) and (−y, x) is one.
            break (c, d, -y, x);
        }
    };
    let area = rng.random_range(-1..2);
    let across = if rng.random_range(0..2) == 0 {
        (-d, c)
    } else {
        (d, -c)
    };
    let rows = [(c, d), (area * u - c, area * v - d), across];
    DMatrix::from_fn(3, 2, |n, i| {
        if i == 0 {
            rows[n].0 as f64
        } else {
            rows[n].1 as f64
        }
    })
}

#[test]
fn thin_margins_of_exact_integers() {
    let (mut yes, mut no, mut told) = (0, 0, 0);
    for seed in 0u64..1_200 {
        let size = 10i64.pow(2 + (seed % 11) as u32);
        let g = if seed.is_multiple_of(2) {
            thin(seed, size, 2 + seed as usize % 4)
        } else {
            thinner(seed, size)
        };
        let separable = l1_optimum(&g).is_some();
        match max_margin(&g) {
            Separability::Separable(limit) => {
                assert!(
                    separable && limit.duality_gap.unwrap() <= GAP_TOLERANCE,
                    "{seed}"
                );
                yes += 1;
            }
            Separability::NotSeparable(certificate) => {
                assert!(!separable && certificate.residual < 1e-14, "{seed}");
                no += 1;
            }
            Separability::Undecided(Undecided::Unrepresentable(Unrepresentable::Margins {
                relative,
                margin,
            })) => {
                assert!(separable && relative < 1e-14 && margin.is_some(), "{seed}");
                told += 1;
            }
            other => panic!("{seed}: {other:?}"),
        }
        // In other coordinates and norms more of them are lost to rounding, but none is called what it is not.
        for (basis, exponent) in [
            (Basis::Standard, 1.0),
            (Basis::Fourier, 1.0),
            (Basis::Fourier, 4.0 / 3.0),
        ] {
            match minimise(&g, &potential(basis, g.ncols(), exponent)) {
                Separability::Separable(_) => {
                    assert!(separable, "{seed}: {basis:?}, p = {exponent}")
                }
                Separability::NotSeparable(_) => {
                    assert!(!separable, "{seed}: {basis:?}, p = {exponent}")
                }
                _ => {}
            }
        }
    }
    println!("{yes} separable, {no} not, {told} with margins below rounding");
    assert!(yes > 300 && no > 300 && told > 50);
}

/// Tables of a size people have, of small integers: one-hot, counts, signs, with equal features and equal samples.
#[test]
fn larger_tables_of_integers_are_certified() {
    let mut rng = Pcg64::seed_from_u64(5);
    for case in 0..24 {
        let (n, d) = [(30, 20), (20, 60), (60, 30), (120, 40)][case % 4];
        let kind = case / 4;
        let mut x = DMatrix::from_fn(n, d, |_, _| {
            f64::from(match kind % 3 {
                0 => 2 * rng.random_range(0..2) - 1,
                1 => rng.random_range(0..4),
                _ => i32::from(rng.random_range(0..4) == 0),
            })
        });
        if kind >= 3 {
            for j in 0..d / 4 {
                let copy = x.column(j).into_owned();
                x.set_column(d - 1 - j, &copy);
            }
        }
        // A teacher of integers, whose zero margins its first feature decides.
        let teacher = DMatrix::from_fn(d, 1, |_, _| f64::from(rng.random_range(-2..3)));
        x.column_mut(0).fill(1.0);
        for mut row in x.row_iter_mut() {
            let sign = ((&row * &teacher)[0] + 0.5).signum();
            row *= sign;
        }
        for basis in [Basis::Standard, Basis::Fourier] {
            for exponent in [1.0, 4.0 / 3.0, 2.0] {
                match minimise(&x, &potential(basis, d, exponent)) {
                    Separability::Separable(limit) => {
                        assert!(limit.duality_gap.unwrap() <= GAP_TOLERANCE);
                    }
                    other => panic!("{case}, {n}×{d}, {basis:?}, p = {exponent}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_oracle_knows_closed_forms() {
    let of = |rows: usize, columns: usize, entries: &[f64]| {
        l1_optimum(&DMatrix::from_row_slice(rows, columns, entries))
    };
    let half = BigRational::new(BigInt::one(), BigInt::from(2));
    assert_eq!(
        of(2, 5, &[0.0, 0.0, 1.0, 3.0, 2.0, 3.0, 0.0, 0.0, 1.0, 2.0]),
        Some(half)
    );
    assert_eq!(
        of(1, 2, &[1.0, -4.0]),
        Some(BigRational::new(BigInt::one(), BigInt::from(4)))
    );
    assert_eq!(of(2, 1, &[1.0, -4.0]), None);
    assert_eq!(of(1, 1, &[0.0]), None);
}
