//! Units of a two-layer ReLU network moving through log time: what the script draws decision regions from.
//!
//! The page has weights at a few saves, as shares of the largest of their layer: the sign of the output does not depend
//! on the lengths of layers, which span hundreds of orders of magnitude.

use super::numbers::number;
use crate::activation::Formula;
use crate::run::Run;
use maud::{Markup, PreEscaped, html};
use nalgebra::DMatrix;
use serde::Serialize;

/// Saves that are shown, evenly in log-log-time, as saves are.
const MOST_SAVES: usize = 25;
/// Units that can still be told apart.
const MOST_UNITS: usize = 64;
/// Weights of the first layer in a heat map.
const MOST_WEIGHTS: usize = 1024;
/// Samples that are drawn.
const MOST_SAMPLES: usize = 400;

/// One network on its data, and how its weights move.
#[derive(Serialize)]
pub(crate) struct Motion {
    /// What tells it from the others on the page; empty if it is alone.
    label: String,
    /// ln(1+ln(1+t)) of the saves: slides to the same time where there are several networks.
    s: Vec<f64>,
    /// ln(1+t) of the saves, as text.
    times: Vec<String>,
    /// Slope of inactive units.
    slope: f64,
    /// Coordinates in the plane, and label.
    samples: Vec<(f64, f64, f64)>,
    /// Per save and unit: input weights in the plane, output weight, in thousandths of the largest.
    units: Vec<Vec<[i32; 3]>>,
    /// Per save all input weights, unit by unit, in hundredths of the largest; empty where they are too many.
    weights: Vec<Vec<i32>>,
    #[serde(skip)]
    plane: &'static str,
}

/// What a motion is made of.
pub(crate) struct Moving<'a> {
    pub label: String,
    /// N × D.
    pub samples: &'a DMatrix<f64>,
    /// −1 or 1.
    pub labels: &'a [f64],
    /// Slope of inactive units.
    pub slope: f64,
    /// Units of the hidden layer.
    pub units: usize,
    /// ln(1+ln(1+t)) and ln(1+t) of every save.
    pub times: [&'a [f64]; 2],
}

/// The plane in which samples and units are drawn, a basis vector per row.
struct Plane {
    basis: DMatrix<f64>,
    what: &'static str,
}

impl Plane {
    /// `None` where samples do not span one.
    fn of(samples: &DMatrix<f64>) -> Option<Self> {
        match samples.ncols() {
            0 | 1 => None,
            2 => Some(Self {
                basis: DMatrix::identity(2, 2),
                what: "the plane of the two features",
            }),
            _ => {
                let axes = samples.clone().svd(false, true).v_t?;
                (axes.nrows() >= 2).then(|| Self {
                    basis: axes.rows(0, 2).into_owned(),
                    what: "the plane of the first two principal directions of the samples, through the origin, \
                           onto which they are projected",
                })
            }
        }
    }
}

/// In shares of the largest magnitude.
fn shares(matrix: &DMatrix<f64>, whole: f64) -> DMatrix<f64> {
    let largest = matrix.amax();
    let scale = if largest > 0.0 { largest } else { 1.0 };
    matrix.map(|x| (x / scale * whole).round())
}

impl Motion {
    /// Of the network whose two layers at save k are `layers(k)`; `None` if it is too large to be looked at.
    pub(crate) fn new(
        of: &Moving<'_>,
        layers: impl Fn(usize) -> Option<[DMatrix<f64>; 2]>,
    ) -> Option<Self> {
        let (units, saves) = (of.units, of.times[0].len());
        if units == 0 || saves == 0 || units > MOST_UNITS || of.labels.len() > MOST_SAMPLES {
            return None;
        }
        let plane = Plane::of(of.samples)?;
        let shown = saves.min(MOST_SAVES);
        let mut motion = Self {
            label: of.label.clone(),
            s: Vec::new(),
            times: Vec::new(),
            slope: of.slope,
            samples: (of.samples.row_iter().zip(of.labels))
                .map(|(x, label)| {
                    let at = &plane.basis * x.transpose();
                    let short = |x: f64| (x * 1e4).round() / 1e4;
                    (short(at[0]), short(at[1]), *label)
                })
                .collect(),
            units: Vec::new(),
            weights: Vec::new(),
            plane: plane.what,
        };
        for save in 0..shown {
            let k = save * (saves - 1) / (shown - 1).max(1);
            let [first, last] = layers(k)?;
            let seen = shares(&(&plane.basis * &first), 1000.0);
            let output = shares(&last, 1000.0);
            let unit = |j: usize| [seen[(0, j)] as i32, seen[(1, j)] as i32, output[j] as i32];
            motion.units.push((0..units).map(unit).collect());
            if first.len() <= MOST_WEIGHTS {
                let all = shares(&first, 100.0);
                motion.weights.push(all.iter().map(|x| *x as i32).collect());
            }
            motion.s.push(of.times[0][k]);
            motion.times.push(number(Some(of.times[1][k])));
        }
        Some(motion)
    }

