"""The words the demo business is made of: names, streets, companies in English, Russian and Latvian."""

from __future__ import annotations

ENGLISH, RUSSIAN, LATVIAN = 0, 1, 2

#: Given names as ``name:diminutive``, per culture and sex (0 male, 1 female).
GIVEN_NAMES: dict[tuple[int, int], list[str]] = {
    (ENGLISH, 0): (
        "James:Jim John:Jack Robert:Bob Michael:Mike William:Bill David:Dave Richard:Dick Thomas:Tom Charles:Charlie Christopher:Chris "
        "Daniel:Dan Matthew:Matt Anthony:Tony Steven:Steve Andrew:Andy Joshua:Josh Kenneth:Ken Timothy:Tim Edward:Ted Jeffrey:Jeff "
        "Nicholas:Nick Jonathan:Jon Benjamin:Ben Samuel:Sam Gregory:Greg Alexander:Alex Patrick:Pat Raymond:Ray Douglas:Doug Peter:Pete "
        "Walter:Walt Harold:Harry Arthur:Art Lawrence:Larry Albert:Al Gabriel:Gabe Oliver:Ollie Leonard:Leo Philip:Phil Frederick:Fred"
    ).split(),
    (ENGLISH, 1): (
        "Patricia:Patty Jennifer:Jen Elizabeth:Liz Barbara:Barb Susan:Sue Jessica:Jess Margaret:Maggie Kimberly:Kim Emily:Em Michelle:Shelly "
        "Amanda:Mandy Deborah:Debbie Stephanie:Steph Rebecca:Becky Cynthia:Cindy Kathleen:Kathy Angela:Angie Pamela:Pam Nicole:Nikki "
        "Samantha:Sam Katherine:Kate Christine:Chris Rachel:Rach Victoria:Vicky Virginia:Ginny Christina:Tina Judith:Judy Jacqueline:Jackie "
        "Abigail:Abby Frances:Fran Isabella:Bella Charlotte:Lottie Natalie:Nat Theresa:Tess Eleanor:Ellie Josephine:Josie Penelope:Penny"
    ).split(),
    (RUSSIAN, 0): (
        "Александр:Саша Сергей:Серёжа Дмитрий:Дима Алексей:Лёша Андрей:Андрей Михаил:Миша Иван:Ваня Максим:Макс Евгений:Женя Владимир:Вова "
        "Николай:Коля Артём:Тёма Павел:Паша Роман:Рома Игорь:Игорь Денис:Денис Илья:Илья Кирилл:Кирилл Антон:Антон Виктор:Витя Юрий:Юра "
        "Олег:Олег Константин:Костя Никита:Никита Василий:Вася Владислав:Влад Вячеслав:Слава Анатолий:Толя Станислав:Стас Григорий:Гриша "
        "Борис:Боря Пётр:Петя Валерий:Валера Георгий:Гоша Фёдор:Федя Леонид:Лёня Тимофей:Тима Даниил:Даня Геннадий:Гена Степан:Стёпа"
    ).split(),
    (RUSSIAN, 1): (
        "Елена:Лена Ольга:Оля Наталья:Наташа Анна:Аня Татьяна:Таня Ирина:Ира Екатерина:Катя Мария:Маша Светлана:Света Юлия:Юля "
        "Анастасия:Настя Дарья:Даша Людмила:Люда Валентина:Валя Галина:Галя Надежда:Надя Виктория:Вика Ксения:Ксюша Любовь:Люба "
        "Полина:Поля Елизавета:Лиза Александра:Саша Оксана:Оксана Лариса:Лара Тамара:Тома Софья:Соня Вероника:Ника Маргарита:Рита "
        "Валерия:Лера Антонина:Тоня Варвара:Варя Ульяна:Уля Зинаида:Зина Марина:Марина Алина:Алина Вера:Вера Жанна:Жанна"
    ).split(),
    (LATVIAN, 0): (
        "Jānis:Jancis Andris:Andris Juris:Juris Edgars:Edgars Māris:Māris Aivars:Aivars Aigars:Aigars Artūrs:Artūrs Valdis:Valdis Ivars:Ivars "
        "Guntis:Guntis Pēteris:Pēcis Kārlis:Kārlis Mārtiņš:Mārtiņš Kaspars:Kaspars Raimonds:Raimis Normunds:Normunds Roberts:Roberts "
        "Gatis:Gatis Uldis:Uldis Ēriks:Ēriks Dainis:Dainis Rihards:Rihards Gints:Gints Toms:Toms Krišjānis:Krišs Ģirts:Ģirts Reinis:Reinis "
        "Viesturs:Viesturs Arvīds:Arvīds"
    ).split(),
    (LATVIAN, 1): (
        "Anna:Annele Kristīne:Kristīne Inese:Inese Ilze:Ilzīte Inga:Inga Līga:Līga Sandra:Sandra Ieva:Ieviņa Daina:Daina Iveta:Iveta "
        "Santa:Santa Evija:Evija Anita:Anita Zane:Zane Laura:Laura Agnese:Agnese Dace:Dace Linda:Linda Elīna:Elīna Baiba:Baiba Vija:Vija "
        "Aija:Aija Ilona:Ilona Gunta:Gunta Sarmīte:Sarmīte Ināra:Ināra Velta:Velta Signe:Signe Rūta:Rūta Elza:Elza"
    ).split(),
}

