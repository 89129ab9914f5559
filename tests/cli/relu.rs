//! ReLU networks on the command line: their limit is learned, and not every network fits its data.

use super::*;

/// Exclusive or on four points of the plane, twelve units, from random weights on the conserved level.
const SCENARIO: &str = r#"
title = "Exclusive or"
[dataset.files]
samples = "four.csv"
labels = "signs.csv"
[network.relu]
hidden = [12]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.3, seed = 1, level-set = true }
[flow]
until.log-log-time = 12.0
saves = 61
"#;

fn shop() -> Workshop {
    let shop = super::shop();
    shop.file("relu.toml", SCENARIO);
    shop.file("four.csv", "1,1\n-2,-2\n1,-1\n-1.5,1.5\n");
    shop.file("signs.csv", "1\n1\n-1\n-1\n");
    shop
}

/// Replaces the random weights by zero, under which twelve units act like two.
const FROM_ZERO: &str = "--set initial=zero --set flow.until.log-log-time=3.5";

#[test]
fn a_run_reports_features_and_kinks() {
    let shop = shop();
    let table = shop.ends(0, "run relu.toml --out a --verify").stdout;
    for fragment in [
        "relu of depth 2",
        "feature-max-margin, ",
        "KKT residuals",
        " crossings, ",
        " at the end",
        "verified at rtol/100      agrees",
    ] {
        assert!(text(&table).contains(fragment), "{}", text(&table));
    }
    let report = shop.report("a");
    check_contract(&report);
    let of_linear = [
        "alignment",
        "candidates",
        "spectrum",
        "phases",
        "swept-area",
        "sandwich",
    ];
    check_figures(&files(&shop.path("a")), &of_linear);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["limit"]["kind"], "feature-max-margin");
    assert_eq!(numbers(&report["limit"]["beta"]).len(), 12);
    assert_eq!(report["final"]["beta"], serde_json::json!([]));
    for key in [
        "feature_angle",
        "feature_margin",
        "feedback_kkt",
        "gradient_kkt",
        "epsilon",
        "delta",
        "normalised_margin",
        "smoothed_margin",
        "feedback_margin",
    ] {
        let value = &report["final"]["homogeneous"][key];
        assert!(value.is_f64(), "{key}: {value}");
    }
    for (name, drift) in report["invariants"].as_object().unwrap() {
        assert!(drift.as_f64().unwrap() < 1e-6, "{name}: {drift}");
    }
    // From where the weights were drawn, neurons must turn to face all four samples.
    let kinks = &report["kinks"];
    for key in ["crossings", "slides", "releases", "departures"] {
        assert!(kinks[key].is_u64(), "{kinks}");
    }
    assert_eq!(kinks["departures"], 0);
    let sliding = kinks["sliding"].as_array().unwrap();
    let begun = kinks["slides"].as_u64().unwrap() - kinks["releases"].as_u64().unwrap();
    assert_eq!(sliding.len() as u64, begun);
    assert!(!sliding.is_empty());

    let npz = shop.read("a", "trajectory.npz");
    let (shape, output) = array(&npz, "output_weights");
    assert_eq!(shape, [61, 12]);
    assert_eq!(output, array(&npz, "w_2").1);
    let w_1 = array(&npz, "w_1").1.split_off(60 * 24);
    // A pair slides where the preactivation vanishes.
    let samples = [[1.0, 1.0], [-2.0, -2.0], [1.0, -1.0], [-1.5, 1.5]];
    for pair in sliding {
        assert_eq!(pair["layer"], 1);
        let [j, n] = ["unit", "sample"].map(|key| pair[key].as_u64().unwrap() as usize);
        let (w, x) = ([w_1[j], w_1[12 + j]], samples[n]);
        let cosine = (w[0] * x[0] + w[1] * x[1]) / (w[0].hypot(w[1]) * x[0].hypot(x[1]));
        assert!(cosine.abs() < 1e-9, "{pair}: {cosine}");
    }
    let names = npyz::npz::NpzArchive::new(std::io::Cursor::new(&npz[..])).unwrap();
    let names: Vec<String> = names.array_names().map(str::to_owned).collect();
    assert!(!names.iter().any(|name| name == "beta"));
    for name in &names {
        let (shape, values) = array(&npz, name);
        let none = name == "dead_samples";
        assert!(none || !shape.contains(&0), "{name} is empty");
        assert!(values.iter().all(|x| x.is_finite()), "{name}");
    }
    for name in ["feature_angle", "feedback_kkt", "gradient_kkt"] {
        let values = array(&npz, name).1;
        let saves = array(&npz, &format!("{name}_saves")).1;
        assert_eq!(saves.len(), values.len(), "{name}");
        assert_eq!(saves.last().copied(), Some(60.0), "{name}");
        let last = report["final"]["homogeneous"][name].as_f64();
        assert_eq!(values.last().copied(), last, "{name}");
    }

    // The conserved level, b_j w_2j = ½‖w_1j‖², at the first save and at the last.
    let b: Vec<f64> = marginflow::dataset::standard_normals("feedback", 7)
        .take(12)
        .collect();
    let w_1 = array(&npz, "w_1").1;
    for save in [0, 60] {
        for (j, b) in b.iter().enumerate() {
            let w = [w_1[24 * save + j], w_1[24 * save + 12 + j]];
            let level = 0.5 * (w[0] * w[0] + w[1] * w[1]) / b;
            assert!((output[12 * save + j] / level - 1.0).abs() < 1e-6);
        }
    }

    // The limit alone follows the same flow.
    let alone = shop.ends(0, "limit relu.toml --format json").stdout;
    let alone = json(&alone);
    assert_eq!(alone["kind"], "feature-max-margin");
    let pairs = numbers(&alone["beta"])
        .into_iter()
        .zip(numbers(&report["limit"]["beta"]));
    for (x, y) in pairs {
        assert!((x - y).abs() < 1e-6 * x.abs().max(1e-3), "{x} {y}");
    }
    let sentence = shop.ends(0, "limit relu.toml").stdout;
    assert!(text(&sentence).contains("of the features at the end of the run"));
}

