//! What the program refuses: how it ends, what it says, and that nothing is left behind.

use super::*;

#[test]
fn data_without_a_separator_are_refused_or_run_without_a_limit() {
    let shop = shop();
    let data = |name: &str| {
        format!("--set dataset.files.samples={name} --set dataset.files.labels=ones.csv")
    };
    let (xor, around) = (data("xor.csv"), data("around.csv"));
    for verb in ["run", "limit"] {
        let output = shop.ends(65, &format!("{verb} three.toml {xor}"));
        let message = text(&output.stderr);
        // The opposite pairs are samples 1 and 2, and 3 and 4: either proves it.
        let named =
            message.contains("1 (0.500), 2 (0.500)") || message.contains("3 (0.500), 4 (0.500)");
        assert!(named, "{message}");
        for fragment in [
            "not separable",
            "vanishes",
            "constant feature",
            "--allow-nonseparable",
        ] {
            assert!(message.contains(fragment), "{message}");
        }
    }
    assert!(!shop.path("out").exists());

    let allowed = format!(
        "run three.toml --allow-nonseparable --out a {around} --set flow.until.log-log-time=12 \
         --set expect.prop-1=not-applicable --set initial.gaussian.scale=0.1 --set initial.gaussian.seed=1"
    );
    shop.ends(0, &allowed);
    let report = shop.report("a");
    check_contract(&report);
    assert_eq!(report["status"], "completed");
    // Without a separator the loss has a minimum, and the flow ends there long before the horizon.
    assert_eq!(report["final"]["log_log_time"], 12.0);
    assert!(report["message"].as_str().unwrap().contains("came to rest"));
    assert_eq!(report["limit"]["kind"], "none");
    assert!(report["final"]["angle_to_limit"].is_null());
    assert!(report["final"]["min_margin"].as_f64().unwrap() < 0.0);
    for claim in report["claims"].as_array().unwrap() {
        // From random weights the loss of any data may rise.
        if claim["id"] != "loss-decreases" {
            assert_eq!(claim["verdict"], "not-applicable", "{claim}");
        }
    }
    let allowed = format!("limit three.toml --allow-nonseparable {around}");
    assert!(text(&shop.ends(0, &allowed).stdout).contains("no limit"));
    let output = shop.ends(0, &format!("{allowed} --format json"));
    let limit = json(&output.stdout);
    assert_eq!(limit["kind"], "none");
}

/// Every error: how it ends, and what its message holds of what is wrong, where, and what to do. Nothing is written.
#[test]
fn errors_say_what_where_and_what_to_do() {
    let shop = shop();
    shop.file("ragged.csv", "1,2,3\n4,5\n");
    let cases = [
        ("", 2, "Usage: marginflow | Commands:"),
        (
            "frobnicate",
            2,
            "unrecognized subcommand | 'frobnicate' | try '--help'",
        ),
        (
            "run",
            2,
            "arguments were not provided | <SCENARIO> | try '--help'",
        ),
        (
            "run three.toml --frob",
            2,
            "unexpected argument | '--frob' | Usage",
        ),
        (
            "run three.toml --format xml",
            2,
            "invalid value 'xml' | --format | values: text, json",
        ),
        (
            "run three.toml --figure-width 0.5",
            2,
            "--figure-width 0.5: give 1 to 40 inches",
        ),
        (
            "run three.toml --figure-width 2 --font-size 12",
            2,
            "--figure-width 2 has no room for labels of 12 points | make it wider",
        ),
        (
            "compare-runs a b --font-size 1",
            2,
            "--font-size 1: give 4 to 40 points",
        ),
        (
            "run three.toml --set flow.rtol",
            2,
            "expected key=value | --set flow.rtol: | e.g. --set",
        ),
        (
            "run three.toml --set flow.saves.x=1",
            2,
            "`flow.saves` is not a table | --set flow.saves.x=1",
        ),
        (
            "explain",
            2,
            "arguments were not provided | <ID> | try '--help'",
        ),
        (
            "explain thm-9",
            2,
            "there is no claim \"thm-9\" | the claims are prop-1, thm-1",
        ),
        (
            "claims --markdown --format json",
            2,
            "cannot be used with | --markdown | Usage",
        ),
        (
            "run nowhere.toml",
            65,
            "cannot read the scenario | nowhere.toml",
        ),
        (
            "run three.toml --set flow.rtl=1e-8",
            65,
            "unknown key `rtl`; did you mean `rtol`? | three.toml (after --set): | ^ | known here: until",
        ),
        (
            "run three.toml --set dataset.files.samples=gone.csv",
            65,
            "cannot read | gone.csv | three.toml (after --set): | ^ | relative to the folder of the scenario",
        ),
        (
            "run three.toml --set dataset.files.samples=ragged.csv",
            65,
            "ragged.csv, row 2: | 2 fields, but row 1 has 3",
        ),
        (
            "run three.toml --set rule=gradient-descent",
            65,
            "never leaves this initialisation | three.toml (after --set): | ^ | use initial.gaussian",
        ),
        (
            "run three.toml --set initial.gaussian.scale=1e99 --set initial.gaussian.seed=1 \
             --set network.fully-connected-linear.depth=5 --set network.fully-connected-linear.hidden=[3,3,3,3]",
            4,
            "not finite at t = 0 | margins of the initial weights | scale the data or the initial weights down",
        ),
        // A folder below a file cannot be made, whoever asks.
        (
            "run three.toml --out x.csv",
            74,
            "x.csv | cannot write | --out",
        ),
        (
            "run three.toml --out x.csv/deep/er",
            74,
            "x.csv | cannot write | --out",
        ),
    ];
    let before = files(shop.root());
    for (arguments, code, fragments) in cases {
        let output = shop.ends(code, arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        let message = text(&output.stderr);
        for fragment in fragments.split(" | ") {
            assert!(
                message.contains(fragment),
                "{arguments:?}: `{fragment}` not in\n{message}"
            );
        }
        assert!(!message.contains("panicked"), "{message}");
    }
    assert_eq!(files(shop.root()), before);
    assert!(!shop.path("out").exists());
}
