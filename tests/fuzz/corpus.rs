//! Where inputs start from: every input of the repository itself, good and bad, and `.npy` files of every kind.

use std::fs;
use std::path::Path;

/// Longest start. The shipped data are longer: of them only the first lines.
const LONGEST: usize = 3000;

/// A reader's inputs, and the words mutations put in.
pub struct Corpus {
    pub inputs: Vec<Vec<u8>>,
    pub words: Vec<Vec<u8>>,
}

/// Scenarios: those shipped, and `tests/bad_scenarios`. The words are theirs, and an assignment to every key they have.
pub fn scenarios() -> Corpus {
    let inputs = files(&["scenarios", "tests/bad_scenarios"], "toml");
    let mut words = words(&inputs, |c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    for text in inputs
        .iter()
        .filter_map(|input| std::str::from_utf8(input).ok())
    {
        let keys = toml::from_str(text)
            .map(|table| leaves(&table))
            .unwrap_or_default();
        words.extend(
            keys.iter()
                .map(|(key, value)| format!("\n# set: {key}={value}\n").into()),
        );
    }
    words.sort();
    words.dedup();
    Corpus { inputs, words }
}

/// Dotted keys of all values, with the values.
fn leaves(table: &toml::Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(below) => {
                let below = leaves(below).into_iter();
                found.extend(below.map(|(rest, value)| (format!("{key}.{rest}"), value)));
            }
            value => found.push((key.clone(), value.to_string())),
        }
    }
    found
}

/// Matrices: all data files, and arrays of every kind, order and number of dimensions.
pub fn matrices() -> Corpus {
    let mut inputs = data();
    let dimensions = [
        "",
        "3,",
        "2, 3",
        "1, 2, 3",
        "0, 2",
        "4294967296, 4294967296",
    ];
    for kind in [
        "<f8", ">f8", "<f4", "|i1", "<i2", ">i4", "<i8", "|u1", "<u4", "|b1", "<f2", "|O",
    ] {
        for (order, shape) in [("False", "2, 3"), ("True", "3,")] {
            inputs.push(npy(1, &header(kind, order, shape), 48));
        }
    }
    for (version, shape) in (1..=3).flat_map(|v| dimensions.map(|shape| (v, shape))) {
        inputs.push(npy(version, &header("<f8", "False", shape), 48));
    }
    inputs.push(npy(
        2,
        "{'descr': [('x', '<f8'), ('y', '<i4', (2,))], 'fortran_order': False, 'shape': (2,), }",
        32,
    ));
    let words = words(&inputs, |c| !c.is_ascii_whitespace() && !",".contains(c));
    Corpus { inputs, words }
}

/// Tables: all data files.
pub fn tables() -> Corpus {
    let inputs = data();
    let words = words(&inputs, |c| !c.is_ascii_whitespace() && !",".contains(c));
    Corpus { inputs, words }
}

