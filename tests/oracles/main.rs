//! Runs against exact answers: closed forms, reductions, rates, an explicit integrator of the plain equations,
//! symmetries.

mod least_distance;
mod margin_path;
mod reduced;
mod reductions;
mod spectral;
#[path = "../support/mod.rs"]
mod support;

use marginflow::dataset::{Dataset, gaussian_teacher};
use marginflow::diagnostics::Diagnostics;
use marginflow::flow::{FlowOptions, Method, NewtonSolver, integrate_kernel};
use marginflow::limit::angle;
use marginflow::loss::Loss;
use marginflow::network::{Kernel, Signals, Tangent};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::allocator::Allocator;
use nalgebra::{DMatrix, DVector, DefaultAllocator, Dim, Dyn, OMatrix, dmatrix};
use reductions::{Dual, FeedbackReduction, ZeroInitial};
use std::ops::{Add, Mul};
use std::sync::Arc;
use support::{bp, dfa, run, svm};

/// The data of the closed-form tests: four of the five samples are support vectors.
const SEED: u64 = 5;

fn relative(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    (a - b).norm() / b.norm()
}

fn completed(run: (Trajectory, Diagnostics)) -> Diagnostics {
    assert_eq!(run.0.status, Status::Completed, "{:?}", run.0.message);
    run.1
}

/// The final predictor of the closed form, integrated in its own variables.
fn closed_form(problem: &Problem, options: &FlowOptions) -> DVector<f64> {
    let reduced = Arc::new(ZeroInitial::new(problem));
    let kernel: Arc<dyn Kernel> = reduced.clone();
    let zero = DVector::zeros(kernel.parameters());
    let run = integrate_kernel(
        &kernel,
        problem.loss(),
        &zero,
        options,
        NewtonSolver::Dense,
        &mut |_| {},
    )
    .expect("the flow starts");
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    reduced.beta(&run.theta.column(run.len() - 1).into_owned())
}

/// Full run against the closed form: final angles to the limit and predictors agree, invariants and multipliers hold.
/// Returns the final angle.
fn against_closed_form(problem: &Problem, until: f64) -> f64 {
    let options = FlowOptions::to(until);
    let d = completed(run(problem, &options));
    let limit = svm(problem.dataset());
    let beta = closed_form(problem, &options);
    let expected = angle(beta.as_slice(), limit.beta.as_slice());
    let found = d.final_angle().unwrap();
    println!(
        "L = {}: angle {found:.6e}, closed form {expected:.6e}, beta {:.1e}, invariants {:.1e}, multipliers {:.1e}",
        problem.network().depth(),
        relative(&d.final_beta(), &beta),
        d.worst_invariant(),
        d.worst_multiplier_drift()
    );
    assert!((found / expected - 1.0).abs() <= 1e-4, "{found} {expected}");
    assert!(relative(&d.final_beta(), &beta) <= 1e-6);
    assert!(d.worst_invariant() <= 1e-6);
    assert!(d.worst_multiplier_drift() <= 1e-6);
    found
}

#[test]
fn zero_initial_dfa_is_its_closed_form() {
    let data = gaussian_teacher(8, 5, SEED);
    let support = svm(&data).support.len();
    assert!(
        support < 5,
        "with every sample a support vector the angle proves little"
    );
    assert!(against_closed_form(&dfa(data.clone(), 2, 0.0), 60.0) <= 1e-9);
    against_closed_form(&dfa(data, 3, 0.0), 60.0);
}

#[test]
fn random_initial_dfa_is_its_reduction() {
    for depth in [2, 3] {
        let problem = dfa(gaussian_teacher(6, 8, 4), depth, 0.3);
        let options = FlowOptions::to(10.0);
        let d = completed(run(&problem, &options));
        let reduced = Arc::new(FeedbackReduction::new(&problem));
        let kernel: Arc<dyn Kernel> = reduced.clone();
        assert_eq!(kernel.parameters(), 6 * depth);
        let start = DVector::zeros(kernel.parameters());
        let twin = integrate_kernel(
            &kernel,
            problem.loss(),
            &start,
            &options,
            NewtonSolver::Dense,
            &mut |_| {},
        )
        .unwrap();
        assert_eq!(twin.status, Status::Completed, "{:?}", twin.message);
        let u = twin.theta.column(twin.len() - 1);
        let beta = reduced
            .beta(&Dual::column(u.as_slice(), u.as_slice()))
            .value
            .column(0)
            .into_owned();
        let difference = relative(&d.final_beta(), &beta);
        println!("reduction, L = {depth}: beta differs by {difference:.1e} at s = 10");
        assert!(difference <= 1e-6);
    }
}

