use super::*;

#[test]
fn moments_are_shown_without_what_they_do_not_say() {
    for (text, shown) in [
        ("2024-05-01T00:00:00.000", "2024-05-01"),
        ("2024-05-01T00:00:00", "2024-05-01"),
        ("2024-05-01T10:20:30.000", "2024-05-01T10:20:30"),
        ("1899-12-31T10:20:30.000", "10:20:30"),
        ("1899-12-30T10:20:30", "10:20:30"),
        ("2024-05-01", "2024-05-01"),
    ] {
        assert_eq!(shown_moment(text), shown);
    }
}

fn check(code: &str, value: f64, expected: &str) {
    let mut text = String::new();
    push_number(&mut text, value, &Shown::of_code(code), false);
    assert_eq!(text, expected, "{code}");
}

#[test]
fn formats() {
    check("General", 79123456789.0, "79123456789");
    check("General", 0.1 + 0.2, "0.3");
    check("General", 1e-9, "1e-9");
    check("General", -0.0, "0");
    check("0.00", 5.0, "5");
    check("#,##0.00\\ \"₽\"", 1234.5, "1234.5");
    check("0%", 0.25, "25%");
    check("0.00%", 0.07, "7%");
    check("00000", 42.0, "00042");
    check("00000", 123_456.0, "123456");
    check("000\\-00\\-0000", 12_345_678.0, "012-34-5678");
    check("[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", 5_551_234.0, "555-1234");
    check("[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", 2_025_551_234.0, "(202) 555-1234");
    check("+0 (000) 000-00-00", 79_123_456_789.0, "+7 (912) 345-67-89");
    check("0\" шт\"", 7.0, "7");
    check("\"ID-\"0000", 7.0, "ID-0007");
    check("0.00E+00", 79_123_000_000.0, "79123000000");
    check("dd/mm/yyyy", 45_000.0, "2023-03-15");
    check("yyyy\\-mm\\-dd\\ hh:mm", 45_000.5, "2023-03-15T12:00:00");
    check("[$-419]d mmm yyyy;@", 45_000.0, "2023-03-15");
    check("mmm yy", 45_000.0, "2023-03-15");
    check("h:mm", 0.75, "18:00:00");
    check("[h]:mm:ss", 1.5, "36:00:00");
    check("h:mm:ss", 0.999_999_99, "1900-01-01");
    check("m/d/yy h:mm", 40_293.725_092_442_13, "2010-04-25T17:24:07.987");
    check("m/d/yy h:mm", 40_293.725_092_592_6, "2010-04-25T17:24:08");
    check("m/d/yy", 1.0, "1900-01-01");
    check("m/d/yy", 59.0, "1900-02-28");
    check("m/d/yy", 61.0, "1900-03-01");
    check("m/d/yy", -1.0, "-1");
    check("m/d/yy", 9e9, "9000000000");
    check("[Red]0.00", 1.5, "1.5");
    check("@", 1.5, "1.5");
    check("дд.мм.гггг", 45_000.0, "2023-03-15");
    check("", 1.5, "1.5");
    check(";;;", 1.5, "1.5");
    check("\"", 1.5, "1.5");
    check("[", 1.5, "1.5");
}

#[test]
fn the_other_epoch() {
    let mut text = String::new();
    push_number(&mut text, 43_538.0, &Shown::Date, true);
    assert_eq!(text, "2023-03-15");
}

#[test]
fn damage() {
    assert!(is_exponent_text("7.9123E+10"));
    assert!(is_exponent_text("7,91E+10"));
    assert!(!is_exponent_text("1E5"));
    assert!(!is_exponent_text("12.5E+10"));
    assert!(!is_exponent_text("7.9123E-10"));
    assert!(is_rounded_by_exponent(79_123_000_000.0, &Shown::Scientific));
    assert!(!is_rounded_by_exponent(79_123_456_789.0, &Shown::Scientific));
    assert!(is_beyond_digits(1_234_567_890_123_456.0));
    assert!(!is_beyond_digits(123_456_789_012_345.0));
}
