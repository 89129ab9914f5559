//! Critical step sizes against plain loops over a handful of numbers.

use super::*;
use crate::dataset::{Dataset, gaussian_teacher, standard_normals};
use crate::loss::Loss;
use crate::network::{FullyConnectedLinear, Network};
use crate::rule::Rule;
use nalgebra::{DVector, dmatrix, dvector};

fn gaussian(seed: u64, n: usize) -> DVector<f64> {
    let draws = standard_normals("critical tests", seed).take(n);
    DVector::from_iterator(n, draws)
}

/// Direct feedback alignment from zero weights on data whose mean does not separate them.
fn problem(depth: usize) -> Problem {
    let hidden = vec![6; depth - 1];
    let network = Network::new(FullyConnectedLinear::new(6, &hidden));
    let signals = (1..depth as u64).map(|l| gaussian(l, 6)).collect();
    Problem::new(
        gaussian_teacher(6, 20, 2),
        network.clone(),
        Rule::direct_feedback_alignment(signals),
        Loss::Exponential,
        DVector::zeros(network.parameters()),
    )
    .unwrap()
}

fn options(demand: Demand) -> CriticalOptions {
    CriticalOptions {
        count: 2000,
        lowest: 1e-3,
        highest: 10.0,
        passes: 4,
        tolerance: 1e-6,
        demand,
    }
}

fn critical(problem: &Problem, options: &CriticalOptions) -> Critical {
    critical_step(problem, options, &Control::none()).expect("nobody interrupts")
}

/// Depth 2 from zero weights in the two unknowns (Z, φ), β = φ‖b‖²Z: whether the weights stay finite, and φ not
/// negative.
fn plain_loop(problem: &Problem, size: f64, count: u64) -> (bool, bool) {
    let g = problem.dataset().signed_samples();
    let b = problem.feedback().expect("feedback")[0].norm_squared();
    let (mut z, mut phi, mut aligned) = (DVector::zeros(g.ncols()), 0.0, true);
    for _ in 0..count {
        let margins = g * &z * (phi * b);
        let dz = g.tr_mul(&margins.map(|m| size * (-m).exp()));
        phi += z.dot(&dz);
        z += dz;
        if !(g * &z * (phi * b)).iter().all(|m| m.is_finite()) {
            return (false, aligned);
        }
        aligned &= phi >= 0.0;
    }
    (true, aligned)
}

#[test]
fn depth_two_is_critical_where_a_plain_loop_of_two_unknowns_is() {
    let problem = problem(2);
    let g = problem.dataset().signed_samples();
    assert!(
        (g * g.row_sum().transpose()).min() < 0.0,
        "the mean fails a sample"
    );
    let mut found = Vec::new();
    for demand in [Demand::Loss, Demand::LossAndAlignment] {
        let critical = critical(&problem, &options(demand));
        let (good, bad) = (critical.eta().expect("good"), critical.bad.expect("bad"));
        assert!(bad > good && bad < good * (1.0 + 1e-6), "{good} {bad}");
        let passes = |size| match (plain_loop(&problem, size, 2000), demand) {
            ((finite, _), Demand::Loss) => finite,
            ((finite, aligned), Demand::LossAndAlignment) => finite && aligned,
        };
        assert!(passes(good) && !passes(bad), "{demand:?}: {good} {bad}");
        // also every trial along the way
        for trial in &critical.trials {
            assert_eq!(
                trial.is_good(demand),
                passes(trial.size),
                "{demand:?}: {trial:?}"
            );
        }
        found.push(good);
    }
    // the first layer to become misaligned does so before the run overflows
    assert!(
        found[1] <= found[0] && found[1] > 0.98 * found[0],
        "{found:?}"
    );
}

#[test]
fn a_percent_decides_and_more_steps_do_not() {
    for depth in [2, 3, 4] {
        let problem = problem(depth);
        let options = options(Demand::LossAndAlignment);
        let short = critical(&problem, &options);
        let long = critical(
            &problem,
            &CriticalOptions {
                count: 6000,
                ..options
            },
        );
        let eta = short.eta().expect("a critical size");
        let difference = (long.eta().expect("a critical size") / eta - 1.0).abs();
        assert!(difference < 2e-6, "depth {depth}: {difference:e}");
        let sizes = [0.99, 1.01].map(|factor| factor * eta);
        let trials = trial::attempt(&problem, &sizes, 2000, &Control::none()).expect("two");
        let good = trials.iter().map(|t| t.is_good(options.demand));
        assert!(good.eq([true, false]), "depth {depth}: {trials:?}");
    }
}

