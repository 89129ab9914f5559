//! What the first layer has learned, between the bounds that theory proves, and how they close.

use super::{Drawn, Figure, Panel, Scale, Style, build};
use crate::diagnostics::Sandwich;

pub(crate) const ID: &str = "sandwich";

/// Applies where theory bounds what the first layer learns: linear networks under fixed feedback, entrywise ones from
/// zero weights only.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let sandwich = run.diagnostics.sandwich.as_ref()?;
    let panels = vec![sizes(run, sandwich), excesses(run, sandwich)];
    let norms = match run.theory().potential() {
        Some(potential) if !potential.is_euclidean() => {
            "ψ is the potential that the flow minimises, Ψ its least value at margin one, ψ* its dual"
        }
        _ => "Ψ = ‖β*‖ is the least norm at margin one, and ψ and ψ* are ‖·‖",
    };
    let bounds = if from_zero(sandwich) {
        "R is the radius at which the closed form would give an output layer of the same length. From zero weights a/Ψ \
         ≤ ψ*(Z) ≤ R ≤ a/Ψ + C at all times, whatever phases and the loss do on the way"
    } else {
        "R is the radius at which the closed form from zero weights would give an output layer of the same length. \
         From other weights it bounds ‖Z‖ up to what they start with (ρ(R) + ‖Z₀‖), and R ≤ a/Ψ + C at all times, with \
         a C that knows the start, whatever the loss does on the way"
    };
    let caption = format!(
        "Z = Gᵀ∫α dt, read off the first layer, and a = Σₙ∫αₙ dt, from the multipliers; {norms}. {bounds}. Right: the \
         same relative to a/Ψ. All of it closes like 1/a, and with it Z/a has nowhere to go but to the point of the \
         hull of the samples where ψ* is least: the run proves its own limit. Zeros are drawn at 10⁻¹⁷."
    );
    Some(run.figure(
        ID,
        "The accumulated signal between its bounds",
        caption,
        panels,
    ))
}

/// Whether R itself bounds ψ*(Z).
fn from_zero(sandwich: &Sandwich) -> bool {
    sandwich.largest_dual == sandwich.radius
}

fn sizes(run: &Drawn, sandwich: &Sandwich) -> Panel {
    let below: Vec<f64> = (sandwich.accumulated.iter())
        .map(|a| a / sandwich.least)
        .collect();
    let mut series = vec![
        build::line("a/Ψ", 0, run.over_time(below.iter().copied())),
        build::line("ψ*(Z)", 1, run.over_time(sandwich.dual.iter().copied())),
        build::line("R", 2, run.over_time(sandwich.radius.iter().copied())),
    ];
    series[1].style = Style::Dashed;
    let above = below.iter().map(|below| below + sandwich.constant);
    series.push(build::line("a/Ψ + C", 3, run.over_time(above)));
    series[3].style = Style::Dashed;
    if !from_zero(sandwich) {
        let largest = sandwich.largest_dual.iter().copied();
        series.push(build::line("ρ(R) + ‖Z₀‖", 4, run.over_time(largest)));
        series[4].style = Style::Dashed;
    }
    let mut y = build::axis("size of what was learned", Scale::Log10);
    y.range = build::settled_range(&series);
    build::panel("The bounds", y, series)
}

fn excesses(run: &Drawn, sandwich: &Sandwich) -> Panel {
    let saves = 0..sandwich.accumulated.len();
    let over = |excess: &dyn Fn(usize) -> Option<f64>| {
        let values: Vec<Option<f64>> = saves.clone().map(excess).collect();
        run.over_time_where_defined(&values)
    };
    let mut series = vec![
        build::line("ψ*(Z)Ψ/a − 1", 1, over(&|k| sandwich.dual_excess(k))),
        build::line("RΨ/a − 1", 2, over(&|k| sandwich.radius_excess(k))),
    ];
    series.push(build::line("CΨ/a", 3, over(&|k| sandwich.bound(k))));
    series[2].style = Style::Dashed;
    let mut y = build::axis("excess over the lower bound", Scale::Log10);
    y.range = build::settled_range(&series);
    build::panel("How they close", y, series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn curves_keep_their_order_and_close() {
        let mut case = synthetic::convolutional(8, 2);
        case.diagnostics.sandwich = Some(synthetic::sandwich(&case, true));
        let figure = build(&case.run()).unwrap();
        let [sizes, excesses] = &figure.panels[..] else {
            panic!("two panels")
        };
        assert_eq!((sizes.series.len(), excesses.series.len()), (4, 3));
        let at = |panel: &Panel, series: usize, k: usize| panel.series[series].points[k].1;
        for k in [100, 200, 300] {
            assert!((1..4).all(|i| at(sizes, i - 1, k) <= at(sizes, i, k)));
            assert!((1..3).all(|i| at(excesses, i - 1, k) <= at(excesses, i, k)));
        }
        assert!(at(excesses, 1, 300) < 1e-3 * at(excesses, 1, 100));
    }

    #[test]
    fn other_weights_have_a_bound_of_their_own() {
        let mut case = synthetic::dfa(2);
        assert!(build(&case.run()).is_none());
        case.diagnostics.sandwich = Some(synthetic::sandwich(&case, false));
        let figure = build(&case.run()).unwrap();
        let counts: Vec<usize> = figure.panels.iter().map(|p| p.series.len()).collect();
        assert_eq!(counts, [5, 3]);
        assert!(figure.caption.contains("other weights"));
    }
}
