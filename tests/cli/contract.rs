//! What every run must leave: the keys of report.json and the arrays of trajectory.npz.

use super::*;

/// The keys of report.json that scripts rely on.
pub fn check_contract(report: &Value) {
    assert_eq!(report["format"], "marginflow-report/1");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let digest = report["scenario_sha256"].as_str().unwrap();
    assert!(
        digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()),
        "{digest}"
    );
    let contract = [
        (
            "",
            "format version scenario_sha256 status final limit invariants rate kinks claims steps solver certified",
        ),
        (
            "/final",
            "log_log_time log_time min_margin log_loss beta layer_norms angle_to_limit kkt_residual duality_gap \
             accumulated_duality_gap homogeneous margin_over_layer_norms sandwich effective_entries output_layer",
        ),
        (
            "/certified",
            "gap angle limit_angle run_gap kkt_distance statements",
        ),
        ("/limit", "kind beta duality_gap support"),
        ("/rate", "observed predicted window"),
        ("/claims/0", "id verdict residual tolerance evidence proved"),
        (
            "/solver",
            "method steps rejected_steps newton_failures rhs_evaluations jacobian_evaluations unknowns wall_seconds",
        ),
        ("/invariants", "log-multipliers"),
    ];
    for (at, expected) in contract {
        let found = report.pointer(at).unwrap();
        if found.is_null() {
            assert_eq!(at, "/rate", "{at} is null");
            continue;
        }
        for key in expected.split(' ') {
            assert!(keys(found).contains(&key), "{at}/{key} is missing");
        }
    }
    let ids = report["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap());
    assert!(ids.eq(claims::ids()));
    assert!(report["steps"].is_array());
    for (name, drift) in report["invariants"].as_object().unwrap() {
        assert!(drift.as_f64().unwrap() >= 0.0, "{name}: {drift}");
    }
}

/// Names and shapes of every array, and the report's final numbers among them.
pub fn check_trajectory(npz: &[u8], report: &Value) {
    let (saves, samples, dimension, depth) = (61, 3, 3, 3);
    let shapes: [(&str, &[u64]); 17] = [
        ("log_log_time", &[saves]),
        ("log_time", &[saves]),
        ("log_loss", &[saves]),
        ("min_margin", &[saves]),
        ("multiplier_drift", &[saves]),
        ("angle_to_limit", &[saves]),
        ("margins", &[saves, samples]),
        ("log_multipliers", &[saves, samples]),
        ("beta", &[saves, dimension]),
        ("layer_norms", &[saves, depth]),
        ("w_1", &[saves, 3, 4]),
        ("w_2", &[saves, 4, 2]),
        ("w_3", &[saves, 2, 1]),
        ("phi", &[saves, depth - 1]),
        ("phi_closed_form", &[saves, depth - 1]),
        ("alignment_residual", &[saves, depth]),
        // At the start β = 0, and nothing can be certified.
        ("certified", &[saves - 1]),
    ];
    for (name, expected) in shapes {
        let (shape, values) = array(npz, name);
        assert_eq!(shape, expected, "{name}");
        assert!(values.iter().all(|x| x.is_finite()), "{name}");
    }
    let certified = array(npz, "certified").1;
    for name in ["kkt_residual", "duality_gap"] {
        let values = array(npz, name).1;
        assert_eq!(values.len(), certified.len(), "{name}");
        assert_eq!(values.last().copied(), report["final"][name].as_f64());
    }
    for name in [
        "log_log_time",
        "log_time",
        "min_margin",
        "margin_over_layer_norms",
        "log_loss",
        "angle_to_limit",
    ] {
        let values = array(npz, name).1;
        assert_eq!(
            values.last().copied(),
            report["final"][name].as_f64(),
            "{name}"
        );
    }
    for name in ["feature_angle", "feature_margin"] {
        let values = array(npz, name).1;
        assert_eq!(values.len(), array(npz, &format!("{name}_saves")).1.len());
        let last = &report["final"]["output_layer"][name];
        assert_eq!(values.last().copied(), last.as_f64(), "{name}");
    }
    let beta = array(npz, "beta").1;
    let last = &beta[beta.len() - 3..];
    assert_eq!(last, numbers(&report["final"]["beta"]));
    let norms = array(npz, "layer_norms").1;
    assert_eq!(
        norms[norms.len() - 3..],
        numbers(&report["final"]["layer_norms"])
    );
    // β = w_1 w_2 w_3 with the layers as numpy sees them, rows of inputs.
    let end = |name: &str, size: usize| array(npz, name).1.split_off((saves as usize - 1) * size);
    let (w_1, w_2, w_3) = (end("w_1", 12), end("w_2", 8), end("w_3", 2));
    for (d, expected) in last.iter().enumerate() {
        let product: f64 = (0..4)
            .map(|i| w_1[4 * d + i] * (w_2[2 * i] * w_3[0] + w_2[2 * i + 1] * w_3[1]))
            .sum();
        assert!(
            (product / expected - 1.0).abs() < 1e-12,
            "{product} {expected}"
        );
    }
}

/// Figures of ReLU networks alone.
pub const OF_RELU: [&str; 4] = ["neurons", "output-weights", "kkt", "dfa-margin"];

/// Whole figures in both formats, all but `absent`, which do not apply to the run; beside them the report, the
/// trajectory and the scenario, and nothing else, no temporary file left behind.
#[track_caller]
pub fn check_figures(written: &Files, absent: &[&str]) {
    let all = marginflow::figures::FIGURES.iter().map(|f| f.id);
    assert!(
        absent
            .iter()
            .all(|id| all.clone().any(|known| known == *id))
    );
    // these runs have no finite steps, and their networks one output
    let absent = [absent, &["finite-steps", "step-sizes", "singular-values"]].concat();
    let figures: Vec<&str> = all.filter(|id| !absent.contains(id)).collect();
    assert!(figures.len() >= 5);
    for id in &figures {
        let svg = text(&written[Path::new(&format!("figures/{id}.svg"))]);
        assert!(
            svg.contains("<svg") && svg.trim_end().ends_with("</svg>"),
            "{id}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{id}");
        let png = &written[Path::new(&format!("figures/{id}.png"))];
        assert!(
            png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 1000,
            "{id}"
        );
        assert!(png.ends_with(b"IEND\xaeB`\x82"), "{id} is cut off");
    }
    // and the two reports, the certificate, the scenario, the trajectory
    assert_eq!(written.len(), 5 + 2 * figures.len(), "{:?}", written.keys());
}
