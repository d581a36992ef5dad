//! What is known of mail providers.

/// How a provider reads the local part.
pub(super) struct Provider {
    /// The domain that stands for all of the provider's aliases.
    pub canonical: &'static str,
    /// The character that begins a tag that is ignored.
    pub tag: Option<char>,
    pub ignores_dots: bool,
    pub dot_is_hyphen: bool,
}

const fn plus(canonical: &'static str) -> Provider {
    Provider { canonical, tag: Some('+'), ignores_dots: false, dot_is_hyphen: false }
}

static GMAIL: Provider = Provider { canonical: "gmail.com", tag: Some('+'), ignores_dots: true, dot_is_hyphen: false };
static YANDEX: Provider = Provider { canonical: "yandex.ru", tag: Some('+'), ignores_dots: false, dot_is_hyphen: true };
static OUTLOOK: Provider = plus("outlook.com");
static HOTMAIL: Provider = plus("hotmail.com");
static LIVE: Provider = plus("live.com");
static MSN: Provider = plus("msn.com");
static PROTON: Provider = Provider { canonical: "proton.me", tag: Some('+'), ignores_dots: true, dot_is_hyphen: false };
static ICLOUD: Provider = plus("icloud.com");
static FASTMAIL: Provider = plus("fastmail.com");
static ZOHO: Provider = plus("zoho.com");
static MAILRU: Provider = plus("mail.ru");
static BK: Provider = plus("bk.ru");
static LIST: Provider = plus("list.ru");
static INBOX_RU: Provider = plus("inbox.ru");
static INTERNET_RU: Provider = plus("internet.ru");
static RAMBLER: Provider = plus("rambler.ru");
static TUTANOTA: Provider = plus("tutanota.com");
static GMX: Provider = plus("gmx.com");
static INBOX_LV: Provider = plus("inbox.lv");
static YAHOO: Provider = Provider { canonical: "yahoo.com", tag: Some('-'), ignores_dots: false, dot_is_hyphen: false };

/// The provider behind a domain, if it is one whose habits are known.
pub(super) fn provider(domain: &str) -> Option<&'static Provider> {
    // Every provider here is free: a company's domain is told apart by one look-up.
    if !is_free_mail_domain(domain) {
        return None;
    }
    Some(match domain {
        "gmail.com" | "googlemail.com" | "google.com.gmail.com" => &GMAIL,
        "yandex.ru"
        | "ya.ru"
        | "yandex.com"
        | "yandex.by"
        | "yandex.kz"
        | "yandex.ua"
        | "yandex.lv"
        | "yandex.lt"
        | "yandex.ee"
        | "yandex.net"
        | "xn--d1acpjx3f.xn--p1ai"
        | "narod.ru"
        | "yandex.com.tr" => &YANDEX,
        "outlook.com" => &OUTLOOK,
        "hotmail.com" => &HOTMAIL,
        "live.com" => &LIVE,
        "msn.com" => &MSN,
        "proton.me" | "protonmail.com" | "pm.me" | "protonmail.ch" => &PROTON,
        "icloud.com" | "me.com" | "mac.com" => &ICLOUD,
        "fastmail.com" | "fastmail.fm" => &FASTMAIL,
        "zoho.com" | "zohomail.com" => &ZOHO,
        "mail.ru" => &MAILRU,
        "bk.ru" => &BK,
        "list.ru" => &LIST,
        "inbox.ru" => &INBOX_RU,
        "internet.ru" => &INTERNET_RU,
        "rambler.ru" => &RAMBLER,
        "tutanota.com" | "tuta.io" | "tutanota.de" => &TUTANOTA,
        "gmx.com" => &GMX,
        "inbox.lv" => &INBOX_LV,
        "yahoo.com" => &YAHOO,
        _ => return None,
    })
}

