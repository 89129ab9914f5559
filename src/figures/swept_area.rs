//! What gives φ_2 its phase: `Im φ_2` is twice the area that the path of `Ẑ_d` sweeps in the complex plane.
//!
//! `φ_2' = Ẑ^* Ẑ'` (from non-zero weights with `Ẑ + ŵ_1(0)/b̂_1^*` in place of Ẑ), so `Re φ_2` grows with the
//! distance from the origin, and `Im φ_2` with the area of the sector between the path and the origin. The polygon
//! through the saves has twice the area `Σ_k Im(Ẑ_k^* Ẑ_{k+1})`: this is computed from the first layer alone, and
//! compared with the second.

use num_complex::Complex64;

use super::{
    Axis, Drawn, Figure, Panel, Scale, Series, Style, build,
    curve::spread,
    frequencies::{Shown, shown},
};
use crate::diagnostics::Phases;

pub(crate) const ID: &str = "swept-area";

/// Markers per curve of the polygon's area.
const MARKERS: usize = 24;
/// The sum over saves starts at this log time: before, they are too far apart to resolve the turns of the path.
const RESOLVED: f64 = 1.0;
/// Paths are shown until they are as far from the origin as at this log time.
const EARLY: f64 = 30.0;

/// Applies where [`phases`](super::phases) does.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let phases = run.diagnostics.phases.as_ref()?;
    let shown = shown(run, phases);
    if shown.is_empty() {
        return None;
    }
    let paths = paths(run, phases)?;
    let panels = vec![
        complex_plane(run, &shown, &paths),
        areas(run, phases, &shown, &paths),
    ];
    let caption = format!(
        "Left: the paths of Ẑ, the accumulated gradient signal, in the complex plane, one per frequency, up to about \
         ln(1+t) = {EARLY}; each is turned so that it ends on the real axis, far to the right of the frame, and drawn \
         smoothly through the saves (rings). They would be straight lines along it if Proposition 2 held. Right: Im φ₂ \
         as read off the weights of layer 2 (lines), and twice the area between the path and the origin, as read off \
         layer 1 (rings; of the polygon, from ln(1+t) = {RESOLVED} on, where the saves resolve the path). Dips are \
         changes of sign."
    );
    Some(run.figure(
        ID,
        "The phase of φ₂ is the area swept by the gradient signal",
        caption,
        panels,
    ))
}

/// `ŵ_1/b̂_1^* = Ẑ + ŵ_1(0)/b̂_1^*` over the saves, for every row of `phases`.
fn paths(run: &Drawn, phases: &Phases) -> Option<Vec<Vec<Complex64>>> {
    let law = run.theory().alignment.as_ref()?.frequencies()?;
    let (network, feedback) = (&law.network, &law.feedback[0]);
    let first = network.transforms(run.problem.theta0().as_slice());
    let path = |(row, &d): (usize, &usize)| -> Vec<Complex64> {
        let start = first[(d, 0)] / feedback[d].conj();
        phases.z.row(row).iter().map(|z| z + start).collect()
    };
    Some(phases.frequencies.iter().enumerate().map(path).collect())
}

