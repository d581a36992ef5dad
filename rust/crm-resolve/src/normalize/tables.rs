//! What values become, kind by kind: the written value and what is expected beside it.
use super::*;

fn key(name: fn(&str, &mut String), text: &str) -> String {
    let mut out = String::new();
    name(text, &mut out);
    out
}

#[test]
fn skeletons_meet() {
    for group in [
        "Щербаков|Shcherbakov|Scherbakov|Ščerbakov",
        "Юлия|Yulia|Iuliia|Julija|Jūlija|Yuliya",
        "Хабаров|Khabarov|Habarov",
        "Сергей|Sergey|Sergei|Sergej",
        "Дмитрий|Dmitry|Dmitrii|Dmitriy|Dmitrij",
        "Елена|Elena|Yelena|Jelena|Jeļena",
        "Фёдор|Fyodor|Fedor|Fiodor",
        "Наталья|Natalya|Natalia|Natalja",
        "Кузнецов|Kuznetsov|Kuznecov|Kuznetzov",
        "Георгиев|Georgiev|Georgijev",
        "Müller|Mueller|Muller",
        "Алексей|Aleksey|Aleksei|Alexey",
        "Жуков|Zhukov|Žukov|Zukov",
    ] {
        let found: Vec<String> = group.split('|').map(skeleton).collect();
        assert!(found.iter().all(|each| each == &found[0]), "{group}: {found:?}");
    }
    for (a, b) in [("Иванов", "Петров"), ("Smith", "Smart"), ("Саша", "Маша"), ("Jones", "James")] {
        assert_ne!(skeleton(a), skeleton(b));
    }
}

#[test]
fn family_keys_meet() {
    for group in [
        "Иванов|Иванова|Ivanovs|Ivanova|Ivanov",
        "Покровский|Покровская|Pokrovskis|Pokrovska|Pokrovsky|Pokrovskaya",
        "Bērziņš|Bērziņa|Berzins|Berzina|Берзиньш",
        "Kalns|Kalna",
        "Balodis|Balode",
        "Jansons|Jansone",
        "Kazlauskas|Kazlauskienė",
    ] {
        let found: Vec<String> = group.split('|').map(|name| key(family_key_into, name)).collect();
        assert!(found.iter().all(|each| each == &found[0]), "{group}: {found:?}");
    }
    for (a, b) in [("Williams", "William"), ("Roberts", "Robert"), ("Jones", "Jon"), ("Иванов", "Иванченко")] {
        assert_ne!(key(family_key_into, a), key(family_key_into, b));
    }
}

#[test]
fn nicknames_meet() {
    for (a, b) in [
        ("Bob", "Robert"),
        ("Bill", "William"),
        ("Liz", "Elizabeth"),
        ("Peggy", "Margaret"),
        ("Саша", "Александр"),
        ("Sasha", "Александра"),
        ("Дима", "Dmitry"),
        ("Vova", "Владимир"),
        ("Катя", "Ekaterina"),
        ("Jack", "John"),
        ("Jack", "Jackson"),
        ("Аня", "Анна"),
        ("Kolya", "Nikolajs"),
        ("Женя", "Евгений"),
        ("Женя", "Евгения"),
        ("Aleksandrs", "Alex"),
    ] {
        assert!(share_nickname_class(&skeleton(a), &skeleton(b)), "{a} {b}");
    }
    for (a, b) in [("Bob", "William"), ("Саша", "Дмитрий"), ("Юрий", "Егор"), ("Яна", "Жанна"), ("Anna", "Maria"), ("Jānis", "Ivars")]
    {
        assert!(!share_nickname_class(&skeleton(a), &skeleton(b)), "{a} {b}");
    }
    assert_eq!(given_name_gender(&skeleton("Robert")), Some(Gender::Male));
    assert_eq!(given_name_gender(&skeleton("Саша")), None);
}