/// Domains that anyone may have a mailbox at.
const FREE: &[&str] = &[
    "google.com.gmail.com",
    "tutanota.de",
    "xn--d1acpjx3f.xn--p1ai",
    "yandex.com.tr",
    "yandex.ee",
    "yandex.lt",
    "yandex.net",
    "zohomail.com",
    "126.com",
    "163.com",
    "abv.bg",
    "aol.com",
    "apollo.lv",
    "att.net",
    "bellsouth.net",
    "bigpond.com",
    "bigpond.net.au",
    "bk.ru",
    "bluewin.ch",
    "btinternet.com",
    "centrum.cz",
    "charter.net",
    "comcast.net",
    "cox.net",
    "delfi.lv",
    "earthlink.net",
    "e1.ru",
    "email.com",
    "email.cz",
    "email.it",
    "email.ua",
    "fastmail.com",
    "fastmail.fm",
    "foxmail.com",
    "free.fr",
    "freemail.hu",
    "freenet.de",
    "frontier.com",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hanmail.net",
    "home.se",
    "hot.ee",
    "hotmail.ca",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "hotmail.se",
    "hushmail.com",
    "i.ua",
    "icloud.com",
    "inbox.com",
    "inbox.lt",
    "inbox.lv",
    "inbox.ru",
    "index.hu",
    "interia.pl",
    "internet.ru",
    "juno.com",
    "kolumbus.fi",
    "laposte.net",
    "libero.it",
    "list.ru",
    "live.co.uk",
    "live.com",
    "live.fr",
    "live.nl",
    "live.se",
    "lycos.com",
    "mac.com",
    "mail.bg",
    "mail.com",
    "mail.ee",
    "mail.kz",
    "mail.lv",
    "mail.ru",
    "mail.ua",
    "me.com",
    "meta.ua",
    "mindspring.com",
    "msn.com",
    "my.com",
    "narod.ru",
    "naver.com",
    "netzero.net",
    "ngs.ru",
    "ntlworld.com",
    "nycap.rr.com",
    "o2.pl",
    "o2.co.uk",
    "one.lt",
    "one.lv",
    "online.ee",
    "online.no",
    "op.pl",
    "optonline.net",
    "optusnet.com.au",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.es",
    "outlook.fr",
    "pm.me",
    "pochta.ru",
    "poczta.onet.pl",
    "post.cz",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qip.ru",
    "qq.com",
    "rambler.ru",
    "rediffmail.com",
    "ro.ru",
    "roadrunner.com",
    "rocketmail.com",
    "rogers.com",
    "sbcglobal.net",
    "seznam.cz",
    "sfr.fr",
    "shaw.ca",
    "sina.com",
    "sky.com",
    "sohu.com",
    "suomi24.fi",
    "sympatico.ca",
    "t-online.de",
    "talktalk.net",
    "telenet.be",
    "telia.com",
    "telus.net",
    "terra.com.br",
    "tiscali.it",
    "tut.by",
    "tuta.io",
    "tutanota.com",
    "tvnet.lv",
    "ukr.net",
    "uol.com.br",
    "verizon.net",
    "virgilio.it",
    "virginmedia.com",
    "volny.cz",
    "wanadoo.fr",
    "web.de",
    "windowslive.com",
    "wp.pl",
    "xs4all.nl",
    "ya.ru",
    "yahoo.ca",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.com.au",
    "yahoo.com.br",
    "yahoo.de",
    "yahoo.es",
    "yahoo.fr",
    "yahoo.in",
    "yahoo.it",
    "yandex.by",
    "yandex.com",
    "yandex.kz",
    "yandex.lv",
    "yandex.ru",
    "yandex.ua",
    "ymail.com",
    "ziggo.nl",
    "zoho.com",
];

/// Whether a domain (lower case) offers mailboxes to anyone, so that it says nothing of an employer.
pub fn is_free_mail_domain(domain: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<&'static str, foldhash::fast::FixedState>> = OnceLock::new();
    SET.get_or_init(|| FREE.iter().copied().collect()).contains(domain)
}

/// The well-known domains that typos are mended towards.
const MEANT: &[&str] = &[
    "gmail.com",
    "hotmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "mail.ru",
    "yandex.ru",
    "rambler.ru",
    "inbox.lv",
    "comcast.net",
    "verizon.net",
    "protonmail.com",
    "googlemail.com",
    "hotmail.co.uk",
    "yahoo.co.uk",
    "sbcglobal.net",
    "bellsouth.net",
    "apollo.lv",
    "web.de",
    "t-online.de",
    "live.com",
    "aol.com",
];

