//! One step of a vector of pairs through all layers, in registers.

use pulp::Simd;

/// A vector of pairs.
#[derive(Clone, Copy)]
pub(super) struct Pair<S: Simd> {
    pub(super) first: S::f64s,
    pub(super) second: S::f64s,
}

impl<S: Simd> Pair<S> {
    #[inline(always)]
    pub(super) fn from([first, second]: [S::f64s; 2]) -> Self {
        Self { first, second }
    }

    #[inline(always)]
    pub(super) fn parts(self) -> [S::f64s; 2] {
        [self.first, self.second]
    }
}

/// How pairs multiply.
pub(super) trait Product<S: Simd>: Copy {
    /// `c + a b`
    fn add_product(self, simd: S, a: Pair<S>, b: Pair<S>, c: Pair<S>) -> Pair<S>;

    /// `a b`
    fn product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S>;

    /// `a b^*`
    fn conjugate_product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S>;
}

/// Complex numbers.
#[derive(Clone, Copy)]
pub(super) struct Complex;

/// Two real numbers each.
#[derive(Clone, Copy)]
pub(super) struct Real;

/// Complex numbers, except in lanes that hold two real ones.
#[derive(Clone, Copy)]
pub(super) struct Mixed<S: Simd> {
    /// Lanes whose pair is real.
    pub(super) real: S::m64s,
}

impl<S: Simd> Product<S> for Complex {
    #[inline(always)]
    fn add_product(self, simd: S, a: Pair<S>, b: Pair<S>, c: Pair<S>) -> Pair<S> {
        let first = simd.mul_add_e_f64s(a.first, b.first, c.first);
        let second = simd.mul_add_e_f64s(a.first, b.second, c.second);
        Pair {
            first: simd.mul_add_e_f64s(simd.neg_f64s(a.second), b.second, first),
            second: simd.mul_add_e_f64s(a.second, b.first, second),
        }
    }

    #[inline(always)]
    fn product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        let first = simd.mul_f64s(a.first, b.first);
        let second = simd.mul_f64s(a.first, b.second);
        Pair {
            first: simd.mul_add_e_f64s(simd.neg_f64s(a.second), b.second, first),
            second: simd.mul_add_e_f64s(a.second, b.first, second),
        }
    }

    #[inline(always)]
    fn conjugate_product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        let first = simd.mul_f64s(a.first, b.first);
        let second = simd.mul_f64s(a.second, b.first);
        Pair {
            first: simd.mul_add_e_f64s(a.second, b.second, first),
            second: simd.mul_add_e_f64s(simd.neg_f64s(a.first), b.second, second),
        }
    }
}

impl<S: Simd> Product<S> for Real {
    #[inline(always)]
    fn add_product(self, simd: S, a: Pair<S>, b: Pair<S>, c: Pair<S>) -> Pair<S> {
        Pair {
            first: simd.mul_add_e_f64s(a.first, b.first, c.first),
            second: simd.mul_add_e_f64s(a.second, b.second, c.second),
        }
    }

    #[inline(always)]
    fn product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        Pair {
            first: simd.mul_f64s(a.first, b.first),
            second: simd.mul_f64s(a.second, b.second),
        }
    }

    #[inline(always)]
    fn conjugate_product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        self.product(simd, a, b)
    }
}

impl<S: Simd> Mixed<S> {
    #[inline(always)]
    fn choose(self, simd: S, complex: Pair<S>, real: Pair<S>) -> Pair<S> {
        Pair {
            first: simd.select_f64s(self.real, real.first, complex.first),
            second: simd.select_f64s(self.real, real.second, complex.second),
        }
    }
}

impl<S: Simd> Product<S> for Mixed<S> {
    #[inline(always)]
    fn add_product(self, simd: S, a: Pair<S>, b: Pair<S>, c: Pair<S>) -> Pair<S> {
        let real = Real.add_product(simd, a, b, c);
        self.choose(simd, Complex.add_product(simd, a, b, c), real)
    }

    #[inline(always)]
    fn product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        let real = Real.product(simd, a, b);
        self.choose(simd, Complex.product(simd, a, b), real)
    }

    #[inline(always)]
    fn conjugate_product(self, simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
        let real = Real.product(simd, a, b);
        self.choose(simd, Complex.conjugate_product(simd, a, b), real)
    }
}

/// `β = u_1 ⋯ u_L`
#[inline(always)]
pub(super) fn predictor<S: Simd>(
    simd: S,
    algebra: impl Product<S>,
    weights: &[[S::f64s; 2]],
) -> Pair<S> {
    let mut layers = weights.iter().map(|u| Pair::from(*u));
    let first = layers.next().expect("a network has a layer");
    layers.fold(first, |beta, u| algebra.product(simd, beta, u))
}

/// One step under fixed feedback, `u_l ← u_l + b_l z u_1^* ⋯ u_{l−1}^*` with `b_L = 1`; β after it.
#[inline(always)]
pub(super) fn feedback_step<S: Simd>(
    simd: S,
    algebra: impl Product<S>,
    z: Pair<S>,
    weights: &mut [[S::f64s; 2]],
    feedback: impl Iterator<Item = Pair<S>>,
) -> Pair<S> {
    let (output, hidden) = weights.split_last_mut().expect("a network has a layer");
    let mut forward = z;
    let mut beta = None;
    for (weights, b) in hidden.iter_mut().zip(feedback) {
        let u = Pair::from(*weights);
        let moved = algebra.add_product(simd, b, forward, u);
        forward = algebra.conjugate_product(simd, forward, u);
        beta = Some(beta.map_or(moved, |beta| algebra.product(simd, beta, moved)));
        *weights = moved.parts();
    }
    let moved = sum(simd, Pair::from(*output), forward);
    *output = moved.parts();
    beta.map_or(moved, |beta| algebra.product(simd, beta, moved))
}

/// One step of gradient descent, `u_l ← u_l + z ∏_{k≠l} u_k^*`; β after it. `above` has room for one entry per
/// hidden layer.
#[inline(always)]
pub(super) fn gradient_step<S: Simd>(
    simd: S,
    algebra: impl Product<S>,
    z: Pair<S>,
    weights: &mut [[S::f64s; 2]],
    above: &mut [[S::f64s; 2]],
) -> Pair<S> {
    let (output, hidden) = weights.split_last_mut().expect("a network has a layer");
    let mut product = Pair::from(*output);
    for (above, u) in above.iter_mut().zip(hidden.iter()).rev() {
        *above = product.parts();
        product = algebra.product(simd, Pair::from(*u), product);
    }
    let mut forward = z;
    let mut beta = None;
    for (weights, above) in hidden.iter_mut().zip(above.iter()) {
        let u = Pair::from(*weights);
        let step = algebra.conjugate_product(simd, forward, Pair::from(*above));
        let moved = sum(simd, u, step);
        forward = algebra.conjugate_product(simd, forward, u);
        beta = Some(beta.map_or(moved, |beta| algebra.product(simd, beta, moved)));
        *weights = moved.parts();
    }
    let moved = sum(simd, Pair::from(*output), forward);
    *output = moved.parts();
    beta.map_or(moved, |beta| algebra.product(simd, beta, moved))
}

#[inline(always)]
fn sum<S: Simd>(simd: S, a: Pair<S>, b: Pair<S>) -> Pair<S> {
    Pair {
        first: simd.add_f64s(a.first, b.first),
        second: simd.add_f64s(a.second, b.second),
    }
}
