//! Recognisers of written values, cheap and tolerant: they tell what a column holds, not whether a value is right.

/// Whether the text looks like an e-mail address, alone or the first of a list.
pub fn is_email(text: &str) -> bool {
    let text = text.trim().trim_start_matches("mailto:");
    let Some((local, domain)) = text.split_once('@') else { return false };
    let domain = domain.split([',', ';', ' ', '>']).next().unwrap_or("");
    !local.is_empty() && local.len() <= 80 && domain.len() >= 4 && domain.contains('.') && !domain.starts_with('.') && !domain.contains('/')
}

/// Whether it looks like a web address or a bare domain.
pub fn is_website(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    if lower.contains(['@', ' ']) {
        return false;
    }
    if lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("www.") {
        return true;
    }
    let host = lower.split('/').next().unwrap_or("");
    let Some((name, top)) = host.rsplit_once('.') else { return false };
    // A top-level domain is letters; "e.g", "Dr.Smith" and "12.5" are not hosts.
    name.len() >= 2
        && (2..=12).contains(&top.chars().count())
        && top.chars().all(char::is_alphabetic)
        && !host.ends_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'))
        && name.chars().any(char::is_alphabetic)
}

/// Whether it is a profile in a social network or a handle.
pub fn is_social(text: &str) -> bool {
    const HOSTS: &[&str] = &[
        "facebook.com",
        "linkedin.com",
        "vk.com",
        "t.me/",
        "twitter.com",
        "x.com/",
        "instagram.com",
        "ok.ru",
        "tiktok.com",
        "youtube.com",
        "telegram.me",
        "draugiem.lv",
    ];
    let lower = text.trim().to_lowercase();
    HOSTS.iter().any(|host| lower.contains(host))
        || (lower.starts_with('@') && lower.len() > 3 && !lower.contains(' ') && !lower[1..].contains('@'))
}

/// How a text looks as a telephone number: `None` if it does not, otherwise whether it is written as only telephones are.
pub fn phone(text: &str) -> Option<bool> {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if !(6..=40).contains(&digits) || letters > 8 || date_year(text).is_some() {
        return None;
    }
    let first = text.split([',', ';', '/']).next().unwrap_or(text);
    let first_digits = first.chars().filter(char::is_ascii_digit).count();
    if !(6..=17).contains(&first_digits) || !text.chars().all(|c| c.is_alphanumeric() || " +-().,;/#*:–—\u{a0}".contains(c)) {
        return None;
    }
    if letters > 0
        && !["доб", "вн", "ext", "x", "tel", "тел", "mob", "моб", "д", "int", "fax", "ф", "p"]
            .iter()
            .any(|word| text.to_lowercase().contains(word))
    {
        return None;
    }
    let strong = text.starts_with('+') || (text.contains('(') && digits >= 7)
        // Groups of digits with separators: 029-555-123, 8 912 345 67 89.
        || (first_digits >= 8 && first.trim().split([' ', '-', '.', '–']).filter(|part| !part.is_empty()).count() >= 3);
    Some(strong)
}

/// The year of a written date, and whether a time of day stands behind it.
pub fn date(text: &str) -> Option<(i32, bool)> {
    let year = date_year(text)?;
    let time = text.contains(':') && !text.contains("00:00:00") && !text.ends_with(" 00:00") && !text.ends_with("T00:00");
    Some((year, time))
}

fn date_year(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.len() > 60 || text.is_empty() {
        return None;
    }
    let head = text.split(['T', ' ']).next().unwrap_or("");
    let parts: Vec<&str> = head.split(['-', '.', '/']).filter(|part| !part.is_empty()).collect();
    let numeric = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if numeric && parts.len() == 3 && !head.contains("--") {
        let numbers: Vec<i32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
        if let [a, b, c] = numbers[..] {
            let plausible = |day: i32, month: i32| (1..=31).contains(&day) && (1..=31).contains(&month) && (day <= 12 || month <= 12);
            if parts[0].len() == 4 && plausible(b, c) {
                return year(a);
            }
            if parts[2].len() == 4 && plausible(a, b) {
                return year(c);
            }
            if parts[0].len() <= 2 && parts[2].len() == 2 && plausible(a, b) {
                return Some(if c > 30 { 1900 + c } else { 2000 + c });
            }
        }
        return None;
    }
    if numeric && parts.len() == 1 && head.len() == 8 && text.len() == 8 {
        let number: i32 = head.parse().ok()?;
        let (y, m, d) = (number / 10_000, number / 100 % 100, number % 100);
        return if (1..=12).contains(&m) && (1..=31).contains(&d) { year(y).filter(|y| (1850..=2035).contains(y)) } else { None };
    }
    month_name_year(text)
}

