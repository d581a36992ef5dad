//! Words of addresses, in folded form.
use std::sync::OnceLock;

use hashbrown::HashMap;

/// What a word announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A type of street; the name is beside it.
    Street,
    House,
    Building,
    Flat,
    PoBox,
    /// A town, district or region: the words up to the comma are its name.
    Place,
    /// A postcode follows.
    Postcode,
    /// Says nothing: floor, entrance.
    Ignored,
    /// Behind an address: what follows only says what is near it.
    Near,
}

/// Words by what they announce.
const MARKS: [(Mark, &str); 9] = [
    (
        Mark::Street,
        "улица ул проспект пр просп пркт прт переулок пер бульвар бул бр бвр шоссе ш набережная наб площадь пл \
         проезд прд тупик туп аллея ал линия тракт микрорайон мкр мкрн квартал квл просек вулиця вул провулок бульв \
         спуск въезд дорога дор ulica ulitsa ul pr prospekt prosp prospekts prospect pereulok per shosse nab \
         naberezhnaya bulvar ploshchad iela ielas bulvaris bulv gatve gatves aleja laukums krastmala skersiela \
         skersela cels dambis linija street str st avenue ave av aven road rd lane ln drive dr drv court ct crt \
         boulevard blvd boul place plc square sq terrace ter terr circuit cct crescent cres cr close cl parkway \
         pkwy pkway highway hwy way wy circle cir trail trl tr alley aly loop plaza row mews grove gr gdns gardens \
         turnpike tpke expressway expy freeway fwy esplanade esp parade pde quay wharf pike pass xing crossing cove \
         cv strasse weg platz allee gasse ufer damm ring chaussee rue quai impasse chemin route calle avenida avda \
         paseo carrer carretera via viale piazza corso rua travessa praca straat laan plein gatan vagen katu tie \
         tanav maantee puiestee aleje osiedle os utca ut namesti trida strada bulevardul sokak sok caddesi cad \
         mahallesi mah",
    ),
    (
        Mark::House,
        "дом д домовл владение вл house hse maja eka nr no number num № будинок буд nro hausnummer домовладение \
         двлд nomer dom участок уч lot",
    ),
    (
        Mark::Building,
        "корпус корп к кор строение стр литера лит литер building bldg bld block blk блок korpuss korp k tower twr \
         bloc секция соор korpus stroenie wing",
    ),
    (
        Mark::Flat,
        "квартира кв офис оф помещение пом комната комн ком каб кабинет apt apartment appt ap flat flt fl_at unit \
         suite ste room rm office ofc dzivoklis dz dziv biroja birojs ofiss telpa кварт kv kvartira wohnung whg top \
         piso puerta interno int lokal lok m butas korter lgh as spc space slip trlr trailer ph penthouse",
    ),
    (Mark::PoBox, "box pobox ая pk postbox postfach apartado skrytka abonementa"),
    (
        Mark::Place,
        "город г гор поселок пос п пгт село с деревня дер станица стца хутор х аул область обл район рн край \
         республика респ тер снт днп city pilseta pils novads nov pagasts pag ciems rajons raj oblast rayon raion \
         gorod village township county рп",
    ),
    (Mark::Postcode, "индекс zip postcode plz pasta indekss zipcode"),
    (Mark::Ignored, "этаж эт floor fl stavs подъезд под entrance level lvl домофон po p o post rear front kapnutelpa stage"),
    (
        Mark::Near,
        "at between betw bet near off opposite opp behind corner cnr между возле около рядом напротив угол пересечение \
         pie starp pretim blakus ecke nahe zwischen gegenuber",
    ),
];

/// The mark that a folded word is, if it is one.
pub(super) fn mark(folded: &str) -> Option<Mark> {
    static BY_WORD: OnceLock<HashMap<&'static str, Mark, foldhash::fast::FixedState>> = OnceLock::new();
    let by_word =
        BY_WORD.get_or_init(|| MARKS.iter().flat_map(|&(mark, words)| words.split_whitespace().map(move |word| (word, mark))).collect());
    by_word.get(folded).copied()
}

/// Endings of one-word street names that hold their type (German, Dutch, Nordic): `Hauptstraße`, `Storgatan`.
pub(super) const JOINED_TYPES: [&str; 12] =
    ["strase", "strasse", "str", "straat", "gatan", "gata", "vagen", "veien", "katu", "gase", "laan", "plac"];

/// Compass words as letters.
pub(super) fn direction(folded: &str) -> Option<&'static str> {
    Some(match folded {
        "n" | "north" => "n",
        "s" | "south" => "s",
        "e" | "east" => "e",
        "w" | "west" => "w",
        "ne" | "northeast" => "ne",
        "nw" | "northwest" => "nw",
        "se" | "southeast" => "se",
        "sw" | "southwest" => "sw",
        _ => return None,
    })
}

/// Ordinals as numbers, so that `First Avenue` meets `1st Ave`.
pub(super) fn ordinal(folded: &str) -> Option<&'static str> {
    Some(match folded {
        "first" | "1st" | "первая" | "первый" | "pirma" => "1",
        "second" | "2nd" | "вторая" | "второй" | "otra" => "2",
        "third" | "3rd" | "третья" | "третий" | "tresa" => "3",
        "fourth" | "4th" | "четвертая" | "четвертый" => "4",
        "fifth" | "5th" | "пятая" | "пятый" => "5",
        "sixth" | "6th" => "6",
        "seventh" | "7th" => "7",
        "eighth" | "8th" => "8",
        "ninth" | "9th" => "9",
        "tenth" | "10th" => "10",
        _ => return None,
    })
}
