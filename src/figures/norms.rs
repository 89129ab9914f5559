//! Growth of the layers, `‖w_l‖ ∝ (ln t)^{2^{l−1}/(2^L−1)}` with fixed feedback and `(ln t)^{1/L}` under gradient
//! descent, and decay of the loss, `−ln 𝓛 / ln(1+t) → 1`. A loss that rises on the way is shown itself, too.

use super::{Drawn, Figure, Panel, Scale, Series, build, ticks::subscript};

pub(crate) const ID: &str = "norms";

/// Exponents of the loss are shown from this log time on: before, `−ln 𝓛(0)/ln(1+t)` is arbitrarily large.
const SETTLED: f64 = 1.0;
/// A loss counts as rising if its logarithm rises by more than this, and by more than this part of itself.
const RISE: (f64, f64) = (1e-2, 1e-4);
/// The loss itself is shown until it is this part of the first.
const GONE: f64 = 1e-3;

/// Always applies.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let rises = rises(&run.diagnostics.log_loss);
    let mut panels = vec![
        build::panel(
            "Layer norms",
            build::axis("‖wₗ‖", Scale::Log10),
            growth(run),
        ),
        decay(run),
    ];
    if rises {
        panels.push(the_loss(run));
    }
    let law = match &run.theory().growth {
        Some(growth) => format!(
            ", with the predicted growth {} (dashed, drawn a little above)",
            growth.law
        ),
        None => String::new(),
    };
    let below = match rises {
        true => " Below: the loss itself, as long as it is large; it rises on the way.",
        false => "",
    };
    let caption = format!(
        "Left: norm of every layer against log time, both logarithmic{law}. Right: the exponent of the loss, from \
         ln(1+t) = 1 on; it tends to 1, that is, the loss falls like 1/t up to powers of ln t.{below}"
    );
    let title = match (run.fits(), rises) {
        (false, _) => "Layer norms and loss, of a run that has not fitted all samples",
        (true, false) => "Layers grow like powers of log time while the loss falls like 1/t",
        (true, true) => "The loss rises on the way, and falls like 1/t in the end",
    };
    Some(run.figure(ID, title, caption, panels))
}

/// The norm of every layer, and guides of the predicted slopes.
fn growth(run: &Drawn) -> Vec<Series> {
    let norms = &run.diagnostics.layer_norms;
    let mut growth = Vec::new();
    let mut guides = Vec::new();
    for (row, norm) in norms.row_iter().enumerate() {
        let name = format!("‖w{}‖", subscript(row + 1));
        let points = run.over_time(norm.iter().copied());
        let Some(law) = &run.theory().growth else {
            growth.push(build::line(name, row, points));
            continue;
        };
        let (numerator, denominator) = (law.numerators[row], law.denominator);
        let label = format!("{name}, slope {numerator}/{denominator}");
        growth.push(build::line(label, row, points));
        let end = run.diagnostics.log_time.last();
        let (Some(&end), Some(&size)) = (end, norm.iter().next_back()) else {
            continue;
        };
        // The later half of the logarithmic axis: a power law is an asymptotic statement.
        let slope = numerator / denominator;
        let start = end.max(1.0).sqrt();
        let guide = [(start, size * (start / end).powf(slope)), (end, size)];
        guides.push(build::reference(
            (row + 1 == run.depth()).then(|| "predicted slopes".into()),
            build::beside(&guide, norms.iter().copied()),
        ));
    }
    growth.extend(guides);
    growth
}

/// The exponent of the loss, and the one it tends to, framed for the times from which on it says something.
fn decay(run: &Drawn) -> Panel {
    let times = &run.diagnostics.log_time;
    let exponents = run.diagnostics.log_loss.iter().zip(times);
    let all = run.over_time(exponents.map(|(log_loss, tau)| -log_loss / tau));
    let from = |least: f64| -> Vec<(f64, f64)> {
        let later = all.iter().filter(|p| p.0 > 0.0 && p.0 >= least);
        later.copied().filter(|p| p.1.is_finite()).collect()
    };
    // A run that ends before is shown as a whole.
    let shown = match from(SETTLED) {
        settled if settled.len() > 1 => settled,
        _ => from(0.0),
    };
    let ends = shown.first().zip(shown.last());
    let one = ends.map_or_else(Vec::new, |(a, b)| vec![(a.0, 1.0), (b.0, 1.0)]);
    let (low, high) = (shown.iter()).fold((1.0f64, 1.0f64), |(a, b), p| (a.min(p.1), b.max(p.1)));
    let air = 0.05 * (high - low).max(0.1);
    let mut y = build::axis("−ln(loss) / ln(1+t)", Scale::Linear);
    y.range = Some((low - air, high + air));
    let curve = build::line("−ln(loss) / ln(1+t)", 0, all.clone());
    let guide = build::reference(Some("loss = 1/t".into()), one);
    let mut panel = build::panel("Decay of the loss", y, vec![curve, guide]);
    panel.x.range = ends.map(|(a, b)| (a.0, b.0)).filter(|(a, b)| a < b);
    panel
}

