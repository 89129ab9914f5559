//! Sweeps: the same bytes whatever threads, shards, kills and damage there were; and numbers that are those of the
//! cases themselves.

mod numbers;

use super::program::{Workshop, json, names, send, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

pub(crate) const SCENARIO: &str = r#"# A small sweep.
title = "A small sweep"
[dataset.gaussian-teacher]
dimension = 12
samples = 6
seed = 5
[network.convolutional-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.01, seed = 1 }
[flow]
until.log-time = 10.0
[steps]
sizes = [1e-3]
count = 2000
[sweep]
cases = ["fc", "conv-dfa-2", "conv-bp-2", "diagonal-dfa-2-unit"]
ratios = [0.5, 1.0, 2.0]
seeds = 5
kinds = ["limit", "flow", "steps"]
"#;

/// A folder with the scenario in it, `small.toml`.
fn shop() -> Workshop {
    Workshop::with(&[("small.toml", SCENARIO)])
}

/// The merged tables of a folder.
#[track_caller]
fn merged(shop: &Workshop, folder: &str) -> [Vec<u8>; 4] {
    shop.ends(0, &format!("sweep merge --out {folder} --quiet"));
    ["sweep.csv", "theory.csv", "summary.csv", "differences.csv"]
        .map(|name| shop.read(folder, name))
}

/// The merged tables of an undisturbed run.
fn undisturbed(shop: &Workshop) -> [Vec<u8>; 4] {
    shop.ends(0, "sweep plan small.toml --out whole");
    shop.ends(0, "sweep run --out whole --jobs 2 --quiet");
    merged(shop, "whole")
}

fn orphans(folder: &Path) -> Vec<PathBuf> {
    let mut all = names(folder);
    all.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(".marginflow-")
    });
    all
}

#[test]
fn threads_and_shards_change_nothing() {
    let shop = shop();
    let whole = undisturbed(&shop);
    let mut lines = text(&whole[0]).lines();
    assert_eq!(lines.next(), Some("case,ratio,seed,kind,angle_degrees"));
    assert_eq!(lines.count(), 4 * 3 * 5 * 3);

    // two shards at a time in one folder, the third later, one thread each
    shop.ends(0, "sweep plan small.toml --out parts");
    let mut shards =
        [0, 2].map(|i| shop.starts(&format!("sweep run --out parts --shard {i}/3 --jobs 1")));
    for shard in &mut shards {
        assert!(shard.wait().unwrap().success());
    }
    let output = shop.ends(3, "sweep merge --out parts");
    let message = text(&output.stderr);
    assert!(message.contains("20 of 60 cases are missing"), "{message}");
    assert!(
        message.contains("\n  1 fc/0.5/1\n") && !message.contains("\n  2 fc"),
        "{message}"
    );
    let output = shop.ends(3, "sweep status --out parts --format json");
    let status = json(&output.stdout);
    assert_eq!(
        (&status["done"], &status["total"]),
        (&40.into(), &60.into())
    );
    assert_eq!(status["missing"][0], 1);
    shop.ends(0, "sweep run --out parts --shard 1/3 --jobs 3");
    assert_eq!(merged(&shop, "parts"), whole);
    shop.ends(0, "sweep status --out parts");
    for name in [
        "generalisation",
        "generalisation-difference",
        "generalisation-times",
    ] {
        for kind in ["svg", "png"] {
            assert!(
                shop.path(&format!("parts/figures/{name}.{kind}")).is_file(),
                "{name}.{kind}"
            );
        }
    }
}

#[test]
fn temporary_files_of_others_at_work_stay() {
    let shop = shop();
    shop.ends(0, "sweep plan small.toml --out shared");
    let orphan = shop.path("shared/cases/.marginflow-AbCdEf.tmp");
    fs::write(&orphan, "half").unwrap();
    let other = marginflow::storage::Folder::together(&shop.path("shared")).unwrap();
    // entering alone, that presence has removed it
    assert!(!orphan.exists());
    fs::write(&orphan, "half").unwrap();
    shop.ends(0, "sweep run --out shared --shard 0/60 --quiet");
    assert!(
        orphan.exists(),
        "with another process present the file may be its own"
    );
    drop(other);
    shop.ends(0, "sweep run --out shared --shard 0/60 --quiet");
    assert!(!orphan.exists());
}

/// Someone else's folder: given by mistake, it loses nothing.
#[test]
fn only_files_of_ours_are_cleaned() {
    let shop = shop();
    fs::create_dir_all(shop.path("mine")).unwrap();
    let theirs = [
        "mine/.tmpAbCdEf",
        "mine/.marginflow-notes",
        "mine/notes.tmp",
    ];
    let ours = "mine/.marginflow-AbCdEf.tmp";
    for name in theirs.iter().chain([&ours]) {
        fs::write(shop.path(name), "precious").unwrap();
    }
    shop.ends(2, "sweep run --out mine");
    assert!(shop.path(ours).exists(), "there is no sweep to run");
    shop.ends(0, "sweep plan small.toml --out mine");
    shop.ends(0, "sweep run --out mine --shard 0/60 --quiet");
    assert!(!shop.path(ours).exists());
    for name in theirs {
        assert!(shop.path(name).exists(), "{name}");
    }
}