/// If the sum of all signed samples separates them, so does the second step, and larger steps are better.
#[test]
fn no_step_is_too_large_where_the_first_one_separates() {
    let data = Dataset::new(
        dmatrix![1.0, 0.2, 0.0, 0.0, 0.0, 0.0; 0.4, 1.0, 0.3, 0.0, 0.0, 0.0],
        dvector![1.0, 1.0],
    );
    let problem = problem(2).with_dataset(data).unwrap();
    let critical = critical(&problem, &options(Demand::LossAndAlignment));
    assert_eq!((critical.eta(), critical.bad), (None, None));
    let largest = critical.trials.last().expect("trials");
    assert_eq!(critical.good, Some(largest.size));
    assert_eq!(largest.ending, Ending::Stands);
    assert_eq!(critical.trials[20].ending, Ending::Falls);
}

#[test]
fn alignments_are_half_a_square_less_half_the_squares_of_all_steps() {
    for depth in [2, 3, 4] {
        let problem = problem(depth);
        let critical = critical(&problem, &options(Demand::LossAndAlignment));
        let eta = critical.eta().expect("a critical size");
        let bad = critical.bad.expect("a bad size");
        for (size, negative) in [(0.5 * eta, false), (bad, true)] {
            let layers = discrete_alignment(&problem, size, 2000).expect("fully connected");
            assert_eq!(layers.len(), depth - 1);
            for layer in &layers {
                assert!(layer.disagreement < 1e-12, "depth {depth}: {layer:?}");
                assert!(layer.step >= layer.layer as u64);
            }
            let least = layers
                .iter()
                .map(|l| l.summed)
                .fold(f64::INFINITY, f64::min);
            assert_eq!(least < 0.0, negative, "depth {depth}, {size}: {layers:?}");
        }
        let trial = critical
            .trials
            .iter()
            .find(|t| t.size == bad)
            .expect("tried");
        let first = trial.misaligned.expect("an alignment is negative first");
        let layers = discrete_alignment(&problem, bad, first.step).expect("fully connected");
        assert!(
            layers[first.layer - 2].summed < 0.0,
            "{first:?}: {layers:?}"
        );
    }
}

/// Two labels for one input: no step size separates them, but small ones do nothing wrong either.
#[test]
fn too_few_steps_are_no_verdict() {
    let network = Network::new(FullyConnectedLinear::new(1, &[1]));
    let problem = Problem::new(
        Dataset::new(dmatrix![1.0; 1.0], dvector![1.0, -1.0]),
        network,
        Rule::gradient_descent(),
        Loss::Logistic,
        dvector![0.1, 0.1],
    )
    .unwrap();
    let options = CriticalOptions {
        count: 50,
        lowest: 1e-4,
        highest: 1e-3,
        ..options(Demand::Loss)
    };
    let critical = critical(&problem, &options);
    assert_eq!((critical.good, critical.bad), (None, None));
    assert!(critical.trials.iter().all(|t| t.ending == Ending::NotYet));
    assert!(critical.trials.iter().all(|t| t.least.is_empty()));
}

/// On entries of diagonal layers where Z changes sign, φ_2 = ½(Z² − Σ(ηz)²) is negative while it does, for every η,
/// though less so for smaller η.
#[test]
fn alignment_of_diagonal_layers_is_lost_at_a_change_of_sign_however_small_the_step() {
    let network = Network::diagonal(2, 2);
    let problem = Problem::new(
        Dataset::new(dmatrix![0.3, 0.1; -1.0, 1.5], dvector![1.0, 1.0]),
        network,
        Rule::direct_feedback_alignment(vec![dvector![1.0, 1.0]]),
        Loss::Exponential,
        DVector::zeros(4),
    )
    .unwrap();
    let lost = |size: f64| {
        let count = (1e4 / size) as u64;
        let trials = trial::attempt(&problem, &[size], count, &Control::none());
        let trial = trials.expect("one").remove(0);
        assert!(trial.is_good(Demand::Loss), "{trial:?}");
        trial.misaligned.expect("a change of sign").step as f64 * size
    };
    let (coarse, fine) = (lost(0.08), lost(0.02));
    assert!(
        (coarse / fine - 1.0).abs() < 0.2,
        "one moment of the flow: {coarse} {fine}"
    );
}
