//! Legal forms before and after a name, in folded words.

/// What a legal form says, across countries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum LegalForm {
    /// Limited liability: ООО, SIA, GmbH, Ltd, LLC, BV, SRL, Oy, OÜ, UAB.
    Limited,
    /// Joint stock: ОАО, ЗАО, ПАО, АО, AS, AG, SA, PLC, Corp, Inc, AB, NV.
    Stock,
    /// Partnership: KG, OHG, LP, LLP, KS, ПТ.
    Partnership,
    /// Sole trader: ИП, IK, e.K.
    SoleTrader,
    /// Co-operative: кооператив, e.G.
    Cooperative,
    /// Association, foundation, union: фонд, biedrība, e.V.
    NonProfit,
    /// State and municipal: ГУП, МУП, ГБУ, VSIA.
    State,
    /// A branch or representation.
    Branch,
}

impl LegalForm {
    /// A short name for outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            LegalForm::Limited => "limited",
            LegalForm::Stock => "stock",
            LegalForm::Partnership => "partnership",
            LegalForm::SoleTrader => "sole_trader",
            LegalForm::Cooperative => "cooperative",
            LegalForm::NonProfit => "non_profit",
            LegalForm::State => "state",
            LegalForm::Branch => "branch",
        }
    }

    /// Of two forms in one name the one that says more: `GmbH & Co KG` is a partnership.
    pub(super) fn stronger(self, other: Self) -> Self {
        self.max(other)
    }
}

use LegalForm::{Branch, Cooperative, Limited, NonProfit, Partnership, SoleTrader, State, Stock};

