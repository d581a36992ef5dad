//! A small fold to Latin letters, until the normalizers' own serves.
use unicode_normalization::UnicodeNormalization;

/// Words of lower-case Latin letters and digits, joined by single spaces.
pub fn latin_into(text: &str, out: &mut String) {
    out.clear();
    for c in text.nfd() {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            '\'' | '’' | '`' | '\u{300}'..='\u{36f}' => {}
            _ if c.is_alphanumeric() => {
                for lower in c.to_lowercase() {
                    match cyrillic(lower) {
                        Some(latin) => out.push_str(latin),
                        None => out.push(lower),
                    }
                }
            }
            _ => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
}

fn cyrillic(c: char) -> Option<&'static str> {
    const TABLE: [&str; 32] = [
        "a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh", "ts", "ch", "sh",
        "shch", "", "y", "", "e", "iu", "ia",
    ];
    let place = (c as u32).checked_sub('а' as u32)? as usize;
    TABLE.get(place).copied()
}

/// A spelling in which transliterations of one sound meet.
pub fn skeleton_into(text: &str, out: &mut String) {
    let mut latin = String::new();
    latin_into(text, &mut latin);
    out.clear();
    const RULES: [(&str, &str); 17] = [
        ("shch", "s"),
        ("sch", "s"),
        ("sh", "s"),
        ("ch", "c"),
        ("zh", "z"),
        ("kh", "h"),
        ("ts", "c"),
        ("tz", "c"),
        ("ck", "k"),
        ("ph", "f"),
        ("w", "v"),
        ("x", "ks"),
        ("yo", "e"),
        ("ia", "a"),
        ("ya", "a"),
        ("iu", "u"),
        ("yu", "u"),
    ];
    let mut rest = latin.as_str();
    'next: while let Some(first) = rest.chars().next() {
        for (from, to) in RULES {
            if let Some(tail) = rest.strip_prefix(from) {
                push(out, to);
                rest = tail;
                continue 'next;
            }
        }
        let letter = if matches!(first, 'y' | 'j') { 'i' } else { first };
        push(out, letter.encode_utf8(&mut [0; 4]));
        rest = &rest[first.len_utf8()..];
    }
}

fn push(out: &mut String, letters: &str) {
    for letter in letters.chars() {
        if !out.ends_with(letter) {
            out.push(letter);
        }
    }
}

/// Consonant classes, for blocking.
pub fn phonetic_key_into(skeleton: &str, out: &mut String) {
    out.clear();
    for (place, letter) in skeleton.chars().enumerate() {
        let class = match letter {
            'a' | 'e' | 'i' | 'o' | 'u' if place == 0 => 'a',
            'a' | 'e' | 'i' | 'o' | 'u' | 'h' | ' ' => continue,
            'b' => 'p',
            'd' => 't',
            'g' | 'q' => 'k',
            'v' => 'f',
            'z' | 'c' => 's',
            other => other,
        };
        if !out.ends_with(class) {
            out.push(class);
        }
    }
}
