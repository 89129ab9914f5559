//! Figures of the critical step size: the effect of ever larger steps, and the dependence on depth and rule.

use super::{DepthPoint, Stability};
use crate::descent::{Critical, Demand, Trial};
use crate::figures::{Axis, Figure, Scale, Series, Style, build, shortest};

/// The figures of a critical step size.
pub(super) fn figures(measured: &Stability) -> Vec<Figure> {
    [trials(measured), depths(measured)]
        .into_iter()
        .flatten()
        .collect()
}

fn size_axis() -> Axis {
    build::axis("step size η", Scale::Log10)
}

fn points(label: &str, colour: usize, points: Vec<(f64, f64)>) -> Option<Series> {
    (!points.is_empty()).then(|| Series {
        style: Style::Points,
        ..build::line(label, colour, points)
    })
}

/// The loss of every size tried.
fn trials(measured: &Stability) -> Option<Figure> {
    let critical = &measured.critical;
    let start = initial_log_loss(measured);
    let (good, bad): (Vec<&Trial>, Vec<&Trial>) =
        (critical.trials.iter()).partition(|t| t.is_good(critical.demand));
    let decay = |trials: &[&Trial]| -> Vec<(f64, f64)> {
        let fallen = trials.iter().map(|t| (t.size, start - t.log_loss));
        fallen.filter(|(_, fall)| *fall > 0.0).collect()
    };
    let loss: Vec<Series> = [
        points("sizes that work", 0, decay(&good)),
        points("sizes that do not", 1, decay(&bad)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if loss.is_empty() {
        return None;
    }
    let mut panel = build::panel(
        format!("Fall of the loss after {} steps", measured.options.count),
        build::axis("−ln(loss / loss at the start)", Scale::Log10),
        loss,
    );
    panel.x = size_axis();
    let values = panel.series.iter().flat_map(|s| &s.points).map(|p| p.1);
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
    let mut stars = Vec::new();
    for critical in &measured.thresholds {
        let what = critical.demand.measures();
        match critical.eta() {
            Some(eta) => {
                let at = vec![(eta, low), (eta, high)];
                let name = format!("{what}: η* = {}", shortest(eta));
                (panel.series).push(build::reference(Some(name), at));
                stars.push(format!("{what}: just above η* = {eta:.6e}"));
            }
            None => stars.push(format!("{what}: at none of the sizes tried")),
        }
    }
    let demand = match critical.demand {
        Demand::Loss => "",
        Demand::LossAndAlignment => ", or at which an alignment has been negative on the way",
    };
    let caption = format!(
        "Every size tried: how far the loss has fallen at the end. Sizes do not work at which it does not tend to \
         zero{demand}; those at which it has grown or the weights have overflowed are not shown. {}.",
        stars.join("; ")
    );
    Some(Figure {
        id: "critical-step".into(),
        title: title(&measured.thresholds),
        subtitle: build::setting(&measured.problem),
        caption,
        panels: vec![panel],
    })
}

/// What the figure of one depth shows.
fn title(thresholds: &[Critical]) -> String {
    let found = thresholds.iter().filter_map(|critical| {
        let what = critical.demand.measures();
        Some(format!("{what} at η* = {}", shortest(critical.eta()?)))
    });
    match found.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "No step size tried was too large".into(),
        found => format!("How large steps may be: {found}"),
    }
}

/// η* against depth: rules and starts whose first failures can be compared, and the first negative alignment beside.
fn depths(measured: &Stability) -> Option<Figure> {
    let mut kinds: Vec<(&str, &str, Demand)> = Vec::new();
    for point in &measured.depths {
        let kind = (point.rule, point.initial.as_str(), point.demand);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    // the first failures come first: they are what is comparable
    kinds.sort_by_key(|(.., demand)| *demand != Demand::Loss);
    // a colour for each rule and start, whatever is demanded
    let mut starts: Vec<(&str, &str)> = kinds.iter().map(|k| (k.0, k.1)).collect();
    starts.dedup();
    let mut unknown = Vec::new();
    let mut series = Vec::new();
    for kind in &kinds {
        let of =
            || (measured.depths.iter()).filter(|p| (p.rule, p.initial.as_str(), p.demand) == *kind);
        let star = |p: &DepthPoint| p.bad.and(p.good);
        let points: Vec<(f64, f64)> = of()
            .filter_map(|p| Some((p.depth as f64, star(p)?)))
            .collect();
        let name = format!(
            "{}, {}: {}",
            build::words(kind.0),
            kind.1,
            kind.2.measures()
        );
        let without: Vec<String> = (of().filter(|p| star(p).is_none()))
            .map(|p| p.depth.to_string())
            .collect();
        if !without.is_empty() {
            unknown.push(format!("{name}, L = {}", without.join(", ")));
        }
        let colour = starts
            .iter()
            .position(|s| *s == (kind.0, kind.1))
            .unwrap_or(0);
        series.extend(rings(&name, colour, kind.2, points));
    }
    if series.is_empty() {
        return None;
    }
    let mut panel = build::panel(
        "",
        build::axis("critical step size η*", Scale::Log10),
        series,
    );
    panel.x = build::axis("depth L", Scale::Whole);
    let caption = format!(
        "The largest step size that still works at each depth (rings; lines only join those of one kind). Solid: up to \
         it, {} steps of constant size drive the loss to zero. Dashed: up to it, alignments stay positive on the way \
         as well. The same data at every depth. Rules are comparable where they start from the same weights; from zero \
         weights gradient descent does not move.{}",
        measured.options.count,
        match unknown.is_empty() {
            true => String::new(),
            false => format!(" Not found at the sizes tried: {}.", unknown.join("; ")),
        }
    );
    let problem = &measured.problem;
    Some(Figure {
        id: "critical-depth".into(),
        title: "Critical step size against depth, by rule and start".into(),
        subtitle: format!(
            "{} · {}",
            build::words(problem.network().key()),
            build::data(problem)
        ),
        caption,
        panels: vec![panel],
    })
}

/// The sizes of one kind, joined by a faint line: nothing is between two depths.
fn rings(name: &str, colour: usize, demand: Demand, points: Vec<(f64, f64)>) -> Vec<Series> {
    if points.is_empty() {
        return Vec::new();
    }
    let style = match demand {
        Demand::Loss => Style::Line,
        Demand::LossAndAlignment => Style::Dashed,
    };
    vec![
        Series {
            style,
            opacity: 0.6,
            ..build::line(name, colour, points.clone())
        },
        Series {
            style: Style::Points,
            label: None,
            ..build::line("", colour, points)
        },
    ]
}

fn initial_log_loss(measured: &Stability) -> f64 {
    let problem = &measured.problem;
    let margins = problem
        .network()
        .margins(problem.theta0().as_slice(), problem.dataset());
    problem.loss().log_loss(margins.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_of_one_rule_and_start_share_their_colour_and_differ_in_style() {
        let points = vec![(1.0, 0.5), (2.0, 0.1)];
        let solid = rings("rule, start", 2, Demand::Loss, points.clone());
        let dashed = rings("rule, start", 2, Demand::LossAndAlignment, points);
        assert_eq!(solid[0].colour, dashed[0].colour);
        assert_ne!(solid[0].style, dashed[0].style);
        assert_eq!(
            (solid[1].style, solid[1].label.as_ref()),
            (Style::Points, None)
        );
        assert!(rings("none", 0, Demand::Loss, Vec::new()).is_empty());
    }

    #[test]
    fn the_title_gives_the_critical_size() {
        assert_eq!(title(&[]), "No step size tried was too large");
    }
}
