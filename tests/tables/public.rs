//! Twenty data sets in the shape of public ones, through `limit` and `run` as a user would try them: first without
//! having looked at the file, then as the messages say.

use super::*;

/// A first try, and what must be said of it: a refusal, or a caution in what `limit` prints.
enum Naive {
    Refused(&'static str, &'static [&'static str]),
    Cautioned(&'static str, &'static [&'static str]),
}
use Naive::{Cautioned, Refused};

/// What is right.
struct Right {
    /// Keys of `[dataset.table]`, beside the path.
    keys: &'static str,
    samples: usize,
    dimension: usize,
    positive: usize,
    left_out: usize,
    /// Whether a plane separates the classes.
    separable: bool,
}

fn table(keys: &str) -> String {
    format!("[dataset.table]\npath = \"data.txt\"\n{keys}")
}

fn check_naive(name: &str, data: &str, naive: &Naive) {
    let file = ("data.txt", data);
    match naive {
        Refused(keys, fragments) => {
            let said = refusal(file, &table(keys));
            for fragment in *fragments {
                assert!(said.contains(fragment), "{name}: {fragment}\n{said}");
            }
        }
        Cautioned(keys, fragments) => {
            let shop = Workshop::with(&[("s.toml", &scenario(&table(keys))), file]);
            let printed = shop.ends(0, "limit s.toml --allow-nonseparable").stdout;
            for fragment in *fragments {
                let printed = text(&printed);
                assert!(printed.contains(fragment), "{name}: {fragment}\n{printed}");
            }
        }
    }
}

fn check_right(name: &str, data: &str, right: &Right) {
    let dataset = table(right.keys);
    let shop = Workshop::with(&[("s.toml", &scenario(&dataset)), ("data.txt", data)]);
    let counts = format!(
        "data: {} samples of dimension {}: {} of class +1, {} of class -1\n",
        right.samples,
        right.dimension,
        right.positive,
        right.samples - right.positive
    );
    // what is not separable is refused with a proof, after it has been said what there is
    let allow = if right.separable {
        ""
    } else {
        " --allow-nonseparable"
    };
    if !right.separable {
        let output = shop.ends(65, "limit s.toml");
        assert!(
            text(&output.stdout).starts_with(&counts),
            "{name}: {}",
            text(&output.stdout)
        );
        assert!(
            text(&output.stderr).contains("not separable"),
            "{name}: {}",
            text(&output.stderr)
        );
    }
    let output = shop.ends(0, &format!("limit s.toml{allow}"));
    let printed = text(&output.stdout);
    assert!(printed.starts_with(&counts), "{name}: {printed}");
    assert_eq!(
        printed.contains("no limit"),
        !right.separable,
        "{name}: {printed}"
    );

    let run = format!("run s.toml --no-figures --out o --set flow.until.log-log-time=2.0{allow}");
    let output = shop.ends(0, &run);
    let report = shop.report("o");
    assert_eq!(
        report["status"], "completed",
        "{name}: {}",
        report["message"]
    );
    let found = &report["dataset"];
    let expected = [
        ("samples", right.samples),
        ("dimension", right.dimension),
        ("positive", right.positive),
        ("negative", right.samples - right.positive),
        ("rows_left_out", right.left_out),
    ];
    for (key, value) in expected {
        assert_eq!(found[key], value, "{name}: {key}");
    }
    // every row of the file is accounted for, by the values of its label
    let of_class = |class: &str| -> u64 {
        let values = found["labels"].as_array().unwrap().iter();
        let rows = values.filter(|value| value["class"] == class);
        rows.map(|value| value["rows"].as_u64().unwrap()).sum()
    };
    assert_eq!(of_class("+1"), right.positive as u64, "{name}");
    assert_eq!(
        of_class("-1"),
        (right.samples - right.positive) as u64,
        "{name}"
    );
    assert_eq!(of_class("left out"), right.left_out as u64, "{name}");
    // an early end shows nothing false
    for claim in report["claims"].as_array().unwrap() {
        assert_ne!(claim["verdict"], "violated", "{name}: {claim}");
    }
    assert!(
        text(&output.stdout).contains(counts.trim_start_matches("data: ").trim_end()),
        "{name}"
    );
}

#[track_caller]
fn check(name: &str, data: &str, naive: &[Naive], right: Option<Right>) {
    for naive in naive {
        check_naive(name, data, naive);
    }
    if let Some(right) = right {
        check_right(name, data, &right);
    }
}

const NO_HEADER: &[&str] = &[
    "row 1: this row is taken for the header, and looks like a row of data",
    "header = false",
];

#[test]
fn sonar() {
    let naive = [Refused("label = \"R\"\npositive = [\"M\"]", NO_HEADER)];
    let right = Right {
        keys: "header = false\nlabel = \"61\"\npositive = [\"M\"]\nnegative = [\"R\"]\nstandardise = true\n\
               constant-feature = true",
        samples: 208,
        dimension: 61,
        positive: 111,
        left_out: 0,
        separable: true,
    };
    check("sonar", &sets::sonar(), &naive, Some(right));
}

#[test]
fn ionosphere() {
    let naive = [
        Refused(
            "label = \"class\"\npositive = [\"g\"]",
            &["no column is named `class`", "header = false"],
        ),
        Cautioned(
            "header = false\nlabel = \"35\"\npositive = [\"g\"]\nstandardise = true",
            &["CAUTION: of one value only, and therefore 0 once standardised: `2`"],
        ),
    ];
    let right = Right {
        keys: "header = false\nlabel = \"35\"\npositive = [\"g\"]\ndrop = [\"2\"]\nstandardise = true",
        samples: 351,
        dimension: 33,
        positive: 225,
        left_out: 0,
        separable: false,
    };
    check("ionosphere", &sets::ionosphere(), &naive, Some(right));
}

#[test]
fn wine() {
    let data = sets::wine();
    let first = format!("label = \"{}\"\npositive = [\"1\"]", &data[..1]);
    let said = refusal(("data.txt", &data), &table(&first));
    assert!(
        NO_HEADER.iter().all(|fragment| said.contains(fragment)),
        "{said}"
    );
    let right = Right {
        keys: "header = false\nlabel = \"1\"\npositive = [\"1\"]\nstandardise = true\nconstant-feature = true",
        samples: 178,
        dimension: 14,
        positive: 59,
        left_out: 0,
        separable: true,
    };
    check("wine", &data, &[], Some(right));
    let pair = Right {
        keys: "header = false\nlabel = \"1\"\npositive = [\"1\"]\nnegative = [\"3\"]\nstandardise = true",
        samples: 107,
        dimension: 13,
        positive: 59,
        left_out: 71,
        separable: true,
    };
    check("wine, two of three", &data, &[], Some(pair));
}

#[test]
fn breast_cancer() {
    let naive = [Refused(
        "header = false\nlabel = \"11\"\npositive = [\"4\"]",
        &[
            "row 41, column 7: `?` is not a number (column `7`; a missing value",
            "drop = [\"7\"]",
        ],
    )];
    let right = Right {
        keys: "header = false\nlabel = \"11\"\npositive = [\"4\"]\nnegative = [\"2\"]\ndrop = [\"1\", \"7\"]",
        samples: 699,
        dimension: 8,
        positive: 241,
        left_out: 0,
        separable: false,
    };
    check("breast cancer", &sets::breast_cancer(), &naive, Some(right));
}

#[test]
fn wdbc() {
    let naive = [Cautioned(
        "header = false\nlabel = \"2\"\npositive = [\"M\"]\nstandardise = true",
        &[
            "CAUTION: column `1` looks as if it named or counted the rows",
            "drop = [\"1\"]",
        ],
    )];
    let right = Right {
        keys: "header = false\nlabel = \"2\"\npositive = [\"M\"]\ndrop = [\"1\"]\nstandardise = true",
        samples: 569,
        dimension: 30,
        positive: 212,
        left_out: 0,
        separable: false,
    };
    check("wdbc", &sets::wdbc(), &naive, Some(right));
}

#[test]
fn iris() {
    let data = sets::iris();
    let first = data.lines().next().unwrap().rsplit_once(',').unwrap().1;
    let naive = format!("label = \"{first}\"\npositive = [\"Iris-setosa\"]");
    let said = refusal(("data.txt", &data), &table(&naive));
    assert!(
        NO_HEADER.iter().all(|fragment| said.contains(fragment)),
        "{said}"
    );
    let misspelt = [Refused(
        "header = false\nlabel = \"5\"\npositive = [\"setosa\"]",
        &[
            "no row has `setosa` in column `5`; its values are",
            "`Iris-setosa`",
        ],
    )];
    let right = Right {
        keys: "header = false\nlabel = \"5\"\npositive = [\"Iris-setosa\"]",
        samples: 150,
        dimension: 4,
        positive: 50,
        left_out: 0,
        separable: true,
    };
    check("iris", &data, &misspelt, Some(right));
}

#[test]
fn banknote() {
    let data = sets::banknote();
    let first = data.lines().next().unwrap().rsplit_once(',').unwrap().1;
    let said = refusal(
        ("data.txt", &data),
        &table(&format!("label = \"{first}\"\npositive = [\"1\"]")),
    );
    assert!(
        NO_HEADER.iter().all(|fragment| said.contains(fragment)),
        "{said}"
    );
    let right = Right {
        keys: "header = false\nlabel = \"5\"\npositive = [\"1\"]\nconstant-feature = true",
        samples: 1372,
        dimension: 5,
        positive: 610,
        left_out: 0,
        separable: true,
    };
    check("banknote", &data, &[], Some(right));
}

#[test]
fn spambase() {
    let right = Right {
        keys: "header = false\nlabel = \"58\"\npositive = [\"1\"]\nstandardise = true\nconstant-feature = true",
        samples: 460,
        dimension: 58,
        positive: 182,
        left_out: 0,
        separable: true,
    };
    let naive = [Refused(
        "header = false\nlabel = \"spam\"\npositive = [\"1\"]",
        &["named by their numbers, from 1"],
    )];
    check("spambase", &sets::spambase(), &naive, Some(right));
}

#[test]
fn haberman() {
    let naive = [
        Refused(
            "label = \"64\"\npositive = [\"2\"]",
            &["row 1: this row is taken for the header"],
        ),
        Refused(
            "label = \"status\"\npositive = [\"2\"]",
            &["no column is named `status`", "header = false"],
        ),
    ];
    let right = Right {
        keys: "header = false\nlabel = \"4\"\npositive = [\"2\"]\nnegative = [\"1\"]\nstandardise = true",
        samples: 306,
        dimension: 3,
        positive: 81,
        left_out: 0,
        separable: false,
    };
    check("haberman", &sets::haberman(), &naive, Some(right));
}

#[test]
fn transfusion() {
    let naive = [Refused(
        "label = \"donated\"\npositive = [\"1\"]",
        &["no column is named `donated`", sets::DONATED],
    )];
    let right = Right {
        keys: "label = \"whether he/she donated blood in March 2007\"\npositive = [\"1\"]\nstandardise = true",
        samples: 748,
        dimension: 4,
        positive: 178,
        left_out: 0,
        separable: false,
    };
    check("transfusion", &sets::transfusion(), &naive, Some(right));
}

#[test]
fn pima() {
    let naive = [Cautioned(
        "label = \"Outcome\"\npositive = [\"1\"]\nstandardise = true",
        &[
            "data: 768 samples of dimension 9",
            "CAUTION: column `` looks as if it named or counted",
            "drop = [\"\"]",
        ],
    )];
    let right = Right {
        keys: "label = \"Outcome\"\npositive = [\"1\"]\ndrop = [\"\"]\nstandardise = true",
        samples: 768,
        dimension: 8,
        positive: 268,
        left_out: 0,
        separable: false,
    };
    check("pima", &sets::pima(), &naive, Some(right));
}

#[test]
fn heart() {
    let naive = [Refused(
        "label = \"num\"\npositive = [\"0\"]",
        &[
            "row 19, column 12: `?` is not a number (column `ca`; a missing value",
            "drop = [\"ca\"]",
        ],
    )];
    let right = Right {
        keys: "label = \"num\"\npositive = [\"0\"]\ndrop = [\"ca\", \"thal\"]\nstandardise = true",
        samples: 303,
        dimension: 11,
        positive: 164,
        left_out: 0,
        separable: false,
    };
    check("heart", &sets::heart(), &naive, Some(right));
}

#[test]
fn mushroom() {
    let naive = [
        Refused(
            "header = false\nlabel = \"1\"\npositive = [\"p\"]",
            &[
                "row 1, column 2: ",
                "is not a number (column `2`, one of 22 columns that hold text",
                "encode categories",
            ],
        ),
        Refused(
            "label = \"p\"\npositive = [\"e\"]",
            &[
                "is not a number",
                "hold text in this row",
                "encode categories",
            ],
        ),
    ];
    check("mushroom", &sets::mushroom(), &naive, None);
}

#[test]
fn wine_quality() {
    let naive = [Refused(
        "label = \"quality\"\npositive = [\"good\"]",
        &["no row has `good` in column `quality`; its values are"],
    )];
    let right = Right {
        keys: "label = \"quality\"\npositive = [\"7\", \"8\"]\nnegative = [\"5\", \"4\", \"3\"]\nstandardise = true",
        samples: 96,
        dimension: 11,
        positive: 22,
        left_out: 64,
        separable: false,
    };
    check("wine quality", &sets::wine_quality(), &naive, Some(right));
}

#[test]
fn adult() {
    let numbers = "header = false\nlabel = \"15\"\npositive = [\">50K\"]\n\
                   drop = [\"2\", \"3\", \"4\", \"6\", \"7\", \"8\", \"9\", \"10\", \"14\"]\nstandardise = true";
    let naive = [
        Refused(
            "header = false\nlabel = \"15\"\npositive = [\">50K\"]",
            &[
                "row 1, column 2: `Private` is not a number (column `2`, one of 8 columns that hold text",
            ],
        ),
        Refused(
            "label = \"income\"\npositive = [\">50K\"]",
            &["no column is named `income`", "header = false"],
        ),
    ];
    let right = Right {
        keys: numbers,
        samples: 326,
        dimension: 5,
        positive: 78,
        left_out: 0,
        separable: false,
    };
    check("adult", &sets::adult(false), &naive, Some(right));
    let said = refusal(("data.txt", &sets::adult(true)), &table(numbers));
    assert!(
        said.contains("`>50K.` would be taken as -1, and `>50K` of row"),
        "{said}"
    );
}

#[test]
fn seeds() {
    let keys = "header = false\nlabel = \"8\"\npositive = [\"1\"]";
    let said = refusal(("data.txt", &sets::seeds(false)), &table(keys));
    assert!(
        said.contains("row 8: ragged: 9 fields, but row 1 has 8"),
        "{said}"
    );
    let right = Right {
        keys: "header = false\nlabel = \"8\"\npositive = [\"1\"]\nconstant-feature = true",
        samples: 210,
        dimension: 8,
        positive: 70,
        left_out: 0,
        separable: true,
    };
    check("seeds", &sets::seeds(true), &[], Some(right));
}

#[test]
fn glass() {
    let naive = [Cautioned(
        "label = \"Type\"\npositive = [\"1\", \"2\", \"3\"]\nstandardise = true",
        &[
            "column `Id` looks as if it named or counted the rows",
            "drop = [\"Id\"]",
        ],
    )];
    let right = Right {
        keys: "label = \"Type\"\npositive = [\"1\", \"2\", \"3\"]\ndrop = [\"Id\"]\nstandardise = true",
        samples: 214,
        dimension: 9,
        positive: 163,
        left_out: 0,
        separable: false,
    };
    check("glass", &sets::glass(), &naive, Some(right));
}

#[test]
fn titanic() {
    let naive = [Refused(
        "label = \"Survived\"\npositive = [\"1\"]",
        &["row 2, column 4: `Doe, Mr. 0 (\"J.\")` is not a number (column `Name`"],
    )];
    let right = Right {
        keys: "label = \"Survived\"\npositive = [\"1\"]\n\
               drop = [\"PassengerId\", \"Name\", \"Sex\", \"Age\", \"Ticket\", \"Cabin\", \"Embarked\"]\n\
               standardise = true",
        samples: 891,
        dimension: 4,
        positive: 342,
        left_out: 0,
        separable: false,
    };
    check("titanic", &sets::titanic(), &naive, Some(right));
}

#[test]
fn heart_scale() {
    let naive = [Refused(
        "label = \"1\"\npositive = [\"+1\"]",
        &[
            "no column is named `1`",
            "this looks like the svmlight format: set format = \"svmlight\"",
        ],
    )];
    let right = Right {
        keys: "format = \"svmlight\"\nconstant-feature = true",
        samples: 270,
        dimension: 14,
        positive: 120,
        left_out: 0,
        separable: true,
    };
    check("heart_scale", &sets::heart_scale(), &naive, Some(right));
}

#[test]
fn german() {
    let naive = [Refused(
        "header = false\nlabel = \"25\"\npositive = [\"2\"]",
        &[
            "no column is named `25`",
            "commas, semicolons or tabs separate columns",
        ],
    )];
    check("german", &sets::german(), &naive, None);
}
