//! `compare` and `[steps]` from outside.

use super::program::{ROOT, Workshop, ended, send, text};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn compare_writes_one_entry_per_step_size() {
    let shop = Workshop::with(&[]);
    let sizes = "--set steps.sizes=[1e-2,1e-3] --set steps.count=5000";
    // the scenario has no steps of its own, and says nothing of claims about them
    let output = shop.ends(
        0,
        &format!("compare {ROOT}/scenarios/conv-dfa-2.toml {sizes} --out o"),
    );
    let table = text(&output.stdout);
    for fragment in [
        "step size",
        "angle to flow",
        "observed order",
        "thm-2-discrete",
    ] {
        assert!(table.contains(fragment), "{fragment} not in\n{table}");
    }
    assert!(!table.contains("UNEXPECTED"), "{table}");
    let report = shop.report("o");
    assert_eq!(report["status"], "completed");
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    for (entry, size) in steps.iter().zip([1e-2, 1e-3]) {
        assert_eq!(
            (entry["size"].as_f64(), entry["count"].as_u64()),
            (Some(size), Some(5000))
        );
        assert_eq!(entry["beta"].as_array().unwrap().len(), 8);
        for key in ["angle_to_flow", "angle_to_limit", "max_relative_distance"] {
            let value = entry[key].as_f64().unwrap();
            assert!(value > 0.0 && value < 1.0, "{key} {value}");
        }
        assert!(entry["wall_seconds"].as_f64().unwrap() >= 0.0);
    }
    let claims: Vec<&str> = (report["claims"].as_array().unwrap().iter())
        .map(|c| c["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        claims,
        ["thm-1-discrete", "thm-2-discrete", "thm-3-discrete"]
    );
    for file in [
        "figures/finite-steps.svg",
        "figures/step-sizes.png",
        "trajectory.npz",
    ] {
        assert!(shop.path("o").join(file).exists(), "{file}");
    }
}

#[test]
fn a_scenario_without_steps_is_refused_with_what_to_add() {
    let shop = Workshop::with(&[]);
    fs::create_dir(shop.path("o")).unwrap();
    let output = shop.ends(65, &format!("compare {ROOT}/scenarios/fc-dfa.toml --out o"));
    let error = text(&output.stderr);
    assert!(
        error.contains("no finite steps") && error.contains("steps.sizes="),
        "{error}"
    );
    assert_eq!(fs::read_dir(shop.path("o")).unwrap().count(), 0);
}

#[test]
fn a_signal_ends_a_run_after_a_checkpoint_and_the_same_command_goes_on() {
    let shop = Workshop::with(&[]);
    let steps = "--set steps.sizes=[1e-2] --set steps.count=30000000";
    let command = format!("compare {ROOT}/scenarios/fc-dfa.toml {steps} --out");
    shop.ends(0, &format!("{command} whole"));
    let whole = shop.report("whole");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let command = format!("{command} {signal}");
        let child = shop.starts(&command);
        sleep(Duration::from_millis(300));
        send(signal, &child);
        let (ended, said) = ended(child);
        assert_eq!(ended, Some(code), "{said}");
        let checkpoint = shop.path(signal).join("steps-1.checkpoint");
        assert!(checkpoint.exists());
        assert!(!shop.path(signal).join("report.json").exists());
        let output = shop.ends(0, &command);
        assert!(text(&output.stderr).contains("resumed from"));
        assert!(!checkpoint.exists());
        let cut = shop.report(signal);
        for key in [
            "beta",
            "angle_to_flow",
            "max_relative_distance",
            "log_loss",
            "taken",
        ] {
            assert_eq!(cut["steps"][0][key], whole["steps"][0][key], "{key}");
        }
    }
}
