//! Makes statements about networks with several outputs: Schatten norms, and the nuclear norm.

use super::newton::{Measured, Refinement, multipliers};
use super::numbers::{angle_between, angle_of_sine, excess, least, logarithm};
use crate::certify::check::vectors::{Matrix, Vector};
use crate::certify::check::{Data, Exact, Factored, LeastNuclear, LeastSchatten, Near, Proof, Ray};
use crate::certify::dyadic::Dyadic;
use crate::limit::Limit;
use crate::singular::Singular;
use nalgebra::{DMatrix, DVector};

/// Multipliers below these shares of the largest are taken for zero, one after the other.
const AT_ZERO: [f64; 3] = [0.0, 1e-9, 1e-6];

/// Depths that the checker knows.
const DEPTHS: std::ops::RangeInclusive<u32> = 2..=5;

/// What a statement is to be made of.
pub(super) struct Target<'a> {
    pub limit: &'a Limit,
    /// Rows to be separated, N(C − 1) × DC.
    pub rows: &'a DMatrix<f64>,
    /// D and C.
    pub shape: (usize, usize),
    /// Of the network.
    pub depth: usize,
    /// Named directions besides that of the limit.
    pub directions: Vec<(&'static str, DVector<f64>)>,
}

/// `None` for other norms, and where numbers are not finite or a size is beyond the checker.
pub(super) fn make(target: &Target<'_>, data: &Data) -> Option<Proof> {
    let exact = Exact::of(data).ok()?;
    let p = target.limit.potential.exponent;
    if p == 1.0 {
        return target.nuclear(&exact).map(Proof::LeastNuclear);
    }
    let depth = target.depth as u32;
    let q = 2f64.powi(depth as i32);
    let is_power = DEPTHS.contains(&depth) && (p * (q - 1.0) - q).abs() < 1e-9 * q;
    (is_power.then(|| target.schatten(&exact, depth)))?.map(Proof::LeastSchatten)
}

impl Target<'_> {
    /// The limit and the other directions.
    fn all(&self) -> impl Iterator<Item = (&'static str, DVector<f64>)> {
        let limit = ("limit", self.limit.beta.clone());
        std::iter::once(limit).chain(self.directions.iter().cloned())
    }

    fn schatten(&self, exact: &Exact<'_>, depth: u32) -> Option<LeastSchatten> {
        let tried = AT_ZERO
            .iter()
            .filter_map(|share| self.refined(exact, depth, *share));
        let (mut proof, gap) = tried.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let dual = proof.dual(exact).ok()?;
        let product = &exact.samples.times(&dual.ray.beta).least() * &dual.total;
        proof.gap = least(gap, |g| {
            dual.ray.product <= &(&Dyadic::one() + g) * &product
        })?;
        let start = angle_of_sine(sine(&dual.ray, dual.q, proof.gap.to_f64()))?;
        proof.angle = least(start, |theta| {
            let within = dual.ray.is_within(dual.q, &proof.gap, theta);
            within.unwrap_or(false)
        });
        let own = proof.angle.as_ref();
        let near = |(name, beta): (&str, DVector<f64>)| {
            let beta = Dyadic::list(beta.iter())?;
            let apart = angle_between(&Vector::of(&beta).ok()?, &dual.ray.beta)?;
            Some(Near {
                name: name.into(),
                beta,
                angle: &apart + own?,
            })
        };
        proof.directions = self.all().filter_map(near).collect();
        Some(proof)
    }

    /// Multipliers refined on those above a share of the largest, and their gap.
    fn refined(&self, exact: &Exact<'_>, depth: u32, share: f64) -> Option<(LeastSchatten, f64)> {
        let of_limit = &self.limit.multipliers;
        let cut = share * of_limit.amax();
        let start = of_limit.map(|a| if a > cut { a } else { 0.0 });
        let support: Vec<usize> = (0..start.len()).filter(|n| start[*n] > 0.0).collect();
        let of = |multipliers: &[Dyadic]| LeastSchatten {
            depth,
            multipliers: multipliers.to_vec(),
            gap: Dyadic::zero(),
            angle: None,
            directions: Vec::new(),
        };
        let rows: &Matrix = &exact.samples;
        let measure = |multipliers: &[Dyadic]| {
            let dual = of(multipliers).dual(exact).ok()?;
            Some(Measured::of(&dual.ray, &dual.total, rows))
        };
        let size = self.rows.amax();
        let active = self.rows.select_rows(&support) / size;
        let refinement = Refinement {
            support: &support,
            measure: &measure,
            curvature: &|a| curvature(&active, a, self.shape, depth),
        };
        let (found, gap) = refinement.of(multipliers(&start)?)?;
        Some((of(&found), gap))
    }

    fn nuclear(&self, exact: &Exact<'_>) -> Option<LeastNuclear> {
        let mut proof = LeastNuclear {
            multipliers: multipliers(&self.limit.multipliers)?,
            bound: Dyadic::one(),
            directions: Vec::new(),
        };
        let (d, c) = self.shape;
        let z = self.rows.tr_mul(&self.limit.multipliers);
        let z = DMatrix::from_column_slice(d, c, z.as_slice());
        let largest = *Singular::of(&z).values.first()?;
        proof.bound = least(largest, |bound| {
            let tried = LeastNuclear {
                bound: bound.clone(),
                ..proof.clone()
            };
            tried.total(exact).is_ok()
        })?;
        let total = proof.total(exact).ok()?;
        let factored = |(name, beta): (&str, DVector<f64>)| {
            let (left, right) = factors(&beta, self.shape)?;
            let mut of = Factored {
                name: name.into(),
                left,
                right,
                gap: Dyadic::zero(),
            };
            let sides = proof.sides(&of, &total, exact).ok()?;
            of.gap = excess(&sides, 1)?;
            Some(of)
        };
        let directions: Vec<Factored> = self.all().filter_map(factored).collect();
        proof.directions = directions;
        (!proof.directions.is_empty()).then_some(proof)
    }
}