fn complex_plane(run: &Drawn, shown: &[Shown], paths: &[Vec<Complex64>]) -> Panel {
    let times = &run.diagnostics.log_time;
    let early = times.partition_point(|&t| t < EARLY);
    let turned: Vec<(&Shown, Vec<Complex64>)> = shown
        .iter()
        .filter(|s| s.named())
        .filter_map(|s| {
            let end = paths[s.row].last().filter(|z| z.norm() > 0.0)?;
            let back = (end / end.norm()).conj();
            Some((s, paths[s.row].iter().map(|z| z * back).collect()))
        })
        .collect();
    let reach = turned
        .iter()
        .filter_map(|(_, path)| path.get(early).or(path.last()))
        .fold(0.0f64, |reach, z| reach.max(z.norm()));
    let near = |z: &&Complex64| z.norm() <= reach;
    let seen = || turned.iter().flat_map(|(_, path)| path).filter(near);
    let range = |part: fn(&Complex64) -> f64, least: f64| {
        let (low, high) = seen()
            .map(part)
            .fold((0.0f64, least), |(a, b), v| (a.min(v), b.max(v)));
        let air = 0.05 * (high - low);
        Some((low - air, high + air))
    };
    let axis = |label: &str, range| Axis {
        range,
        ..build::axis(label, Scale::Linear)
    };

    let mut series: Vec<Series> = turned
        .iter()
        .map(|(s, path)| s.line(smooth(path, early).iter().map(|z| (z.re, z.im)).collect()))
        .collect();
    let saves = turned.iter().enumerate().map(|(k, (s, path))| Series {
        label: (k == 0).then(|| "saves".into()),
        points: path.iter().filter(near).map(|z| (z.re, z.im)).collect(),
        style: Style::Points,
        colour: s.colour,
        opacity: 1.0,
    });
    series.extend(saves);
    series.push(build::reference(
        Some("direction at the end".into()),
        vec![(0.0, 0.0), (2.0 * reach, 0.0)],
    ));
    Panel {
        x: axis("Ẑ along its final direction", range(|z| z.re, reach)),
        equal_units: true,
        ..build::panel(
            "Early path in the complex plane",
            axis("Ẑ across its final direction", range(|z| z.im, 0.0)),
            series,
        )
    }
}

/// Points of a path between two saves.
const BETWEEN: usize = 8;

/// A smooth curve through the saves up to `early`, a cubic between each two (Catmull and Rom), then through the rest of
/// the saves: saves are evenly spaced in ln(1+ln(1+t)), and early ones too far apart for straight lines.
fn smooth(path: &[Complex64], early: usize) -> Vec<Complex64> {
    let end = path.len().saturating_sub(1);
    let slope = |k: usize| match k {
        0 if end >= 2 => 2.0 * path[1] - 1.5 * path[0] - 0.5 * path[2],
        0 => path[end] - path[0],
        _ => (path[(k + 1).min(end)] - path[k - 1]) / 2.0,
    };
    let mut curve = Vec::new();
    for k in 0..(early + 2).min(end) {
        for part in 0..BETWEEN {
            let u = part as f64 / BETWEEN as f64;
            let (from, to) = (path[k], path[k + 1]);
            let (h0, h1) = ((1.0 + 2.0 * u) * (1.0 - u).powi(2), u * u * (3.0 - 2.0 * u));
            let (g0, g1) = (u * (1.0 - u).powi(2), u * u * (u - 1.0));
            curve.push(h0 * from + h1 * to + g0 * slope(k) + g1 * slope(k + 1));
        }
    }
    curve.extend(path.iter().skip((early + 2).min(end)));
    curve
}

fn areas(run: &Drawn, phases: &Phases, shown: &[Shown], paths: &[Vec<Complex64>]) -> Panel {
    let times = &run.diagnostics.log_time;
    let from = times.partition_point(|&t| t < RESOLVED);
    let measured =
        |s: &Shown| run.over_time(phases.phi[0].row(s.row).iter().map(|phi| phi.im.abs()));
    let mut series: Vec<Series> = shown.iter().map(|s| s.line(measured(s))).collect();
    let named = shown.iter().filter(|s| s.named());
    let rings = named.enumerate().map(|(k, s)| Series {
        label: (k == 0).then(|| "from the path".into()),
        points: spread(&swept(phases, s.row, &paths[s.row], times, from), MARKERS),
        style: Style::Points,
        colour: s.colour,
        opacity: 1.0,
    });
    series.extend(rings);
    let mut y = build::axis("|Im φ₂|", Scale::Log10);
    y.range = build::settled_range(&series);
    build::panel("Twice the area swept", y, series)
}

