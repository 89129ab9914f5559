//! docs/report.md: every command names what exists, and every verdict is what its scenario asserts.

use marginflow::claims::{self, Outcome};
use marginflow::scenario::{self, Scenario};
use std::fs;
use std::path::{Path, PathBuf};

const VERDICTS: [&str; 7] = [
    "right",
    "right, with a remark",
    "misprint",
    "false",
    "incomplete",
    "answered",
    "beyond",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of all tables: item, printed, true, shown by, verdict.
fn rows() -> Vec<[String; 5]> {
    let page = fs::read_to_string(root().join("docs/report.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| {
        let bare = line.replace("\\|", "∣");
        let cells: Vec<String> = (bare.trim_matches('|').split('|'))
            .map(|cell| cell.trim().to_owned())
            .collect();
        <[String; 5]>::try_from(cells).unwrap_or_else(|cells| panic!("five cells: {cells:?}"))
    });
    cells.filter(|row| row[0] != "item").collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn path_of(scenario: &str) -> PathBuf {
    let path = root().join(scenario);
    assert!(path.is_file(), "{scenario}");
    path
}

fn loaded(scenario: &str) -> Scenario {
    scenario::load(&path_of(scenario), &[]).unwrap()
}

/// Whether it is a command; panics if it names something that does not exist.
fn is_command(words: &str) -> bool {
    let words: Vec<&str> = words.split(' ').collect();
    match words[..] {
        ["run", scenario] | ["limit", scenario] | ["compare", scenario, "--critical"] => {
            path_of(scenario);
        }
        ["limit", scenario, "--beside", other] => {
            path_of(scenario);
            path_of(other);
        }
        ["explain", claim] => assert!(claims::find(claim).is_some(), "{claim}"),
        ["reproduce", "--only", name] => {
            let is_scenario = root().join(format!("scenarios/{name}.toml")).is_file();
            assert!(is_scenario || claims::find(name).is_some(), "{name}");
        }
        ["cargo", "run", "--release", "--example", name] => {
            assert!(
                root().join(format!("examples/{name}.rs")).is_file(),
                "{name}"
            );
        }
        _ => return false,
    }
    true
}

/// "`ID` holds", "is violated", "is not applicable": the claims of a parenthesis.
fn asserted(remark: &str) -> Vec<(&'static str, Outcome)> {
    let parts: Vec<&str> = remark.split('`').collect();
    let pairs = parts
        .iter()
        .skip(1)
        .step_by(2)
        .zip(parts.iter().skip(2).step_by(2));
    let outcome = |(id, after): (&&str, &&str)| {
        let id = claims::find(id).unwrap_or_else(|| panic!("{id}")).id;
        let words = [
            (" holds", Outcome::Holds),
            (" is violated", Outcome::Violated),
            (" is not applicable", Outcome::NotApplicable),
        ];
        let found = words.iter().find(|(words, _)| after.starts_with(words));
        (id, found.unwrap_or_else(|| panic!("{id}{after}")).1)
    };
    pairs.map(outcome).collect()
}

#[test]
fn every_command_names_what_exists_and_every_verdict_is_asserted() {
    let (mut commands, mut verdicts) = (0, 0);
    for [item, _, _, shown, verdict] in rows() {
        assert!(VERDICTS.contains(&verdict.as_str()), "{item}: {verdict}");
        let mut seen = 0;
        // commands, and in parentheses what they are expected to say
        for part in shown.split(')') {
            let (before, remark) = part.split_once('(').unwrap_or((part, ""));
            let named = quoted(before);
            assert!(
                named.iter().all(|words| is_command(words)),
                "{item}: {named:?}"
            );
            seen += named.len();
            for (claim, outcome) in asserted(remark) {
                for words in &named {
                    let sweep = words.strip_prefix("reproduce --only ");
                    let scenario = match sweep {
                        Some(name) => loaded(&format!("scenarios/{name}.toml")),
                        None => loaded(words.strip_prefix("run ").expect("a run")),
                    };
                    assert_eq!(
                        scenario.expect.get(claim),
                        Some(&outcome),
                        "{item}: {words} {claim}"
                    );
                    verdicts += 1;
                }
            }
        }
        assert!(seen > 0, "{item}: nothing shows it");
        commands += seen;
    }
    assert!(commands > 80 && verdicts > 60, "{commands} {verdicts}");
}

/// Items are in the order of the report, each once.
#[test]
fn items_are_in_order() {
    let of_sections: Vec<(usize, usize)> = (rows().iter())
        .filter_map(|row| {
            let number = row[0].split(' ').next()?;
            let (section, item) = number.split_once('.')?;
            Some((section.parse().ok()?, item.parse().ok()?))
        })
        .collect();
    assert!(of_sections.len() > 40);
    assert!(
        of_sections.windows(2).all(|pair| pair[0] < pair[1]),
        "{of_sections:?}"
    );
    let of_appendices: Vec<usize> = (rows().iter())
        .filter_map(|row| row[0].strip_prefix("A.")?.split(' ').next()?.parse().ok())
        .collect();
    assert!(
        of_appendices.windows(2).all(|pair| pair[0] <= pair[1]),
        "{of_appendices:?}"
    );
    assert!((1..=10).all(|k| of_appendices.contains(&k)));
}
