//! Inputs that went wrong once, or that readers of these formats are known to go wrong on. All are refused, within the
//! budget.

use super::{Property, check, properties};

fn assert_refused(property: Property, input: &[u8], what: &str) {
    assert_eq!(check(property, input), Ok(false), "{what}");
}

/// An array of eight bytes under this header, in format version 1.
fn npy(header: &str) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        &[0; 8],
    ]
    .concat()
}

/// The product of the lengths overflowed in the library that once read the headers.
#[test]
fn shapes_whose_product_overflows() {
    for shape in [
        "4294967296, 4294967296",
        "4294967296, 4294967296, 4294967296",
        "0, 18446744073709551615",
    ] {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
        assert_refused(properties::matrix, &npy(&header), shape);
    }
}

/// It was allocated before the file turned out to be shorter.
#[test]
fn a_header_of_four_gigabytes() {
    for version in [2, 3] {
        let input = [
            b"\x93NUMPY",
            &[version, 0, 0xff, 0xff, 0xff, 0xff, b'{'][..],
        ]
        .concat();
        assert_refused(properties::matrix, &input, "a header longer than its file");
    }
}

#[test]
fn brackets_within_brackets() {
    for bracket in [
        "[",
        "(",
        "{",
        "{'shape': ",
        "{a=",
        "[[",
        "a=[",
        "a={b=",
        "-",
        "\"",
        "'",
        "\"\"\"",
    ] {
        let times = 60_000 / bracket.len();
        let nested = bracket.repeat(times);
        for start in ["", "{'shape': ", "{'descr': ", "x = "] {
            let text = format!("{start}{nested}");
            assert_refused(properties::scenario, text.as_bytes(), &text[..20]);
            assert_refused(properties::matrix, npy(&text).as_slice(), &text[..20]);
        }
    }
}

/// Keys of keys of keys, in the file and on the command line.
#[test]
fn keys_without_end() {
    let key = ["a"; 20_000].join(".");
    for text in [
        format!("{key} = 1"),
        format!("[{key}]"),
        format!("# set: {key}=1"),
        format!("# set: a={}", "[".repeat(40_000)),
        format!("# set: {}=1", "a".repeat(60_000)),
    ] {
        assert_refused(properties::scenario, text.as_bytes(), &text[..20]);
    }
}

/// They were quoted in full.
#[test]
fn fields_that_fill_a_screen() {
    let digits = "7".repeat(40_000);
    let kind = format!("{{'descr': '{digits}', 'fortran_order': False, 'shape': (1,), }}");
    assert_refused(
        properties::matrix,
        digits.as_bytes(),
        "a number that is not finite",
    );
    assert_refused(properties::matrix, &npy(&kind), "a kind of entries");
    assert_refused(
        properties::table,
        format!("{digits}\n1\n").as_bytes(),
        "a label",
    );
    assert_refused(
        properties::table,
        format!("x,y\n{digits},{digits}\n").as_bytes(),
        "a value",
    );
}

/// The name that is looked for was put in lower case once for every column.
#[test]
fn a_name_as_long_as_there_are_columns() {
    let header = ";".repeat(34_143);
    assert_refused(
        properties::table,
        header.as_bytes(),
        "nothing but separators",
    );
}

/// They reached the terminal as they were.
#[test]
fn fields_that_command_the_terminal() {
    for command in ["\u{1b}[2J", "\u{9b}2J", "\u{85}", "\u{7}", "\0"] {
        assert_refused(
            properties::matrix,
            format!("1,{command}").as_bytes(),
            "a field",
        );
        let table = format!("x,{command}\n1,{command}\n{command},2\n");
        assert_refused(properties::table, table.as_bytes(), "names and values");
        for text in [
            format!("[data{command}]"),
            format!("loss = '{command}'"),
            format!("# set: {command}=1"),
            "\"\\u001b[2J\" = 1".to_owned(),
        ] {
            assert_refused(properties::scenario, text.as_bytes(), "a scenario");
        }
    }
}