#[test]
fn two_units_do_not_fit_exclusive_or() {
    let shop = shop();
    shop.ends(0, &format!("run relu.toml --out a --quiet {FROM_ZERO}"));
    let report = shop.report("a");
    check_contract(&report);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["limit"]["kind"], "none");
    assert_eq!(report["kinks"]["departures"], 12);
    let last = &report["final"];
    // One sample of each class stays where it was.
    assert!((last["log_loss"].as_f64().unwrap() - 2_f64.ln()).abs() < 1e-9);
    assert!(last["min_margin"].as_f64().unwrap().abs() < 1e-9);
    for key in [
        "/angle_to_limit",
        "/duality_gap",
        "/homogeneous/feature_angle",
    ] {
        assert!(last.pointer(key).unwrap().is_null(), "{key}");
    }
    let sentence = shop.ends(0, &format!("limit relu.toml {FROM_ZERO}")).stdout;
    let fragment = "no limit: at the end of the run some sample has no positive margin";
    assert!(text(&sentence).contains(fragment), "{}", text(&sentence));
}

#[test]
fn gradient_descent_and_smooth_kinks_have_reports_of_their_own() {
    let shop = shop();
    let base = "run relu.toml --out a --quiet --set initial.gaussian.level-set=false --set rule=gradient-descent";
    shop.ends(0, base);
    let report = shop.report("a");
    check_contract(&report);
    assert_eq!(report["limit"]["kind"], "feature-max-margin");
    assert!(report["kinks"].is_object());
    // The problem of the feedback is none of gradient descent.
    let homogeneous = &report["final"]["homogeneous"];
    assert!(homogeneous["feedback_kkt"].is_null() && homogeneous["gradient_kkt"].is_f64());
    shop.ends(
        0,
        "run relu.toml --out b --quiet --set network.relu.smoothing=0.1",
    );
    let report = shop.report("b");
    check_contract(&report);
    assert_eq!(report["limit"]["kind"], "feature-max-margin");
    // smooth kinks are not crossed, but units may come to zero weights and leave again
    let kinks = &report["kinks"];
    assert_eq!(
        (&kinks["crossings"], &kinks["slides"]),
        (&0.into(), &0.into())
    );
    assert!(kinks["departures"].as_u64().unwrap() > 0);
}
