//! Networks with one output per class: plain equations, symmetries, limits.

mod complementarity;
mod contradictory;
mod frequencies;
#[path = "../support/judged.rs"]
mod judged;
#[path = "../support/runge_kutta.rs"]
mod runge_kutta;

use judged::judged;
use marginflow::claims::Outcome;
use marginflow::dataset::{
    ClassMeans, Dataset, class_means, gaussian_class_teacher, standard_normals,
};
use marginflow::descent::{Lane, Schedule, stepper};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::limit::{LimitKind, angle};
use marginflow::loss::Loss;
use marginflow::network::{Network, Signals};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};

fn matrix(seed: u64, (r, c): (usize, usize)) -> DMatrix<f64> {
    let draws = standard_normals("class tests", seed).take(r * c);
    DMatrix::from_iterator(r, c, draws)
}

/// The rules these tests go through.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Descent,
    Orthonormal,
    Gaussian,
    Layerwise,
    KolenPollack,
}

fn rule(kind: Kind, network: &Network) -> Rule {
    let direct = |f: &dyn Fn(u64, (usize, usize)) -> DMatrix<f64>| {
        let shapes = network.signal_shapes().into_iter().enumerate();
        shapes.map(|(l, shape)| f(40 + l as u64, shape)).collect()
    };
    let layerwise = || {
        let shapes = network.feedback_shapes().iter().enumerate();
        shapes
            .map(|(l, shape)| matrix(50 + l as u64, *shape))
            .collect()
    };
    match kind {
        Kind::Descent => Rule::gradient_descent(),
        Kind::Orthonormal => {
            Rule::direct_feedback_matrices(direct(&|seed, shape| matrix(seed, shape).qr().q()))
        }
        Kind::Gaussian => Rule::direct_feedback_matrices(direct(&matrix)),
        Kind::Layerwise => Rule::feedback_alignment(layerwise()),
        Kind::KolenPollack => (marginflow::rule::RULES.iter())
            .find(|rule| rule.key == "kolen-pollack")
            .map(|rule| match rule.needs {
                marginflow::rule::Needs::Matrices(make) => make(layerwise()),
                _ => unreachable!("Kolen–Pollack takes matrices"),
            })
            .unwrap(),
    }
}

/// A fully connected network of these widths on `data`, from weights of size `scale`.
fn problem(data: &Dataset, hidden: &[usize], kind: Kind, loss: Loss, scale: f64) -> Problem {
    let network = Network::fully_connected_with_outputs(data.dimension(), hidden, data.outputs());
    let theta = standard_normals("class tests", 3).take(network.parameters());
    let theta = DVector::from_iterator(network.parameters(), theta) * scale;
    let rule = rule(kind, &network);
    Problem::new(data.clone(), network, rule, loss, theta).unwrap()
}

fn run(problem: &Problem, options: &FlowOptions) -> (Trajectory, Diagnostics) {
    let trajectory = integrate(problem, options, &mut |_| {}).unwrap();
    assert_eq!(
        trajectory.status,
        Status::Completed,
        "{:?}",
        trajectory.message
    );
    let diagnostics = diagnose(problem, &trajectory, None);
    (trajectory, diagnostics)
}

/// `−∂𝓛/∂f_n` from the textbook: of the exponential loss over pairs, the logistic one over pairs, the cross-entropy.
fn output_errors(loss: Loss, f: &[f64], class: usize) -> DVector<f64> {
    let mut errors = DVector::zeros(f.len());
    let partition: f64 = f.iter().map(|g| (g - f[class]).exp()).sum();
    for k in (0..f.len()).filter(|k| *k != class) {
        let odds = (f[k] - f[class]).exp();
        let alpha = match loss.name() {
            "exponential" => odds,
            "logistic" => odds / (1.0 + odds),
            _ => odds / partition,
        };
        errors[k] -= alpha;
        errors[class] += alpha;
    }
    errors
}

