//! Figures of studies: curves of many runs in one picture, numbers against keys, maps over two keys, paired
//! differences.

mod map;
pub(super) mod overlay;
mod points;

use super::{Merged, Row};
use crate::diagnostics::Curve;
use crate::figures::Figure;
use crate::scenario::{FigureKind, FigureRequest};

/// A figure that cannot be drawn, and why.
type Missing = String;

/// The figures that the study asks for, or those that suit any study; and what of it cannot be drawn, with the reason.
pub(super) fn figures(merged: &Merged) -> (Vec<Figure>, Vec<Missing>) {
    let asked = &merged.plan.options.figures;
    let (mut drawn, mut missing) = (Vec::new(), Vec::new());
    if asked.is_empty() {
        drawn.extend(
            usual(merged)
                .iter()
                .filter_map(|request| figure(merged, request).ok()),
        );
    }
    for request in asked {
        match figure(merged, request) {
            Ok(figure) => drawn.push(figure),
            Err(why) => missing.push(format!("the figure `{}`: {why}", request.id)),
        }
    }
    (drawn, missing)
}

/// What a study is drawn as that asks for nothing: how angles fall, how the loss does, and the paired differences of
/// both at the end.
fn usual(merged: &Merged) -> Vec<FigureRequest> {
    let options = &merged.plan.options;
    let request = |id: &str, kind| FigureRequest {
        id: id.to_owned(),
        kind,
        colour: (!options.axes.is_empty()).then_some(0),
        panel: (options.axes.len() > 1 && options.axes[1].values.len() <= 4).then_some(1),
        title: None,
        caption: None,
    };
    let overlay = |id, curve: &str| {
        let curve = curve.to_owned();
        request(id, FigureKind::Overlay { curve })
    };
    let mut all = vec![
        overlay("angle-to-limit", "angle_to_limit"),
        overlay("feature-angle", "feature_angle"),
        overlay("log-loss", "log_loss"),
    ];
    if let Some(pair) = options.pair {
        for (id, number) in [
            ("angle-differences", "final.angle_to_limit"),
            ("loss-differences", "final.log_loss"),
        ] {
            // a key of numbers, if there is no third one beside it
            let suits = |axis: &usize| {
                let numbers = *axis != pair && options.axes[*axis].numbers().is_some();
                numbers && options.others(&[Some(pair), Some(*axis)]).is_empty()
            };
            let kind = FigureKind::Differences {
                number: number.to_owned(),
                x: (0..options.axes.len()).find(suits),
            };
            all.push(FigureRequest {
                colour: Some(pair),
                panel: None,
                ..request(id, kind)
            });
        }
    }
    all
}

fn figure(merged: &Merged, request: &FigureRequest) -> Result<Figure, Missing> {
    let (title, caption, panels) = match &request.kind {
        FigureKind::Overlay { curve } => {
            let curve = Curve::named(curve).ok_or("there is no such curve")?;
            overlay::of_study(merged, request, curve)?
        }
        FigureKind::Points { number, x } => points::points(merged, request, number, *x)?,
        FigureKind::Differences { number, x } => points::differences(merged, number, *x)?,
        FigureKind::Map { shade, x, y, lines } => map::map(merged, shade, *x, (y, lines))?,
    };
    Ok(Figure {
        id: request.id.clone(),
        title: request.title.clone().unwrap_or(title),
        subtitle: subtitle(merged),
        caption: request.caption.clone().unwrap_or(caption),
        panels,
    })
}

/// The study in a line: its title, and how many runs there are.
fn subtitle(merged: &Merged) -> String {
    let plan = merged.plan;
    let seeds = match plan.options.seeds {
        None => String::new(),
        Some(1) => ", 1 seed each".into(),
        Some(seeds) => format!(", {seeds} seeds each"),
    };
    let runs = match plan.len() {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    let left_out = match merged.rows.len() - merged.completed().count() {
        0 => String::new(),
        count => format!(", {count} not completed and left out"),
    };
    format!("{} · {runs}{seeds}{left_out}", plan.scenario.title)
}

/// The completed runs with one value of a panel's axis: the title of the panel, and the rows.
fn panels<'a>(merged: &'a Merged, axis: Option<usize>) -> Vec<(String, Vec<&'a Row>)> {
    split(merged, &merged.completed().collect::<Vec<_>>(), axis)
}

/// Rows by their value on an axis, in its order; all of them where there is no axis.
fn split<'a>(
    merged: &Merged,
    rows: &[&'a Row],
    axis: Option<usize>,
) -> Vec<(String, Vec<&'a Row>)> {
    let Some(at) = axis else {
        return vec![(String::new(), rows.to_vec())];
    };
    let axis = &merged.plan.options.axes[at];
    let of = |value: usize| {
        rows.iter()
            .copied()
            .filter(|row| row.values[at] == value)
            .collect()
    };
    (axis.values.iter().enumerate())
        .map(|(k, value)| (axis.named(value), of(k)))
        .collect()
}

/// The axis that chooses the colour: the one that is asked for, or the first with several values that is not used
/// otherwise.
fn colour(merged: &Merged, request: &FigureRequest, used: &[Option<usize>]) -> Option<usize> {
    let free = |axis: &usize| {
        let several = merged.plan.options.axes[*axis].values.len() > 1;
        several && !used.contains(&Some(*axis))
    };
    request
        .colour
        .or_else(|| (0..merged.plan.options.axes.len()).find(free))
}

/// Whether a logarithmic axis shows numbers better: all positive, over more than a decade and a half.
fn spreads(numbers: impl Iterator<Item = f64> + Clone) -> bool {
    let high = numbers.clone().fold(0.0, f64::max);
    let low = numbers.fold(f64::INFINITY, f64::min);
    low > 0.0 && high / low > 30.0
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;

    /// The captions of the figures of a study in which depth, scale and seed are varied.
    fn captions(seeds: &str, figures: &str) -> Vec<String> {
        let plan = synthetic::plan(&format!(
            "{seeds}\n[study.vary]\n\"network.fully-connected-linear.depth\" = [2, 3]\n\
             \"initial.gaussian.scale\" = [0.1, 1.0]\n{figures}"
        ));
        let merged = synthetic::merged(&plan, |case, values| {
            (case.id > 0).then_some((1 + values[0] + case.seed.unwrap_or(0)) as f64)
        });
        let (drawn, missing) = super::figures(&merged);
        assert_eq!(missing, [""; 0]);
        for figure in &drawn {
            assert!(
                figure.subtitle.ends_with("1 not completed and left out"),
                "{}",
                figure.subtitle
            );
        }
        drawn.into_iter().map(|figure| figure.caption).collect()
    }

    #[test]
    fn captions_say_over_what_medians_and_means_are_taken() {
        let figures = "[study.figures.a]\nmap = \"x\"\n[study.figures.b]\npoints = \"x\"\n\
                       x = \"network.fully-connected-linear.depth\"\n\
                       colour = \"network.fully-connected-linear.depth\"";
        let seeds = "seeds = { 'dataset.gaussian-teacher.seed' = 5 }";
        let [map, points] = &captions(seeds, figures)[..] else {
            panic!()
        };
        assert!(map.contains("medians over 5 seeds."), "{map}");
        assert!(
            points.contains("means over 5 seeds and all values of scale;"),
            "{points}"
        );
        let [map, points] = &captions("", figures)[..] else {
            panic!()
        };
        assert!(map.contains("in shades. Where"), "{map}");
        assert!(
            points.contains("means over all values of scale;"),
            "{points}"
        );
    }
}
