//! Directions of the units of the first hidden layer: they turn, cross activation boundaries, and some stay on one.

use super::{
    Drawn, Figure, GREY, Labels, Panel, Scale, Series,
    boundaries::{Boundaries, Sliding},
    build,
    curve::spread,
    units::{FEW, MOST, Signs, bundle, drawn, groups, most, opacity, signs},
};

pub(super) const ID: &str = "neurons";

/// A larger change of angle from one save to the next, in degrees, is not drawn as a turn.
const PASSAGE: f64 = 90.0;
/// Palette index: black shows on lines of any colour.
const SLIDING: usize = 6;

/// Applies to ReLU networks whose directions were recorded.
pub(super) fn build(run: &Drawn) -> Option<Figure> {
    let boundaries = Boundaries::new(run)?;
    let signs = signs(run);
    let sliding = boundaries.sliding();
    let plane = run.problem.dataset().dimension() == 2;
    let mut panels = if plane {
        vec![map(run, &boundaries, signs.as_ref(), &sliding)]
    } else {
        let mut panels = distances(run, &boundaries, signs.as_ref(), &sliding);
        panels.push(travel(run, &boundaries, signs.as_ref()));
        panels
    };
    panels.push(counts(run, &boundaries, &sliding));
    for panel in &mut panels {
        panel.x = run.time_axis_from_start();
    }
    let what = if plane {
        "The polar angle of every unit of the first hidden layer, and the angles at which it is orthogonal to a sample \
         (dashed): its activation boundaries, where it starts or ceases to respond to that sample."
    } else {
        "The angle between units of the first hidden layer and the activation boundaries of the samples, one curve per \
         pair: a unit responds to a sample while the angle is positive."
    };
    let more = if plane {
        " A curve that breaks off and goes on elsewhere has been at zero weights in between, or has \
         turned faster than saves can show."
    } else {
        " How far units have turned is shown from their first save with weights other than zero."
    };
    let caption = format!(
        "{what} A curve through a boundary is a crossing. A curve that runs along one (black) slides: the flow pushes \
         back from both sides, and the unit moves on inside the boundary until it is released. Crossings and sliding \
         are counted at the saves, sliding from three saves in a row on.{more} The start, t = 0, is \
         drawn left of all other times. At most {MOST} curves of one kind are drawn, and {FEW} grey ones, evenly \
         chosen."
    );
    let title = if sliding.is_empty() {
        "Units travel and cross activation boundaries"
    } else {
        "Units travel, cross activation boundaries, and slide along some"
    };
    Some(run.figure(ID, title, caption, panels))
}

/// `curve` only while the pair slides.
fn during(curve: Vec<(f64, f64)>, pair: &Sliding) -> Vec<(f64, f64)> {
    let inside = |k: usize| pair.stretches.iter().any(|s| s.contains(&k));
    curve
        .into_iter()
        .enumerate()
        .map(|(k, p)| if inside(k) { p } else { (p.0, f64::NAN) })
        .collect()
}

fn counted(count: usize, singular: &str, plural: &str) -> String {
    format!("{count} {}", if count == 1 { singular } else { plural })
}

/// D = 2: polar angles over time, with the boundaries as horizontal lines.
fn map(run: &Drawn, boundaries: &Boundaries, signs: Option<&Signs>, sliding: &[Sliding]) -> Panel {
    let curve = |&unit: &usize| {
        let mut curve = run.over_time(polar(run, boundaries, unit));
        for k in passages(&curve) {
            curve[k].1 = f64::NAN;
        }
        curve
    };
    let mut series: Vec<Series> = groups(boundaries.units, signs)
        .into_iter()
        .flat_map(|g| {
            let look = (g.colour, opacity(g.units.len()));
            bundle(
                &g.units,
                drawn(
                    &format!("{} {}", g.units.len(), g.name),
                    g.units.len(),
                    most(g.colour),
                ),
                look,
                curve,
            )
        })
        .collect();
    let label = format!(
        "{} on a boundary",
        counted(sliding.len(), "pair slides", "pairs slide")
    );
    let indices: Vec<usize> = (0..sliding.len()).collect();
    series.extend(bundle(&indices, label, (SLIDING, 1.0), |&k| {
        during(curve(&sliding[k].unit), &sliding[k])
    }));

    let (low, high) = series
        .iter()
        .flat_map(|s| &s.points)
        .filter(|p| p.1.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), p| {
            (a.min(p.1), b.max(p.1))
        });
    let mut y = build::axis("polar angle of a unit (degrees)", Scale::Linear);
    y.labels = Labels::Degrees;
    if low <= high {
        let air = 0.05 * (high - low) + 2.0;
        let range = (low - air, high + air);
        y.range = Some(range);
        series.extend(horizontals(run, range));
    }
    build::panel("Directions and activation boundaries", y, series)
}

