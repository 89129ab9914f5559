//! Convolutional and diagonal networks against exact answers.

use super::runge_kutta;
use super::support::{feedback, gradient_descent};
use super::{completed, relative, rows};
use marginflow::dataset::{Dataset, gaussian_teacher};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::network::{Network, Signals};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::spectrum::Basis;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector, dmatrix};

fn run(problem: &Problem, options: &FlowOptions) -> (Trajectory, Diagnostics) {
    let trajectory = integrate(problem, options, &mut |_| {}).expect("the flow starts");
    let diagnostics = diagnose(problem, &trajectory, None);
    (trajectory, diagnostics)
}

/// Invariants and log-multipliers drift by less than 1e-6 over all saves.
#[track_caller]
fn assert_exact(d: &Diagnostics) {
    assert!(d.worst_invariant() <= 1e-6, "{:e}", d.worst_invariant());
    let drift = d.worst_multiplier_drift();
    assert!(drift <= 1e-6, "{drift:e}");
}

/// The matrix of the circular layer `(H h)(j) = D^{−1/2} Σ_k w(k) h(j + k mod D)`.
fn circular(w: &DVector<f64>) -> DMatrix<f64> {
    let d = w.len();
    DMatrix::from_fn(d, d, |j, i| w[(i + d - j) % d] / (d as f64).sqrt())
}

/// `dw_l/dt` of the plain equations in the original space, sample by sample, layers as matrices: nothing shared with
/// the crate.
fn plain_velocity(problem: &Problem, w: &[DVector<f64>]) -> Vec<DVector<f64>> {
    let depth = w.len();
    let layer = |w: &DVector<f64>| match problem.network().signal_basis() {
        Basis::Fourier => circular(w),
        _ => DMatrix::from_diagonal(w),
    };
    // what changes the matrix of a layer by δ hᵀ changes its weights by the sum of the entries they stand at
    let gathered = |outer: DMatrix<f64>| match problem.network().signal_basis() {
        Basis::Fourier => {
            let d = outer.nrows();
            let along = |k: usize| (0..d).map(|j| outer[(j, (j + k) % d)]).sum::<f64>();
            DVector::from_fn(d, |k, _| along(k) / (d as f64).sqrt())
        }
        _ => outer.diagonal(),
    };
    let mut velocity: Vec<DVector<f64>> = w.iter().map(|w| w * 0.0).collect();
    for (x, &y) in problem
        .dataset()
        .samples()
        .row_iter()
        .zip(problem.dataset().labels())
    {
        let mut h = vec![x.transpose()];
        for w_l in &w[..depth - 1] {
            h.push(layer(w_l) * &h[h.len() - 1]);
        }
        let margin = y * w[depth - 1].dot(&h[depth - 1]);
        let rate = y * (-margin).exp();
        velocity[depth - 1] += &h[depth - 1] * rate;
        let mut delta = w[depth - 1].clone();
        for l in (0..depth - 1).rev() {
            match problem.rule().signals() {
                Signals::Backward => {}
                Signals::Layerwise(f) if l == depth - 2 => delta = f[l].column(0).into_owned(),
                Signals::Layerwise(f) => {
                    delta = layer(&f[l].column(0).into_owned()).tr_mul(&delta);
                }
                Signals::Direct(b) => delta = b[l].column(0).into_owned(),
            }
            velocity[l] += gathered(&delta * h[l].transpose()) * rate;
            if problem.rule().signals() == Signals::Backward {
                delta = layer(&w[l]).tr_mul(&delta);
            }
        }
    }
    velocity
}

/// The weights after some time under the plain equations.
fn plain_weights(problem: &Problem, time: f64, steps: usize) -> Vec<DVector<f64>> {
    let start = problem.network().weights(problem.theta0().as_slice());
    let start = start.iter().map(|w| w.column(0).into_owned()).collect();
    runge_kutta(start, time, steps, |w| plain_velocity(problem, w))
}

fn networks(dimension: usize, depth: usize) -> [Network; 2] {
    [
        Network::convolutional(dimension, depth),
        Network::diagonal(dimension, depth),
    ]
}