#[test]
fn angles_fall_at_the_predicted_rates() {
    let data = gaussian_teacher(8, 5, 11);
    for (problem, until, rate) in [
        (dfa(data.clone(), 2, 0.0), 60.0, -1.0 / 3.0),
        (dfa(data.clone(), 3, 0.0), 60.0, -1.0 / 7.0),
        (bp(data.clone(), 2), 36.0, -1.0 / 2.0),
        (bp(data, 3), 60.0, -1.0 / 3.0),
    ] {
        let d = completed(run(&problem, &FlowOptions::to(until)));
        let fitted = d.rate.expect("a window to fit in");
        println!(
            "{} L = {}: rate {:.5} over {:?}",
            problem.rule().key(),
            problem.network().depth(),
            fitted.observed,
            fitted.window
        );
        assert!((fitted.observed - rate).abs() <= 0.005, "{fitted:?}");
        assert!(
            (fitted.predicted.unwrap() - rate).abs() <= 1e-12,
            "{fitted:?}"
        );
    }
}

#[test]
fn methods_agree() {
    for problem in [
        dfa(gaussian_teacher(8, 5, SEED), 2, 0.1),
        bp(gaussian_teacher(8, 5, SEED), 3),
    ] {
        use Method::{AdamsBdf, Esdirk34, TrBdf2, Tsit45};
        for (until, others) in [
            (2.0, &[AdamsBdf, Esdirk34, TrBdf2, Tsit45][..]),
            (20.0, &[AdamsBdf, Esdirk34, TrBdf2]),
        ] {
            let with = |method| {
                let options = FlowOptions {
                    method,
                    ..FlowOptions::to(until)
                };
                completed(run(&problem, &options))
            };
            let bdf = with(Method::Bdf);
            for &method in others {
                let other = with(method);
                let beta = relative(&other.final_beta(), &bdf.final_beta());
                let angles = other.final_angle().unwrap() / bdf.final_angle().unwrap() - 1.0;
                println!(
                    "{method:?} against bdf at s = {until}: beta {beta:.1e}, angle {angles:.1e}"
                );
                assert!(beta <= 1e-6);
                assert!(angles.abs() <= 1e-4);
            }
        }
    }
}

#[test]
fn errors_fall_with_the_tolerance() {
    let problem = dfa(gaussian_teacher(8, 5, SEED), 2, 0.0);
    let exact = closed_form(&problem, &FlowOptions::to(20.0).tightened().tightened());
    let errors: Vec<f64> = [1e-3, 1e-5, 1e-7]
        .iter()
        .map(|&rtol| {
            let options = FlowOptions {
                rtol,
                atol: rtol / 100.0,
                ..FlowOptions::to(20.0)
            };
            let error = relative(&completed(run(&problem, &options)).final_beta(), &exact);
            println!("rtol {rtol:.0e}: error {error:.1e}");
            assert!(error <= 0.01 * rtol, "{error} at {rtol}");
            error
        })
        .collect();
    assert!(errors.windows(2).all(|e| e[1] < 0.1 * e[0]), "{errors:?}");
}

/// `dw_l/dt` of the plain equations: a loop over samples, nothing shared with the crate.
fn plain_velocity(problem: &Problem, w: &[DMatrix<f64>]) -> Vec<DMatrix<f64>> {
    let depth = w.len();
    let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
    for (x, &y) in problem
        .dataset()
        .samples()
        .row_iter()
        .zip(problem.dataset().labels())
    {
        let mut h = vec![x.transpose()];
        for w_l in w {
            let next = w_l.transpose() * &h[h.len() - 1];
            h.push(next);
        }
        let margin = y * h[depth][0];
        let alpha = if problem.loss() == Loss::Exponential {
            (-margin).exp()
        } else {
            1.0 / (1.0 + margin.exp())
        };
        let mut delta = DVector::from_element(1, 1.0);
        for l in (0..depth).rev() {
            velocity[l] += &h[l] * delta.transpose() * (alpha * y);
            if l > 0 {
                delta = match problem.rule().signals() {
                    Signals::Backward => &w[l] * &delta,
                    Signals::Layerwise(f) => &f[l - 1] * &delta,
                    Signals::Direct(b) => b[l - 1].column(0).into_owned(),
                };
            }
        }
    }
    velocity
}

