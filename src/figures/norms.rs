//! Growth of the layers, `‖w_l‖ ∝ (ln t)^{2^{l−1}/(2^L−1)}` with fixed feedback and `(ln t)^{1/L}` under gradient
//! descent, and decay of the loss, `−ln 𝓛 / ln(1+t) → 1`.

use super::{Drawn, Figure, Scale, build, ticks::subscript};

pub(crate) const ID: &str = "norms";

/// Always applies.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let depth = run.depth();
    let norms = &run.diagnostics.layer_norms;
    let times = &run.diagnostics.log_time;
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
        let (Some(&end), Some(&size)) = (times.last(), norm.iter().next_back()) else {
            continue;
        };
        // The later half of the logarithmic axis: a power law is an asymptotic statement.
        let slope = numerator / denominator;
        let start = end.max(1.0).sqrt();
        let guide = vec![(start, size * (start / end).powf(slope)), (end, size)];
        guides.push(build::reference(
            (row + 1 == depth).then(|| "predicted slopes".into()),
            guide,
        ));
    }
    growth.extend(guides);

    let decay: Vec<(f64, f64)> = run.over_time(
        run.diagnostics
            .log_loss
            .iter()
            .zip(times)
            .map(|(log_loss, tau)| -log_loss / tau),
    );
    // At the start −ln 𝓛(0)/ln(1+t) is arbitrarily large, of either sign.
    let settled = decay.iter().filter(|p| p.0 >= 1.0 && p.1.is_finite());
    let (low, high) = settled.fold((0.0f64, 1.1f64), |(a, b), p| (a.min(p.1), b.max(p.1)));
    let mut y = build::axis("−ln(loss) / ln(1+t)", Scale::Linear);
    y.range = Some((low - 0.03 * (high - low), high + 0.03 * (high - low)));
    let first = times.iter().find(|t| **t > 0.0).copied();
    let one = first
        .into_iter()
        .chain(times.last().copied())
        .map(|t| (t, 1.0))
        .collect();
    let loss = vec![
        build::line("−ln(loss) / ln(1+t)", 0, decay),
        build::reference(Some("loss = 1/t".into()), one),
    ];

    let panels = vec![
        build::panel("Layer norms", build::axis("‖wₗ‖", Scale::Log10), growth),
        build::panel("Decay of the loss", y, loss),
    ];
    let law = match &run.theory().growth {
        Some(growth) => format!(
            ", with the predicted growth {} (dashed, anchored at the end)",
            growth.law
        ),
        None => String::new(),
    };
    let caption = format!(
        "Left: norm of every layer against log time, both logarithmic{law}. Right: the exponent of the loss; it tends \
         to 1, that is, the loss falls like 1/t up to powers of ln t."
    );
    let title = if run.fits() {
        "Layers grow like powers of log time while the loss falls like 1/t"
    } else {
        "Layer norms and loss, of a run that has not fitted all samples"
    };
    Some(run.figure(ID, title, caption, panels))
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
    fn guides_lie_on_norms_that_obey_the_law() {
        // The synthetic norms are exact power laws of 1+τ.
        let figure = build(&synthetic::dfa(3).run()).unwrap();
        let series = &figure.panels[0].series;
        for (line, guide) in series[..3].iter().zip(&series[3..]) {
            let start = guide.points[0];
            let near = line.points.iter().rfind(|p| p.0 <= start.0).unwrap();
            assert!((near.1 / start.1).ln().abs() < 0.2, "{near:?} {start:?}");
        }
    }

    #[test]
    fn a_run_that_does_not_fit_is_not_said_to() {
        let mut case = synthetic::dfa(3);
        *case.diagnostics.min_margin.last_mut().unwrap() = -1e-14;
        assert!(build(&case.run()).unwrap().title.contains("not fitted"));
    }

    #[test]
    fn the_exponent_of_the_loss_tends_to_one() {
        let figure = build(&synthetic::dfa(3).run()).unwrap();
        let decay = &figure.panels[1].series[0];
        assert!((decay.points.last().unwrap().1 - 1.0).abs() < 1e-6);
        assert!(decay.points.iter().any(|p| p.1 < 0.5));
    }
}