#[test]
fn damaged_cases_are_done_again() {
    let shop = shop();
    let whole = undisturbed(&shop);
    let case = |id: usize| shop.path(&format!("whole/cases/{id:06}.json"));
    let mut damaged = fs::read(case(7)).unwrap();
    let digit = damaged.iter().rposition(|b| *b == b'5').unwrap();
    damaged[digit] = b'6';
    fs::write(case(7), damaged).unwrap();
    fs::write(case(8), "").unwrap();
    // a good file, but of another case
    fs::copy(case(10), case(9)).unwrap();
    fs::remove_file(case(20)).unwrap();
    let output = shop.ends(3, "sweep merge --out whole");
    let message = text(&output.stderr);
    for line in [
        "4 of 60 cases",
        "\n  7 fc/1/2",
        "\n  8 fc/1/3",
        "\n  9 fc/1/4",
        "\n  20 conv-dfa-2/1/0",
    ] {
        assert!(message.contains(line), "{line} not in {message}");
    }
    let kept = fs::metadata(case(11)).unwrap().modified().unwrap();
    let output = shop.ends(0, "sweep run --out whole");
    assert_eq!(
        text(&output.stdout),
        "4 cases done, 56 had been done before\n"
    );
    assert_eq!(fs::metadata(case(11)).unwrap().modified().unwrap(), kept);
    assert_eq!(merged(&shop, "whole"), whole);
}

#[test]
fn a_folder_holds_one_sweep() {
    let shop = shop();
    shop.ends(0, "sweep plan small.toml --out one --set sweep.seeds=1");
    shop.ends(0, "sweep run --out one --quiet");
    // the same again keeps what has been done
    shop.ends(0, "sweep plan small.toml --out one --set sweep.seeds=1");
    shop.ends(0, "sweep status --out one");
    let output = shop.ends(2, "sweep plan small.toml --out one --set sweep.seeds=2");
    let message = text(&output.stderr);
    assert!(
        message.contains("holds another sweep") && message.contains("--out"),
        "{message}"
    );
    shop.ends(0, "sweep status --out one");

    shop.ends(2, "sweep run --out nowhere");
    shop.ends(2, "sweep run --out one --shard 2/2");
    shop.ends(2, "sweep run --out one --jobs 0");
    let output = shop.ends(
        65,
        "sweep plan small.toml --out two --set sweep.cases=['conv-bp-3']",
    );
    assert!(text(&output.stderr).contains("not convex"));
    assert!(!shop.path("two").exists(), "nothing is half written");
    // gradient descent cannot leave zero: said before hours of work, not after
    let output = shop.ends(65, "sweep plan small.toml --out two --set initial=zero");
    assert!(text(&output.stderr).contains("gradient descent"));
    fs::write(shop.path("one/scenario.toml"), SCENARIO).unwrap();
    let output = shop.ends(65, "sweep run --out one");
    assert!(text(&output.stderr).contains("has changed since"));
    fs::write(shop.path("one/plan.json"), "{").unwrap();
    shop.ends(65, "sweep status --out one");
}