/// Folded forms; those of several words first by length at lookup. Written here without dots: `s r l`.
#[rustfmt::skip]
const FORMS: &[(&str, LegalForm)] = &[
    // Russian and neighbours
    ("ооо", Limited), ("о о о", Limited), ("общество с ограниченной ответственностью", Limited), ("тоо", Limited), ("товарищество с ограниченной ответственностью", Limited),
    ("одо", Limited), ("тов", Limited), ("осоо", Limited), ("нао", Stock), ("ао", Stock), ("а о", Stock), ("оао", Stock), ("зао", Stock), ("пао", Stock), ("акционерное общество", Stock),
    ("публичное акционерное общество", Stock), ("открытое акционерное общество", Stock), ("закрытое акционерное общество", Stock), ("ат", Stock), ("прат", Stock), ("пат", Stock), ("чао", Stock),
    ("ип", SoleTrader), ("и п", SoleTrader), ("индивидуальный предприниматель", SoleTrader), ("чп", SoleTrader), ("фоп", SoleTrader), ("пбоюл", SoleTrader), ("кфх", SoleTrader), ("глава кфх", SoleTrader),
    ("чуп", Limited), ("уп", Limited), ("частное предприятие", Limited), ("кооператив", Cooperative), ("пк", Cooperative), ("спк", Cooperative), ("жск", Cooperative), ("тсж", Cooperative), ("снт", Cooperative), ("гск", Cooperative),
    ("фонд", NonProfit), ("ано", NonProfit), ("нко", NonProfit), ("нп", NonProfit), ("некоммерческое партнерство", NonProfit), ("общественная организация", NonProfit), ("нпо", NonProfit),
    ("гуп", State), ("муп", State), ("фгуп", State), ("гбу", State), ("мбу", State), ("фгбу", State), ("гку", State), ("мку", State), ("мбоу", State), ("гбоу", State), ("мбдоу", State), ("мкоу", State), ("маоу", State), ("гауз", State), ("гбуз", State), ("фгбоу во", State), ("фгбоу", State), ("фку", State),
    ("филиал", Branch), ("представительство", Branch), ("ooo", Limited), ("oao", Stock), ("zao", Stock), ("pao", Stock), ("ip", SoleTrader), ("too", Limited),
    // Latvian, Lithuanian, Estonian
    ("sia", Limited), ("s i a", Limited), ("sabiedriba ar ierobezotu atbildibu", Limited), ("akciju sabiedriba", Stock), ("a s", Stock), ("as", Stock), ("ik", SoleTrader), ("individualais komersants", SoleTrader),
    ("individualais uznemums", SoleTrader), ("iu", SoleTrader), ("zemnieku saimnieciba", SoleTrader), ("zs", SoleTrader), ("z s", SoleTrader), ("ks", Partnership), ("komanditsabiedriba", Partnership), ("ps", Partnership), ("pilnsabiedriba", Partnership),
    ("vsia", State), ("valsts sia", State), ("vas", State), ("psia", State), ("biedriba", NonProfit), ("nodibinajums", NonProfit), ("dzivoklu ipasnieku kooperativa sabiedriba", Cooperative), ("kooperativa sabiedriba", Cooperative), ("dzib", Cooperative), ("filiale", Branch),
    ("uab", Limited), ("mb", Limited), ("ab", Stock), ("vsi", NonProfit), ("ou", Limited), ("osauhing", Limited), ("aktsiaselts", Stock), ("mtu", NonProfit), ("fie", SoleTrader), ("tu", Partnership), ("uu", Partnership), ("sp z o o", Limited), ("spolka z o o", Limited), ("spzoo", Limited), ("spolka z ograniczona odpowiedzialnoscia", Limited), ("spolka akcyjna", Stock), ("sp j", Partnership), ("sp k", Partnership), ("sp p", Partnership), ("spolka jawna", Partnership), ("spolka komandytowa", Partnership),
    // English
    ("ltd", Limited), ("limited", Limited), ("ltd co", Limited), ("co ltd", Limited), ("company limited", Limited), ("private limited", Limited), ("pvt ltd", Limited), ("pte ltd", Limited), ("pty ltd", Limited), ("pty limited", Limited), ("pvt", Limited), ("pty", Limited), ("pte", Limited),
    ("llc", Limited), ("l l c", Limited), ("lc", Limited), ("pllc", Limited), ("limited liability company", Limited), ("limited liability co", Limited), ("cic", NonProfit), ("ulc", Limited), ("bhd", Stock), ("sdn bhd", Limited),
    ("inc", Stock), ("incorporated", Stock), ("corp", Stock), ("corporation", Stock), ("plc", Stock), ("p l c", Stock), ("public limited company", Stock), ("jsc", Stock), ("ojsc", Stock), ("cjsc", Stock), ("pjsc", Stock), ("joint stock company", Stock), ("pc", Stock), ("p c", Stock), ("p a", Stock), ("co inc", Stock), ("company inc", Stock),
    ("lp", Partnership), ("llp", Partnership), ("lllp", Partnership), ("gp", Partnership), ("limited partnership", Partnership), ("co", Limited), ("company", Limited), ("and co", Limited), ("and company", Limited), ("cooperative", Cooperative), ("coop", Cooperative), ("foundation", NonProfit), ("na", Stock), ("n a", Stock),
    // German, Austrian, Swiss
    ("gmbh", Limited), ("g m b h", Limited), ("mbh", Limited), ("m b h", Limited), ("ges m b h", Limited), ("gesmbh", Limited), ("ggmbh", NonProfit), ("ug haftungsbeschrankt", Limited), ("ug", Limited), ("gesellschaft mit beschrankter haftung", Limited), ("haftungsbeschrankt", Limited),
    ("ag", Stock), ("aktiengesellschaft", Stock), ("se", Stock), ("kgaa", Stock), ("kg", Partnership), ("ohg", Partnership), ("gbr", Partnership), ("co kg", Partnership), ("gmbh co kg", Partnership), ("gmbh und co kg", Partnership), ("ag co kg", Partnership), ("co ohg", Partnership), ("partg", Partnership), ("partg mbb", Partnership),
    ("e k", SoleTrader), ("ek", SoleTrader), ("e kfm", SoleTrader), ("eg", Cooperative), ("e g", Cooperative), ("ev", NonProfit), ("e v", NonProfit), ("e u", SoleTrader), ("stiftung", NonProfit), ("verein", NonProfit), ("sarl", Limited), ("s a r l", Limited),
    // French, Italian, Spanish, Portuguese, Romanian
    ("sas", Stock), ("s a s", Stock), ("sasu", Stock), ("eurl", Limited), ("snc", Partnership), ("s n c", Partnership), ("sci", Partnership), ("sa", Stock), ("s a", Stock), ("societe anonyme", Stock), ("scop", Cooperative), ("selarl", Limited), ("gie", NonProfit), ("ei", SoleTrader),
    ("srl", Limited), ("s r l", Limited), ("srls", Limited), ("s r l s", Limited), ("spa", Stock), ("s p a", Stock), ("societa per azioni", Stock), ("societa a responsabilita limitata", Limited), ("scarl", Cooperative), ("s c a r l", Cooperative), ("scrl", Cooperative), ("ss", Partnership),
    ("sl", Limited), ("s l", Limited), ("slu", Limited), ("s l u", Limited), ("sociedad limitada", Limited), ("sociedad anonima", Stock), ("sau", Stock), ("s a u", Stock), ("s coop", Cooperative), ("cb", Partnership), ("slp", Limited), ("s a de c v", Stock), ("sa de cv", Stock), ("s de r l de c v", Limited), ("s de rl de cv", Limited), ("s a p i de c v", Stock),
    ("lda", Limited), ("limitada", Limited), ("ltda", Limited), ("unipessoal lda", Limited), ("eireli", Limited), ("s a s bic", Stock), ("me", SoleTrader), ("epp", Limited), ("pfa", SoleTrader),
    // Benelux, Nordic
    ("bv", Limited), ("b v", Limited), ("nv", Stock), ("n v", Stock), ("bvba", Limited), ("sprl", Limited), ("vof", Partnership), ("v o f", Partnership), ("cv", Partnership), ("cvba", Cooperative), ("asbl", NonProfit), ("vzw", NonProfit), ("besloten vennootschap", Limited), ("stichting", NonProfit), ("srl bv", Limited),
    ("oy", Limited), ("oyj", Stock), ("oy ab", Limited), ("ky", Partnership), ("ry", NonProfit), ("tmi", SoleTrader), ("osakeyhtio", Limited), ("aktiebolag", Stock), ("aktiebolaget", Stock), ("handelsbolag", Partnership), ("hb", Partnership), ("kb", Partnership), ("a s", Stock), ("aps", Limited), ("i s", Partnership), ("k s", Partnership), ("asa", Stock), ("ans", Partnership), ("da", Partnership), ("enk", SoleTrader), ("nuf", Branch), ("ehf", Limited), ("hf", Stock), ("ivs", Limited), ("aksjeselskap", Stock), ("anpartsselskab", Limited), ("filial", Branch),
    // Czech, Slovak, Hungarian, Balkan, Greek, Turkish, other
    ("sro", Limited), ("s r o", Limited), ("spol s r o", Limited), ("spol s ro", Limited), ("v o s", Partnership), ("vos", Partnership), ("o p s", NonProfit), ("z s", NonProfit), ("kft", Limited), ("zrt", Stock), ("nyrt", Stock), ("rt", Stock), ("bt", Partnership), ("ev", NonProfit),
    ("doo", Limited), ("d o o", Limited), ("dd", Stock), ("d d", Stock), ("ad", Stock), ("a d", Stock), ("eood", Limited), ("ood", Limited), ("ead", Stock), ("еоод", Limited), ("оод", Limited), ("еад", Stock), ("ад", Stock), ("ет", SoleTrader), ("et", SoleTrader), ("доо", Limited), ("дооел", Limited), ("дпту", Limited), ("jdoo", Limited), ("j d o o", Limited), ("obrt", SoleTrader), ("sp", SoleTrader), ("s p", SoleTrader),
    ("ae", Stock), ("a e", Stock), ("epe", Limited), ("ike", Limited), ("oe", Partnership), ("ee", Partnership), ("αε", Stock), ("α ε", Stock), ("επε", Limited), ("ικε", Limited), ("οε", Partnership), ("εε", Partnership), ("as", Stock), ("ltd sti", Limited), ("limited sirketi", Limited), ("anonim sirketi", Stock), ("san ve tic ltd sti", Limited), ("san ve tic a s", Stock), ("llc fz", Limited), ("fz llc", Limited), ("fze", Limited), ("fzco", Limited), ("fzc", Limited), ("wll", Limited), ("w l l", Limited), ("saog", Stock), ("pt", Stock), ("tbk", Stock), ("kk", Stock), ("k k", Stock), ("gk", Limited), ("cv", Partnership), ("shpk", Limited), ("sh p k", Limited), ("mchj", Limited), ("qk", Limited), ("mmc", Limited), ("asc", Stock), ("spe", State), ("state enterprise", State),
];

