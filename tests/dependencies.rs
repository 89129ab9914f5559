//! What the crate depends on is what deny.toml, Cargo.toml and README.md say: licences, sources, pins, toolchain.
//!
//! Licences and toolchains are those of the packages built on this platform, which are there offline;
//! `cargo deny check licenses bans sources` looks at all platforms.

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Dependencies before 1.0 whose next version may integrate, minimise, write or draw differently.
const PINNED: [&str; 5] = ["clarabel", "diffsol", "diffsol-la", "npyz", "plotters"];

/// A package as `cargo metadata` describes it.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// An SPDX expression.
    license: Option<String>,
    /// None of packages in this folder.
    source: Option<String>,
    rust_version: Option<String>,
}

static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let about = cargo(&["-vV"]);
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("cargo -vV names its platform");
    let metadata = cargo(&[
        "metadata",
        "--locked",
        "--offline",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]);
    let metadata: Metadata = serde_json::from_str(&metadata).expect("metadata of format 1");
    metadata.packages
});

fn cargo(arguments: &[&str]) -> String {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn table(name: &str) -> toml::Table {
    read(name).parse().unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// `[licenses] allow` of deny.toml.
fn allowed() -> Vec<String> {
    let deny = table("deny.toml");
    let licences = deny["licenses"]["allow"].as_array().expect("a list");
    let names = licences.iter().map(|l| l.as_str().expect("a licence"));
    names.map(String::from).collect()
}

/// Fails with one line for each complaint, and what to do about them.
#[track_caller]
fn none(complaints: &[String], remedy: &str) {
    assert!(complaints.is_empty(), "{}\n{remedy}", complaints.join("\n"));
}

/// Versions of every package in a lock file.
fn locked(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    let lock = table(name);
    for package in lock["package"].as_array().expect("a list of packages") {
        let text = |key: &str| package[key].as_str().expect("a text").to_owned();
        found
            .entry(text("name"))
            .or_default()
            .insert(text("version"));
    }
    found
}

/// Another version may integrate, minimise or write differently: then a problem would not have the same bits in Python.
#[test]
fn the_python_package_is_built_from_the_same_versions() {
    let (program, python) = (locked("Cargo.lock"), locked("python/Cargo.lock"));
    let complaints: Vec<String> = (python.iter())
        .filter_map(|(name, versions)| Some((name, versions, program.get(name)?)))
        .filter(|(_, versions, known)| !versions.is_subset(known))
        .map(|(name, versions, known)| format!("{name}: {versions:?}, the program has {known:?}"))
        .collect();
    none(
        &complaints,
        "copy Cargo.lock over python/Cargo.lock, and run cargo metadata in python/ to add what the package needs",
    );
    assert!(python.contains_key("pyo3") && python.contains_key("diffsol"));
}

#[test]
fn every_licence_is_allowed() {
    let allowed = allowed();
    let complaint = |p: &Package| {
        let verdict = match &p.license {
            None => Err("states no licence".into()),
            Some(licence) => satisfied(licence, &allowed),
        };
        match verdict {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "{} {} is under {}, which deny.toml does not allow",
                p.name,
                p.version,
                p.license.as_deref().unwrap_or_default()
            )),
            Err(why) => Some(format!("{} {}: {why}", p.name, p.version)),
        }
    };
    let complaints: Vec<String> = PACKAGES.iter().filter_map(complaint).collect();
    none(
        &complaints,
        "do without the dependency; or, if this program may be passed on under MIT and under Apache-2.0 with it, add \
         its licence to [licenses] allow of deny.toml",
    );
}

/// Whether a licence expression can be met with `allowed` alone. Packages may still write `/` for `OR`.
fn satisfied(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let expression = Expression::parse_mode(expression, ParseMode::LAX)
        .map_err(|e| format!("{expression:?} is no licence expression: {}", e.reason))?;
    let allowed: Vec<Licensee> = allowed
        .iter()
        .map(|name| {
            Licensee::parse(name).unwrap_or_else(|e| panic!("{name:?} is no licence: {}", e.reason))
        })
        .collect();
    Ok(expression.evaluate(|asked| allowed.iter().any(|licence| licence.satisfies(asked))))
}

