//! Certificates with one thing changed: whatever the checkers accept must be true, and both must say the same.

use super::bases;
use super::truth::is_true;
use marginflow::certify::{Certificate, Dyadic, check, read};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Mutations that are tried.
const MUTATIONS: usize = 10_000;

/// How many of them the second checker is asked about.
const ASKED: usize = 500;

/// A sequence of numbers that looks random and is the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Where numbers, words, lists and tables are in a document.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, part)| places(part, &format!("{at}/{i}"), into)),
        Value::Object(table) => table
            .iter()
            .for_each(|(key, part)| places(part, &format!("{at}/{key}"), into)),
        _ => {}
    }
}

fn is_number(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.parse::<Dyadic>().is_ok())
}

/// One number changed a little, or much.
fn changed_number(text: &str, dice: &mut Dice) -> String {
    let (mantissa, power) = text.split_once('p').expect("a number");
    let number = text.parse::<Dyadic>().expect("a number").to_f64();
    let written = |x: f64| Dyadic::from_f64(x).map_or_else(|| text.to_owned(), |x| x.to_string());
    match dice.below(10) {
        0 => text
            .strip_prefix('-')
            .map_or_else(|| format!("-{text}"), str::to_owned),
        1 => format!("{mantissa}p{:+}", power.parse::<i32>().unwrap() + 1),
        2 => format!(
            "{mantissa}p{:+}",
            power.parse::<i32>().unwrap() - 1 - dice.below(30) as i32
        ),
        3 => written(number.next_up()),
        4 => written(number.next_down()),
        5 => written(number * (1.0 + 1e-6)),
        6 => written(number * (1.0 - 1e-3)),
        7 => "0x0p+0".into(),
        8 => format!("{mantissa}{}p{power}", dice.below(10)),
        _ => format!("0x{:x}p-{}", dice.below(1 << 30), dice.below(60)),
    }
}