/// Classical Runge–Kutta in t, layer by layer.
fn runge_kutta<C: Dim>(
    mut w: Vec<OMatrix<f64, Dyn, C>>,
    time: f64,
    steps: usize,
    velocity: impl Fn(&[OMatrix<f64, Dyn, C>]) -> Vec<OMatrix<f64, Dyn, C>>,
) -> Vec<OMatrix<f64, Dyn, C>>
where
    DefaultAllocator: Allocator<Dyn, C>,
{
    let h = time / steps as f64;
    for _ in 0..steps {
        let moved = |v: &[OMatrix<f64, Dyn, C>], h: f64| -> Vec<_> {
            w.iter().zip(v).map(|(w, v)| w + v * h).collect()
        };
        let k1 = velocity(&w);
        let k2 = velocity(&moved(&k1, h / 2.0));
        let k3 = velocity(&moved(&k2, h / 2.0));
        let k4 = velocity(&moved(&k3, h));
        for (l, w_l) in w.iter_mut().enumerate() {
            *w_l += (&k1[l] + &k2[l] * 2.0 + &k3[l] * 2.0 + &k4[l]) * (h / 6.0);
        }
    }
    w
}

/// The predictor after some time under the plain equations.
fn plain_predictor(problem: &Problem, time: f64, steps: usize) -> DVector<f64> {
    let start = problem.network().weights(problem.theta0().as_slice());
    let w = runge_kutta(start, time, steps, |w| plain_velocity(problem, w));
    w[1..]
        .iter()
        .fold(w[0].clone(), |p, w| p * w)
        .column(0)
        .into_owned()
}

#[test]
fn early_flow_is_the_plain_equations() {
    let data = gaussian_teacher(3, 4, 2);
    for loss in [Loss::Exponential, Loss::Logistic] {
        for mut problem in [
            dfa(data.clone(), 2, 0.0),
            dfa(data.clone(), 3, 0.3),
            bp(data.clone(), 3),
        ] {
            problem = problem.with_loss(loss);
            let options = FlowOptions::to(20f64.ln_1p().ln_1p());
            let d = completed(run(&problem, &options));
            let expected = plain_predictor(&problem, 20.0, 10_000);
            let difference = relative(&d.final_beta(), &expected);
            println!(
                "{loss:?} {} L = {}: t = 20, beta {difference:.1e}",
                problem.rule().key(),
                problem.network().depth()
            );
            assert!(difference <= 1e-7);
        }
    }
}

#[test]
fn both_losses_share_the_limit() {
    for problem in [
        dfa(gaussian_teacher(8, 5, SEED), 2, 0.0),
        bp(gaussian_teacher(8, 12, 3), 2),
    ] {
        let logistic = problem.clone().with_loss(Loss::Logistic);
        let [a, b] = [&problem, &logistic].map(|p| completed(run(p, &FlowOptions::to(50.0))));
        let [x, y] = [&a, &b].map(|d| d.final_angle().unwrap());
        println!("angles at s = 50: exponential {x:.3e}, logistic {y:.3e}");
        assert!(x < 1e-6 && y < 1e-6);
        // different on the way: what the early flow learned differs, and is remembered for good
        assert!(relative(&b.final_beta(), &a.final_beta()) < 1e-6);
        let early = a.log_log_time.iter().position(|s| *s >= 1.0).unwrap();
        let beta = |d: &Diagnostics| d.beta.column(early).into_owned();
        assert!(relative(&beta(&b), &beta(&a)) > 1e-2);
        assert!(b.worst_invariant() <= 1e-6 && b.worst_multiplier_drift() <= 1e-6);
    }
}

