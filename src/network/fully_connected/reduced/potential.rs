//! The polynomial F(Z) of degree 2ᴸ with `β = ∇F(Z)`, its gradient and its Hessian, with directional derivatives.
//!
//! With `a_l = ½‖u_l‖²` the recursion `u_{l+1} = w_l(0)ᵀu_l + a_l b_l` is linear in Z and in the numbers a. Unrolled
//! in the coordinates c of `Z = Q c`, it reads
//! ```text
//! u_l = P_lᵀ c + Σ_{k<l} a_k q_kl,     P_l = Qᵀ w_1(0)⋯w_{l−1}(0),     q_kl = (w_{k+1}(0)⋯w_{l−1}(0))ᵀ b_k
//! ```
//! with P and q fixed for the whole run, and mostly zero for weights that start at zero. With the derivatives
//! `y_l = ∇a_l` with respect to c and `σ_l = ∂F/∂a_l`,
//! ```text
//! y_l = P_l u_l + Σ_{k<l} (q_kl·u_l) y_k                  σ_k = q_k,L+1 + Σ_{l>k} (q_kl·u_l) σ_l
//! ∇F  = P_{L+1} + Σ_k q_k,L+1 y_k                         ∇²F = Σ_l σ_l Π_l Π_lᵀ,   Π_l = P_l + Σ_{k<l} y_k q_klᵀ
//! ```
//! No product with a weight matrix remains: a gradient takes two products with each P_l, and `Π_l Π_lᵀ` is the fixed
//! `P_l P_lᵀ` plus a matrix of rank 2(l−1).
//!
//! # Jets
//! One evaluation carries derivatives along: the columns of c are the value and the coefficients of ε, δ and εδ (the
//! first one, two or four of these), and products are those of polynomials with ε² = δ² = 0.

use nalgebra::{DMatrix, DVector};

/// A number and its coefficients of ε, δ, εδ; those a computation does not carry are zero.
type Jet = [f64; 4];

/// `Σ x_i y_j` over the pairs of coefficients i, j that make up the coefficient `of`.
fn coefficient(of: usize, mut product: impl FnMut(usize, usize) -> f64) -> f64 {
    (0..=of)
        .filter(|i| i & of == *i)
        .map(|i| product(i, of ^ i))
        .sum()
}

/// `y ← y + f x` of jets.
fn add_scaled(y: &mut DMatrix<f64>, f: &Jet, x: &DMatrix<f64>) {
    for (of, mut column) in y.column_iter_mut().enumerate() {
        for i in (0..=of).filter(|i| i & of == *i) {
            column.axpy(f[i], &x.column(of ^ i), 1.0);
        }
    }
}

/// Layer l ≥ 2 of the recursion.
struct Layer {
    /// Inputs of the layer.
    width: usize,
    /// `P_l`, unknowns × width, and `P_l P_lᵀ`; none where P is zero.
    initial: Option<(DMatrix<f64>, DMatrix<f64>)>,
    /// `q_kl` where it is not zero.
    carried: Vec<Carried>,
    /// `q_kl·q_k'l` of pairs in `carried`.
    products: DMatrix<f64>,
}

struct Carried {
    /// k − 1
    layer: usize,
    /// `q_kl`
    q: DVector<f64>,
    /// `P_l q_kl`
    response: DVector<f64>,
}

/// See the module.
pub(super) struct Potential {
    /// Layers 2 … L.
    layers: Vec<Layer>,
    /// `P_{L+1}`
    slope: DVector<f64>,
    /// `q_{k,L+1}`, k = 1 … L.
    weights: Vec<f64>,
}

/// The recursion at one point, one entry per layer 1 … L.
struct Climb {
    /// `y_l`
    y: Vec<DMatrix<f64>>,
    /// `q_kl·u_l` for each k in `carried`.
    inner: Vec<Vec<Jet>>,
}

fn is_zero(x: &DMatrix<f64>) -> bool {
    x.iter().all(|x| *x == 0.0)
}

impl Potential {
    /// Built from Q (D × unknowns, none for the identity), `w_1(0) … w_L(0)` and `b_1 … b_L`.
    pub(super) fn new(
        basis: Option<&DMatrix<f64>>,
        initial: &[DMatrix<f64>],
        feedback: &[DVector<f64>],
    ) -> Self {
        let first = &initial[0];
        let mut p = match basis {
            Some(basis) => basis.tr_mul(first),
            None => first.clone(),
        };
        let mut q = vec![feedback[0].clone()];
        let mut layers = Vec::with_capacity(initial.len() - 1);
        for (w, b) in initial.iter().zip(feedback).skip(1) {
            layers.push(Layer::new(&p, &q));
            p = &p * w;
            for q in &mut q {
                *q = w.tr_mul(q);
            }
            q.push(b.clone());
        }
        Self {
            layers,
            slope: p.column(0).into_owned(),
            weights: q.iter().map(|q| q[0]).collect(),
        }
    }

