//! How fast the direction of β reaches its limit: `angle ∝ (ln t)^r`, a straight line of slope r here.

use super::{Figure, Run, Scale, Window, build};

pub const ID: &str = "angle-to-limit";

/// Applies where there is a limit to measure the angle to.
pub fn build(run: &Run) -> Option<Figure> {
    let angles = run.diagnostics.angle_to_limit.as_ref()?;
    let y = build::axis("angle to the limit direction (radians)", Scale::Log10);
    let curve = run.over_time(angles.iter().copied());
    let Some(rate) = &run.diagnostics.rate else {
        let panel = build::panel("", y, vec![build::line("angle(β, limit)", 0, curve)]);
        let caption = "Angle between the learned direction β and the limit the theory predicts, against log time. \
                       No rate was fitted to this run.";
        return Some(run.figure(ID, TITLE, caption.into(), vec![panel]));
    };

    let [from, to] = rate.window;
    let middle = (from + to) / 2.0;
    let observed = format!(
        "angle(β, limit), slope {} in the fit window",
        build::slope(rate.observed)
    );
    let mut series = vec![build::line(observed, 0, curve)];
    if let (Some(predicted), Some(anchor)) = (
        rate.predicted,
        at(&run.diagnostics.log_log_time, angles, middle),
    ) {
        // ln(angle) is linear in s = ln(1+τ): the guide bends a little where τ is not yet large. It spans the window
        // and half of it again on either side.
        let reach = to - from;
        let guide = (0..=60)
            .map(|k| middle - reach + 2.0 * reach * f64::from(k) / 60.0)
            .filter(|&s| s > 0.0 && Some(&s) <= run.diagnostics.log_log_time.last())
            .map(|s| (s.exp_m1(), anchor * (predicted * (s - middle)).exp()))
            .collect();
        series.push(build::reference(
            Some(format!("predicted slope {}", build::slope(predicted))),
            guide,
        ));
    }
    let mut panel = build::panel("", y, series);
    panel.window = Some(Window {
        label: "fit window".into(),
        range: (from.exp_m1(), to.exp_m1()),
    });
    let caption = format!(
        "Angle between the learned direction β and the limit the theory predicts, against log time, both logarithmic: \
         a power law (ln t)^r is a straight line of slope r. Over the shaded window the run's slope is {}{}.",
        build::slope(rate.observed),
        rate.predicted.map_or_else(String::new, |predicted| format!(
            ", the predicted one {} (dashed, anchored in the middle of the window)",
            build::slope(predicted)
        ))
    );
    Some(run.figure(ID, TITLE, caption, vec![panel]))
}

const TITLE: &str = "Angle between the weights and their predicted limit";

/// The angle at `s`, interpolated in its logarithm between the nearest saves.
fn at(log_log_time: &[f64], angles: &[f64], s: f64) -> Option<f64> {
    let after = log_log_time.partition_point(|&t| t < s);
    if after == 0 || after >= log_log_time.len() {
        return None;
    }
    let (s0, s1) = (log_log_time[after - 1], log_log_time[after]);
    let (a0, a1) = (angles.get(after - 1)?, angles.get(after)?);
    let angle = (a0.ln() + (s - s0) / (s1 - s0) * (a1.ln() - a0.ln())).exp();
    (angle.is_finite() && angle > 0.0).then_some(angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Style, synthetic};

    #[test]
    fn the_guide_has_the_predicted_slope_and_meets_the_curve_in_the_window() {
        let mut case = synthetic::dfa(3);
        case.diagnostics.rate.as_mut().unwrap().predicted = Some(-0.25);
        let figure = build(&case.run()).unwrap();
        let panel = &figure.panels[0];
        let guide = &panel.series[1];
        assert_eq!(guide.style, Style::Reference);
        for pair in guide.points.windows(2) {
            let slope = (pair[1].1 / pair[0].1).ln() / (pair[1].0.ln_1p() - pair[0].0.ln_1p());
            assert!((slope + 0.25).abs() < 1e-9, "{slope}");
        }
        let middle = guide.points[30];
        let curve = panel.series[0]
            .points
            .iter()
            .find(|p| p.0 >= middle.0)
            .unwrap();
        assert!((curve.1 / middle.1 - 1.0).abs() < 0.1);
        let window = panel.window.as_ref().unwrap();
        assert!(window.range.0 < middle.0 && middle.0 < window.range.1);
    }

    #[test]
    fn the_legend_gives_both_slopes_to_three_digits() {
        let case = synthetic::dfa(3);
        let figure = build(&case.run()).unwrap();
        let labels: Vec<&str> = figure.panels[0]
            .series
            .iter()
            .filter_map(|s| s.label.as_deref())
            .collect();
        assert!(labels[0].contains("−0.143"), "{labels:?}");
        assert_eq!(labels[1], "predicted slope −0.143");
    }

    #[test]
    fn without_a_limit_there_is_no_figure_and_without_a_rate_no_guide() {
        let mut case = synthetic::dfa(2);
        case.diagnostics.rate = None;
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels[0].series.len(), 1);
        assert!(figure.panels[0].window.is_none());
        case.diagnostics.angle_to_limit = None;
        assert!(build(&case.run()).is_none());
    }
}
