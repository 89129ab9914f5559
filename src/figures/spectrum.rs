//! The spectrum of the learned predictor against those of the limits: `|β̂_d|/‖β‖` at the end of the run.

use nalgebra::DVector;
use num_complex::Complex64;

use super::{
    Axis, Drawn, Figure, Panel, Scale, Series, Style, build,
    candidates::{Claimed, claimed},
};
use crate::network::SpectralLinear;
use crate::spectrum::Basis;

pub(crate) const ID: &str = "spectrum";

/// Palette index: black rings show on lines of any colour.
const RING: usize = 6;

/// Applies where layers act entrywise and something has been learned.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let network = run.problem.network().spectrum()?;
    let learned = direction(network, &run.diagnostics.final_beta())?;
    let limits: Vec<(Claimed, DVector<Complex64>)> = claimed(run)
        .into_iter()
        .filter_map(|limit| {
            let spectrum = direction(network, limit.beta)?;
            Some((limit, spectrum))
        })
        .collect();
    let (symbol, abscissa, all) = match network.basis() {
        Basis::Fourier => ("β̂", "frequency d", "frequencies"),
        Basis::Standard => ("β", "entry d", "entries"),
    };

    let mut moduli: Vec<Series> = limits
        .iter()
        .map(|(limit, spectrum)| {
            build::line(
                limit.label,
                limit.colour,
                levels(spectrum.map(Complex64::norm)),
            )
        })
        .collect();
    moduli.push(Series {
        style: Style::Points,
        ..build::line(
            "end of the run",
            RING,
            over_frequencies(learned.map(Complex64::norm)),
        )
    });
    let distances: Vec<Series> = limits
        .iter()
        .map(|(limit, spectrum)| {
            let distance = (&learned - spectrum).map(|z| build::floored(z.norm()));
            build::line(limit.label, limit.colour, levels(distance))
        })
        .collect();

    let over = |title: &str, y: Axis, series: Vec<Series>| Panel {
        x: build::axis(abscissa, Scale::Whole),
        ..build::panel(title, y, series)
    };
    let mut panels = vec![over(
        "Moduli, of directions of length one",
        build::axis(format!("|{symbol}[d]| / ‖β‖"), Scale::Linear),
        moduli,
    )];
    if !distances.is_empty() {
        panels.push(over(
            "Distance of the run from each limit",
            build::axis(format!("|difference of {symbol}[d] / ‖β‖|"), Scale::Log10),
            distances,
        ));
    }
    let half = if symbol == "β" {
        ""
    } else {
        ", on the half spectrum (the rest are complex conjugates)"
    };
    let caption = format!(
        "Left: modulus of the entries of the learned direction at the end of the run (rings) and of every limit that \
         has been claimed (bars){half}; once the run has converged the rings lie on the predicted limit. Right: how \
         far the run is from each limit, entry by entry and phases included: the predicted one is approached in all \
         {all}, any other at most in some. Exact zeros are drawn at 10⁻¹⁷."
    );
    Some(run.figure(
        ID,
        "Spectrum of the learned direction and of the limits",
        caption,
        panels,
    ))
}

/// The half spectrum of β/‖β‖; `None` for zero.
fn direction(network: &SpectralLinear, beta: &DVector<f64>) -> Option<DVector<Complex64>> {
    let size = beta.norm();
    (size > 0.0 && size.is_finite()).then(|| network.transform(&(beta / size)))
}

/// How far a level reaches to either side of its frequency.
const HALF: f64 = 0.36;

/// A level at every frequency; what is between two frequencies is not joined, since there is nothing.
fn levels(values: DVector<f64>) -> Vec<(f64, f64)> {
    let level =
        |(d, value): (f64, f64)| [(d - HALF, value), (d + HALF, value), (d + 0.5, f64::NAN)];
    over_frequencies(values)
        .into_iter()
        .flat_map(level)
        .collect()
}

fn over_frequencies(values: DVector<f64>) -> Vec<(f64, f64)> {
    (0u32..)
        .map(f64::from)
        .zip(values.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn the_run_lies_on_the_predicted_limit_and_not_on_the_others() {
        let case = synthetic::convolutional(8, 2);
        let figure = build(&case.run()).unwrap();
        let [moduli, distances] = &figure.panels[..] else {
            panic!("two panels")
        };
        let limits = case.diagnostics.candidates.len() + 1;
        assert_eq!(
            (moduli.series.len(), distances.series.len()),
            (limits + 1, limits)
        );
        let run = moduli.series.last().unwrap();
        assert_eq!((run.style, run.points.len()), (Style::Points, 5));
        let predicted = &moduli.series[0];
        assert_eq!(predicted.label.as_deref(), Some("predicted limit"));
        assert_eq!(predicted.points.len(), 3 * run.points.len());
        for (a, level) in run.points.iter().zip(predicted.points.chunks(3)) {
            assert!(level[0].0 < a.0 && a.0 < level[1].0 && level[2].1.is_nan());
            assert!((a.1 - level[0].1).abs() < 1e-6 && level[0].1 == level[1].1);
        }
        // Over the full spectrum a direction has norm one.
        let square: f64 = run
            .points
            .iter()
            .map(|p| if p.0 == 0.0 || p.0 == 4.0 { 1.0 } else { 2.0 } * p.1 * p.1)
            .sum();
        assert!((square - 1.0).abs() < 1e-12);
        let farthest = |s: &Series| s.points.iter().map(|p| p.1).fold(0.0, f64::max);
        assert!(farthest(&distances.series[0]) < 1e-6);
        assert!(distances.series[1..].iter().all(|s| farthest(s) > 0.02));
    }

    #[test]
    fn diagonal_networks_have_entries_in_the_place_of_frequencies() {
        let case = synthetic::diagonal(2);
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels[0].x.label, "entry d");
        assert_eq!(
            figure.panels[0].series[0].points.len(),
            3 * case.problem.dataset().dimension()
        );
    }

    #[test]
    fn needs_a_spectrum_and_something_learned() {
        assert!(build(&synthetic::dfa(2).run()).is_none());
        let mut case = synthetic::convolutional(8, 2);
        case.diagnostics.beta.fill(0.0);
        assert!(build(&case.run()).is_none());
    }

    #[test]
    fn without_a_limit_the_run_stands_alone() {
        let mut case = synthetic::convolutional(8, 2);
        case.diagnostics.candidates.clear();
        let alone = Drawn {
            limit: None,
            ..case.run()
        };
        let figure = build(&alone).unwrap();
        assert_eq!((figure.panels.len(), figure.panels[0].series.len()), (1, 1));
    }
}
