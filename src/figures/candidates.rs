//! Which of the claimed limits the run converges to: its angle to each against log time.

use nalgebra::DVector;

use super::{Drawn, Figure, Scale, build};

pub(crate) const ID: &str = "candidates";

/// A limit that has been claimed for the run, rightly or not.
pub(crate) struct Claimed<'a> {
    pub label: &'a str,
    pub colour: usize,
    pub beta: &'a DVector<f64>,
    /// Radians, over the saves.
    pub angle: Option<&'a [f64]>,
}

/// The predicted limit first, then the candidates, in the same colours in every figure.
pub(crate) fn claimed<'a>(run: &Drawn<'a>) -> Vec<Claimed<'a>> {
    let predicted = run.limit.map(|limit| Claimed {
        label: "predicted limit",
        colour: 0,
        beta: &limit.beta,
        angle: run.diagnostics.angle_to_limit.as_deref(),
    });
    let others = run.diagnostics.candidates.iter().enumerate();
    predicted
        .into_iter()
        .chain(others.map(|(k, candidate)| Claimed {
            label: candidate.label,
            colour: k + 1,
            beta: &candidate.beta,
            angle: Some(&candidate.angle),
        }))
        .collect()
}

/// Applies if there are candidates to distinguish from the predicted limit.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    if run.diagnostics.candidates.is_empty() {
        return None;
    }
    let series = claimed(run)
        .into_iter()
        .filter_map(|limit| {
            let angles = limit.angle?.iter().map(|&angle| build::floored(angle));
            Some(build::line(
                limit.label,
                limit.colour,
                run.over_time(angles),
            ))
        })
        .collect();
    let panel = build::panel(
        "",
        build::axis("angle to the limit direction (radians)", Scale::Log10),
        series,
    );
    let caption = "Angle between the learned direction β and every direction it has been claimed, or might be thought, \
                   to converge to: minimisers of different potentials on the same data. The angle to the limit itself \
                   keeps falling; the angle to any other levels off at the distance between the two.";
    Some(run.figure(
        ID,
        "Angle between the weights and each candidate limit",
        caption.into(),
        vec![panel],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn the_predicted_angle_falls_below_all_others() {
        let case = synthetic::convolutional(8, 2);
        let figure = build(&case.run()).unwrap();
        let series = &figure.panels[0].series;
        assert_eq!(series.len(), case.diagnostics.candidates.len() + 1);
        assert_eq!(series[0].label.as_deref(), Some("predicted limit"));
        let end = |k: usize| series[k].points.last().unwrap().1;
        for (k, candidate) in case.diagnostics.candidates.iter().enumerate() {
            assert_eq!(series[k + 1].label.as_deref(), Some(candidate.label));
            assert!(end(k + 1) > 0.05 && end(0) < 1e-3 * end(k + 1));
        }
        let mut colours: Vec<usize> = series.iter().map(|s| s.colour).collect();
        colours.dedup();
        assert_eq!(colours.len(), series.len());
    }

    #[test]
    fn applies_only_where_limits_compete() {
        assert!(build(&synthetic::dfa(2).run()).is_none());
        let case = synthetic::convolutional(8, 2);
        let without = Drawn {
            limit: None,
            ..case.run()
        };
        assert_eq!(
            build(&without).unwrap().panels[0].series.len(),
            case.diagnostics.candidates.len()
        );
    }
}
