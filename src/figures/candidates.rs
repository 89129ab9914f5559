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

/// Angles below this are taken for zero, radians: which of them is smallest is chance.
const ZERO: f64 = 1e-6;
/// An angle that has been smaller by this factor does not keep falling.
const FALLING: f64 = 1.5;

/// What shows that the run has not reached the predicted limit, if anything does.
fn not_converged(run: &Drawn) -> Option<String> {
    let predicted = (run.limit.and(run.diagnostics.angle_to_limit.as_deref()))?;
    let end = predicted.last().copied().filter(|end| *end > ZERO)?;
    let of_others = (run.diagnostics.candidates.iter())
        .filter_map(|c| Some((c.label, c.angle.last().copied()?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((label, _)) = of_others.filter(|(_, angle)| *angle < end) {
        return Some(format!(
            "Not converged: at the end the nearest is “{label}”"
        ));
    }
    let least = predicted.iter().copied().fold(f64::INFINITY, f64::min);
    (end > FALLING * least).then(|| "Not converged: the predicted limit has been nearer".to_owned())
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
    let astray = not_converged(run);
    let panel = build::panel(
        astray.clone().unwrap_or_default(),
        build::axis("angle to the limit direction (radians)", Scale::Log10),
        series,
    );
    let caption = "Angle between the learned direction β and every direction it has been claimed, or might be thought, \
                   to converge to: minimisers of different potentials on the same data. The angle to the limit itself \
                   keeps falling; the angle to any other levels off at the distance between the two.";
    let (title, caption) = match astray {
        None => (
            "Angle between the weights and each candidate limit",
            caption.to_owned(),
        ),
        Some(why) => (
            "Angle to each candidate limit, of a run that has not converged",
            format!(
                "{caption} {why}: which of them the run converges to cannot be read off this figure."
            ),
        ),
    };
    Some(run.figure(ID, title, caption, vec![panel]))
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
    fn a_run_that_is_nearer_to_another_limit_is_not_said_to_converge() {
        let mut case = synthetic::convolutional(8, 2);
        let before = build(&case.run()).unwrap();
        assert_eq!(before.panels[0].title, "");
        let angles = case.diagnostics.angle_to_limit.as_mut().unwrap();
        *angles.last_mut().unwrap() = 0.05;
        let left = build(&case.run()).unwrap();
        assert!(left.panels[0].title.contains("has been nearer"));
        *case.diagnostics.candidates[2].angle.last_mut().unwrap() = 0.01;
        let other = build(&case.run()).unwrap();
        let name = case.diagnostics.candidates[2].label;
        assert!(other.panels[0].title.contains(name) && other.title.contains("not converged"));
        assert!(other.caption.contains("cannot be read off"));
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
