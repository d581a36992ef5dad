//! Letters of other scripts as Latin sound, one letter at a time. Not for display: for comparing.
use super::latin::LATIN;

/// The Latin spelling of a letter, lower case; `None` when the script is not known. Letters with a caron or acute that change
/// the sound (č, ć, ц) keep it as a digraph, so that they meet their transliterations.
pub(super) fn latin_sound(c: char) -> Option<&'static str> {
    Some(match c {
        'č' | 'Č' | 'ć' | 'Ć' | 'ĉ' | 'Ĉ' => "ch",
        'ţ' | 'Ţ' | 'ț' | 'Ț' => "ts",
        'ŵ' | 'Ŵ' => "w",
        '\u{c0}'..='\u{24f}' => LATIN[c as usize - 0xC0],
        '\u{400}'..='\u{52f}' => cyrillic(c)?,
        '\u{370}'..='\u{3ff}' => greek(c)?,
        '\u{530}'..='\u{58f}' => armenian(c)?,
        '\u{10d0}'..='\u{10ff}' => georgian(c)?,
        '\u{5d0}'..='\u{5ea}' => hebrew(c)?,
        '\u{620}'..='\u{6ff}' => arabic(c)?,
        '\u{3041}'..='\u{30ff}' => kana(c)?,
        _ => return None,
    })
}

/// Russian, Ukrainian, Belarusian, Serbian, Macedonian, Bulgarian, Kazakh and neighbours. ё is е, as people write it.
fn cyrillic(c: char) -> Option<&'static str> {
    let lower = match c {
        'А'..='Я' => char::from_u32(c as u32 + 0x20)?,
        'Ѐ'..='Џ' => char::from_u32(c as u32 + 0x50)?,
        'Ѡ'..='ԯ' if (c as u32).is_multiple_of(2) => char::from_u32(c as u32 + 1)?,
        _ => c,
    };
    Some(match lower {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "g",
        'д' => "d",
        'е' | 'ё' | 'ѐ' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'й' | 'ы' | 'і' | 'ѝ' => "i",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' => "u",
        'ф' | 'ѳ' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' | 'ћ' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "iu",
        'я' => "ia",
        'є' => "e",
        'ї' => "i",
        'ґ' | 'ғ' => "g",
        'ђ' => "dj",
        'ѓ' => "gj",
        'ѕ' => "dz",
        'ј' => "j",
        'љ' => "lj",
        'њ' => "nj",
        'ќ' => "kj",
        'џ' => "dzh",
        'қ' | 'ҝ' | 'ҡ' => "k",
        'ң' | 'ҥ' | 'ӈ' => "n",
        'ө' => "o",
        'ұ' | 'ү' => "u",
        'һ' | 'ҳ' => "h",
        'ә' | 'ӑ' | 'ӓ' => "a",
        'ҷ' | 'ӌ' => "j",
        'ӣ' => "i",
        'ӯ' => "u",
        'ѣ' => "e",
        'ӗ' => "e",
        'ҙ' => "z",
        'ҫ' => "s",
        _ => return None,
    })
}

fn greek(c: char) -> Option<&'static str> {
    Some(match c.to_lowercase().next()? {
        'α' | 'ά' => "a",
        'β' => "v",
        'γ' => "g",
        'δ' => "d",
        'ε' | 'έ' => "e",
        'ζ' => "z",
        'η' | 'ή' | 'ι' | 'ί' | 'ϊ' | 'ΐ' | 'υ' | 'ύ' | 'ϋ' | 'ΰ' => "i",
        'θ' => "th",
        'κ' => "k",
        'λ' => "l",
        'μ' => "m",
        'ν' => "n",
        'ξ' => "x",
        'ο' | 'ό' | 'ω' | 'ώ' => "o",
        'π' => "p",
        'ρ' => "r",
        'σ' | 'ς' => "s",
        'τ' => "t",
        'φ' => "f",
        'χ' => "kh",
        'ψ' => "ps",
        _ => return None,
    })
}

fn armenian(c: char) -> Option<&'static str> {
    const LETTERS: [&str; 38] = [
        "a", "b", "g", "d", "e", "z", "e", "y", "t", "zh", "i", "l", "kh", "ts", "k", "h", "dz", "gh", "ch", "m", "y", "n", "sh", "o",
        "ch", "p", "j", "r", "s", "v", "t", "r", "ts", "v", "p", "k", "o", "f",
    ];
    let at = match c as u32 {
        code @ 0x531..=0x556 => code - 0x531,
        code @ 0x561..=0x586 => code - 0x561,
        0x587 => return Some("ev"),
        _ => return None,
    };
    LETTERS.get(at as usize).copied()
}

fn georgian(c: char) -> Option<&'static str> {
    const LETTERS: [&str; 33] = [
        "a", "b", "g", "d", "e", "v", "z", "t", "i", "k", "l", "m", "n", "o", "p", "zh", "r", "s", "t", "u", "p", "k", "gh", "k", "sh",
        "ch", "ts", "dz", "ts", "ch", "kh", "j", "h",
    ];
    LETTERS.get((c as u32 - 0x10d0) as usize).copied()
}

/// Consonants and the letters that stand for vowels; short vowels are not written.
fn hebrew(c: char) -> Option<&'static str> {
    const LETTERS: [&str; 27] = [
        "a", "b", "g", "d", "h", "v", "z", "kh", "t", "i", "k", "k", "l", "m", "m", "n", "n", "s", "a", "f", "p", "ts", "ts", "k", "r",
        "sh", "t",
    ];
    LETTERS.get((c as u32 - 0x5d0) as usize).copied()
}