/// The polar angle over the saves, degrees, without jumps.
fn polar(run: &Drawn, boundaries: &Boundaries, unit: usize) -> Vec<f64> {
    let mut last: Option<f64> = None;
    (0..run.diagnostics.log_time.len())
        .map(|k| {
            let Some(w) = boundaries.direction(unit, k) else {
                return f64::NAN;
            };
            let angle = w[1].atan2(w[0]).to_degrees();
            let turns = last.map_or(0.0, |last| ((last - angle) / 360.0).round());
            *last.insert(angle + 360.0 * turns)
        })
        .collect()
}

/// The saves after which a unit jumps to another direction.
fn passages(curve: &[(f64, f64)]) -> Vec<usize> {
    (1..curve.len())
        .filter(|&k| (curve[k].1 - curve[k - 1].1).abs() > PASSAGE)
        .collect()
}

/// The angles inside `range` at which a unit is orthogonal to a sample.
fn horizontals(run: &Drawn, (low, high): (f64, f64)) -> Vec<Series> {
    let times = &run.diagnostics.log_time;
    let (Some(first), Some(last)) = (
        times.iter().copied().find(|t| *t > 0.0),
        times.last().copied(),
    ) else {
        return Vec::new();
    };
    let mut angles: Vec<f64> = run
        .problem
        .dataset()
        .samples()
        .row_iter()
        .filter(|x| x.norm() > 0.0)
        .map(|x| x[1].atan2(x[0]).to_degrees() + 90.0)
        .flat_map(|at| {
            let from = at + 180.0 * ((low - at) / 180.0).ceil();
            (0..)
                .map(move |k| from + 180.0 * f64::from(k))
                .take_while(move |at| *at <= high)
        })
        .collect();
    angles.sort_by(f64::total_cmp);
    angles.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    let faint = if angles.len() > 40 { 0.3 } else { 0.6 };
    spread(&angles, MOST)
        .into_iter()
        .enumerate()
        .map(|(k, at)| Series {
            opacity: faint,
            ..build::reference(
                (k == 0).then(|| "activation boundaries".into()),
                vec![(first, at), (last, at)],
            )
        })
        .collect()
}

