//! Newton systems of implicit steps: `(1 − cJ) x = b` for J = ∂(dy/ds)/∂y.
//!
//! Only the N multiplier directions are stiff. With θ eliminated exactly by the network's
//! [`LinearisedStep`](crate::network::LinearisedStep), in terms of `x_n` defined by `dE_n = E_n C_n x_n`
//! (`x_n = dv_n + λ_n dm_n/C_n`, λ = ∂κ/∂m; x = dv for the exponential loss), the rows of v read `(D_n C_n/c) x_n +
//! Σ_k (M'_nk − (D_n λ_n/c) M_nk) E_k C_k x_k = C_n r_n/c − m'_r,n + (D_n λ_n/c) m_r,n`, with
//! `D_n = 1 + c v_n' tanh(v_n/P)/P`, M and M' the responses of margins and rates to the multipliers, and m_r, m'_r
//! their responses to the residual of θ alone. Columns of samples whose multipliers are too small to matter are
//! diagonal, so a dense system remains in the *active* samples only; it is equilibrated before factorising, since its
//! entries span e^s.
//!
//! Where more samples are active than the input has dimensions (early times with N > D, or data that are not
//! separable), that system is nearly singular: a diagonal plus a matrix of rank D. For a network linear in its input
//! it is then solved in the input space instead, `(1 + R Δ⁻¹ L) y = R Δ⁻¹ b`, `x = Δ⁻¹(b − L y)` with
//! `Δ = diag(DC/c)`, `L = G Q' − diag(Dλ/c) G Q`, `R = Gᵀ diag(EC)`. The difference `b − L y` loses a factor e^s of
//! accuracy, so late times keep the first form; where samples depend on each other, states are coordinates by then (see
//! `coordinates`), and `E_n C_n` becomes the matrix `M diag(C)`.

use super::clock::COMPRESSION;
use super::coordinates::NEEDED_GROWTH;
use super::factors::{Factors, Weights};
use super::system::{FactorisedStep, System};
use crate::network::{InputResponse, LinearisedStep, linearised, pseudo_inverse};
use nalgebra::{DMatrix, DVector, Dyn, LU};

/// Exact elimination to the active samples.
pub(super) struct NewtonStep {
    parameters: usize,
    c: f64,
    step: Box<dyn LinearisedStep>,
    /// `C_n`
    cosh: Vec<f64>,
    /// `D_n C_n/c`
    diagonal: Vec<f64>,
    /// `D_n λ_n/c`
    coupling: Vec<f64>,
    /// `λ_n/C_n`
    margin_shift: Vec<f64>,
    /// `E_n C_n`
    weights: Weights,
    stiff: Stiff,
}

/// The stiff block, `Δ + (M' − diag(Dλ/c) M) diag(EC)`.
enum Stiff {
    /// Dense in the active samples.
    Active {
        active: Vec<usize>,
        /// `(M' − diag(Dλ/c) M) diag(EC)`, N × active.
        columns: DMatrix<f64>,
        factor: Equilibrated,
    },
    /// Diagonal plus a product through the input space.
    Input {
        /// `L`, N × D.
        left: DMatrix<f64>,
        /// `R`, D × N.
        right: DMatrix<f64>,
        /// `1 + R Δ⁻¹ L`
        factor: Equilibrated,
    },
}

impl NewtonStep {
    pub(super) fn new(system: &System, y: &[f64], t: f64, c: f64) -> Self {
        let kernel = system.kernel();
        let parameters = kernel.parameters();
        let theta = &y[..parameters];
        let factors = system.factors(y, t);
        let samples = factors.cosh.len();
        let mut velocity = vec![0.0; parameters];
        let mut p_dot = vec![0.0; samples];
        kernel.velocity(theta, factors.pull(), &mut velocity, &mut p_dot);
        factors.margin_to_multiplier_rates(&mut p_dot);

        let weights = factors.weights();
        let scale: Vec<f64> = (0..samples)
            .map(|n| {
                let v_dot = factors.settled(p_dot[n]) / factors.cosh[n];
                1.0 + c * v_dot * factors.tanh[n] / COMPRESSION
            })
            .collect();
        let active = active_samples(&factors, &weights.own, c);

        let step = linearised(system.shared_kernel(), theta, factors.pull(), c);
        let diagonal: Vec<f64> = (0..samples)
            .map(|n| scale[n] * factors.cosh[n] / c)
            .collect();
        let coupling: Vec<f64> = (0..samples)
            .map(|n| scale[n] * factors.slope[n] / c)
            .collect();
        let beyond_input = kernel
            .signed_samples()
            .is_some_and(|g| active.len() > g.ncols());
        let through_input =
            if beyond_input && factors.growth < NEEDED_GROWTH && weights.others.is_none() {
                step.input_response()
            } else {
                None
            };
        let stiff = match through_input {
            Some(input) => Stiff::through_input(&input, &diagonal, &coupling, &weights.own),
            None => Stiff::in_active(&*step, active, &diagonal, &coupling, &weights),
        };
        let margin_shift = factors
            .slope
            .iter()
            .zip(&factors.cosh)
            .map(|(l, c)| l / c)
            .collect();
        Self {
            parameters,
            c,
            step,
            cosh: factors.cosh,
            diagonal,
            coupling,
            margin_shift,
            weights,
            stiff,
        }
    }
}

