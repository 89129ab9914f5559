//! Kinds of files: what separates fields and ends lines, what is no text, and the svmlight format.

use super::*;

const KIND: &str = "[dataset.table]\npath = \"t.csv\"\nlabel = \"kind\"\npositive = [\"b\"]";
const ROWS: &str = "x,y,kind\n1,2,b\n2,1,b\n-1,-2,a\n-4,-2,a\n";

#[test]
fn separators_and_line_ends_are_told_apart() {
    let (expected, _) = limit(("t.csv", ROWS), KIND);
    for (separator, end) in [
        (",", "\r"),
        (";", "\n"),
        ("\t", "\r\n"),
        (";", "\r"),
        (" , ", "\n\n"),
    ] {
        let text = ROWS.replace(',', separator).replace('\n', end);
        let (found, _) = limit(("t.csv", &text), KIND);
        assert_eq!(found["beta"], expected["beta"], "{text:?}");
        // and errors stand in the row that an editor shows
        let text = text.replace("-1", "one");
        let row = if end == "\n\n" { 7 } else { 4 };
        let said = refusal(("t.csv", &text), KIND);
        assert!(
            said.contains(&format!(
                "t.csv, row {row}, column 1: `one` is not a number"
            )),
            "{said}"
        );
    }
    let said = refusal(("t.csv", &ROWS.replace(',', " ")), KIND);
    assert!(
        said.contains("`x y kind` (commas, semicolons or tabs separate columns)"),
        "{said}"
    );
    let said = refusal(
        ("t.csv", &ROWS.replace(',', ";").replace("2;", "2,5;")),
        KIND,
    );
    assert!(
        said.contains("`2,5` is not a number (column `y`; write 1.5 for 1,5, and 1000 for 1,000)"),
        "{said}"
    );
    // two that may separate, until it is said which
    let both = ROWS.replace("x,y,kind", "x,y (cm; mean),kind");
    let said = refusal(("t.csv", &both), KIND);
    assert!(
        said.contains("t.csv, row 1: commas and semicolons stand in this row"),
        "{said}"
    );
    let (found, _) = limit(("t.csv", &both), &format!("{KIND}\nseparator = \"comma\""));
    assert_eq!(found["beta"], expected["beta"]);
}

#[test]
fn files_of_other_kinds_are_refused_by_what_they_are() {
    let shop = Workshop::with(&[]);
    for (name, bytes, what) in [
        (
            "t.csv.gz",
            &b"\x1f\x8b\x08\0\0\0\0\0"[..],
            "this is a gzip file: unpack it first",
        ),
        (
            "t.csv",
            b"\x1f\x8b\x08\0\0\0\0\0",
            "this is a gzip file: unpack it first",
        ),
        (
            "x.npz",
            b"PK\x03\x04\x14\0\0\0x.npy",
            "this is a NumPy archive (.npz) of several arrays: save each as .npy",
        ),
        (
            "x.npy",
            b"PK\x03\x04\x14\0\0\0x.npy",
            "this is a NumPy archive (.npz)",
        ),
        ("x.csv", b"\x93NUMPY\x01\0", "this is a NumPy array (.npy)"),
        (
            "t.xlsx",
            b"PK\x03\x04\x14\0\0\0",
            "this is an Excel workbook (.xlsx): save it as CSV",
        ),
        (
            "t.csv",
            b"\xff\xfex\0,\0",
            "this is text in UTF-16: save it as UTF-8",
        ),
        (
            "t.arff",
            b"% about\n@RELATION iris\n",
            "this is an ARFF file: save it as CSV",
        ),
        ("t.csv", b"x,kind\n1,caf\xe9\n", "row 2: not UTF-8 text"),
    ] {
        std::fs::write(shop.path(name), bytes).unwrap();
        shop.file("table.toml", &scenario(&KIND.replace("t.csv", name)));
        shop.file("ones.csv", "1\n");
        let files = format!("[dataset.files]\nsamples = \"{name}\"\nlabels = \"ones.csv\"");
        shop.file("files.toml", &scenario(&files));
        let svmlight = format!("[dataset.table]\npath = \"{name}\"\nformat = \"svmlight\"");
        shop.file("svmlight.toml", &scenario(&svmlight));
        for toml in ["table.toml", "files.toml", "svmlight.toml"] {
            if toml == "files.toml" && what.starts_with("row") {
                continue;
            }
            let output = shop.ends(65, &format!("limit {toml}"));
            let said = text(&output.stderr);
            assert!(said.contains(name) && said.contains(what), "{toml}: {said}");
        }
    }
}

