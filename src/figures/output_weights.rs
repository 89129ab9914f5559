//! Output weights of a ReLU network against the feedback of their units: same signs, from the conservation law
//! `b_j w_{L,j} − ½‖w_{L−1,j}‖² = const`.

use super::{Drawn, Figure, Panel, Scale, Series, Style, build, ticks::subscript};
use crate::diagnostics::Homogeneous;
use nalgebra::DVector;

pub(crate) const ID: &str = "output-weights";

/// Guides end here, beyond every point: entries of directions lie in [−1, 1].
const BEYOND: f64 = 2.0;

/// Relative differences below this are rounding.
const ROUNDING: f64 = 1e-15;

/// Applies to ReLU networks with fixed feedback, once output weights are non-zero.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let homogeneous = run.diagnostics.homogeneous.as_ref()?;
    // units of general networks may share weights, and have several output weights
    if homogeneous.unit_norms.nrows() == 0 {
        return None;
    }
    let feedback = run.theory().errors.last_feedback()?.clone();
    let weights = &homogeneous.output_weights;
    let last = weights.column_iter().next_back()?;
    if !last.iter().any(|w| *w != 0.0) {
        return None;
    }
    let units = Units {
        run,
        homogeneous,
        feedback,
    };
    let panels = vec![
        units.over_time(),
        units.against_feedback(),
        units.conserved(),
        units.growth(),
    ];
    let l = subscript(run.depth());
    let below = subscript(run.depth() - 1);
    let caption = format!(
        "Output weights w{l}ⱼ and the fixed feedback bⱼ of their units. Along the exact flow bⱼ w{l}ⱼ − ½‖w{below}ⱼ‖² \
         is constant for every unit j; once a unit has outgrown its initial value, w{l}ⱼ has the sign of bⱼ (second \
         panel: first and third quadrant), and the constant fades beside both terms (third panel: their relative \
         difference). From weights on the level set, where the constant is zero, both are true from the start, up to \
         the error of the run; less than 10⁻¹⁵ is drawn there. Last: units that grow follow the power law (dashed, \
         drawn a little above); units that respond to no sample of the support any more stay as they are."
    );
    let title = if units.feedback.iter().zip(&last).all(|(b, w)| b * w >= 0.0) {
        "Output weights take the signs of the feedback"
    } else {
        "Output weights and the feedback of their units"
    };
    Some(run.figure(ID, title, caption, panels))
}

struct Units<'a> {
    run: &'a Drawn<'a>,
    homogeneous: &'a Homogeneous,
    feedback: DVector<f64>,
}

