//! Convolutional and diagonal networks from outside: their limits, checked from the files alone, and their reports.

use super::*;
use num_complex::Complex64;
use std::f64::consts::TAU;

const SIGNED: [[f64; 6]; 4] = [
    [1.2, -0.3, 0.8, 0.1, 0.5, -0.9],
    [0.4, 0.9, -0.2, 1.1, -0.6, 0.3],
    [0.7, 0.2, 0.6, -0.4, 1.0, 0.8],
    [-0.1, 0.5, 1.3, 0.6, 0.2, -0.7],
];

const FEEDBACK: [[f64; 6]; 2] = [
    [0.6, -1.1, 0.3, 0.9, -0.4, 1.5],
    [1.0, 0.2, -0.7, 0.5, 1.3, -0.2],
];

fn column(entries: &[f64]) -> String {
    entries.iter().map(|x| format!("{x}\n")).collect()
}

/// The workshop with four samples of six dimensions (labels alternate), two feedback vectors, and `spectral.toml`.
fn shop(network: &str, depth: usize, rule: &str) -> Workshop {
    let shop = super::shop();
    let labels: Vec<f64> = (0..4)
        .map(|n| if n % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let rows = SIGNED.iter().zip(&labels).map(|(row, y)| {
        let fields: Vec<String> = row.iter().map(|x| (x * y).to_string()).collect();
        fields.join(",") + "\n"
    });
    shop.file("x6.csv", &rows.collect::<String>());
    shop.file("y4.csv", &column(&labels));
    for (l, b) in FEEDBACK.iter().enumerate() {
        shop.file(&format!("b_{}.csv", l + 1), &column(b));
    }
    let (rule, initial) = if rule == "gradient-descent" {
        ("rule = \"gradient-descent\"\n".to_owned(), "")
    } else {
        let files: Vec<String> = (1..depth).map(|l| format!("\"b_{l}.csv\"")).collect();
        let table = format!("[rule.{rule}]\nfeedback.files = [{}]\n", files.join(", "));
        (table, "initial = \"zero\"\n")
    };
    let (top, table) = if rule.starts_with('[') {
        (initial.to_owned(), rule)
    } else {
        (
            rule,
            "[initial]\ngaussian = { scale = 0.1, seed = 3 }\n".to_owned(),
        )
    };
    shop.file(
        "spectral.toml",
        &format!(
            "title = \"Four samples of six dimensions\"\n{top}\
             [dataset.files]\nsamples = \"x6.csv\"\nlabels = \"y4.csv\"\n\
             [network.{network}]\ndepth = {depth}\n{table}[flow]\nuntil.log-log-time = 30.0\nsaves = 61\n"
        ),
    );
    shop
}

fn limit(shop: &Workshop, more: &str) -> Value {
    let printed = shop.ends(0, &format!("limit spectral.toml --format json {more}"));
    json(&printed.stdout)
}

/// Entries in the basis the network acts in, by the definition of the unitary transform.
fn entries(network: &str, x: &[f64]) -> Vec<Complex64> {
    let dimension = x.len();
    if network == "diagonal-linear" {
        return x.iter().map(|&x| Complex64::from(x)).collect();
    }
    let wave =
        |j: usize, d: usize| Complex64::from_polar(1.0, -TAU * (j * d) as f64 / dimension as f64);
    let entry = |d: usize| (0..dimension).map(|j| wave(j, d) * x[j]).sum::<Complex64>();
    (0..dimension)
        .map(|d| entry(d) / (dimension as f64).sqrt())
        .collect()
}

fn combined(multipliers: &[f64]) -> Vec<f64> {
    let entry = |j: usize| (0..4).map(|n| multipliers[n] * SIGNED[n][j]).sum();
    (0..6).map(entry).collect()
}

/// Margins at least one, multipliers non-negative, and on samples of margin one only.
#[track_caller]
fn assert_complementary(beta: &[f64], multipliers: &[f64], support: &[f64]) {
    for (n, g) in SIGNED.iter().enumerate() {
        let margin: f64 = g.iter().zip(beta).map(|(g, b)| g * b).sum();
        assert!(margin > 1.0 - 1e-12, "{margin}");
        let supports = support.contains(&(n as f64));
        assert_eq!(multipliers[n] > 0.0, supports);
        assert!(!supports || (margin - 1.0).abs() < 1e-12, "{margin}");
    }
}

#[test]
fn the_limit_under_feedback_is_optimal_by_its_files() {
    for network in ["convolutional-linear", "diagonal-linear"] {
        for depth in [2, 3] {
            let shop = shop(network, depth, "direct-feedback-alignment");
            let found = limit(&shop, "--out kept");
            assert_eq!(found["kind"], "fourier-norm");
            assert!(found["duality_gap"].as_f64().unwrap() <= 1e-12);
            assert!(found["stationarity"].is_null());
            assert_eq!(found["unique"], true);
            let power = 2f64.powi(depth as i32) - 1.0;
            let p = 1.0 + 1.0 / power;
            assert!((found["exponent"].as_f64().unwrap() - p).abs() < 1e-15);
            let (beta, a) = (numbers(&found["beta"]), numbers(&found["multipliers"]));
            assert_complementary(&beta, &a, &numbers(&found["support"]));
            // Gᵀa = ∇(½ψ²)(β), with ψ^p = Σ_d W_d^{−1/(2^L−1)} |β̂_d|^p.
            let mut weights = vec![1.0; 6];
            for (l, b) in (1..depth).zip(&FEEDBACK) {
                for (weight, b) in weights.iter_mut().zip(entries(network, b)) {
                    *weight *= b.norm().powf(-(2f64.powi((depth - l) as i32)) / power);
                }
            }
            let hat = entries(network, &beta);
            let sum: f64 = hat
                .iter()
                .zip(&weights)
                .map(|(b, w)| w * b.norm().powf(p))
                .sum();
            let scale = sum.powf((2.0 - p) / p);
            let dual = entries(network, &combined(&a));
            let size = dual.iter().map(|z| z.norm()).fold(0.0, f64::max);
            for ((z, b), w) in dual.iter().zip(&hat).zip(&weights) {
                let gradient = b * (scale * w * b.norm().powf(p - 2.0));
                assert!(
                    (z - gradient).norm() < 1e-10 * size,
                    "{network} {depth}: {z} {gradient}"
                );
            }
            // What --out keeps is what was printed.
            assert_eq!(json(&shop.read("kept", "limit.json")), found);
            assert_eq!(files(&shop.path("kept")).len(), 1);
        }
    }
}

/// Feedback alignment has the limit of the products of its filters: for diagonal networks entry by entry.
#[test]
fn the_limit_under_feedback_alignment_is_that_of_its_products() {
    let shop = shop("diagonal-linear", 3, "feedback-alignment");
    let alignment = limit(&shop, "");
    let product: Vec<f64> = FEEDBACK[0]
        .iter()
        .zip(&FEEDBACK[1])
        .map(|(x, y)| x * y)
        .collect();
    let direct = self::shop("diagonal-linear", 3, "direct-feedback-alignment");
    assert_ne!(limit(&direct, "")["beta"], alignment["beta"]);
    direct.file("b_1.csv", &column(&product));
    let found = numbers(&limit(&direct, "")["beta"]);
    for (x, y) in found.iter().zip(numbers(&alignment["beta"])) {
        assert!((x - y).abs() < 1e-12, "{x} {y}");
    }
}

#[test]
fn the_limit_of_gradient_descent_is_sparse_or_stationary() {
    for network in ["convolutional-linear", "diagonal-linear"] {
        let shop = shop(network, 2, "gradient-descent");
        let found = limit(&shop, "");
        assert_eq!(found["kind"], "fourier-l1");
        assert_eq!(found["exponent"], 1.0);
        assert!(found["duality_gap"].as_f64().unwrap() <= 1e-12);
        let (beta, a) = (numbers(&found["beta"]), numbers(&found["multipliers"]));
        assert_complementary(&beta, &a, &numbers(&found["support"]));
        // No |ẑ_d| above ψ = Σ|β̂_d|, and along β̂_d at that size wherever it is not zero.
        let hat = entries(network, &beta);
        let psi: f64 = hat.iter().map(|b| b.norm()).sum();
        for (z, b) in entries(network, &combined(&a)).iter().zip(&hat) {
            assert!(z.norm() <= psi * (1.0 + 1e-12), "{z} {psi}");
            if b.norm() > 1e-9 * psi {
                assert!((z - b / b.norm() * psi).norm() < 1e-10 * psi, "{z} {b}");
            }
        }

        let shop = self::shop(network, 3, "gradient-descent");
        let found = limit(&shop, "--out kept");
        assert_eq!(found["kind"], "fourier-norm");
        assert!((found["exponent"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-15);
        assert!(found["duality_gap"].is_null());
        assert!(found["stationarity"].as_f64().unwrap() <= 1e-9);
        assert_eq!(found["unique"], false);
        let (beta, a) = (numbers(&found["beta"]), numbers(&found["multipliers"]));
        assert_complementary(&beta, &a, &numbers(&found["support"]));
        let hat = entries(network, &beta);
        let largest = hat.iter().map(|b| b.norm()).fold(0.0, f64::max);
        let ratios: Vec<Complex64> = entries(network, &combined(&a))
            .iter()
            .zip(&hat)
            .filter(|(_, b)| b.norm() > 1e-9 * largest)
            .map(|(z, b)| z / (b * b.norm().powf(2.0 / 3.0 - 2.0)))
            .collect();
        for ratio in &ratios {
            assert!((ratio / ratios[0].norm() - 1.0).norm() < 1e-8, "{ratios:?}");
        }
        let told = shop.ends(0, "limit spectral.toml").stdout;
        for fragment in ["stationary point", "not convex", "stationarity residual"] {
            assert!(text(&told).contains(fragment), "{}", text(&told));
        }
        // Nowhere near its end there is no limit to speak of, or none to find.
        let output = shop.ends(4, "limit spectral.toml --set flow.max-steps=5");
        assert!(
            text(&output.stderr).contains("raise flow.max-steps"),
            "{output:?}"
        );
    }
}

/// A constant and one cosine: nothing is fed back at frequencies 2 and 3.
#[test]
fn feedback_that_vanishes_at_a_frequency() {
    let shop = shop("convolutional-linear", 2, "direct-feedback-alignment");
    let cosine = |j: usize| 1.0 + (TAU * j as f64 / 6.0).cos();
    shop.file("b_1.csv", &column(&(0..6).map(cosine).collect::<Vec<_>>()));
    let found = limit(&shop, "");
    assert_eq!(found["kind"], "fourier-norm");
    assert!(found["duality_gap"].as_f64().unwrap() <= 1e-12);
    let beta = numbers(&found["beta"]);
    let hat = entries("convolutional-linear", &beta);
    let largest = hat[0].norm().max(hat[1].norm());
    for d in [2, 3, 4] {
        assert!(hat[d].norm() < 1e-14 * largest, "{hat:?}");
    }
    for g in &SIGNED {
        assert!(g.iter().zip(&beta).map(|(g, b)| g * b).sum::<f64>() > 1.0 - 1e-12);
    }
    shop.ends(0, "run spectral.toml --out reached --quiet");
    let report = shop.report("reached");
    check_contract(&report);
    let end = entries("convolutional-linear", &numbers(&report["final"]["beta"]));
    assert!(end[2].norm() <= 1e-12 * end[0].norm() && end[3].norm() <= 1e-12 * end[0].norm());
    let verdict = |id: &str| {
        let claims = report["claims"].as_array().unwrap().iter();
        claims.clone().find(|c| c["id"] == id).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict("thm-2-corrected"), "holds");
    assert_eq!(verdict("prop-2-corrected"), "holds");

    // Alternating samples live at frequency 3 alone.
    shop.file("x6.csv", "1,-1,1,-1,1,-1\n-2,2,-2,2,-2,2\n");
    shop.file("y4.csv", "1\n-1\n");
    for verb in ["limit", "run"] {
        let output = shop.ends(65, &format!("{verb} spectral.toml"));
        let message = text(&output.stderr);
        for fragment in [
            "data are separable",
            "feedback vanishes at [2, 3]",
            "another feedback",
        ] {
            assert!(message.contains(fragment), "{message}");
        }
    }
}

#[test]
fn a_run_reports_what_it_certified_along_its_path() {
    for (network, depth, rule, kind) in [
        (
            "convolutional-linear",
            2,
            "direct-feedback-alignment",
            "fourier-norm",
        ),
        (
            "convolutional-linear",
            3,
            "feedback-alignment",
            "fourier-norm",
        ),
        ("convolutional-linear", 2, "gradient-descent", "fourier-l1"),
        ("diagonal-linear", 3, "gradient-descent", "fourier-norm"),
    ] {
        let shop = shop(network, depth, rule);
        shop.ends(0, "run spectral.toml --out a --quiet");
        let report = shop.report("a");
        check_contract(&report);
        assert_eq!(report["status"], "completed");
        assert_eq!(report["limit"]["kind"], kind);
        let absent: &[&str] = if rule == "gradient-descent" {
            &["alignment", "phases", "swept-area", "sandwich"]
        } else {
            &["alignment"]
        };
        check_figures(&files(&shop.path("a")), &[absent, &OF_RELU].concat());
        let gaps =
            ["duality_gap", "accumulated_duality_gap"].map(|key| report["final"][key].as_f64());
        if rule == "gradient-descent" && depth == 3 {
            // No dual, no gap.
            assert_eq!(gaps, [None, None]);
            assert!(
                report["limit"]["duality_gap"].is_null() && report["rate"]["predicted"].is_null()
            );
        } else {
            let bound = if rule == "gradient-descent" {
                0.5
            } else {
                0.05
            };
            let [own, path] = gaps.map(Option::unwrap);
            assert!(
                (0.0..1e-2).contains(&own) && (0.0..bound).contains(&path),
                "{own} {path}"
            );
        }
        assert!(report["final"]["kkt_residual"].as_f64().unwrap() < 0.1);
        // The limit alone is the limit of the run.
        let alone = limit(&shop, "");
        for (x, y) in numbers(&alone["beta"])
            .iter()
            .zip(numbers(&report["limit"]["beta"]))
        {
            assert!((x - y).abs() < 1e-9, "{network} {rule}: {x} {y}");
        }
        assert_eq!(alone["support"], report["limit"]["support"]);
    }
}
