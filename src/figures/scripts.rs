//! Indices and exponents. Unicode has small letters for them, which fonts draw too small to read in print: they are set
//! as ordinary letters, a fifth smaller and off the line.

use super::sheet::{Align, Lettering, TextWidth};

/// Their size, of that of the text: on labels of 8 points no letter is below 6.
pub(crate) const SIZE: f64 = 0.81;
/// How far an index is below the line, and an exponent above, in em of the text.
const BELOW: f64 = 0.2;
const ABOVE: f64 = 0.36;

/// Width of a space of the embedded font, em.
const SPACE: f64 = 651.0 / 2048.0;

const INDICES: &str = "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ";
const OF_INDICES: &str = "0123456789+−aeoxhklmnpstijruv";
const EXPONENTS: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᴸⁿ";
const OF_EXPONENTS: &str = "0123456789+−TLn";

/// A part of a text that is set at one height.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub text: String,
    /// How far its line is above that of the text, in em of the text.
    pub above: f64,
    /// Its size, of that of the text.
    pub size: f64,
}

/// The letter that a character is set as, and its height.
fn letter(character: char) -> (char, f64) {
    let among = |these: &str, letters: &str| {
        let at = these.chars().position(|c| c == character)?;
        letters.chars().nth(at)
    };
    if let Some(index) = among(INDICES, OF_INDICES) {
        (index, -BELOW)
    } else if let Some(exponent) = among(EXPONENTS, OF_EXPONENTS) {
        (exponent, ABOVE)
    } else {
        (character, 0.0)
    }
}

/// The parts of a text; one, if it has neither indices nor exponents.
pub(crate) fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (letter, above) in text.chars().map(letter) {
        match parts.last_mut() {
            Some(part) if part.above == above => part.text.push(letter),
            _ => parts.push(Part {
                text: letter.into(),
                above,
                size: if above == 0.0 { 1.0 } else { SIZE },
            }),
        }
    }
    parts
}

/// The texts to set for `line`, one after the other.
pub(crate) fn apart(line: &Lettering, measure: &TextWidth) -> Vec<Lettering> {
    let parts = parts(&line.text);
    if parts.len() < 2 && parts.iter().all(|p| p.above == 0.0) {
        return vec![line.clone()];
    }
    let widths: Vec<f64> = (parts.iter())
        .map(|p| measure(&p.text, p.size * line.size, line.bold))
        .collect();
    let whole: f64 = widths.iter().sum();
    let mut along = match line.align {
        Align::Left => 0.0,
        Align::Centre => -whole / 2.0,
        Align::Right => -whole,
    };
    let mut set = Vec::new();
    for (part, width) in parts.into_iter().zip(widths) {
        let above = part.above * line.size;
        set.push(Lettering {
            text: part.text,
            size: part.size * line.size,
            align: Align::Left,
            at: match line.upright {
                true => (line.at.0 - above, line.at.1 - along),
                false => (line.at.0 + along, line.at.1 - above),
            },
            ..line.clone()
        });
        along += width;
    }
    set
}

/// The texts of an SVG document with indices and exponents set apart. What follows them returns to the line.
pub(crate) fn in_svg(document: &str) -> String {
    let mut result = String::with_capacity(document.len());
    for (k, piece) in document.split('>').enumerate() {
        if k > 0 {
            result.push('>');
        }
        let (text, tag) = piece.split_at(piece.find('<').unwrap_or(piece.len()));
        // White space around a text counts as soon as it is in an element of its own.
        let parts = match parts(text.trim()) {
            parts if parts.len() > 1 || parts.iter().any(|p| p.above != 0.0) => parts,
            _ => {
                result.push_str(piece);
                continue;
            }
        };
        let (mut height, mut spaces) = (0.0, 0);
        for part in parts {
            // Some viewers drop spaces at the ends of an element, even those that do not break: the next one is moved.
            let set = part.text.trim_matches(' ');
            let before = part.text.len() - part.text.trim_start_matches(' ').len();
            spaces += before;
            if set.is_empty() {
                continue;
            }
            if part.above == 0.0 && height == 0.0 {
                result.push_str(set);
            } else {
                // What a tspan moves by counts in em of its own size, from where the text before it was.
                let down = (height - part.above) / part.size;
                let along = match spaces {
                    0 => String::new(),
                    _ => format!(" dx=\"{:.3}em\"", SPACE * spaces as f64 / part.size),
                };
                let size = match part.above {
                    0.0 => String::new(),
                    _ => format!(" font-size=\"{}%\"", 100.0 * SIZE),
                };
                result.push_str(&format!(
                    "<tspan{along} dy=\"{down:.3}em\"{size}>{set}</tspan>"
                ));
            }
            height = part.above;
            spaces = part.text.len() - before - set.len();
        }
        result.push_str(tag);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sheet::Ink;

    #[test]
    fn every_character_has_its_letter() {
        assert_eq!(INDICES.chars().count(), OF_INDICES.chars().count());
        assert_eq!(EXPONENTS.chars().count(), OF_EXPONENTS.chars().count());
        let of = |text: &str| -> Vec<(String, f64)> {
            parts(text).into_iter().map(|p| (p.text, p.above)).collect()
        };
        assert_eq!(
            of("‖w₂ⱼ‖²"),
            [
                ("‖w".into(), 0.0),
                ("2j".into(), -BELOW),
                ("‖".into(), 0.0),
                ("2".into(), ABOVE)
            ]
        );
        assert_eq!(of("plain"), [("plain".into(), 0.0)]);
    }

    #[test]
    fn parts_follow_each_other_and_the_text_stays_where_it_was() {
        let line = Lettering {
            text: "10⁻³".into(),
            at: (100.0, 50.0),
            align: Align::Right,
            size: 10.0,
            bold: false,
            upright: false,
            ink: Ink::TEXT,
        };
        let measure = |text: &str, size: f64, _: bool| 0.5 * size * text.chars().count() as f64;
        let set = apart(&line, &measure);
        assert_eq!((set[0].text.as_str(), set[1].text.as_str()), ("10", "−3"));
        assert!((set[1].at.0 - (100.0 - 8.1)).abs() < 1e-9 && set[1].at.1 < 50.0);
        assert!((set[0].at.0 - (100.0 - 18.1)).abs() < 1e-9 && set[0].at.1 == 50.0);
    }

    #[test]
    fn svg_returns_to_the_line_after_an_index() {
        assert_eq!(
            in_svg("<text x=\"1\">a₁b</text>"),
            "<text x=\"1\">a<tspan dy=\"0.247em\" font-size=\"81%\">1</tspan><tspan dy=\"-0.200em\">b</tspan></text>"
        );
        let spaced = in_svg("<text>of b₁ and c₂</text>");
        assert!(spaced.contains("<text>of b<tspan dy=\"0.247em\" font-size"));
        assert!(spaced.contains("<tspan dx=\"0.318em\" dy=\"-0.200em\">and c</tspan>"));
        let apart = in_svg("<text>₁ ₂</text>");
        assert!(
            apart.ends_with(
                "<tspan dx=\"0.392em\" dy=\"0.000em\" font-size=\"81%\">2</tspan></text>"
            )
        );
        assert_eq!(in_svg("<g>\n</g>"), "<g>\n</g>");
    }
}