/// The samples whose columns matter against their own diagonal C/c: when their weight, relative to the largest,
/// exceeds about (C/c) e^{−s} (the response to the largest weights is of size e^s); 1e-17 below that it is lost in
/// rounding.
fn active_samples(factors: &Factors, weight: &[f64], c: f64) -> Vec<usize> {
    let largest = weight.iter().copied().fold(0.0, f64::max);
    let is_active = |n: &usize| {
        let response = weight[*n] * factors.growth * c.abs();
        weight[*n] > 0.0 && response >= 1e-17 * factors.cosh[*n] * largest
    };
    (0..weight.len()).filter(is_active).collect()
}

impl Stiff {
    fn in_active(
        step: &dyn LinearisedStep,
        active: Vec<usize>,
        diagonal: &[f64],
        coupling: &[f64],
        weights: &Weights,
    ) -> Self {
        let (margins, mut columns) = step.response(&active);
        if let Some(others) = &weights.others {
            columns *= others.select_rows(&active).select_columns(&active);
        }
        for (j, &n) in active.iter().enumerate() {
            for i in 0..diagonal.len() {
                columns[(i, j)] =
                    (columns[(i, j)] - coupling[i] * margins[(i, j)]) * weights.own[n];
            }
        }
        let mut matrix = columns.select_rows(&active);
        for (j, &n) in active.iter().enumerate() {
            matrix[(j, j)] += diagonal[n];
        }
        Self::Active {
            active,
            columns,
            factor: Equilibrated::new(matrix),
        }
    }

    fn through_input(
        input: &InputResponse<'_>,
        diagonal: &[f64],
        coupling: &[f64],
        weight: &[f64],
    ) -> Self {
        let g = input.signed_samples;
        let mut left = g * &input.rates;
        if coupling.iter().any(|k| *k != 0.0) {
            let mut slowed = g * &input.margins;
            for (mut row, k) in slowed.row_iter_mut().zip(coupling) {
                row *= *k;
            }
            left -= slowed;
        }
        let mut right = g.transpose();
        for (mut column, w) in right.column_iter_mut().zip(weight) {
            column *= *w;
        }
        let mut scaled = left.clone();
        for (mut row, d) in scaled.row_iter_mut().zip(diagonal) {
            row /= *d;
        }
        let mut matrix = &right * scaled;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += 1.0;
        }
        Self::Input {
            left,
            right,
            factor: Equilibrated::new(matrix),
        }
    }

    /// Overwrites b with x.
    fn solve(&self, diagonal: &[f64], b: &mut DVector<f64>) {
        match self {
            Self::Active {
                active,
                columns,
                factor,
            } => {
                let mut on_active = b.select_rows(active);
                factor.solve(&mut on_active);
                *b -= columns * &on_active;
                divide(b, diagonal);
                for (j, &n) in active.iter().enumerate() {
                    b[n] = on_active[j];
                }
            }
            Self::Input {
                left,
                right,
                factor,
            } => {
                let mut scaled = b.clone();
                divide(&mut scaled, diagonal);
                let mut y = right * scaled;
                factor.solve(&mut y);
                *b -= left * y;
                divide(b, diagonal);
            }
        }
    }
}

/// `x_n /= d_n`
fn divide(x: &mut DVector<f64>, d: &[f64]) {
    for (x, d) in x.iter_mut().zip(d) {
        *x /= d;
    }
}

