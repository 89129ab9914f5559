//! Pages tell the truth: generated ones are those of the code, links lead somewhere, commands name scenarios that
//! exist.

use marginflow::report::files_markdown;
use marginflow::scenario::schema_markdown;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![
        root().join("README.md"),
        root().join("CHANGELOG.md"),
        root().join("CONTRIBUTING.md"),
        root().join("plots/README.md"),
        root().join("python/README.md"),
    ];
    let docs = fs::read_dir(root().join("docs")).unwrap();
    pages.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    pages
}

#[test]
fn the_page_of_scenarios_is_up_to_date() {
    let page = fs::read_to_string(root().join("docs/scenarios.md")).unwrap_or_default();
    assert!(
        page == schema_markdown(),
        "docs/scenarios.md differs from the code; write it anew: cargo run -- schema --markdown > docs/scenarios.md"
    );
}

#[test]
fn the_page_of_files_is_up_to_date() {
    let page = fs::read_to_string(root().join("docs/files.md")).unwrap_or_default();
    assert!(
        page == files_markdown(),
        "docs/files.md differs from the code; write it anew: cargo run -- schema --files > docs/files.md"
    );
}

/// Every key that a scenario uses is on the page.
#[test]
fn every_key_in_use_is_described() {
    fn keys(table: &toml::Table, found: &mut Vec<String>) {
        for (key, value) in table {
            found.push(key.clone());
            if let toml::Value::Table(below) = value {
                keys(below, found);
            }
        }
    }
    let page = schema_markdown();
    let mut scenarios = 0;
    for entry in fs::read_dir(root().join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let mut table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        table.remove("expect");
        scenarios += 1;
        let mut found = Vec::new();
        // what a study varies, and the names of its figures, are not keys of their own
        if let Some(toml::Value::Table(study)) = table.remove("study") {
            found.extend(study.keys().cloned());
            for figure in study
                .get("figures")
                .and_then(|f| f.as_table())
                .into_iter()
                .flatten()
            {
                keys(figure.1.as_table().unwrap(), &mut found);
            }
        }
        keys(&table, &mut found);
        for key in found {
            assert!(
                page.contains(&format!("`{key}`")),
                "{}: {key}",
                path.display()
            );
        }
    }
    assert!(scenarios >= 25, "{scenarios}");
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let link = rest.split(')').next().unwrap();
            let file = link.split('#').next().unwrap();
            if link.contains("://") || file.is_empty() || file.contains(' ') {
                continue;
            }
            links += 1;
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", page.display());
        }
    }
    assert!(links > 50);
}

/// Headings that a page links to in itself.
#[test]
fn links_within_pages_have_headings() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let anchors: Vec<String> = (text.lines())
            .filter(|line| line.starts_with('#'))
            .map(|line| {
                let words = line.trim_start_matches('#').trim().to_lowercase();
                let kept = words
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.collect::<String>().replace(' ', "-")
            })
            .collect();
        for rest in text.split("](#").skip(1) {
            let anchor = rest.split(')').next().unwrap().to_owned();
            assert!(anchors.contains(&anchor), "{}: #{anchor}", page.display());
            links += 1;
        }
    }
    assert!(links > 0, "nothing was looked at");
}

#[test]
fn commands_name_scenarios_that_exist() {
    let mut commands = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("scenarios/").skip(1) {
            let Some((name, _)) = rest.split_once(".toml") else {
                continue;
            };
            if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                commands += 1;
                let path = root().join(format!("scenarios/{name}.toml"));
                assert!(path.is_file(), "{}: {name}", page.display());
            }
        }
    }
    assert!(commands > 30);
}