/// Arabic and Persian letters; short vowels are not written.
fn arabic(c: char) -> Option<&'static str> {
    Some(match c {
        'ا' | 'أ' | 'إ' | 'آ' | 'ٱ' | 'ى' => "a",
        'ب' => "b",
        'پ' => "p",
        'ت' | 'ط' => "t",
        'ة' => "a",
        'ث' => "th",
        'ج' => "j",
        'چ' => "ch",
        'ح' | 'ه' | 'ھ' => "h",
        'خ' => "kh",
        'د' | 'ض' => "d",
        'ذ' | 'ز' | 'ظ' => "z",
        'ر' => "r",
        'ژ' => "zh",
        'س' | 'ص' => "s",
        'ش' => "sh",
        'ع' | 'ء' => "",
        'غ' => "gh",
        'ف' => "f",
        'ق' => "k",
        'ك' | 'ک' => "k",
        'گ' => "g",
        'ل' => "l",
        'م' => "m",
        'ن' => "n",
        'و' | 'ؤ' => "u",
        'ي' | 'ی' | 'ئ' => "i",
        'ـ' | '\u{64b}'..='\u{65f}' => "",
        _ => return None,
    })
}

/// Hiragana and katakana by syllable; small letters read as large ones, which is near enough to compare by.
fn kana(c: char) -> Option<&'static str> {
    const SYLLABLES: [&str; 86] = [
        "a", "a", "i", "i", "u", "u", "e", "e", "o", "o", "ka", "ga", "ki", "gi", "ku", "gu", "ke", "ge", "ko", "go", "sa", "za", "shi",
        "ji", "su", "zu", "se", "ze", "so", "zo", "ta", "da", "chi", "ji", "", "tsu", "zu", "te", "de", "to", "do", "na", "ni", "nu", "ne",
        "no", "ha", "ba", "pa", "hi", "bi", "pi", "fu", "bu", "pu", "he", "be", "pe", "ho", "bo", "po", "ma", "mi", "mu", "me", "mo", "ya",
        "ya", "yu", "yu", "yo", "yo", "ra", "ri", "ru", "re", "ro", "wa", "wa", "i", "e", "o", "n", "vu", "ka", "ke",
    ];
    match c {
        'ー' | '・' => Some(""),
        '\u{3041}'..='\u{3096}' => SYLLABLES.get((c as u32 - 0x3041) as usize).copied(),
        '\u{30a1}'..='\u{30f6}' => SYLLABLES.get((c as u32 - 0x30a1) as usize).copied(),
        _ => None,
    }
}

/// Hangul syllables by their parts, as the Revised Romanization does without its sound changes.
pub(super) fn hangul(c: char) -> Option<[&'static str; 3]> {
    const INITIAL: [&str; 19] = ["g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"];
    const MEDIAL: [&str; 21] =
        ["a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i"];
    const FINAL: [&str; 28] = [
        "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t",
        "p", "t",
    ];
    let at = (c as u32).checked_sub(0xAC00)? as usize;
    Some([INITIAL.get(at / 588)?, MEDIAL[at % 588 / 28], FINAL[at % 28]])
}

/// A Latin letter that is drawn like a Cyrillic one, as that Cyrillic letter in lower case.
pub(super) fn latin_as_cyrillic(c: char) -> Option<char> {
    Some(match c {
        'A' | 'a' => 'а',
        'B' => 'в',
        'C' | 'c' => 'с',
        'E' | 'e' => 'е',
        'H' => 'н',
        'K' | 'k' => 'к',
        'M' | 'm' => 'м',
        'O' | 'o' => 'о',
        'P' | 'p' => 'р',
        'T' | 't' => 'т',
        'X' | 'x' => 'х',
        'Y' | 'y' => 'у',
        'I' | 'i' => 'і',
        'J' | 'j' => 'ј',
        'S' | 's' => 'ѕ',
        // With a mark it is the letter that the mark stands on.
        '\u{c0}'..='\u{24f}' => {
            let mut base = LATIN[c as usize - 0xC0].chars();
            return base.next().filter(|_| base.next().is_none()).and_then(latin_as_cyrillic);
        }
        _ => return None,
    })
}

/// A Cyrillic letter that is drawn like a Latin one, as that Latin letter in lower case.
pub(super) fn cyrillic_as_latin(c: char) -> Option<char> {
    Some(match c {
        'А' | 'а' => 'a',
        'В' | 'Ь' => 'b',
        'С' | 'с' => 'c',
        'Е' | 'е' | 'ё' | 'Ё' => 'e',
        'Н' => 'h',
        'К' | 'к' => 'k',
        'М' | 'м' => 'm',
        'О' | 'о' => 'o',
        'Р' | 'р' => 'p',
        'Т' | 'т' => 't',
        'Х' | 'х' => 'x',
        'У' | 'у' => 'y',
        'І' | 'і' => 'i',
        'Ј' | 'ј' => 'j',
        'Ѕ' | 'ѕ' => 's',
        _ => return None,
    })
}

/// A Cyrillic letter of any case that is drawn like a Latin capital, as that capital: for identifiers.
pub(in super::super) fn cyrillic_capital_as_latin(c: char) -> Option<char> {
    let upper = c.to_uppercase().next()?;
    cyrillic_as_latin(upper).map(|latin| latin.to_ascii_uppercase())
}