#: Surnames in their male form, per culture.
FAMILY_NAMES: dict[int, list[str]] = {
    ENGLISH: (
        "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Thomas Moore Martin Jackson Thompson White Harris Clark Lewis "
        "Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Hall Nelson Carter Mitchell Roberts Turner Phillips Campbell "
        "Parker Evans Edwards Collins Stewart Morris Murphy Cook Rogers Morgan Cooper Peterson Bailey Reed Kelly Howard Ward Cox Richardson "
        "Watson Brooks Wood Bennett Gray James Hughes Price Sanders Myers Long Ross Foster O'Brien O'Connor McDonald MacGregor Ashworth "
        "Blackwood Bradbury Claythorpe Crompton Eastwood Fairfield Greenhalgh Hartley Haywood Holbrook Kingsley Langford Marshfield Millward "
        "Northcott Oldfield Redfern Rockwell Rushton Sheldon Stanley Stonehouse Thornbury Wakefield Westbrook Winfield Woodgate Pemberton "
        "Abernathy Beauchamp Carmichael Davenport Ellsworth Fitzgerald Gallagher Hawthorne Ingram Jefferson Kensington Lancaster Montgomery"
    ).split(),
    RUSSIAN: (
        "Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов Волков Алексеев Лебедев Семёнов Егоров "
        "Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Зайцев Соловьёв Борисов Яковлев Григорьев Романов Воробьёв "
        "Сергеев Кузьмин Фролов Александров Дмитриев Королёв Гусев Киселёв Ильин Максимов Поляков Сорокин Виноградов Ковалёв Белов Медведев "
        "Антонов Тарасов Жуков Баранов Филиппов Комаров Давыдов Беляев Герасимов Богданов Осипов Сидоров Матвеев Титов Марков Миронов Крылов "
        "Куликов Карпов Власов Мельников Денисов Гаврилов Тихонов Казаков Щербаков Назаров Хабаров Цветков Чернышёв Журавлёв Юдин Ефимов "
        "Покровский Никольский Вишневский Островский Высоцкий Левицкий Шевченко Бондаренко Ткаченко Кравченко Савченко Зиновьев Ларионов "
        "Хомяков Шувалов Щукин Яшин Ерофеев Жилин Звягин Лаптев Мещеряков Нефёдов Обухов Панкратов Рогожин Суханов Тюрин Уваров Флоров"
    ).split(),
    LATVIAN: (
        "Bērziņš Kalniņš Ozoliņš Jansons Liepiņš Krūmiņš Balodis Eglītis Zariņš Pētersons Vītoliņš Kļaviņš Kārkliņš Kronbergs Ziediņš Āboliņš "
        "Siliņš Grīnbergs Rubenis Auziņš Dzenis Skujiņš Lapiņš Strazdiņš Zīle Sniķeris Upītis Dūmiņš Ķirsis Priedītis Gailītis Zvirgzdiņš "
        "Krastiņš Dambītis Celmiņš Šmits Čakste Žagars Bite Freimanis Gulbis Hartmanis Irbe Jaunzems Kauliņš Lācis Medenis Niedra Osis Paegle "
        "Roze Sproģis Tauriņš Ulmanis Vanags Zālītis Briedis Cīrulis Dreimanis Elksnis Mežvilks Ābele Ēvele Īstenais Ūdris Ķēniņš Ļaudams"
    ).split(),
}

