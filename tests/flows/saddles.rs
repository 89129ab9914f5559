//! Near zero weights: balanced starts that never cross it, plateaus and the time at which they are left, starts of any
//! size.

use super::runs::signed;
use super::support::{bp, dfa, run};
use marginflow::dataset::gaussian_teacher;
use marginflow::flow::{FlowOptions, Method, SaveAt, integrate};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector, dmatrix};

/// Gradient descent on a network from given weights, layer after layer.
fn from(network: &Network, g: DMatrix<f64>, weights: &[f64]) -> Problem {
    let start = network.theta(DVector::from_column_slice(weights));
    let rule = Rule::gradient_descent();
    Problem::new(signed(g), network.clone(), rule, Loss::Exponential, start).unwrap()
}

fn flow(problem: &Problem, options: &FlowOptions) -> Trajectory {
    integrate(problem, options, &mut |_| {}).unwrap()
}

/// One weight per layer.
fn scalars(depth: usize) -> [Network; 3] {
    [
        Network::diagonal(1, depth),
        Network::convolutional(1, depth),
        Network::fully_connected(1, &vec![1; depth - 1]),
    ]
}

/// `∫_0^a f` by Simpson's rule.
fn integral(a: f64, f: impl Fn(f64) -> f64) -> f64 {
    let steps = 4000;
    let h = a / f64::from(steps);
    let weight = |k| match k {
        0 => 1.0,
        k if k == steps => 1.0,
        k if k % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=steps)
        .map(|k| weight(k) * f(h * f64::from(k)))
        .sum::<f64>()
        * h
        / 3.0
}

/// The weights `w_l = w`, x = −1: `w' = −w^{L−1} exp(w^L)`, so `t = ∫_w^{w_0} u^{1−L} exp(−u^L) du`. The part of
/// `u^{1−L}` has a closed form; what the exponential takes from it is small for small w, and iterated.
fn opposed(depth: i32, start: f64, t: f64) -> f64 {
    let rest = |u: f64| match u > 1e-3 {
        true => -(-u.powi(depth)).exp_m1() * u.powi(1 - depth),
        false => u,
    };
    let mut w = 0.0;
    for _ in 0..60 {
        let t = t + integral(start, rest) - integral(w, rest);
        let before = w;
        w = match depth {
            2 => start * (-t).exp(),
            _ => {
                (start.powi(2 - depth) + f64::from(depth - 2) * t).powf(1.0 / f64::from(2 - depth))
            }
        };
        if (w - before).abs() <= 1e-12 * w {
            break;
        }
    }
    w
}

#[test]
fn balanced_weights_fall_as_in_closed_form_and_never_cross_zero() {
    let mut crossed = 0;
    for depth in [2, 3, 4, 5] {
        for network in scalars(depth) {
            let problem = from(&network, dmatrix![-1.0], &vec![0.5; depth]);
            let horizon = if depth == 2 { 1.7 } else { 3.75 };
            for method in [Method::AdamsBdf, Method::Bdf] {
                let options = FlowOptions {
                    method,
                    ..FlowOptions::to(horizon)
                };
                let run = flow(&problem, &options);
                // diffsol's methods do not know of the balance; the alarm does
                if method == Method::Bdf && run.status == Status::Inaccurate {
                    let message = run.message.unwrap();
                    assert!(message.contains("changed its sign"), "{message}");
                    crossed += 1;
                    continue;
                }
                assert_eq!(run.status, Status::Completed, "{:?}", run.message);
                for (k, theta) in run.theta.column_iter().enumerate() {
                    let right = opposed(depth as i32, 0.5, run.log_time(k).exp_m1());
                    for w in theta.iter() {
                        assert!(*w > 0.0, "{} {depth} {method:?}: {w:e}", network.key());
                        // without the projection balance is lost from w ~ 1e-6 on, though no sign
                        assert!(
                            method == Method::Bdf && right < 1e-4 || (w / right - 1.0).abs() < 2e-5,
                            "{} {depth} {method:?} save {k}: {w:e}, not {right:e}",
                            network.key()
                        );
                    }
                }
            }
        }
    }
    assert!(crossed > 0, "nothing raises the alarm");
}