/// `dw_l/dt`, a loop over samples; the matrices of Kolen–Pollack follow the weights.
fn plain_velocity(
    problem: &Problem,
    w: &[DMatrix<f64>],
    back: Option<&[DMatrix<f64>]>,
) -> Vec<DMatrix<f64>> {
    let (data, depth) = (problem.dataset(), w.len());
    let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
    for (n, x) in data.samples().row_iter().enumerate() {
        let mut h = vec![x.transpose()];
        for w_l in w {
            h.push(w_l.transpose() * &h[h.len() - 1]);
        }
        let errors = output_errors(problem.loss(), h[depth].as_slice(), data.class_of(n));
        let mut delta = errors.clone();
        for l in (0..depth).rev() {
            velocity[l] += &h[l] * delta.transpose();
            if l > 0 {
                delta = match (problem.rule().signals(), back) {
                    (_, Some(f)) => &f[l - 1] * &delta,
                    (Signals::Backward, None) => &w[l] * &delta,
                    (Signals::Layerwise(f), None) => &f[l - 1] * &delta,
                    (Signals::Direct(f), None) => &f[l - 1] * &errors,
                };
            }
        }
    }
    velocity
}

/// The layers, and behind them the feedback where it learns.
fn plain_start(problem: &Problem) -> Vec<DMatrix<f64>> {
    let mut w = problem.network().weights(problem.theta0().as_slice());
    if let (true, Signals::Layerwise(f)) = (problem.rule().evolves(), problem.rule().signals()) {
        w.extend(f.iter().cloned());
    }
    w
}

fn plain_rates(problem: &Problem, state: &[DMatrix<f64>]) -> Vec<DMatrix<f64>> {
    let depth = problem.network().depth();
    let (w, f) = state.split_at(depth);
    let mut rates = plain_velocity(problem, w, (!f.is_empty()).then_some(f));
    if !f.is_empty() {
        rates.extend_from_within(1..);
    }
    rates
}

fn product(w: &[DMatrix<f64>], depth: usize) -> DMatrix<f64> {
    w[1..depth].iter().fold(w[0].clone(), |p, w| p * w)
}

/// β at τ = ln(1+t), by Runge–Kutta.
fn plain_predictor(problem: &Problem, tau: f64, steps: usize) -> DMatrix<f64> {
    let start = plain_start(problem);
    let w = runge_kutta::in_log_time(start, (tau, steps), |w| plain_rates(problem, w));
    product(&w, problem.network().depth())
}

/// Twenty random problems: rules, depths, numbers of classes, losses and starts.
fn random_problems() -> Vec<Problem> {
    let kinds = [
        Kind::Descent,
        Kind::Orthonormal,
        Kind::Gaussian,
        Kind::Layerwise,
        Kind::KolenPollack,
    ];
    let losses = [Loss::Exponential, Loss::CrossEntropy, Loss::Logistic];
    let hidden: [&[usize]; 4] = [&[4], &[5, 4], &[], &[3, 6]];
    (0..20)
        .map(|i| {
            let options = ClassMeans {
                dimension: 3 + (i / 2) % 3,
                classes: 2 + i % 3,
                samples: 6 + i % 4,
                spread: 0.3,
                seed: i as u64,
            };
            let kind = kinds[i % 5];
            let hidden = match hidden[i % 4] {
                // orthonormal columns need room
                hidden if kind == Kind::Orthonormal && hidden.contains(&3) => &[6, 5],
                hidden => hidden,
            };
            problem(
                &class_means(&options),
                hidden,
                kind,
                losses[(i / 3) % 3],
                0.15,
            )
        })
        .collect()
}

#[test]
fn early_flows_are_the_plain_equations() {
    for (i, problem) in random_problems().iter().enumerate() {
        let tau: f64 = 4.0;
        let options = FlowOptions {
            rtol: 1e-8,
            atol: 1e-10,
            saves: SaveAt::Uniform(2),
            ..FlowOptions::to(tau.ln_1p())
        };
        let beta = run(problem, &options).1.final_beta();
        let expected = plain_predictor(problem, tau, 20_000);
        let expected = DVector::from_column_slice(expected.as_slice());
        let difference = (&beta - &expected).norm() / expected.norm();
        assert!(difference <= 1e-7, "{i}: {difference:e}");
    }
}

