//! What trajectory.npz holds of finite steps.

use super::scenario;
use marginflow::control::Control;
use marginflow::report::npz;
use marginflow::run::{Run, compare};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

/// The arrays whose names begin with `steps_`: shape and values.
fn arrays(run: &Run) -> BTreeMap<String, (Vec<u64>, Vec<f64>)> {
    let mut bytes = Vec::new();
    npz(run, Cursor::new(&mut bytes)).unwrap();
    let mut archive = npyz::npz::NpzArchive::new(Cursor::new(&bytes[..])).unwrap();
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let of_steps = names.into_iter().filter(|name| name.starts_with("steps_"));
    of_steps
        .map(|name| {
            let array = archive.by_name(&name).unwrap().unwrap();
            let shape = array.shape().to_vec();
            let values = match array.dtype().descr().as_str() {
                "'<i8'" => {
                    let whole: Vec<i64> = array.into_vec().unwrap();
                    whole.into_iter().map(|k| k as f64).collect()
                }
                _ => array.into_vec().unwrap(),
            };
            (name, (shape, values))
        })
        .collect()
}

fn compared(name: &str, overrides: &[&str]) -> Run {
    let scenario = scenario(name, overrides);
    compare(scenario, false, &Control::none()).unwrap()
}

const ALWAYS: [&str; 10] = [
    "k",
    "log_time",
    "log_loss",
    "min_margin",
    "margins",
    "layer_norms",
    "relative_distance",
    "relative_distance_saves",
    "angle_to_flow",
    "angle_to_flow_saves",
];

#[test]
fn every_run_has_the_documented_arrays() {
    // ReLU networks have no predictor
    let relu = ["steps.sizes=[1e-3,5e-4]", "steps.count=20000"];
    let fc = ["steps.sizes=[1e-2,3e-3]", "steps.count=20000"];
    for (name, overrides, more) in [
        ("fc-dfa", &fc, &["beta", "angle_to_limit"][..]),
        ("conv-bp-2", &fc, &["beta", "angle_to_limit"]),
        ("relu-dfa-steps", &relu, &["angle_to_limit"]),
    ] {
        let run = compared(name, overrides);
        let found = arrays(&run);
        let expected: BTreeSet<String> = (1..=2)
            .flat_map(|i| {
                let all = ALWAYS.iter().chain(more);
                all.map(move |array| format!("steps_{i}_{array}"))
            })
            .collect();
        assert!(found.keys().eq(&expected), "{name}: {:?}", found.keys());
        for (array, (_, values)) in &found {
            assert!(values.iter().all(|x| x.is_finite()), "{name}: {array}");
        }
        for (i, beside) in (1..).zip(&run.steps.as_ref().unwrap().runs) {
            let of = |array: &str| &found[&format!("steps_{i}_{array}")];
            let steps: Vec<f64> = of("k").1.clone();
            let records = steps.len() as u64;
            assert_eq!((steps[0], steps[steps.len() - 1]), (0.0, 20_000.0));
            for array in ["k", "log_time", "log_loss", "min_margin"] {
                assert_eq!(of(array).0, [records], "{name}: {array}");
            }
            // ln(1 + t): steps of constant size are at t = ηk
            if name != "relu-dfa-steps" {
                for (k, tau) in steps.iter().zip(&of("log_time").1) {
                    assert!((tau - (beside.descent.size * k).ln_1p()).abs() < 1e-12);
                }
            }
            for array in ["relative_distance", "angle_to_flow"] {
                let (values, saves) = (of(array), of(&format!("{array}_saves")));
                assert_eq!(values.0, saves.0, "{name}: {array}");
                assert!(saves.1.windows(2).all(|pair| pair[0] < pair[1]));
                assert_eq!(saves.1.last().copied(), Some(records as f64 - 1.0));
            }
            // All start where the flow does. From zero weights β has no direction there, nor after one step, which
            // leaves w_2 zero.
            assert_eq!(of("relative_distance").1[0], 0.0);
            let directions = of("angle_to_flow_saves").1[0];
            assert_eq!(directions, if name == "fc-dfa" { 2.0 } else { 0.0 });
            if more.contains(&"beta") {
                let (shape, beta) = of("beta");
                assert_eq!(shape[..], [records, 8]);
                let trajectory = &beside.descent.trajectory;
                let theta = trajectory.theta.column(trajectory.len() - 1);
                let end = run.problem.network().predictor(theta.as_slice()).unwrap();
                assert_eq!(beta[beta.len() - 8..], *end.as_slice());
            }
            assert_eq!(of("angle_to_limit").0, [records], "{name}");
        }
    }
}

/// Whatever a run that overflows leaves is finite.
#[test]
fn a_run_that_overflows_leaves_finite_numbers() {
    let run = compared("fc-dfa-steps-too-large", &["steps.count=100"]);
    let found = arrays(&run);
    assert_eq!(found["steps_2_k"].1.last(), Some(&100.0));
    let (shape, steps) = &found["steps_1_k"];
    assert!(*steps.last().unwrap() < 10.0, "{steps:?}");
    assert_eq!(found["steps_1_beta"].0[..], [shape[0], 8]);
    for (array, (_, values)) in &found {
        assert!(values.iter().all(|x| x.is_finite()), "{array}");
    }
}
