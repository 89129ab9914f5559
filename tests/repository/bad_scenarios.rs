//! Every mistake a scenario or its data can hold: one file each, headed by what its error must say.
//!
//! `tests/bad_scenarios/*.toml` start with lines `# error: FRAGMENT` (each must occur in the message; most name the
//! position as `file:line:column`) and possibly `# set: KEY=VALUE` (an override). Mistakes nobody has thought of are
//! tried in `tests/fuzz`, which starts from these.

use marginflow::error::Error;
use marginflow::problem::Problem;
use marginflow::scenario;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_scenarios")
}

fn directives(text: &str, name: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix(name).map(str::to_owned))
        .collect()
}

fn load_and_build(path: &Path, overrides: &[String]) -> Result<Problem, Error> {
    scenario::load(path, overrides)?.build()
}

#[test]
fn every_mistake_gets_its_message() {
    let mut failures = Vec::new();
    let mut count = 0;
    let entries = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for path in entries.filter(|path| path.extension().is_some_and(|e| e == "toml")) {
        count += 1;
        let text = fs::read_to_string(&path).unwrap();
        let fragments = directives(&text, "# error: ");
        assert!(!fragments.is_empty(), "{} expects nothing", path.display());
        let error = match load_and_build(&path, &directives(&text, "# set: ")) {
            Ok(_) => {
                failures.push(format!("{}: no error", path.display()));
                continue;
            }
            Err(error) => error,
        };
        let message = error.to_string();
        let file = path.file_name().unwrap().to_str().unwrap();
        let located = match &error {
            // File, line, column, and a caret under the place.
            Error::Scenario(_) => message.contains(file) && message.contains('^'),
            Error::Data { .. } => true,
            _ => false,
        };
        let missing: Vec<&String> = fragments.iter().filter(|f| !message.contains(*f)).collect();
        if !located || !missing.is_empty() || error.exit_code() != 65 {
            failures.push(format!("{file}: missing {missing:?} in\n{message}\n"));
        }
    }
    assert!(count >= 60, "{count} files");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_scenario_that_cannot_be_read_is_named() {
    for path in [folder().join("nowhere.toml"), folder()] {
        let error = load_and_build(&path, &[]).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        let message = error.to_string();
        assert!(message.contains("cannot read the scenario"), "{message}");
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
}

#[test]
fn a_bad_assignment_is_a_usage_error() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/fc-dfa.toml");
    let error = load_and_build(&path, &["flow.rtol".into()]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--set flow.rtol"), "{error}");
}
