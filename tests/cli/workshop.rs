//! A folder to run the program in, and readers of what it leaves there.

use super::*;

/// A folder with a small scenario in it, `three.toml`: DFA of depth 3 on three points of a space of three dimensions,
/// two of them support vectors.
pub struct Workshop(pub TempDir);

const SCENARIO: &str = r#"# Three points, to log-log-time 30.
title = "Three points of space"
initial = "zero"
[dataset.files]
samples = "x.csv"
labels = "y.csv"
[network.fully-connected-linear]
depth = 3
hidden = [4, 2]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 30.0
saves = 61
[expect]
prop-1 = "holds"
gd-fc = "not-applicable"
"#;

impl Workshop {
    pub fn new() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        shop.file("three.toml", SCENARIO);
        shop.file("x.csv", "1,0.2,0.1\n-1,0.3,0.2\n2,3,-1\n");
        shop.file("y.csv", "1\n-1\n1\n");
        // No hyperplane through the origin has these on its positive side.
        shop.file("around.csv", "1,0.2\n-1,0.3\n0.5,3\n-0.4,-1\n");
        shop.file("xor.csv", "1,1\n-1,-1\n1,-1\n-1,1\n");
        shop.file("ones.csv", "1\n1\n1\n1\n");
        shop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs marginflow in the folder, with arguments separated by blanks, and checks how it ended.
    #[track_caller]
    pub fn ends(&self, code: i32, arguments: &str) -> Output {
        program::ends(self.0.path(), code, arguments)
    }

    pub fn report(&self, folder: &str) -> Value {
        serde_json::from_slice(&self.read(folder, "report.json")).unwrap()
    }

    pub fn read(&self, folder: &str, name: &str) -> Vec<u8> {
        let path = self.path(folder).join(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Every file below a folder, by its path from there.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

pub fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    let entries = value.as_array().unwrap().iter();
    entries.map(|x| x.as_f64().unwrap()).collect()
}

/// Paths of every null in a report, with list positions as `*`.
pub fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Array(entries) => {
            for entry in entries {
                nulls(entry, &format!("{path}.*"), found);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                nulls(entry, &format!("{path}.{key}"), found);
            }
        }
        _ => {}
    }
}

/// The array of a trajectory: shape and values.
pub fn array(bytes: &[u8], name: &str) -> (Vec<u64>, Vec<f64>) {
    let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let array = archive.by_name(name).unwrap();
    let array = array.unwrap_or_else(|| panic!("no array {name}"));
    (array.shape().to_vec(), array.into_vec().unwrap())
}
