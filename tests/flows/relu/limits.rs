//! The exact flow is the limit of finite steps, of smoothed kinks, and of other integrators.

use super::{completed, on_level_set, outputs, smoothed};
use marginflow::flow::{FlowOptions, Method, SaveAt};
use marginflow::network::Signals;
use marginflow::problem::Problem;
use nalgebra::{DMatrix, DVector};

/// Direct feedback alignment in finite steps, as one would write it down: `k` steps of size η from θ(0).
fn finite_steps(problem: &Problem, size: f64, count: usize) -> (DMatrix<f64>, DVector<f64>) {
    let (x, y) = (problem.dataset().samples(), problem.dataset().labels());
    let Signals::Direct(b) = problem.rule().signals() else {
        panic!("DFA")
    };
    let mut layers = problem
        .network()
        .weights(problem.theta0().as_slice())
        .into_iter();
    let (mut w1, mut w2) = (layers.next().unwrap(), layers.next().unwrap());
    for _ in 0..count {
        let a = x * &w1;
        let h = a.map(|a| a.max(0.0));
        let f = &h * &w2;
        let pull = DVector::from_fn(y.len(), |n, _| y[n] * (-y[n] * f[n]).exp());
        let delta = DMatrix::from_fn(a.nrows(), a.ncols(), |n, j| {
            if a[(n, j)] >= 0.0 {
                pull[n] * b[0][j]
            } else {
                0.0
            }
        });
        w1 += x.tr_mul(&delta) * size;
        w2 += h.tr_mul(&pull) * size;
    }
    let w2 = w2.column(0).into_owned();
    (w1, w2)
}

/// Order of convergence from errors at sizes that differ by `ratio`.
fn order(coarse: f64, fine: f64, ratio: f64) -> f64 {
    (coarse / fine).ln() / ratio.ln()
}

#[test]
fn finite_steps_approach_the_exact_flow_at_first_order() {
    for seed in [2, 3, 6] {
        let problem = on_level_set(seed, 10, 5, 12);
        let time: f64 = 6.0;
        let run = completed(&problem, &FlowOptions::to(time.ln_1p().ln_1p()));
        let kinks = run.kinks.as_ref().unwrap();
        assert!(kinks.slides > 3 && kinks.crossings > 10, "kinks on the way");
        let end = run.theta.column(run.len() - 1);
        let error = |size: f64| {
            let (w1, w2) = finite_steps(&problem, size, (time / size).round() as usize);
            let theta = DVector::from_iterator(end.len(), w1.iter().chain(&w2).copied());
            (theta - end).norm() / end.norm()
        };
        let (coarse, fine) = (error(1e-3), error(6.25e-5));
        let order = order(coarse, fine, 16.0);
        assert!(
            (order - 1.0).abs() <= 0.2,
            "seed {seed}: {coarse} {fine} order {order}"
        );
        assert!(fine < 1e-4, "seed {seed}: {fine}");
    }
}

/// Single runs pass their kinks early or late, so orders of single runs scatter (0.7 to 1.5); their mean is 0.9.
#[test]
fn smoothed_kinks_tend_to_exact_ones() {
    let options = FlowOptions {
        saves: SaveAt::Uniform(2),
        ..FlowOptions::to(3.0)
    };
    let seeds = [2, 3, 4, 6];
    let mut mean = 0.0;
    for seed in seeds {
        let problem = on_level_set(seed, 10, 5, 12);
        let exact = completed(&problem, &options);
        let reference = outputs(&problem, &exact, 1);
        let error = |epsilon: f64| {
            let near = smoothed(&problem, epsilon);
            let run = completed(&near, &options);
            (outputs(&near, &run, 1) - &reference).norm() / reference.norm()
        };
        let errors = [1e-2, 1e-3, 1e-4].map(error);
        assert!(
            errors[1] < errors[0] && errors[2] < errors[1],
            "seed {seed}: {errors:?}"
        );
        assert!(errors[2] < 2e-3, "seed {seed}: {errors:?}");
        mean += order(errors[0], errors[2], 100.0) / seeds.len() as f64;
    }
    assert!((mean - 1.0).abs() <= 0.2, "order {mean}");
}

#[test]
fn another_integrator_sees_the_same_kinks() {
    let problem = on_level_set(2, 10, 5, 12);
    let bdf = completed(&problem, &FlowOptions::to(8.0));
    let options = FlowOptions {
        method: Method::Esdirk34,
        ..FlowOptions::to(8.0)
    };
    let esdirk = completed(&problem, &options);
    let last = bdf.len() - 1;
    let (a, b) = (bdf.theta.column(last), esdirk.theta.column(last));
    assert!(
        (a - b).norm() <= 1e-6 * a.norm(),
        "{}",
        (a - b).norm() / a.norm()
    );
    assert_eq!(bdf.kinks, esdirk.kinks);
}