#[test]
fn full_names() {
    let mut name = PersonName::default();
    for (raw, family, given, middle) in [
        ("John Smith", "Smith", "John", ""),
        ("Smith, John A.", "Smith", "John", "A"),
        ("SMITH John", "SMITH", "John", ""),
        ("John F. Kennedy", "Kennedy", "John", "F"),
        ("J. R. R. Tolkien", "Tolkien", "J", "R R"),
        ("Mr. John Smith, Jr.", "Smith", "John", ""),
        ("Robert Downey Jr", "Downey", "Robert", ""),
        ("Иванов Иван Иванович", "Иванов", "Иван", "Иванович"),
        ("Иван Иванович Иванов", "Иванов", "Иван", "Иванович"),
        ("Иванов И.И.", "Иванов", "И", "И"),
        ("И.И. Иванов", "Иванов", "И", "И"),
        ("Иванов ИИ", "Иванов", "И", "И"),
        ("Анна Иванова", "Иванова", "Анна", ""),
        ("Иванова Анна", "Иванова", "Анна", ""),
        ("Анна Петровна", "", "Анна", "Петровна"),
        ("Ludwig van Beethoven", "van Beethoven", "Ludwig", ""),
        ("Maria de la Cruz", "de la Cruz", "Maria", ""),
        ("Jānis Bērziņš", "Bērziņš", "Jānis", ""),
        ("Bērziņš Jānis", "Bērziņš", "Jānis", ""),
        ("William (Bill) Gates", "Gates", "William", ""),
        ("Алиев Ильхам Гейдар оглы", "Алиев", "Ильхам", "Гейдар"),
        ("Dr. Anna-Maria Schmidt PhD", "Schmidt", "Anna-Maria", ""),
        ("г-жа Смирнова Ольга", "Смирнова", "Ольга", ""),
        ("Mary Ann Smith", "Smith", "Mary", "Ann"),
        ("O'Brien, Patrick", "O'Brien", "Patrick", ""),
    ] {
        assert_eq!(parse_full_name(raw, &mut name), Ok(()), "{raw}");
        assert_eq!((name.family.as_str(), name.given.as_str(), name.middle.as_str()), (family, given, middle), "{raw}: {:?}", name.order);
    }
    parse_full_name("Robert Downey Jr", &mut name).unwrap();
    assert_eq!(name.suffix, Some(Suffix::Junior));
    assert!(Suffix::Junior.contradicts(Suffix::Senior) && !Suffix::Junior.contradicts(Suffix::Second));
}

#[test]
fn companies() {
    let mut company = CompanyName::default();
    for (raw, core, form) in [
        ("ООО «Ромашка»", "ромашка", Some(LegalForm::Limited)),
        ("Ромашка, ООО", "ромашка", Some(LegalForm::Limited)),
        ("SIA \"Latvijas Mobilais Telefons\"", "latvijas mobilais telefons", Some(LegalForm::Limited)),
        ("Müller & Söhne GmbH & Co. KG", "muller sohne", Some(LegalForm::Partnership)),
        ("Johnson & Johnson", "johnson and johnson", None),
        ("Acme, Inc.", "acme", Some(LegalForm::Stock)),
        ("Acme S.r.l.", "acme", Some(LegalForm::Limited)),
        ("AS Swedbank", "swedbank", Some(LegalForm::Stock)),
        ("ИП Иванов Иван", "иванов иван", Some(LegalForm::SoleTrader)),
        ("Smith Brothers dba Smithy's Garage", "smithys garage", None),
        ("ПАО Сбербанк", "сбербанк", Some(LegalForm::Stock)),
        ("Foo B.V.", "foo", Some(LegalForm::Limited)),
        ("Kone Oyj", "kone", Some(LegalForm::Stock)),
    ] {
        assert_eq!(parse_company(raw, &mut company), Ok(()), "{raw}");
        assert_eq!((company.core.as_str(), company.legal_form), (core, form), "{raw}");
    }
    // Words that many companies share are no part of the key, however skeletons write them.
    for (raw, key) in [("The Palm", "palm"), ("Palm, The", "palm"), ("Brown and Sons Trading Company", "brovn sons")] {
        parse_company(raw, &mut company).unwrap();
        assert_eq!(company.key, key, "{raw}");
    }
    for raw in ["ООО Ромашка", "Acme Ltd", "Riga Trade Group", "First National Bank", "GmbH Test Werk"] {
        assert!(looks_like_company(raw), "{raw}");
    }
    for raw in ["John Smith", "Иванова Анна Петровна", "Jānis Bērziņš", "Maria Garcia"] {
        assert!(!looks_like_company(raw), "{raw}");
    }
}

