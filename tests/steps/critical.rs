//! The critical step size of a scenario, against steps taken here, from the library and from the command line.

use super::program::{Workshop, json, text};
use marginflow::control::Control;
use marginflow::dataset::{gaussian_teacher, standard_normals};
use marginflow::descent::{Critical, Demand, Ending};
use marginflow::stability::{DepthPoint, Stability, measure};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;
use std::path::{Path, PathBuf};

const TOO_LARGE: &str = "fc-dfa-steps-too-large";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"))
}

fn measured(name: &str) -> Stability {
    let overrides = ["steps.count=2000".to_owned()];
    measure(&path(name), &overrides, false, &Control::none()).unwrap()
}

/// Smallest φ_2 over `count` steps of size `size` on two fully connected layers from zero weights, and its step: the
/// rule as it is written, `w_1 += η z bᵀ` and `w_2 += η w_1ᵀ z`, where `w_2 = φ_2 b`.
fn smallest_alignment(size: f64, count: usize) -> (usize, f64) {
    let data = gaussian_teacher(8, 20, 1);
    let b = DVector::from_iterator(8, standard_normals("feedback", 7).take(8));
    let (x, y) = (data.samples(), data.labels());
    let (mut w_1, mut w_2) = (DMatrix::zeros(8, 8), DVector::zeros(8));
    let mut least = (0, f64::INFINITY);
    for k in 1..=count {
        let outputs = x * (&w_1 * &w_2);
        let z = x.tr_mul(&DVector::from_fn(20, |n, _| {
            (-y[n] * outputs[n]).exp() * y[n]
        }));
        let change = w_1.tr_mul(&z);
        w_1 += &z * b.transpose() * size;
        w_2 += change * size;
        let phi = w_2.dot(&b) / b.norm_squared();
        if !phi.is_finite() {
            break;
        }
        // it is zero after the first step
        if k > 1 && phi < least.1 {
            least = (k, phi);
        }
    }
    least
}

#[test]
fn the_bracket_is_narrow_and_its_ends_do_what_they_say() {
    let stability = measured(TOO_LARGE);
    let (good, bad) = (
        stability.critical.good.unwrap(),
        stability.critical.bad.unwrap(),
    );
    assert_eq!(stability.critical.eta(), Some(good));
    assert!(bad > good && bad / good - 1.0 < 2e-6, "{good} {bad}");
    assert!((good - 0.0421483).abs() < 1e-5, "{good}");

    let [above] = &stability.above.as_ref().unwrap()[..] else {
        panic!("one alignment")
    };
    assert_eq!(above.layer, 2);
    assert!(above.measured < 0.0);
    assert!(
        (above.measured / above.summed - 1.0).abs() < 1e-9,
        "{above:?}"
    );
    assert!(above.disagreement < 1e-9, "{above:?}");

    // A change of η by 1e-7 of it takes φ_2 from here to a positive number: rounding grows ten-millionfold on the way.
    let (step, phi) = smallest_alignment(bad, 20);
    assert_eq!(step as u64, above.step);
    assert!((phi / above.measured - 1.0).abs() < 1e-6, "{phi}");
    let (_, phi) = smallest_alignment(good, 2000);
    assert!(phi > 0.0, "{phi}");
}

#[test]
fn both_critical_sizes_are_measured_and_told_apart() {
    let stability = measure(
        &path(TOO_LARGE),
        &[
            "steps.count=2000".to_owned(),
            "network.fully-connected-linear.depth=3".to_owned(),
        ],
        false,
        &Control::none(),
    )
    .unwrap();
    let [alignment, failure] = &stability.thresholds[..] else {
        panic!("two thresholds")
    };
    assert_eq!(alignment.demand, Demand::LossAndAlignment);
    assert_eq!(failure.demand, Demand::Loss);
    assert_eq!(alignment.eta(), stability.critical.eta());
    let (first, second) = (alignment.bad.unwrap(), failure.good.unwrap());
    assert!((first - 0.0175532).abs() < 2e-7, "{first}");
    assert!((second - 0.0176067).abs() < 2e-7, "{second}");
    // what fails first is an alignment, and the loss falls all the same
    let trial = |of: &Critical, size| of.trials.iter().find(|t| t.size == size).unwrap().clone();
    let misaligned = trial(alignment, first);
    assert!(misaligned.misaligned.is_some() && misaligned.is_good(Demand::Loss));
    assert!(matches!(
        trial(failure, failure.bad.unwrap()).ending,
        Ending::Overflows { .. }
    ));
}

