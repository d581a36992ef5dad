# ruff: noqa: E501
"""Writes the letter-pair table of encoding detection from the names, places and words of the package Faker (MIT).

    pip install faker && python benchmarks/make_bigrams.py > rust/crm-files/src/text/encoding/letter_pairs.txt

One line per language: its code, then every pair of neighbouring letters with one beyond ASCII, and the pair's rarity in half bits.
`^` and `$` are the ends of a word. Only such pairs tell encodings apart, but rarity counts all pairs.
"""

from __future__ import annotations

import collections
import math
import re

from faker import Faker

LOCALES = {
    "ru": "ru_RU", "uk": "uk_UA", "bg": "bg_BG", "lv": "lv_LV", "lt": "lt_LT", "et": "et_EE", "de": "de_DE", "fr": "fr_FR", "es": "es_ES",
    "pt": "pt_PT", "it": "it_IT", "pl": "pl_PL", "cs": "cs_CZ", "sk": "sk_SK", "hu": "hu_HU", "ro": "ro_RO", "sv": "sv_SE", "fi": "fi_FI",
    "da": "da_DK", "no": "no_NO", "tr": "tr_TR", "el": "el_GR",
}  # fmt: skip
# Column heads and remarks, as exports have them, for languages of which Faker has few words.
WORDS = {
    "ru": "имя фамилия отчество телефон почта адрес город дата рождения компания сумма примечание звонок клиент менеджер перезвонить завтра оплачено",
    "lv": "vārds uzvārds tālrunis pilsēta adrese dzimšanas piezīmes uzņēmums numurs mēnesis jānis bērziņš līga kalniņš pēteris ozoliņš liepiņa "
    "liepāja ventspils valmiera cēsis kuldīga sigulda tukums dobele jēkabpils bauska saldus talsi ogre salaspils balvi ludza krāslava "
    "kārlis andris juris mārtiņš edgars kristaps artūrs raivis ainārs guntis māra inese dace sandra kristīne zane laura santa elīna "
    "balodis eglītis krastiņš vītols dreimanis zariņš kārkliņš rozītis sproģis vanags grīnbergs jansons pētersons freimanis šmits "
    "kalēja sīle siliņa strautiņa lāce šteinberga brīvības čaka ģertrūdes matīsa tērbatas skolas dārza mežā sūtīt rēķins pasūtījums "
    "krūmiņš žanis šķēle ķēniņš ģirts ņina ļeņa čakste āboliņa ūdris īpašnieks zvanīt samaksāts rīga daugavpils jūrmala rēzekne iela",
    "lt": "vardas pavardė telefonas miestas adresas gimimo pastabos įmonė mėnuo žydrūnas šimkus rūta žukauskas eglė jūratė šarūnas čepaitė aušrinė "
    "kazlauskienė petrauskaitė ąžuolas įvertinimas ūkis vilnius šiauliai panevėžys klaipėda marijampolė mažeikiai utena kėdainiai telšiai "
    "gatvė alėja prospektas jonas ona juozas marija antanas petras kazys algirdas gintarė kristina lukas mantas paulius tomas darius giedrė "
    "jurgita inga daiva rasa laima birutė danutė aldona genovaitė vytautas stasys bronius česlovas šimonis kęstutis gediminas mindaugas "
    "stankevičius vasiliauskas žukauskienė butkus paulauskas urbonas kavaliauskas jankauskas navickas ramanauskaitė savickas žilinskas "
    "černiauskas šimkutė mažeika mačiulis grigaitė bružas žemaitis aukštaitis baranauskienė lukoševičiūtė sąskaita užsakymas prekė kaina "
    "apmokėta skambinti rytoj įsakymas išrašas šeima ėjimas žmogus ačiū",
    "et": "tartu narva kohtla järve rakvere haapsalu kuressaare paide tõnis jaan mart priit kalle ants mati jüri aivar urmas liis kadri "
    "mõmm vähi käär rätsep sööt lõhmus pärn õunapuu kuusk saar ilves rebane tamm kask sepp hõbe jõesaar väli põder mänd ööbik šokolaad "
    "tänav maantee väljak müük hüvasti tööd üks kõne aeg homme makstud eesnimi perekonnanimi telefon linn aadress märkused ettevõte jüri mägi õnne ülle kõiv tõnu põld jõgi žanna šmidt tänav pärnu võru põltsamaa",
    "de": "straße größe müller schröder köhler jäger groß weiß übermut käthe jürgen björn günter jörg bäcker änne",
    "fr": "prénom téléphone société françois lefèvre éloïse hélène côté benoît anaïs noël zoé agnès forêt jérôme céline œuvre",
    "pl": "imię łukasz wójcik małgorzata dąbrowska paweł święta grażyna żak gęsi ćwik kość śliwa źródło ilość miesiąc",
}


def words_of(language: str, locale: str) -> list[str]:
    fake = Faker(locale)
    Faker.seed(7)
    makers = [fake.name, fake.first_name, fake.last_name, fake.city, fake.street_name, fake.company, fake.job]
    words: list[str] = []
    for maker in makers:
        for _ in range(3000):
            words += re.findall(r"[^\W\d_]+", str(maker()))
    words += re.findall(r"[^\W\d_]+", WORDS.get(language, "")) * 20
    return words


for language, locale in LOCALES.items():
    pairs: collections.Counter[str] = collections.Counter()
    for word in words_of(language, locale):
        # A name in capitals or with an inner capital adds nothing that its lower case does not.
        marked = f"^{word.lower()}$"
        pairs.update(marked[idx : idx + 2] for idx in range(len(marked) - 1))
    total = sum(pairs.values())
    rare = {pair: round(-2 * math.log2(count / total)) for pair, count in pairs.items() if not pair.isascii()}
    print(language, "".join(f"{pair}{rarity}" for pair, rarity in sorted(rare.items())))
