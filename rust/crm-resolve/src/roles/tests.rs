use super::*;

#[test]
fn every_phrase_of_the_word_lists_names_a_known_role() {
    for file in [include_str!("words/en.txt"), include_str!("words/ru.txt"), include_str!("words/lv.txt"), include_str!("words/other.txt")]
    {
        for line in file.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (head, _) = line.split_once('|').expect("a role and phrases");
            let (role, strength) = head.trim().split_once(' ').expect("a role and a strength");
            assert!(role == "-" || role.parse::<Role>().is_ok(), "{role}");
            assert!((0.0..1.0).contains(&strength.parse::<f64>().unwrap()), "{line}");
        }
    }
}