fn year(value: i32) -> Option<i32> {
    (1500..=2100).contains(&value).then_some(value)
}

/// "12 March 1990", "Mar 12, 1990", "12 марта 1990 г.", "1990. gada 12. martā".
fn month_name_year(text: &str) -> Option<i32> {
    const MONTHS: &[&str] = &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "янв", "фев", "мар", "апр", "май", "мая",
        "июн", "июл", "авг", "сен", "окт", "ноя", "дек", "mai", "maij", "jūn", "jūl", "okt", "dez", "ene", "abr", "ago", "dic", "fév",
        "avr", "aoû", "déc", "juin", "juil", "sty", "lut", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru",
    ];
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if !(2..=8).contains(&words.len())
        || !words.iter().any(|word| word.chars().count() >= 3 && MONTHS.iter().any(|month| word.starts_with(month)))
    {
        return None;
    }
    words.iter().filter(|word| word.len() == 4).find_map(|word| word.parse::<i32>().ok()).and_then(year)
}

/// Whether a tax or registration number has right check digits, and of which kind it is.
pub fn tax_id(text: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    let digits: Vec<u32> = trimmed.chars().filter_map(|c| c.to_digit(10)).collect();
    let other: String = trimmed.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, ' ' | '-' | '.')).collect();
    let weighted = |weights: &[u32]| digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>();
    let dashes = trimmed.bytes().filter(|byte| *byte == b'-').count();
    if other.is_empty() {
        if digits.len() == 10 && dashes == 0 && weighted(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[9] {
            return Some("INN");
        }
        if digits.len() == 12
            && weighted(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[10]
            && weighted(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[11]
        {
            return Some("INN");
        }
        if digits.len() == 11 && dashes <= 1 {
            if matches!(digits[0], 4 | 5 | 9) && (weighted(&[9, 1, 4, 8, 3, 10, 2, 5, 7, 6]) + digits[10]) % 11 == 3 {
                return Some("Latvian registration number");
            }
            let personal = (1101 - weighted(&[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) as i64).rem_euclid(11) % 10 == i64::from(digits[10]);
            if dashes == 1 && trimmed.find('-') == Some(6) && (personal || digits[..2] == [3, 2]) {
                return Some("Latvian personal code");
            }
            if dashes == 0
                && (weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) + digits[10]).is_multiple_of(10)
                && (1..=92).contains(&(digits[2] * 10 + digits[3]))
            {
                return Some("PESEL");
            }
        }
        if digits.len() == 9 && dashes == 2 && trimmed.len() == 11 && trimmed.find('-') == Some(3) {
            return Some("SSN");
        }
        return None;
    }
    let upper = trimmed.to_uppercase();
    const VAT: &[&str] = &[
        "LV", "LT", "EE", "DE", "FR", "PL", "ATU", "BE", "NL", "ES", "IT", "SE", "FI", "DK", "CZ", "SK", "GB", "IE", "PT", "HU", "RO",
        "BG", "HR", "SI", "EL", "CY", "LU", "MT",
    ];
    let starts = VAT.iter().any(|prefix| upper.starts_with(prefix));
    (starts && (8..=12).contains(&digits.len()) && other.chars().count() <= 4).then_some("VAT number")
}

/// How a text looks as a postcode: `None` if it does not, otherwise whether only postcodes are written so.
pub fn postcode(text: &str) -> Option<bool> {
    let text = text.trim();
    if !(3..=10).contains(&text.len()) || !text.is_ascii() {
        return None;
    }
    let pattern: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '9'
            } else if c.is_ascii_alphabetic() {
                'A'
            } else {
                c
            }
        })
        .collect();
    const STRONG: &[&str] = &[
        "AA-9999",
        "AA-99999",
        "99999-9999",
        "99-999",
        "999 99",
        "9999 AA",
        "9999AA",
        "A9A 9A9",
        "A9A9A9",
        "A9 9AA",
        "A99 9AA",
        "AA9 9AA",
        "AA99 9AA",
        "A9A 9AA",
        "AA9A 9AA",
        "A99AA",
        "A999AA",
        "AA99AA",
        "AA999AA",
        "AA9A9AA",
        "99999-999",
        "999-9999",
        "A-9999",
        "9999-999",
        "AA9999AA",
    ];
    if STRONG.contains(&pattern.as_str()) {
        return Some(true);
    }
    ((3..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(false)
}

/// Whether it names a sex.
pub fn is_gender(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "m",
        "f",
        "male",
        "female",
        "man",
        "woman",
        "м",
        "ж",
        "муж",
        "жен",
        "мужской",
        "женский",
        "мужчина",
        "женщина",
        "vīrietis",
        "sieviete",
        "v",
        "s",
        "vīr",
        "siev",
        "mr",
        "w",
        "männlich",
        "weiblich",
        "homme",
        "femme",
        "h",
        "hombre",
        "mujer",
        "k",
        "kobieta",
        "mężczyzna",
        "masculino",
        "femenino",
        "муж.",
        "жен.",
        "nonbinary",
        "non-binary",
        "other",
        "diverse",
        "d",
        "u",
        "unknown",
        "vīriešu",
        "sieviešu",
        "ч",
        "чоловік",
        "жінка",
        "x",
    ];
    WORDS.contains(&text.trim().to_lowercase().as_str())
}

