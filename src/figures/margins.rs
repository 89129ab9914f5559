//! Margins per log time: `m_n/ln(1+t) → g_n·β*`, which is 1 for the support vectors and larger for every other sample;
//! with classes, the same for the pairs of a sample and a class other than its own.

use super::{Axis, Drawn, Figure, GREY, Scale, Series, Style, build, curve::spread, units};

pub(crate) const ID: &str = "margins";

/// Most samples drawn of either kind; more curves would merge into a band anyway.
const MOST: usize = 150;
/// From this log time on margins determine the range of the axis: before, `m_n(0)/ln(1+t)` is arbitrarily large.
const SETTLED: f64 = 1.0;

/// Always applies.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let mut series = bundles(run);
    let y = axis(&series);
    let times = &run.diagnostics.log_time;
    let ends = times
        .iter()
        .find(|t| **t > 0.0)
        .copied()
        .into_iter()
        .chain(times.last().copied());
    series.push(build::reference(
        Some("limit of the support: 1".into()),
        ends.map(|t| (t, 1.0)).collect(),
    ));

    let panel = build::panel("", y, series);
    let words = Words::of(run);
    let Words { rows, support, .. } = words;
    let caption = format!(
        "Margins {} divided by ln(1+t). When the run finds the support of its limit, the \
                   limit's {support}s (in colour) tend to 1 and all other {rows}s settle above. Before \
                   ln(1+t) = 1 curves may leave the frame. Of either kind at most {MOST} {rows}s are drawn.",
        words.margin
    );
    let title = if run.fits() {
        format!("Margins grow like log time, slowest on the {support}s")
    } else {
        "Margins, of a run that has not fitted all samples".to_owned()
    };
    Some(run.figure(ID, &title, caption, vec![panel]))
}

/// What has a margin, and what its margin is.
struct Words {
    rows: &'static str,
    support: &'static str,
    margin: &'static str,
}

impl Words {
    fn of(run: &Drawn) -> Self {
        if run.problem.network().outputs() == 1 {
            return Self {
                rows: "sample",
                support: "support vector",
                margin: "mₙ = yₙ f(xₙ)",
            };
        }
        Self {
            rows: "pair",
            support: "support pair",
            margin: "f_c(xₙ) − f_k(xₙ), c the class of sample n, of the pairs (n, k) with k ≠ c,",
        }
    }
}

/// `m_n/ln(1+t)` of every row of the data, the support in colour.
fn bundles(run: &Drawn) -> Vec<Series> {
    let diagnostics = run.diagnostics;
    let samples = diagnostics.margins.nrows();
    let support = run.limit.map_or(&[][..], |limit| &limit.support);
    let normalised = |n: usize| -> Vec<(f64, f64)> {
        run.over_time(
            diagnostics
                .margins
                .row(n)
                .iter()
                .zip(&diagnostics.log_time)
                .map(|(m, tau)| m / tau),
        )
    };
    let bundle = |indices: Vec<usize>, label: &str, colour: usize, opacity: f64| -> Vec<Series> {
        let label = if indices.len() == 1 {
            label.to_string()
        } else {
            format!("{label}s")
        };
        let label = units::drawn(&format!("{} {label}", indices.len()), indices.len(), MOST);
        spread(&indices, MOST)
            .into_iter()
            .enumerate()
            .map(|(k, n)| Series {
                label: (k == 0).then(|| label.clone()),
                points: normalised(n),
                style: Style::Line,
                colour,
                opacity,
            })
            .collect()
    };
    let others: Vec<usize> = (0..samples).filter(|n| !support.contains(n)).collect();
    let words = Words::of(run);
    let others_name = match support.is_empty() {
        true => words.rows.to_owned(),
        false => format!("other {}", words.rows),
    };
    let faint = if others.len() > 20 { 0.35 } else { 0.7 };
    let mut series = bundle(others, &others_name, GREY, faint);
    series.extend(bundle(
        support.to_vec(),
        words.support,
        0,
        if support.len() > 20 { 0.5 } else { 0.9 },
    ));
    series
}

/// The axis of the margins, for their values from [`SETTLED`] on.
fn axis(series: &[Series]) -> Axis {
    let settled: Vec<f64> = series
        .iter()
        .flat_map(|s| &s.points)
        .filter(|p| p.0 >= SETTLED && p.1.is_finite())
        .map(|p| p.1)
        .collect();
    let (low, high) = settled
        .iter()
        .fold((1.0f64, 1.0f64), |(a, b), &v| (a.min(v), b.max(v)));
    // Far samples have margins many times that of the support: only a logarithmic axis shows both.
    let scale = if low > 0.0 && high / low > 10.0 {
        Scale::Log10
    } else {
        Scale::Linear
    };
    let mut y = build::axis("margin per log time, mₙ / ln(1+t)", scale);
    if !settled.is_empty() {
        y.range = Some(if scale == Scale::Log10 {
            (low / 1.3, high * 1.3)
        } else {
            let air = 0.05 * (high - low) + 1e-3;
            (low - air, high + air)
        });
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn support_vectors_are_coloured_and_tend_to_one() {
        let case = synthetic::dfa(2);
        let figure = build(&case.run()).unwrap();
        let series = &figure.panels[0].series;
        let coloured: Vec<_> = series
            .iter()
            .filter(|s| s.style == Style::Line && s.colour == 0)
            .collect();
        assert_eq!(coloured.len(), case.limit.support.len());
        for s in coloured {
            assert!((s.points.last().unwrap().1 - 1.0).abs() < 1e-6);
        }
        let grey: Vec<_> = series.iter().filter(|s| s.colour == GREY).collect();
        assert_eq!(
            grey.len() + case.limit.support.len(),
            case.diagnostics.margins.nrows()
        );
        assert!(grey.iter().all(|s| s.points.last().unwrap().1 > 1.1));
        assert_eq!(series.iter().filter(|s| s.label.is_some()).count(), 3);
    }

    #[test]
    fn far_samples_make_the_axis_logarithmic_and_negative_margins_keep_it_linear() {
        let mut case = synthetic::dfa(2);
        let last = case.diagnostics.margins.nrows() - 1;
        case.diagnostics.margins.row_mut(last).scale_mut(100.0);
        assert_eq!(build(&case.run()).unwrap().panels[0].y.scale, Scale::Log10);
        case.diagnostics.margins.row_mut(last).scale_mut(-1.0);
        assert_eq!(build(&case.run()).unwrap().panels[0].y.scale, Scale::Linear);
    }

    #[test]
    fn the_blow_up_of_early_times_does_not_set_the_range() {
        let mut case = synthetic::dfa(2);
        case.diagnostics.margins.add_scalar_mut(1.0);
        let figure = build(&case.run()).unwrap();
        let panel = &figure.panels[0];
        assert!(
            panel
                .series
                .iter()
                .flat_map(|s| &s.points)
                .any(|p| p.1.is_finite() && p.1 > 3.5)
        );
        assert!(panel.y.range.unwrap().1 < 4.0, "{:?}", panel.y.range);
    }
}
