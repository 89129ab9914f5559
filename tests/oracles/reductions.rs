//! Exact reductions of the flow as kernels of their own: an independent formulation of the same dynamics.

use super::*;

/// DFA from zero weights as D numbers: `Z' = Σ α_n g_n`, `β(Z) = c ‖Z‖^{2k} Z`, `k = 2^{L−1} − 1`.
///
/// With `q = ‖Z‖²`: `∂β·u = c (q^k u + 2k q^{k−1} (Z·u) Z)`.
pub struct ZeroInitial {
    g: DMatrix<f64>,
    c: f64,
    k: i32,
}

impl ZeroInitial {
    /// `c = 2^{−(2^L−L−1)} ∏_{l<L} ‖b_l‖^{2^{L−l}}`
    pub fn new(problem: &Problem) -> Self {
        let depth = problem.network().depth() as i32;
        let b = problem.feedback().expect("DFA");
        let mut c = 2f64.powi(-(2i32.pow(depth as u32) - depth - 1));
        for (l, b_l) in (1..depth).zip(b) {
            c *= b_l.norm().powi(2i32.pow((depth - l) as u32));
        }
        Self {
            g: problem.dataset().signed_samples().clone(),
            c,
            k: 2i32.pow(depth as u32 - 1) - 1,
        }
    }

    pub fn beta(&self, z: &DVector<f64>) -> DVector<f64> {
        z * (self.c * z.norm_squared().powi(self.k))
    }

    pub fn beta_along(&self, z: &DVector<f64>, u: &DVector<f64>) -> DVector<f64> {
        let (q, k) = (z.norm_squared(), self.k);
        (u * q.powi(k) + z * (2.0 * k as f64 * q.powi(k - 1) * z.dot(u))) * self.c
    }

    /// The second derivative of β along u and w.
    pub fn beta_along_twice(
        &self,
        z: &DVector<f64>,
        u: &DVector<f64>,
        w: &DVector<f64>,
    ) -> DVector<f64> {
        let (q, k) = (z.norm_squared(), self.k);
        let kk = 2.0 * k as f64;
        let mut sum = (u * z.dot(w) + w * z.dot(u) + z * w.dot(u)) * (kk * q.powi(k - 1));
        if k > 1 {
            sum += z * (kk * 2.0 * (k - 1) as f64 * q.powi(k - 2) * z.dot(w) * z.dot(u));
        }
        sum * self.c
    }
}

impl Kernel for ZeroInitial {
    fn parameters(&self) -> usize {
        self.g.ncols()
    }

    fn samples(&self) -> usize {
        self.g.nrows()
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = self.beta(&DVector::from_column_slice(theta));
        margins.copy_from_slice((&self.g * beta).as_slice());
    }

    fn velocity(&self, theta: &[f64], alpha: &[f64], velocity: &mut [f64], rates: &mut [f64]) {
        let z = DVector::from_column_slice(theta);
        let z_dot = self.g.tr_mul(&DVector::from_column_slice(alpha));
        velocity.copy_from_slice(z_dot.as_slice());
        rates.copy_from_slice((&self.g * self.beta_along(&z, &z_dot)).as_slice());
    }

    fn tangent(&self, theta: &[f64], alpha: &[f64], d_theta: &[f64], d_alpha: &[f64]) -> Tangent {
        let [z, dz] = [theta, d_theta].map(DVector::from_column_slice);
        let [z_dot, dz_dot] =
            [alpha, d_alpha].map(|a| self.g.tr_mul(&DVector::from_column_slice(a)));
        let acceleration = self.beta_along_twice(&z, &z_dot, &dz) + self.beta_along(&z, &dz_dot);
        Tangent {
            velocity: dz_dot.as_slice().to_vec(),
            margins: &self.g * self.beta_along(&z, &dz),
            rates: &self.g * acceleration,
        }
    }
}

/// A matrix with a directional derivative: sums and products carry it along exactly.
#[derive(Clone)]
pub struct Dual {
    pub value: DMatrix<f64>,
    slope: DMatrix<f64>,
}

impl Dual {
    pub fn column(value: &[f64], slope: &[f64]) -> Self {
        Self {
            value: DMatrix::from_column_slice(value.len(), 1, value),
            slope: DMatrix::from_column_slice(slope.len(), 1, slope),
        }
    }

    pub fn constant(value: DMatrix<f64>) -> Self {
        let slope = DMatrix::zeros(value.nrows(), value.ncols());
        Self { value, slope }
    }

