//! The same bytes whatever the number of threads: `run` with finite steps, `compare --critical`, `reproduce`. (Sweeps: tests/sweep.)

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const SCENARIO: &str = r#"# Ten step sizes in lanes beside the flow.
initial = "zero"
[dataset.gaussian-teacher]
dimension = 8
samples = 5
seed = 5
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
saves = 9
[steps]
sizes = [1e-2, 5e-3, 4e-3, 3e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5]
count = 3000
[expect]
prop-1 = "holds"
"#;

/// Without what tells the time it took.
fn timeless(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = String::from_utf8(bytes.clone()) else {
        return bytes;
    };
    let kept = text.lines().filter(|line| !line.contains("wall_seconds"));
    kept.flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes()
}

fn left(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(left(&path));
        } else if path.extension().is_none_or(|e| e != "html") && !path.ends_with("done.json") {
            let bytes = timeless(fs::read(&path).unwrap());
            found.insert(path, bytes);
        }
    }
    found
}

/// What a command leaves with so many threads; `{jobs}` in it stands for them.
fn made(command: &str, threads: usize) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("s")).unwrap();
    fs::write(folder.path().join("s/lanes.toml"), SCENARIO).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(folder.path())
        .env("RAYON_NUM_THREADS", threads.to_string())
        .args(
            command
                .replace("{jobs}", &threads.to_string())
                .split_whitespace(),
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let out = folder.path().join("o");
    let files = left(&out).into_iter();
    files
        .map(|(path, bytes)| (path.strip_prefix(&out).unwrap().to_owned(), bytes))
        .collect()
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    for command in [
        "run s/lanes.toml --out o --quiet",
        "compare s/lanes.toml --critical --out o --quiet --set steps.count=2000",
        "reproduce --scenarios s --out o --jobs {jobs} --quiet",
    ] {
        let one = made(command, 1);
        assert!(one.len() >= 5, "{:?}", one.keys());
        for threads in [2, 7] {
            let several = made(command, threads);
            assert!(one.keys().eq(several.keys()));
            for (name, bytes) in &one {
                assert!(bytes == &several[name], "{command}: {}", name.display());
            }
        }
    }
}