#[test]
fn runs_into_a_saddle_say_so_and_keep_their_sign() {
    for depth in [2, 3, 6] {
        for network in scalars(depth) {
            let problem = from(&network, dmatrix![-1.0], &vec![0.5; depth]);
            let run = flow(&problem, &FlowOptions::to(30.0));
            assert_eq!(run.status, Status::Completed);
            let message = run.message.unwrap();
            assert!(
                message.contains("saddle") && message.contains("no minimum"),
                "{message}"
            );
            assert!(run.theta.iter().all(|w| *w >= 0.0));
        }
    }
}

/// `w_k' = w^{L−1} z_k`, so that `w_k` follows from `Z_k = (GᵀA)_k`, whatever the other entries do.
#[test]
fn a_balanced_entry_keeps_its_sign_among_others_that_fit_the_data() {
    let g = dmatrix![-1.0, 0.5, 0.2; -0.3, 1.0, 0.7; -0.5, 0.1, 1.2];
    for depth in [2, 3, 4] {
        let layer = |l: usize| [0.5, 0.3 + 0.1 * l as f64, 0.2 + 0.15 * l as f64];
        let weights: Vec<f64> = (0..depth).flat_map(layer).collect();
        let problem = from(&Network::diagonal(3, depth), g.clone(), &weights);
        let run = flow(&problem, &FlowOptions::to(40.0));
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        let last = run.len() - 1;
        let accumulated = run.accumulated.as_ref().unwrap();
        for k in 0..=last {
            let z = (g.transpose() * accumulated.column(k))[0];
            let right = match depth {
                2 => 0.5 * z.exp(),
                3 => 1.0 / (2.0 - z),
                _ => 1.0 / (4.0 - 2.0 * z).sqrt(),
            };
            for l in 0..depth {
                let w = run.theta[(3 * l, k)];
                assert!(
                    (w / right - 1.0).abs() < 1e-4,
                    "{depth} {k}: {w:e}, not {right:e}"
                );
            }
        }
        assert!(run.log_multipliers.column(last).max() < 1e3, "fitted");
    }
}

#[test]
fn balanced_layers_of_rank_one_and_single_frequencies_stay_on_their_side() {
    let axis = [0.5, 0.0, 0.0, 0.0];
    let cases = [
        from(
            &Network::fully_connected(2, &[2, 2]),
            dmatrix![-1.0, 0.0; -2.0, 0.0],
            &[&axis[..], &axis, &axis[..2]].concat(),
        ),
        from(
            &Network::fully_connected(1, &[2]),
            dmatrix![-1.0],
            &[0.3, 0.4, 0.3, 0.4],
        ),
        from(
            &Network::convolutional(4, 3),
            dmatrix![-1.0, 0.0, 0.0, 0.0],
            &[axis, axis, axis].concat(),
        ),
    ];
    for problem in cases {
        let run = flow(&problem, &FlowOptions::to(20.0));
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        assert!(run.message.unwrap().contains("saddle"));
        for theta in run.theta.column_iter() {
            let margins = problem
                .network()
                .margins(theta.as_slice(), problem.dataset());
            assert!(margins.iter().all(|m| *m <= 0.0), "{margins}");
        }
    }
}

/// ln(1 + ln(1 + t)) of ln t.
fn log_log(log_time: f64) -> f64 {
    (log_time + (-log_time).exp().ln_1p()).ln_1p()
}