#[test]
fn early_flow_is_the_plain_equations() {
    let time: f64 = 5.0;
    for depth in [1, 2, 3] {
        for dimension in [5, 6] {
            for network in networks(dimension, depth) {
                let data = gaussian_teacher(dimension, 4, 2);
                let filters = (1..depth).map(|l| {
                    DMatrix::from_fn(dimension, 1, |i, _| (1.3 * i as f64 + l as f64).sin())
                });
                let alignment = feedback(data.clone(), network.clone(), 0.3, 7)
                    .with_rule(Rule::feedback_alignment(filters.collect()))
                    .unwrap();
                for problem in [
                    feedback(data.clone(), network.clone(), 0.3, 7),
                    alignment,
                    gradient_descent(data, network),
                ] {
                    let options = FlowOptions::to(time.ln_1p().ln_1p());
                    let (t, d) = run(&problem, &options);
                    assert_eq!(t.status, Status::Completed);
                    let w = problem
                        .network()
                        .weights(t.theta.column(t.len() - 1).as_slice());
                    for (found, plain) in w.iter().zip(plain_weights(&problem, time, 4000)) {
                        let error = relative(&found.column(0).into_owned(), &plain);
                        let (name, rule) = (problem.network().key(), problem.rule().key());
                        assert!(error <= 1e-6, "{name}, L = {depth}, {rule}: {error:e}");
                    }
                    assert_exact(&d);
                }
            }
        }
    }
}

/// From zero weights a diagonal network is `β_d = c_d Z_d |Z_d|^{2^L−2}` with the Z its first layer shows, and Z is Gᵀ
/// of the accumulated multipliers.
#[test]
fn diagonal_networks_are_their_closed_form() {
    for depth in [2, 3] {
        let network = Network::diagonal(6, depth);
        let problem = feedback(gaussian_teacher(6, 4, 1), network, 0.0, 7);
        let (t, d) = run(&problem, &FlowOptions::to(40.0));
        assert_exact(&d);
        let b = problem.feedback().unwrap();
        for k in [20, 100, 200] {
            let w = problem.network().weights(t.theta.column(k).as_slice());
            let z = w[0].column(0).component_div(&b[0]);
            let accumulated = problem
                .dataset()
                .signed_samples()
                .tr_mul(&t.accumulated.as_ref().unwrap().column(k));
            assert!(relative(&accumulated, &z) <= 1e-6, "save {k}");
            let mut beta = w[0].column(0).into_owned();
            let mut phi = z.map(|z| 0.5 * z * z);
            for l in 2..=depth {
                let before = &b[l - 2];
                let after = b.get(l - 1).cloned();
                let after = after.unwrap_or_else(|| DVector::from_element(6, 1.0));
                beta.component_mul_assign(&phi.component_mul(before).component_mul(&after));
                phi = before.zip_map(&phi, |b, phi| 0.5 * b * b * phi * phi);
            }
            let found = d.beta.column(k).into_owned();
            assert!(relative(&found, &beta) <= 1e-6, "L = {depth}, save {k}");
        }
        let phases = d.phases.unwrap();
        assert_eq!(phases.worst_argument().radians, 0.0);
        assert!(phases.worst_recursion() <= 1e-6);
    }
}

/// The first layer of a convolutional network, and of a network with random weights, has learned Gᵀ of the accumulated
/// multipliers: `ŵ_1 − ŵ_1(0) = b̂_1^* Ẑ`. Duplicated samples share theirs.
#[test]
fn accumulated_multipliers_are_what_the_first_layer_learned() {
    let data = gaussian_teacher(7, 5, 2);
    let doubled = rows(&data, &[0, 1, 2, 3, 4, 1, 3]);
    let network = Network::convolutional(7, 3);
    for data in [data, doubled] {
        let problem = feedback(data, network.clone(), 0.2, 7);
        let (t, d) = run(&problem, &FlowOptions::to(60.0));
        let phases = d.phases.unwrap();
        for k in [10, 60, 200] {
            let z = problem
                .dataset()
                .signed_samples()
                .tr_mul(&t.accumulated.as_ref().unwrap().column(k));
            let z = problem.network().spectrum().unwrap().transform(&z);
            let found = phases.z.column(k);
            assert!((&z - found).norm() <= 1e-6 * z.norm(), "save {k}");
        }
    }
}

