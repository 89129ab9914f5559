//! Normal distribution, quadrature, roots: textbook pieces, on scalars.

use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};

/// φ
pub(crate) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// Φ
pub(crate) fn distribution(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Nodes and weights of Gauss–Legendre quadrature on `[0, 1]`.
pub(crate) fn gauss_legendre(nodes: usize) -> Vec<(f64, f64)> {
    let n = nodes as f64;
    (0..nodes)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut value, mut before) = (1.0, 0.0);
                for k in 0..nodes {
                    let k = k as f64;
                    let next = ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0);
                    (before, value) = (value, next);
                }
                slope = n * (x * value - before) / (x * x - 1.0);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// A zero of a continuous function between two points where its signs differ, by Ridders' method, to the spacing of
/// f64. A NaN value counts as no solution.
pub(crate) fn root(f: impl Fn(f64) -> f64, from: f64, to: f64) -> Option<f64> {
    let (mut a, mut b) = (from, to);
    let (mut fa, mut fb) = (f(a), f(b));
    if fa == 0.0 || fb == 0.0 {
        return Some(if fa == 0.0 { a } else { b });
    }
    // Rounding may lose the sign at an end where the function vanishes.
    let opposed = fa.signum() != fb.signum();
    if !opposed || fa.is_nan() || fb.is_nan() {
        return None;
    }
    for _ in 0..200 {
        let middle = 0.5 * (a + b);
        if (b - a).abs() <= 4.0 * f64::EPSILON * middle.abs() {
            break;
        }
        let fm = f(middle);
        if fm.is_nan() {
            return None;
        }
        let spread = (fm * fm - fa * fb).sqrt();
        if fm == 0.0 || spread == 0.0 {
            return Some(middle);
        }
        let x = middle + (middle - a) * (fa - fb).signum() * fm / spread;
        let fx = f(x);
        if fx == 0.0 {
            return Some(x);
        }
        // The narrowest of the brackets that the two new points leave.
        let mut points = [(a, fa), (middle, fm), (x, fx), (b, fb)];
        points.sort_by(|p, q| p.0.total_cmp(&q.0));
        let change = points
            .windows(2)
            .filter(|pair| pair[0].1.signum() != pair[1].1.signum())
            .min_by(|p, q| (p[1].0 - p[0].0).total_cmp(&(q[1].0 - q[0].0)))?;
        let narrowed = (change[0], change[1]);
        let settled = narrowed.0.0 == a.min(b) && narrowed.1.0 == a.max(b);
        ((a, fa), (b, fb)) = narrowed;
        if settled {
            break;
        }
    }
    Some(0.5 * (a + b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_integrates_polynomials_of_twice_its_degree() {
        for nodes in [1, 2, 5, 24] {
            let rule = gauss_legendre(nodes);
            for power in 0..2 * nodes as i32 {
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(power)).sum();
                let exact = 1.0 / f64::from(power + 1);
                assert!((sum - exact).abs() < 1e-14, "{nodes} nodes, power {power}");
            }
        }
    }

    #[test]
    fn roots_of_steep_and_flat_functions() {
        let cube = root(|x| x * x * x - 2.0, 0.0, 50.0).unwrap();
        assert!((cube - 2f64.cbrt()).abs() < 1e-15);
        let steep = root(|x| (50.0 * (x - 0.3)).tanh(), 0.0, 100.0).unwrap();
        assert!((steep - 0.3).abs() < 1e-15);
        assert_eq!(root(|x| x + 1.0, 0.0, 1.0), None);
        assert_eq!(root(|_| f64::NAN, 0.0, 1.0), None);
    }

    #[test]
    fn the_normal_distribution_is_the_integral_of_its_density() {
        let rule = gauss_legendre(40);
        for x in [0.1, 1.0, 3.0] {
            let area: f64 = rule.iter().map(|(t, w)| w * x * density(t * x)).sum();
            assert!((distribution(x) - 0.5 - area).abs() < 1e-15);
            assert!((distribution(-x) - 0.5 + area).abs() < 1e-15);
        }
    }
}
