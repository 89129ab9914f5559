//! Leaky ReLU networks: between the ReLU and the linear network, and what neither can do.

use super::{completed, on_level_set};
use marginflow::activation::{Activation, parameters};
use marginflow::control::Control;
use marginflow::dataset::Dataset;
use marginflow::diagnostics::diagnose;
use marginflow::flow::FlowOptions;
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::run::compare;
use marginflow::scenario;
use nalgebra::{dmatrix, dvector};
use std::path::Path;

fn leaky(slope: f64) -> Activation {
    let mut found = parameters().filter(|parameter| parameter.key == "negative-slope");
    found.next().unwrap().activation(slope).unwrap()
}

/// The same problem with another activation.
fn with(problem: &Problem, activation: Activation) -> Problem {
    let shapes = problem.network().shapes();
    let hidden: Vec<usize> = shapes[1..].iter().map(|s| s.0).collect();
    problem
        .clone()
        .with_network(Network::new(Relu::with(shapes[0].0, &hidden, activation)))
        .unwrap()
}

/// Whatever the gates do on the way, what is conserved stays to the accuracy of the integrator. (Two layers: through
/// more, flows with exact kinks may end at borders they cross again and again, with the ReLU and with leaky units.)
#[test]
fn invariants_hold_through_crossings_and_slides() {
    let (mut crossings, mut slides) = (0, 0);
    for seed in 1..6 {
        let problem = with(&on_level_set(seed, 10, 5, 12), leaky(0.1));
        let run = completed(&problem, &FlowOptions::to(3.0));
        let d = diagnose(&problem, &run, None);
        assert!(d.worst_invariant() < 1e-6, "{:e}", d.worst_invariant());
        assert!(d.worst_multiplier_drift() < 1e-6);
        let kinks = run.kinks.unwrap();
        crossings += kinks.crossings;
        slides += kinks.slides;
    }
    assert!(crossings > 50 && slides > 0, "{crossings} {slides}");
}

/// As κ → 0 the weights tend to those of the ReLU network, as κ → 1 to those of the linear one, at first order.
#[test]
fn both_ends_are_networks_we_know() {
    let options = FlowOptions {
        rtol: 1e-10,
        ..FlowOptions::to(1.5)
    };
    let end = |problem: &Problem| {
        let run = completed(problem, &options);
        run.theta.column(run.len() - 1).into_owned()
    };
    let base = on_level_set(3, 8, 4, 6);
    let linear = base
        .clone()
        .with_network(Network::new(FullyConnectedLinear::new(4, &[6])))
        .unwrap();
    for (limit, slopes) in [(&base, [1e-4, 1e-5]), (&linear, [1.0 - 1e-4, 1.0 - 1e-5])] {
        let reference = end(limit);
        let [far, near] = slopes.map(|slope| (end(&with(&base, leaky(slope))) - &reference).norm());
        let order = (far / near).log10();
        assert!((order - 1.0).abs() < 0.2, "{slopes:?}: {far:e} {near:e}");
        assert!(near < 1e-3 * reference.norm(), "{slopes:?}: {near:e}");
    }
}

/// The second sample is behind the only unit: the ReLU network never fits it.
#[test]
fn what_no_unit_sees_is_learned_all_the_same() {
    let blind = Problem::new(
        Dataset::new(dmatrix![1.0, 0.2; -1.0, 0.1], dvector![1.0, -1.0]),
        Network::new(Relu::new(2, &[1], 0.0)),
        Rule::direct_feedback_alignment(vec![dvector![1.0]]),
        Loss::Exponential,
        dvector![0.5, 0.0, 0.125],
    )
    .unwrap();
    let margins = |problem: &Problem| {
        let run = completed(problem, &FlowOptions::to(8.0));
        let d = diagnose(problem, &run, None);
        (d.min_margin[run.len() - 1], d.log_time[run.len() - 1])
    };
    let (margin, _) = margins(&blind);
    assert!(margin.abs() < 1e-12, "{margin}");
    let (margin, log_time) = margins(&with(&blind, leaky(0.1)));
    assert!(margin > 0.9 * log_time, "{margin} {log_time}");
}

/// Small steps follow the flow over its kinks.
#[test]
fn the_distance_of_steps_to_the_flow_is_of_first_order() {
    let steps = ["network.relu.negative-slope=0.1", "steps.count=2000"];
    let direct = "rule.direct-feedback-alignment.feedback.gaussian.seed=2";
    let drawn = "initial.gaussian={scale=0.3,seed=3}";
    let sizes = "steps.sizes=[2e-3,1e-3,5e-4]";
    for (name, more) in [
        ("relu-dfa", vec![sizes, direct]),
        ("relu-bp", vec![sizes]),
        ("deep-relu-dfa", vec![sizes, drawn]),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
        let overrides = steps.iter().chain(&more).map(|o| (*o).to_owned());
        let scenario = scenario::load(&path, &overrides.collect::<Vec<_>>()).unwrap();
        let run = compare(scenario, false, &Control::none()).unwrap();
        let order = run.steps.as_ref().unwrap().order.as_ref().expect(name);
        // from the smallest size to the largest: kinks within one step scatter the ratios of neighbours
        let [first, .., last] = &order.distances[..] else {
            panic!("{name}: {order:?}");
        };
        let observed = (last.1 / first.1).ln() / (last.0 / first.0).ln();
        assert!((observed - 1.0).abs() < 0.2, "{name}: {order:?}");
    }
}
