//! Given names and their short forms, as classes: names of one class may be one person's.
use std::sync::OnceLock;

use hashbrown::HashMap;

use super::super::skeleton;
use super::gender::Gender;

/// One class per line: a gender letter (`f`, `m`, `u`), then full forms, a colon, short forms. Our own compilation.
const TABLE: &str = include_str!("nicknames.txt");

struct Names {
    /// Skeleton to a range of `classes`.
    places: HashMap<String, (u32, u32), foldhash::fast::FixedState>,
    classes: Vec<u16>,
    genders: Vec<Option<Gender>>,
}

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut found: HashMap<String, Vec<u16>, foldhash::fast::FixedState> = HashMap::default();
        let mut genders = Vec::new();
        for line in TABLE.lines() {
            let mut words = line.split_whitespace();
            let gender = match words.next() {
                Some("f") => Some(Gender::Female),
                Some("m") => Some(Gender::Male),
                Some("u") => None,
                _ => continue,
            };
            let class = genders.len() as u16;
            genders.push(gender);
            let mut full = true;
            let mut add = |key: String| {
                let classes = found.entry(key).or_default();
                if !classes.contains(&class) {
                    classes.push(class);
                }
            };
            for word in words {
                if word == ":" {
                    full = false;
                    continue;
                }
                let key = skeleton(word);
                // A Latvian passport adds -s to a foreign man's name: Aleksandrs, Dmitrijs.
                if full && gender == Some(Gender::Male) && !key.ends_with(['s', 'a', 'o', 'e', 'u']) {
                    add(format!("{key}s"));
                }
                add(key);
            }
        }
        let mut names = Names { places: HashMap::default(), classes: Vec::new(), genders };
        for (key, classes) in found {
            let start = names.classes.len() as u32;
            names.classes.extend(&classes);
            names.places.insert(key, (start, names.classes.len() as u32));
        }
        names
    })
}

/// The classes of a given name, by its [`skeleton`](super::super::skeleton_into); empty for a name that is not in the table. One name may be in several
/// (Саша is Александр and Александра; Jack is John, Jack and Jackson). A double name (`anna maria`) is looked up whole, then by its first word.
///
/// ```
/// use crm_resolve::normalize::{nickname_classes, share_nickname_class, skeleton};
/// assert_eq!(nickname_classes(&skeleton("Саша")), nickname_classes(&skeleton("Sasha")));
/// assert!(share_nickname_class(&skeleton("Bill"), &skeleton("William")));
/// assert!(!share_nickname_class(&skeleton("Bill"), &skeleton("Robert")));
/// ```
pub fn nickname_classes(skeleton: &str) -> &'static [u16] {
    let names = names();
    let mut place = names.places.get(skeleton);
    if place.is_none()
        && let Some((first, _)) = skeleton.split_once(' ')
    {
        place = names.places.get(first);
    }
    place.map_or(&[], |&(start, end)| &names.classes[start as usize..end as usize])
}

/// Whether two given names, as skeletons, may be forms of one name. Equal names need not be in the table.
pub fn share_nickname_class(a: &str, b: &str) -> bool {
    if a == b {
        return !a.is_empty();
    }
    let classes = nickname_classes(b);
    nickname_classes(a).iter().any(|class| classes.contains(class))
}

/// Whether the table knows the given name (as a skeleton).
pub fn is_known_given_name(skeleton: &str) -> bool {
    !nickname_classes(skeleton).is_empty()
}

/// The gender of a given name (as a skeleton), when all its classes agree.
pub fn given_name_gender(skeleton: &str) -> Option<Gender> {
    let names = names();
    let mut genders = nickname_classes(skeleton).iter().map(|&class| names.genders[usize::from(class)]);
    let first = genders.next()??;
    genders.all(|gender| gender == Some(first)).then_some(first)
}