#[test]
fn tax_ids() {
    use TaxIdKind::*;
    use TaxIdValidity::{Invalid, Unknown, Valid};
    for (raw, kind, text, validity) in [
        ("7707083893", InnCompany, "7707083893", Valid),
        ("7707083894", InnCompany, "7707083894", Invalid),
        ("500100732259", InnPerson, "500100732259", Valid),
        ("1027700132195", Ogrn, "1027700132195", Valid),
        ("40003009497", LvRegistration, "40003009497", Valid),
        ("LV40003009497", LvRegistration, "40003009497", Valid),
        ("161175-19997", LvPersonalCode, "16117519997", Valid),
        ("321234-56789", LvPersonalCode, "32123456789", Unknown),
        ("DE136695976", EuVat, "DE136695976", Valid),
        ("GB980780684", EuVat, "GB980780684", Valid),
        ("ATU13585627", EuVat, "ATU13585627", Valid),
        ("FR40303265045", EuVat, "FR40303265045", Valid),
        ("IT00743110157", EuVat, "IT00743110157", Valid),
        ("PL8567346215", EuVat, "PL8567346215", Valid),
        ("NL004495445B01", EuVat, "NL004495445B01", Valid),
        ("EE100931558", EuVat, "EE100931558", Valid),
        ("LT119511515", EuVat, "LT119511515", Valid),
        ("078-05-1120", Ssn, "078051120", Unknown),
        ("666-05-1120", Ssn, "666051120", Invalid),
        ("12-3456780", Ein, "123456780", Unknown),
        ("112-233-445 95", Snils, "11223344595", Valid),
    ] {
        let id = parse_tax_id(raw).unwrap();
        assert_eq!((id.kind, id.text.as_str(), id.validity), (kind, text, validity), "{raw}");
    }
    assert!(parse_tax_id("0000000000").unwrap().generic);
    assert_eq!(parse_valid_tax_id("7707083894"), Err(Reason::BadCheckDigit));
}

#[test]
fn dates() {
    let day = |year, month, day| Ok(DateValue::Day(Date::new(year, month, day).unwrap()));
    for (raw, expected) in [
        ("1985-04-03", day(1985, 4, 3)),
        ("1985-04-03T10:20:30Z", day(1985, 4, 3)),
        ("1985-04-03 10:20:30.5+02", day(1985, 4, 3)),
        ("19850403", day(1985, 4, 3)),
        ("31.12.1985", day(1985, 12, 31)),
        ("12/31/1985", day(1985, 12, 31)),
        ("31.12.85", day(1985, 12, 31)),
        ("31.12.05 г.", day(2005, 12, 31)),
        ("Apr 3, 1985", day(1985, 4, 3)),
        ("3rd of April 1985", day(1985, 4, 3)),
        ("3 апреля 1985 г.", day(1985, 4, 3)),
        ("1985. gada 3. aprīlis", day(1985, 4, 3)),
        ("03-APR-85", day(1985, 4, 3)),
        ("05/05/1985", day(1985, 5, 5)),
        ("1985", Ok(DateValue::Year(1985))),
        ("1985-04", Ok(DateValue::Month { year: 1985, month: 4 })),
        ("April 1985", Ok(DateValue::Month { year: 1985, month: 4 })),
        ("0000-00-00", Err(Reason::Placeholder)),
        ("31.02.1985", Err(Reason::ImpossibleDate)),
        ("1985-13-40", Err(Reason::ImpossibleDate)),
        ("n/a", Err(Reason::Placeholder)),
        ("hello", Err(Reason::BadFormat)),
    ] {
        assert_eq!(parse_date(raw, &DateOptions::default()), expected, "{raw}");
    }
    let serials = DateOptions { excel_serials: true, ..DateOptions::default() };
    assert_eq!(parse_date("31140", &serials), day(1985, 4, 3));
    assert!(parse_date("01.01.1900", &serials).unwrap().is_generic());
}