/// Whether it is yes or no.
pub fn is_boolean(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "true",
        "false",
        "yes",
        "no",
        "y",
        "n",
        "0",
        "1",
        "да",
        "нет",
        "д",
        "н",
        "jā",
        "nē",
        "ja",
        "nein",
        "oui",
        "non",
        "sí",
        "si",
        "tak",
        "nie",
        "t",
        "f",
        "on",
        "off",
        "истина",
        "ложь",
        "subscribed",
        "unsubscribed",
    ];
    WORDS.contains(&text.trim().to_lowercase().as_str())
}

/// Whether it is a generational suffix.
pub fn is_suffix(text: &str) -> bool {
    const WORDS: &[&str] = &["jr", "sr", "ii", "iii", "iv", "junior", "senior", "мл", "ст", "v", "2nd", "3rd", "phd", "md", "esq"];
    WORDS.contains(&text.trim().trim_end_matches('.').to_lowercase().as_str())
}

/// Whether it says what kind of contact it is.
pub fn is_contact_type(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "person",
        "company",
        "individual",
        "organization",
        "organisation",
        "business",
        "consumer",
        "b2b",
        "b2c",
        "private",
        "legal entity",
        "natural person",
        "физ. лицо",
        "юр. лицо",
        "физлицо",
        "юрлицо",
        "физическое лицо",
        "юридическое лицо",
        "ип",
        "persona",
        "uzņēmums",
        "fiziska persona",
        "juridiska persona",
        "privātpersona",
        "контрагент",
        "people",
        "компания",
        "контакт",
    ];
    WORDS.contains(&text.trim().to_lowercase().as_str())
}