#[test]
fn scenarios_without_a_sweep_are_refused() {
    let shop = shop();
    let plain = SCENARIO.split("[sweep]").next().unwrap();
    fs::write(shop.path("plain.toml"), plain).unwrap();
    let output = shop.ends(65, "sweep plan plain.toml --out x");
    assert!(text(&output.stderr).contains("no sweep"));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_shard_after_the_cases_in_hand() {
    let shop = shop();
    let whole = undisturbed(&shop);
    // enough work for a signal to come in the middle of it
    shop.ends(
        0,
        "sweep plan small.toml --out long --set steps.count=300000000 --set sweep.kinds=['steps']",
    );
    // it locks the folder when it already listens
    let lock = shop.path("long/.lock");
    let _ = fs::remove_file(&lock);
    let mut run = shop.starts_until("sweep run --out long --jobs 2", "long/.lock");
    sleep(Duration::from_millis(300));
    send("TERM", &run);
    assert_eq!(run.wait().unwrap().code(), Some(143));
    assert_eq!(orphans(&shop.path("long")), Vec::<PathBuf>::new());

    // a signal between cases: what is done stays done
    shop.ends(0, "sweep plan small.toml --out short");
    let mut run = shop.starts("sweep run --out short --jobs 1");
    while names(&shop.path("short/cases")).len() < 3 {
        assert!(run.try_wait().unwrap().is_none(), "the run ended early");
        sleep(Duration::from_millis(1));
    }
    send("INT", &run);
    let code = run.wait().unwrap().code();
    assert!(code == Some(130) || code == Some(0), "{code:?}");
    shop.ends(0, "sweep run --out short --quiet");
    assert_eq!(merged(&shop, "short"), whole);
}

/// A failure is recorded, reported, tried again, and does not keep the rest from being merged.
#[test]
fn angles_that_cannot_be_had_are_said_and_left_out() {
    let shop = shop();
    let changes = "--set steps.sizes=[1e200] --set sweep.seeds=1 --set sweep.cases=['fc']";
    shop.ends(0, &format!("sweep plan small.toml --out big {changes}"));
    for _ in 0..2 {
        let output = shop.ends(4, "sweep run --out big");
        let message = text(&output.stderr);
        assert!(
            message.contains("fc/2/0 (steps): the weights overflow"),
            "{message}"
        );
    }
    let output = shop.ends(4, "sweep merge --out big");
    assert!(text(&output.stderr).contains("left out of the tables"));
    let text = fs::read_to_string(shop.path("big/sweep.csv")).unwrap();
    assert!(
        text.contains("fc,2,0,limit,") && text.contains("fc,2,0,flow,"),
        "{text}"
    );
    assert!(
        !text.contains("steps,NaN") && !text.contains("fc,2,0,steps"),
        "{text}"
    );
}

/// Plans `small.toml` as a job array of four tasks, starts the third as Slurm would, and says how many cases it does.
#[track_caller]
pub(crate) fn third_task_of_four(shop: &Workshop, verb: &str) -> usize {
    shop.ends(0, &format!("{verb} plan small.toml --out array"));
    shop.ends(0, &format!("{verb} slurm --out array --tasks 4 --jobs 2"));
    for name in ["array", "merge", "submit"] {
        let script = shop.path(&format!("array/slurm/{name}.sh"));
        let check = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(check.success(), "{name}");
    }
    let task = Command::new("sh")
        .arg(shop.path("array/slurm/array.sh"))
        .envs([
            ("SLURM_ARRAY_TASK_ID", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ])
        .status()
        .unwrap();
    assert!(task.success());
    names(&shop.path("array/cases")).len()
}

#[test]
fn slurm_scripts_run_a_sweep() {
    assert_eq!(third_task_of_four(&shop(), "sweep"), 15);
}

/// Section 6 of the report is judged by the merge: as it is, on networks that do not differ, and with an expectation
/// that is not met.
#[test]
fn a_merge_judges_the_claim_about_sweeps() {
    let shop = shop();
    let keys = "--set dataset.gaussian-teacher.dimension=40 --set sweep.ratios=[0.5] --set sweep.seeds=120 \
                --set sweep.kinds=['limit']";
    let judged = |folder: &str, more: &str, code: i32| {
        shop.ends(
            0,
            &format!("sweep plan small.toml --out {folder} {keys} {more}"),
        );
        shop.ends(0, &format!("sweep run --out {folder} --quiet"));
        let printed = shop.ends(code, &format!("sweep merge --out {folder}"));
        let document = json(&shop.read(folder, "claims.json"));
        assert_eq!(document["format"], "marginflow-sweep-claims/1");
        let verdict = document["claims"][0].clone();
        assert_eq!(verdict["id"], "sec-6");
        let line = format!("sec-6 {}", verdict["verdict"].as_str().unwrap());
        assert!(text(&printed.stdout).contains(&line));
        verdict
    };
    let cases = "--set sweep.cases=['fc','conv-dfa-2','conv-bp-2']";
    let verdict = judged("lower", cases, 0);
    assert_eq!(verdict["verdict"], "holds", "{verdict}");
    let z = verdict["residual"].as_f64().unwrap();
    assert!(
        (-30.0..-4.0).contains(&z) && verdict["tolerance"] == -4.0,
        "{verdict}"
    );
    let evidence = verdict["evidence"].as_str().unwrap();
    assert!(evidence.contains("(120 pairs, law -"), "{evidence}");
    let unexpected = judged("wrong", &format!("{cases} --set expect.sec-6=violated"), 1);
    assert_eq!(unexpected["verdict"], "holds");
    let single = judged("same", "--set sweep.cases=['fc','conv-dfa-1']", 0);
    assert_eq!(single["verdict"], "inconclusive", "{single}");
    // a run of one case neither judges it nor is held to it
    let run = "run small.toml --set expect.sec-6=holds --out one --no-figures --quiet --set flow.until.log-time=2";
    shop.ends(0, run);
    let claims = &shop.report("one")["claims"];
    let found = claims
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["id"] == "sec-6");
    assert_eq!(found.unwrap()["verdict"], "not-applicable");
}
