//! Words that name columns, in the languages of the exports we read: a hint that a row is a header. What a column means is decided elsewhere.

const WORDS: &[&str] = &[
    // English
    "id", "guid", "uuid", "name", "names", "first", "last", "middle", "surname", "forename", "given", "family", "full", "email", "e-mail", "mail",
    "phone", "mobile", "tel", "telephone", "fax", "cell", "address", "street", "city", "town", "state", "province", "region", "country", "zip",
    "postcode", "postal", "code", "date", "time", "created", "updated", "modified", "birthday", "birth", "dob", "gender", "sex", "age", "title",
    "company", "organization", "organisation", "employer", "department", "position", "job", "role", "website", "url", "link", "status", "type",
    "category", "group", "source", "channel", "owner", "manager", "note", "notes", "comment", "comments", "description", "tags", "price", "amount",
    "quantity", "qty", "total", "sum", "currency", "value", "number", "no", "count", "index", "key", "year", "month", "day", "lat", "latitude",
    "lon", "lng", "longitude", "product", "order", "customer", "client", "contact", "account", "user", "username", "language", "tax", "vat", "inn",
    "suburb", "label", "cluster", "rec_id", "version", "rank", "score", "size", "color", "colour", "weight", "height", "start", "end", "from", "to",
    "a", "b", "c", "x", "y",
    // Russian
    "имя", "фамилия", "отчество", "фио", "ф.и.о.", "почта", "эл", "электронная", "телефон", "тел", "тел.", "мобильный", "адрес", "улица",
    "город", "область", "регион", "страна", "индекс", "дата", "время", "создан", "изменен", "изменён", "рождения", "пол", "возраст", "компания",
    "организация", "наименование", "название", "должность", "отдел", "сайт", "статус", "тип", "категория", "группа", "источник", "канал",
    "ответственный", "менеджер", "примечание", "комментарий", "описание", "цена", "сумма", "количество", "кол-во", "итого", "валюта", "номер",
    "код", "год", "месяц", "день", "клиент", "контакт", "заказ", "товар", "инн", "кпп", "огрн", "язык", "№", "п/п",
    // Latvian, Lithuanian, Estonian
    "vārds", "uzvārds", "epasts", "e-pasts", "tālrunis", "telefons", "adrese", "iela", "pilsēta", "novads", "valsts", "indekss", "datums", "laiks",
    "dzimšanas", "dzimums", "uzņēmums", "nosaukums", "amats", "statuss", "tips", "kategorija", "piezīmes", "apraksts", "cena", "summa", "skaits",
    "numurs", "nr", "nr.", "kods", "gads", "mēnesis", "klients", "personas", "reģistrācijas", "vardas", "pavardė", "paštas", "telefonas", "adresas",
    "miestas", "šalis", "data", "įmonė", "pavadinimas", "kaina", "eesnimi", "perekonnanimi", "nimi", "aadress", "linn", "riik", "kuupäev", "ettevõte",
    // German, French, Spanish, Italian, Polish, Dutch, Portuguese
    "vorname", "nachname", "anrede", "firma", "straße", "strasse", "plz", "ort", "stadt", "land", "telefon", "geburtsdatum", "datum", "betrag", "preis",
    "menge", "nummer", "bezeichnung", "nom", "prénom", "prenom", "téléphone", "adresse", "ville", "pays", "société", "entreprise", "prix", "quantité",
    "nombre", "apellido", "apellidos", "correo", "teléfono", "dirección", "ciudad", "país", "empresa", "fecha", "precio", "cantidad", "nome", "cognome",
    "indirizzo", "città", "paese", "azienda", "prezzo", "imię", "nazwisko", "ulica", "miasto", "kraj", "cena", "ilość", "nazwa", "voornaam", "achternaam",
    "straat", "plaats", "bedrijf", "naam", "morada", "cidade", "telefone", "quantidade", "preço",
];

/// Whether the words of `cell` are such as name a column: short, and at least one of them known.
pub(super) fn is_header_word(cell: &str) -> bool {
    let cell = cell.trim();
    if cell.is_empty() || cell.len() > 80 || cell.contains('@') {
        return false;
    }
    let spaced = split_camel(cell);
    let mut words = spaced.split(|c: char| c.is_whitespace() || matches!(c, '_' | '/' | '(' | ')' | ':' | ',' | '#')).filter(|word| !word.is_empty());
    let n_words = words.clone().count();
    n_words <= 5 && words.any(|word| WORDS.contains(&word) || WORDS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// `firstName` as `first name`.
fn split_camel(cell: &str) -> String {
    let mut spaced = String::with_capacity(cell.len() + 8);
    let mut before_lower = false;
    for char in cell.chars() {
        if char.is_uppercase() && before_lower {
            spaced.push(' ');
        }
        before_lower = char.is_lowercase();
        spaced.extend(char.to_lowercase());
    }
    spaced
}
