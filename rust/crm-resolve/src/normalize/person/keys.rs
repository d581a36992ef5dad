//! Keys of names: what two spellings of one name share.
use super::super::text::skeleton_into;

/// English family names in -s whose stem is a name of its own: their s is no Latvian ending.
const KEEPS_S: &str = include_str!("family_names_in_s.txt");

fn keeps_s(skeleton: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<String, foldhash::fast::FixedState>> = OnceLock::new();
    SET.get_or_init(|| {
        KEEPS_S.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).map(super::super::skeleton).collect()
    })
    .contains(skeleton)
}

/// Replaces `out` with the key of a family name: its skeleton with gendered and national endings off, word by word. Иванов, Иванова,
/// Ivanovs and Ivanova are `ivanov`; Покровский, Pokrovskaya and Pokrovskis `pokrovsk`; Bērziņš and Bērziņa `berzin`;
/// Kalns and Kalna `kaln`; Kazlauskas and Kazlauskienė `kazlausk`. English names in -s (Williams, Jones) keep it.
/// A key is shared by some unrelated names (Kalna, Kaln): block by it, and grade it below equality.
///
/// ```
/// use crm_resolve::normalize::family_key_into;
/// let key = |name: &str| { let mut out = String::new(); family_key_into(name, &mut out); out };
/// assert_eq!(key("Щербакова"), key("Scherbakov"));
/// assert_eq!(key("Bērziņš"), key("Berzina"));
/// assert_ne!(key("Williams"), key("William"));
/// ```
pub fn family_key_into(name: &str, out: &mut String) {
    skeleton_into(name, out);
    trim_words(out, family_stem);
}

/// Replaces `out` with the key of a given name: its skeleton without a Latvian masculine -s (Andrejs, Dmitrijs meet Andrey, Dmitry). Short names and
/// names that are English in -s keep it. For classes of nicknames see [`nickname_classes`](super::nickname_classes).
pub fn given_key_into(name: &str, out: &mut String) {
    skeleton_into(name, out);
    trim_words(out, given_stem);
}

/// Replaces `out` with the key of a middle name: a patronymic without its gendered ending (Сергеевич, Сергеевна, Sergeyevna are
/// `sergev`), any other name as [`given_key_into`].
pub fn patronymic_key_into(name: &str, out: &mut String) {
    skeleton_into(name, out);
    trim_words(out, |word| {
        for end in ["ovic", "ovna", "ovics"] {
            if let Some(stem) = word.strip_suffix(end) {
                return stem.len() + 2;
            }
        }
        for end in ["evic", "evna", "evics", "avic", "avna"] {
            if let Some(stem) = word.strip_suffix(end) {
                return stem.len() + 2;
            }
        }
        for end in ["inicna", "icna", "ic"] {
            if let Some(stem) = word.strip_suffix(end)
                && stem.len() >= 2
            {
                return stem.len();
            }
        }
        given_stem(word)
    });
}

/// Shortens each word of `text` to the length that `stem` gives.
fn trim_words(text: &mut String, stem: impl Fn(&str) -> usize) {
    if !text.contains(' ') {
        let len = stem(text);
        if text.is_char_boundary(len) {
            text.truncate(len);
        }
        return;
    }
    let mut trimmed = String::with_capacity(text.len());
    for word in text.split(' ') {
        if !trimmed.is_empty() {
            trimmed.push(' ');
        }
        trimmed.push_str(word.get(..stem(word)).unwrap_or(word));
    }
    *text = trimmed;
}

fn given_stem(word: &str) -> usize {
    let len = word.len();
    if len >= 5
        && word.ends_with('s')
        && !word.ends_with("us")
        && !word.ends_with("es")
        && !keeps_s(word)
        && !matches!(
            word,
            "denis"
                | "boris"
                | "iris"
                | "doris"
                | "fransis"
                | "loris"
                | "aleksis"
                | "ignas"
                | "tomas"
                | "lukas"
                | "nikolas"
                | "elias"
                | "andreas"
                | "ieronimas"
        )
    {
        return len - 1;
    }
    len
}

/// How many bytes of a family name's skeleton are its stem.
fn family_stem(word: &str) -> usize {
    let len = word.len();
    if !word.is_ascii() || len < 4 {
        return len;
    }
    let cut =
        |end: &str, keep: usize, least: usize| (word.ends_with(end) && len - end.len() + keep >= least).then(|| len - end.len() + keep);
    // Longer endings first; `keep` letters of the ending stay.
    let stem = cut("skaia", 2, 4)
        .or_else(|| cut("ckaia", 2, 4))
        .or_else(|| cut("skis", 2, 4))
        .or_else(|| cut("skii", 2, 4))
        .or_else(|| cut("ski", 2, 4))
        .or_else(|| cut("ska", 2, 4))
        .or_else(|| cut("cki", 2, 4))
        .or_else(|| cut("cka", 2, 4))
        .or_else(|| cut("ckis", 2, 4))
        .or_else(|| cut("auskene", 4, 5))
        .or_else(|| cut("avicene", 4, 6))
        .or_else(|| cut("aite", 0, 5))
        .or_else(|| cut("ovs", 2, 4))
        .or_else(|| cut("ova", 2, 4))
        .or_else(|| cut("evs", 2, 4))
        .or_else(|| cut("eva", 2, 4))
        .or_else(|| cut("ovai", 2, 4))
        .or_else(|| cut("ina", 2, 4))
        .or_else(|| cut("ins", 2, 4))
        .or_else(|| cut("aia", 0, 4))
        .or_else(|| cut("itis", 2, 5))
        .or_else(|| cut("ite", 2, 5))
        .or_else(|| cut("auskas", 4, 5))
        .or_else(|| cut("opulu", 5, 7))
        .or_else(|| cut("opulos", 5, 7));
    if let Some(stem) = stem {
        return stem;
    }
    if len >= 5 && (word.ends_with("is") || word.ends_with("us") || word.ends_with("as") || word.ends_with("es")) {
        // Balodis and Balode, Markus, Butkus, Lukas: the vowel belongs to the ending.
        return if keeps_s(word) { len } else { len - 2 };
    }
    if word.ends_with('s') {
        return if keeps_s(word) || len < 4 { len } else { len - 1 };
    }
    if len >= 5 && word.ends_with("ii") {
        return len - 2;
    }
    if len >= 4 && (word.ends_with('a') || word.ends_with('e') || word.ends_with('i')) {
        return len - 1;
    }
    len
}
