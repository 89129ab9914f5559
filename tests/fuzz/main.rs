//! Readers of what users write, on inputs that no user would: slips, splices, lies about sizes, and plain noise.
//!
//! Every run tries the same inputs, [`INPUTS`] per reader; `MARGINFLOW_FUZZ_INPUTS=1000000` tries more of them (best
//! with `--release`). `fuzz/` holds the targets of a search that is guided by coverage, with the same properties.

mod budget;
mod corpus;
mod mutation;
mod properties;
mod regressions;
mod twin;

use budget::{Cost, Counting, measured};
use corpus::Corpus;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Inputs per reader unless `MARGINFLOW_FUZZ_INPUTS` asks for another number.
const INPUTS: u64 = 20_000;
/// What no input may exceed: readers are linear in what they read, and inputs are at most 64 kB long.
const MOST: Cost = Cost {
    time: Duration::from_secs(1),
    bytes: 64 << 20,
};
/// The stack of a thread of the standard library: what a caller of the library has at least.
const STACK: usize = 2 << 20;

/// Whether the bytes are read; panics if a property fails.
type Property = fn(&[u8]) -> bool;

/// Holds `property` against one input.
///
/// # Errors
/// What went wrong.
fn check(property: Property, input: &[u8]) -> Result<bool, String> {
    let run = || measured(|| catch_unwind(AssertUnwindSafe(|| property(input))));
    let (mut outcome, mut cost) = run();
    if cost.time > MOST.time {
        // On a loaded machine a thread may be kept waiting; hardly twice.
        (outcome, cost) = run();
    }
    let read = outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic").to_owned()
    })?;
    match cost.time > MOST.time || cost.bytes > MOST.bytes {
        true => Err(format!("too expensive: {cost:?}")),
        false => Ok(read),
    }
}

/// Tries inputs made from `corpus`; panics with the first that fails, in hexadecimal.
fn try_all(reader: &str, corpus: &Corpus, property: Property) {
    let wanted = std::env::var("MARGINFLOW_FUZZ_INPUTS");
    let inputs = wanted.map_or(INPUTS, |n| {
        n.parse().expect("MARGINFLOW_FUZZ_INPUTS: a number")
    });
    let mut read = 0;
    for start in (0..inputs).step_by(1000) {
        let end = inputs.min(start + 1000);
        // A stack that overflows aborts the process, with the name of the thread.
        read += std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name(format!("{reader} inputs {start} to {end}"))
                .stack_size(STACK)
                .spawn_scoped(scope, || {
                    (start..end)
                        .filter(|&index| try_one(reader, corpus, property, index))
                        .count()
                })
                .expect("a thread")
                .join()
                .expect("a failure, said above")
        });
    }
    println!("{reader}: {inputs} inputs, {read} of them read");
    // Inputs that are all nonsense would test nothing but the first error.
    assert!(
        read as u64 >= inputs / 50,
        "{read} of {inputs} {reader} inputs are read"
    );
}

fn try_one(reader: &str, corpus: &Corpus, property: Property, index: u64) -> bool {
    let input = mutation::input(corpus, index);
    check(property, &input).unwrap_or_else(|why| {
        let hexadecimal: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let start = |text: &str| text.chars().take(2000).collect::<String>();
        let (why, text) = (start(&why), start(&String::from_utf8_lossy(&input)));
        panic!(
            "{reader} input {index}: {why}\nstarts\n{text}\nand is, in hexadecimal,\n{hexadecimal}"
        )
    })
}

#[test]
fn any_scenario_is_read_or_refused() {
    try_all("scenario", &corpus::scenarios(), properties::scenario);
}

#[test]
fn any_matrix_is_read_or_refused() {
    try_all("matrix", &corpus::matrices(), properties::matrix);
}

#[test]
fn any_table_is_read_or_refused() {
    try_all("table", &corpus::tables(), properties::table);
}

#[test]
fn any_table_with_quotes_is_read_or_refused() {
    try_all("quoted table", &corpus::quoted_tables(), properties::table);
}

/// The rows that are read are those of a reader of CSV that takes any text for it, where quotes stand as they should.
#[test]
fn tables_with_quotes_are_read_as_other_readers_read_them() {
    try_all("quoted table, twice", &corpus::quoted_tables(), twin::table);
}

#[test]
fn any_svmlight_file_is_read_or_refused() {
    try_all("svmlight", &corpus::svmlight(), properties::svmlight);
}

#[test]
fn any_certificate_is_read_or_refused() {
    try_all(
        "certificate",
        &corpus::certificates(),
        properties::certificate,
    );
}

/// The inputs tried start from inputs that pass: the mutations make the difference, not the corpus.
#[test]
fn the_corpus_itself_passes() {
    let corpora: [(Corpus, Property); 6] = [
        (corpus::certificates(), properties::certificate),
        (corpus::quoted_tables(), properties::table),
        (corpus::svmlight(), properties::svmlight),
        (corpus::scenarios(), properties::scenario),
        (corpus::matrices(), properties::matrix),
        (corpus::tables(), properties::table),
    ];
    for (corpus, property) in corpora {
        let read = corpus.inputs.iter().filter(|input| {
            check(property, input).unwrap_or_else(|why| {
                panic!("{why}\n{}", String::from_utf8_lossy(input));
            })
        });
        let (read, all) = (read.count(), corpus.inputs.len());
        println!("{read} of {all} are read");
        assert!(read >= 4 && read < all, "{read} of {all}");
    }
}

/// A reader that panics, recurses, takes memory or time is caught.
#[test]
fn the_checks_can_fail() {
    let fails: [(Property, &str); 3] = [
        (|_| panic!("broken"), "broken"),
        (|_| vec![0_u8; 65 << 20].len() == 1, "too expensive"),
        (
            |_| {
                std::thread::sleep(Duration::from_millis(1100));
                true
            },
            "too expensive",
        ),
    ];
    for (property, expected) in fails {
        let why = check(property, b"").unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(check(|_| true, b""), Ok(true));
}
