//! Words of company names that tell little, and words that tell that it is a company.
use super::super::text::skeleton_into;

/// A skeleton's word that many companies share.
pub(super) fn is_stop_word(skeleton: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<String, foldhash::fast::FixedState>> = OnceLock::new();
    // "the" has the skeleton "te": the words are asked for as skeletons write them.
    let skeletons = || {
        let skeleton_of = |word: &str| {
            let mut skeleton = String::new();
            skeleton_into(word, &mut skeleton);
            skeleton
        };
        STOP_WORDS.split_whitespace().flat_map(|word| [skeleton_of(word), word.to_owned()]).filter(|word| !word.is_empty()).collect()
    };
    SET.get_or_init(skeletons).contains(skeleton)
}

const STOP_WORDS: &str = "the and of group grup grupa gruppe gruppa groupe holding holdings company kompania kompany kompani
international internacional internacionali global servisi services service servis solutions trade treid trading
enterprise enterprises firma torgovi dom un und et i der die das le la de los las associates partners
consulting management development industries systems sistems tehnologi tehnologies baltic baltia kompanika
predpriatie proizvodstveno proizvodstvena komercesko npo kompanu zavod fabrika centr center centre";

/// A folded word that companies, offices and institutions bear and people do not.
pub(super) fn is_industry_word(folded: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<&'static str, foldhash::fast::FixedState>> = OnceLock::new();
    SET.get_or_init(|| WORDS.split_whitespace().collect()).contains(folded)
}

const WORDS: &str = "academy accounting advertising advisors advisory aerospace agency agro airlines airways analytics apartments apparel appliance architects architecture arts
associates association associations attorneys auto automotive aviation bakery bank banking bar baltic beauty beverage beverages biotech boutique brewery brothers builders building bureau
business cafe capital care cargo carpet casino catering center centers centre ceramics chamber chemical chemicals church cinema city cleaners cleaning clinic clinics clothing club coffee college
commerce commercial committee communications community company components computer computers computing concrete construction consultancy consultants consulting contracting contractors
control cooperative corporate corporation council county creative credit dairy data dealership deli dental dentistry department design designs development diagnostics digital diner distribution
distributors district drilling education electric electrical electronics elevator energy engineering engineers enterprise enterprises entertainment environmental equipment equities estate estates
events exchange express fabrication factory farm farms fashion federal federation finance financial fitness florist food foods forestry foundation freight fund funds furniture galleries gallery
garage garden gas global golf government graphics grill grocery group growers gym hardware health healthcare heating holding holdings homes hospital hospitality hotel hotels house housing import imports
industrial industries industry inn institute institution instruments insurance integrated interactive international internet investment investments jewelers jewelry kitchen lab laboratories laboratory
labs landscaping laundry law leasing library limited living logistics lounge lumber machine machinery maintenance management manufacturers manufacturing marine maritime market marketing markets
materials media medical metal metals microsystems mining ministry mobile mortgage motel motor motors museum music national network networks news office oil operations optical orchestra organization
packaging paint paper partners partnership performance petroleum pharma pharmaceutical pharmaceuticals pharmacy photography physical pizza plastics plaza plumbing police power press printing prints
private pro processing production productions products professional programs project projects properties property psychology public publications publishers publishing radio railway ranch
real realty recruitment recycling refrigeration regional rehabilitation rental rentals repair research resort resources restaurant restaurants retail roofing safety sales salon school schools science
sciences scientific seafood security semiconductor semiconductors service services shipping shoes shop shops society software solar solution solutions spa sports staffing station steel storage store stores
strategies studio studios supermarket supplies supply surgery systems tavern taxi team tech technologies technology telecom telecommunications television textile textiles theater theatre therapy tires
tobacco tools tours toys trade traders trading training transport transportation travel trucking trust union university utilities vacations ventures veterinary village vineyards warehouse
water welding wholesale wines winery wireless works workshop worldwide
агентство агро академия ассоциация аптека архитектура банк бар бизнес бюро ветеринарная вектор гараж гимназия гостиница группа дизайн дом завод инвест инжиниринг институт интернет кафе клиника клуб колледж комбинат
комплекс компания консалтинг контора концерн корпорация кредит лаборатория лицей логистик логистика магазин маркет мастерская медиа медицинский мебель министерство монтаж музей недвижимость нефть объединение
отель пекарня питание предприятие представительство проект производство промышленность пром рекламное ресторан салон сбыт сервис система системы склад снаб совет союз спорт ссудный стоматология строй строительная строительство студия супермаркет
такси театр техника технологии технология типография товары торг торговля торговый транспорт трейд туризм турфирма университет управление услуги учреждение фабрика фармацевтика ферма фирма фитнес фонд холдинг хозяйство центр
церковь школа электро энерго энергия ювелирный юридическая
agentura apdrosinasana aptieka banka biedriba birojs buve buvnieciba celtnieciba centrs darbnica dome dizains ekspertize energija fonds grupa instituts klinika klubs koledza kompanija konsultacijas kopsabiedriba krajaizdevu kredits
laboratorija logistika majas mebeles medicina ministrija muzejs nami namsaimnieks nekustamais nodibinajums novada novads pakalpojumi pansionats pasvaldiba partneri pilsetas razosana razotne remonts restorans rupnica saimnieciba salons serviss sistemas skola slimnica sporta
stomatologija studija tehnika tehnologijas teatris tirdznieciba transports turisms universitate uznemums veikals viesnica vidusskola zobarstnieciba
aktiengesellschaft apotheke autohaus backerei bau baugesellschaft beratung betrieb brauerei bundesamt dienstleistungen druckerei elektro elektrotechnik fabrik gasthaus gemeinde gesellschaft gruppe handel handels handelsgesellschaft haustechnik
immobilien ingenieurburo institut kanzlei klinik krankenhaus landkreis maschinenbau metallbau mobel praxis schule sparkasse spedition stadt stadtwerke steuerberater stiftung technik unternehmen vermogensverwaltung versicherung vertrieb verlag verwaltung werk werke werkstatt wirtschaft
agence assurance assurances banque boulangerie cabinet centre chambre clinique conseil ecole editions entreprise etablissements ets fils fromagerie garage groupe hopital hotel immobilier industrie laboratoire mairie menuiserie ministere pharmacie
produits restaurant services societe transports travaux universite usine
agencia asociacion ayuntamiento banco clinica colegio comercial compania construcciones constructora consultores cooperativa distribuciones distribuidora empresa escuela fabrica farmacia ferreteria fundacion grupo hospital industria industrias inmobiliaria instituto
inversiones ministerio muebles panaderia productos proyectos restaurante seguros servicios sistemas sociedad suministros taller talleres transportes universidad
azienda agricola associazione banca commerciale costruzioni cooperativa fondazione fratelli gruppo immobiliare impianti impresa industrie officina officine ristorante scuola servizi societa studio trasporti
biuro centrum firma fundacja gmina hurtownia instytut klinika przedsiebiorstwo produkcja sklep spolka spoldzielnia szkola szpital towarzystwo transport uniwersytet uslugi urzad zaklad zaklady";
