//! The table of exit codes, also shown in docs/architecture.md.

/// Done, and every expectation met.
pub const DONE: u8 = 0;
/// A claim had another verdict than `[expect]` says.
pub const UNEXPECTED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// Cases of a sweep or study are missing.
pub const INCOMPLETE: u8 = 3;
/// The integrator could not start, failed midway, or is not as accurate as it should be.
pub const SOLVER: u8 = 4;
/// A budget ran out; the output is partial.
pub const BUDGET: u8 = 5;
/// The scenario or its data cannot be used, or the data are not separable (`EX_DATAERR` of sysexits.h).
pub const DATA: u8 = 65;
/// Reading or writing failed (`EX_IOERR`).
pub const IO: u8 = 74;

/// A signal ended the command: 128 + its number.
pub fn of_signal(signal: usize) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// Whether a run that ended with this code reached its horizon, whatever the verdicts on claims.
pub fn is_complete(code: u8) -> bool {
    code < SOLVER
}

/// Whether a run that ended with this code left a report, even if only a partial one.
pub fn leaves_report(code: u8) -> bool {
    code < DATA
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/architecture.md has a row for each code, and no other rows.
    #[test]
    fn the_documented_codes_are_these() {
        let page = include_str!("../../docs/architecture.md");
        let (_, table) = page
            .split_once("| code | when | from |\n|---|---|---|\n")
            .unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<&str> = rows
            .map(|row| row.split('|').nth(1).unwrap().trim())
            .collect();
        let single = [
            DONE, UNEXPECTED, USAGE, INCOMPLETE, SOLVER, BUDGET, DATA, IO,
        ];
        let mut expected: Vec<String> = single.iter().map(u8::to_string).collect();
        expected.push(format!("{}, {}", of_signal(2), of_signal(15)));
        assert_eq!(documented, expected);
    }
}
