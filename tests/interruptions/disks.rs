//! Places that cannot be written, or are full: exit code 74, a sentence that says where, nothing half written, and the
//! same command goes on once there is room.

use super::program::{Files, Workshop, same, text};
use super::shop;
use std::fs;
use std::io::{Write, stderr};
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

#[test]
fn a_folder_that_is_missing_is_made() {
    let shop = shop();
    shop.ends(0, "run linear.toml --out a/b/c --set flow.rtol=1e-6");
    assert!(shop.path("a/b/c/report.json").exists());
}

#[test]
fn places_that_cannot_be_written_are_named_before_the_run() {
    let shop = shop();
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
            "study run study.toml",
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
    let shop = shop();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(shop.root())
        .args(["claims"])
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(74));
}

/// Runs a command of the shell in which no file may grow beyond so many blocks of 512 bytes.
fn limited(shop: &Workshop, blocks: usize, arguments: &str) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .current_dir(shop.root())
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
    let shop = shop();
    shop.ends(0, "run linear.toml --out whole");
    let whole = shop.left("whole");
    let command = "run linear.toml --out full --checkpoint-every 0.001";
    // enough for checkpoints, too little for the figures: everything but the results survives
    let largest = whole.values().map(Vec::len).max().unwrap();
    let (code, said) = limited(&shop, largest / 512 - 8, command);
    assert_eq!(code, Some(74), "{said}");
    assert!(
        said.contains("full/") && said.contains("cannot write here"),
        "{said}"
    );
    let names: Vec<String> = (shop.left("full").keys())
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
    same(&shop.left("full"), &whole);
}

/// A shell in which `cramped` runs a command on a disk that is too small for it, and `enlarge` makes room.
struct Disk {
    /// What starts the shell.
    shell: &'static [&'static str],
    /// Makes the folder `disk`, and defines the two words.
    setup: String,
}

/// What the shell says where it may not mount.
const NO_MOUNTS: i32 = 99;

impl Disk {
    /// A mount of its own, two hundred kilobytes.
    fn mounted() -> Self {
        Self {
            shell: &["unshare", "--mount", "sh", "-c"],
            setup: format!(
                "mount -t tmpfs -o size=200k none disk || exit {NO_MOUNTS}
                cramped() {{ \"$@\"; }}
                enlarge() {{ mount -o remount,size=64m disk; }}"
            ),
        }
    }

    /// No file may be larger than so many blocks of 512 bytes.
    fn limited(blocks: usize) -> Self {
        Self {
            shell: &["sh", "-c"],
            setup: format!(
                "cramped() {{ (ulimit -f {blocks}; exec \"$@\"); }}
                enlarge() {{ :; }}"
            ),
        }
    }

    /// Runs out of room in the midst of a command and gives it once more, with room. `false` if there can be no such
    /// disk here.
    fn fills_up(&self, shop: &Workshop, whole: &Files) -> bool {
        fs::create_dir(shop.path("disk")).unwrap();
        let run = "\"$0\" run kinks.toml --out disk/out --quiet";
        let script = format!(
            "{}
            cramped {run} --checkpoint-every 0.01; echo $?
            ls -A disk/out
            enlarge
            {run}; echo $?
            cp -r disk/out later",
            self.setup
        );
        let output = Command::new(self.shell[0])
            .current_dir(shop.root())
            .args(&self.shell[1..])
            .args([&script, env!("CARGO_BIN_EXE_marginflow")])
            .output();
        // unshare itself ends with 1 if it may not
        let refused = |output: &Output| matches!(output.status.code(), Some(1 | NO_MOUNTS));
        let Some(output) = output.ok().filter(|output| !refused(output)) else {
            return false;
        };
        let lines: Vec<&str> = text(&output.stdout).lines().collect();
        let said = text(&output.stderr);
        assert_eq!(lines.first(), Some(&"74"), "{lines:?} {said}");
        assert_eq!(lines.last(), Some(&"0"), "{lines:?} {said}");
        assert!(said.contains("cannot write here"), "{said}");
        assert!(!lines.iter().any(|name| name.contains(".tmp")), "{lines:?}");
        assert!(!lines.contains(&"report.json"), "{lines:?}");
        same(&shop.left("later"), whole);
        true
    }
}

/// Where mounts are allowed the disk is really full; a limit on the size of files can be had everywhere.
#[test]
fn a_full_disk_is_an_error_and_the_same_command_goes_on_once_there_is_room() {
    let shop = shop();
    shop.ends(0, "run kinks.toml --out whole");
    let whole = shop.left("whole");
    let largest = whole.values().map(Vec::len).max().unwrap();
    assert!(Disk::limited(largest / 1024).fills_up(&shop, &whole));
    for folder in ["disk", "later"] {
        fs::remove_dir_all(shop.path(folder)).unwrap();
    }
    if !Disk::mounted().fills_up(&shop, &whole) {
        // around the capture of tests, which would swallow it
        let note = "skipped: a disk that is really full (no mounts are allowed here); files of limited size were tried";
        writeln!(stderr(), "interruptions::disks: {note}").unwrap();
    }
}