    /// `bᵀ`
    pub fn row(b: &DVector<f64>) -> Self {
        Self::constant(DMatrix::from_row_slice(1, b.len(), b.as_slice()))
    }

    pub fn transpose(&self) -> Self {
        Self {
            value: self.value.transpose(),
            slope: self.slope.transpose(),
        }
    }
}

impl Mul for &Dual {
    type Output = Dual;
    fn mul(self, other: &Dual) -> Dual {
        Dual {
            value: &self.value * &other.value,
            slope: &self.slope * &other.value + &self.value * &other.slope,
        }
    }
}

impl Add for &Dual {
    type Output = Dual;
    fn add(self, other: &Dual) -> Dual {
        Dual {
            value: &self.value + &other.value,
            slope: &self.slope + &other.slope,
        }
    }
}

/// DFA from any weights as L·D numbers: `w_l = w_l(0) + u_l b_lᵀ`, `u_l' = (w_1⋯w_{l−1})ᵀ z`, `b_L = 1`.
pub struct FeedbackReduction {
    g: DMatrix<f64>,
    start: Vec<DMatrix<f64>>,
    feedback: Vec<DVector<f64>>,
}

impl FeedbackReduction {
    pub fn new(problem: &Problem) -> Self {
        let mut feedback = problem.feedback().expect("DFA").to_vec();
        feedback.push(DVector::from_element(1, 1.0));
        Self {
            g: problem.dataset().signed_samples().clone(),
            start: problem.network().weights(problem.theta0().as_slice()),
            feedback,
        }
    }

    pub fn weights(&self, u: &Dual) -> Vec<Dual> {
        let mut row = 0;
        self.start
            .iter()
            .zip(&self.feedback)
            .map(|(w, b)| {
                let n = w.nrows();
                let u_l = Dual {
                    value: u.value.rows(row, n).into(),
                    slope: u.slope.rows(row, n).into(),
                };
                row += n;
                &Dual::constant(w.clone()) + &(&u_l * &Dual::row(b))
            })
            .collect()
    }

    pub fn beta(&self, u: &Dual) -> Dual {
        let w = self.weights(u);
        w[1..].iter().fold(w[0].clone(), |p, w_l| &p * w_l)
    }

    /// (u', margins, margin rates), with every product written out.
    pub fn fields(&self, u: &Dual, alpha: &Dual) -> (Vec<Dual>, Dual, Dual) {
        let g = Dual::constant(self.g.clone());
        let w = self.weights(u);
        let z = &g.transpose() * alpha;
        let before = |l: usize| {
            let one = Dual::constant(DMatrix::identity(self.g.ncols(), self.g.ncols()));
            w[..l].iter().fold(one, |p, w_k| &p * w_k)
        };
        let velocity: Vec<Dual> = (0..w.len()).map(|l| &before(l).transpose() * &z).collect();
        let mut beta_dot = Dual::constant(DMatrix::zeros(self.g.ncols(), 1));
        for (l, u_dot) in velocity.iter().enumerate() {
            let start = &before(l) * &(u_dot * &Dual::row(&self.feedback[l]));
            beta_dot = &beta_dot + &w[l + 1..].iter().fold(start, |p, w_k| &p * w_k);
        }
        (velocity, &g * &before(w.len()), &g * &beta_dot)
    }
}

impl Kernel for FeedbackReduction {
    fn parameters(&self) -> usize {
        self.start.iter().map(|w| w.nrows()).sum()
    }

    fn samples(&self) -> usize {
        self.g.nrows()
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = self.beta(&Dual::column(theta, theta)).value;
        margins.copy_from_slice((&self.g * beta).as_slice());
    }

    fn velocity(&self, theta: &[f64], alpha: &[f64], velocity: &mut [f64], rates: &mut [f64]) {
        let (u_dot, _, r) = self.fields(&Dual::column(theta, theta), &Dual::column(alpha, alpha));
        let flat: Vec<f64> = u_dot.iter().flat_map(|u| u.value.iter().copied()).collect();
        velocity.copy_from_slice(&flat);
        rates.copy_from_slice(r.value.as_slice());
    }

    fn tangent(&self, theta: &[f64], alpha: &[f64], d_theta: &[f64], d_alpha: &[f64]) -> Tangent {
        let (u_dot, m, r) =
            self.fields(&Dual::column(theta, d_theta), &Dual::column(alpha, d_alpha));
        Tangent {
            velocity: u_dot.iter().flat_map(|u| u.slope.iter().copied()).collect(),
            margins: m.slope.column(0).into_owned(),
            rates: r.slope.column(0).into_owned(),
        }
    }
}