fn rows(data: &Dataset, order: &[usize]) -> Dataset {
    let labels = DVector::from_iterator(order.len(), order.iter().map(|&n| data.labels()[n]));
    Dataset::new(data.samples().select_rows(order), labels)
}

#[test]
fn symmetries_of_the_data_are_symmetries_of_the_flow() {
    let options = FlowOptions::to(20.0);
    let beta = |problem: &Problem| completed(run(problem, &options)).final_beta();
    let data = gaussian_teacher(5, 7, 6);
    for problem in [dfa(data.clone(), 3, 0.1), bp(data.clone(), 2)] {
        let with = |dataset: Dataset| problem.clone().with_dataset(dataset).unwrap();
        let reference = beta(&problem);
        let permuted = beta(&with(rows(&data, &[3, 0, 6, 5, 1, 2, 4])));
        println!("permuted: {:.1e}", relative(&permuted, &reference));
        assert!(relative(&permuted, &reference) <= 1e-7);
        // (x, y) → (−x, −y) changes nothing the flow sees
        let flipped = beta(&with(Dataset::new(-data.samples(), -data.labels())));
        assert_eq!(flipped, reference);
        // x → −x learns −β: w_1 → −w_1 is the same flow
        let mirrored = with(Dataset::new(-data.samples(), data.labels().clone()));
        let first = problem.network().layout().range(0);
        let mut start = mirrored.theta0().clone();
        start.rows_mut(0, first.len()).scale_mut(-1.0);
        let mirrored = mirrored.with_start(start).unwrap();
        assert!(relative(&-beta(&mirrored), &reference) <= 1e-12);
    }
}

#[test]
fn rotated_data_rotate_the_predictor() {
    let data = gaussian_teacher(5, 7, 6);
    let mut draws = marginflow::dataset::standard_normals("rotation", 1);
    let q = DMatrix::from_fn(5, 5, |_, _| draws.next().unwrap())
        .qr()
        .q();
    let rotated = Dataset::new(data.samples() * q.transpose(), data.labels().clone());
    for depth in [2, 3] {
        let [a, b] = [&data, &rotated]
            .map(|data| completed(run(&dfa(data.clone(), depth, 0.0), &FlowOptions::to(30.0))));
        let difference = relative(&b.final_beta(), &(&q * a.final_beta()));
        println!("rotated, L = {depth}: {difference:.1e}");
        assert!(difference <= 1e-6);
        assert!((b.final_angle().unwrap() / a.final_angle().unwrap() - 1.0).abs() <= 1e-4);
    }
}

#[test]
fn one_sample_and_one_dimension_have_their_only_limit() {
    let one = Dataset::new(dmatrix![0.5, -2.0, 1.0], DVector::from_element(1, -1.0));
    let line = Dataset::new(
        dmatrix![0.5; -2.0; 1.0],
        DVector::from_vec(vec![1.0, -1.0, 1.0]),
    );
    for data in [one, line] {
        for depth in [1, 2, 3] {
            for problem in [dfa(data.clone(), depth, 0.0), bp(data.clone(), depth)] {
                let d = completed(run(&problem, &FlowOptions::to(40.0)));
                let angle = d.final_angle().unwrap();
                // one sample: what random weights hold off it fades like (log t)^{-1/L} only
                let exact = problem.theta0().amax() == 0.0 || data.dimension() == 1;
                let bound = if exact { 1e-12 } else { 1e-4 };
                assert!(angle <= bound, "{angle} {depth} {}", problem.rule().key());
                let growth = d.min_margin.last().unwrap() / d.log_time.last().unwrap();
                assert!((growth - 1.0).abs() <= 1e-6, "{growth}");
            }
        }
    }
}

#[test]
fn many_samples_in_few_dimensions() {
    let data = gaussian_teacher(3, 200, 1);
    for problem in [dfa(data.clone(), 2, 0.0), bp(data.clone(), 3)] {
        let d = completed(run(&problem, &FlowOptions::to(40.0)));
        println!("N = 200, D = 3: angle {:.1e}", d.final_angle().unwrap());
        assert!(d.final_angle().unwrap() <= 1e-6);
        assert!(d.duality_gap.last().unwrap().unwrap() <= 1e-10);
    }
}
