//! Letters with a circumflex for which Unicode has no single character, such as β̂ and b̂: the letter, then U+0302.
//!
//! SVG viewers combine the two. plotters' bitmap backend sets glyph after glyph, so there the text is set without
//! circumflexes, and each circumflex is a separate text, centred above its letter.

use std::borrow::Cow;

use super::sheet::{Align, Lettering, TextWidth};

const COMBINING: char = '\u{302}';

/// The circumflex as a character of its own, at the height it has on an `x`.
const CIRCUMFLEX: &str = "ˆ";

/// How much higher it sits on tall letters, in em: their height minus that of an `x`, in DejaVu Sans.
const RAISE: f64 = 0.21;

/// Letters taller than an `x`, among those that get a circumflex in figures.
const TALL: &str = "bdfhklβδθλφψ";

/// The text without combining circumflexes.
pub(crate) fn bare(text: &str) -> Cow<'_, str> {
    if text.contains(COMBINING) {
        text.replace(COMBINING, "").into()
    } else {
        text.into()
    }
}

/// The texts to set for `line`, one after the other: its bare text, then every circumflex.
pub(crate) fn apart(line: &Lettering, measure: &TextWidth) -> Vec<Lettering> {
    let width = |text: &str| measure(text, line.size, line.bold);
    let whole = bare(&line.text);
    let start = match line.align {
        Align::Left => 0.0,
        Align::Centre => -width(&whole) / 2.0,
        Align::Right => -width(&whole),
    };
    let circumflex = |before: &str| {
        let mut before = bare(before).into_owned();
        let letter = before.pop()?;
        let along = start + width(&before) + width(&letter.to_string()) / 2.0;
        let above = if letter.is_uppercase() || TALL.contains(letter) {
            RAISE * line.size
        } else {
            0.0
        };
        Some(Lettering {
            text: CIRCUMFLEX.into(),
            at: if line.upright {
                (line.at.0 - above, line.at.1 - along)
            } else {
                (line.at.0 + along, line.at.1 - above)
            },
            align: Align::Centre,
            ..line.clone()
        })
    };
    let mut pieces = vec![Lettering {
        text: whole.clone().into_owned(),
        ..line.clone()
    }];
    pieces.extend(
        line.text
            .match_indices(COMBINING)
            .filter_map(|(at, _)| circumflex(&line.text[..at])),
    );
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sheet::Ink;

    /// Every character is half an em wide.
    fn measure(text: &str, size: f64, _: bool) -> f64 {
        0.5 * size * text.chars().count() as f64
    }

    fn pieces(text: &str, align: Align, upright: bool) -> Vec<(String, (f64, f64))> {
        let line = Lettering {
            text: text.into(),
            at: (100.0, 200.0),
            align,
            size: 10.0,
            bold: false,
            upright,
            ink: Ink::TEXT,
        };
        let pieces = apart(&line, &measure);
        pieces.into_iter().map(|p| (p.text, p.at)).collect()
    }

    #[test]
    fn circumflexes_stand_over_their_letters() {
        let circumflex = |x, y| ("ˆ".to_owned(), (x, y));
        let found = pieces("aβ̂ x̂", Align::Left, false);
        assert_eq!(found[0], ("aβ x".into(), (100.0, 200.0)));
        assert_eq!(
            found[1..],
            [
                circumflex(107.5, 200.0 - 10.0 * RAISE),
                circumflex(117.5, 200.0)
            ]
        );
        let right = pieces("aβ̂ x̂", Align::Right, false);
        assert_eq!(right[2], circumflex(97.5, 200.0));
        // Text read upwards: along the line is up the sheet, above the line is left.
        let upright = pieces("aβ̂ x̂", Align::Centre, true);
        assert_eq!(upright[1], circumflex(100.0 - 10.0 * RAISE, 202.5));
    }

    #[test]
    fn other_texts_stay_whole() {
        assert_eq!(pieces("ŵ₁ and Ẑ", Align::Centre, false).len(), 1);
        // A circumflex without a letter.
        assert_eq!(pieces("\u{302}a", Align::Left, false).len(), 1);
        assert_eq!(bare("|b̂|²"), "|b|²");
    }
}