#[test]
fn finite_steps_are_loops() {
    for (i, problem) in random_problems().iter().enumerate() {
        let size = 0.002;
        let lane = Lane {
            size,
            theta: problem.state0(),
        };
        let mut steps = stepper(problem, Schedule::Constant, &[lane]);
        steps.advance(50);
        let mut theta = vec![0.0; problem.theta0().len()];
        steps.theta(0, &mut theta);
        let mut w = plain_start(problem);
        for _ in 0..50 {
            let rates = plain_rates(problem, &w);
            w.iter_mut().zip(&rates).for_each(|(w, v)| *w += v * size);
        }
        let depth = problem.network().depth();
        let expected: Vec<f64> = w[..depth].iter().flat_map(|w| w.iter().copied()).collect();
        let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        for (found, expected) in theta.iter().zip(&expected) {
            let error = (found - expected).abs() / largest;
            assert!(error <= 1e-12, "{i}: {error:e}");
        }
    }
}

/// With two classes `f_0 − f_1 = √2 f` of a network with one output on samples √2 times as long: rows, rates and rules
/// agree, from weights whose two columns are opposite.
#[test]
fn two_classes_are_one_output() {
    let data = gaussian_class_teacher(4, 6, 2, 3).unwrap();
    let labels = DVector::from_fn(6, |n, _| if data.class_of(n) == 0 { 1.0 } else { -1.0 });
    let root = 2f64.sqrt();
    let single = Dataset::new(data.samples() * root, labels);
    for (loss, same) in [
        (Loss::Exponential, Loss::Exponential),
        (Loss::CrossEntropy, Loss::Logistic),
    ] {
        for feedback in [false, true] {
            let network = Network::fully_connected(4, &[5]);
            let (w1, w2) = (matrix(1, (4, 5)) * 0.3, matrix(2, (5, 1)) * 0.3);
            let b = matrix(4, (5, 1));
            let with = |w2: &DMatrix<f64>| {
                let entries = w1.iter().chain(w2.iter()).copied().collect();
                DVector::from_vec(entries)
            };
            let opposite = |w: &DMatrix<f64>| {
                DMatrix::from_columns(&[w.column(0) / root, w.column(0) / -root])
            };
            let [one, two] = match feedback {
                false => [Rule::gradient_descent(), Rule::gradient_descent()],
                true => [
                    Rule::direct_feedback_matrices(vec![b.clone()]),
                    Rule::direct_feedback_matrices(vec![opposite(&b)]),
                ],
            };
            let one = Problem::new(single.clone(), network, one, same, with(&w2)).unwrap();
            let network = Network::fully_connected_with_outputs(4, &[5], 2);
            let two = Problem::new(data.clone(), network, two, loss, with(&opposite(&w2))).unwrap();
            let options = FlowOptions {
                rtol: 1e-9,
                atol: 1e-11,
                saves: SaveAt::Uniform(21),
                ..FlowOptions::to(20.0)
            };
            let [a, b] = [&one, &two].map(|problem| run(problem, &options).1);
            for k in 0..21 {
                for n in 0..6 {
                    let (x, y) = (a.margins[(n, k)], b.margins[(n, k)]);
                    let apart = (x - y).abs() / x.abs().max(1.0);
                    assert!(apart < 1e-8, "{loss:?} {feedback} {k}: {x} {y}");
                }
            }
        }
    }
}

/// On linear networks feedback alignment is direct feedback through products of its matrices.
#[test]
fn feedback_alignment_is_direct_feedback_by_products() {
    let data = gaussian_class_teacher(5, 8, 3, 4).unwrap();
    let layerwise = problem(&data, &[5, 4], Kind::Layerwise, Loss::Exponential, 0.2);
    let products = layerwise.feedback_matrices().unwrap();
    let direct = (layerwise.clone())
        .with_rule(Rule::direct_feedback_matrices(products))
        .unwrap();
    let options = FlowOptions::to(25.0);
    let [a, b] = [&layerwise, &direct].map(|problem| run(problem, &options).1.final_beta());
    assert!((&a - &b).norm() <= 1e-12 * a.norm());
}

