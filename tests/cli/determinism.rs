//! The same bytes whatever the number of threads: `run` with finite steps, `compare --critical`, `reproduce`. (Sweeps:
//! `sweep`.)

use super::program::{Files, Workshop, ends, same};

const SCENARIO: &str = r#"# Ten step sizes in lanes beside the flow.
initial = "zero"
[dataset.gaussian-teacher]
dimension = 8
samples = 5
seed = 5
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
saves = 9
[steps]
sizes = [1e-2, 5e-3, 4e-3, 3e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5]
count = 3000
[expect]
prop-1 = "holds"
"#;

/// What a command leaves with so many threads; `{jobs}` in it stands for them.
fn made(command: &str, threads: usize) -> Files {
    let shop = Workshop::with(&[("s/lanes.toml", SCENARIO)]);
    let threads = threads.to_string();
    let mut command = shop.command(&command.replace("{jobs}", &threads));
    command.env("RAYON_NUM_THREADS", &threads);
    ends(0, command);
    shop.left("o")
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    for command in [
        "run s/lanes.toml --out o --quiet",
        "compare s/lanes.toml --critical --out o --quiet --set steps.count=2000",
        "reproduce --scenarios s --out o --jobs {jobs} --quiet",
    ] {
        let one = made(command, 1);
        assert!(one.len() >= 5, "{:?}", one.keys());
        for threads in [2, 7] {
            println!("{command}, {threads} threads");
            same(&one, &made(command, threads));
        }
    }
}