    /// `None` for all but two-layer ReLU networks with one output, small enough to be looked at.
    fn of(run: &Run) -> Option<Self> {
        let (network, data) = (run.problem.network(), run.problem.dataset());
        let relu = network.units()?;
        let [(_, units), (_, 1)] = *network.shapes() else {
            return None;
        };
        let of = Moving {
            label: String::new(),
            samples: data.samples(),
            labels: data.labels().as_slice(),
            slope: relu.activation().kink().map_or(0.0, |kink| kink.inactive),
            units,
            times: [&run.diagnostics.log_log_time, &run.diagnostics.log_time],
        };
        Self::new(&of, |k| {
            let theta = run.trajectory.theta.column(k);
            network.weights(theta.as_slice()).try_into().ok()
        })
    }
}

/// The slider, the plane and the weights of a run; the script draws them.
pub(super) fn section(run: &Run) -> Option<Markup> {
    Some(side_by_side(&[Motion::of(run)?]))
}

/// One slider for all of these, a row of drawings for each.
pub(crate) fn side_by_side(motions: &[Motion]) -> Markup {
    // nothing in it can end the element: numbers, texts of digits, and labels with their brackets escaped
    let json = serde_json::to_string(motions)
        .expect("plain data")
        .replace('<', "\\u003c");
    let last = motions.len().saturating_sub(1);
    html! {
        h2 id="motion" { "Units through log time" }
        div.motion hidden {
            p.controls {
                button type="button" id="motion-play" { "play" }
                input type="range" id="motion-time" min="0" value="0" aria-label="log time";
                output id="motion-now" {}
            }
            @for (i, motion) in motions.iter().enumerate() {
                @if !motion.label.is_empty() { h3 { (motion.label) } }
                div.pair {
                    div {
                        canvas.plane width="720" height="720" role="img" aria-label="decision regions and units" {}
                        @if i == last {
                            p.muted {
                                "Decision regions in " (motion.plane) ". Arrows: input weights of the units, green \
                                 with a positive output weight, orange with a negative one; darker the larger it is. \
                                 Samples: discs of class +1, squares of class −1. Kinks are drawn exact."
                            }
                        }
                    }
                    div {
                        canvas.weights width="720" height="720" role="img" aria-label="weights as a heat map" {}
                        @if i == last {
                            p.muted {
                                "Weights, a row per unit: inputs, and on the right, apart, the output weight; green \
                                 positive, orange negative, in shares of the largest of the layer at that time."
                            }
                        }
                    }
                }
            }
            script type="application/json" id="motion-data" { (PreEscaped(json)) }
        }
        noscript { p.muted { "The drawing needs the page's script." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_those_of_the_samples() {
        let wide = DMatrix::from_row_slice(3, 3, &[5.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.1, 0.0]);
        let plane = Plane::of(&wide).unwrap();
        assert!((plane.basis[(0, 0)].abs() - 1.0).abs() < 1e-12);
        assert!((plane.basis[(1, 2)].abs() - 1.0).abs() < 1e-12);
        assert!(Plane::of(&DMatrix::zeros(3, 1)).is_none());
        assert_eq!(
            Plane::of(&DMatrix::zeros(3, 2)).unwrap().basis,
            DMatrix::identity(2, 2)
        );
    }

    #[test]
    fn several_networks_share_a_slider() {
        let samples = DMatrix::from_row_slice(2, 2, &[1.0, 0.5, -1.0, 2.0]);
        let motion = |label: &str, saves: usize| {
            let s: Vec<f64> = (0..saves).map(|k| k as f64).collect();
            let of = Moving {
                label: label.to_owned(),
                samples: &samples,
                labels: &[1.0, -1.0],
                slope: 0.0,
                units: 3,
                times: [&s, &s],
            };
            let layers = [
                DMatrix::from_element(2, 3, 2.0),
                DMatrix::from_element(3, 1, -1.0),
            ];
            Motion::new(&of, |k| (k < saves).then(|| layers.clone())).unwrap()
        };
        let page = side_by_side(&[motion("a </script>", 40), motion("b", 4)]).into_string();
        assert_eq!(page.matches("canvas class=\"plane\"").count(), 2);
        assert_eq!(page.matches("type=\"range\"").count(), 1);
        assert!(
            page.contains("<h3>b</h3>") && page.contains("a \\u003c/script>"),
            "{page}"
        );
        let short = motion("", 4);
        assert_eq!((short.s.len(), motion("", 40).s.len()), (4, MOST_SAVES));
        assert_eq!(short.units[0], [[1000, 1000, -1000]; 3]);
        assert!(!side_by_side(&[short]).into_string().contains("<h3>"));
    }

    #[test]
    fn shares_are_whole_numbers_whatever_the_length() {
        let m = DMatrix::from_row_slice(1, 3, &[1e200, -5e199, 0.0]);
        assert_eq!(shares(&m, 100.0).as_slice(), [100.0, -50.0, 0.0]);
        assert_eq!(shares(&DMatrix::zeros(1, 2), 100.0).as_slice(), [0.0, 0.0]);
    }
}
