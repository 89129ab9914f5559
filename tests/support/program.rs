//! The program, run from outside: a folder to run it in, and readers of what it leaves there.

#![allow(dead_code, reason = "no binary of tests needs all of it")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The root of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Longest a command may take that is to end by itself; on a machine of its own none takes more than a few seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// Longest a command may take that was told to end, or that is to leave its first file.
const SOON: Duration = Duration::from_secs(60);

/// What a folder holds: bytes by path from there.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A temporary folder to run the program in.
pub struct Workshop(TempDir);

impl Workshop {
    /// With these files in it: names and texts.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            shop.file(name, text);
        }
        shop
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and makes the folder for it.
    pub fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub fn read(&self, folder: &str, name: &str) -> Vec<u8> {
        let path = self.path(folder).join(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The `report.json` of a folder.
    #[track_caller]
    pub fn report(&self, folder: &str) -> Value {
        json(&self.read(folder, "report.json"))
    }

    /// What a command left in a folder: [`timeless`].
    pub fn left(&self, folder: &str) -> Files {
        timeless(files(&self.path(folder)))
    }

    /// marginflow in this folder, with arguments separated by blanks.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_marginflow"));
        command
            .current_dir(self.0.path())
            .args(arguments.split_whitespace());
        command
    }

    /// Runs marginflow here, and checks how it ended.
    #[track_caller]
    pub fn ends(&self, code: i32, arguments: &str) -> Output {
        ends(code, self.command(arguments))
    }

    /// Starts marginflow here and lets it run; standard error is kept.
    pub fn starts(&self, arguments: &str) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts marginflow here, and waits until it has left a file.
    #[track_caller]
    pub fn starts_until(&self, arguments: &str, file: &str) -> Child {
        let mut child = self.starts(arguments);
        let begin = Instant::now();
        while !self.path(file).exists() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended without {file}");
            assert!(begin.elapsed() < SOON, "no {file}");
            sleep(Duration::from_millis(1));
        }
        child
    }
}

/// Runs a command, and checks how it ended.
#[track_caller]
pub fn ends(code: i32, command: Command) -> Output {
    let what = format!("{command:?}");
    let mut command = assert_cmd::Command::from_std(command);
    let output = command.timeout(PATIENCE).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{what}: {output:?}");
    output
}

/// Waits for an end, and kills what takes longer: how it ended (`None` if it was killed for that), and standard error.
pub fn ended_within(mut child: Child, limit: Duration) -> (Option<ExitStatus>, String) {
    let mut pipe = child.stderr.take().expect("standard error is kept");
    // emptied while we wait: a program that has much to say would wait for us otherwise
    let reader = spawn(move || {
        let mut said = Vec::new();
        pipe.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begin.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        sleep(Duration::from_millis(2));
    };
    (status, reader.join().unwrap())
}

/// Waits for an end that must come soon: exit code and standard error.
#[track_caller]
pub fn ended(child: Child) -> (Option<i32>, String) {
    let (status, said) = ended_within(child, SOON);
    (status.expect("it does not end").code(), said)
}

/// Sends a signal by its name: `INT`, `TERM`.
pub fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[track_caller]
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
pub fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Every file below a folder, by its path from there, in order.
pub fn names(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every file below a folder with what it holds.
pub fn files(folder: &Path) -> Files {
    let read = |name: PathBuf| (folder.join(&name), name);
    (names(folder).into_iter().map(read))
        .map(|(path, name)| (name, fs::read(path).unwrap()))
        .collect()
}

/// Without what tells how long it took: lines of JSON with `wall_seconds`; pages, and `done.json`, which has their
/// checksums, stay as names only.
pub fn timeless(mut files: Files) -> Files {
    for (name, bytes) in &mut files {
        let extension = name.extension().unwrap_or_default();
        if extension == "html" || name.ends_with("done.json") {
            bytes.clear();
        } else if extension == "json" {
            let lines = text(bytes).split_inclusive('\n');
            let kept: String = lines
                .filter(|line| !line.contains("wall_seconds"))
                .collect();
            *bytes = kept.into_bytes();
        }
    }
    files
}

/// That two folders hold the same, byte for byte.
#[track_caller]
pub fn same(left: &Files, right: &Files) {
    assert!(
        left.keys().eq(right.keys()),
        "{:?} {:?}",
        left.keys(),
        right.keys()
    );
    for (name, bytes) in left {
        assert!(bytes == &right[name], "{} differs", name.display());
    }
}
