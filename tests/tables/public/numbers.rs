//! Sets of nothing but numbers, and a label.

use super::*;

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