#: City as (native, Latin, as people abbreviate it), per culture.
CITIES: dict[int, list[tuple[str, str, str]]] = {
    ENGLISH: [
        ("London", "London", "London UK"), ("Manchester", "Manchester", "Manchester"), ("Birmingham", "Birmingham", "B'ham"),
        ("Leeds", "Leeds", "Leeds"), ("Bristol", "Bristol", "Bristol"), ("Saint Albans", "Saint Albans", "St. Albans"),
        ("Edinburgh", "Edinburgh", "Edinburgh"), ("Cardiff", "Cardiff", "Cardiff"),
    ],
    RUSSIAN: [
        ("Москва", "Moscow", "г. Москва"), ("Санкт-Петербург", "Saint Petersburg", "СПб"), ("Новосибирск", "Novosibirsk", "Новосибирск"),
        ("Екатеринбург", "Ekaterinburg", "Екб"), ("Казань", "Kazan", "Казань"), ("Нижний Новгород", "Nizhny Novgorod", "Н.Новгород"),
        ("Самара", "Samara", "Самара"), ("Краснодар", "Krasnodar", "Краснодар"),
    ],
    LATVIAN: [
        ("Rīga", "Riga", "Rīga, LV"), ("Daugavpils", "Daugavpils", "Daugavpils"), ("Liepāja", "Liepaja", "Liepāja"),
        ("Jelgava", "Jelgava", "Jelgava"), ("Jūrmala", "Jurmala", "Jūrmala"), ("Ventspils", "Ventspils", "Ventspils"),
        ("Rēzekne", "Rezekne", "Rēzekne"), ("Valmiera", "Valmiera", "Valmiera"),
    ],
}  # fmt: skip

STREETS: dict[int, list[str]] = {
    ENGLISH: "High Station Church Park Victoria Green Manor Kings Queens Mill Albert York Grange Chapel Bridge Orchard Windsor Garden".split(),
    RUSSIAN: "Ленина Советская Мира Молодёжная Центральная Школьная Садовая Лесная Новая Набережная Гагарина Пушкина Кирова Победы".split(),
    LATVIAN: "Brīvības Čaka Tērbatas Dzirnavu Lāčplēša Ģertrūdes Skolas Matīsa Stabu Miera Valdemāra Raiņa Saules Parka Liepu".split(),
}

COMPANY_HEADS: dict[int, list[str]] = {
    ENGLISH: "Acme Apex Bright Capital Core Delta First Global Golden Harbor Iron Lake Metro Nova Omni Prime Quantum River Summit Vertex".split(),
    RUSSIAN: "Рос Мос Сиб Урал Тех Строй Пром Авто Энерго Мед Агро Инвест Гранд Альфа Вектор Гарант Заря Импульс Квант Лидер".split(),
    LATVIAN: "Baltijas Rīgas Latvijas Ziemeļu Jūras Saules Meža Zaļā Dzintara Daugavas Kurzemes Vidzemes Zemgales Latgales Senā Jaunā".split(),
}
COMPANY_TAILS: dict[int, list[str]] = {
    ENGLISH: "Systems Partners Logistics Foods Media Labs Solutions Trading Motors Health Energy Design Supply Works Printing Travel".split(),
    RUSSIAN: "торг сервис снаб центр групп проект монтаж транс софт маркет плюс ресурс дизайн фарм печать тур".split(),
    LATVIAN: "serviss grupa būve nami tehnika logistika koks pārtika mediji druka tūrisms metāls stikls dārzi auto enerģija".split(),
}
#: How sources write a company's legal form.
COMPANY_FORMS: dict[int, list[str]] = {
    ENGLISH: ["{} Ltd", "{} Limited", "{}", "{}, Ltd."],
    RUSSIAN: ["ООО «{}»", 'ООО "{}"', "{}", "{}, ООО"],
    LATVIAN: ['SIA "{}"', "SIA {}", "{}", "{}, SIA"],
}