impl FactorisedStep for NewtonStep {
    fn solve(&self, b: &mut [f64]) {
        let (theta, v) = b.split_at_mut(self.parameters);
        let mut x = DVector::zeros(v.len());
        let d_margins = self.step.solve(theta, &mut |margins, rates| {
            for n in 0..v.len() {
                let own = self.cosh[n] * v[n] / self.c;
                x[n] = own - rates[n] + self.coupling[n] * margins[n];
            }
            self.stiff.solve(&self.diagonal, &mut x);
            self.weights.apply(&x)
        });
        for n in 0..v.len() {
            v[n] = x[n] - self.margin_shift[n] * d_margins[n];
        }
    }
}

/// A square matrix scaled by rows and columns to entries of size one (Ruiz), then factorised: LU, or, where
/// the matrix is singular to rounding (duplicated or linearly dependent active samples), the pseudo-inverse, which
/// leaves the undetermined combinations of multipliers as they are.
struct Equilibrated {
    row: DVector<f64>,
    column: DVector<f64>,
    factor: Factor,
}

enum Factor {
    Lu(LU<f64, Dyn, Dyn>),
    PseudoInverse(DMatrix<f64>),
}

/// Pivots below this fraction of the largest count as rounding noise.
const SINGULAR: f64 = 1e-13;

impl Equilibrated {
    fn new(mut matrix: DMatrix<f64>) -> Self {
        let n = matrix.nrows();
        let mut row = DVector::from_element(n, 1.0);
        let mut column = DVector::from_element(n, 1.0);
        for _ in 0..4 {
            for i in 0..n {
                let k = inverse_root(matrix.row(i).amax());
                row[i] *= k;
                matrix.row_mut(i).scale_mut(k);
            }
            for j in 0..n {
                let k = inverse_root(matrix.column(j).amax());
                column[j] *= k;
                matrix.column_mut(j).scale_mut(k);
            }
        }
        let lu = matrix.clone().lu();
        let pivots = lu.u().diagonal().abs();
        let singular = n > 0 && pivots.min() < SINGULAR * pivots.max();
        let inverse = singular
            .then(|| pseudo_inverse(matrix, |largest| SINGULAR * largest))
            .flatten();
        let factor = inverse.map_or(Factor::Lu(lu), Factor::PseudoInverse);
        Self {
            row,
            column,
            factor,
        }
    }

    /// Overwrites b with the solution; not finite where the matrix was exactly singular, so that the Newton iteration
    /// reports failure and the step is cut.
    fn solve(&self, b: &mut DVector<f64>) {
        // No sample is active where every multiplier is negligible, and nalgebra's LU takes no empty systems.
        if b.is_empty() {
            return;
        }
        b.component_mul_assign(&self.row);
        match &self.factor {
            Factor::Lu(lu) => {
                if !lu.solve_mut(b) {
                    b.fill(f64::NAN);
                }
            }
            Factor::PseudoInverse(inverse) => *b = inverse * &*b,
        }
        b.component_mul_assign(&self.column);
    }
}

/// `1/√x`, or 1 for empty or overflowed rows.
fn inverse_root(x: f64) -> f64 {
    if x > 0.0 && x.is_finite() {
        x.sqrt().recip()
    } else {
        1.0
    }
}

/// The full matrix by Jacobian products, equilibrated LU. O((P+N)³): for comparison only.
pub(super) struct DenseStep {
    factor: Equilibrated,
}

impl DenseStep {
    pub(super) fn new(system: &System, y: &[f64], t: f64, c: f64) -> Self {
        let n = y.len();
        let mut matrix = DMatrix::identity(n, n);
        let mut direction = vec![0.0; n];
        let mut product = vec![0.0; n];
        for j in 0..n {
            direction[j] = 1.0;
            system.jacobian_product(y, t, &direction, &mut product);
            direction[j] = 0.0;
            for (i, p) in product.iter().enumerate() {
                matrix[(i, j)] -= c * p;
            }
        }
        Self {
            factor: Equilibrated::new(matrix),
        }
    }
}

impl FactorisedStep for DenseStep {
    fn solve(&self, b: &mut [f64]) {
        let mut x = DVector::from_column_slice(b);
        self.factor.solve(&mut x);
        b.copy_from_slice(x.as_slice());
    }
}
