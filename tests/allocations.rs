//! A step allocates nothing.

use marginflow::dataset::{gaussian_teacher, standard_normals};
use marginflow::descent::{Lane, Schedule, Stepper, reduced_stepper, stepper};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DMatrix, DVector};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(stepper: &mut dyn Stepper) -> u64 {
    let before = ALLOCATIONS.get();
    stepper.advance(100);
    ALLOCATIONS.get() - before
}

fn gaussian(seed: u64, n: usize) -> Vec<f64> {
    standard_normals("allocation tests", seed).take(n).collect()
}

/// Every rule on a network that has matrices for weights.
fn problems(network: &Network, hidden: &[usize]) -> Vec<Problem> {
    let shapes = network.feedback_shapes();
    let through = |&(r, c): &(usize, usize)| DMatrix::from_vec(r, c, gaussian(2, r * c));
    let direct = |units: &usize| DVector::from_vec(gaussian(3, *units));
    [
        Rule::gradient_descent(),
        Rule::feedback_alignment(shapes.iter().map(through).collect()),
        Rule::direct_feedback_alignment(hidden.iter().map(direct).collect()),
    ]
    .map(|rule| {
        Problem::new(
            gaussian_teacher(6, 9, 1),
            network.clone(),
            rule,
            Loss::Logistic,
            DVector::from_vec(gaussian(4, network.parameters())) * 0.1,
        )
        .unwrap()
    })
    .into()
}

/// Enough of them for batches of linear networks.
fn lanes(problem: &Problem) -> [Lane; 8] {
    [1, 2, 3, 4, 5, 6, 7, 8].map(|run| Lane {
        size: 0.002 * f64::from(run),
        theta: problem.theta0().clone(),
    })
}

const SCHEDULES: [Schedule; 2] = [Schedule::Constant, Schedule::LossNormalised];

#[test]
fn counting_counts() {
    let before = ALLOCATIONS.get();
    assert_eq!(std::hint::black_box(vec![1.0; 3]).len(), 3);
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

fn assert_no_allocations(stepper: &mut dyn Stepper, problem: &Problem, case: impl std::fmt::Debug) {
    let (network, rule) = (problem.network().key(), problem.rule().key());
    assert_eq!(allocations(stepper), 0, "{network}, {rule}, {case:?}");
}

#[test]
fn a_step_allocates_nothing() {
    let hidden = [7, 5];
    let fully_connected = Network::new(FullyConnectedLinear::new(6, &hidden));
    let cases = [
        (Network::new(Relu::new(6, &hidden, 0.0)), hidden),
        (Network::new(Relu::new(6, &hidden, 0.1)), hidden),
        (Network::convolutional(6, 3), [6, 6]),
        (Network::diagonal(6, 3), [6, 6]),
        (fully_connected.clone(), hidden),
    ];
    for (network, hidden) in &cases {
        for problem in problems(network, hidden) {
            for schedule in SCHEDULES {
                let lanes = lanes(&problem);
                for lanes in [&lanes[..1], &lanes] {
                    let mut stepper = stepper(&problem, schedule, lanes);
                    assert_no_allocations(&mut *stepper, &problem, (schedule, lanes.len()));
                }
            }
        }
    }
    for problem in &problems(&fully_connected, &hidden)[1..] {
        for schedule in SCHEDULES {
            let stepper = reduced_stepper(problem, schedule, &lanes(problem));
            assert_no_allocations(&mut *stepper.expect("rank one"), problem, schedule);
        }
    }
}