/// Whether it names a country, by its usual names or its code in capitals.
pub fn is_country(text: &str) -> bool {
    const CODES: &str = "LV LT EE RU DE FR ES IT PL US GB UK UA BY KZ FI SE NO DK NL BE AT CH CZ SK HU RO BG GR PT IE CA AU NZ IN CN JP BR MX TR IL AE USA GBR LVA LTU EST RUS DEU FRA ESP POL UKR";
    const NAMES: &[&str] = &[
        "latvia",
        "lithuania",
        "estonia",
        "russia",
        "germany",
        "france",
        "spain",
        "italy",
        "poland",
        "united states",
        "united kingdom",
        "ukraine",
        "belarus",
        "kazakhstan",
        "finland",
        "sweden",
        "norway",
        "denmark",
        "netherlands",
        "belgium",
        "austria",
        "switzerland",
        "czech republic",
        "czechia",
        "usa",
        "uk",
        "england",
        "scotland",
        "wales",
        "ireland",
        "canada",
        "australia",
        "new zealand",
        "india",
        "china",
        "japan",
        "brazil",
        "mexico",
        "turkey",
        "israel",
        "россия",
        "латвия",
        "литва",
        "эстония",
        "украина",
        "беларусь",
        "казахстан",
        "германия",
        "сша",
        "польша",
        "российская федерация",
        "latvija",
        "lietuva",
        "igaunija",
        "krievija",
        "vācija",
        "deutschland",
        "österreich",
        "schweiz",
        "españa",
        "italia",
        "polska",
        "united states of america",
        "great britain",
        "russian federation",
        "portugal",
        "greece",
        "hungary",
        "romania",
        "bulgaria",
        "somija",
        "zviedrija",
        "polija",
    ];
    let text = text.trim();
    CODES.split(' ').any(|code| code == text) || NAMES.contains(&text.to_lowercase().as_str())
}

/// Whether it names a language or is a language's code in small letters.
pub fn is_language(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "en",
        "ru",
        "lv",
        "lt",
        "et",
        "de",
        "fr",
        "es",
        "it",
        "pl",
        "uk",
        "en-us",
        "en-gb",
        "ru-ru",
        "lv-lv",
        "de-de",
        "en_us",
        "en_gb",
        "ru_ru",
        "lv_lv",
        "english",
        "russian",
        "latvian",
        "german",
        "french",
        "spanish",
        "polish",
        "estonian",
        "lithuanian",
        "русский",
        "английский",
        "латышский",
        "немецкий",
        "latviešu",
        "krievu",
        "angļu",
        "deutsch",
        "français",
        "español",
        "polski",
        "eng",
        "rus",
        "lav",
        "lat",
        "fr_fr",
        "de_de",
    ];
    let text = text.trim();
    text.chars().next().is_some_and(|c| !c.is_uppercase() || text.chars().count() > 2) && WORDS.contains(&text.to_lowercase().as_str())
}

/// Whether it is a state, oblast, county.
pub fn is_region(text: &str) -> bool {
    const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC NSW VIC QLD SA TAS ACT NT";
    const ENDINGS: &[&str] = &[
        " область",
        " обл",
        " обл.",
        " край",
        " район",
        " р-н",
        " novads",
        " county",
        " oblast",
        " region",
        " province",
        "shire",
        " rajons",
    ];
    const STARTS: &[&str] = &["республика ", "область ", "county "];
    let text = text.trim();
    let lower = text.to_lowercase();
    STATES.split(' ').any(|code| code.eq_ignore_ascii_case(text))
        || ENDINGS.iter().any(|end| lower.ends_with(end))
        || STARTS.iter().any(|start| lower.starts_with(start))
}