/// Classes may be renamed, samples permuted and rotated.
#[test]
fn names_order_and_axes_do_not_matter() {
    let data = gaussian_class_teacher(5, 8, 3, 4).unwrap();
    let classes: Vec<usize> = (0..8).map(|n| data.class_of(n)).collect();
    let base = problem(&data, &[4], Kind::Descent, Loss::CrossEntropy, 0.2);
    let options = FlowOptions {
        rtol: 1e-8,
        ..FlowOptions::to(15.0)
    };
    let end = |problem: &Problem| {
        let beta = run(problem, &options).1.final_beta();
        DMatrix::from_column_slice(5, 3, beta.as_slice())
    };
    let expected = end(&base);
    let with = |data: Dataset, w: [DMatrix<f64>; 2]| {
        let theta = w.iter().flat_map(|w| w.iter().copied()).collect();
        let problem = base.clone().with_dataset(data).unwrap();
        end(&problem.with_start(DVector::from_vec(theta)).unwrap())
    };
    let w = base.network().weights(base.theta0().as_slice());
    // class c is called c + 1
    let renamed: Vec<usize> = classes.iter().map(|c| (c + 1) % 3).collect();
    let renamed = Dataset::of_classes(data.samples().clone(), &renamed, 3).unwrap();
    let found = with(renamed, [w[0].clone(), w[1].select_columns(&[2, 0, 1])]);
    let apart = (found - expected.select_columns(&[2, 0, 1])).norm();
    assert!(apart < 1e-6 * expected.norm(), "{apart:e}");
    let order = [3, 1, 7, 0, 2, 6, 5, 4];
    let moved: Vec<usize> = order.iter().map(|n| classes[*n]).collect();
    let moved = Dataset::of_classes(data.samples().select_rows(&order), &moved, 3).unwrap();
    let found = with(moved, [w[0].clone(), w[1].clone()]);
    assert!((found - &expected).norm() < 1e-6 * expected.norm());
    let q = matrix(9, (5, 5)).qr().q();
    let turned = Dataset::of_classes(data.samples() * q.transpose(), &classes, 3).unwrap();
    let found = with(turned, [&q * &w[0], w[1].clone()]);
    assert!((found - &q * &expected).norm() < 1e-6 * expected.norm());
}

/// Ten seeds at L = 2 and L = 3: the limit is the Schatten norm's and none of the others', at the predicted rate.
#[test]
fn fixed_feedback_selects_a_schatten_norm() {
    let mut apart_from_all = 0;
    // teachers that leave no class without samples
    let drawn = (1..).filter_map(|seed| Some((seed, gaussian_class_teacher(6, 8, 3, seed).ok()?)));
    for (seed, data) in drawn.take(10) {
        for (hidden, until, close) in [(&[6][..], 60.0, 1e-6), (&[6, 6], 140.0, 1e-6)] {
            let problem = problem(&data, hidden, Kind::Orthonormal, Loss::Exponential, 0.0);
            let run = judged(&problem, &FlowOptions::to(until), false).unwrap();
            assert_eq!(run.status, Status::Completed, "{:?}", run.message);
            let outcome = |id: &str| run.verdicts.iter().find(|v| v.id == id).unwrap().outcome;
            for claim in ["prop-1-vector", "thm-1-vector", "thm-3"] {
                assert_eq!(outcome(claim), Outcome::Holds, "{seed} {hidden:?} {claim}");
            }
            assert_ne!(outcome("rate-dfa"), Outcome::Violated, "{seed} {hidden:?}");
            let d = &run.diagnostics;
            let last = d.final_angle().unwrap();
            assert!(last <= close, "{seed} {hidden:?}: {last:e}");
            assert!(d.worst_invariant() < 1e-6, "{:e}", d.worst_invariant());
            let others: Vec<f64> = d
                .candidates
                .iter()
                .map(|c| c.angle[c.angle.len() - 1])
                .collect();
            assert!(
                others.iter().all(|angle| *angle > 1e-3),
                "{seed}: {others:?}"
            );
            if hidden.len() == 1 && others.iter().all(|angle| *angle >= 0.03) {
                apart_from_all += 1;
            }
        }
    }
    assert!(apart_from_all >= 5, "{apart_from_all}");
}

