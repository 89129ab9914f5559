//! Twenty seeds at N = 2D with random labels: every flow reaches its horizon, and proves its accuracy.

use super::{completed, on_level_set};
use marginflow::diagnostics::{diagnose, loss_rate};
use marginflow::flow::FlowOptions;

fn runs(seeds: std::ops::RangeInclusive<u64>, until: f64) {
    for seed in seeds {
        let problem = on_level_set(seed, 10, 5, 12);
        let run = completed(&problem, &FlowOptions::to(until));
        let d = diagnose(&problem, &run, None);
        assert!(!d.invariants.is_empty(), "the conserved level is watched");
        let (conserved, multipliers) = (d.worst_invariant(), d.worst_multiplier_drift());
        assert!(conserved <= 1e-6, "seed {seed}: {conserved}");
        // where a run starts from margins of -22 (seed 17) log-multipliers of size 22 relax within times of e^{-22};
        // what they err by there, 2.4 rtol, falls with rtol
        assert!(multipliers <= 3e-6, "seed {seed}: {multipliers}");
        let kinks = run.kinks.as_ref().unwrap();
        assert!(
            kinks.crossings > 0 && kinks.slides > 0,
            "seed {seed}: {kinks:?}"
        );
        assert_eq!(
            kinks.slides - kinks.releases,
            kinks.sliding.len(),
            "seed {seed}"
        );
        // every sample is fitted, at the rate of theory
        let last = run.len() - 1;
        let ratio = d.min_margin[last] / d.log_time[last];
        assert!((ratio - 1.0).abs() < 1e-3, "seed {seed}: {ratio}");
        // the loss never rises, and the units keep the signs of their feedback
        let rates = loss_rate(&problem, &run);
        assert!(rates.iter().all(|rate| *rate <= 1e-9), "seed {seed}");
        let rise = run.loss_rise.as_ref().unwrap();
        assert!(rise.largest <= 1e-9, "seed {seed}: {rise:?}");
    }
}

#[test]
fn seeds_1_to_7_reach_s_12() {
    runs(1..=7, 12.0);
}

#[test]
fn seeds_8_to_14_reach_s_12() {
    runs(8..=14, 12.0);
}

#[test]
fn seeds_15_to_20_reach_s_12() {
    runs(15..=20, 12.0);
}

#[test]
fn exact_kinks_far_out() {
    runs(1..=2, 60.0);
}
