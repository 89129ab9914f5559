//! SIGINT and SIGTERM: a checkpoint, exit codes 130 and 143, and the same command goes on from there.

use super::program::{ended, same, send, text};
use super::shop;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_signal_ends_a_flow_after_a_checkpoint_and_the_same_command_goes_on() {
    let shop = shop();
    // long enough for a signal to come in the midst of the flow, on fast machines too
    let larger =
        "--set dataset.gaussian-teacher.samples=60 --set dataset.gaussian-teacher.dimension=40";
    for (scenario, more) in [("linear", larger), ("kinks", "")] {
        shop.ends(
            0,
            &format!("run {scenario}.toml {more} --out {scenario}-whole"),
        );
        let whole = shop.left(&format!("{scenario}-whole"));
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let folder = format!("{scenario}-{signal}");
            let command = format!("run {scenario}.toml {more} --out {folder}");
            let child = shop.starts_until(&command, &format!("{folder}/.lock"));
            // in the midst of the flow: nothing is written so early, the interval being five seconds
            sleep(Duration::from_millis(60));
            send(signal, &child);
            let (ended, said) = ended(child);
            assert_eq!(ended, Some(code), "{said}");
            assert!(said.contains("the same command goes on"), "{said}");
            let names: Vec<_> = shop.left(&folder).into_keys().collect();
            assert_eq!(names, ["flow.checkpoint".into()] as [std::path::PathBuf; 1]);
            let output = shop.ends(0, &command);
            assert!(text(&output.stderr).contains("resumed from"));
            same(&shop.left(&folder), &whole);
        }
    }
}

/// A budget that ran out keeps its checkpoint: a larger one does not begin again, and ends as if there had been no
/// other.
#[test]
fn a_run_out_of_its_budget_goes_on_under_a_larger_one() {
    let shop = shop();
    for (scenario, budget) in [("linear", 700), ("kinks", 900)] {
        let run = format!("run {scenario}.toml --no-figures");
        let whole = format!("{run} --out {scenario} --set flow.max-steps=1000000");
        shop.ends(0, &whole);
        let whole = shop.left(scenario);
        let command = format!("{run} --out {scenario}-cut --set flow.max-steps=");
        let mut first = None;
        for _ in 0..3 {
            let output = shop.ends(5, &format!("{command}{budget}"));
            // the same again changes nothing, not even the checkpoint
            let now = shop.left(&format!("{scenario}-cut"));
            same(first.get_or_insert_with(|| now.clone()), &now);
            let table = text(&output.stdout);
            assert!(
                table.contains(&format!("the budget of {budget} steps")),
                "{table}"
            );
            assert!(
                shop.path(&format!("{scenario}-cut/flow.checkpoint"))
                    .exists()
            );
        }
        let output = shop.ends(5, &format!("{command}{}", budget / 4));
        let said = text(&output.stderr);
        assert!(said.contains("beyond flow.max-steps"), "{said}");
        shop.ends(5, &format!("{command}{budget}"));
        let output = shop.ends(0, &format!("{command}1000000"));
        let said = text(&output.stderr);
        assert!(said.contains("resumed from"), "{said}");
        same(&shop.left(&format!("{scenario}-cut")), &whole);
    }
}

#[test]
fn a_signal_ends_a_reproduction_and_the_same_command_goes_on() {
    let shop = shop();
    fs::create_dir(shop.path("s")).unwrap();
    for name in ["linear", "kinks"] {
        fs::rename(
            shop.path(&format!("{name}.toml")),
            shop.path(&format!("s/{name}.toml")),
        )
        .unwrap();
    }
    let command = "reproduce --scenarios s --out r --jobs 1 --quiet";
    let child = shop.starts_until(command, "r/kinks/.lock");
    sleep(Duration::from_millis(60));
    send("TERM", &child);
    let (code, said) = ended(child);
    assert_eq!(code, Some(143), "{said}");
    assert!(!shop.path("r/claims.json").exists());
    assert!(shop.path("r/kinks/flow.checkpoint").exists());
    shop.ends(0, command);
    assert!(!shop.path("r/kinks/flow.checkpoint").exists());
    assert!(shop.path("r/claims.json").exists() && shop.path("r/linear/report.json").exists());
}

/// Who does not want to wait for the checkpoint either.
#[test]
fn a_second_signal_ends_a_command_at_once() {
    let shop = shop();
    let command = "compare steps.toml --critical --set steps.count=1000000000 --out c";
    let child = shop.starts_until(command, "c/.lock");
    sleep(Duration::from_millis(50));
    send("INT", &child);
    send("INT", &child);
    let (code, _) = ended(child);
    assert_eq!(code, Some(130));
}
