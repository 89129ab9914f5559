//! What single characters are in a sentence: parts of words, of formulas, or operators.

pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// Names of functions, which are set upright and may be followed by what they are applied to.
pub(super) const FUNCTIONS: [&str; 9] = [
    "ln", "log", "exp", "sin", "cos", "min", "max", "sym", "anti",
];

/// How many characters belong to a word of prose at the start, or to a name with digits; 0 if none does.
pub(super) fn word(chars: &[char]) -> usize {
    let letters = chars.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let rest = &chars[letters..];
    let next = |k: usize, what: fn(&char) -> bool| rest.get(k).is_some_and(what);
    let goes_on = next(0, |c| "-.'’".contains(*c)) && next(1, char::is_ascii_alphanumeric);
    let name = next(0, char::is_ascii_digit);
    let text: String = chars[..letters].iter().collect();
    match letters {
        0 => 0,
        _ if goes_on || name => letters + rest.iter().take_while(|c| is_of_name(**c)).count(),
        1 => 0,
        _ if FUNCTIONS.contains(&text.as_str()) => 0,
        n => n,
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.'’_".contains(c)
}

/// Raised characters, and what they stand for.
pub(super) const RAISED: &str = "⁰0¹1²2³3⁴4⁵5⁶6⁷7⁸8⁹9⁺+⁻−ᵀTᴸL";
/// Lowered characters, and what they stand for.
pub(super) const LOWERED: &str = "₀0₁1₂2₃3₄4₅5₆6₇7₈8₉9₊+₋−ⱼjₗlₙn";

pub(super) fn stands_for(c: char, table: &str) -> Option<char> {
    let mut pairs = table.chars();
    while let (Some(shown), Some(meant)) = (pairs.next(), pairs.next()) {
        if shown == c {
            return Some(meant);
        }
    }
    None
}

/// Letters of formulas that are no letters of words.
pub(super) fn is_symbol(c: char) -> bool {
    ('\u{370}'..='\u{3ff}').contains(&c) && !"ΣΠ".contains(c) || "𝓛ℓ∞∂ŵη".contains(c)
}

pub(super) fn is_operator(c: char) -> bool {
    "+−±=≤≥<>≠≈∝→·⋯…∈⊥×/ΣΠ∏∫∑".contains(c)
}

/// Operators in front of what they belong to.
pub(super) const PREFIXES: &str = "−±ΣΠ∏∫∑";