/// D > 2: angles to the boundaries over time, a panel per sign.
fn distances(
    run: &Drawn,
    boundaries: &Boundaries,
    signs: Option<&Signs>,
    sliding: &[Sliding],
) -> Vec<Panel> {
    let curve = |unit: usize, sample: usize| run.over_time(boundaries.degrees(unit, sample));
    groups(boundaries.units, signs)
        .into_iter()
        .map(|g| {
            let (on, off): (Vec<_>, Vec<_>) = g
                .units
                .iter()
                .flat_map(|&unit| (0..boundaries.samples).map(move |sample| (unit, sample)))
                .partition(|pair| sliding.iter().any(|s| (s.unit, s.sample) == *pair));
            let faint = if off.len() > 60 { 0.35 } else { 0.6 };
            let name = counted(off.len(), "other pair", "other pairs");
            let name = drawn(&name, off.len(), FEW);
            let mut series = bundle(&off, name, (GREY, faint), |&(u, n)| curve(u, n));
            let slide = |&(unit, sample): &(usize, usize)| {
                sliding
                    .iter()
                    .find(|s| (s.unit, s.sample) == (unit, sample))
            };
            let name = counted(
                on.len(),
                "pair that slides at times",
                "pairs that slide at times",
            );
            let name = drawn(&name, on.len(), MOST);
            series.extend(bundle(&on, name, (g.colour, 0.8), |&(u, n)| curve(u, n)));
            series.extend(bundle(
                &on,
                "while sliding".into(),
                (SLIDING, 1.0),
                |pair| slide(pair).map_or_else(Vec::new, |s| during(curve(pair.0, pair.1), s)),
            ));
            let mut y = build::axis("angle to the boundary of a sample (degrees)", Scale::Linear);
            y.range = Some((-92.0, 92.0));
            y.labels = Labels::Degrees;
            let title = format!(
                "Angles of {} {} to {} boundaries",
                g.units.len(),
                g.name,
                boundaries.samples
            );
            build::panel(title, y, series)
        })
        .collect()
}

/// How far every unit has turned.
fn travel(run: &Drawn, boundaries: &Boundaries, signs: Option<&Signs>) -> Panel {
    let series = groups(boundaries.units, signs)
        .into_iter()
        .flat_map(|g| {
            let look = (g.colour, opacity(g.units.len()));
            bundle(
                &g.units,
                drawn(
                    &format!("{} {}", g.units.len(), g.name),
                    g.units.len(),
                    most(g.colour),
                ),
                look,
                |&unit| run.over_time(boundaries.turned(unit)),
            )
        })
        .collect();
    let mut y = build::axis("angle to the initial direction (degrees)", Scale::Linear);
    y.labels = Labels::Degrees;
    build::panel("How far units have turned", y, series)
}

