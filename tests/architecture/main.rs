//! The architecture that docs/architecture.md describes, held by reading the source: which module may use which, and
//! what the code is measured by.

mod source;

use source::{Source, rust_files, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

/// Top-level modules from bottom to top. A module uses those of its own layer and of the layers below, and no two
/// modules use each other, directly or through others.
const LAYERS: [&[&str]; 14] = [
    &["error", "storage"],
    &[
        "loss",
        "activation",
        "spectrum",
        "singular",
        "trajectory",
        "control",
        "products",
    ],
    &["dataset"],
    &["network"],
    &["rule", "memory"],
    &["problem"],
    &["limit", "theory"],
    &["flow", "diagnostics"],
    &["descent", "accuracy"],
    &["claims", "figures", "reference"],
    &["certify", "generalisation", "scenario"],
    &["run", "report"],
    &["study", "sweep", "stability", "reproduce"],
    &["cli"],
];

/// Where it may be asked which network or rule there is.
const KNOW_KINDS: [&str; 5] = ["network", "rule", "theory", "scenario", "problem"];

const MOST_LINES: usize = 80;
const MOST_PARAMETERS: usize = 6;
const WIDEST: usize = 120;

static SOURCES: LazyLock<Vec<Source>> =
    LazyLock::new(|| sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));

/// Which top-level module uses which others, and a file of it that does.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

static EDGES: LazyLock<Edges> = LazyLock::new(|| {
    let modules: BTreeSet<String> = SOURCES.iter().filter_map(Source::module).collect();
    let mut edges: Edges = modules
        .iter()
        .map(|m| (m.clone(), BTreeMap::new()))
        .collect();
    for source in SOURCES.iter() {
        let Some(module) = source.module() else {
            continue;
        };
        for name in source.names() {
            if name != module && modules.contains(&name) {
                let used = edges.get_mut(&module).expect("every module is there");
                used.entry(name)
                    .or_insert(source.path.display().to_string());
            }
        }
    }
    edges
});

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// All modules that a module depends on, directly or through others.
fn below(module: &str) -> BTreeSet<&str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = vec![module];
    while let Some(module) = next.pop() {
        for used in EDGES[module].keys() {
            if reached.insert(used.as_str()) {
                next.push(used);
            }
        }
    }
    reached
}

/// The modules that depend on themselves.
fn in_cycles() -> Vec<&'static str> {
    let modules = EDGES.keys().map(String::as_str);
    modules
        .filter(|module| below(module).contains(module))
        .collect()
}

/// Uses of a layer above, one sentence each.
fn upwards() -> Vec<String> {
    let mut found = Vec::new();
    for (module, used) in EDGES.iter() {
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer in LAYERS"));
        for (name, file) in used {
            if layer(name).is_some_and(|other| other > own) {
                found.push(format!("{module} uses {name}, which is above it ({file})"));
            }
        }
    }
    found
}

/// The picture of docs/architecture.md: what each module uses directly.
fn picture() -> String {
    let lines = EDGES.iter().map(|(module, used)| {
        let used: Vec<&str> = used.keys().map(String::as_str).collect();
        format!("{module}: {}", used.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(
        found.is_empty(),
        "{} {what}:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// The ground that everything stands on.
#[test]
fn the_ground_depends_on_nothing_above_it() {
    let cycles = in_cycles();
    for (module, allowed) in [
        ("error", &[][..]),
        ("storage", &["error"]),
        ("loss", &[]),
        ("control", &["error"]),
        ("dataset", &["error", "storage", "loss"]),
    ] {
        assert!(!cycles.contains(&module), "{module} is in a cycle");
        for (used, file) in &EDGES[module] {
            assert!(
                allowed.contains(&used.as_str()),
                "{module} uses {used} ({file})"
            );
        }
    }
}

#[test]
fn no_module_depends_on_itself() {
    let cycles = in_cycles();
    println!("{}\n\nin cycles: {}", picture(), cycles.join(" "));
    assert!(
        cycles.is_empty(),
        "{} modules depend on themselves: {}",
        cycles.len(),
        cycles.join(" ")
    );
}

#[test]
fn every_module_uses_only_its_layer_and_those_below() {
    none("uses of layers above", &upwards());
}

#[test]
fn functions_are_short_and_take_few_parameters() {
    let (mut long, mut many) = (Vec::new(), Vec::new());
    for source in SOURCES.iter() {
        let file = source.path.display();
        for f in source.functions() {
            if f.lines > MOST_LINES {
                long.push(format!(
                    "{file}:{}: {} has {} lines",
                    f.line, f.name, f.lines
                ));
            }
            if f.parameters > MOST_PARAMETERS {
                many.push(format!(
                    "{file}:{}: {} takes {}",
                    f.line, f.name, f.parameters
                ));
            }
        }
    }
    println!(
        "{} functions are over {MOST_LINES} lines, {} take over {MOST_PARAMETERS} parameters",
        long.len(),
        many.len()
    );
    long.append(&mut many);
    none("functions are too long or take too many parameters", &long);
}

#[test]
fn lines_are_no_wider_than_a_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wide = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        for path in rust_files(&root.join(folder)) {
            let text = std::fs::read_to_string(&path).expect("source is text");
            let file = path
                .strip_prefix(root)
                .expect("below the root")
                .display()
                .to_string();
            let mut fenced = false;
            for (at, line) in text.lines().enumerate() {
                let comment = line.trim_start().trim_start_matches(['/', '!']).trim();
                fenced ^= comment.starts_with("```");
                // a table or a display in a comment cannot be broken
                let display = fenced || comment.starts_with('|');
                let width = line.chars().count();
                if width > WIDEST && !display {
                    wide.push(format!("{file}:{}: {width}", at + 1));
                }
            }
        }
    }
    none("lines are too wide", &wide);
}

/// Whoever asks which network or rule there is knows what theory says of it, and has to be found again for the next
/// one. (What a network *offers*, its units or its spectrum, may be asked for by whoever needs it: a network without is
/// answered for by `None`.)
#[test]
fn nobody_else_asks_which_network_or_rule_there_is() {
    let mut asked = Vec::new();
    for source in SOURCES.iter() {
        if source
            .module()
            .is_some_and(|module| KNOW_KINDS.contains(&module.as_str()))
        {
            continue;
        }
        for (at, line) in source.code.lines().enumerate() {
            let variants = ["Network::", "Rule::"].iter().flat_map(|name| {
                let places = line.match_indices(name);
                places.map(|(place, _)| &line[place + name.len()..])
            });
            // functions of the type are in lower case, variants are not
            let variants =
                variants.filter(|rest| rest.starts_with(|c: char| c.is_uppercase() || c == '{'));
            let questions = ["Known::", ".known()", ".rule().signals()", ".evolves()"].iter();
            let questions = questions.map(|question| line.matches(question).count());
            for _ in 0..variants.count() + questions.sum::<usize>() {
                asked.push(format!(
                    "{}:{}: {}",
                    source.path.display(),
                    at + 1,
                    line.trim()
                ));
            }
        }
    }
    none("questions which network or rule there is", &asked);
}
