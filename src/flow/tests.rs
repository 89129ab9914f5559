//! The vector field against central differences, Newton solves against the matrix they invert.

use super::clock::{COMPRESSION, compress, expand};
use super::coordinates::Coordinates;
use super::integrate_kernel;
use super::system::{NewtonSolver, System};
use super::{FlowOptions, SaveAt};
use crate::dataset::{Dataset, standard_normals};
use crate::loss::Loss;
use crate::network::{FullyConnectedLinear, Kernel, Network};
use crate::rule::Rule;
use crate::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

const LOSSES: [Loss; 2] = [Loss::Exponential, Loss::Logistic];

/// The kernel of a network with the given hidden widths on signed samples, under DFA or BP.
fn kernel(g: &DMatrix<f64>, hidden: &[usize], feedback: bool) -> Arc<dyn Kernel> {
    let data = Dataset::new(g.clone(), DVector::from_element(g.nrows(), 1.0));
    let mut draws = standard_normals("feedback", 7);
    let rule = if feedback {
        Rule::direct_feedback_alignment(
            hidden
                .iter()
                .map(|&h| DVector::from_iterator(h, draws.by_ref().take(h)))
                .collect(),
        )
    } else {
        Rule::gradient_descent()
    };
    let network = FullyConnectedLinear::new(g.ncols(), hidden);
    Network::new(network).kernel(rule.signals(), &data)
}

/// Signed samples that the first axis separates.
fn samples(count: usize, dimension: usize) -> DMatrix<f64> {
    let mut draws = standard_normals("samples", 5);
    let mut g = DMatrix::from_fn(count, dimension, |_, _| draws.next().unwrap());
    for mut row in g.row_iter_mut() {
        row[0] = 0.3 + row[0].abs();
    }
    g
}

fn normals(seed: u64, count: usize) -> Vec<f64> {
    standard_normals("state", seed).take(count).collect()
}

fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |m: f64, x| m.max(x.abs()))
}

#[test]
fn jacobian_products_match_central_differences() {
    for loss in LOSSES {
        for feedback in [true, false] {
            for hidden in [&[][..], &[3], &[3, 2]] {
                let kernel = kernel(&samples(4, 3), hidden, feedback);
                let p = kernel.parameters();
                // s = base + t, however it is split
                for (k, (base, t)) in [(0.0, 0.0), (0.0, 1.0), (4.0, 0.5), (9.0, 1.0)]
                    .into_iter()
                    .enumerate()
                {
                    let system = System::new(Arc::clone(&kernel), loss, NewtonSolver::Dense, base);
                    let mut y = normals(k as u64, system.unknowns());
                    // multipliers of all sizes: one deep in the compressed range, one beyond one
                    y[p] = -250.0;
                    y[p + 1] = 3.0;
                    let direction = normals(20 + k as u64, y.len());
                    let mut exact = vec![0.0; y.len()];
                    system.jacobian_product(&y, t, &direction, &mut exact);
                    let h = 1e-5;
                    let at = |h: f64| {
                        let y: Vec<f64> =
                            y.iter().zip(&direction).map(|(y, d)| y + h * d).collect();
                        let mut out = vec![0.0; y.len()];
                        system.rhs(&y, t, &mut out);
                        out
                    };
                    let (plus, minus) = (at(h), at(-h));
                    let difference: Vec<f64> = plus
                        .iter()
                        .zip(&minus)
                        .map(|(a, b)| (a - b) / (2.0 * h))
                        .collect();
                    // row by row for v, whose scales differ, and as a whole for θ
                    for i in 0..y.len() {
                        let scale = if i < p {
                            largest(&exact[..p])
                        } else {
                            exact[i].abs().max(1e-4 * system.clock(t).exp())
                        };
                        assert!(
                            (exact[i] - difference[i]).abs() <= 1e-7 * scale,
                            "{loss:?} feedback {feedback} hidden {hidden:?} s {} entry {i}: {} against {}",
                            system.clock(t),
                            exact[i],
                            difference[i]
                        );
                    }
                }
            }
        }
    }
}