#[test]
fn addresses() {
    let mut street = Street::default();
    for (raw, name, house, building, flat) in [
        ("123 Main St", "main", "123", "", ""),
        ("123 N Main Street, Apt 4B, Springfield", "n main", "123", "", "4B"),
        ("5 Saint James Court", "saint iames", "5", "", ""),
        ("ул. Ленина, д. 5, корп. 2, кв. 10", "lenina", "5", "2", "10"),
        ("Ленина 5-10", "lenina", "5", "", "10"),
        ("проспект Мира 15", "mira", "15", "", ""),
        ("пр-т Мира, 15 к2", "mira", "15", "2", ""),
        ("Brīvības iela 12-45", "brivibas", "12", "", "45"),
        ("Brīvības iela 12 dz. 45", "brivibas", "12", "", "45"),
        ("Hauptstraße 7a", "haupt", "7A", "", ""),
        ("10 Rue de Rivoli", "de rivoli", "10", "", ""),
        ("Москва, ул. Тверская, 7", "tverskaia", "7", "", ""),
        ("4 Brown Meadows, West Charlesport, LD9 9BT", "brovn meadovs", "4", "", ""),
        ("Unit 60 Shirley Views, Oliverhaven, N48 0WQ", "sirlei vevs", "", "", "60"),
        ("Unit 5 Springfield Mills, 12 Main Road", "main", "12", "", "5"),
        ("Flat 2 Springfield Mills, Station Road", "staten", "", "", "2"),
        ("Flat 2 Springfield Mills, Leetown, Station Road 7", "staten", "7", "", "2"),
        ("Whg 2 Haus Sonne, Hauptstraße", "haupt", "", "", "2"),
        ("10 Main Street, Apt. B2 3rd Floor", "main", "10", "", "B2"),
        ("10 Main Street, B2 3RD", "main", "10", "", ""),
        ("61 Grace Greens, Leetown", "grace grens", "61", "", ""),
        ("1110 3rd Ave. at 65th St.", "3", "1110", "", ""),
        ("95 Ave. A (at 6th St.)", "a", "95", "", ""),
        ("150 Wooster St. between Houston and Prince Sts.", "voster", "150", "", ""),
        ("ул. Ленина, 5 напротив вокзала", "lenina", "5", "", ""),
    ] {
        assert_eq!(parse_street(raw, &mut street), Ok(()), "{raw}");
        let found = (street.street.as_str(), street.house.as_str(), street.building.as_str(), street.flat.as_str());
        assert_eq!(found, (name, house, building, flat), "{raw}: {street:?}");
    }
    parse_street("а/я 15", &mut street).unwrap();
    assert_eq!(street.po_box.as_str(), "15");
    parse_street("P.O. Box 123", &mut street).unwrap();
    assert_eq!(street.po_box.as_str(), "123");
    for (a, b) in [
        ("Рига", "Rīga"),
        ("СПб", "St. Petersburg"),
        ("г. Москва", "Moscow"),
        ("LA", "Los Angeles"),
        ("Saint Louis", "St Louis"),
        ("Kiev", "Київ"),
    ] {
        assert_eq!(key(city_key_into, a), key(city_key_into, b), "{a} {b}");
    }
    for (written, code) in
        [("Russia", "RU"), ("Россия", "RU"), ("ASV", "US"), ("U.S.A.", "US"), ("Deutschland", "DE"), ("lv", "LV"), ("Великобритания", "GB")]
    {
        assert_eq!(parse_country(written).unwrap().as_str(), code);
    }
}

#[test]
fn phones() {
    for (raw, region, e164, extension) in [
        ("+7 (912) 345-67-89", "LV", "+79123456789", 0),
        ("8 912 345-67-89", "RU", "+79123456789", 0),
        ("8 912 345-67-89", "LV", "+79123456789", 0),
        ("00371 29123456", "LV", "+37129123456", 0),
        ("00371 29123456", "US", "+37129123456", 0),
        ("011 371 29123456", "US", "+37129123456", 0),
        ("37129123456", "LV", "+37129123456", 0),
        ("37129123456", "RU", "+37129123456", 0),
        ("(212) 555-0142 ext. 12", "US", "+12125550142", 12),
        ("67223344 доб. 5", "LV", "+37167223344", 5),
        ("тел. 29123456 (моб)", "LV", "+37129123456", 0),
        ("２９１２３４５６", "LV", "+37129123456", 0),
        ("٢٩١٢٣٤٥٦", "LV", "+37129123456", 0),
        ("tel:+371-29123456;ext=7", "LV", "+37129123456", 7),
        ("+44 (0)20 7946 0958", "GB", "+442079460958", 0),
        ("0341/558291", "DE", "+49341558291", 0),
        ("089 / 38 19 47", "DE", "+4989381947", 0),
        ("+49 38321/60123", "DE", "+493832160123", 0),
        ("0664/8273645", "AT", "+436648273645", 0),
        ("02/512.34.56", "BE", "+3225123456", 0),
        ("067/123-45-67", "UA", "+380671234567", 0),
        ("12 345 67 89 w. 12", "PL", "+48123456789", 12),
        ("12 345 67 89 wew. 12", "PL", "+48123456789", 12),
        ("0711 123456 Durchwahl 12", "DE", "+49711123456", 12),
        ("01 5321848 DW 15", "AT", "+4315321848", 15),
        ("01 43 55 12 34 poste 7", "FR", "+33143551234", 7),
        ("(044) 222-33-44 дод. 5", "UA", "+380442223344", 5),
    ] {
        let phone = parse_phone(raw, Region::new(region)).unwrap();
        assert_eq!((phone.e164().as_str(), phone.extension), (e164, extension), "{raw} in {region}");
    }
    for filler in ["0000000", "11111111", "1234567"] {
        assert!(parse_phone(filler, Region::new("LV")).is_ok_and(|phone| phone.generic), "{filler}");
    }
    for (filler, region, generic) in [
        ("+7 916 123-45-67", "RU", false),
        ("+37121234567", "LV", false),
        ("+7 916 000-00-00", "RU", true),
        ("(111) 111-1111", "US", true),
        ("1234567890", "DE", true),
    ] {
        assert_eq!(parse_phone(filler, Region::new(region)).unwrap().generic, generic, "{filler}");
    }
    for (written, region, complete) in
        [("555-0100", "US", false), ("+1 555-0100", "LV", false), ("212-555-0100", "US", true), ("29123456", "LV", true)]
    {
        assert_eq!(parse_phone(written, Region::new(region)).unwrap().is_complete(), complete, "{written}");
    }
    for bad in ["", "нет", "n/a", "12", "abc"] {
        assert!(parse_phone(bad, Region::new("LV")).is_err(), "{bad}");
    }
}

