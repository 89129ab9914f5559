use super::*;
use crate::dataset::Svmlight;
use nalgebra::dmatrix;

fn table() -> Table {
    Table::new("kind", &["a"])
}

fn parse(table: &Table, text: &str) -> Result<Dataset> {
    table.parse(Path::new("t.csv"), text.as_bytes())
}

const FLOWERS: &str = "x,kind,y\n1,a,10\n3,b,30\n5,c,50\n";

#[test]
fn every_other_value_is_negative_and_unlisted_rows_are_dropped() {
    let all = parse(&table(), FLOWERS).unwrap();
    assert_eq!(all.samples(), &dmatrix![1.0, 10.0; 3.0, 30.0; 5.0, 50.0]);
    assert_eq!(all.labels().as_slice(), [1.0, -1.0, -1.0]);
    let two = Table {
        negative: Some(vec!["c".into()]),
        ..table()
    };
    let two = parse(&two, FLOWERS).unwrap();
    assert_eq!(two.signed_samples(), &dmatrix![1.0, 10.0; -5.0, -50.0]);
}

#[test]
fn standardised_columns_have_mean_zero_and_population_variance_one() {
    let options = Table {
        standardise: true,
        constant_feature: true,
        ..table()
    };
    // 0.1 summed up and divided is not 0.1: the constant column must still come out as exact zeros.
    let text = "x,kind,flat\n1,a,0.1\n2,b,0.1\n6,b,0.1\n";
    let data = parse(&options, text).unwrap();
    // Mean 3, population variance (4+1+9)/3.
    let deviation = (14.0_f64 / 3.0).sqrt();
    let expected = [-2.0 / deviation, -1.0 / deviation, 3.0 / deviation];
    for (found, expected) in data.samples().column(0).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-15);
    }
    assert_eq!(data.samples().column(1).as_slice(), [0.0; 3]);
    assert_eq!(data.samples().column(2).as_slice(), [1.0; 3]);
}