/// Forms that also are words or short names; they count only after a name (`Alfa Co`), never before it.
const ONLY_AFTER: &[&str] = &[
    "company",
    "co",
    "limited",
    "me",
    "pc",
    "na",
    "n a",
    "sp",
    "s p",
    "da",
    "et",
    "ei",
    "ek",
    "se",
    "ss",
    "pa",
    "p a",
    "dd",
    "ad",
    "ky",
    "ry",
    "hb",
    "kb",
    "ug",
    "eg",
    "ev",
    "cv",
    "cb",
    "ae",
    "ee",
    "oe",
    "fie",
    "tu",
    "uu",
    "rt",
    "bt",
    "asc",
    "inc",
    "corp",
    "foundation",
    "cooperative",
    "coop",
    "verein",
    "lp",
    "gp",
    "lc",
    "hf",
    "is",
    "i s",
    "ans",
    "bhd",
    "sau",
    "spe",
    "spa",
    "vos",
    "oy",
    "sci",
    "and co",
    "and company",
    "ood",
    "filial",
    "iu",
    "mb",
    "ab",
    "sa",
    "sl",
    "ag",
    "kg",
    "as",
    "ps",
    "ip",
];
/// Of those, the ones that do stand before a name in their countries when written so: SIA and AS in Latvia, AB in Lithuania, SA, PT.
const BEFORE_TOO: &[&str] = &["as", "a s", "ab", "mb", "ag", "sa", "oy", "ps", "ip", "iu"];
/// Forms that only stand before a name: after one they are words (a fund, a branch of a street).
const ONLY_BEFORE: &[&str] = &["фонд", "pt", "кооператив", "филиал", "представительство", "stichting", "ат", "ип", "чп", "ks", "пк", "нп"];

