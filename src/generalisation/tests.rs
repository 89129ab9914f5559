use super::numerics::{density, distribution, gauss_legendre};
use super::*;

const RATIOS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

fn fixed_feedback(depth: u32, feedback: Feedback) -> Blocks {
    let power = 2f64.powi(depth as i32) - 1.0;
    Blocks {
        block: BlockSize::Pair,
        exponent: 1.0 + 1.0 / power,
        law: Law::of_feedback(feedback, BlockSize::Pair, depth),
    }
}

/// Angles from an independent computation, in degrees: to ±0.012 (its last column is a hundredth of a degree too
/// large, as the next test shows), and ±0.1 in the Gaussian rows, where it averaged over drawn feedback.
#[test]
fn angles_are_those_of_an_independent_computation() {
    let sparse = Blocks {
        block: BlockSize::Pair,
        exponent: 1.0,
        law: Law::constant(),
    };
    let [unit, gaussian] = [Feedback::UnitModulus, Feedback::Gaussian];
    let rows = [
        (None, [67.73, 59.19, 47.83, 33.93, 20.46, 10.97], 0.012),
        (
            Some(sparse),
            [75.01, 65.19, 51.37, 35.20, 20.73, 11.01],
            0.012,
        ),
        (
            Some(fixed_feedback(2, unit)),
            [69.58, 60.71, 48.76, 34.30, 20.55, 10.98],
            0.012,
        ),
        (
            Some(fixed_feedback(2, gaussian)),
            [72.10, 63.27, 50.78, 35.45, 20.91, 11.04],
            0.1,
        ),
        (
            Some(fixed_feedback(3, unit)),
            [72.03, 62.61, 49.83, 34.68, 20.63, 11.00],
            0.012,
        ),
        (
            Some(fixed_feedback(3, gaussian)),
            [74.57, 65.37, 52.17, 35.85, 20.96, 11.05],
            0.1,
        ),
    ];
    for (blocks, expected, tolerance) in rows {
        for (ratio, expected) in RATIOS.into_iter().zip(expected) {
            let found = match &blocks {
                None => euclidean(ratio),
                Some(blocks) => separable(ratio, blocks),
            };
            let found = found.unwrap().angle.to_degrees();
            assert!(
                (found - expected).abs() <= tolerance,
                "{:?} at {ratio}: {found}, expected {expected}",
                blocks.map(|b| (b.exponent, b.law.is_constant()))
            );
        }
    }
}

/// The equations of Gardner, Opper and Kinzel in their usual form, by plain integration.
#[test]
fn the_euclidean_angle_solves_the_textbook_equations() {
    let rule = gauss_legendre(300);
    for ratio in [1e-3, 0.05, 0.25, 1.0, 2.0, 8.0, 50.0, 1e3] {
        let found = euclidean(ratio).unwrap();
        let (s, r) = found.angle.sin_cos();
        // below, φ or Φ is negligible
        let from = -12.0 * (s / r).min(1.0);
        let integral: f64 = (rule.iter())
            .map(|(x, w)| {
                let t = from + (found.kappa - from) * x;
                let part = density(t) * distribution(r * t / s) * (found.kappa - t).powi(2);
                w * (found.kappa - from) * part
            })
            .sum();
        let lhs = 2.0 * ratio * integral;
        assert!(
            (lhs - s * s).abs() < 1e-7 * s * s,
            "{ratio}: {lhs}, expected {}",
            s * s
        );
        let over = found.kappa / s;
        let pull = found.kappa * distribution(over) + s * density(over);
        let mean = (2.0 / std::f64::consts::PI).sqrt();
        assert!((ratio * mean * pull - r).abs() < 1e-12, "{ratio}");
    }
}

