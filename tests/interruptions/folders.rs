//! Two commands in one folder: the second is refused, with the number of the first; what a dead one left is no
//! obstacle.

use super::program::text;
use super::shop;
use std::fs;

#[test]
fn a_second_command_in_a_folder_is_refused_with_the_number_of_the_first() {
    let shop = shop();
    let long = "run steps.toml --out here --set steps.count=100000000000";
    let mut first = shop.starts_until(long, "here/.lock");
    for second in [
        "run linear.toml --out here",
        "run kinks.toml --out here",
        "compare steps.toml --out here",
        "compare steps.toml --critical --out here",
        "limit linear.toml --out here",
        "sweep plan sweep.toml --out here",
        "study run study.toml --out here",
        "reproduce --scenarios . --out here",
    ] {
        let output = shop.ends(74, second);
        let said = text(&output.stderr);
        let number = format!("in use by process {}", first.id());
        assert!(
            said.contains(&number) && said.contains("--out"),
            "{second}: {said}"
        );
        assert!(first.try_wait().unwrap().is_none(), "it ended too early");
    }
    first.kill().unwrap();
    first.wait().unwrap();
    shop.ends(0, "run linear.toml --out here --no-figures");
}

#[test]
fn the_lock_of_a_killed_command_is_taken_over() {
    let shop = shop();
    let mut killed = shop.starts_until("run kinks.toml --out here", "here/.lock");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(shop.path("here/.lock").exists());
    // one whose number is in use again, by somebody else
    fs::write(shop.path("here/.lock"), "1\nelsewhere\n").unwrap();
    fs::write(shop.path("here/.marginflow-AbCdEf.tmp"), "half").unwrap();
    shop.ends(0, "run kinks.toml --out here");
    let names = shop.left("here").into_keys();
    let hidden: Vec<_> = names
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// Neither a folder nor anything in it, if nothing comes of the command.
#[test]
fn a_command_that_cannot_be_done_leaves_nothing() {
    let shop = shop();
    // gradient descent cannot leave zero
    let stuck = "--set rule=gradient-descent --set initial=zero";
    for (code, command) in [
        (65, format!("run linear.toml --out a/b {stuck}")),
        (65, "compare linear.toml --out a/b".into()),
        (65, format!("limit linear.toml --out a/b {stuck}")),
        (2, "run linear.toml --out a/b --checkpoint-every -1".into()),
    ] {
        shop.ends(code, &command);
        assert!(!shop.path("a").exists(), "{command}");
    }
}
