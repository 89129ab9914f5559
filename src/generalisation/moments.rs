//! Moments of one block: `ωλ x^{p−1} + q x = S R`.
//!
//! x is not solved for: R is a function of x, so expectations over R are integrals over `y = x^{p−1}` (`y = x` for p
//! = 1), in which both R and the integrand are smooth, even where x(R) has an infinite slope or a kink.

use super::numerics::{density, gauss_legendre};
use super::potential::BlockSize;
use std::sync::LazyLock;

static RULE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| gauss_legendre(NODES));

const NODES: usize = 80;

/// Fields longer than this are neglected: their probability is `e^{−50}`.
const LONGEST: f64 = 10.0;

/// Expectations per real dimension.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    /// E x²
    pub square: f64,
    /// E R x
    pub along: f64,
}

/// `a x^{p−1} + q x = S R`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Response {
    pub block: BlockSize,
    pub exponent: f64,
    /// a ≥ 0
    pub pull: f64,
    /// q > 0
    pub curvature: f64,
    /// S > 0
    pub length: f64,
}

impl Response {
    /// E x² and E R x.
    pub(crate) fn moments(&self) -> Moments {
        let (a, q) = (self.pull / self.length, self.curvature / self.length);
        let sparse = self.exponent == 1.0;
        // x = y^k, R = a y + q y^k (p = 1: R = a + q y).
        let k = if sparse {
            1.0
        } else {
            1.0 / (self.exponent - 1.0)
        };
        let last = if sparse {
            LONGEST / q
        } else {
            (LONGEST / q).powf(1.0 / k).min(LONGEST / a)
        };
        let mut moments = Moments::default();
        for (node, weight) in RULE.iter() {
            let y = last * node;
            let x = y.powf(k);
            let (field, slope) = if sparse {
                (a + q * x, q)
            } else {
                (a * y + q * x, a + q * k * x / y)
            };
            let weight = weight * last * slope * self.block.density(field);
            moments.square += weight * x * x;
            moments.along += weight * field * x;
        }
        let dimensions = self.block.size() as f64;
        Moments {
            square: moments.square / dimensions,
            along: moments.along / dimensions,
        }
    }
}

impl BlockSize {
    /// Density of R: of |N(0, 1)|, or of the length of a pair of them.
    fn density(self, field: f64) -> f64 {
        match self {
            Self::Single => 2.0 * density(field),
            Self::Pair => field * (-0.5 * field * field).exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::numerics::root;
    use super::*;

    /// The same by solving for x at every R.
    fn plain(response: &Response) -> Moments {
        let mut moments = Moments::default();
        let panels = 2000;
        for panel in 0..panels {
            for (node, weight) in gauss_legendre(4) {
                let field = LONGEST * (panel as f64 + node) / panels as f64;
                let force = |x: f64| {
                    let pull = if response.exponent == 1.0 {
                        1.0
                    } else {
                        x.powf(response.exponent - 1.0)
                    };
                    response.pull * pull + response.curvature * x - response.length * field
                };
                let most = response.length * field / response.curvature;
                let x = root(force, 0.0, most).unwrap_or(0.0);
                let weight = weight * LONGEST / panels as f64 * response.block.density(field)
                    / response.block.size() as f64;
                moments.square += weight * x * x;
                moments.along += weight * field * x;
            }
        }
        moments
    }

    #[test]
    fn the_change_of_variables_changes_nothing() {
        for block in [BlockSize::Single, BlockSize::Pair] {
            for (exponent, pull) in [
                (4.0 / 3.0, 0.3),
                (4.0 / 3.0, 1e-3),
                (8.0 / 7.0, 2.0),
                (16.0 / 15.0, 0.05),
                (16.0 / 15.0, 0.9),
                (1.0, 0.7),
            ] {
                let response = Response {
                    block,
                    exponent,
                    pull,
                    curvature: 0.4,
                    length: 0.9,
                };
                let (fast, slow) = (response.moments(), plain(&response));
                assert!(
                    (fast.square - slow.square).abs() < 2e-7,
                    "{response:?}: {fast:?} {slow:?}"
                );
                assert!(
                    (fast.along - slow.along).abs() < 2e-7,
                    "{response:?}: {fast:?} {slow:?}"
                );
            }
        }
    }

    #[test]
    fn without_pull_the_response_is_linear() {
        for block in [BlockSize::Single, BlockSize::Pair] {
            let response = Response {
                block,
                exponent: 4.0 / 3.0,
                pull: 0.0,
                curvature: 0.5,
                length: 1.0,
            };
            let moments = response.moments();
            assert!((moments.square - 4.0).abs() < 1e-12 && (moments.along - 2.0).abs() < 1e-12);
        }
    }
}
