//! What the names' keys alone make of labelled pairs of names (`name1,name2,is_match` columns of a CSV), without any model.
//!
//!     cargo run --release -p crm-resolve --example name_pairs -- ../shared/data/name_pairs_nomenklatura/pairs.csv
//!
//! A pair agrees when, word by word and in any order, every word of the shorter name has a partner in the longer one: equal skeleton, equal family key, one
//! class of nicknames, an initial, or one edit in longer words; and at least two words (or the only one) do.
use std::collections::BTreeMap;

use crm_resolve::normalize::*;

fn words(name: &str) -> Vec<(String, String)> {
    let (mut text, mut key) = (String::new(), String::new());
    skeleton_into(name, &mut text);
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            family_key_into(word, &mut key);
            (word.to_owned(), key.clone())
        })
        .collect()
}

fn one_edit(a: &str, b: &str) -> bool {
    let (a, b) = if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    if b.len() < 5 || b.len() - a.len() > 1 {
        return false;
    }
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    head + tail + 1 >= b.len()
}

fn agree(name1: &str, name2: &str) -> bool {
    let (mut a, mut b) = (words(name1), words(name2));
    if a.len() > b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    let n = a.len();
    if n == 0 {
        return false;
    }
    let mut strong = 0;
    for (word, key) in &a {
        let found = b.iter().position(|(other, other_key)| {
            word == other
                || key == other_key && key.len() >= 3
                || share_nickname_class(word, other)
                || one_edit(word, other)
                || (word.len() == 1 && other.starts_with(word.as_str()))
        });
        let Some(place) = found else { return false };
        strong += usize::from(word.len() > 1);
        b.remove(place);
    }
    strong >= 2 || n == 1 && b.is_empty()
}

/// The fields of one CSV line.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

fn main() {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: name_pairs pairs.csv [--show]");
        std::process::exit(2);
    };
    let show = std::env::args().nth(2).is_some();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            std::process::exit(1);
        }
    };
    let mut counts: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let row = fields(line);
        let [group, schema, name1, name2, truth, ..] = &row[..] else { continue };
        if schema != "Person" {
            continue;
        }
        let (found, truth) = (agree(name1, name2), truth.eq_ignore_ascii_case("true"));
        for key in [group.as_str(), "all"] {
            counts.entry(key.to_owned()).or_default()[usize::from(found) * 2 + usize::from(truth)] += 1;
        }
        if show && found != truth {
            println!("{group}: {name1} | {name2}: {truth}");
        }
    }
    println!(
        "{:<20} {:>6} {:>10} {:>10} {:>8} {:>9} {:>7} {:>6}",
        "group", "pairs", "matches", "right", "wrong", "precision", "recall", "F1"
    );
    for (group, [no_no, no_yes, yes_no, yes_yes]) in counts {
        let n = no_no + no_yes + yes_no + yes_yes;
        let ratio = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let (precision, recall) = (ratio(yes_yes, yes_yes + yes_no), ratio(yes_yes, yes_yes + no_yes));
        let f1 = 2.0 * precision * recall / (precision + recall).max(1e-9);
        println!("{group:<20} {n:>6} {:>10} {yes_yes:>10} {yes_no:>8} {precision:>9.3} {recall:>7.3} {f1:>6.3}", no_yes + yes_yes);
    }
}
