//! The skeleton: one spelling for the many ways in which a name is written across alphabets and transliterations.
use super::folding::{MAX_WORD, for_each_latin_word, push_bytes};

#[inline]
fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

#[inline]
fn is_i(byte: u8) -> bool {
    matches!(byte, b'i' | b'j' | b'y')
}

/// The sound of one word while it is written; twice the longest word, because `x` is two letters.
struct Sound {
    bytes: [u8; 2 * MAX_WORD],
    len: usize,
}

/// Writes one letter unless it repeats the one before.
#[inline]
fn push(sound: &mut Sound, byte: u8) {
    if sound.len > 0 && sound.bytes[sound.len - 1] == byte && byte.is_ascii_alphabetic() || sound.len == sound.bytes.len() {
        return;
    }
    sound.bytes[sound.len] = byte;
    sound.len += 1;
}

/// Appends the skeleton of one word of lower-case ASCII sound letters.
pub(in super::super) fn sound_word(word: &[u8], out: &mut String) {
    if !word.is_ascii() {
        push_bytes(word, out);
        return;
    }
    let mut written = Sound { bytes: [0; 2 * MAX_WORD], len: 0 };
    let sound = &mut written;
    let at = |place: usize| word.get(place).copied().unwrap_or(0);
    let mut i = 0;
    while i < word.len() {
        let rest = &word[i..];
        let before = if i == 0 { 0 } else { word[i - 1] };
        let mut used = 1;
        match rest[0] {
            b's' => {
                used = match rest {
                    [b's', b'c', b'h', b't', b's', b'c', b'h', ..] => 7,
                    [b's', b'h', b'c', b'h', ..] | [b's', b't', b'c', b'h', ..] => 4,
                    [b's', b'c', b'h', ..] => 3,
                    [b's', b'h', ..] | [b's', b'z', ..] => 2,
                    [b's', b'c', b'e' | b'i' | b'y', ..] => 2,
                    _ => 1,
                };
                push(sound, b's');
            }
            b'c' => match rest {
                [_, b'h', b'r' | b'l', ..] => {
                    used = 2;
                    push(sound, b'k');
                }
                [_, b'h' | b'z', ..] => {
                    used = 2;
                    push(sound, b'c');
                }
                [_, b'k', ..] => {
                    used = 2;
                    push(sound, b'k');
                }
                [_, b'e' | b'i' | b'y' | b'v' | b'j', ..] | [_, b'o', b'v' | b'w', ..] => push(sound, b'c'),
                [_] if before == b'e' || word.ends_with(b"vic") => push(sound, b'c'),
                _ => push(sound, b'k'),
            },
            b't' => match rest {
                [_, b's', b'c', b'h', ..] => {
                    used = 4;
                    push(sound, b'c');
                }
                [_, b'c', b'h', ..] => {
                    used = 3;
                    push(sound, b'c');
                }
                // At the end `ts` is a Latvian nominative (Roberts) more often than the letter ц, unless after e (Shvets).
                [_, b's'] if before != b'e' => push(sound, b't'),
                // Two sounds at a seam: Hauptstraße, Hartshorn.
                [_, b's', b'h' | b't' | b'p', ..] => push(sound, b't'),
                [_, b's' | b'z', ..] => {
                    used = 2;
                    push(sound, b'c');
                }
                [_, b'h', ..] => {
                    used = 2;
                    push(sound, b't');
                }
                _ => push(sound, b't'),
            },
            b'q' => {
                push(sound, b'k');
                if at(i + 1) == b'u' {
                    used = 2;
                    push(sound, b'v');
                }
            }
            b'x' => {
                push(sound, b'k');
                push(sound, b's');
                if at(i + 1) == b's' {
                    used = 2;
                }
            }
            b'k' if at(i + 1) == b'h' => {
                used = 2;
                push(sound, b'h');
            }
            b'p' if at(i + 1) == b'h' => {
                used = 2;
                push(sound, b'f');
            }
            b'z' if at(i + 1) == b'h' => {
                used = 2;
                push(sound, b'z');
            }
            letter @ (b'b' | b'd' | b'g' | b'r') if at(i + 1) == b'h' => {
                used = 2;
                push(sound, letter);
            }
            b'w' => {
                used = if at(i + 1) == b'h' { 2 } else { 1 };
                push(sound, b'v');
            }
            b'h' => {
                // Silent in Sarah, John, Kahn; sounded in Ahmed and in the ending -yh of Chernyh.
                let last = i + 1 == word.len();
                let silent = is_vowel(before) && ((last && !is_i(before)) || matches!(at(i + 1), b'n' | b'l' | b'r'));
                if !silent {
                    push(sound, b'h');
                }
            }
            b'f' if rest == b"ff" && matches!(before, b'o' | b'e') => {
                used = 2;
                push(sound, b'v');
            }
            byte if is_i(byte) => {
                while i + used < word.len() && is_i(word[i + used]) {
                    used += 1;
                }
                let following = at(i + used);
                let after_consonant = i > 0 && !is_vowel(before);
                if following == b'e' {
                    // Liepa is Лепа, Yelena is Elena, Georgijevs is Georgiev: the glide before e is written or not.
                } else if following == b'o' && after_consonant {
                    // ё is written e, yo, io, jo: Fyodor, Fiodor, Fedor.
                    used += 1;
                    push(sound, b'e');
                } else {
                    push(sound, b'i');
                }
            }
            b'e' => {
                // ä, ö, ü are written ae, oe, ue or without marks.
                let last = if sound.len == 0 { 0 } else { sound.bytes[sound.len - 1] };
                if sound.len == 0 || !matches!(last, b'a' | b'o' | b'u') {
                    push(sound, b'e');
                }
            }
            b'o' if at(i + 1) == b'u' => {
                used = 2;
                push(sound, b'u');
            }
            byte => push(sound, byte),
        }
        i += used;
    }
    push_bytes(&sound.bytes[..sound.len], out);
}

