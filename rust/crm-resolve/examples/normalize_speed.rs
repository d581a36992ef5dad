//! How many full contacts one core normalizes in a second, and what each kind costs.
//!
//!     cargo run --release -p crm-resolve --example normalize_speed
//!
//! A full contact is: full name with family key, given key and phonetic key; e-mail; phone; company; tax id; birth date; street, city, postcode and country. A third each is
//! English, Russian and Latvian. Nothing is cached between contacts: resolving, which looks up values it has seen, is faster still.
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

use crm_resolve::normalize::*;

struct Contact {
    name: &'static str,
    family: &'static str,
    given: &'static str,
    email: &'static str,
    phone: &'static str,
    company: &'static str,
    tax_id: &'static str,
    birth_date: &'static str,
    street: &'static str,
    city: &'static str,
    postcode: &'static str,
    country: &'static str,
}

const CONTACTS: [Contact; 6] = [
    Contact {
        name: "John A. Smith",
        family: "Smith",
        given: "John",
        email: "john.smith+crm@gmail.com",
        phone: "(212) 555-0142",
        company: "Acme Trading Inc.",
        tax_id: "12-3456780",
        birth_date: "03/24/1985",
        street: "123 N Main St Apt 4B",
        city: "New York",
        postcode: "10001",
        country: "USA",
    },
    Contact {
        name: "Elizabeth Taylor-Brown",
        family: "Taylor-Brown",
        given: "Elizabeth",
        email: "liz@brown.co.uk",
        phone: "+44 20 7946 0958",
        company: "Brown & Sons Ltd",
        tax_id: "GB980780684",
        birth_date: "1985-04-03",
        street: "10 Downing Street",
        city: "London",
        postcode: "SW1A 2AA",
        country: "United Kingdom",
    },
    Contact {
        name: "Иванова Анна Петровна",
        family: "Иванова",
        given: "Анна",
        email: "a.ivanova@yandex.ru",
        phone: "8 (912) 345-67-89",
        company: "ООО «Ромашка»",
        tax_id: "7707083893",
        birth_date: "03.04.1985",
        street: "ул. Ленина, д. 5, кв. 10",
        city: "г. Екатеринбург",
        postcode: "620014",
        country: "Россия",
    },
    Contact {
        name: "Petrov Sergey",
        family: "Petrov",
        given: "Sergey",
        email: "petrov@mail.ru",
        phone: "+79123456789",
        company: "АО Вектор",
        tax_id: "500100732259",
        birth_date: "31.12.1979",
        street: "пр-т Мира 15 корп 2",
        city: "Москва",
        postcode: "129090",
        country: "RU",
    },
    Contact {
        name: "Jānis Bērziņš",
        family: "Bērziņš",
        given: "Jānis",
        email: "janis.berzins@inbox.lv",
        phone: "29123456",
        company: "SIA \"Bērzs\"",
        tax_id: "LV40003009497",
        birth_date: "03.04.1985.",
        street: "Brīvības iela 12-45",
        city: "Rīga",
        postcode: "LV-1010",
        country: "Latvija",
    },
    Contact {
        name: "Kristīne Kalniņa",
        family: "Kalniņa",
        given: "Kristīne",
        email: "info@kalnini.lv",
        phone: "+371 67 223 344",
        company: "Kalniņi, AS",
        tax_id: "161175-19997",
        birth_date: "16.11.1975",
        street: "Miera iela 3 dz. 7",
        city: "Jūrmala",
        postcode: "LV2010",
        country: "LV",
    },
];

#[derive(Default)]
struct Buffers {
    name: PersonName,
    email: Email,
    company: CompanyName,
    street: Street,
    text: String,
    phonetic: String,
}

/// One step of normalizing a contact: its name and what it does.
type Step = (&'static str, fn(&Contact, &mut Buffers));

fn names(contact: &Contact, buffers: &mut Buffers) {
    let _ = black_box(parse_full_name(contact.name, &mut buffers.name));
    family_key_into(contact.family, &mut buffers.text);
    buffers.phonetic.clear();
    phonetic_key_into(&buffers.text, &mut buffers.phonetic);
    given_key_into(contact.given, &mut buffers.text);
    black_box(nickname_classes(&buffers.text));
}

const STEPS: [Step; 9] = [
    ("names", names),
    ("e-mail", |contact, buffers| {
        let _ = black_box(parse_email(contact.email, &mut buffers.email));
    }),
    ("phone", |contact, _| {
        let _ = black_box(parse_phone(black_box(contact.phone), Some(Region(*b"LV"))));
    }),
    ("company", |contact, buffers| {
        let _ = black_box(parse_company(contact.company, &mut buffers.company));
    }),
    ("tax id", |contact, _| {
        let _ = black_box(parse_tax_id(black_box(contact.tax_id)));
    }),
    ("date", |contact, _| {
        let _ = black_box(parse_date(black_box(contact.birth_date), &DateOptions::default()));
    }),
    ("street", |contact, buffers| {
        let _ = black_box(parse_street(contact.street, &mut buffers.street));
    }),
    ("city", |contact, buffers| city_key_into(black_box(contact.city), &mut buffers.text)),
    ("postcode, country", |contact, _| {
        let country = parse_country(contact.country).ok();
        let _ = black_box(parse_postcode(black_box(contact.postcode), country));
    }),
];

/// Seconds of processor time of this thread where Linux tells them, so that other work on the machine does not count; else of the clock.
fn cpu_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

fn main() {
    let mut buffers = Buffers::default();
    let rounds: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(50_000);
    // Once for the tables that are built at first use.
    let start = cpu_seconds();
    for contact in &CONTACTS {
        STEPS.iter().for_each(|(_, step)| step(contact, &mut buffers));
    }
    println!("tables built in {:.1} ms", (cpu_seconds() - start) * 1e3);
    for (name, step) in STEPS {
        let start = cpu_seconds();
        for _ in 0..rounds {
            CONTACTS.iter().for_each(|contact| step(contact, &mut buffers));
        }
        println!("{name:>20} {:7.0} ns", (cpu_seconds() - start) * 1e9 / (rounds * CONTACTS.len()) as f64);
    }
    for (name, phone, region) in
        [("phone US", "(212) 555-0142", b"US"), ("phone RU", "8 (912) 345-67-89", b"RU"), ("phone LV", "29123456", b"LV")]
    {
        let start = cpu_seconds();
        for _ in 0..rounds * 6 {
            let _ = black_box(parse_phone(black_box(phone), Some(Region(*region))));
        }
        println!("{name:>20} {:7.0} ns", (cpu_seconds() - start) * 1e9 / (rounds * 6) as f64);
    }
    let start = cpu_seconds();
    for _ in 0..rounds {
        for contact in &CONTACTS {
            STEPS.iter().for_each(|(_, step)| step(contact, &mut buffers));
        }
    }
    let per_second = (rounds * CONTACTS.len()) as f64 / (cpu_seconds() - start);
    println!("{:.0} full contacts per second and core", per_second);
}
