//! Numbers as people write them: 4.3·10⁻¹⁰ for `4.3e-10`, −0.088 for `-0.088`, and 0.0000 for `-0.0000`.
//!
//! The table on the terminal keeps the notation of programs, which can be copied into one; pages are for reading.

/// Exponents in between are written out: 0.0128, 1280.
const WRITTEN_OUT: std::ops::RangeInclusive<i32> = -3..=3;

/// A number of a table: three digits, or a dash where nothing was measured.
pub(crate) fn number(x: Option<f64>) -> String {
    match x {
        None => "–".to_owned(),
        Some(x) if !x.is_finite() => x.to_string().replace('-', "−"),
        Some(x) => {
            let text = format!("{x:.2e}");
            let (mantissa, exponent) = text.split_once('e').expect("scientific notation");
            let mantissa = match mantissa.contains('.') {
                true => mantissa.trim_end_matches('0').trim_end_matches('.'),
                false => mantissa,
            };
            typeset(&format!("{mantissa}e{exponent}"))
        }
    }
}

/// A text with all its numbers as people write them. Names that contain digits (`thm-1`, `0.18.0`) stay.
pub(crate) fn typeset(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let before = &rest[..at];
        let digits = literal(&rest[at..]);
        let (shown, after) = rest.split_at(at + digits.len());
        let sign = before.chars().next_back().filter(|c| "+-".contains(*c));
        let body = &before[..before.len() - sign.map_or(0, char::len_utf8)];
        let joined = |c: char| c.is_alphanumeric() || "_.^{".contains(c);
        let last = (body.chars().next_back()).or_else(|| out.chars().next_back());
        let part_of_a_name = match (sign, last) {
            // a hyphen in a name, as in thm-1, or a difference
            (Some(_), Some(c)) => c.is_alphanumeric() || c == ')',
            (None, Some(c)) => joined(c),
            (_, None) => false,
        };
        let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            || after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit());
        if part_of_a_name || goes_on {
            let name = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c)))
                .unwrap_or(after.len());
            out.push_str(shown);
            out.push_str(&after[..name]);
            rest = &after[name..];
        } else {
            out.push_str(body);
            out.push_str(&signed(sign, digits));
            rest = after;
        }
    }
    out + rest
}

/// The unsigned number a text starts with, an exponent included.
fn literal(text: &str) -> &str {
    let digits = |from: usize| {
        let run = text[from..].find(|c: char| !c.is_ascii_digit());
        run.map_or(text.len(), |n| from + n)
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if text[end..].starts_with('e') {
        let sign = text[end + 1..].starts_with(['+', '-']);
        let from = end + 1 + usize::from(sign);
        if digits(from) > from {
            end = digits(from);
        }
    }
    &text[..end]
}

fn signed(sign: Option<char>, digits: &str) -> String {
    let is_zero = digits
        .split('e')
        .next()
        .is_some_and(|m| m.bytes().all(|b| b == b'0' || b == b'.'));
    let sign = match sign {
        Some('-') if !is_zero => "−",
        Some('+') if !is_zero => "+",
        _ => "",
    };
    let Some((mantissa, exponent)) = digits.split_once('e') else {
        return format!("{sign}{digits}");
    };
    if is_zero {
        return "0".to_owned();
    }
    match exponent.parse() {
        Ok(exponent) if WRITTEN_OUT.contains(&exponent) => {
            format!("{sign}{}", shifted(mantissa, exponent))
        }
        _ => {
            let power = format!("10{}", raised(exponent));
            match mantissa {
                "1" => format!("{sign}{power}"),
                _ => format!("{sign}{mantissa}·{power}"),
            }
        }
    }
}

/// The mantissa times a small power of ten, by moving its point.
fn shifted(mantissa: &str, exponent: i32) -> String {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut point = i32::try_from(whole.len())
        .unwrap_or(i32::MAX)
        .saturating_add(exponent);
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).unwrap_or(0);
    while digits.len() < point {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at(point);
    match fraction {
        "" => whole.to_owned(),
        _ => format!("{whole}.{fraction}"),
    }
}

/// Digits and signs as an exponent, without a plus and leading zeros.
fn raised(exponent: &str) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ("⁻", digits),
        None => ("", exponent.trim_start_matches('+')),
    };
    let digits = digits.trim_start_matches('0').bytes();
    let digits: String = digits.map(|b| RAISED[usize::from(b - b'0')]).collect();
    format!("{sign}{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_tables_have_three_digits() {
        for (x, shown) in [
            (4.3e-10, "4.3·10⁻¹⁰"),
            (1e-6, "10⁻⁶"),
            (-2.5e-7, "−2.5·10⁻⁷"),
            (0.01, "0.01"),
            (0.12812, "0.128"),
            (1280.4, "1280"),
            (2.0, "2"),
            (0.0, "0"),
            (-0.0, "0"),
            (-1e-4, "−10⁻⁴"),
            (1.7e308, "1.7·10³⁰⁸"),
            (f64::NEG_INFINITY, "−inf"),
        ] {
            assert_eq!(number(Some(x)), shown);
        }
        assert_eq!(number(None), "–");
    }

    #[test]
    fn numbers_in_sentences_are_typeset_and_names_are_not() {
        for (text, shown) in [
            (
                "angle 2.592e-7 rad at the end",
                "angle 2.592·10⁻⁷ rad at the end",
            ),
            (
                "slope -0.3336 (predicted -0.3333)",
                "slope −0.3336 (predicted −0.3333)",
            ),
            ("slope -0.0000, +0.0000", "slope 0.0000, 0.0000"),
            ("rate +0.1250", "rate +0.1250"),
            (
                "of 0.0e0, 1.107111e0 and 3.4567e1",
                "of 0, 1.107111 and 34.567",
            ),
            ("𝓛 = 3.31e-1 and 1.00e-2", "𝓛 = 0.331 and 0.0100"),
            ("below 1e-6 rad, rtol=1e-9", "below 10⁻⁶ rad, rtol=10⁻⁹"),
            ("2.353853e17 and 1e+020", "2.353853·10¹⁷ and 10²⁰"),
            (
                "thm-1 and prop-2, relu-38-dfa",
                "thm-1 and prop-2, relu-38-dfa",
            ),
            (
                "version 0.18.0, sha 3e5f and x1e5",
                "version 0.18.0, sha 3e5f and x1e5",
            ),
            (
                "w_2j, 2^{L−1}, 1/40 and 1e5x",
                "w_2j, 2^{L−1}, 1/40 and 1e5x",
            ),
            ("(log t)^{−0.13}: s = 26.8.", "(log t)^{−0.13}: s = 26.8."),
            ("[-1e-9, 2]", "[−10⁻⁹, 2]"),
            ("", ""),
            ("7", "7"),
        ] {
            assert_eq!(typeset(text), shown);
        }
    }
}