/// Whether the loss has been smaller than it is later, by more than the error of a run.
fn rises(log_loss: &[f64]) -> bool {
    let mut least = f64::INFINITY;
    log_loss.iter().any(|now| {
        least = least.min(*now);
        now - least > RISE.0 && now - least > RISE.1 * now.abs()
    })
}

/// The loss, relative to the first, as long as there is some.
fn the_loss(run: &Drawn) -> Panel {
    let log_loss = &run.diagnostics.log_loss;
    let start = log_loss.first().copied().unwrap_or(0.0);
    let part: Vec<f64> = log_loss.iter().map(|l| (l - start).exp()).collect();
    let last = part.iter().rposition(|p| *p > GONE).unwrap_or(0);
    // Of the times at which nothing has happened yet, only the last ones.
    let first = part
        .iter()
        .position(|p| (p - 1.0).abs() > 1e-2)
        .unwrap_or(0);
    let early = run.diagnostics.log_time[first] / 3.0;
    let points = run.over_time(part).into_iter().take(last + 2);
    let shown = points.filter(|p| p.0 >= early).collect();
    build::panel(
        "The loss itself rises on the way",
        build::axis("loss / loss at the start", Scale::Linear),
        vec![build::line("loss", 0, shown)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Style, synthetic};

    fn guide_slopes(figure: &Figure) -> Vec<f64> {
        let guides = figure.panels[0]
            .series
            .iter()
            .filter(|s| s.style == Style::Reference);
        guides
            .map(|s| (s.points[1].1 / s.points[0].1).ln() / (s.points[1].0 / s.points[0].0).ln())
            .collect()
    }

    #[test]
    fn guides_have_the_predicted_slopes() {
        let close = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            assert!(
                found
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| (a - b).abs() < 1e-12),
                "{found:?}"
            );
        };
        close(
            guide_slopes(&build(&synthetic::dfa(3).run()).unwrap()),
            &[1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0],
        );
        close(
            guide_slopes(&build(&synthetic::gradient_descent(2).run()).unwrap()),
            &[0.5, 0.5],
        );
    }

    #[test]
    fn guides_lie_beside_norms_that_obey_the_law() {
        // The synthetic norms are exact power laws of 1+τ.
        let figure = build(&synthetic::dfa(3).run()).unwrap();
        let series = &figure.panels[0].series;
        let above: Vec<f64> = (series[..3].iter().zip(&series[3..]))
            .map(|(line, guide)| {
                let start = guide.points[0];
                let near = line.points.iter().rfind(|p| p.0 <= start.0).unwrap();
                (start.1 / near.1).ln()
            })
            .collect();
        // All a few per cent of the axis above, so that they are seen beside the curves.
        let axis = (series[2].points[300].1 / series[0].points[1].1).ln();
        for up in &above {
            assert!((0.02..0.06).contains(&(up / axis)), "{above:?} of {axis}");
            assert!((up - above[0]).abs() < 0.2, "{above:?}");
        }
    }

    #[test]
    fn a_run_that_does_not_fit_is_not_said_to() {
        let mut case = synthetic::dfa(3);
        *case.diagnostics.min_margin.last_mut().unwrap() = -1e-14;
        assert!(build(&case.run()).unwrap().title.contains("not fitted"));
    }

    #[test]
    fn a_loss_that_rises_is_shown_and_said_to() {
        let mut case = synthetic::dfa(3);
        assert_eq!(build(&case.run()).unwrap().panels.len(), 2);
        let log_loss = &mut case.diagnostics.log_loss;
        log_loss[0] = 0.0;
        for (k, value) in [-0.1, -0.7, -0.3, -0.5].into_iter().enumerate() {
            log_loss[k + 1] = value;
        }
        let figure = build(&case.run()).unwrap();
        assert!(figure.title.contains("rises"), "{}", figure.title);
        let loss = &figure.panels[2].series[0].points;
        assert!(loss.windows(2).any(|p| p[1].1 > p[0].1 + 0.2));
        assert!(loss.iter().all(|p| p.0 > 0.0 && p.1 > 0.0));
        // Rounding of large values is no rise.
        assert!(!rises(&[0.0, -1e8, -1e8 + 1.0]));
    }

    #[test]
    fn no_exponent_leaves_the_frame() {
        let figure = build(&synthetic::dfa(3).run()).unwrap();
        let panel = &figure.panels[1];
        let ((from, to), (low, high)) = (panel.x.range.unwrap(), panel.y.range.unwrap());
        assert!(from >= SETTLED);
        let mut shown = (panel.series[0].points.iter()).filter(|p| (from..=to).contains(&p.0));
        assert!(shown.all(|p| (low..=high).contains(&p.1)));
    }

    #[test]
    fn the_exponent_of_the_loss_tends_to_one() {
        let figure = build(&synthetic::dfa(3).run()).unwrap();
        let decay = &figure.panels[1].series[0];
        assert!((decay.points.last().unwrap().1 - 1.0).abs() < 1e-6);
        assert!(decay.points.iter().any(|p| p.1 < 0.5));
    }
}
