//! Which margin problem a ReLU network solves: KKT residuals of the candidates, and the margins of the network itself.
//!
//! Two layers with fixed feedback tend to KKT points of `min Σ_j ‖w_j‖⁴/b_j²`, gradient descent to those of
//! `min ½‖θ‖²`, each subject to `y_n f(x_n) ≥ 1`.

use super::{Drawn, Figure, Panel, Scale, Style, build};
use crate::diagnostics::Homogeneous;
use crate::theory::MarginProblem;

pub(crate) const ID: &str = "kkt";

/// A margin that shrinks by more than this factor needs a logarithmic axis.
const WIDE: f64 = 10.0;

/// Applies to ReLU networks that have classified all samples correctly at some save.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let homogeneous = run.diagnostics.homogeneous.as_ref()?;
    let residuals = residuals(run, homogeneous)?;
    let panels = vec![residuals, margins(run, homogeneous)];
    let which = match &run.theory().margin_problem {
        Some(MarginProblem::LeastFeedbackPotential(_)) => {
            "Two layers with fixed feedback tend to a KKT point of the first problem, and of the second only where the \
             two share one"
        }
        None => "No such problem is known for fixed feedback through more than two layers",
        Some(MarginProblem::LeastNorm) => "Gradient descent tends to a KKT point of min ½‖θ‖²",
    };
    let margin = if run.has_feedback() {
        "Under fixed feedback layers grow at different rates, and no theorem keeps either of them up; what two layers \
         never lower is γ̃ (dfa-margin)."
    } else {
        "Under gradient descent the smoothed one never falls once the loss is small (Lyu and Li), and both share a \
         limit."
    };
    let caption = format!(
        "Left: relative distance of the run, scaled to margin one, from the KKT conditions of margin problems subject \
         to yₙ f(xₙ) ≥ 1; (ε, δ) are those of Lyu and Li for min ½‖θ‖²: distance from stationarity, and from \
         complementarity. {which}. Right: smallest margin over ‖θ‖ᴸ, and the same with the margin at which one sample \
         alone would have the loss of all. {margin} Curves start once every sample is on its right side; zeros are \
         drawn at 10⁻¹⁷."
    );
    Some(run.figure(
        ID,
        "Which margin problem the network solves",
        caption,
        panels,
    ))
}

fn residuals(run: &Drawn, homogeneous: &Homogeneous) -> Option<Panel> {
    let curves = [
        ("min Σ ‖wⱼ‖⁴/bⱼ²", &homogeneous.feedback_kkt, Style::Line),
        ("min ½‖θ‖²", &homogeneous.gradient_kkt, Style::Line),
        ("ε of min ½‖θ‖²", &homogeneous.epsilon, Style::Dashed),
        ("δ of min ½‖θ‖²", &homogeneous.delta, Style::Dashed),
    ];
    let series: Vec<_> = curves
        .into_iter()
        .enumerate()
        .filter(|(_, (_, values, _))| values.iter().any(Option::is_some))
        .map(|(k, (label, values, style))| {
            let mut line = build::line(label, k, run.over_time_where_defined(values));
            line.style = style;
            line
        })
        .collect();
    (!series.is_empty()).then(|| {
        let y = build::axis("residual of the KKT conditions", Scale::Log10);
        build::panel("How far the run is from KKT points", y, series)
    })
}

fn margins(run: &Drawn, homogeneous: &Homogeneous) -> Panel {
    let smoothed: Vec<f64> = homogeneous
        .smoothed_margin
        .iter()
        .map(|m| m.unwrap_or(f64::NAN))
        .collect();
    let symbol = run.problem.loss().inverse_symbol();
    let mut series = vec![
        build::line(
            "min mₙ / ‖θ‖ᴸ",
            0,
            run.over_time(homogeneous.normalised_margin.iter().copied()),
        ),
        build::line(format!("{symbol} / ‖θ‖ᴸ"), 1, run.over_time(smoothed)),
    ];
    series[1].style = Style::Dashed;
    let high = series
        .iter()
        .flat_map(|s| &s.points)
        .filter(|p| p.1.is_finite())
        .fold(0.0f64, |high, p| high.max(p.1));
    let last = homogeneous.normalised_margin.last().copied();
    let shrinks = last.filter(|last| *last > 0.0 && high / last > WIDE);
    let mut y = build::axis("margin per size of the weights", Scale::Linear);
    // On its way to a positive value the margin passes through all smaller ones; the frame is for what follows.
    if let Some(last) = shrinks {
        y.scale = Scale::Log10;
        y.range = Some((last / 1.3, 1.3 * high));
    } else if high > 0.0 {
        y.range = Some((0.0, 1.1 * high));
    }
    build::panel("Normalised and smoothed margin", y, series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Series, synthetic, synthetic_relu};

    fn end(s: &Series) -> f64 {
        s.points.last().unwrap().1
    }

    #[test]
    fn fixed_feedback_meets_its_own_conditions_only() {
        let case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        let [conditions, margins] = &figure.panels[..] else {
            panic!("two panels")
        };
        let s = &conditions.series;
        assert_eq!(s.len(), 4);
        assert!(s[0].label.as_deref().unwrap().contains("‖wⱼ‖⁴/bⱼ²"));
        assert!(end(&s[0]) < 1e-3 * end(&s[1]));
        assert_ne!(s[1].style, s[2].style);
        assert!(s[0].points[0].1.is_nan());
        assert_eq!(margins.y.scale, Scale::Log10);
    }

    #[test]
    fn without_feedback_its_problem_is_left_out() {
        let case = synthetic_relu::relu(5, &[12], false);
        let figure = build(&case.run()).unwrap();
        let conditions = &figure.panels[0].series;
        assert_eq!(conditions.len(), 3);
        assert!(conditions[0].label.as_deref().unwrap().contains("½‖θ‖²"));
        // The gradient's curve keeps its colour.
        assert_eq!(conditions[0].colour, 1);
        assert_eq!(figure.panels[1].y.scale, Scale::Linear);
    }

    #[test]
    fn linear_networks_and_runs_without_a_margin_have_none() {
        assert!(build(&synthetic::dfa(2).run()).is_none());
        let mut case = synthetic_relu::relu(5, &[12], true);
        let h = case.diagnostics.homogeneous.as_mut().unwrap();
        for values in [
            &mut h.feedback_kkt,
            &mut h.gradient_kkt,
            &mut h.epsilon,
            &mut h.delta,
        ] {
            values.fill(None);
        }
        assert!(build(&case.run()).is_none());
    }
}