#[test]
fn svmlight_files_are_read_as_tables() {
    let (expected, _) = limit(
        (
            "t.csv",
            "x,y,z,kind\n1,2,0,b\n2,0,1,b\n-1,-2,0,a\n0,0,-4,a\n",
        ),
        KIND,
    );
    let sparse = "# a comment\n+1 1:1 2:2\n+1 1:2 3:1 # here too\n-1 1:-1 2:-2\n-1 3:-4\n";
    for dataset in [
        "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"",
        "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"\npositive = [\"1\"]",
        "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"\nlabel = \"y\"\npositive = [\"+1\"]\n\
         negative = [\"-1\"]",
        "[dataset.files]\nsamples = \"a.svm\"\nformat = \"svmlight\"",
    ] {
        let (found, printed) = limit(("a.svm", sparse), dataset);
        assert_eq!(found["beta"], expected["beta"], "{dataset}");
        assert!(
            printed.contains("`1` +1 (2 rows), `-1` -1 (2 rows)"),
            "{printed}"
        );
    }
    let classes = sparse.replace("\n+1 ", "\n2 ").replace("\n-1 ", "\n1 ");
    let said = refusal(
        ("a.svm", &classes),
        "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"",
    );
    assert!(
        said.contains("a.svm, row 2: label 2, expected +1 or -1") && said.contains("positive = "),
        "{said}"
    );
    let listed = "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"\npositive = [\"2\"]";
    let (found, _) = limit(("a.svm", &classes), listed);
    assert_eq!(found["beta"], expected["beta"]);
    // sparse rows that would fill the machine
    let said = refusal(
        ("a.svm", "1 1:1\n-1 99999999999:1\n"),
        "[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"",
    );
    assert!(
        said.contains("do not fit into the memory there is"),
        "{said}"
    );
    for (key, what) in [
        ("header = false", "header and separator say nothing"),
        ("drop = [\"9\"]", "no feature has the index `9`"),
    ] {
        let said = refusal(
            ("a.svm", sparse),
            &format!("[dataset.table]\npath = \"a.svm\"\nformat = \"svmlight\"\n{key}"),
        );
        assert!(said.contains(what), "{said}");
    }
}

/// Matrices with feedback whose product vanishes leave the layers below without errors.
#[test]
fn feedback_whose_product_is_zero_is_refused() {
    let scenario = |network: &str| {
        format!(
            "title = \"FA\"\ninitial = \"zero\"\n[dataset.gaussian-teacher]\ndimension = 2\nsamples = 3\nseed = 1\n\
             {network}\n\
             [rule.feedback-alignment]\nfeedback.files = [\"f1.csv\", \"f2.csv\"]\n[flow]\nuntil.log-log-time = 2.0\n"
        )
    };
    let full = "[network.fully-connected-linear]\ndepth = 3";
    let diagonal = "[network.diagonal-linear]\ndepth = 3";
    let circular = "[network.convolutional-linear]\ndepth = 3";
    for (network, first, second, zero) in [
        (full, "1,1\n1,1\n", "1\n-1\n", true),
        (full, "0.1,0.3\n0.1,0.3\n", "0.3\n-0.1\n", true),
        (full, "1,1\n1,1\n", "1\n-0.5\n", false),
        (full, "1,0\n0,0\n", "1e-20\n1\n", false),
        (diagonal, "1\n0\n", "0\n1\n", true),
        (diagonal, "1\n1\n", "0\n1\n", false),
        (circular, "1\n1\n", "1\n-1\n", true),
        (circular, "1\n1\n", "1\n1\n", false),
    ] {
        let shop = Workshop::with(&[
            ("s.toml", &scenario(network)),
            ("f1.csv", first),
            ("f2.csv", second),
        ]);
        let output = shop.command("limit s.toml").output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(
            said.contains("layer 1 never learns"),
            zero,
            "{network} {first} {second}: {said}"
        );
        if zero {
            assert_eq!(output.status.code(), Some(65));
            assert!(said.contains("F_1 F_2 = 0"), "{said}");
        }
    }
}