/// Crossings so far, and pairs on their boundary.
fn counts(run: &Drawn, boundaries: &Boundaries, sliding: &[Sliding]) -> Panel {
    let crossings = boundaries.crossings().into_iter().map(|c| c as f64);
    let on = (0..run.diagnostics.log_time.len()).map(|k| {
        let now = sliding
            .iter()
            .filter(|s| s.stretches.iter().any(|s| s.contains(&k)));
        now.count() as f64
    });
    build::panel(
        format!(
            "Crossings and sliding, of {} pairs",
            boundaries.units * boundaries.samples
        ),
        build::axis("number of pairs (unit, sample)", Scale::Whole),
        vec![
            build::line("changes of side between saves", 2, run.over_time(crossings)),
            build::line("sliding now", SLIDING, run.over_time(on)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Style, synthetic, synthetic_relu};

    fn labels(panel: &Panel) -> Vec<&str> {
        panel
            .series
            .iter()
            .filter_map(|s| s.label.as_deref())
            .collect()
    }

    #[test]
    fn in_the_plane_sliding_units_run_along_a_horizontal() {
        let case = synthetic_relu::relu(2, &[8], true);
        let figure = build(&case.run()).unwrap();
        let [map, counts] = &figure.panels[..] else {
            panic!("two panels")
        };
        let horizontals: Vec<f64> = map
            .series
            .iter()
            .filter(|s| s.style == Style::Reference)
            .map(|s| s.points[0].1)
            .collect();
        assert!(horizontals.len() >= case.problem.dataset().len());
        let stuck: Vec<&Series> = map.series.iter().filter(|s| s.colour == SLIDING).collect();
        assert!(!stuck.is_empty());
        for s in &stuck {
            for p in s.points.iter().filter(|p| p.1.is_finite()) {
                assert!(horizontals.iter().any(|h| (h - p.1).abs() < 1e-4), "{p:?}");
            }
        }
        assert_eq!(
            counts.series[1].points.last().unwrap().1,
            stuck.len() as f64
        );
        assert!(counts.series[0].points.windows(2).all(|p| p[0].1 <= p[1].1));
        assert!(labels(map)[0].ends_with("units with bⱼ > 0"));
    }

    #[test]
    fn the_start_has_a_place_where_nothing_has_turned_yet() {
        let case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        let travel = &figure.panels[2];
        assert_eq!(travel.series[0].points[0], (0.0, 0.0));
        let Labels::AndZero(zero) = travel.x.labels else {
            panic!("no place for the start")
        };
        assert!(zero > 0.0 && zero < travel.series[0].points[1].0);
        assert_eq!(travel.y.labels, Labels::Degrees);
    }

    #[test]
    fn polar_angles_do_not_jump() {
        let mut case = synthetic_relu::relu(2, &[3], true);
        let directions = &mut case.diagnostics.homogeneous.as_mut().unwrap().directions;
        for k in 0..directions.ncols() {
            let turn = 0.05 * k as f64;
            directions
                .view_mut((0, k), (2, 1))
                .copy_from_slice(&[turn.cos(), turn.sin()]);
        }
        directions.view_mut((0, 100), (2, 1)).fill(0.0);
        let run = case.run();
        let angles = polar(&run, &Boundaries::new(&run).unwrap(), 0);
        assert!(angles[100].is_nan());
        for (k, angle) in angles.iter().enumerate().filter(|(k, _)| *k != 100) {
            assert!((angle - (0.05 * k as f64).to_degrees()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_unit_that_has_been_at_zero_leaves_a_gap() {
        let mut case = synthetic_relu::relu(2, &[1], true);
        let directions = &mut case.diagnostics.homogeneous.as_mut().unwrap().directions;
        for k in 0..directions.ncols() {
            let side = if k < 50 { 1.0 } else { -1.0 };
            directions
                .column_mut(k)
                .copy_from_slice(&[0.6 * side, 0.8 * side]);
        }
        let figure = build(&case.run()).unwrap();
        let gaps: Vec<usize> = figure.panels[0].series[0]
            .points
            .iter()
            .enumerate()
            .filter_map(|(k, p)| p.1.is_nan().then_some(k))
            .collect();
        assert_eq!(gaps, [50]);
    }

    #[test]
    fn beyond_the_plane_every_pair_has_a_curve_in_the_panel_of_its_sign() {
        let case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels.len(), 4);
        let pairs = 12 * case.problem.dataset().len();
        let curves = figure.panels[..2].iter().flat_map(|p| &p.series);
        let (grey, coloured): (Vec<_>, Vec<_>) = curves
            .filter(|s| s.colour != SLIDING)
            .partition(|s| s.colour == GREY);
        // Grey curves are thinned, and the legend says so.
        assert!(grey.len() <= 2 * FEW && grey.len() + coloured.len() < pairs);
        let named = labels(&figure.panels[0])[0];
        assert!(named.ends_with(&format!("{FEW} drawn")), "{named}");
        for (panel, colour) in figure.panels[..2].iter().zip([0, 1]) {
            let slid: Vec<&Series> = panel
                .series
                .iter()
                .filter(|s| s.colour == SLIDING)
                .collect();
            let whole = panel.series.iter().filter(|s| s.colour == colour);
            assert_eq!(whole.count(), slid.len());
            let on = slid
                .iter()
                .flat_map(|s| &s.points)
                .filter(|p| p.1.is_finite());
            assert!(on.clone().count() > 3 && on.into_iter().all(|p| p.1.abs() < 1e-4));
        }
    }

    #[test]
    fn hundreds_of_pairs_are_thinned_and_none_is_drawn_for_linear_networks() {
        let case = synthetic_relu::relu(8, &[60], true);
        let figure = build(&case.run()).unwrap();
        assert!(figure.panels.iter().all(|p| p.series.len() <= 3 * MOST));
        assert!(build(&synthetic::dfa(2).run()).is_none());
    }

    #[test]
    fn without_a_sign_all_units_share_a_panel() {
        let case = synthetic_relu::relu(5, &[6, 4], false);
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels.len(), 3);
        assert!(figure.panels[0].title.starts_with("Angles of 6 units to"));
    }
}
