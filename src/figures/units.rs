//! Units of the first hidden layer grouped by the sign that distinguishes them, and bundles of curves in its colour.

use super::{Drawn, GREY, Series, Style, curve::spread};
use crate::theory::Errors;

/// Most curves of one kind in a panel.
pub(super) const MOST: usize = 40;
/// Most grey ones, which only show where the others are.
pub(super) const FEW: usize = 24;

/// A label that says if not all are drawn.
pub(super) fn drawn(label: &str, count: usize, most: usize) -> String {
    match count > most {
        true => format!("{label}, {most} drawn"),
        false => label.to_owned(),
    }
}

/// Most curves of a colour.
pub(super) fn most(colour: usize) -> usize {
    if colour == GREY { FEW } else { MOST }
}

/// What distinguishes the units of the first hidden layer: the sign of their error signal, the same at all times.
pub(super) struct Signs {
    pub values: Vec<f64>,
    /// Its symbol.
    pub symbol: &'static str,
}

/// The sign of the units' feedback, or, under gradient descent on two layers, of their final output weights. `None`
/// where no such sign exists.
pub(super) fn signs(run: &Drawn) -> Option<Signs> {
    let (values, symbol) = match &run.theory().errors {
        Errors::Fixed { first, .. } => (first.clone()?, "bⱼ"),
        Errors::Backward if run.depth() == 2 => {
            let weights = &run.diagnostics.homogeneous.as_ref()?.output_weights;
            (weights.column_iter().next_back()?.into_owned(), "w₂ⱼ")
        }
        Errors::Backward | Errors::Other => return None,
    };
    Some(Signs {
        values: values.as_slice().to_vec(),
        symbol,
    })
}

/// A group of units drawn in one colour.
pub(super) struct Group {
    pub name: String,
    pub colour: usize,
    pub units: Vec<usize>,
}

/// Units by the sign of their error signal, empty groups left out.
pub(super) fn groups(units: usize, signs: Option<&Signs>) -> Vec<Group> {
    let Some(signs) = signs else {
        return vec![Group {
            name: "units".into(),
            colour: 0,
            units: (0..units).collect(),
        }];
    };
    let group = |relation: &str, colour: usize, inside: fn(&f64) -> bool| Group {
        name: format!("units with {} {relation} 0", signs.symbol),
        colour,
        units: (0..units).filter(|&j| inside(&signs.values[j])).collect(),
    };
    let mut all = vec![
        group(">", 0, |v| *v > 0.0),
        group("<", 1, |v| *v < 0.0),
        group("=", GREY, |v| *v == 0.0),
    ];
    all.retain(|g| !g.units.is_empty());
    all
}

/// One curve per item, the first labelled.
pub(super) fn bundle<T: Clone>(
    items: &[T],
    label: String,
    (colour, opacity): (usize, f64),
    points: impl Fn(&T) -> Vec<(f64, f64)>,
) -> Vec<Series> {
    spread(items, most(colour))
        .iter()
        .enumerate()
        .map(|(k, item)| Series {
            label: (k == 0).then(|| label.clone()),
            points: points(item),
            style: Style::Line,
            colour,
            opacity,
        })
        .collect()
}

/// The more curves, the fainter.
pub(super) fn opacity(curves: usize) -> f64 {
    if curves > 20 { 0.6 } else { 0.9 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic_relu;

    #[test]
    fn signs_are_those_of_the_feedback_or_of_the_output_weights() {
        let case = synthetic_relu::relu(3, &[6], true);
        let found = signs(&case.run()).unwrap();
        let b = case.problem.rule().signals().last().unwrap();
        assert_eq!(
            (found.values.as_slice(), found.symbol),
            (b.as_slice(), "bⱼ")
        );
        let case = synthetic_relu::relu(3, &[6], false);
        assert_eq!(signs(&case.run()).unwrap().symbol, "w₂ⱼ");
        assert!(signs(&synthetic_relu::relu(3, &[6, 5], false).run()).is_none());
        assert_eq!(
            signs(&synthetic_relu::relu(3, &[6, 5], true).run())
                .unwrap()
                .values
                .len(),
            6
        );
    }

    #[test]
    fn units_fall_into_groups_by_sign() {
        let signs = Signs {
            values: vec![1.0, -2.0, 0.0, 3.0],
            symbol: "bⱼ",
        };
        let found = groups(4, Some(&signs));
        let units: Vec<&[usize]> = found.iter().map(|g| g.units.as_slice()).collect();
        assert_eq!(units, [&[0, 3][..], &[1], &[2]]);
        assert_eq!(found[1].name, "units with bⱼ < 0");
        assert_eq!(groups(3, None)[0].units, [0, 1, 2]);
    }
}