/// The margins of the kernel change at the stated rates: v' is the derivative of P asinh((τ − m)/P) along the flow.
#[test]
fn log_multipliers_follow_the_margins() {
    for feedback in [true, false] {
        let kernel = kernel(&samples(4, 3), &[3, 2], feedback);
        let system = System::new(
            Arc::clone(&kernel),
            Loss::Exponential,
            NewtonSolver::Dense,
            0.0,
        );
        let theta = DVector::from_vec(normals(1, kernel.parameters())) * 0.5;
        let y = system.initial_state(&theta);
        let mut dy = vec![0.0; y.len()];
        system.rhs(&y, 0.0, &mut dy);
        let v = |s: f64| {
            let moved: Vec<f64> = y.iter().zip(&dy).map(|(y, d)| y + s * d).collect();
            let mut m = vec![0.0; 4];
            kernel.margins(&moved[..theta.len()], &mut m);
            m.iter()
                .map(|m| compress(s.exp_m1() - m))
                .collect::<Vec<_>>()
        };
        let h = 1e-6;
        let (plus, minus) = (v(h), v(-h));
        for n in 0..4 {
            let slope = (plus[n] - minus[n]) / (2.0 * h);
            let found = dy[theta.len() + n];
            assert!(
                (slope - found).abs() <= 1e-8 * largest(&dy),
                "{slope} {found}"
            );
        }
    }
}

/// A run to s = 55 with a save at every whole s.
fn real_run(kernel: &Arc<dyn Kernel>, loss: Loss) -> Trajectory {
    let theta0 = DVector::from_vec(normals(9, kernel.parameters())) * 0.1;
    let options = FlowOptions {
        saves: SaveAt::Uniform(56),
        ..FlowOptions::to(55.0)
    };
    let newton = NewtonSolver::Structured;
    let run = integrate_kernel(kernel, loss, &theta0, &options, newton, &mut |_| {}).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    run
}

fn state(run: &Trajectory, k: usize) -> Vec<f64> {
    let mut y = run.theta.column(k).as_slice().to_vec();
    y.extend(run.log_multipliers.column(k).iter().map(|p| compress(*p)));
    y
}

/// `1 − cJ`, column by column.
fn matrix(system: &System, y: &[f64], s: f64, c: f64) -> DMatrix<f64> {
    let n = y.len();
    let mut matrix = DMatrix::identity(n, n);
    for j in 0..n {
        let mut direction = vec![0.0; n];
        direction[j] = 1.0;
        let mut product = vec![0.0; n];
        system.jacobian_product(y, s, &direction, &mut product);
        for i in 0..n {
            matrix[(i, j)] -= c * product[i];
        }
    }
    matrix
}

/// Largest `|b − Ax|_i / (|A||x| + |b|)_i`: 1e-16 means that x solves a system whose entries differ in their last
/// digit.
fn backward_error(a: &DMatrix<f64>, x: &DVector<f64>, b: &DVector<f64>) -> f64 {
    let residual = (b - a * x).abs();
    let size = a.abs() * x.abs() + b.abs();
    residual.component_div(&size).max()
}

#[test]
fn structured_solves_equal_dense_ones_along_real_runs() {
    for loss in LOSSES {
        for feedback in [true, false] {
            for g in [samples(3, 4), samples(7, 3)] {
                let kernel = kernel(&g, &[3, 4], feedback);
                let run = real_run(&kernel, loss);
                let p = kernel.parameters();
                for k in [0, 3, 10, 30, 55] {
                    for c in [1e-4, 0.03] {
                        let (s, y) = (k as f64, state(&run, k));
                        let [structured, dense] = [NewtonSolver::Structured, NewtonSolver::Dense]
                            .map(|newton| System::new(Arc::clone(&kernel), loss, newton, 0.0));
                        let a = matrix(&dense, &y, s, c);
                        let b = DVector::from_vec(normals(40, y.len()));
                        let [x, reference] = [&structured, &dense].map(|system| {
                            let mut x = b.clone();
                            system.linearise(&y, s, c).solve(x.as_mut_slice());
                            x
                        });
                        let case = format!(
                            "{loss:?} feedback {feedback} N = {} s = {s} c = {c}",
                            g.nrows()
                        );
                        // entries of A span e^s, so only errors relative to each row are meaningful
                        let residual = backward_error(&a, &x, &b);
                        assert!(residual <= 1e-13, "{case}: {residual}");
                        // θ and v have different scales
                        for (part, len) in [(0, p), (p, y.len() - p)] {
                            let size = largest(reference.rows(part, len).as_slice());
                            let difference = largest((&x - &reference).rows(part, len).as_slice());
                            assert!(difference <= 1e-11 * size, "{case}: {difference} of {size}");
                        }
                    }
                }
            }
        }
    }
}

