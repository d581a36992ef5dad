use super::*;
use crate::normalize::corpus;

fn check(raw: &str, address: &str, mailbox: &str) {
    let mut email = Email::default();
    assert_eq!(parse_email(raw, &mut email), Ok(()), "{raw}");
    assert_eq!((email.address.as_str(), email.mailbox.as_str()), (address, mailbox), "{raw}");
}

#[test]
fn addresses() {
    check(" John.Doe+x@Gmail.com ", "john.doe+x@gmail.com", "johndoe@gmail.com");
    check("mailto:a.b@outlook.com?subject=Hi", "a.b@outlook.com", "a.b@outlook.com");
    // Found by fuzzing: what divides addresses begins none behind a label or in brackets either.
    check("mailto:|a.b@outlook.com", "a.b@outlook.com", "a.b@outlook.com");
    check("<|a.b@outlook.com>", "a.b@outlook.com", "a.b@outlook.com");
    check("a.b@ya.ru", "a.b@ya.ru", "a-b@yandex.ru");
    check("<x@y.lv>,", "x@y.lv", "x@y.lv");
    check("x@bücher.de", "x@xn--bcher-kva.de", "x@xn--bcher-kva.de");
    check("x@XN--BCHER-KVA.de", "x@xn--bcher-kva.de", "x@xn--bcher-kva.de");
    check("\"john doe\"@x.com", "\"john doe\"@x.com", "\"john doe\"@x.com");
    check("\"john\"@x.com", "john@x.com", "john@x.com");
    check("a@b.com; c@d.com", "a@b.com", "a@b.com");
    check("Smith, John <j@x.com>", "j@x.com", "j@x.com");
    check("o'brien@x.ie", "o'brien@x.ie", "o'brien@x.ie");
}

#[test]
fn typos_are_suggested_and_never_taken() {
    for (raw, meant) in [
        ("joe@gmial.com", "joe@gmail.com"),
        ("joe@gmail.con", "joe@gmail.com"),
        ("joe@hotmial.com", "joe@hotmail.com"),
        ("joe@yahooo.com", "joe@yahoo.com"),
        ("joe@gmail.cm", "joe@gmail.com"),
        ("joe@mail.ry", "joe@mail.ru"),
        ("joe@yandx.ru", "joe@yandex.ru"),
        ("joe@mail.com", ""),
        ("joe@gmx.com", ""),
        ("joe@acme.com", ""),
        ("joe@hotmail.ru", ""),
    ] {
        let mut email = Email::default();
        parse_email(raw, &mut email).unwrap();
        assert_eq!(email.suggestion, meant, "{raw}");
        assert_eq!(email.mailbox, raw);
    }
}

#[test]
fn role_accounts() {
    let mut email = Email::default();
    for (raw, role) in [
        ("info@x.lv", true),
        ("Sales2@x.lv", true),
        ("no-reply@x.lv", true),
        ("info.riga@x.lv", true),
        ("anna@x.lv", false),
        ("marketa@x.cz", false),
        ("sales.john@x.com", true),
    ] {
        parse_email(raw, &mut email).unwrap();
        assert_eq!(email.role_account, role, "{raw}");
    }
}

/// isemail's categories: what mail can be sent to is accepted, errors are not. Spaces, line breaks, brackets and a dot around an address are how exports spoil
/// it and are taken off, so that such rows are accepted where the rest is an address.
#[test]
fn isemail_corpus() {
    let Some(text) = corpus("isemail/test/tests.xml") else { return };
    let field = |test: &str, name: &str| -> String {
        let open = format!("<{name}>");
        let Some(at) = test.find(&open) else { return String::new() };
        let inner = &test[at + open.len()..];
        let inner = &inner[..inner.find("</").unwrap_or(0)];
        let mut text = inner.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        while let Some(at) = text.find("&#x") {
            let end = at + text[at..].find(';').unwrap();
            let code = u32::from_str_radix(&text[at + 3..end], 16).unwrap();
            text.replace_range(at..=end, &char::from_u32(code).unwrap().to_string());
        }
        text.chars().map(|c| if ('\u{2400}'..='\u{241f}').contains(&c) { char::from(c as u32 as u8) } else { c }).collect()
    };
    let mut email = Email::default();
    let (mut n, mut wrong) = (0, Vec::new());
    for test in text.split("<test id=").skip(1) {
        let (address, category, diagnosis) = (field(test, "address"), field(test, "category"), field(test, "diagnosis"));
        n += 1;
        let accepted = parse_email(&address, &mut email).is_ok();
        let expected = match diagnosis.as_str() {
            // Single-label domains receive no mail from outside; an empty quoted mailbox is nobody's.
            _ if !address.contains('.') || address.starts_with("\"\"@") => false,
            "ISEMAIL_RFC5321_QUOTEDSTRING" => true,
            _ => matches!(category.as_str(), "ISEMAIL_VALID_CATEGORY" | "ISEMAIL_DNSWARN"),
        };
        let trimmed = address.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '.')) != address;
        let mended = accepted && !expected && (trimmed || address.contains(char::is_whitespace));
        if accepted != expected && !mended {
            wrong.push(format!("{address:?} {diagnosis}: accepted {accepted} as {:?}", email.address));
        }
    }
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n > 160);
}