/// Gradient descent selects the multi-class SVM, the nuclear norm, and stationary points of a quasi-norm.
#[test]
fn gradient_descent_selects_others() {
    let drawn = (1..).filter_map(|seed| gaussian_class_teacher(6, 8, 3, seed).ok());
    for data in drawn.take(5) {
        for loss in [Loss::Exponential, Loss::CrossEntropy] {
            for (hidden, kind) in [
                (&[][..], Some(LimitKind::MaxMargin)),
                (&[6], Some(LimitKind::Nuclear)),
                (&[6, 6], None),
            ] {
                let problem = problem(&data, hidden, Kind::Descent, loss, 0.1);
                let run = judged(&problem, &FlowOptions::to(50.0), false).unwrap();
                assert_eq!(run.status, Status::Completed, "{:?}", run.message);
                let verdict = run
                    .verdicts
                    .iter()
                    .find(|v| v.id == "gd-fc-vector")
                    .unwrap();
                assert_eq!(
                    verdict.outcome,
                    Outcome::Holds,
                    "{hidden:?} {}",
                    verdict.evidence
                );
                let gap = run.diagnostics.duality_gap.last().unwrap();
                assert_eq!(gap.is_some(), kind.is_some());
                assert!(gap.is_none_or(|gap| gap < 1e-7), "{hidden:?}: {gap:?}");
            }
        }
    }
}

/// Feedback whose `FᵀF` is far from the identity: the recursion still holds, and no norm claims the limit.
#[test]
fn other_feedback_has_no_norm() {
    let data = gaussian_class_teacher(6, 8, 3, 2).unwrap();
    let options = FlowOptions::to(60.0);
    let even = problem(&data, &[6], Kind::Orthonormal, Loss::Exponential, 0.0);
    let Signals::Direct(f) = even.rule().signals() else {
        panic!("direct feedback");
    };
    let uneven = &f[0] * DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, 0.3, 0.05]));
    let uneven = (even.clone())
        .with_rule(Rule::direct_feedback_matrices(vec![uneven]))
        .unwrap();
    let run = judged(&uneven, &options, false).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    let outcome = |id: &str| run.verdicts.iter().find(|v| v.id == id).unwrap().outcome;
    assert_eq!(outcome("prop-1-vector"), Outcome::Holds);
    assert_eq!(outcome("thm-1-vector"), Outcome::NotApplicable);
    let schatten = judged(&even, &options, false)
        .unwrap()
        .diagnostics
        .final_beta();
    let found = run.diagnostics.final_beta();
    let apart = angle(found.as_slice(), schatten.as_slice());
    assert!(apart > 0.02, "{apart:e}");
}

/// What is no data set of classes is refused, and so are networks with other numbers of outputs.
#[test]
fn what_does_not_fit_is_refused() {
    let x = matrix(1, (4, 2));
    for (classes, count, part) in [
        (vec![0, 1, 2, 3], 3, "sample 3 is of class 3"),
        (vec![0, 0, 0, 0], 1, "at least two"),
        (vec![0, 1, 0, 1], 3, "no sample is of class 2"),
        (vec![0, 1, 0], 2, "3 labels for 4 samples"),
    ] {
        let refused = Dataset::of_classes(x.clone(), &classes, count).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let data = Dataset::of_classes(x, &[0, 1, 2, 1], 3).unwrap();
    let network = Network::fully_connected(2, &[3]);
    let theta = DVector::zeros(network.parameters());
    let rule = Rule::gradient_descent();
    let refused = Problem::new(data, network, rule, Loss::Exponential, theta).unwrap_err();
    let expected = "the labels need 3 outputs, the network has 1";
    assert_eq!(refused.to_string(), expected);
}