/// The fixed point in three unknowns (μ, σ, β) that the elimination of this module replaces, by plain integration in
/// two variables: `ξ = μ|u| + σh`, `T² = E(1 − ξ)₊²`, `P`, `A`, and w of `ψ'(w) + τw = βg + νw*`.
#[test]
fn the_elimination_solves_the_original_equations() {
    let (ratio, p) = (0.8, 4.0 / 3.0);
    let blocks = Blocks {
        block: BlockSize::Single,
        exponent: p,
        law: Law::constant(),
    };
    let found = separable(ratio, &blocks).unwrap();
    let margins = Margins::at(ratio, found.kappa);
    let (lambda, _) = blocks.normalised(&margins).unwrap();
    let root_alpha = ratio.sqrt();
    let (sigma, mu) = (
        found.angle.sin() / found.kappa,
        found.angle.cos() / found.kappa,
    );
    let beta = p * root_alpha * margins.square.sqrt() / (lambda * found.kappa.powf(p - 1.0));

    // composite rule on [−9, 9], so that kinks are resolved
    let panels = 60;
    let line: Vec<(f64, f64)> = (0..panels)
        .flat_map(|k| {
            let width = 18.0 / f64::from(panels);
            gauss_legendre(8)
                .into_iter()
                .map(move |(x, w)| (-9.0 + width * (f64::from(k) + x), w * width))
        })
        .map(|(x, w)| (x, w * density(x)))
        .collect();
    // moments of (1 − ξ)₊ = σ (e − h)₊, e = (1 − μ|u|)/σ: over h in closed form, over u by the rule
    let over_u = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        let edge = |u: f64| (1.0 - mu * u.abs()) / sigma;
        line.iter().map(|(u, w)| w * f(u.abs(), edge(*u))).sum()
    };
    let square = |e: f64| (e * e + 1.0) * distribution(e) + e * density(e);
    let t = sigma * over_u(&|_, e| square(e)).sqrt();
    let probability = over_u(&|_, e| distribution(e));
    let a = sigma * over_u(&|u, e| u * (e * distribution(e) + density(e)));
    let tau = beta * root_alpha * probability / t;
    let nu = tau * mu + beta * root_alpha * a / t;

    let w = |g: f64, teacher: f64| {
        let force = beta * g + nu * teacher;
        let equation = |w: f64| p * w.powf(p - 1.0) + tau * w - force.abs();
        root(equation, 0.0, force.abs() / tau).unwrap_or(0.0) * force.signum()
    };
    // w depends on one combination of two Gaussians only: along it, and (vanishing) across.
    let size = beta.hypot(nu);
    let along = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        line.iter()
            .map(|(v, weight)| weight * f(*v, w(v * beta / size, v * nu / size)))
            .sum()
    };
    let with_teacher = nu / size * along(&|v, w| v * w);
    let with_g = beta / size * along(&|v, w| v * w);
    let square = along(&|_, w| w * w);
    for (found, expected) in [
        (with_teacher, mu),
        (square, mu * mu + sigma * sigma),
        (with_g, root_alpha * t),
    ] {
        assert!(
            (found / expected - 1.0).abs() < 1e-9,
            "{found}, expected {expected}"
        );
    }
}

/// For p between 1 and 2 the angle lies between those at the ends, which are approached continuously.
#[test]
fn exponents_join_up() {
    let angle = |exponent: f64| {
        let blocks = Blocks {
            block: BlockSize::Pair,
            exponent,
            law: Law::constant(),
        };
        separable(0.5, &blocks).unwrap().angle
    };
    let near = angle(1.999);
    assert!(
        (near - euclidean(0.5).unwrap().angle).abs() < 1e-5,
        "{near}"
    );
    assert!((angle(1.0 + 1.0 / 31.0) - angle(1.0)).abs() < 0.03);
    let angles: Vec<f64> = [1.0, 8.0 / 7.0, 4.0 / 3.0, 1.6, 2.0].map(angle).into();
    assert!(angles.is_sorted_by(|a, b| a > b), "{angles:?}");
}

#[test]
fn more_samples_are_better_and_ratios_have_bounds() {
    for depth in 2..=4 {
        let blocks = fixed_feedback(depth, Feedback::Gaussian);
        let angles: Vec<f64> = [0.01, 0.1, 1.0, 10.0, 100.0]
            .map(|ratio| separable(ratio, &blocks).unwrap().angle)
            .into();
        assert!(angles.is_sorted_by(|a, b| a > b), "{angles:?}");
    }
    for ratio in [0.0, 1e-4, 1e4, f64::NAN] {
        assert!(euclidean(ratio).is_err(), "{ratio}");
    }
}

/// With few samples every one is a support vector, `x ∝ (R/ω)^k` with `k = 1/(p − 1)`, and `cos θ = r √(2α/π)` with
/// `r = E R x / √(E x²)`; r = 1 for the Euclidean norm.
#[test]
fn few_samples_have_a_closed_form() {
    let cosine = |ratio: f64, blocks: &Blocks| separable(ratio, blocks).unwrap().angle.cos();
    // moments of the length of two Gaussians: E R⁴ = 8, E R⁶ = 48, E R⁸ = 384, E R¹⁴ = 645,120; E|b̂|⁴ = 2 E²|b̂|²
    let cases = [
        (
            fixed_feedback(2, Feedback::UnitModulus),
            4.0 / 24f64.sqrt(),
            2e-3,
        ),
        (
            fixed_feedback(2, Feedback::Gaussian),
            4.0 / 48f64.sqrt(),
            1e-2,
        ),
        (
            fixed_feedback(3, Feedback::UnitModulus),
            192.0 / 322_560f64.sqrt(),
            0.1,
        ),
    ];
    for (blocks, r, tolerance) in cases {
        let errors = [0.1, 0.01, 0.001].map(|ratio| {
            let simple = r * (2.0 * ratio / std::f64::consts::PI).sqrt();
            cosine(ratio, &blocks) / simple - 1.0
        });
        assert!(errors.is_sorted_by(|a, b| a.abs() > b.abs()), "{errors:?}");
        assert!(errors[2].abs() < tolerance, "{errors:?}");
    }
    for ratio in [0.01, 0.001] {
        let simple = (2.0 * ratio / std::f64::consts::PI).sqrt();
        let found = euclidean(ratio).unwrap().angle.cos();
        assert!(
            (found / simple - 1.0).abs() < 2.0 * ratio,
            "{found} {simple}"
        );
    }
}