/// A document with one thing changed.
pub fn mutated(text: &str, others: &[String], dice: &mut Dice) -> String {
    let mut document: Value = serde_json::from_str(text).expect("JSON");
    let mut all = Vec::new();
    places(&document, "", &mut all);
    let at = all[dice.below(all.len())].clone();
    let source = all[dice.below(all.len())].clone();
    let other: Value = document.pointer(&source).cloned().unwrap_or_default();
    match dice.below(12) {
        0 => {
            let cut: usize = dice.below(text.len());
            return text.get(..cut).unwrap_or(text).to_owned();
        }
        1 => {
            let mut bytes = text.as_bytes().to_vec();
            let place = dice.below(bytes.len());
            bytes[place] = b"0123456789abcdefp+-x\",[]{}:k n"[dice.below(30)];
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        2 => {
            let donor: Value =
                serde_json::from_str(&others[dice.below(others.len())]).expect("JSON");
            let donated = donor.pointer(&at).cloned().unwrap_or(other);
            *document.pointer_mut(&at).expect("a place") = donated;
        }
        3 => *document.pointer_mut(&at).expect("a place") = other,
        _ => {}
    }
    let numbers: Vec<&String> = all
        .iter()
        .filter(|at| document.pointer(at).is_some_and(is_number))
        .collect();
    let place = match dice.below(3) {
        0 => &at,
        // most of what can be wrong is in numbers
        _ if !numbers.is_empty() => numbers[dice.below(numbers.len())],
        _ => &at,
    };
    let Some(value) = document.pointer_mut(place) else {
        return document.to_string();
    };
    let number = is_number(value);
    match value {
        Value::String(text) if number => *text = changed_number(text, dice),
        Value::String(text) => {
            let cut = text
                .char_indices()
                .nth(dice.below(text.chars().count().max(1)))
                .map_or(0, |(at, _)| at);
            text.insert(cut, ['1', '0', 'k', 'x'][dice.below(4)]);
            if dice.below(2) == 0 {
                text.pop();
            }
        }
        Value::Number(number) => {
            *value = (number.as_i64().unwrap_or(0) + [-2, -1, 1, 2][dice.below(4)]).into()
        }
        Value::Null => {
            *value = ["0x0p+0".into(), Value::from(0), "0x1p-1".into()][dice.below(3)].clone()
        }
        Value::Bool(_) => *value = Value::Null,
        Value::Array(list) if !list.is_empty() => {
            let (i, j) = (dice.below(list.len()), dice.below(list.len()));
            match dice.below(4) {
                0 => list.swap(i, j),
                1 => drop(list.remove(i)),
                2 => list.push(list[i].clone()),
                _ => list.truncate(i),
            }
        }
        Value::Array(list) => list.push("0x1p+0".into()),
        Value::Object(table) => {
            let keys: Vec<String> = table.keys().cloned().collect();
            let key = &keys[dice.below(keys.len())];
            match dice.below(3) {
                0 => drop(table.remove(key)),
                // serde takes an array of the fields for the object, the format does not
                1 => *value = Value::Array(table.values().cloned().collect()),
                _ => drop(table.insert(format!("{key}s"), Value::Null)),
            }
        }
    }
    document.to_string()
}

/// As the exit code of `check`.
pub fn code(text: &str) -> (u8, Option<Certificate>) {
    let certificate = match read(text.as_bytes()) {
        Ok(certificate) => certificate,
        Err(marginflow::certify::Unreadable::NotACertificate(_)) => return (65, None),
        Err(marginflow::certify::Unreadable::Damaged(_)) => return (1, None),
    };
    let proved = check(&certificate).is_ok_and(|verdicts| verdicts.iter().all(Result::is_ok));
    (u8::from(!proved), Some(certificate))
}

/// What the second checker says of files `0.json`, `1.json`, …; `None` without Python.
pub fn said_by_python(texts: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/check_networks.py");
    let names = (0..texts.len()).map(|i| format!("{i}.json"));
    for (name, text) in names.clone().zip(texts) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(names)
        .current_dir(&folder)
        .output()
        .ok()?;
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The exit codes that the second checker would give, file by file; `None` without Python.
pub fn codes_of_python(texts: &[&str]) -> Option<Vec<u8>> {
    let said = said_by_python(texts)?;
    let mut codes = vec![0; texts.len()];
    let mut seen = vec![false; texts.len()];
    for line in said.lines() {
        let (name, verdict) = line.split_once(".json: ").unwrap();
        let file: usize = name.parse().unwrap();
        seen[file] = true;
        if verdict.starts_with("NOT PROVED") {
            codes[file] = 1;
        } else if verdict.starts_with("not a certificate") {
            codes[file] = 65;
        }
    }
    assert!(seen.iter().all(|seen| *seen), "{said}");
    Some(codes)
}

#[test]
fn both_checkers_accept_what_is_made() {
    let all = bases::all();
    let texts: Vec<String> = all
        .iter()
        .map(|(_, certificate)| certificate.json())
        .collect();
    for ((name, certificate), text) in all.iter().zip(&texts) {
        let kinds: Vec<&str> = certificate
            .statements
            .iter()
            .map(|s| s.proof.name())
            .collect();
        println!("{name}: {kinds:?}, {} bytes", text.len());
        assert_eq!(code(text).0, 0, "{name}");
        is_true(certificate).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let kinds: std::collections::BTreeSet<&str> = all
        .iter()
        .flat_map(|(_, c)| c.statements.iter().map(|s| s.proof.name()))
        .collect();
    assert_eq!(kinds.len(), 10, "every kind is among them: {kinds:?}");
    let stored = ["conv-bp-2", "conv-dfa-2", "relu-dfa"].map(|name| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/samples");
        fs::read_to_string(format!("{folder}/{name}.json")).unwrap()
    });
    let both: Vec<&str> = texts.iter().chain(&stored).map(String::as_str).collect();
    let Some(codes) = codes_of_python(&both) else {
        println!("no python3 here");
        return;
    };
    assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
}

#[test]
fn no_mutation_that_is_accepted_is_false() {
    let texts: Vec<String> = bases::all()
        .iter()
        .map(|(_, certificate)| certificate.json())
        .collect();
    let mut dice = Dice(26);
    let (mut accepted, mut asked) = (0, Vec::new());
    for i in 0..MUTATIONS {
        let text = mutated(&texts[i % texts.len()], &texts, &mut dice);
        let (code, certificate) = code(&text);
        if let (0, Some(certificate)) = (code, &certificate) {
            accepted += 1;
            is_true(certificate)
                .unwrap_or_else(|why| panic!("mutation {i} is accepted, but {why}:\n{text}"));
        }
        if i % (MUTATIONS / ASKED) == 0 {
            asked.push((text, code));
        }
    }
    println!("{accepted} of {MUTATIONS} mutations are accepted, and true");
    assert!(
        accepted > MUTATIONS / 100 && accepted < MUTATIONS / 2,
        "{accepted}"
    );
    let texts: Vec<&str> = asked.iter().map(|(text, _)| text.as_str()).collect();
    let Some(codes) = codes_of_python(&texts) else {
        println!("no python3 here");
        return;
    };
    for ((text, code), python) in asked.iter().zip(codes) {
        assert_eq!(
            *code, python,
            "the two checkers (the second is Python's) disagree on\n{text}"
        );
    }
    println!("both checkers agree on {}", asked.len());
}

/// Short enough to be read, and nothing but Python's standard library.
#[test]
fn the_second_checker_stays_small() {
    let read = |name: &str| {
        fs::read_to_string(format!("{}/docs/{name}.py", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let scripts = ["check_certificate", "check_classes", "check_networks"].map(read);
    for script in &scripts {
        assert!(script.lines().count() <= 300, "at most 300 lines");
    }
    let known = [
        "hashlib",
        "json",
        "math",
        "re",
        "sys",
        "fractions",
        "functools",
        "check_certificate",
        "check_classes",
    ];
    for line in scripts.iter().flat_map(|script| script.lines()) {
        let modules = match line.split_once(' ') {
            Some(("import", names)) => names.split(", ").collect(),
            Some(("from", rest)) => rest.split(' ').take(1).collect(),
            _ => Vec::new(),
        };
        assert!(modules.iter().all(|name| known.contains(name)), "{line}");
    }
}
