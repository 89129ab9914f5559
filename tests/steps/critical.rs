//! The critical step size of a scenario.

use assert_cmd::Command;
use marginflow::descent::Control;
use marginflow::stability::measure;
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"))
}

fn short() -> Vec<String> {
    vec!["steps.count=2000".into()]
}

#[test]
fn the_bracket_is_narrow_and_an_alignment_is_negative_above_it() {
    let of = || measure(&path("fc-dfa-steps-too-large"), &short(), &Control::none()).unwrap();
    let measured = of();
    let (good, bad) = (
        measured.critical.good.unwrap(),
        measured.critical.bad.unwrap(),
    );
    assert!(good < bad && bad < good * (1.0 + 2e-6));
    assert!((good - 0.042_148_3).abs() < 1e-6, "{good}");
    let above = &measured.above.as_ref().unwrap()[0];
    assert_eq!(above.layer, 2);
    assert!(above.measured < 0.0, "{above:?}");
    assert!(
        (above.measured - above.summed).abs() < 1e-9 * above.measured.abs().max(1.0),
        "{above:?}"
    );
    assert_eq!(measured.depths.len(), 2 * 5);
    // at the scenario's own depth the diagram has the scenario's own size
    let own = measured.depths.iter().find(|p| p.depth == 2).unwrap();
    assert_eq!((own.good, own.bad), (Some(good), Some(bad)));
    let dfa: Vec<f64> = measured.depths[..5]
        .iter()
        .map(|p| p.good.unwrap())
        .collect();
    assert!(dfa.windows(2).all(|w| w[1] < w[0]), "{dfa:?}");
    assert_eq!(of().depths, measured.depths);
}

#[test]
fn the_command_writes_report_and_figures() {
    let folder = TempDir::new().unwrap();
    let run = |name: &str| {
        let output = Command::cargo_bin("marginflow")
            .unwrap()
            .args(["compare", path(name).to_str().unwrap(), "--critical"])
            .args([
                "--set",
                "steps.count=500",
                "--set",
                "steps.sizes=[1e-3]",
                "--format",
                "json",
            ])
            .arg("--out")
            .arg(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let report = run("fc-dfa-steps-too-large");
    for key in ["eta", "largest_good", "smallest_bad"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(report["failure"].as_str().unwrap().contains("φ_2"));
    assert_eq!(report["depths"].as_array().unwrap().len(), 10);
    for file in [
        "critical.json",
        "figures/critical-step.svg",
        "figures/critical-depth.png",
    ] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    assert_eq!(run("relu-bp")["depths"].as_array().unwrap().len(), 0);
}
