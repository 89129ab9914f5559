//! Figures of the critical step size: the effect of ever larger steps, and the dependence on depth and rule.

use super::Stability;
use crate::descent::{Demand, Trial};
use crate::figures::{Axis, Figure, Scale, Series, Style, build};

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
        format!("after {} steps", measured.options.count),
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
                (panel.series).push(build::reference(Some(format!("{what}, η*")), at));
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
        title: "Critical step size".into(),
        subtitle: build::setting(&measured.problem),
        caption,
        panels: vec![panel],
    })
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
    let series: Vec<Series> = (kinds.iter().enumerate())
        .flat_map(|(i, kind)| {
            let points: Vec<(f64, f64)> = (measured.depths.iter())
                .filter(|p| (p.rule, p.initial.as_str(), p.demand) == *kind)
                .filter_map(|p| Some((p.depth as f64, p.bad.and(p.good)?)))
                .collect();
            let label = format!(
                "{}, {}: {}",
                build::words(kind.0),
                kind.1,
                kind.2.measures()
            );
            let rings = Series {
                style: Style::Points,
                label: None,
                ..build::line("", i, points.clone())
            };
            let style = match kind.2 {
                Demand::Loss => Style::Line,
                Demand::LossAndAlignment => Style::Dashed,
            };
            let line = Series {
                style,
                ..build::line(label, i, points)
            };
            [line, rings]
        })
        .filter(|s| !s.points.is_empty())
        .collect();
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
        "Below a solid line, steps of constant size drive the loss to zero within {} steps; above, they do not. Below \
         a dashed one, alignments stay positive on the way as well. The same data at every depth. Rules are comparable \
         where they start from the same weights; from zero weights gradient descent does not move.",
        measured.options.count,
    );
    let problem = &measured.problem;
    Some(Figure {
        id: "critical-depth".into(),
        title: "Critical step size against depth".into(),
        subtitle: format!(
            "{} · {}",
            build::words(problem.network().key()),
            build::data(problem)
        ),
        caption,
        panels: vec![panel],
    })
}

fn initial_log_loss(measured: &Stability) -> f64 {
    let problem = &measured.problem;
    let margins = problem
        .network()
        .margins(problem.theta0().as_slice(), problem.dataset());
    problem.loss().log_loss(margins.iter().copied())
}
