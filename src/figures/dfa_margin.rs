//! The margin that fixed feedback never lowers on two-layer networks, beside the one that gradient descent never
//! lowers.

use super::{Drawn, Figure, Panel, Scale, Series, Style, build};
use crate::diagnostics::Homogeneous;

pub(crate) const ID: &str = "dfa-margin";

/// Applies once γ̃ is defined at two saves.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let homogeneous = run.diagnostics.homogeneous.as_ref()?;
    let margins = &homogeneous.feedback_margin;
    if margins.iter().flatten().count() < 2 {
        return None;
    }
    let event = margins.iter().position(Option::is_some)?;
    let law = run.theory().feedback_margin.as_ref()?;
    let panels = vec![own(run, homogeneous, event), of_gradients(run, homogeneous)];
    let offset = if law.offset > 0.0 {
        " Some units start below the level set: E^{3/4} is then corrected by a constant σ, which fades as weights grow."
    } else {
        ""
    };
    let symbol = run.problem.loss().inverse_symbol();
    let caption = format!(
        "Left: γ̃ = {symbol} / E^(3/4) with E = ½‖w₂‖², which on the level set is Σ ‖wⱼ‖⁴/(8bⱼ²), the potential of the \
         mirror flow. It exists from the event on (dashed) that the loss is below that of one sample with margin zero, \
         and never falls from there; so that one event makes the loss tend to zero.{offset} Right: what gradient \
         descent never lowers (Lyu and Li), {symbol} / ‖θ‖ᴸ, which fixed feedback does lower, and the smallest margin \
         over the product of the layers' norms, which the event keeps away from zero."
    );
    Some(run.figure(
        ID,
        "The margin that fixed feedback never lowers",
        caption,
        panels,
    ))
}

fn own(run: &Drawn, homogeneous: &Homogeneous, event: usize) -> Panel {
    let values = &homogeneous.feedback_margin;
    let symbol = run.problem.loss().inverse_symbol();
    // no γ̃: it is no single character, and the fonts of figures cannot combine the two
    let label = format!("{symbol} / E^(3/4), E = ½‖w₂‖²");
    let curve = build::line(label, 0, run.over_time_where_defined(values));
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let at = run.diagnostics.log_time[event];
    let event = build::reference(
        Some(format!("loss small enough, ln(1+t) = {at:.3}")),
        vec![(at, 0.0), (at, 1.1 * highest)],
    );
    let mut y = build::axis("margin per size of the output layer", Scale::Linear);
    y.range = Some((0.0, 1.1 * highest));
    build::panel("What fixed feedback never lowers", y, vec![curve, event])
}

fn of_gradients(run: &Drawn, homogeneous: &Homogeneous) -> Panel {
    let symbol = run.problem.loss().inverse_symbol();
    let smoothed = run.over_time_where_defined(&homogeneous.smoothed_margin);
    let over_layers: Vec<Option<f64>> = (0..run.diagnostics.log_time.len())
        .map(|k| run.diagnostics.margin_over_layers(k).filter(|m| *m > 0.0))
        .collect();
    let mut series: Vec<Series> = vec![
        build::line(format!("{symbol} / ‖θ‖ᴸ"), 1, smoothed),
        build::line(
            "min mₙ / (‖w₁‖‖w₂‖)",
            2,
            run.over_time_where_defined(&over_layers),
        ),
    ];
    series[1].style = Style::Dashed;
    let mut y = build::axis("margin per size of the weights", Scale::Log10);
    y.range = build::settled_range(&series);
    build::panel("What gradient descent never lowers", y, series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic_relu;

    #[test]
    fn it_starts_at_the_event_and_rises() {
        let case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        let [curve, event] = &figure.panels[0].series[..] else {
            panic!("two series")
        };
        let first = curve.points.iter().find(|p| p.1.is_finite()).unwrap();
        assert_eq!(first.0, event.points[0].0);
        assert_eq!(event.style, Style::Reference);
        let values = curve.points.iter().map(|p| p.1).filter(|y| y.is_finite());
        assert!(values.clone().zip(values.skip(1)).all(|(a, b)| a <= b));
        assert_eq!(figure.panels[1].series.len(), 2);
    }

    #[test]
    fn other_rules_and_depths_have_none() {
        assert!(build(&synthetic_relu::relu(5, &[12], false).run()).is_none());
        assert!(build(&synthetic_relu::relu(5, &[12, 6], true).run()).is_none());
    }
}