MAIL_DOMAINS: dict[int, list[str]] = {
    ENGLISH: "gmail.com outlook.com yahoo.com icloud.com hotmail.com".split(),
    RUSSIAN: "mail.ru yandex.ru gmail.com bk.ru list.ru".split(),
    LATVIAN: "inbox.lv gmail.com apollo.lv outlook.com".split(),
}

JOB_TITLES: dict[int, list[str]] = {
    ENGLISH: ["Sales manager", "Buyer", "Owner", "Accountant", "Office manager", "Director", "Engineer", ""],
    RUSSIAN: ["Менеджер по продажам", "Закупщик", "Владелец", "Бухгалтер", "Офис-менеджер", "Директор", "Инженер", ""],
    LATVIAN: ["Pārdošanas vadītājs", "Iepircējs", "Īpašnieks", "Grāmatvedis", "Biroja vadītājs", "Direktors", "Inženieris", ""],
}

OWNERS = ["ivanov", "kalnina", "smith", "ozola", "petrova", "brown", "berzins", "sokolov"]
CHANNELS = ["site", "ads", "referral", "email", "social", "call", "event", "partner"]
PRODUCTS = [f"SKU-{number:03d}" for number in range(1, 41)]
STAGES = ["qualification", "presentation", "proposal", "contracting", "won", "lost"]
LOST_REASONS = ["price", "timing", "competitor", "no answer", "no budget"]
INTERACTION_KINDS = ["visit", "call", "email", "meeting", "letter", "chat", "quote_request", "complaint", "review"]

_PLAIN = dict(
    zip("абвгдеёзийклмнопрстуфыэ", "a b v g d e e z i y k l m n o p r s t u f y e".split(), strict=True),
    ж="zh", х="kh", ц="ts", ч="ch", ш="sh", щ="shch", ъ="", ь="", ю="yu", я="ya",
)  # fmt: skip
_CASUAL = {**_PLAIN, "ё": "yo", "й": "i", "х": "h", "ц": "c", "щ": "sch", "ю": "iu", "я": "ia"}
_MARKS = str.maketrans("āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ", "acegiklnsuzACEGIKLNSUZ")


def romanise(text: str, *, casual: bool = False) -> str:
    """Latin spelling of Russian text, as passports do it or as people type it."""
    table = _CASUAL if casual else _PLAIN
    letters = []
    for letter in text:
        latin = table.get(letter.lower(), letter)
        letters.append(latin.capitalize() if letter.isupper() else latin)
    return "".join(letters)


def without_marks(text: str) -> str:
    """Latvian text as typed on a keyboard without its letters."""
    return text.translate(_MARKS)


def feminine(name: str, culture: int) -> str:
    """The form of a surname that a woman bears."""
    if culture == RUSSIAN:
        if name.endswith(("ов", "ев", "ёв", "ин")):
            return name + "а"
        return name[:-2] + "ая" if name.endswith("ий") else name
    if culture == LATVIAN:
        if name.endswith(("is", "ņš", "ns")):
            return name[:-2] + {"is": "e", "ņš": "ņa", "ns": "ne"}[name[-2:]]
        return name[:-1] + "a" if name[-1] in "sš" else name
    return name


def patronymic(father: str, *, female: bool) -> str:
    """The Russian patronymic made from a father's name."""
    irregular = {"Илья": "Ильи", "Никита": "Никити", "Пётр": "Петро", "Павел": "Павло", "Михаил": "Михайло"}
    stem = irregular.get(father)
    if stem in ("Ильи", "Никити"):
        return stem + ("нична" if female else "ч")
    if stem is None:
        stem = father[:-2] + "ье" if father.endswith("ий") else father[:-1] + "е" if father[-1] in "йь" else father + "о"
    return stem + ("вна" if female else "вич")
