//! The three tables that were read as something else without a word, each with its kind.

use super::*;

const KIND: &str = "[dataset.table]\npath = \"t.csv\"\nlabel = \"kind\"\npositive = [\"b\"]";

/// Two stray quotes swallowed five of eight rows.
#[test]
fn a_stray_quote_swallows_no_rows() {
    let rows = [
        "1,2,b", "2,1,b", "-1,-2,a", "-2,-1,a", "-3,-2,a", "3,1,b", "-1,-1,a", "2,2,b",
    ];
    let table = |rows: &[String]| format!("x,y,kind\n{}\n", rows.join("\n"));
    let sound: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
    let (document, printed) = limit(("t.csv", &table(&sound)), KIND);
    assert_eq!(document["dataset"]["samples"], 8);
    assert!(
        printed.contains("8 samples of dimension 2: 4 of class +1, 4 of class -1"),
        "{printed}"
    );

    // a quote too many, before or behind any field of any row; in any two rows; in place of the line's end
    let at = |row: usize, column: usize| format!("t.csv, row {}, column {column}", row + 2);
    for row in [0, 2, 7] {
        for column in 1..=3 {
            for behind in [false, true] {
                let mut spoiled = sound.clone();
                let mut fields: Vec<String> = spoiled[row].split(',').map(str::to_owned).collect();
                let field = &mut fields[column - 1];
                *field = if behind {
                    format!("{field}\"")
                } else {
                    format!("\"{field}")
                };
                spoiled[row] = fields.join(",");
                let said = refusal(("t.csv", &table(&spoiled)), KIND);
                assert!(
                    said.contains(&at(row, column)) && said.contains("quote"),
                    "{said}"
                );
                // the same again further down, so that the quotes are even
                let mut even = spoiled.clone();
                even[(row + 3) % 8] = spoiled[row].clone();
                let said = refusal(("t.csv", &table(&even)), KIND);
                let first = row.min((row + 3) % 8);
                assert!(
                    said.contains(&at(first, column)) && said.contains("quote"),
                    "{said}"
                );
            }
        }
    }
    for (field, what) in [
        ("\"1\"5", "`5` follows the quote"),
        ("1\"5\"", "stray quote in `1\"5\"`"),
        ("\"1\"\"", "opened here"),
        ("\"\"1", "`1` follows the quote"),
        ("\"1\n\"", "opened here"),
    ] {
        let text = format!("x,y,kind\n1,2,b\n{field},-1,a\n");
        let said = refusal(("t.csv", &text), KIND);
        assert!(
            said.contains("t.csv, row 3, column 1: ") && said.contains(what),
            "{said}"
        );
    }
}

/// Quotes where they belong change nothing: around numbers, names and labels, after spaces, around separators.
#[test]
fn quotes_in_place_change_nothing() {
    let plain = "x,y,kind\n1,2,b\n2,1,b\n-1,-2,a\n-4,-2,a\n";
    let (expected, _) = limit(("t.csv", plain), KIND);
    for text in [
        "\"x\",\"y\",\"kind\"\n\"1\",\"2\",\"b\"\n\"2\",\"1\",\"b\"\n\"-1\",\"-2\",\"a\"\n\"-4\",\"-2\",\"a\"\n",
        "x, \"y\", \"kind\"\n1, 2, \"b\"\n2, \"1\", \" b \"\n-1, -2, \"a\"\n-4 ,\"-2\" , a\n",
        "x\t\"y\"\tkind\r1\t2\t\"b\"\r2\t1\tb\r-1\t-2\ta\r-4\t-2\ta",
    ] {
        let (found, _) = limit(("t.csv", text), KIND);
        assert_eq!(found["beta"], expected["beta"], "{text}");
        assert_eq!(found["dataset"], expected["dataset"], "{text}");
    }
}

