//! Theorem 1 from any weights: what the first layer accumulates is kept between bounds that close, at every save.
//!
//! `MARGINFLOW_SANDWICH=100 cargo test --test claims theorem_1_bounds` watches a hundred runs.

use super::*;

/// Fully connected networks of depths 2 to 4 from weights of very different sizes, of many shapes.
fn drawn(seed: u64) -> Problem {
    let mut numbers = standard_normals("theorem 1", seed).map(|x| (1e6 * x.abs()) as usize);
    let mut from = |low: usize, high: usize| low + numbers.next().unwrap() % (high - low + 1);
    let (depth, dimension, samples) = (2 + seed as usize % 3, from(3, 8), from(1, 10));
    let hidden: Vec<usize> = (1..depth).map(|_| from(2, 8)).collect();
    let scale = [0.1, 1.0, 3.0][from(0, 2)];
    let network = Network::fully_connected(dimension, &hidden);
    let data = gaussian_teacher(dimension, samples, seed);
    let theta = standard_normals("start", seed).map(|x| scale * x);
    let theta = DVector::from_iterator(network.parameters(), theta.take(network.parameters()));
    let problem = direct(data, network, seed).with_start(theta).unwrap();
    match from(0, 3) {
        0 => problem.with_loss(Loss::Logistic),
        _ => problem,
    }
}

/// By how much, relatively, `smaller ≤ larger` fails.
fn failure(smaller: f64, larger: f64) -> f64 {
    (smaller / larger - 1.0).max(0.0)
}

#[test]
fn random_starts_stay_between_the_bounds() {
    let runs = std::env::var("MARGINFLOW_SANDWICH").map_or(12, |n| n.parse().unwrap());
    let (mut worst, mut judged): ((f64, u64), usize) = ((0.0, 0), 0);
    for seed in 1..=runs {
        let problem = drawn(seed);
        let degree = 2f64.powi(problem.network().depth() as i32) - 1.0;
        let options = FlowOptions {
            rtol: 1e-8,
            atol: 1e-10,
            max_wall_seconds: 60.0,
            ..FlowOptions::to(15.0 * degree)
        };
        let case = Case::run(problem, options);
        if case.limit.is_none() || case.trajectory.status != Status::Completed {
            println!(
                "{seed}: {:?} {:?}",
                case.trajectory.status, case.trajectory.message
            );
            continue;
        }
        let measured = case.diagnose();
        let s = measured.sandwich.unwrap();
        assert!(s.constant.is_finite() && s.constant > 0.0, "{seed}");
        let below = |k: usize| s.accumulated[k] / s.least;
        // Z is a small difference of weights as long as hardly anything has been learned: from margins of a thousand
        // on, that is until ln t = 1000
        let seen = |k: &usize| s.dual[*k] > 1e-4 * measured.layer_norms[(0, *k)];
        let fails = (1..s.dual.len()).filter(seen).map(|k| {
            let failures = [
                failure(below(k), s.dual[k]),
                failure(s.dual[k], s.largest_dual[k]),
                failure(s.radius[k], below(k) + s.constant),
            ];
            failures.into_iter().fold(0.0, f64::max)
        });
        let fails = fails.fold(0.0, f64::max);
        let last = s.dual.len() - 1;
        let (excess, bound) = (s.radius_excess(last).unwrap(), s.bound(last).unwrap());
        println!("{seed}: fails by {fails:.1e}; RΨ/a − 1 = {excess:.2e}, CΨ/a = {bound:.2e}");
        assert!(fails <= 1e-6, "{seed}: {fails:e}");
        assert!(
            excess.abs() < 1e-3 && excess <= bound * (1.0 + 1e-6),
            "{seed}: {excess:e} {bound:e}"
        );
        judged += 1;
        if fails > worst.0 {
            worst = (fails, seed);
        }
    }
    println!("worst of {judged} of {runs}: {worst:?}");
    assert!(4 * judged > 3 * runs as usize, "{judged} of {runs}");
}

/// The three inequalities notice what breaks them, and the constant knows the start.
#[test]
fn the_bounds_can_fail() {
    let case = Case::to(drawn(4), 45.0);
    let s = case.diagnose().sandwich.unwrap();
    let last = s.dual.len() - 1;
    let below = s.accumulated[last] / s.least;
    // 0.1 % more multipliers, a last layer that is 1 % longer
    assert!(1.001 * below > s.dual[last]);
    let longer = 1.01f64.powf(2.0 / 2f64.powi(case.problem.network().depth() as i32));
    assert!(longer * s.radius[last] > below + s.constant);
    let zero = case.as_from_zero().diagnose().sandwich.unwrap();
    assert!(
        zero.constant < s.constant,
        "{} {}",
        zero.constant,
        s.constant
    );
}