/// `|Im φ_2(from) + Σ Im(Ẑ_k^* Ẑ_{k+1})|` over the saves after `from`.
fn swept(
    phases: &Phases,
    row: usize,
    path: &[Complex64],
    times: &[f64],
    from: usize,
) -> Vec<(f64, f64)> {
    let Some(start) = phases.phi[0].row(row).iter().nth(from).map(|phi| phi.im) else {
        return Vec::new();
    };
    let steps = path[from..].windows(2).map(|z| (z[0].conj() * z[1]).im);
    let sums = steps.scan(start, |sum, step| {
        *sum += step;
        Some(sum.abs())
    });
    times[from + 1..].iter().copied().zip(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn the_area_of_the_path_is_the_imaginary_part_of_the_coefficient() {
        // The synthetic φ₂ is the integral of Ẑ*Ẑ' in closed form.
        let case = synthetic::convolutional(8, 2);
        let figure = build(&case.run()).unwrap();
        let series = &figure.panels[1].series;
        let (lines, rings) = series.split_at(3);
        assert_eq!(rings.len(), 3);
        for (line, ring) in lines.iter().zip(rings) {
            assert_eq!((line.style, ring.style), (Style::Line, Style::Points));
            assert_eq!(line.colour, ring.colour);
            assert!(ring.points.len() <= MARKERS && ring.points[0].0 > RESOLVED);
            for p in &ring.points {
                let measured = line.points.iter().find(|q| q.0 == p.0).unwrap();
                assert!((p.1 / measured.1 - 1.0).abs() < 0.03, "{p:?} {measured:?}");
            }
        }
    }

    #[test]
    fn a_path_that_starts_elsewhere_sweeps_from_there() {
        let mut case = synthetic::convolutional(8, 2);
        let mut theta0 = case.problem.theta0().clone();
        let coordinates = theta0.len() / 2;
        theta0.rows_mut(0, coordinates).fill(0.7);
        case.problem = case.problem.with_start(theta0).unwrap();
        let paths = paths(&case.run(), case.diagnostics.phases.as_ref().unwrap()).unwrap();
        let network = case.problem.network().spectrum().unwrap();
        let feedback = &case.problem.feedback().unwrap()[0];
        let start = network.transforms(case.problem.theta0().as_slice())[(2, 0)]
            / network.transform(feedback)[2].conj();
        assert!((paths[2][0] - start).norm() < 1e-12 && start.norm() > 0.1);
    }

    #[test]
    fn a_smooth_path_goes_through_every_save_and_has_no_corners() {
        let circle: Vec<Complex64> = (0..12)
            .map(|k| Complex64::from_polar(1.0, 0.5 * f64::from(k)))
            .collect();
        let curve = smooth(&circle, 20);
        for (k, save) in circle.iter().enumerate() {
            assert!((curve[BETWEEN * k] - save).norm() < 1e-12);
        }
        // The polygon is off the circle by 0.03; the ends have a slope from one side only.
        let inside = &curve[BETWEEN..10 * BETWEEN];
        assert!(inside.iter().all(|z| (z.norm() - 1.0).abs() < 0.003));
        assert_eq!(smooth(&circle[..1], 5), circle[..1]);
        assert_eq!(smooth(&circle[..2], 5).len(), BETWEEN + 1);
    }

    #[test]
    fn paths_start_at_the_origin_and_end_on_the_real_axis() {
        let case = synthetic::convolutional(40, 2);
        let figure = build(&case.run()).unwrap();
        let panel = &figure.panels[0];
        assert!(panel.equal_units);
        let paths: Vec<_> = panel
            .series
            .iter()
            .filter(|s| s.style == Style::Line)
            .collect();
        assert_eq!(paths.len(), 3);
        let (left, right) = panel.x.range.unwrap();
        for path in paths {
            assert_eq!(path.points[0], (0.0, 0.0));
            let end = path.points.last().unwrap();
            assert!(end.0 > 0.0 && end.1.abs() < 1e-9 * end.0);
            let inside = path.points.iter().filter(|p| (left..right).contains(&p.0));
            assert!(inside.count() >= 5);
        }
    }

    #[test]
    fn real_networks_and_gradient_descent_sweep_nothing() {
        assert!(build(&synthetic::diagonal(2).run()).is_none());
        assert!(build(&synthetic::convolutional_gradient_descent(8, 2).run()).is_none());
    }
}
