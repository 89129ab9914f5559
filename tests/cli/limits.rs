//! Limits of degenerate data from outside: small integers, ties, and margins thinner than rounding.

use super::*;

const GRADIENT_DESCENT: &str = "\"gradient-descent\"";
const FEEDBACK: &str = "{ direct-feedback-alignment = { feedback.files = [\"ones.csv\"] } }";

/// A workshop with `limit.toml` on these samples and labels, two layers of a network.
fn shop(samples: &str, labels: &str, network: &str, rule: &str) -> Workshop {
    let scenario = format!(
        "loss = \"exponential\"\ninitial.gaussian = {{ scale = 0.1, seed = 1 }}\nrule = {rule}\n\
         [dataset.files]\nsamples = \"x.csv\"\nlabels = \"y.csv\"\n[network.{network}]\ndepth = 2\n\
         [flow]\nuntil.log-log-time = 20.0\n"
    );
    Workshop::with(&[
        ("x.csv", samples),
        ("y.csv", labels),
        ("ones.csv", "1\n1\n1\n1\n1\n"),
        ("limit.toml", &scenario),
    ])
}

/// Two samples are active on one coefficient, so the multipliers are not unique: of all that fit it, few are dual
/// solutions.
#[test]
fn more_active_samples_than_coefficients() {
    let shop = shop(
        "0,0,1,3,2\n3,0,0,1,2\n",
        "1\n1\n",
        "diagonal-linear",
        GRADIENT_DESCENT,
    );
    let limit = json(&shop.ends(0, "limit limit.toml --format json").stdout);
    assert_eq!(limit["kind"], "fourier-l1");
    let beta = numbers(&limit["beta"]);
    assert!(
        (beta.iter().map(|b| b.abs()).sum::<f64>() - 0.5).abs() < 1e-15,
        "{beta:?}"
    );
    assert!(limit["duality_gap"].as_f64().unwrap() <= 1e-12);
    assert_eq!(limit["unique"], true);
    assert!((beta[4] - 0.5).abs() < 1e-15);
    let run = shop.ends(0, "run limit.toml --no-figures --out o");
    assert!(
        text(&run.stdout).contains("gd-conv"),
        "{}",
        text(&run.stdout)
    );
}

/// Two pairs of equal features: how each pair shares its weight is not for the potential to say.
#[test]
fn a_limit_that_is_not_unique_says_so() {
    let samples = "1,0,1,0\n1,0,1,0\n0,1,0,1\n0,1,0,1\n";
    let shop = shop(
        samples,
        "1\n1\n-1\n-1\n",
        "diagonal-linear",
        GRADIENT_DESCENT,
    );
    let limit = json(&shop.ends(0, "limit limit.toml --format json").stdout);
    assert_eq!(limit["unique"], false);
    let beta = numbers(&limit["beta"]);
    assert!((beta[0] + beta[2] - 1.0).abs() < 1e-15 && (beta[1] + beta[3] + 1.0).abs() < 1e-15);
    let sentence = shop.ends(0, "limit limit.toml").stdout;
    assert!(text(&sentence).contains("other minimisers may exist"));
}

/// Exact integers whose margin is 2.5e-4, 3e-17 of their size: separable, though no f64 can show it.
#[test]
fn a_margin_below_rounding_is_not_called_none() {
    let samples = "\
        -620243775731,-198710601255,148986215274,-987161393255,-773943237301\n\
        -257075451860,176042300775,-644310135898,-357850645653,700187508591\n\
        -111686667122,236792633321,-576261838200,155257071582,-875417117401\n\
        -722113573603,201889592089,85318503340,787327370169,954202119768\n\
        -145745395562,-242361809261,-989716762023,893075095528,-989087585620\n\
        -7997164005970,896106458045,-2050027086420,-2788423343695,4402231955289\n";
    let shop = shop(
        samples,
        "-1\n-1\n-1\n-1\n-1\n1\n",
        "fully-connected-linear",
        FEEDBACK,
    );
    for verb in ["limit", "run"] {
        let output = shop.ends(65, &format!("{verb} limit.toml"));
        let message = text(&output.stderr);
        for fragment in ["have a separator (margin 2.5", "e-4 at unit norm)"] {
            assert!(message.contains(fragment), "{message}");
        }
        assert!(!message.contains("not separable"), "{message}");
    }
    // With the opposite of a sample beside it a combination does vanish.
    let opposite = "7997164005970,-896106458045,2050027086420,2788423343695,-4402231955289\n";
    let labels = "-1\n-1\n-1\n-1\n-1\n1\n1\n";
    let samples = format!("{samples}{opposite}");
    let shop = self::shop(&samples, labels, "fully-connected-linear", FEEDBACK);
    let message = shop.ends(65, "limit limit.toml").stderr;
    assert!(
        text(&message).contains("not separable"),
        "{}",
        text(&message)
    );
}

/// One sample (1, 1) and two layers: β_d ∝ W_d with W_d = b_d², so b = (1, 1) and b = (1, 2) lead to (1, 1) and (1, 4).
#[test]
fn the_angle_between_two_limits_that_differ_in_the_feedback() {
    let scenario = |feedback: &str, network: &str| {
        format!(
            "loss = \"exponential\"\ninitial = \"zero\"\n[dataset.files]\nsamples = \"x.csv\"\nlabels = \"y.csv\"\n\
             {network}\n[rule.direct-feedback-alignment]\nfeedback.files = [\"{feedback}\"]\n\
             [flow]\nuntil.log-log-time = 8.0\n"
        )
    };
    let diagonal = "[network.diagonal-linear]\ndepth = 2";
    let shop = Workshop::with(&[
        ("x.csv", "1,1\n"),
        ("y.csv", "1\n"),
        ("even.csv", "1\n1\n"),
        ("uneven.csv", "1\n2\n"),
        ("even.toml", &scenario("even.csv", diagonal)),
        ("uneven.toml", &scenario("uneven.csv", diagonal)),
        (
            "relu.toml",
            &scenario("even.csv", "[network.relu]\nhidden = [2]"),
        ),
    ]);
    let limit = json(
        &shop
            .ends(0, "limit even.toml --beside uneven.toml --format json")
            .stdout,
    );
    let expected = 4f64.atan() - 1f64.atan();
    assert!(
        (limit["angle_beside"].as_f64().unwrap() - expected).abs() < 1e-12,
        "{limit}"
    );
    assert!((limit["effective_entries"].as_f64().unwrap() - 2.0).abs() < 1e-12);
    let sentence = shop.ends(0, "limit even.toml --beside uneven.toml").stdout;
    assert!(text(&sentence).contains("angle to the limit of uneven.toml: 5.4041"));
    let alone = json(&shop.ends(0, "limit uneven.toml --format json").stdout);
    assert!(alone["angle_beside"].is_null());
    // (1 + 4)²/(1 + 16)
    assert!((alone["effective_entries"].as_f64().unwrap() - 25.0 / 17.0).abs() < 1e-12);
    let refused = shop.ends(2, "limit even.toml --beside relu.toml").stderr;
    assert!(text(&refused).contains("not directions in one input space"));
}