/// Duplicate samples have equal margin rates; they differ only in the right-hand side, `x_n − x_m = b_n − b_m`, and
/// that must not drown in entries of size e^s. From s = 10 on they are carried in coordinates.
#[test]
fn duplicated_samples_keep_their_difference() {
    for loss in LOSSES {
        for feedback in [true, false] {
            let g = samples(4, 3);
            let run = real_run(&kernel(&g, &[3, 4], feedback), loss);
            let twins = kernel(&g.select_rows(&[0, 1, 2, 3, 0, 1, 2, 3]), &[3, 4], feedback);
            let p = twins.parameters();
            for k in [0, 3, 9] {
                let (s, c) = (k as f64, 0.03);
                let mut y = run.theta.column(k).as_slice().to_vec();
                // the two share what one had
                let shares = run.log_multipliers.column(k).add_scalar(-2f64.ln());
                y.extend(shares.iter().chain(shares.iter()).map(|p| compress(*p)));
                let system = System::new(Arc::clone(&twins), loss, NewtonSolver::Structured, 0.0);
                let a = matrix(&system, &y, s, c);
                let b = DVector::from_vec(normals(40, y.len()));
                let mut x = b.clone();
                system.linearise(&y, s, c).solve(x.as_mut_slice());
                let case = format!("{loss:?} feedback {feedback} s = {s}");
                let residual = backward_error(&a, &x, &b);
                assert!(residual <= 1e-12, "{case}: {residual}");
                for n in p..p + 4 {
                    let scale = 1.0 - c * twin_decay(&system, &y, s, n);
                    let (found, expected) = (x[n] - x[n + 4], (b[n] - b[n + 4]) / scale);
                    assert!(
                        (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                        "{case}: {found} against {expected}"
                    );
                }
            }
        }
    }
}

/// Newton systems in coordinates of dependent samples are solved like those of samples, however late.
#[test]
fn newton_systems_in_coordinates_are_solved() {
    for loss in LOSSES {
        for feedback in [true, false] {
            let g = samples(4, 3);
            let run = real_run(&kernel(&g, &[3, 4], feedback), loss);
            let g = g.select_rows(&[0, 1, 2, 3, 0, 1, 2, 3]);
            let twins = kernel(&g, &[3, 4], feedback);
            for k in [0, 3, 10, 20, 30, 40, 55] {
                let (s, c) = (k as f64, 0.03);
                let shares = run.log_multipliers.column(k).add_scalar(-2f64.ln());
                let p: Vec<f64> = shares.iter().chain(shares.iter()).copied().collect();
                let v: Vec<f64> = p.iter().map(|p| compress(*p)).collect();
                let of_samples =
                    System::new(Arc::clone(&twins), loss, NewtonSolver::Structured, 0.0);
                let mut coordinates =
                    Coordinates::choose((&g, &[]), (&p, s), &[1.0; 3], &[]).unwrap();
                let states = of_samples.in_other_coordinates(&v, s, (&coordinates, false));
                coordinates.use_relation(&states.into_iter().map(expand).collect::<Vec<_>>());
                let states = of_samples.in_other_coordinates(&v, s, (&coordinates, false));
                assert_eq!(states.len(), 3);
                let on_vectors = twins.on_rows(coordinates.vectors()).unwrap();
                let y = [run.theta.column(k).as_slice(), &states].concat();
                let system = System::new(on_vectors, loss, NewtonSolver::Structured, 0.0);
                let system = system.in_coordinates(Some(Arc::new(coordinates)));
                let a = matrix(&system, &y, s, c);
                let b = DVector::from_vec(normals(40, y.len()));
                let mut x = b.clone();
                system.linearise(&y, s, c).solve(x.as_mut_slice());
                let residual = backward_error(&a, &x, &b);
                let case = format!("{loss:?} feedback {feedback} s = {s}");
                assert!(residual <= 1e-12, "{case}: {residual}");
            }
        }
    }
}

/// `∂v_n'/∂v_n` at fixed margin rate, `−v_n' tanh(v_n/P)/P`; zero where `p_n'` is rounding of `e^s − m_n'`.
fn twin_decay(system: &System, y: &[f64], s: f64, n: usize) -> f64 {
    let mut dy = vec![0.0; y.len()];
    system.rhs(y, s, &mut dy);
    let p_dot = dy[n] * (y[n] / COMPRESSION).cosh();
    if p_dot.abs() < 1e-13 * s.exp() {
        return 0.0;
    }
    -dy[n] * (y[n] / COMPRESSION).tanh() / COMPRESSION
}