#[test]
fn errors_say_where() {
    let listed = |positive: &str| Table::new("kind", &[positive]);
    let pair = Table {
        negative: Some(vec!["b".into()]),
        ..table()
    };
    let dropped = |name: &str| Table {
        drop: vec![name.into()],
        ..table()
    };
    let cases = [
        (
            table(),
            "x,kind\n1,a\n?,b\n",
            "t.csv, row 3, column 1: `?` is not a number (column `x`; a missing value: fill it in, remove the row, \
             or leave the column out by drop = [\"x\"])",
        ),
        (
            table(),
            "x,y,z,kind\n1,red,4,a\n",
            "t.csv, row 2, column 2: `red` is not a number (column `y`; encode categories as numbers",
        ),
        (
            table(),
            "x,y,z,kind\nround,red,4,a\n",
            "t.csv, row 2, column 1: `round` is not a number (column `x`, one of 2 columns that hold text",
        ),
        (
            table(),
            "x;kind\n1,5;a\n",
            "t.csv, row 2, column 1: `1,5` is not a number (column `x`; write 1.5 for 1,5, and 1000 for 1,000)",
        ),
        (
            table(),
            "x y kind\n1 2 a\n",
            "t.csv, row 1: no column is named `kind`; the columns are `x y kind` (commas, semicolons or tabs",
        ),
        (
            dropped("id"),
            "x,kind\n1,a\n",
            "t.csv, row 1: no column is named `id`; the columns are `x`, `kind`",
        ),
        (
            dropped("kind"),
            "x,kind\n1,a\n",
            "t.csv, row 1: `kind` is the label column, and listed in drop",
        ),
        (dropped("x"), "x,kind\n1,a\n", "t.csv: no feature columns"),
        (
            table(),
            "x,kind\n1,a\n,\n",
            "t.csv, row 3: no field of this row has anything in it",
        ),
        (
            table(),
            "x,kind\n1,a\n1\n",
            "t.csv, row 3: ragged: 1 fields, but row 1 has 2",
        ),
        (
            table(),
            "x,y\n1,2\n",
            "t.csv, row 1: no column is named `kind`; the columns are `x`, `y`",
        ),
        (
            table(),
            "x,Kind\n1,a\n",
            "t.csv, row 1: no column is named `kind`, did you mean `Kind`? The columns are `x`, `Kind`",
        ),
        (
            table(),
            "x,kind\n",
            "t.csv: there is no row below the header",
        ),
        (
            table(),
            "kind,x,kind\n",
            "t.csv, row 1: more than one column is named `kind`",
        ),
        (table(), "kind\na\n", "t.csv: no feature columns"),
        (table(), "", "t.csv: the file is empty"),
        (
            listed("seto"),
            FLOWERS,
            "t.csv: no row has `seto` in column `kind`; its values are `a`, `b`, `c`",
        ),
        (pair, "x,kind\n1,a\n2,c\n", "t.csv: no row has `b`"),
    ];
    for (table, text, expected) in cases {
        let error = parse(&table, text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let huge = Table {
        standardise: true,
        ..table()
    };
    for rows in [
        "a,1e308\nb,-1e308\n",
        "a,1e-170\nb,2e-170\n",
        "a,1\nb,1.0000000000000002\n",
        "a,1e16\nb,10000000000000002\na,10000000000000006\n",
    ] {
        let error = parse(&huge, &format!("kind,x\n{rows}"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("t.csv, column 2: column `x` has values too large"),
            "{error}"
        );
    }
    let close = parse(&huge, "kind,x\na,1000000\nb,1000001\nb,1000005\n").unwrap();
    assert!(close.samples().sum().abs() < 1e-9);
}

fn refusal(table: &Table, text: &str) -> String {
    parse(table, text).unwrap_err().to_string()
}

#[test]
fn a_missing_label_is_no_class() {
    for mark in ["", " ", "?", "NA", "n/a", "NaN", "null", "\"\""] {
        let text = format!("x,kind\n1,a\n2,b\n3,{mark}\n");
        let error = refusal(&table(), &text);
        assert!(
            error.starts_with("t.csv, row 4, column 2: the label is"),
            "{error}"
        );
        // with both lists given it is left out like every other value
        let pair = Table {
            negative: Some(vec!["b".into()]),
            ..table()
        };
        let data = parse(&pair, &text).unwrap();
        assert_eq!(
            (data.len(), data.account().unwrap().left_out()),
            (2, 1),
            "{mark}"
        );
    }
    // listed, it is a class like any other
    let listed = Table {
        negative: Some(vec!["?".into()]),
        ..table()
    };
    assert_eq!(
        parse(&listed, "x,kind\n1,a\n2,?\n")
            .unwrap()
            .labels()
            .as_slice(),
        [1.0, -1.0]
    );
}

#[test]
fn two_spellings_of_one_value_must_not_part() {
    for (first, second) in [
        ("1", "1.0"),
        ("Yes", "yes"),
        (">50K", ">50K."),
        ("b", "b\u{200b}"),
        ("a b", "a_b"),
    ] {
        let text = format!("x,kind\n1,{first}\n2,no\n3,{second}\n");
        let one = Table::new("kind", &[first]);
        let error = refusal(&one, &text);
        let expected = format!(
            "t.csv, row 4, column 2: `{second}` would be taken as -1, and `{first}` of row 2"
        );
        assert!(error.starts_with(&expected), "{error}");
        let both = Table::new("kind", &[first, second]);
        assert_eq!(
            parse(&both, &text).unwrap().labels().as_slice(),
            [1.0, -1.0, 1.0]
        );
        // where they share their fate it does not matter
        let other = Table::new("kind", &["no"]);
        assert_eq!(parse(&other, &text).unwrap().class_counts(), (1, 2));
    }
}

#[test]
fn what_became_of_every_value_is_kept() {
    let options = Table {
        negative: Some(vec!["c".into()]),
        ..table()
    };
    let data = parse(&options, "\nx,kind\n1,a\n2,b\n\n3,c\n4,a\n5,b\n").unwrap();
    let account = data.account().unwrap();
    let values: Vec<_> = (account.values.iter())
        .map(|v| (v.value.as_str(), v.label, v.count, v.first_row))
        .collect();
    assert_eq!(
        values,
        [
            ("a", Some(1.0), 2, 3),
            ("b", None, 2, 4),
            ("c", Some(-1.0), 1, 6)
        ]
    );
    assert_eq!((&account.rows[..], account.left_out()), (&[3, 6, 7][..], 2));
    assert_eq!(account.cautions, Vec::<String>::new());
    let alone = parse(&table(), "x,kind\n1,a\n2,a\n").unwrap();
    assert_eq!(
        alone.cautions(),
        ["every sample has the label +1: there is one class only"]
    );
    let constant = Table {
        constant_feature: true,
        ..table()
    };
    let constant = parse(&constant, FLOWERS).unwrap();
    assert!(
        constant.cautions()[0].starts_with("constant-feature: ")
            && constant.cautions()[0].contains("penalised")
    );
}

#[test]
fn a_row_of_data_is_no_header() {
    let sonar = "0.02,0.37,R\n0.04,0.52,R\n0.1,0.2,M\n";
    let error = refusal(&Table::new("R", &["M"]), sonar);
    let expected = "t.csv, row 1: this row is taken for the header, and looks like a row of data: its names are \
                    numbers (`0.02`, `0.37`)";
    assert!(
        error.starts_with(expected) && error.contains("label = \"3\""),
        "{error}"
    );
    // a missing value in the first row, numeric labels, the label in front
    for (label, positive, text) in [
        ("1", "0", "63,?,145,1\n67,1,160,0\n37,1,130,1\n"),
        ("1", "2", "1,14.23,1.71\n2,13.2,1.78\n1,13.16,2.36\n"),
    ] {
        let error = refusal(&Table::new(label, &[positive]), text);
        assert!(error.contains("looks like a row of data"), "{error}");
    }
    let headerless = Table {
        header: false,
        ..Table::new("3", &["M"])
    };
    let data = parse(&headerless, sonar).unwrap();
    assert_eq!(data.samples(), &dmatrix![0.02, 0.37; 0.04, 0.52; 0.1, 0.2]);
    assert_eq!(data.cautions(), Vec::<String>::new());
    // what may be a header or not is read as one, and said
    for header in ["0,1,2", "400,410,2", "0.1,?,2"] {
        let text = format!("{header}\n3,4,M\n5,6,R\n");
        let data = parse(&Table::new("2", &["M"]), &text).unwrap();
        let caution = &data.cautions()[0];
        assert!(
            caution.starts_with("row 1 is taken for the header, and its names are numbers"),
            "{caution}"
        );
    }
    let error = refusal(&Table::new("class", &["M"]), sonar);
    assert!(
        error.contains("if the first row is no header, set header = false"),
        "{error}"
    );
    let error = refusal(
        &Table {
            header: false,
            ..table()
        },
        sonar,
    );
    assert!(
        error.starts_with(
            "t.csv: no column is named `kind`; the columns are `1`, `2`, `3` (without a"
        ),
        "{error}"
    );
    // a name that is a value as well is no sign by itself
    assert!(parse(&Table::new("spam", &["spam"]), "x,spam\n1,spam\n2,ham\n").is_ok());
}

#[test]
fn columns_can_be_left_out_and_ids_are_named() {
    let rows: String = (0..12)
        .map(|n| format!("{},{},{}\n", n + 7, n * n, if n < 5 { "a" } else { "b" }))
        .collect();
    let counted = parse(&table(), &format!("number,x,kind\n{rows}")).unwrap();
    assert_eq!(counted.dimension(), 2);
    let caution = &counted.cautions()[0];
    assert!(
        caution.starts_with("column `number` looks as if it named or counted")
            && caution.contains("drop = [\"number\"]")
    );
    let dropped = Table {
        drop: vec!["number".into()],
        ..table()
    };
    let dropped = parse(&dropped, &format!("number,x,kind\n{rows}")).unwrap();
    assert_eq!((dropped.dimension(), dropped.cautions().len()), (1, 0));
    assert_eq!(dropped.samples()[(3, 0)], 9.0);
    for name in [
        "",
        "id",
        "ID number",
        "PassengerId",
        "patient_id",
        "Unnamed: 0",
    ] {
        let data = parse(&table(), &format!("{name},kind\n5,a\n3,b\n")).unwrap();
        assert_eq!(data.cautions().len(), 1, "{name}");
    }
    // a column of text may be left out as well
    let text = "name,x,kind\n\"Doe, J.\",1,a\n\"Roe, R.\",2,b\n";
    let dropped = Table {
        drop: vec!["name".into()],
        ..table()
    };
    assert_eq!(
        parse(&dropped, text).unwrap().samples().as_slice(),
        [1.0, 2.0]
    );
}

#[test]
fn svmlight_files_are_tables_of_their_indices() {
    let parse = |table: &Table, text: &str| {
        let path = Path::new("a.svm");
        table.of_svmlight(path, &Svmlight::parse(path, text.as_bytes()).unwrap())
    };
    let signs = Table::new("", &[]);
    let data = parse(&signs, "+1 1:2 3:4\n-1 2:5 # no\n\n1 1:7\n").unwrap();
    assert_eq!(
        data.samples(),
        &dmatrix![2.0, 0.0, 4.0; 0.0, 5.0, 0.0; 7.0, 0.0, 0.0]
    );
    assert_eq!(data.labels().as_slice(), [1.0, -1.0, 1.0]);
    assert_eq!(data.account().unwrap().rows, [1, 2, 4]);
    let error = parse(&signs, "1 1:2\n2 1:3\n").unwrap_err().to_string();
    assert!(
        error.starts_with("a.svm, row 2: label 2, expected +1 or -1"),
        "{error}"
    );
    // numbers are compared as numbers
    let listed = Table {
        drop: vec!["2".into()],
        ..Table::new("", &["+2.0"])
    };
    let data = parse(&listed, "1 1:2 2:1\n2 1:3\n").unwrap();
    assert_eq!(data.labels().as_slice(), [-1.0, 1.0]);
    assert_eq!(data.samples(), &dmatrix![2.0; 3.0]);
    let zero = parse(&signs, "1 0:2\n-1 1:3\n").unwrap();
    assert_eq!(zero.dimension(), 2);
    assert!(zero.cautions()[0].contains("start from 0"));
    let error = parse(&listed, "1 1:2\n2 1:3\n").unwrap_err().to_string();
    assert!(error.contains("no feature has the index `2`"), "{error}");
}

#[test]
fn dropped_rows_may_hold_anything_in_their_features() {
    let pair = Table {
        negative: Some(vec!["b".into()]),
        ..table()
    };
    let data = parse(&pair, "x,kind\n1,a\nunknown,c\n2,b\n").unwrap();
    assert_eq!(data.samples().as_slice(), [1.0, 2.0]);
}

#[test]
fn the_shipped_tables_have_their_documented_sizes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/data");
    let sizes = [
        ("iris.csv", "species", "setosa", 150, 4, 50),
        ("wdbc.csv", "diagnosis", "malignant", 569, 30, 212),
        ("digits01.csv", "digit", "0", 360, 64, 178),
        ("digits38.csv", "digit", "3", 357, 64, 183),
    ];
    for (file, label, positive, samples, dimension, positives) in sizes {
        let table = Table {
            label: label.into(),
            positive: vec![positive.into()],
            ..table()
        };
        let data = table.read(&directory.join(file)).unwrap();
        assert_eq!(
            (data.len(), data.dimension()),
            (samples, dimension),
            "{file}"
        );
        let found = data.labels().iter().filter(|&&y| y == 1.0).count();
        assert_eq!(found, positives, "{file}");
    }
}