struct Forms {
    by_words: hashbrown::HashMap<&'static str, LegalForm, foldhash::fast::FixedState>,
    only_after: hashbrown::HashSet<&'static str, foldhash::fast::FixedState>,
    first_words: hashbrown::HashSet<&'static str, foldhash::fast::FixedState>,
    last_words: hashbrown::HashSet<&'static str, foldhash::fast::FixedState>,
}

fn forms() -> &'static Forms {
    use std::sync::OnceLock;
    static SETS: OnceLock<Forms> = OnceLock::new();
    SETS.get_or_init(|| Forms {
        by_words: FORMS.iter().rev().copied().collect(),
        only_after: ONLY_AFTER.iter().filter(|form| !BEFORE_TOO.contains(form)).copied().collect(),
        first_words: FORMS.iter().filter_map(|(form, _)| form.split(' ').next()).collect(),
        last_words: FORMS.iter().filter_map(|(form, _)| form.rsplit(' ').next()).collect(),
    })
}

/// The longest form of up to six words.
const MAX_WORDS: usize = 6;

/// A form at the end of folded words: what is left before it, and the form.
pub(super) fn match_end(folded: &str) -> Option<(&str, LegalForm)> {
    let forms = forms();
    let mut found = None;
    // Nearly all names end with no word of a form at all.
    let last = folded.rsplit(' ').next()?;
    if !forms.last_words.contains(last) {
        return None;
    }
    let mut at = folded.len();
    for _ in 0..MAX_WORDS {
        let Some(space) = folded[..at].rfind(' ') else { break };
        let tail = &folded[space + 1..];
        if let Some(&form) = forms.by_words.get(tail)
            && (!ONLY_BEFORE.contains(&tail) || tail == "ип")
        {
            found = Some((&folded[..space], form));
        }
        at = space;
    }
    found
}

/// A form at the beginning of folded words: what is left after it, and the form.
pub(super) fn match_start(folded: &str) -> Option<(&str, LegalForm)> {
    let forms = forms();
    let mut found = None;
    if !forms.first_words.contains(folded.split(' ').next()?) {
        return None;
    }
    for (n, (space, _)) in folded.match_indices(' ').enumerate() {
        if n >= MAX_WORDS {
            break;
        }
        let head = &folded[..space];
        if let Some(&form) = forms.by_words.get(head)
            && !forms.only_after.contains(head)
        {
            found = Some((&folded[space + 1..], form));
        }
    }
    found
}