impl Units<'_> {
    /// One series per unit in the colour of its sign, the first of either sign labelled.
    fn series(&self, style: Style, points: impl Fn(usize) -> Vec<(f64, f64)>) -> Vec<Series> {
        let mut labelled = [false; 2];
        self.feedback
            .iter()
            .enumerate()
            .map(|(j, b)| {
                let colour = usize::from(*b < 0.0);
                let first = !std::mem::replace(&mut labelled[colour], true);
                let label = if colour == 0 { "bⱼ > 0" } else { "bⱼ < 0" };
                Series {
                    label: first.then(|| label.into()),
                    points: points(j),
                    style,
                    colour,
                    opacity: if self.feedback.len() > 20 { 0.6 } else { 0.9 },
                }
            })
            .collect()
    }

    fn over_time(&self) -> Panel {
        let run = self.run;
        let weights = &self.homogeneous.output_weights;
        let sizes: Vec<f64> = weights.column_iter().map(|w| w.norm()).collect();
        let mut series = self.series(Style::Line, |j| {
            run.over_time(weights.row(j).iter().zip(&sizes).map(|(w, size)| w / size))
        });
        let times = &run.diagnostics.log_time;
        let ends = times.iter().copied().find(|t| *t > 0.0).into_iter();
        let ends = ends.chain(times.last().copied()).map(|t| (t, 0.0));
        series.push(build::reference(None, ends.collect()));
        build::panel(
            "Output weights over time",
            build::axis(self.share(), Scale::Linear),
            series,
        )
    }

    /// The label for a unit's share of the output weights.
    fn share(&self) -> String {
        let l = subscript(self.run.depth());
        format!("w{l}ⱼ / ‖w{l}‖")
    }

    fn against_feedback(&self) -> Panel {
        let weights = &self.homogeneous.output_weights;
        let last = weights.column(weights.ncols() - 1);
        let (size, largest) = (last.norm(), self.feedback.amax());
        let mut series = self.series(Style::Points, |j| vec![(self.feedback[j], last[j] / size)]);
        series.push(build::reference(
            Some("change of sign".into()),
            vec![(-BEYOND * largest, 0.0), (BEYOND * largest, 0.0)],
        ));
        series.push(build::reference(None, vec![(0.0, -BEYOND), (0.0, BEYOND)]));
        Panel {
            x: build::axis("feedback bⱼ", Scale::Linear),
            ..build::panel(
                "Signs at the end of the run",
                build::axis(self.share(), Scale::Linear),
                series,
            )
        }
    }

    /// How far every unit is from the level set on which both terms of the conserved quantity are equal.
    fn conserved(&self) -> Panel {
        let (l, below) = (subscript(self.run.depth()), subscript(self.run.depth() - 1));
        let off = |j: usize, k: usize| {
            let incoming = 0.5 * self.homogeneous.unit_norms[(j, k)].powi(2);
            let outgoing = self.feedback[j] * self.homogeneous.output_weights[(j, k)];
            // Of a unit that has no weights yet there is no relative difference.
            let size = incoming.max(outgoing.abs());
            (size > 0.0).then(|| ((outgoing - incoming).abs() / size).max(ROUNDING))
        };
        let saves = self.homogeneous.output_weights.ncols();
        let series = self.series(Style::Line, |j| {
            let values: Vec<Option<f64>> = (0..saves).map(|k| off(j, k)).collect();
            self.run.over_time_where_defined(&values)
        });
        let mut y = build::axis(
            format!("|bⱼ w{l}ⱼ − ½‖w{below}ⱼ‖²| / larger term"),
            Scale::Log10,
        );
        y.range = Some((ROUNDING / 3.0, 3.0));
        build::panel("Conservation law: the terms become equal", y, series)
    }

    fn growth(&self) -> Panel {
        let run = self.run;
        let below = subscript(run.depth() - 1);
        let norms = &self.homogeneous.unit_norms;
        let mut series = self.series(Style::Line, |j| run.over_time(norms.row(j).iter().copied()));
        let law = run.theory().growth.as_ref();
        let largest = norms.column(norms.ncols() - 1).max();
        if let (Some(&end), Some(law)) = (run.diagnostics.log_time.last(), law) {
            let (power, of) = (law.numerators[run.depth() - 2], law.denominator);
            let start = end.max(1.0).sqrt();
            let guide = [
                (start, largest * (start / end).powf(power / of)),
                (end, largest),
            ];
            series.push(build::reference(
                Some(format!("predicted slope {power}/{of}")),
                build::beside(&guide, norms.iter().copied()),
            ));
        }
        build::panel(
            "Growth of the units",
            build::axis(format!("‖w{below}ⱼ‖"), Scale::Log10),
            series,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{synthetic, synthetic_relu};

    #[test]
    fn on_the_level_set_signs_agree_and_both_terms_are_equal() {
        let case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        let [over_time, signs, conserved, growth] = &figure.panels[..] else {
            panic!("four panels")
        };
        assert_eq!(over_time.series.len(), 12 + 1);
        let rings: Vec<&Series> = signs
            .series
            .iter()
            .filter(|s| s.style == Style::Points)
            .collect();
        assert_eq!(rings.len(), 12);
        assert!(rings.iter().all(|s| s.points[0].0 * s.points[0].1 > 0.0));
        assert!(
            rings
                .iter()
                .all(|s| s.colour == usize::from(s.points[0].0 < 0.0))
        );
        let length: f64 = rings.iter().map(|s| s.points[0].1.powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-12);
        for p in conserved.series.iter().flat_map(|s| &s.points) {
            assert!(p.1.is_nan() || (ROUNDING..1e-12).contains(&p.1), "{p:?}");
        }
        let guide = growth.series.last().unwrap();
        assert_eq!(guide.label.as_deref(), Some("predicted slope 1/3"));
        let [a, b] = guide.points[..] else {
            panic!("a line")
        };
        assert!(((b.1 / a.1).ln() / (b.0 / a.0).ln() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn signs_that_differ_are_not_said_to_agree() {
        let mut case = synthetic_relu::relu(5, &[12], true);
        let title = build(&case.run()).unwrap().title;
        assert!(title.contains("take the signs"));
        let homogeneous = case.diagnostics.homogeneous.as_mut().unwrap();
        homogeneous.output_weights.row_mut(3).neg_mut();
        assert_ne!(build(&case.run()).unwrap().title, title);
    }

    #[test]
    fn one_label_per_sign_and_kind() {
        let case = synthetic_relu::relu(5, &[12], true);
        for panel in &build(&case.run()).unwrap().panels {
            let labels: Vec<&str> = panel
                .series
                .iter()
                .filter_map(|s| s.label.as_deref())
                .collect();
            assert_eq!(&labels[..2], ["bⱼ > 0", "bⱼ < 0"]);
            assert!(labels.len() <= 3);
        }
    }

    #[test]
    fn needs_fixed_feedback_hidden_units_and_something_learned() {
        assert!(build(&synthetic_relu::relu(5, &[12], false).run()).is_none());
        assert!(build(&synthetic::dfa(2).run()).is_none());
        let mut case = synthetic_relu::relu(5, &[12], true);
        let homogeneous = case.diagnostics.homogeneous.as_mut().unwrap();
        homogeneous.output_weights.fill(0.0);
        assert!(build(&case.run()).is_none());
    }
}
