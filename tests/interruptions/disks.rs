//! Places that cannot be written, or are full: exit code 74, a sentence that says where, nothing half written, and the same command goes on
//! once there is room.

use super::{Shop, left, same, text};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

#[test]
fn a_folder_that_is_missing_is_made() {
    let shop = Shop::new();
    shop.ends(0, "run linear.toml --out a/b/c --set flow.rtol=1e-6");
    assert!(shop.path("a/b/c/report.json").exists());
}

#[test]
fn places_that_cannot_be_written_are_named_before_the_run() {
    let shop = Shop::new();
    fs::write(shop.path("file"), "").unwrap();
    symlink(shop.path("nowhere/at/all"), shop.path("dangling")).unwrap();
    // nobody may make files there, not even the superuser
    for place in [
        "file",
        "file/below",
        "dangling",
        "/proc/marginflow",
        "/sys/marginflow",
    ] {
        for command in [
            "run linear.toml",
            "compare steps.toml",
            "limit linear.toml",
            "sweep plan sweep.toml",
            "reproduce --scenarios .",
        ] {
            let output = shop.ends(74, &format!("{command} --out {place}"));
            let said = text(&output.stderr);
            assert!(said.contains("--out"), "{command} {place}: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

/// Standard output is a place too.
#[test]
fn a_full_standard_output_is_an_error() {
    let shop = Shop::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(shop.path("."))
        .args(["claims"])
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(74));
}

/// Runs a command of the shell in which no file may grow beyond so many blocks of 512 bytes.
fn limited(shop: &Shop, blocks: usize, arguments: &str) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .current_dir(shop.path("."))
        .args([
            "-c",
            &format!("ulimit -f {blocks}; exec \"$0\" {arguments}"),
        ])
        .arg(env!("CARGO_BIN_EXE_marginflow"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

/// A limit on the size of files stops writes where a full disk would: at the results, and at a checkpoint.
#[test]
fn a_write_that_fails_loses_nothing_that_was_there() {
    let shop = Shop::new();
    shop.ends(0, "run linear.toml --out whole");
    let whole = left(&shop.path("whole"));
    let command = "run linear.toml --out full --checkpoint-every 0.001";
    // enough for checkpoints, too little for the figures: everything but the results survives
    let largest = whole.values().map(Vec::len).max().unwrap();
    let (code, said) = limited(&shop, largest / 512 - 8, command);
    assert_eq!(code, Some(74), "{said}");
    assert!(
        said.contains("full/") && said.contains("cannot write here"),
        "{said}"
    );
    let names: Vec<String> = (left(&shop.path("full")).keys())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    assert!(names.contains(&"flow.checkpoint".into()), "{names:?}");
    assert!(!names.contains(&"report.json".into()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains(".tmp")), "{names:?}");
    // not even for a checkpoint: the one that was there stays
    let kept = fs::read(shop.path("full/flow.checkpoint")).unwrap();
    let (code, said) = limited(&shop, 1, command);
    assert_eq!(code, Some(74), "{said}");
    assert!(said.contains("full/"), "{said}");
    assert_eq!(fs::read(shop.path("full/flow.checkpoint")).unwrap(), kept);
    let output = shop.ends(0, command);
    assert!(text(&output.stderr).contains("resumed from"));
    same(&left(&shop.path("full")), &whole);
}

/// A disk that is really full, where one can be made: it takes a mount of its own.
#[test]
fn a_full_disk_is_an_error_and_the_same_command_goes_on_once_there_is_room() {
    let shop = Shop::new();
    shop.ends(0, "run kinks.toml --out whole");
    fs::create_dir(shop.path("disk")).unwrap();
    let program = env!("CARGO_BIN_EXE_marginflow");
    let script = format!(
        "mount -t tmpfs -o size=200k none disk || exit 99
        '{program}' run kinks.toml --out disk/out --checkpoint-every 0.01 --quiet; echo $?
        ls -A disk/out
        mount -o remount,size=64m disk
        '{program}' run kinks.toml --out disk/out --quiet; echo $?
        cp -r disk/out later"
    );
    let output = Command::new("unshare")
        .current_dir(shop.path("."))
        .args(["--mount", "sh", "-c", &script])
        .output();
    // 1: unshare may not; 99: mount may not
    let allowed = |output: &Output| !matches!(output.status.code(), Some(1 | 99));
    let Some(output) = output.ok().filter(allowed) else {
        eprintln!("not tried: no mounts are allowed here");
        return;
    };
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let said = text(&output.stderr);
    assert_eq!(lines.first(), Some(&"74"), "{lines:?} {said}");
    assert_eq!(lines.last(), Some(&"0"), "{lines:?} {said}");
    assert!(said.contains("cannot write here"), "{said}");
    assert!(!lines.iter().any(|name| name.contains(".tmp")), "{lines:?}");
    assert!(!lines.contains(&"report.json"), "{lines:?}");
    same(&left(&shop.path("later")), &left(&shop.path("whole")));
}