#[test]
fn several_values_in_one_cell() {
    for (cell, expected) in [
        ("89161112255 / 89161112266", "89161112255|89161112266"),
        ("601-234-567/602-345-678", "601-234-567|602-345-678"),
        ("212.555.0149 / 917.555.0150", "212.555.0149|917.555.0150"),
        ("0341/558291", "0341/558291"),
        ("089 / 38 19 47", "089 / 38 19 47"),
        ("+371 6712345/46", "+371 6712345/46"),
        ("01 43 55 12 34 / 06 12 34 56 78", "01 43 55 12 34|06 12 34 56 78"),
        ("0341/558291, 0171/2345678", "0341/558291|0171/2345678"),
        ("+49 341/558291/+49 171/2345678", "+49 341/558291|+49 171/2345678"),
        ("234567/345678", "234567|345678"),
        ("89161112277 ::: 89161112288", "89161112277|89161112288"),
        ("89161112299 | 84951112233", "89161112299|84951112233"),
        ("89161112200 или 89161112201", "89161112200|89161112201"),
        ("0143551238 ou 0612345679", "0143551238|0612345679"),
        ("601234569 lub tel. 22 1234567", "601234569|tel. 22 1234567"),
        ("0711 123456 und 0171 2345678", "0711 123456|0171 2345678"),
        ("0711 123456 or 0171 2345678", "0711 123456|0171 2345678"),
        ("8 916 111 22 02 8 916 111 22 03", "8 916 111 22 02|8 916 111 22 03"),
        ("2125550154 2125550155", "2125550154|2125550155"),
        ("601 234 570 601 234 571 601 234 572", "601 234 570|601 234 571|601 234 572"),
        ("+371 29123456 +371 29123457", "+371 29123456|+371 29123457"),
        ("(495) 123-45-67   8 916 111 22 03", "(495) 123-45-67|8 916 111 22 03"),
        ("67-223-344, доб. 5", "67-223-344, доб. 5"),
        ("0034 912 345 678", "0034 912 345 678"),
    ] {
        assert_eq!(split_phones(cell).collect::<Vec<_>>().join("|"), expected, "{cell}");
    }
    for (cell, expected) in [
        ("a@x.lv ::: b@y.lv", "a@x.lv|b@y.lv"),
        ("a@x.lv ou b@y.lv", "a@x.lv|b@y.lv"),
        ("a@x.lv / b@y.lv", "a@x.lv|b@y.lv"),
        ("Anna Ozola <a@x.lv>, Jānis Kalns <b@y.lv>", "Anna Ozola <a@x.lv>|Jānis Kalns <b@y.lv>"),
        ("Anna <a@x.lv>; Jānis <b@y.lv>", "Anna <a@x.lv>|Jānis <b@y.lv>"),
    ] {
        assert_eq!(split_emails(cell).collect::<Vec<_>>().join("|"), expected, "{cell}");
    }
}

#[test]
fn dates_with_points_have_the_day_first() {
    let read = |text: &str, order| parse_date(text, &DateOptions { order, ..DateOptions::default() }).unwrap().day();
    for text in ["05.06.1975", "5.6.75", "5. 6. 1975", "05.06.1975 10:30"] {
        assert_eq!(read(text, DateOrder::Unknown), Date::new(1975, 6, 5), "{text}");
    }
    assert_eq!(read("05.06.1975", DateOrder::MonthFirst), Date::new(1975, 5, 6));
    assert_eq!(read("05/06/1975", DateOrder::Unknown), None);
    assert_eq!(read("05-06-1975", DateOrder::Unknown), None);
    assert_eq!(settle_date_order(["05.06.1975", "06/13/1975"]).order(), DateOrder::MonthFirst);
    assert_eq!(settle_date_order(["05.06.1975", "07/08/1975"]).order(), DateOrder::DayFirst);
}
