//! Inputs made from others: the k-th one is a function of the corpus and of k alone.

use super::corpus::Corpus;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Longest input but for those in which one token is repeated.
pub const LONGEST: usize = 4096;
/// Longest stretch of one token.
const LONGEST_STRETCH: usize = 60_000;

/// Tokens that readers are known to stumble over.
const TOKENS: &[&[u8]] = &[
    b"nan",
    b"-nan",
    b"inf",
    b"-inf",
    b"+inf",
    b"infinity",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"5e-324",
    b"-0.0",
    b"0",
    b"-1",
    b"+1",
    b"1_000",
    b"0x10",
    b"0b1",
    b"1.",
    b".5",
    b"1e",
    b"1e308",
    b"1e-308",
    b"1.7976931348623159e308",
    b"9007199254740993",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"1979-05-27T07:32:00Z",
    b"true",
    b"false",
    b"\"\"",
    b"''",
    b"\"",
    b"'",
    b"\"\"\"",
    b"'''",
    b"\\",
    b"\\u0000",
    b"\\U0010FFFF",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"(",
    b")",
    b"=",
    b".",
    b",",
    b":",
    b";",
    b"#",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b" ",
    b"\0",
    b"\x1b[31m",
    b"\x7f",
    b"\xff",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\xa6\x80",
    b"\xe2\x80\xae",
    b"\xcc\x81",
    b"e\xcc\x81",
    b"\xc2\xa0",
    b"\xe3\x80\x80",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xef\xbf\xbd",
    b"\xd9\xa1",
    b"\xef\xbc\x91",
    b"\x93NUMPY",
    b"\x01\x00",
    b"\xff\xff",
    b"\n# set: ",
    b"\n# set: a.b.c.d.e.f=1\n",
    b"\n# set: flow={}\n",
    b"\n# set: rule=gradient-descent\n",
    b"\n[flow]\n",
    b"\n[[flow]]\n",
    b"../",
    b"/",
    b"/dev/zero",
    b"/proc/self/mem",
    b"1,2\n3,4\n",
    b"\n\n\n",
];

/// The `index`-th input from a corpus.
pub fn input(corpus: &Corpus, index: u64) -> Vec<u8> {
    let mut random = Pcg64::seed_from_u64(index);
    let mut input = match random.random_range(0..20) {
        0 => noise(corpus, &mut random),
        _ => pick(&corpus.inputs, &mut random).clone(),
    };
    // Mostly a few slips: more of them leave nothing that gets past the first line.
    let edits = 1 + random.random_range(0..8) * random.random_range(0..2);
    for _ in 0..edits {
        edit(&mut input, corpus, &mut random);
        input.truncate(LONGEST);
    }
    if random.random_range(0..200) == 0 {
        let token = token(corpus, &mut random);
        let most = LONGEST_STRETCH / token.len().max(1);
        let times = random.random_range(0..=most);
        let at = random.random_range(0..=input.len());
        input.splice(at..at, token.repeat(times));
    }
    input
}

/// Bytes and tokens without any order.
fn noise(corpus: &Corpus, random: &mut Pcg64) -> Vec<u8> {
    let mut noise = Vec::new();
    for _ in 0..random.random_range(0..30) {
        match random.random_range(0..3) {
            0 => noise.push(random.random_range(0..=u8::MAX)),
            _ => noise.extend_from_slice(token(corpus, random)),
        }
    }
    noise
}

fn pick<'a, T>(from: &'a [T], random: &mut Pcg64) -> &'a T {
    &from[random.random_range(0..from.len())]
}

fn token<'a>(corpus: &'a Corpus, random: &mut Pcg64) -> &'a [u8] {
    match random.random_range(0..2) {
        0 => pick::<&[u8]>(TOKENS, random),
        _ => pick::<Vec<u8>>(&corpus.words, random),
    }
}

/// A stretch of the input, mostly short.
fn stretch(input: &[u8], random: &mut Pcg64) -> std::ops::Range<usize> {
    let start = random.random_range(0..=input.len());
    let most = if random.random_range(0..4) == 0 {
        200
    } else {
        8
    };
    let length = random.random_range(0..=most.min(input.len() - start));
    start..start + length
}

/// A word of the input: a stretch without spaces and separators.
fn word(input: &[u8], random: &mut Pcg64) -> std::ops::Range<usize> {
    let inside = |b: &u8| !b.is_ascii_whitespace() && !b",=[]{}()\"'#".contains(b);
    let at = random.random_range(0..=input.len());
    let start = input[..at]
        .iter()
        .rposition(|b| !inside(b))
        .map_or(0, |k| k + 1);
    let end = input[at..]
        .iter()
        .position(|b| !inside(b))
        .map_or(input.len(), |k| at + k);
    start..end
}

fn edit(input: &mut Vec<u8>, corpus: &Corpus, random: &mut Pcg64) {
    match random.random_range(0..12) {
        0 if !input.is_empty() => {
            let at = random.random_range(0..input.len());
            input[at] ^= 1 << random.random_range(0..8);
        }
        1 if !input.is_empty() => {
            let at = random.random_range(0..input.len());
            input[at] = random.random_range(0..=u8::MAX);
        }
        2 => {
            input.drain(stretch(input, random));
        }
        3 => {
            let copy = input[stretch(input, random)].to_vec();
            let at = random.random_range(0..=input.len());
            input.splice(at..at, copy);
        }
        4 => {
            // The head of this one and the tail of another.
            let other = pick(&corpus.inputs, random);
            input.truncate(random.random_range(0..=input.len()));
            input.extend_from_slice(&other[random.random_range(0..=other.len())..]);
        }
        5 => {
            let mut lines: Vec<&[u8]> = input.split(|&b| b == b'\n').collect();
            let [a, b] = [0; 2].map(|_| random.random_range(0..lines.len()));
            lines.swap(a, b);
            *input = lines.join(&b'\n');
        }
        6 => {
            // A line of another one.
            let other = pick(&corpus.inputs, random);
            let lines: Vec<&[u8]> = other.split_inclusive(|&b| b == b'\n').collect();
            let line = *lines
                .get(random.random_range(0..=lines.len()))
                .unwrap_or(&&b"\n"[..]);
            let starts = (0..input.len()).filter(|&k| k == 0 || input[k - 1] == b'\n');
            let starts: Vec<usize> = starts.chain([input.len()]).collect();
            let at = *pick(&starts, random);
            input.splice(at..at, line.iter().copied());
        }
        7 => input.truncate(random.random_range(0..=input.len())),
        8 => {
            let at = random.random_range(0..=input.len());
            input.splice(at..at, token(corpus, random).iter().copied());
        }
        9 => {
            input.splice(
                stretch(input, random),
                token(corpus, random).iter().copied(),
            );
        }
        _ => {
            input.splice(word(input, random), token(corpus, random).iter().copied());
        }
    }
}