/// Whether it is one of the towns that many contact bases hold.
pub fn is_city(text: &str) -> bool {
    const NAMES: &[&str] = &[
        "riga",
        "rīga",
        "rīgā",
        "daugavpils",
        "liepāja",
        "jelgava",
        "jūrmala",
        "ventspils",
        "rēzekne",
        "valmiera",
        "ogre",
        "tukums",
        "cēsis",
        "sigulda",
        "salaspils",
        "kuldīga",
        "olaine",
        "рига",
        "москва",
        "санкт-петербург",
        "спб",
        "новосибирск",
        "екатеринбург",
        "казань",
        "нижний новгород",
        "челябинск",
        "самара",
        "омск",
        "ростов-на-дону",
        "уфа",
        "красноярск",
        "воронеж",
        "пермь",
        "волгоград",
        "краснодар",
        "саратов",
        "тюмень",
        "тольятти",
        "киев",
        "минск",
        "алматы",
        "астана",
        "london",
        "birmingham",
        "manchester",
        "leeds",
        "glasgow",
        "liverpool",
        "bristol",
        "sheffield",
        "edinburgh",
        "leicester",
        "cardiff",
        "belfast",
        "nottingham",
        "new york",
        "los angeles",
        "chicago",
        "houston",
        "phoenix",
        "philadelphia",
        "san antonio",
        "san diego",
        "dallas",
        "austin",
        "boston",
        "seattle",
        "denver",
        "miami",
        "atlanta",
        "portland",
        "berlin",
        "hamburg",
        "münchen",
        "munich",
        "köln",
        "frankfurt",
        "stuttgart",
        "paris",
        "lyon",
        "marseille",
        "toulouse",
        "madrid",
        "barcelona",
        "valencia",
        "sevilla",
        "rome",
        "roma",
        "milano",
        "milan",
        "warszawa",
        "warsaw",
        "kraków",
        "gdańsk",
        "wrocław",
        "vilnius",
        "kaunas",
        "tallinn",
        "tartu",
        "helsinki",
        "stockholm",
        "oslo",
        "copenhagen",
        "amsterdam",
        "brussels",
        "vienna",
        "wien",
        "zürich",
        "prague",
        "praha",
        "budapest",
        "dublin",
        "sydney",
        "melbourne",
        "brisbane",
        "perth",
        "toronto",
        "montreal",
        "vancouver",
        "moscow",
        "kyiv",
        "kiev",
        "lisbon",
        "athens",
    ];
    let lower = text.trim().to_lowercase();
    let bare = lower.strip_prefix("г. ").or_else(|| lower.strip_prefix("г.")).unwrap_or(&lower);
    NAMES.contains(&bare) || lower.starts_with("г. ")
}

/// Whether it looks like a street with a house.
pub fn is_street(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "street",
        "st",
        "road",
        "rd",
        "avenue",
        "ave",
        "lane",
        "ln",
        "drive",
        "dr",
        "boulevard",
        "blvd",
        "court",
        "ct",
        "place",
        "pl",
        "close",
        "crescent",
        "circuit",
        "way",
        "terrace",
        "parkway",
        "square",
        "highway",
        "hwy",
        "ул",
        "улица",
        "пр",
        "просп",
        "проспект",
        "пр-т",
        "пер",
        "переулок",
        "шоссе",
        "ш",
        "бульвар",
        "б-р",
        "наб",
        "площадь",
        "пл",
        "мкр",
        "проезд",
        "iela",
        "gatve",
        "prospekts",
        "bulvāris",
        "šoseja",
        "laukums",
        "ielā",
        "strasse",
        "straße",
        "str",
        "weg",
        "allee",
        "platz",
        "rue",
        "calle",
        "ulica",
        "ul",
        "avenida",
        "via",
        "piazza",
        "gasse",
        "chemin",
        "al",
        "os",
        "dambis",
        "ceļš",
    ];
    let lower = text.trim().to_lowercase();
    if lower.contains('@') || lower.chars().count() < 5 {
        return false;
    }
    let has_number = lower.chars().any(|c| c.is_ascii_digit());
    let mut words = lower.split([' ', ',', '.']).filter(|word| !word.is_empty());
    let named = words.any(|word| {
        WORDS.contains(&word) || word.ends_with("straße") || word.ends_with("strasse") || word.ends_with("str") && word.chars().count() > 5
    });
    named && (has_number || lower.split_whitespace().count() >= 2)
}

