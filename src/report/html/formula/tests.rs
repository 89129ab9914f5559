//! Formulas as claims have them, and prose that must stay prose.

use super::*;
use crate::claims::CLAIMS;

fn shown(text: &str) -> String {
    prose(text).into_string()
}

/// Without attributes and rows.
fn bare(text: &str) -> String {
    let mut out = shown(text).replace("<mrow>", "").replace("</mrow>", "");
    while let Some(at) = out
        .find(" stretchy")
        .or_else(|| out.find(" lspace"))
        .or_else(|| out.find(" rspace"))
    {
        let end = out[at..].find('>').unwrap();
        out.replace_range(at..at + end, "");
    }
    out
}

#[test]
fn scripts_and_fractions_are_typeset() {
    for (text, mathml) in [
        (
            "2^{L−1}",
            "<msup><mn>2</mn><mi>L</mi><mo>−</mo><mn>1</mn></msup>",
        ),
        ("w_2j", "<msub><mi>w</mi><mn>2</mn><mi>j</mi></msub>"),
        ("b_lᵀ", "<msubsup><mi>b</mi><mi>l</mi><mo>⊤</mo></msubsup>"),
        ("10^26", "<msup><mn>10</mn><mn>26</mn></msup>"),
        ("a/Ψ", "<mfrac><mi>a</mi><mi>Ψ</mi></mfrac>"),
        (
            "2^L/(2^L−1)",
            "<mfrac><msup><mn>2</mn><mi>L</mi></msup><msup><mn>2</mn><mi>L</mi></msup><mo>−</mo><mn>1</mn></mfrac>",
        ),
        (
            "W_d^{−1/2}",
            "<msubsup><mi>W</mi><mi>d</mi><mo>−</mo><mn>1</mn><mo>/</mo><mn>2</mn></msubsup>",
        ),
        (
            "b̂_l^*",
            "<msubsup><mover accent=\"true\"><mi>b</mi><mo>^</mo></mover><mi>l</mi><mo>*</mo></msubsup>",
        ),
        (
            "ψ*(Z)",
            "<msup><mi>ψ</mi><mo>*</mo></msup><mo>(</mo><mi>Z</mi><mo>)</mo>",
        ),
        ("√E", "<msqrt><mi>E</mi></msqrt>"),
        ("c₀", "<msub><mi>c</mi><mn>0</mn></msub>"),
        ("L > 2", "<mi>L</mi><mo>&gt;</mo><mn>2</mn>"),
    ] {
        assert_eq!(bare(text), format!("<math>{mathml}</math>"), "{text}");
        let sentence = bare(&format!("so {text}, and a word"));
        assert_eq!(sentence, format!("so <math>{mathml}</math>, and a word"));
    }
    let group = bare("like (log t)^{−1/3} with");
    assert!(
        group.starts_with("like <math><msup><mo>(</mo><mi>log</mi>"),
        "{group}"
    );
    assert!(bare("|a| + |b̂| rises").contains("<mo>|</mo><mi>a</mi><mo>|</mo><mo>+</mo><mo>|</mo>"));
}

#[test]
fn prose_stays_prose() {
    for text in [
        "a hundredth of A.10, section 8, thm-2-corrected",
        "(Ours; the report leaves it open.) I see a",
        "the p-norm of flow.until in report.json",
        "and/or 10/20 of min and max",
        "C outputs, L layers, log time",
        "unmatched ( and | bars",
        "gates in [0, 1]",
    ] {
        assert_eq!(shown(text), text);
    }
    assert_eq!(
        shown("<script> & \"c\""),
        "&lt;script&gt; &amp; &quot;c&quot;"
    );
    assert!(
        shown("a^{b").ends_with("a^{b"),
        "what does not come out even stays"
    );
    let shown_apart = bare("drift of ½‖w_1‖² 1.6e-9, so");
    assert!(
        shown_apart.ends_with("</math> 1.6·10⁻⁹, so"),
        "{shown_apart}"
    );
    assert!(shown("of a multiple of λ").starts_with("of a multiple of <math>"));
}

/// Every element is closed, in order.
#[track_caller]
fn assert_well_formed(markup: &str) {
    let mut open = Vec::new();
    for tag in markup.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{markup}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{markup}");
}

#[test]
fn all_formulas_of_the_claims_are_typeset() {
    for claim in CLAIMS {
        for text in [claim.printed, claim.corrected, claim.check] {
            let markup = shown(text);
            assert_well_formed(&markup);
            let outside: String = (markup.split("<math>"))
                .map(|part| part.split("</math>").last().unwrap())
                .collect();
            for left in ["^", "_{", "‖", "½"] {
                assert!(!outside.contains(left), "{}: {left} in {outside}", claim.id);
            }
        }
    }
}