/// Feedback alignment on any linear network is direct feedback alignment with the products of its feedback.
#[test]
fn feedback_alignment_is_direct_with_products() {
    let data = gaussian_teacher(6, 5, 4);
    for network in networks(6, 3) {
        let direct = feedback(data.clone(), network.clone(), 0.1, 7);
        let filters: Vec<DMatrix<f64>> = (0..2)
            .map(|l| DMatrix::from_fn(6, 1, |i, _| (2.1 * i as f64 + 3.0 * l as f64).cos()))
            .collect();
        let alignment = direct
            .clone()
            .with_rule(Rule::feedback_alignment(filters.clone()))
            .unwrap();
        let product = match network.signal_basis() {
            // δ_1 = (circular layer of f_1)ᵀ f_2
            Basis::Fourier => {
                circular(&filters[0].column(0).into_owned()).tr_mul(&filters[1].column(0))
            }
            _ => filters[0].column(0).component_mul(&filters[1].column(0)),
        };
        let signals = vec![product, filters[1].column(0).into_owned()];
        let direct = direct
            .with_rule(Rule::direct_feedback_alignment(signals))
            .unwrap();
        let options = FlowOptions::to(40.0);
        let [a, b] = [&alignment, &direct].map(|p| completed(run(p, &options)).final_beta());
        assert!(relative(&a, &b) <= 1e-7, "{:e}", relative(&a, &b));
    }
}

fn shifted(x: &DMatrix<f64>, by: usize) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, (j + by) % x.ncols())])
}

fn shifted_vector(x: &DVector<f64>, by: usize) -> DVector<f64> {
    DVector::from_fn(x.len(), |j, _| x[(j + by) % x.len()])
}

/// Shifting every sample cyclically shifts the predictor if the feedback is shifted with it (a shift multiplies
/// transforms by phases; those of x̂ and b̂_1 cancel in ŵ_1, so the first layer stays and the last one shifts), and
/// does so without under BP from weights shifted likewise.
#[test]
fn cyclic_shifts_of_the_data_shift_the_predictor() {
    let data = gaussian_teacher(7, 5, 3);
    let moved = Dataset::new(shifted(data.samples(), 2), data.labels().clone());
    let shift = |x: &DVector<f64>| shifted_vector(x, 2);
    let options = FlowOptions::to(30.0);
    let network = Network::convolutional(7, 2);
    let plain = feedback(data.clone(), network.clone(), 0.0, 7);
    let b = shift(&plain.feedback().unwrap()[0]);
    let turned = feedback(moved.clone(), network.clone(), 0.0, 7)
        .with_rule(Rule::direct_feedback_alignment(vec![b]))
        .unwrap();
    let [a, b] = [&plain, &turned].map(|p| completed(run(p, &options)).final_beta());
    assert!(relative(&b, &shift(&a)) <= 1e-7);

    let plain = gradient_descent(data, network.clone());
    let w = network.weights(plain.theta0().as_slice());
    let mut weights = w[0].column(0).as_slice().to_vec();
    weights.extend(shift(&w[1].column(0).into_owned()).iter());
    let turned = gradient_descent(moved, network.clone())
        .with_start(network.theta(DVector::from_vec(weights)))
        .unwrap();
    let [a, b] = [&plain, &turned].map(|p| completed(run(p, &options)).final_beta());
    assert!(relative(&b, &shift(&a)) <= 1e-7);
}

