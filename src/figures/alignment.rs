//! Alignment of the layers with their feedback under DFA: `w_l = φ_l b_{l−1} b_lᵀ` with φ_l known in closed form.

use super::{Drawn, Figure, Scale, Series, Style, build, curve::spread, ticks::subscript};

pub(crate) const ID: &str = "alignment";

/// Markers per curve of the closed form.
const MARKERS: usize = 24;
/// Palette index: black rings show on lines of any colour.
const RING: usize = 6;

/// Applies to DFA runs.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let alignment = run.diagnostics.alignment.as_ref()?;
    let mut coefficients = Vec::new();
    let mut markers = Vec::new();
    for (row, (phi, closed_form)) in alignment
        .phi
        .row_iter()
        .zip(alignment.closed_form.row_iter())
        .enumerate()
    {
        let name = format!("φ{}", subscript(row + 2));
        coefficients.push(build::line(
            format!("{name} of the run"),
            row + 1,
            run.over_time(phi.iter().copied()),
        ));
        let drawable: Vec<(f64, f64)> = run
            .over_time(closed_form.iter().copied())
            .into_iter()
            .filter(|p| p.0 > 0.0 && p.1 > 0.0)
            .collect();
        markers.push(Series {
            label: (row == 0).then(|| "closed form from zero weights".into()),
            points: spread(&drawable, MARKERS),
            style: Style::Points,
            colour: RING,
            opacity: 1.0,
        });
    }
    coefficients.extend(markers);
    let residuals = alignment
        .residual
        .row_iter()
        .enumerate()
        .map(|(row, residual)| {
            build::line(
                format!("layer {}", row + 1),
                row,
                run.over_time(residual.iter().map(|&r| build::floored(r))),
            )
        })
        .collect();
    let panels = vec![
        build::panel(
            "Coefficient along the feedback",
            build::axis("coefficient φₗ", Scale::Log10),
            coefficients,
        ),
        build::panel(
            "What is left outside the feedback direction",
            build::axis("‖wₗ − φₗ bₗ₋₁ bₗᵀ‖ / ‖wₗ‖", Scale::Log10),
            residuals,
        ),
    ];
    let caption = "Left: the coefficient φₗ of layer l along bₗ₋₁ bₗᵀ, as integrated (lines), and its closed form from \
                   zero weights (rings), φ₂ = ½‖Z‖² and φₗ₊₁ = ½‖bₗ₋₁‖² φₗ², with Z the accumulated gradient signal. \
                   Right: the part of each layer not along the feedback (for layer 1: not equal to Z b₁ᵀ). From zero \
                   weights it is exactly zero, so what is seen is the integrator's error; from other weights it dies \
                   out as the aligned part grows. Exact zeros are drawn at 10⁻¹⁷.";
    Some(run.figure(
        ID,
        "Layers align with their feedback vectors",
        caption.into(),
        panels,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn lines_are_measured_and_rings_closed_form() {
        let case = synthetic::dfa(4);
        let figure = build(&case.run()).unwrap();
        let [coefficients, residuals] = &figure.panels[..] else {
            panic!("two panels")
        };
        let lines: Vec<_> = coefficients
            .series
            .iter()
            .filter(|s| s.style == Style::Line)
            .collect();
        let rings: Vec<_> = coefficients
            .series
            .iter()
            .filter(|s| s.style == Style::Points)
            .collect();
        assert_eq!((lines.len(), rings.len()), (3, 3));
        for (line, ring) in lines.iter().zip(&rings) {
            assert_ne!(line.colour, ring.colour);
            assert!(
                ring.points.len() <= MARKERS && ring.points.iter().all(|p| line.points.contains(p))
            );
        }
        assert_eq!(lines[2].label.as_deref(), Some("φ₄ of the run"));
        assert_eq!(residuals.series.len(), 4);
        assert!(
            residuals
                .series
                .iter()
                .flat_map(|s| &s.points)
                .all(|p| p.1 >= build::FLOOR)
        );
    }

    #[test]
    fn does_not_apply_to_gradient_descent() {
        assert!(build(&synthetic::gradient_descent(3).run()).is_none());
    }
}