/// Replaces `out` with the skeleton of `text`: [`latin_into`](super::latin_into) reduced so that spellings of one sound meet.
/// Щербаков, Shcherbakov, Scherbakov and Ščerbakovs (but for its ending) are one; so are Юлия, Yulia, Iuliia and Jūlija;
/// Хабаров, Khabarov and Habarov; Müller, Mueller and Muller. Words are kept apart by single spaces.
///
/// ```
/// use crm_resolve::normalize::skeleton;
/// assert_eq!(skeleton("Щербаков"), skeleton("Scherbakov"));
/// assert_eq!(skeleton("Юлия"), skeleton("Jūlija"));
/// assert_eq!(skeleton("Александр"), skeleton("Alexandr"));
/// ```
pub fn skeleton_into(text: &str, out: &mut String) {
    out.clear();
    for_each_latin_word(text, |word| {
        if !out.is_empty() {
            out.push(' ');
        }
        sound_word(word, out);
    });
}

/// [`skeleton_into`] into a new text.
pub fn skeleton(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    skeleton_into(text, &mut out);
    out
}

/// Appends to `out` the phonetic key of a skeleton's word, for blocking: consonant classes (p f t s k m n l r h), vowels only as
/// an initial `a`, at most eight letters. Typos in vowels, voicing (b/p, d/t, g/k, v/f, z/s) and ч/ц/с vanish.
///
/// ```
/// use crm_resolve::normalize::{phonetic_key_into, skeleton};
/// let key = |name: &str| { let mut out = String::new(); phonetic_key_into(&skeleton(name), &mut out); out };
/// assert_eq!(key("Petersen"), key("Peterson"));
/// assert_eq!(key("Catherine"), key("Kathryn"));
/// ```
pub fn phonetic_key_into(skeleton: &str, out: &mut String) {
    let start = out.len();
    for byte in skeleton.bytes() {
        let class = match byte {
            b'a' | b'e' | b'i' | b'o' | b'u' => {
                if out.len() == start {
                    out.push('a');
                }
                continue;
            }
            b'b' | b'p' => 'p',
            b'v' | b'f' => 'f',
            b'd' | b't' => 't',
            b's' | b'z' | b'c' => 's',
            b'g' | b'k' => 'k',
            b' ' => continue,
            byte if byte.is_ascii() => char::from(byte),
            // Scripts without Latin sound have no phonetic key.
            _ => continue,
        };
        if out.len() == start || !out.ends_with(class) {
            out.push(class);
        }
        if out.len() - start >= 8 {
            return;
        }
    }
}
