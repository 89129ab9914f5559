//! The program, run from outside.

use assert_cmd::Command;
use std::path::Path;
use std::process::Output;

/// Runs marginflow in a folder, with arguments separated by blanks, and checks how it ended.
#[track_caller]
pub fn ends(folder: &Path, code: i32, arguments: &str) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {output:?}"
    );
    output
}