/// Sample order and simultaneous flips of a sample and its label do not matter.
#[test]
fn symmetries_of_the_samples() {
    let data = gaussian_teacher(6, 5, 3);
    let flipped = Dataset::new(-data.samples(), -data.labels());
    let options = FlowOptions::to(30.0);
    for network in networks(6, 2) {
        let beta = |data: &Dataset| {
            let problem = feedback(data.clone(), network.clone(), 0.0, 7);
            completed(run(&problem, &options)).final_beta()
        };
        let reference = beta(&data);
        for other in [rows(&data, &[4, 2, 0, 1, 3]), flipped.clone()] {
            assert!(relative(&beta(&other), &reference) <= 1e-7);
        }
    }
}

/// Ten seeds each to astronomical times: no stall, no drift (THEORY: SciPy did all but one).
#[test]
fn far_horizons_are_reached() {
    for (depth, until) in [(2, 70.0), (3, 140.0), (4, 330.0)] {
        for seed in 1..=10 {
            let network = Network::convolutional(8, depth);
            let problem = feedback(gaussian_teacher(8, 5, seed), network, 0.0, seed + 100);
            let (t, d) = run(&problem, &FlowOptions::to(until));
            assert_eq!(t.status, Status::Completed, "L = {depth}: {:?}", t.message);
            assert_exact(&d);
            assert!(t.solver.steps < 40_000, "{}", t.solver.steps);
        }
    }
}

/// Odd and tiny dimensions, one sample, more samples than dimensions, absent entries and frequencies.
#[test]
fn awkward_shapes_run() {
    let labels = |y: &[f64]| DVector::from_column_slice(y);
    let tiny = Dataset::new(dmatrix![2.0; -0.5], labels(&[1.0, -1.0]));
    let plane = dmatrix![1.0, 0.2; -1.0, 0.3; 0.5, 3.0];
    let plane = Dataset::new(plane, labels(&[1.0, -1.0, 1.0]));
    let teacher = gaussian_teacher(6, 4, 2);
    let mut zero_column = teacher.samples().clone();
    zero_column.column_mut(2).fill(0.0);
    let zero_column = Dataset::new(zero_column, teacher.labels().clone());
    let mut no_mean = teacher.samples().clone();
    for mut row in no_mean.row_iter_mut() {
        let mean = row.mean();
        row.add_scalar_mut(-mean);
    }
    let no_mean = Dataset::new(no_mean, teacher.labels().clone());
    let sets = [
        tiny,
        plane,
        zero_column,
        no_mean,
        gaussian_teacher(9, 1, 1),
        gaussian_teacher(4, 30, 1),
    ];
    for data in sets {
        for depth in [1, 2, 3] {
            for network in networks(data.dimension(), depth) {
                for problem in [
                    feedback(data.clone(), network.clone(), 0.0, 7),
                    gradient_descent(data.clone(), network.clone()),
                ] {
                    runs_to(60.0, &problem);
                }
            }
        }
    }
}

#[track_caller]
fn runs_to(until: f64, problem: &Problem) {
    let (t, d) = run(problem, &FlowOptions::to(until));
    let (network, rule) = (problem.network(), problem.rule().key());
    let case = format!("{} {:?} {rule}", network.key(), network.shapes());
    assert_eq!(t.status, Status::Completed, "{case}: {:?}", t.message);
    let growth = d.min_margin.last().unwrap() / d.log_time.last().unwrap();
    assert!(growth > 0.9, "{case}: {growth}");
    let drift = d.worst_invariant();
    assert!(drift <= 1e-6, "{case}: {drift:e}");
}

/// Two support vectors that differ only where the limit vanishes: some weights stay bounded while their layer grows,
/// and what tells the samples apart sinks into rounding (docs/design.md says how far out).
#[test]
fn support_vectors_that_agree_on_the_support_of_the_limit() {
    let x = dmatrix![1.0, 0.0, 0.5; -1.0, 0.0, 1.0];
    let data = Dataset::new(x, DVector::from_vec(vec![1.0, -1.0]));
    for depth in [1, 2, 3] {
        for network in networks(3, depth) {
            runs_to(34.0, &feedback(data.clone(), network.clone(), 0.0, 7));
            runs_to(20.0, &gradient_descent(data.clone(), network));
        }
    }
}
