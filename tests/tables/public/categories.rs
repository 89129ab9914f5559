//! Sets with words, values that are missing, several classes, or in a format of their own.

use super::*;

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