/// Equal weights σ, x = 1: `t = ∫_σ^w u^{1−L} exp(u^L) du`; products of layers underflow for most of it.
#[test]
fn plateaus_are_left_when_theory_says() {
    for (depth, sigma) in [
        (3, 1e-300),
        (3, 1e-4),
        (5, 1e-150),
        (10, 1e-40),
        (50, 1e-10),
        (20, 1e-20),
    ] {
        for network in scalars(depth) {
            let problem = from(&network, dmatrix![1.0], &vec![sigma; depth]);
            let degree = depth as f64;
            // ln t at which 1 − (L−2) σ^{L−2} t = 1/2, and where it is zero
            let escape = -(degree - 2.0).ln() - (degree - 2.0) * f64::ln(sigma);
            let half = escape - std::f64::consts::LN_2;
            let horizon = escape.ln_1p() + 2.0;
            let options = FlowOptions {
                saves: SaveAt::Times(vec![log_log(half), horizon]),
                ..FlowOptions::to(horizon)
            };
            let run = flow(&problem, &options);
            assert_eq!((run.status, &run.message), (Status::Completed, &None));
            let grown = sigma * 2f64.powf(1.0 / (degree - 2.0));
            let w = run.theta[(0, 1)];
            assert!(
                (w / grown - 1.0).abs() < 1e-4,
                "{depth}: {w:e}, not {grown:e}"
            );
            // e^m/(L m^{2−2/L}) ≈ t later on
            let m = run.theta.column(2).iter().product::<f64>();
            let tau = run.log_time(2);
            let right = tau + degree.ln() + (2.0 - 2.0 / degree) * tau.ln();
            assert!(
                (m - right).abs() < 1.0 && m > 0.0,
                "{depth}: {m}, not {right}"
            );
            // still on it
            let early = flow(&problem, &FlowOptions::to((escape - 3.0).ln_1p()));
            let message = early.message.unwrap();
            assert!(message.contains("plateau"), "{message}");
            let told: f64 = message
                .split("(log-time ")
                .nth(1)
                .unwrap()
                .split(')')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!(
                (told - escape).abs() < 0.1_f64.max(1e-3 * escape),
                "{told}, not {escape}"
            );
        }
    }
}

#[test]
fn vanishing_products_of_random_layers_are_no_minimum() {
    for (depth, scale) in [(3, 1e-299), (20, 1e-19), (50, 1e-9)] {
        let problem = bp(gaussian_teacher(4, 6, 1), depth);
        let start = problem.theta0() * scale;
        let problem = problem.with_start(start).unwrap();
        let (run, measured) = run(&problem, &FlowOptions::to(48.0));
        assert_eq!(
            (run.status, &run.message),
            (Status::Completed, &None),
            "{depth}"
        );
        assert!(measured.log_loss.last().unwrap() < &-1e20);
    }
}

#[test]
fn starts_of_any_size_run() {
    for (depth, factor) in [(4, 1e-7), (3, 30.0), (4, 100.0), (5, 100.0)] {
        let data = gaussian_teacher(5, 6, 2);
        let conv = Network::convolutional(5, depth);
        let rule = Rule::gradient_descent();
        let weights = bp(data.clone(), depth)
            .theta0()
            .rows(0, 5 * depth)
            .into_owned();
        let start = conv.theta(weights);
        let spectral = Problem::new(data.clone(), conv, rule, Loss::Exponential, start).unwrap();
        for problem in [bp(data.clone(), depth), dfa(data, depth, 0.1), spectral] {
            let start = problem.theta0() * factor;
            let problem = problem.with_start(start).unwrap();
            let (run, measured) = run(&problem, &FlowOptions::to(12.0));
            assert_eq!(
                run.status,
                Status::Completed,
                "{depth} {factor}: {:?}",
                run.message
            );
            let drift = measured
                .multiplier_drift
                .iter()
                .copied()
                .fold(0.0, f64::max);
            assert!(drift < 2e-5, "{depth} {factor}: {drift:e}");
        }
    }
}

#[test]
fn gradients_that_vanish_exactly_are_no_minimum() {
    let network = Network::new(FullyConnectedLinear::new(2, &[2, 2]));
    let weights = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.1];
    let run = flow(
        &from(&network, dmatrix![1.0, 0.5], &weights),
        &FlowOptions::to(10.0),
    );
    assert_eq!(run.status, Status::Completed);
    assert!(run.message.unwrap().contains("saddle"));
}