/// Real domains one edit away from a well-known one.
const REAL: &[&str] = &[
    "mail.com",
    "email.com",
    "gmx.com",
    "ymail.com",
    "mail.ua",
    "mail.lv",
    "mail.ee",
    "mail.bg",
    "hotmail.ru",
    "inbox.ru",
    "inbox.lt",
    "inbox.com",
    "web.com",
    "gmail.ru",
    "yahoo.ca",
    "yahoo.de",
    "yahoo.fr",
    "live.ca",
    "live.fr",
    "live.nl",
    "live.se",
    "live.ru",
    "aol.de",
    "wol.com",
    "yandex.ua",
    "yandex.by",
    "me.ru",
    "list.ru",
    "e-mail.ru",
    "gmail.co",
    "mail.kz",
    "cmail.com",
    "zmail.ru",
    "mail.de",
    "live.co",
    "love.com",
    "five.com",
    "line.com",
    "gmail.de",
    "rambler.ua",
    "outlook.de",
    "outlook.fr",
    "icloud.co",
    "aon.com",
    "aol.fr",
    "web.fr",
    "all.com",
    "mail.by",
    "mail.rs",
];

/// The well-known domain that `domain` is a typo of: one edit (two for longer names), or a wrong or missing ending.
pub(super) fn suggested_domain(domain: &str) -> Option<&'static str> {
    if domain.len() > 24 || REAL.contains(&domain) {
        return None;
    }
    // Frequent ones first: gmail.con, gmail.cm, gmai.com.
    let mut best: Option<(usize, &'static str)> = None;
    for &meant in MEANT {
        let limit = if meant.len() >= 9 { 2 } else { 1 };
        // The first letter is hardly ever the wrong one, unless the first two are swapped.
        let (bytes, meant_bytes) = (domain.as_bytes(), meant.as_bytes());
        let first_fits = bytes.first() == meant_bytes.first() || bytes.first() == meant_bytes.get(1);
        if !first_fits || bytes.len().abs_diff(meant_bytes.len()) > limit {
            continue;
        }
        let (host, meant_host) = (domain.split('.').next()?, meant.split('.').next()?);
        // Short hosts must share their first letter: too many real domains are near `aol` or `web`.
        if meant_host.len() <= 5 && host.as_bytes().first() != meant_host.as_bytes().first() {
            continue;
        }
        if meant_host.len() <= 4 && host != meant_host {
            continue;
        }
        let edits = edits_within(domain.as_bytes(), meant.as_bytes(), limit);
        if let Some(edits) = edits
            && best.is_none_or(|(least, _)| edits < least)
        {
            best = Some((edits, meant));
        }
    }
    best.map(|(_, meant)| meant)
}

/// Edits with transposition (optimal string alignment), if at most `limit`.
fn edits_within(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    let (mut two_back, mut back, mut row) = ([0usize; 32], [0usize; 32], [0usize; 32]);
    if b.len() > 30 || a.len() > 30 {
        return None;
    }
    for (j, cell) in back.iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        row[0] = i;
        let mut least = i;
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (back[j] + 1).min(row[j - 1] + 1).min(back[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(two_back[j - 2] + 1);
            }
            least = least.min(row[j]);
        }
        if least > limit {
            return None;
        }
        two_back = back;
        back = row;
    }
    (1..=limit).contains(&back[b.len()]).then_some(back[b.len()])
}

