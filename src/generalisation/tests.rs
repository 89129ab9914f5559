use super::*;

const RATIOS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

fn conv(exponent: f64, law: Law) -> Blocks {
    Blocks { block: Block::Pair, exponent, law }
}

fn fixed_feedback(depth: u32, feedback: Feedback) -> Blocks {
    let power = 2f64.powi(depth as i32) - 1.0;
    conv(1.0 + 1.0 / power, Law::of_feedback(feedback, Block::Pair, depth))
}

/// The table of THEORY §7; Gaussian rows were computed to ±0.1 there.
#[test]
fn the_table() {
    let rows: [(&str, Option<Blocks>, [f64; 6], f64); 6] = [
        ("fc", None, [67.73, 59.19, 47.83, 33.93, 20.46, 10.97], 0.006),
        ("bp", Some(conv(1.0, Law::constant())), [75.01, 65.19, 51.37, 35.20, 20.73, 11.01], 0.006),
        ("unit 2", Some(fixed_feedback(2, Feedback::UnitModulus)), [69.58, 60.71, 48.76, 34.30, 20.55, 10.98], 0.006),
        ("gauss 2", Some(fixed_feedback(2, Feedback::Gaussian)), [72.10, 63.27, 50.78, 35.45, 20.91, 11.04], 0.1),
        ("unit 3", Some(fixed_feedback(3, Feedback::UnitModulus)), [72.03, 62.61, 49.83, 34.68, 20.63, 11.00], 0.006),
        ("gauss 3", Some(fixed_feedback(3, Feedback::Gaussian)), [74.57, 65.37, 52.17, 35.85, 20.96, 11.05], 0.1),
    ];
    for (name, blocks, expected, tolerance) in rows {
        for (ratio, expected) in RATIOS.into_iter().zip(expected) {
            let found = match &blocks {
                None => euclidean(ratio),
                Some(blocks) => separable(ratio, blocks),
            };
            let found = found.unwrap().angle.to_degrees();
            eprintln!("{name} {ratio} {found:.6} {expected}");
            assert!((found - expected).abs() <= tolerance, "{name} at {ratio}: {found}, expected {expected}");
        }
    }
}