/// A blank label counted as −1 and gave another limit, (0.6, 0.2) in the place of (⅓, ⅓).
#[test]
fn a_missing_label_is_refused_where_it_stands() {
    let table =
        |label: &str| format!("x,y,kind\n1,2,b\n2,1,b\n-1,-2,a\n-2,-1,a\n-3,4,{label}\n-4,-2,a\n");
    for label in ["", " ", "\"\"", "?", "NA", "N/A", "nan", "NULL", "None"] {
        let text = table(label);
        let said = refusal(("t.csv", &text), KIND);
        assert!(
            said.contains("t.csv, row 6, column 3: the label is"),
            "{said}"
        );
        // said to be neither, it is left out, and that is said too
        let both = format!("{KIND}\nnegative = [\"a\"]");
        let (document, printed) = limit(("t.csv", &text), &both);
        let beta: Vec<f64> = document["beta"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect();
        assert!(
            beta.iter().all(|x| (x - 1.0 / 3.0).abs() < 1e-12),
            "{beta:?}"
        );
        assert_eq!(document["dataset"]["rows_left_out"], 1);
        assert!(
            printed.contains("left out (1 row)") && printed.contains("`a` -1 (3 rows)"),
            "{printed}"
        );
    }
    // a row of nothing, as spreadsheets leave them at the end
    let said = refusal(("t.csv", "x,y,kind\n1,2,b\n-1,-2,a\n,,\n"), KIND);
    assert!(
        said.contains("t.csv, row 4: no field of this row"),
        "{said}"
    );
}

/// Spellings of one value that ended in different classes.
#[test]
fn spellings_of_one_label_do_not_part() {
    for (first, second) in [
        ("1", "1.0"),
        ("1", "+1"),
        ("Yes", "yes"),
        ("b", "B"),
        (">50K", ">50K."),
        ("c d", "c  d"),
    ] {
        let table = format!("x,y,kind\n1,2,{first}\n2,1,{second}\n-1,-2,0\n");
        let one = format!(
            "[dataset.table]\npath = \"t.csv\"\nlabel = \"kind\"\npositive = [\"{first}\"]"
        );
        let said = refusal(("t.csv", &table), &one);
        let expected = format!(
            "t.csv, row 3, column 3: `{second}` would be taken as -1, and `{first}` of row 2 taken as +1"
        );
        assert!(said.contains(&expected), "{said}");
        let both = one.replace(
            &format!("\"{first}\"]"),
            &format!("\"{first}\", \"{second}\"]"),
        );
        let (document, _) = limit(("t.csv", &table), &both);
        assert_eq!(document["dataset"]["positive"], 2);
    }
}

/// The first row of data was taken for the header: 207 of 208 rows used.
#[test]
fn a_missing_header_is_said() {
    let sonar = sets::sonar();
    let naive = "[dataset.table]\npath = \"t.csv\"\nlabel = \"R\"\npositive = [\"M\"]\nconstant-feature = true";
    let said = refusal(("t.csv", &sonar), naive);
    assert!(
        said.contains(
            "t.csv, row 1: this row is taken for the header, and looks like a row of data"
        ),
        "{said}"
    );
    assert!(
        said.contains("header = false") && said.contains("label = \"61\""),
        "{said}"
    );

    let right = "[dataset.table]\npath = \"t.csv\"\nheader = false\nlabel = \"61\"\npositive = [\"M\"]\n\
                 constant-feature = true";
    let (document, printed) = limit(("t.csv", &sonar), right);
    assert_eq!(document["dataset"]["samples"], 208);
    assert!(
        printed.contains("208 samples of dimension 61: 111 of class +1, 97 of class -1"),
        "{printed}"
    );
    assert!(
        printed.contains("`R` -1 (97 rows), `M` +1 (111 rows)"),
        "{printed}"
    );
    assert!(
        printed.contains("CAUTION: constant-feature: ") && printed.contains("penalised"),
        "{printed}"
    );

    // numbered columns, as programs write them: read as a header, and said
    let numbers: Vec<String> = (0..61).map(|n| n.to_string()).collect();
    let numbered = format!("{}\n{sonar}", numbers.join(","));
    let by_number = "[dataset.table]\npath = \"t.csv\"\nlabel = \"60\"\npositive = [\"M\"]\nconstant-feature = true";
    let (again, printed) = limit(("t.csv", &numbered), by_number);
    assert!(printed.contains("208 samples"), "{printed}");
    assert!(
        printed.contains("CAUTION: row 1 is taken for the header, and its names are numbers"),
        "{printed}"
    );
    assert_eq!(again["beta"], document["beta"]);

    // no header, and a label that no other row has: read, and said
    let (_, printed) = limit(
        ("t.csv", "0.5,0.25,Q\n1,2,b\n2,1,b\n-1,-2,a\n"),
        "[dataset.table]\npath = \"t.csv\"\nlabel = \"Q\"\npositive = [\"b\"]",
    );
    assert!(
        printed.contains("3 samples") && printed.contains("CAUTION: row 1 is taken for the header"),
        "{printed}"
    );
}

/// Counts, fates and cautions are in what a run prints and leaves, for data of every kind.
#[test]
fn every_run_says_what_it_learned_from() {
    let table = "id,x,y,kind\n1,1,2,b\n2,2,1,b\n3,-1,-2,a\n4,5,5,c\n5,-2,-1,a\n";
    let dataset = format!("{KIND}\nnegative = [\"a\"]\nconstant-feature = true");
    let shop = Workshop::with(&[("s.toml", &scenario(&dataset)), ("t.csv", table)]);
    let output = shop.ends(0, "run s.toml --no-figures --out o");
    let (printed, noted) = (text(&output.stdout), text(&output.stderr));
    for fragment in [
        "4 samples of dimension 4: 2 of class +1, 2 of class -1",
        "`b` +1 (2 rows), `a` -1 (2 rows), `c` left out (1 row)",
        "column `id` looks as if it named or counted the rows",
        "penalised",
    ] {
        assert!(printed.contains(fragment), "{fragment}\n{printed}");
    }
    assert!(noted.contains("column `id` looks"), "{noted}");
    let data = shop.report("o")["dataset"].clone();
    let expected = serde_json::json!({
        "samples": 4, "dimension": 4, "positive": 2, "negative": 2, "label_column": "kind",
        "labels": [
            { "value": "b", "rows": 2, "class": "+1" },
            { "value": "a", "rows": 2, "class": "-1" },
            { "value": "c", "rows": 1, "class": "left out" },
        ],
        "rows_left_out": 1,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&data[key], value, "{key}");
    }
    assert_eq!(data["cautions"].as_array().unwrap().len(), 2);
    assert!(text(&shop.read("o", "report.html")).contains("2 of class +1"));

    shop.file(
        "dropped.toml",
        &scenario(&format!("{dataset}\ndrop = [\"id\"]")),
    );
    shop.ends(0, "run dropped.toml --no-figures --quiet --out dropped");
    let dropped = shop.report("dropped")["dataset"].clone();
    assert_eq!(
        (
            &dropped["dimension"],
            dropped["cautions"].as_array().unwrap().len()
        ),
        (&3.into(), 1)
    );

    let drawn = scenario("[dataset.gaussian-teacher]\ndimension = 3\nsamples = 5\nseed = 1");
    shop.file("drawn.toml", &drawn);
    let printed = text(&shop.ends(0, "limit drawn.toml").stdout).to_owned();
    assert!(
        printed.starts_with("data: 5 samples of dimension 3: "),
        "{printed}"
    );
    shop.ends(0, "run drawn.toml --no-figures --quiet --out drawn");
    let data = shop.report("drawn")["dataset"].clone();
    assert!(data.get("labels").is_none(), "{data}");
    assert_eq!(
        data["positive"].as_u64().unwrap() + data["negative"].as_u64().unwrap(),
        5
    );
}
