//! General networks: plain equations, finite steps, networks that they are, and what is judged of them.

mod battery;
#[path = "../support/judged.rs"]
mod judged;
mod plain;
#[path = "../support/runge_kutta.rs"]
mod runge_kutta;

use judged::judged;
use marginflow::activation::{ACTIVATIONS, Activation, Formula, Identity, OfLayers};
use marginflow::claims::Outcome;
use marginflow::dataset::{ClassMeans, Dataset, class_means, gaussian_teacher, standard_normals};
use marginflow::descent::{Lane, Schedule, stepper};
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::loss::Loss;
use marginflow::network::{LayerSpec, Layered, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::Status;
use nalgebra::{DMatrix, DVector};
use plain::Plain;

const EPSILON: f64 = 0.3;

fn normals(seed: u64, n: usize) -> Vec<f64> {
    standard_normals("layer tests", seed).take(n).collect()
}

fn named(name: &str, number: f64) -> Activation {
    let registered = ACTIVATIONS
        .iter()
        .find(|a| a.name == name)
        .expect("registered");
    match registered.of_layers.expect("an activation of layers") {
        OfLayers::Name(make) => make(),
        OfLayers::Number { make, .. } => make(number).expect("in range"),
    }
}

/// BP, DFA, FA. Feedback is small: through units of higher degree larger ones make the loss explode in finite time.
fn rule(kind: usize, network: &Network) -> Rule {
    let draw = |(l, (r, c)): (usize, (usize, usize))| {
        DMatrix::from_vec(r, c, normals(40 + l as u64, r * c)) * 0.2
    };
    match kind {
        0 => Rule::gradient_descent(),
        1 => Rule::direct_feedback_matrices(
            network
                .signal_shapes()
                .into_iter()
                .enumerate()
                .map(draw)
                .collect(),
        ),
        _ => Rule::feedback_alignment(
            network
                .feedback_shapes()
                .iter()
                .copied()
                .enumerate()
                .map(draw)
                .collect(),
        ),
    }
}

fn problem(data: Dataset, hidden: &[LayerSpec], kind: usize, loss: Loss, scale: f64) -> Problem {
    let network = Network::new(Layered::new(data.dimension(), hidden, data.outputs()).unwrap());
    let theta = DVector::from_vec(normals(3, network.parameters())) * scale;
    let rule = rule(kind, &network);
    Problem::new(data, network, rule, loss, theta).unwrap()
}

/// Layers of all kinds by a number, kinks rounded over ε; names beside them.
fn layers(i: usize, epsilon: f64) -> (Vec<LayerSpec>, Vec<(&'static str, f64)>) {
    let names = [
        ("relu", 0.0),
        ("leaky-relu", 0.2),
        ("quadratic", 0.0),
        ("identity", 0.0),
        ("relu-power", 2.0),
    ];
    let pick = |j: usize| names[(i + j) % names.len()];
    let smooth = |(name, number): (&str, f64)| match epsilon > 0.0 {
        true => named(name, number).rounded(epsilon),
        false => named(name, number),
    };
    let kernel = 2 + i % 3;
    let hidden = match i % 4 {
        0 => vec![LayerSpec::convolution(kernel, 2, smooth(pick(0)))],
        1 => vec![
            LayerSpec::dense(4, smooth(pick(0))),
            LayerSpec::dense(3, smooth(pick(1))),
        ],
        2 => vec![
            LayerSpec::convolution(kernel, 2, smooth(pick(0))),
            LayerSpec {
                pooling: vec![2],
                ..LayerSpec::convolution(2, 3, smooth(pick(1)))
            },
        ],
        _ => vec![
            LayerSpec {
                bias: true,
                ..LayerSpec::convolution(kernel, 2, smooth(pick(0)))
            },
            LayerSpec {
                pooling: vec![3],
                bias: true,
                ..LayerSpec::dense(4, smooth(pick(1)))
            },
        ],
    };
    let names = (0..hidden.len()).map(pick).collect();
    (hidden, names)
}

/// Twenty random problems over layers, rules, numbers of outputs and losses.
fn random_problems(epsilon: f64) -> Vec<(Problem, Plain)> {
    let losses = [Loss::Exponential, Loss::CrossEntropy, Loss::Logistic];
    (0..20)
        .map(|i| {
            let (hidden, names) = layers(i, epsilon);
            let data = match i % 3 {
                0 => gaussian_teacher(6, 7, i as u64),
                outputs => class_means(&ClassMeans {
                    dimension: 6,
                    classes: 1 + outputs,
                    samples: 7,
                    spread: 0.3,
                    seed: i as u64,
                }),
            };
            let loss = losses[(i / 3) % 3];
            let problem = problem(data, &hidden, (i / 2) % 3, loss, 0.3);
            let plain = Plain::new(6, hidden, names, epsilon);
            (problem, plain)
        })
        .collect()
}

/// `−∂𝓛/∂f` of one sample, from the textbook.
fn output_errors(problem: &Problem, n: usize, f: &[f64]) -> DVector<f64> {
    let (data, loss) = (problem.dataset(), problem.loss());
    let weight = |odds: f64, partition: f64| match loss.name() {
        "exponential" => odds,
        "logistic" => odds / (1.0 + odds),
        _ => odds / partition,
    };
    if data.outputs() == 1 {
        let (y, odds) = (data.labels()[n], (-data.labels()[n] * f[0]).exp());
        return DVector::from_element(1, y * weight(odds, 1.0 + odds));
    }
    let own = data.class_of(n);
    let partition: f64 = f.iter().map(|g| (g - f[own]).exp()).sum();
    let mut errors = DVector::zeros(f.len());
    for k in (0..f.len()).filter(|k| *k != own) {
        let alpha = weight((f[k] - f[own]).exp(), partition);
        errors[k] -= alpha;
        errors[own] += alpha;
    }
    errors
}

fn plain_velocity((problem, plain): &(Problem, Plain), w: &[DMatrix<f64>]) -> Vec<DMatrix<f64>> {
    let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
    for n in 0..problem.dataset().len() {
        let of_sample = plain.step(problem, w, n, &|f| output_errors(problem, n, f));
        velocity
            .iter_mut()
            .zip(of_sample)
            .for_each(|(v, own)| *v += own);
    }
    velocity
}

fn flat(w: &[DMatrix<f64>]) -> DVector<f64> {
    DVector::from_vec(w.iter().flat_map(|w| w.iter().copied()).collect())
}

/// θ at τ = ln(1+t), by Runge–Kutta.
fn plain_flow(case: &(Problem, Plain), tau: f64, steps: usize) -> DVector<f64> {
    let start = case.0.network().weights(case.0.theta0().as_slice());
    let w = runge_kutta::in_log_time(start, (tau, steps), |w| plain_velocity(case, w));
    flat(&w)
}

#[test]
fn early_flows_are_the_plain_equations() {
    for (i, case) in random_problems(EPSILON).iter().enumerate() {
        let tau: f64 = 2.0;
        let options = FlowOptions {
            rtol: 1e-8,
            atol: 1e-10,
            saves: SaveAt::Uniform(2),
            ..FlowOptions::to(tau.ln_1p())
        };
        let run = integrate(&case.0, &options, &mut |_| {}).unwrap();
        assert_eq!(run.status, Status::Completed, "{i}: {:?}", run.message);
        let found = run.theta.column(run.len() - 1).into_owned();
        // a kink of the second derivative costs Runge–Kutta its order, not its limit
        let expected = plain_flow(case, tau, 2_000);
        let difference = (&found - &expected).norm() / expected.norm();
        assert!(
            difference <= 1e-7,
            "{i} {:?}: {difference:e}",
            case.0.network()
        );
    }
}

/// Runge–Kutta steps over kinks without seeing them: it errs there by a share of its step, and is right in the limit.
#[test]
fn exact_kinks_are_crossed_as_small_steps_cross_them() {
    let (mut crossings, mut slides) = (0, 0);
    for (i, case) in random_problems(0.0).iter().enumerate() {
        let tau: f64 = match i {
            // squared units under DFA explode before long
            14 => 1.0,
            // a unit of the second layer comes to slide on the one kink of two samples
            5 => 2.0,
            _ => 1.4,
        };
        let options = FlowOptions {
            saves: SaveAt::Uniform(2),
            ..FlowOptions::to(tau.ln_1p())
        };
        let run = integrate(&case.0, &options, &mut |_| {}).unwrap();
        assert_eq!(run.status, Status::Completed, "{i}: {:?}", run.message);
        if let Some(kinks) = &run.kinks {
            crossings += kinks.crossings;
            slides += kinks.slides;
        }
        let found = run.theta.column(run.len() - 1).into_owned();
        let plain = plain_flow(case, tau, 4_000);
        let difference = (&found - &plain).norm() / plain.norm();
        assert!(
            difference <= 1e-4,
            "{i} {:?}: {difference:e}",
            case.0.network()
        );
    }
    assert!(crossings > 100 && slides > 5, "{crossings} {slides}");
}

#[test]
fn finite_steps_are_loops() {
    let cases = [EPSILON, 0.0].into_iter().flat_map(random_problems);
    for (i, case) in cases.enumerate() {
        let case = &case;
        let (problem, size) = (&case.0, 0.002);
        let lane = Lane {
            size,
            theta: problem.state0(),
        };
        let mut steps = stepper(problem, Schedule::Constant, &[lane]);
        steps.advance(50);
        let mut theta = vec![0.0; problem.theta0().len()];
        steps.theta(0, &mut theta);
        let mut w = problem.network().weights(problem.theta0().as_slice());
        for _ in 0..50 {
            let v = plain_velocity(case, &w);
            w.iter_mut().zip(&v).for_each(|(w, v)| *w += v * size);
        }
        let expected = flat(&w);
        let error = (DVector::from_vec(theta) - &expected).amax() / expected.amax();
        assert!(error <= 1e-12, "{i}: {error:e}");
    }
}

/// Convolution with four channels and ReLU, dense leaky ReLU, dense, and the output layer, under BP and DFA, kinks
/// rounded and exact.
#[test]
fn four_mixed_layers_are_judged() {
    for (kind, epsilon) in [(0, 0.1), (1, 0.1), (0, 0.0), (1, 0.0)] {
        let kinked = |name, number| match epsilon > 0.0 {
            true => named(name, number).rounded(epsilon),
            false => named(name, number),
        };
        let hidden = [
            LayerSpec::convolution(3, 4, kinked("relu", 0.0)),
            LayerSpec::dense(20, kinked("leaky-relu", 0.1)),
            LayerSpec::dense(10, Identity),
        ];
        let problem = problem(
            gaussian_teacher(8, 12, 3),
            &hidden,
            kind,
            Loss::Exponential,
            0.3,
        );
        let run = judged(&problem, &FlowOptions::to(12.0), false).unwrap();
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        let of = |id: &str| run.verdicts.iter().find(|v| v.id == id).expect("a claim");
        let thm_3 = of("thm-3");
        assert!(
            matches!(thm_3.outcome, Outcome::Holds | Outcome::Inconclusive),
            "{thm_3:?}"
        );
        assert!(thm_3.residual.expect("an angle") < 0.05);
        assert_eq!(run.trajectory.kinks.is_some(), epsilon == 0.0);
        assert!(run.diagnostics.worst_invariant() < 1e-6);
        assert_eq!(
            run.diagnostics.invariants.len(),
            if kind == 0 { 3 } else { 1 }
        );
        if kind == 0 {
            let (lyu_li, loss) = (of("gd-homogeneous"), of("loss-decreases"));
            assert_ne!(lyu_li.outcome, Outcome::Violated, "{lyu_li:?}");
            assert_eq!(loss.outcome, Outcome::Holds);
            let h = run.diagnostics.homogeneous.as_ref().unwrap();
            assert_eq!(h.degree, 4);
            // the residual falls by more than half over the second half of the run
            let (middle, last) = (h.gradient_kkt[100].unwrap(), h.gradient_kkt[200].unwrap());
            assert!(last < 0.5 * middle, "{middle:e} {last:e}");
        }
    }
}

/// Quadratic units have degree three in θ: directions converge to KKT points at the rate −1/3.
#[test]
fn quadratic_units_tend_to_kkt_points() {
    let hidden = [LayerSpec::dense(12, named("quadratic", 0.0))];
    let problem = problem(
        gaussian_teacher(5, 8, 4),
        &hidden,
        0,
        Loss::Exponential,
        0.3,
    );
    let run = judged(&problem, &FlowOptions::to(30.0), false).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    for id in ["thm-3", "gd-homogeneous", "loss-decreases"] {
        let verdict = run.verdicts.iter().find(|v| v.id == id).unwrap();
        assert_eq!(verdict.outcome, Outcome::Holds, "{verdict:?}");
    }
    let h = run.diagnostics.homogeneous.as_ref().unwrap();
    assert_eq!(h.degree, 3);
    let (middle, last) = (h.gradient_kkt[100].unwrap(), h.gradient_kkt[200].unwrap());
    assert!(last < 0.3 * middle && last < 0.01, "{middle:e} {last:e}");
}

/// With biases nothing is homogeneous: Theorem 3 is judged all the same, statements on directions of θ are not.
#[test]
fn biases_leave_the_output_layer() {
    let hidden = [LayerSpec {
        bias: true,
        ..LayerSpec::dense(10, named("relu", 0.0).rounded(0.1))
    }];
    let problem = problem(
        gaussian_teacher(4, 8, 2),
        &hidden,
        0,
        Loss::Exponential,
        0.5,
    );
    let run = judged(&problem, &FlowOptions::to(16.0), false).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    assert!(run.diagnostics.homogeneous.is_none());
    let of = |id: &str| run.verdicts.iter().find(|v| v.id == id).expect("a claim");
    assert!(of("thm-3").residual.is_some(), "{:?}", of("thm-3"));
    assert_eq!(of("gd-homogeneous").outcome, Outcome::NotApplicable);
    let angle = run
        .diagnostics
        .final_angle()
        .expect("the SVM of the features");
    assert!((angle - of("thm-3").residual.unwrap()).abs() < 1e-12);
}