/// Tables with quotes: every data file with some of its fields in quotes, and small tables with all that quotes can
/// hold. The words are quotes in every place, line ends and separators.
pub fn quoted_tables() -> Corpus {
    let mut inputs: Vec<Vec<u8>> = (data().iter().enumerate())
        .filter_map(|(k, input)| Some(in_quotes(std::str::from_utf8(input).ok()?, k + 2)))
        .collect();
    inputs.extend(
        [
            "x,y,kind\n1,2,b\n2,1,b\n-1,-2,a\n-2,-1,a\n-3,-2,a\n3,1,b\n-1,-1,a\n2,2,b\n",
            "\"x\",\"y\",\"kind\"\n\"1\",\"2\",\"b\"\n\"-1\",\"-2\",\"a\"\n\"2\",\"1\",\"b\"\n",
            "\"name, in full\",x,kind\n\"Doe, J.\",1,\"b\"\n\"Roe \"\"R\"\"\",2,\"a\"\n",
            "x, \"kind\"\r1, \"a\"\r2, \"b\"\r",
            "\"x\";\"kind\"\r\n1;\"a;b\"\r\n2;\"c\"\r\n",
            "x\t\"kind\"\n1\t\"a\tb\"\n2\tc\n",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    let words = [
        "\"", "\"\"", "\"\"\"", ",\"", "\",", "\",\"", " \"", "\" ", "\"\n", "\n\"", "\"1\"5",
        "\"1\"", "\"1", "1\"", "\"\r", "\r", "\r\n", "\"a", "\"a\nb\"", ";", "\t", "?", "NA", "b",
        "B", "1.0", "1", "\u{201c}", "'", "\\\"",
    ];
    Corpus {
        inputs,
        words: words.map(|word| word.as_bytes().to_vec()).to_vec(),
    }
}

/// The text with every `step`-th field in quotes.
fn in_quotes(text: &str, step: usize) -> Vec<u8> {
    let mut count = 0;
    let mut field = |field: &str| {
        count += 1;
        match count % step {
            0 => format!("\"{field}\""),
            _ => field.to_owned(),
        }
    };
    let lines: Vec<String> = (text.lines())
        .map(|line| {
            line.split(',')
                .map(&mut field)
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    lines.join("\n").into_bytes()
}

/// Files in the svmlight format.
pub fn svmlight() -> Corpus {
    let inputs = [
        "+1 1:0.7 2:-1 5:3e-2 # a comment\n-1 2:1 3:1\n\n+1 1:1\n",
        "1 0:1 4:2\n-1 1:3\n",
        "2 1:1\r\n1 2:2\r\n",
        "# nothing but a comment\n1 1:1\n",
        "1 qid:3 1:1\n",
        "1 2:1 1:1\n",
        "1,2,3\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let words = words(&inputs, |c| !c.is_ascii_whitespace() && c != ':');
    Corpus { inputs, words }
}

fn data() -> Vec<Vec<u8>> {
    let folders = ["scenarios/data", "tests/bad_scenarios/data"];
    [files(&folders, "csv"), files(&folders, "npy")].concat()
}

fn header(kind: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n")
}

fn npy(version: u8, header: &str, bytes: u8) -> Vec<u8> {
    let length = u32::try_from(header.len())
        .expect("a short header")
        .to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length };
    // Sevens and small numbers: finite in every kind.
    let data: Vec<u8> = (0..bytes).map(|k| k % 8).collect();
    [
        b"\x93NUMPY",
        &[version, 0][..],
        length,
        header.as_bytes(),
        &data,
    ]
    .concat()
}

/// The files of these folders, in order of their names.
fn files(folders: &[&str], extension: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(root.join(folder)).expect(folder);
        paths.extend(entries.map(|entry| entry.expect(folder).path()));
    }
    paths.retain(|path| path.extension().is_some_and(|e| e == extension));
    paths.sort();
    assert!(!paths.is_empty() || extension == "npy");
    let start = |path| {
        let bytes = fs::read(path).expect("a readable file");
        match bytes.len() > LONGEST {
            false => bytes,
            true => {
                let lines = bytes[..LONGEST].iter().rposition(|&b| b == b'\n');
                bytes[..lines.unwrap_or(LONGEST)].to_vec()
            }
        }
    };
    paths.iter().map(start).collect()
}

/// Every word of the inputs that are text, once.
fn words(inputs: &[Vec<u8>], part: impl Fn(char) -> bool) -> Vec<Vec<u8>> {
    let texts = inputs
        .iter()
        .filter_map(|input| std::str::from_utf8(input).ok());
    let mut words: Vec<Vec<u8>> = texts
        .flat_map(|text| text.split(|c| !part(c)))
        .filter(|word| !word.is_empty())
        .map(|word| word.as_bytes().to_vec())
        .collect();
    words.sort();
    words.dedup();
    words
}

/// Certificates of every norm and of a network, and damaged ones. The words are theirs, and numbers of absurd sizes.
pub fn certificates() -> Corpus {
    let inputs = files(&["tests/certificates/samples"], "json");
    let mut words = words(&inputs, |c| c.is_ascii_alphanumeric() || "-_+".contains(c));
    let absurd = [
        "0x1p+16384",
        "-0x1p-16384",
        "0x0p+0",
        "0xffffffffffffffffffffffffffffffffp+9000",
        "0x1p+99999",
    ];
    words.extend(absurd.iter().map(|word| format!("\"{word}\"").into_bytes()));
    words.extend(
        ["null", "[]", "{}", "1e999", "\"kind\":\"kkt-point\","]
            .map(|word| word.as_bytes().to_vec()),
    );
    Corpus { inputs, words }
}