/// Mailboxes of a function.
const ROLES: &[&str] = &[
    "abuse",
    "academy",
    "accountant",
    "accounting",
    "accounts",
    "admin",
    "administrator",
    "admission",
    "admissions",
    "advertising",
    "agent",
    "apply",
    "ar",
    "ap",
    "bestellung",
    "billing",
    "biuro",
    "blog",
    "board",
    "booking",
    "bookings",
    "bookkeeping",
    "buero",
    "buh",
    "buhgalter",
    "buhgalteria",
    "business",
    "callcenter",
    "career",
    "careers",
    "catering",
    "client",
    "clients",
    "club",
    "commercial",
    "company",
    "compliance",
    "contact",
    "contacto",
    "contactus",
    "contato",
    "contracts",
    "customer",
    "customercare",
    "customers",
    "customerservice",
    "customersupport",
    "data",
    "delivery",
    "desk",
    "digital",
    "direct",
    "director",
    "dispatch",
    "do-not-reply",
    "donotreply",
    "dpo",
    "editor",
    "editorial",
    "edu",
    "email",
    "enquiries",
    "enquiry",
    "events",
    "export",
    "facturacion",
    "factory",
    "feedback",
    "finance",
    "firma",
    "front",
    "frontdesk",
    "ftp",
    "general",
    "gmani",
    "gramatvediba",
    "grupa",
    "hallo",
    "hello",
    "help",
    "helpdesk",
    "hey",
    "hostmaster",
    "hotel",
    "hr",
    "import",
    "info",
    "informacion",
    "information",
    "inquiries",
    "inquiry",
    "international",
    "investor",
    "invoice",
    "invoices",
    "invoicing",
    "it",
    "itsupport",
    "jobs",
    "kadri",
    "kadry",
    "kancelaria",
    "kantoor",
    "kanceleja",
    "klient",
    "kontakt",
    "kontakti",
    "kontakts",
    "kundenservice",
    "lager",
    "legal",
    "library",
    "logistics",
    "logistika",
    "mail",
    "mailbox",
    "mailer-daemon",
    "manager",
    "market",
    "marketing",
    "media",
    "member",
    "members",
    "membership",
    "news",
    "newsletter",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "no_reply",
    "ofis",
    "ofiss",
    "office",
    "online",
    "opt",
    "order",
    "orders",
    "otdel",
    "partner",
    "partners",
    "pasts",
    "pasutijumi",
    "payment",
    "payments",
    "payroll",
    "personal",
    "pochta",
    "post",
    "postmaster",
    "pr",
    "press",
    "prensa",
    "privacy",
    "procurement",
    "production",
    "projects",
    "project",
    "prodazhi",
    "purchase",
    "purchasing",
    "quality",
    "receipts",
    "reception",
    "recepcion",
    "recruiting",
    "recruitment",
    "rechnung",
    "registrar",
    "reklama",
    "remove",
    "rent",
    "request",
    "reservation",
    "reservations",
    "reservas",
    "return",
    "returns",
    "root",
    "sale",
    "sales",
    "salesinfo",
    "school",
    "secretary",
    "security",
    "sekretar",
    "sekretariat",
    "sekretare",
    "service",
    "services",
    "servis",
    "shop",
    "shipping",
    "site",
    "sklad",
    "snab",
    "spam",
    "staff",
    "store",
    "studio",
    "subscribe",
    "supply",
    "support",
    "team",
    "tech",
    "technical",
    "techsupport",
    "tender",
    "tenders",
    "test",
    "tickets",
    "tirdznieciba",
    "trade",
    "training",
    "travel",
    "uzklausas",
    "unsubscribe",
    "usenet",
    "uucp",
    "vendor",
    "vendors",
    "ventas",
    "verkauf",
    "verkoop",
    "veikals",
    "volunteer",
    "warehouse",
    "web",
    "webmaster",
    "webshop",
    "welcome",
    "www",
    "zakaz",
    "zakupki",
    "инфо",
    "почта",
    "заказ",
    "офис",
    "продажи",
];

/// Whether a local part (lower case) names a function: the word itself, with digits after it (info2), or with a place after a dot or hyphen (info-riga).
pub(super) fn is_role_account(local: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<&'static str, foldhash::fast::FixedState>> = OnceLock::new();
    let set = SET.get_or_init(|| ROLES.iter().copied().collect());
    if set.contains(local) {
        return true;
    }
    let base = local.split('+').next().unwrap_or(local).trim_end_matches(|c: char| c.is_ascii_digit());
    if set.contains(base) {
        return true;
    }
    match base.split_once(['.', '-', '_']) {
        Some((first, _)) => matches!(
            first,
            "info"
                | "sales"
                | "support"
                | "office"
                | "noreply"
                | "contact"
                | "service"
                | "sale"
                | "hr"
                | "marketing"
                | "zakaz"
                | "shop"
                | "reception"
                | "birojs"
        ),
        None => base == "birojs",
    }
}

/// Domains kept for examples and tests.
pub(super) fn is_example_domain(domain: &str) -> bool {
    matches!(
        domain,
        "example.com"
            | "example.org"
            | "example.net"
            | "test.com"
            | "test.ru"
            | "test.lv"
            | "none.com"
            | "no.com"
            | "noemail.com"
            | "nomail.com"
            | "email.invalid"
            | "domain.com"
            | "abc.com.invalid"
            | "unknown.com"
            | "xxx.xx"
            | "mail.mail"
            | "none.none"
            | "test.test"
    ) || domain.ends_with(".example")
        || domain.ends_with(".invalid")
        || domain.ends_with(".test")
        || domain.ends_with(".localhost")
}