#[test]
fn the_diagram_compares_rules_from_the_same_weights_and_can_be_repeated() {
    let [first, second] = [(), ()].map(|()| measured(TOO_LARGE));
    assert_eq!(first.depths, second.depths);
    assert_eq!(first.critical.trials, second.critical.trials);
    let of = |rule: &str, initial: &str, demand| -> Vec<DepthPoint> {
        let points = first
            .depths
            .iter()
            .filter(|p| (p.rule, p.demand) == (rule, demand) && p.initial.starts_with(initial));
        points.cloned().collect()
    };
    let (feedback, descent) = ("direct-feedback-alignment", "gradient-descent");
    let kinds = [
        of(feedback, "zero", Demand::Loss),
        of(feedback, "Gaussian", Demand::Loss),
        of(descent, "Gaussian", Demand::Loss),
    ];
    for points in &kinds {
        assert!(points.iter().map(|p| p.depth).eq(1..=5), "{points:?}");
    }
    let alignment = of(feedback, "zero", Demand::LossAndAlignment);
    assert!(alignment.iter().map(|p| p.depth).eq(2..=5), "{alignment:?}");
    assert_eq!(first.depths.len(), 19);
    for point in &first.depths {
        let (good, bad) = (point.good.unwrap(), point.bad.unwrap());
        assert!(bad > good && bad / good - 1.0 < 2e-6, "{point:?}");
    }
    // the scenario itself is one of them
    let own = &alignment[0];
    assert_eq!(
        (own.good, own.bad),
        (first.critical.good, first.critical.bad)
    );
    // one layer learns by its gradient whatever the rule: from the same weights the size is the same
    assert_eq!(
        (kinds[1][0].good, kinds[1][0].bad),
        (kinds[2][0].good, kinds[2][0].bad)
    );
    // alignments fail before the loss does
    for (before, after) in alignment.iter().zip(&kinds[0][1..]) {
        assert!(before.bad <= after.bad, "{before:?} {after:?}");
    }
}

/// `critical.json` of `compare --critical --out o`.
fn critical(name: &str, shop: &Workshop) -> Value {
    let path = path(name);
    let arguments = format!(
        "compare {} --critical --set steps.count=2000 --out o",
        path.display()
    );
    let output = shop.ends(0, &arguments);
    let table = text(&output.stdout);
    for line in [
        "first failure",
        "largest size that works",
        "smallest size that fails",
    ] {
        assert!(table.contains(line), "{table}");
    }
    json(&shop.read("o", "critical.json"))
}

#[test]
fn the_command_writes_json_and_figures() {
    let shop = Workshop::with(&[]);
    let report = critical(TOO_LARGE, &shop);
    let mut keys: Vec<&str> = report
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "above",
            "count",
            "demand",
            "depths",
            "eta",
            "failure",
            "format",
            "largest_good",
            "scenario",
            "scenario_sha256",
            "schedule",
            "smallest_bad",
            "thresholds",
            "title",
            "trials",
            "version",
        ]
    );
    assert_eq!(report["format"], "marginflow-critical/1");
    assert_eq!(report["count"], 2000);
    assert_eq!(report["demand"], "loss-and-alignment");
    let stability = measured(TOO_LARGE);
    assert_eq!(report["largest_good"].as_f64(), stability.critical.good);
    assert_eq!(report["smallest_bad"].as_f64(), stability.critical.bad);
    assert_eq!(report["eta"], report["largest_good"]);
    let failure = report["failure"].as_str().unwrap();
    assert!(
        failure.contains("φ_2 = -") && failure.contains("negative"),
        "{failure}"
    );
    assert!(report["above"][0]["measured"].as_f64().unwrap() < 0.0);
    let thresholds = report["thresholds"].as_array().unwrap();
    let measures: Vec<&str> = (thresholds.iter())
        .map(|t| t["measures"].as_str().unwrap())
        .collect();
    assert_eq!(measures, ["first negative alignment", "first failure"]);
    assert_eq!(thresholds[0]["eta"], report["eta"]);
    assert!(
        thresholds[1]["failure"]
            .as_str()
            .unwrap()
            .contains("overflow")
    );
    assert_eq!(report["depths"].as_array().unwrap().len(), 19);
    let trials = report["trials"].as_array().unwrap();
    assert_eq!(trials.len(), stability.critical.trials.len());
    for trial in trials {
        let (size, eta) = (trial["size"].as_f64(), report["eta"].as_f64());
        if trial["good"] == true {
            assert!(size <= eta, "{trial}");
        }
    }
    for figure in ["critical-step", "critical-depth"] {
        let svg = shop.read("o", &format!("figures/{figure}.svg"));
        let svg = text(&svg);
        assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{figure}");
        assert!(
            shop.path("o")
                .join(format!("figures/{figure}.png"))
                .exists()
        );
    }
}

/// Depth alone does not describe a ReLU network, whose widths are given.
#[test]
fn relu_networks_have_no_diagram_of_depths() {
    let shop = Workshop::with(&[]);
    let report = critical("relu-dfa-steps", &shop);
    assert_eq!(report["demand"], "loss");
    assert_eq!(report["depths"].as_array().unwrap().len(), 0);
    assert_eq!(report["above"].as_array().unwrap().len(), 0);
    assert!(report["eta"].as_f64().unwrap() > 0.0);
    assert!(shop.path("o").join("figures/critical-step.svg").exists());
    assert!(!shop.path("o").join("figures/critical-depth.svg").exists());
}