/// Whether it holds a word of a job title.
pub fn is_job_title(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "manager",
        "director",
        "engineer",
        "assistant",
        "officer",
        "ceo",
        "cto",
        "cfo",
        "coo",
        "analyst",
        "consultant",
        "accountant",
        "developer",
        "teacher",
        "nurse",
        "sales",
        "head",
        "president",
        "vp",
        "owner",
        "founder",
        "administrator",
        "specialist",
        "coordinator",
        "designer",
        "lawyer",
        "technician",
        "buyer",
        "secretary",
        "supervisor",
        "менеджер",
        "директор",
        "инженер",
        "бухгалтер",
        "руководитель",
        "специалист",
        "начальник",
        "заместитель",
        "юрист",
        "администратор",
        "продавец",
        "врач",
        "учитель",
        "водитель",
        "аналитик",
        "программист",
        "секретарь",
        "заведующий",
        "vadītājs",
        "vadītāja",
        "direktors",
        "direktore",
        "grāmatvedis",
        "grāmatvede",
        "inženieris",
        "speciālists",
        "speciāliste",
        "menedžeris",
        "pārdevējs",
        "jurists",
        "valdes",
        "geschäftsführer",
        "leiter",
        "leiterin",
        "ingenieur",
        "buchhalter",
        "gérant",
        "directeur",
        "comptable",
        "gerente",
        "kierownik",
        "dyrektor",
        "księgowa",
        "politician",
        "writer",
        "actor",
        "lawyer",
        "footballer",
        "painter",
        "architect",
        "historian",
        "physician",
        "cricketer",
        "poet",
        "musician",
        "composer",
        "clergyman",
        "executive",
        "clerk",
        "chief",
        "lead",
    ];
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Whether it carries a legal form of a company.
pub fn has_legal_form(text: &str) -> bool {
    const FORMS: &[&str] = &[
        "ооо",
        "оао",
        "зао",
        "пао",
        "ао",
        "ип",
        "чп",
        "тоо",
        "ltd",
        "limited",
        "llc",
        "inc",
        "corp",
        "corporation",
        "gmbh",
        "ag",
        "kg",
        "sia",
        "as",
        "ik",
        "zs",
        "uab",
        "oü",
        "ou",
        "ab",
        "oy",
        "plc",
        "llp",
        "co",
        "company",
        "group",
        "sa",
        "srl",
        "sarl",
        "sas",
        "bv",
        "nv",
        "sp",
        "ug",
        "ohg",
        "eg",
        "ev",
        "pte",
        "pty",
        "lp",
        "холдинг",
        "компания",
        "завод",
        "фирма",
        "товариство",
        "тов",
        "holding",
        "group",
        "solutions",
        "services",
        "bank",
        "банк",
        "university",
        "school",
        "нпо",
        "гк",
        "фгуп",
        "муп",
        "partners",
        "associates",
        "sons",
        "bros",
        "international",
        "industries",
        "trust",
        "church",
        "foundation",
        "hospital",
        "centre",
        "center",
        "spa",
    ];
    let lower = text.trim().to_lowercase();
    if lower.contains('@') {
        return false;
    }
    let quoted = lower.contains(['"', '«', '“', '„']);
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let at_ends = words.len() >= 2 && [words.first(), words.last()].into_iter().flatten().any(|word| FORMS.contains(word));
    at_ends || (quoted && words.len() >= 2) || lower.ends_with("s.a.") || lower.contains("sp. z o.o") || lower.contains(" & ")
}

/// Whether it is a decimal number, its value, and how many digits stand behind the point.
pub fn decimal(text: &str) -> Option<(f64, usize)> {
    let text = text.trim();
    let value: f64 = text.replacen(',', ".", 1).parse().ok()?;
    let digits = text.rsplit_once(['.', ',']).map_or(0, |(_, fraction)| fraction.len());
    value.is_finite().then_some((value, digits))
}

/// Whether it is an identifier made by a machine: a UUID, or letters and a serial number (`K-10001`, `r000017`).
pub fn is_machine_key(text: &str) -> bool {
    let text = text.trim();
    if text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
    {
        return true;
    }
    if (15..=18).contains(&text.len())
        && text.starts_with("00")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
    {
        return true;
    }
    let letters = text.bytes().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = text[letters..].trim_start_matches(['-', '_', '#', ':']);
    (1..=6).contains(&letters) && rest.len() >= 3 && rest.len() <= 14 && rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a text that is only letters (and `-'.`), as names are; `None` for anything else.
pub fn name_words(text: &str) -> Option<usize> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 60 {
        return None;
    }
    let name_like =
        text.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ',' | '`' | '\u{300}'..='\u{36f}'));
    (name_like && text.chars().any(char::is_alphabetic)).then(|| text.split_whitespace().count())
}