type Rows = Vec<Vec<Dyadic>>;

/// `U √Σ` and `V √Σ`, without what is zero.
fn factors(beta: &DVector<f64>, (d, c): (usize, usize)) -> Option<(Rows, Rows)> {
    let found = Singular::of(&DMatrix::from_column_slice(d, c, beta.as_slice()));
    let rank = found.values.iter().filter(|sigma| **sigma > 0.0).count();
    let scaled = |basis: &DMatrix<f64>| {
        let mut factor = basis.columns(0, rank).into_owned();
        for (mut column, sigma) in factor.column_iter_mut().zip(&found.values) {
            column *= sigma.sqrt();
        }
        super::least_norm::rows_of(&factor)
    };
    (rank > 0).then(|| Some((scaled(&found.u)?, scaled(&found.v)?)))?
}

/// `G_S ∇²Ψ* G_Sᵀ/m̄` of `Ψ* = tr (ZᵀZ)^{q/2}/q`: with `S = ZᵀZ` and `k = q/2 − 1`, a change E of Z changes `Z S^k` by
/// `E S^k + Z Σ_{i<k} S^i (EᵀZ + ZᵀE) S^{k−1−i}`.
fn curvature(
    active: &DMatrix<f64>,
    a: &DVector<f64>,
    (d, c): (usize, usize),
    depth: u32,
) -> DMatrix<f64> {
    let z = DMatrix::from_column_slice(d, c, active.tr_mul(a).as_slice());
    let s = z.tr_mul(&z);
    let k = (1usize << (depth - 1)) - 1;
    let mut powers = vec![DMatrix::identity(c, c)];
    for i in 0..k {
        powers.push(&powers[i] * &s);
    }
    let mut changes = DMatrix::zeros(d * c, active.nrows());
    for (row, mut change) in active.row_iter().zip(changes.column_iter_mut()) {
        let e = DMatrix::from_iterator(d, c, row.iter().copied());
        let turned = e.tr_mul(&z);
        let symmetric = &turned + turned.transpose();
        let inner = (0..k).fold(DMatrix::zeros(c, c), |sum, i| {
            sum + &powers[i] * &symmetric * &powers[k - 1 - i]
        });
        change.copy_from_slice((e * &powers[k] + &z * inner).as_slice());
    }
    let beta = &z * &powers[k];
    let mean = (active * DVector::from_column_slice(beta.as_slice())).mean();
    active * changes / mean
}

/// `√(2(2g+g²)(q−1)) ψ(ζ)/‖ζ‖`.
fn sine(ray: &Ray, q: u32, gap: f64) -> f64 {
    let q = f64::from(q);
    let log_psi = (q - 1.0) / q * logarithm(&ray.product);
    let log_size = 0.5 * logarithm(&ray.beta.square());
    (2.0 * (2.0 * gap + gap * gap) * (q - 1.0)).sqrt() * (log_psi - log_size).exp()
}