#[test]
fn licence_expressions_mean_what_they_say() {
    let allowed = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(String::from);
    for (expression, expected) in [
        ("MIT", Some(true)),
        ("GPL-3.0-only", Some(false)),
        ("GPL-3.0-only OR MIT", Some(true)),
        ("GPL-3.0-only/MIT", Some(true)),
        ("GPL-3.0-only / Unlicense", Some(false)),
        ("MIT AND GPL-3.0-only", Some(false)),
        ("MIT AND Zlib", Some(true)),
        // an exception belongs to its licence
        ("Apache-2.0", Some(false)),
        ("Apache-2.0 WITH LLVM-exception", Some(true)),
        ("MIT WITH LLVM-exception", Some(false)),
        ("MIT AND Apache-2.0 WITH LLVM-exception", Some(true)),
        // AND binds closer than OR
        ("MIT OR Zlib AND GPL-3.0-only", Some(true)),
        ("GPL-3.0-only AND Zlib OR MIT", Some(true)),
        ("(MIT OR Zlib) AND GPL-3.0-only", Some(false)),
        ("(GPL-3.0-only OR MIT) AND (Zlib)", Some(true)),
        ("", None),
        ("MIT OR", None),
        ("MIT Zlib", None),
        ("(MIT", None),
        ("MIT)", None),
        ("WITH LLVM-exception", None),
    ] {
        assert_eq!(
            satisfied(expression, &allowed).ok(),
            expected,
            "{expression:?}"
        );
    }
}

/// Of every package that any platform may need.
#[test]
fn every_source_is_the_registry() {
    let lock = table("Cargo.lock");
    let locked = lock["package"].as_array().expect("packages");
    let mut complaints = Vec::new();
    for package in locked {
        let name = package["name"].as_str().expect("a name");
        let source = package.get("source").map(|s| s.as_str().expect("a source"));
        if source != Some(REGISTRY) && name != env!("CARGO_PKG_NAME") {
            let source = source.unwrap_or("a folder");
            complaints.push(format!("{name} comes from {source} by Cargo.lock"));
        }
    }
    for package in PACKAGES.iter() {
        let source = package.source.as_deref();
        if source != Some(REGISTRY) && package.name != env!("CARGO_PKG_NAME") {
            let source = source.unwrap_or("a folder");
            complaints.push(format!("{} comes from {source}", package.name));
        }
    }
    assert!(locked.len() >= PACKAGES.len() && PACKAGES.len() > 100);
    none(
        &complaints,
        "depend on a version that is published in the registry: other sources can change or vanish",
    );
}

#[test]
fn dependencies_that_shape_results_are_pinned() {
    let manifest = table("Cargo.toml");
    let complaint = |name: &&str| {
        let dependency = manifest["dependencies"].get(name)?;
        let version = dependency
            .as_str()
            .or_else(|| dependency.get("version")?.as_str())
            .unwrap_or_default();
        let pinned = version.starts_with('=') && version.split('.').count() == 3;
        (!pinned).then(|| format!("{name} = {version:?} is not pinned"))
    };
    let complaints: Vec<String> = PINNED.iter().filter_map(complaint).collect();
    none(
        &complaints,
        "write name = \"=x.y.z\" in Cargo.toml: before 1.0 a release may change results; look at them before moving on",
    );
    for name in PINNED {
        assert!(
            manifest["dependencies"].get(name).is_some(),
            "{name} is no dependency any more: take it off this list"
        );
    }
}

/// `1.89` and `1.89.0` are one.
fn compare(a: &str, b: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u32> {
        let parts = version.split('.').map(|n| n.parse().expect("a number"));
        parts.chain([0, 0]).take(3).collect()
    };
    numbers(a).cmp(&numbers(b))
}

/// That this crate's own code asks for no later one is clippy's `incompatible_msrv`, which knows when what became
/// stable.
#[test]
fn the_toolchain_stated_is_the_one_needed() {
    let stated = env!("CARGO_PKG_RUST_VERSION");
    let sentence = format!("Rust toolchain ({stated} or later)");
    assert!(
        read("README.md").contains(&sentence),
        "README.md does not say {sentence:?}: rust-version in Cargo.toml and the README tell the same version"
    );
    let asked = PACKAGES
        .iter()
        .filter_map(|p| Some((p, p.rust_version.as_deref()?)));
    let complaints: Vec<String> = asked
        .filter(|(_, version)| compare(version, stated) == Ordering::Greater)
        .map(|(p, version)| format!("{} {} asks for Rust {version}", p.name, p.version))
        .collect();
    none(
        &complaints,
        "this crate states an older one: raise rust-version in Cargo.toml and the README, or lock an earlier release \
         with \
         cargo update --precise",
    );
}