    fn climb(&self, c: DMatrix<f64>) -> Climb {
        let jets = c.ncols();
        let half_square = |u: &DMatrix<f64>| -> Jet {
            let part = |of| coefficient(of, |i, j| 0.5 * u.column(i).dot(&u.column(j)));
            std::array::from_fn(|of| if of < jets { part(of) } else { 0.0 })
        };
        let mut a = vec![half_square(&c)];
        let mut y = vec![c];
        let mut inner = vec![Vec::new()];
        for layer in &self.layers {
            let mut u = match &layer.initial {
                Some((p, _)) => p.tr_mul(&y[0]),
                None => DMatrix::zeros(layer.width, jets),
            };
            for carried in &layer.carried {
                for (mut u, a) in u.column_iter_mut().zip(a[carried.layer]) {
                    u.axpy(a, &carried.q, 1.0);
                }
            }
            let mut y_l = match &layer.initial {
                Some((p, _)) => p * &u,
                None => DMatrix::zeros(y[0].nrows(), jets),
            };
            let mut inner_l = Vec::with_capacity(layer.carried.len());
            for Carried { layer, q, .. } in &layer.carried {
                let along = |i| if i < jets { q.dot(&u.column(i)) } else { 0.0 };
                let along: Jet = std::array::from_fn(along);
                add_scaled(&mut y_l, &along, &y[*layer]);
                inner_l.push(along);
            }
            a.push(half_square(&u));
            y.push(y_l);
            inner.push(inner_l);
        }
        Climb { y, inner }
    }

    /// ∇F and its derivatives, one column for each column of `c` (unknowns × 1, 2 or 4).
    pub(super) fn gradient(&self, c: DMatrix<f64>) -> DMatrix<f64> {
        let mut gradient = DMatrix::zeros(c.nrows(), c.ncols());
        gradient.set_column(0, &self.slope);
        for (y, weight) in self.climb(c).y.iter().zip(&self.weights) {
            add_scaled(&mut gradient, &[*weight, 0.0, 0.0, 0.0], y);
        }
        gradient
    }

    /// ∇²F and its derivative, at `c` (unknowns × 2: value and direction).
    pub(super) fn hessian(&self, c: DMatrix<f64>) -> [DMatrix<f64>; 2] {
        let n = c.nrows();
        let climb = self.climb(c);
        let sigma = self.slopes(&climb);
        let identity = DMatrix::identity(n, n);
        let mut hessian = [&identity * sigma[0][0], identity * sigma[0][1]];
        // terms to be added together with their transposes
        let mut half = [DMatrix::zeros(n, n), DMatrix::zeros(n, n)];
        for (layer, sigma) in self.layers.iter().zip(&sigma[1..]) {
            if let Some((_, gram)) = &layer.initial {
                for (hessian, sigma) in hessian.iter_mut().zip(sigma) {
                    hessian.zip_apply(gram, |h, k| *h += sigma * k);
                }
            }
            for (j, carried) in layer.carried.iter().enumerate() {
                let mut v = DMatrix::zeros(n, 2);
                v.set_column(0, &carried.response);
                for (other, product) in layer.carried.iter().zip(&layer.products.column(j)) {
                    v.zip_apply(&climb.y[other.layer], |v, y| *v += 0.5 * product * y);
                }
                let y = &climb.y[carried.layer];
                let mut scaled = DMatrix::zeros(n, 2);
                add_scaled(&mut scaled, sigma, &v);
                half[0].ger(1.0, &scaled.column(0), &y.column(0), 1.0);
                half[1].ger(1.0, &scaled.column(1), &y.column(0), 1.0);
                half[1].ger(1.0, &scaled.column(0), &y.column(1), 1.0);
            }
        }
        for (hessian, half) in hessian.iter_mut().zip(half) {
            *hessian += half.transpose();
            *hessian += half;
        }
        hessian
    }

    /// `σ_1 … σ_L`
    fn slopes(&self, climb: &Climb) -> Vec<Jet> {
        let mut sigma: Vec<Jet> = self.weights.iter().map(|w| [*w, 0.0, 0.0, 0.0]).collect();
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let above = sigma[l + 1];
            for (carried, inner) in layer.carried.iter().zip(&climb.inner[l + 1]) {
                for (of, sigma) in sigma[carried.layer].iter_mut().enumerate() {
                    *sigma += coefficient(of, |i, j| inner[i] * above[j]);
                }
            }
        }
        sigma
    }
}

impl Layer {
    /// Built from `P_l` and `q_1l … q_{l−1,l}`.
    fn new(p: &DMatrix<f64>, q: &[DVector<f64>]) -> Self {
        let carried: Vec<Carried> = q
            .iter()
            .enumerate()
            .filter(|(_, q)| q.iter().any(|q| *q != 0.0))
            .map(|(layer, q)| Carried {
                layer,
                q: q.clone(),
                response: p * q,
            })
            .collect();
        let products = DMatrix::from_fn(carried.len(), carried.len(), |i, j| {
            carried[i].q.dot(&carried[j].q)
        });
        Self {
            width: p.ncols(),
            initial: (!is_zero(p)).then(|| (p.clone(), p * p.transpose())),
            carried,
            products,
        }
    }
}
