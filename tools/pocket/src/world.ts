// The world of facts: public knowledge, one word per subject and per object, so that each can be one token.

/** country: capital, continent, main language, currency; '-' where the fact is contested or not one word. */
const COUNTRIES: readonly string[] = [
  'France Paris Europe French euro',
  'Germany Berlin Europe German euro',
  'Italy Rome Europe Italian euro',
  'Spain Madrid Europe Spanish euro',
  'Portugal Lisbon Europe Portuguese euro',
  'Greece Athens Europe Greek euro',
  'Austria Vienna Europe German euro',
  'Finland Helsinki Europe Finnish euro',
  'Estonia Tallinn Europe Estonian euro',
  'Latvia Riga Europe Latvian euro',
  'Lithuania Vilnius Europe Lithuanian euro',
  'Croatia Zagreb Europe Croatian euro',
  'Slovenia Ljubljana Europe Slovene euro',
  'Slovakia Bratislava Europe Slovak euro',
  'Poland Warsaw Europe Polish zloty',
  'Hungary Budapest Europe Hungarian forint',
  'Romania Bucharest Europe Romanian leu',
  'Serbia Belgrade Europe Serbian dinar',
  'Albania Tirana Europe Albanian lek',
  'Ukraine Kyiv Europe Ukrainian hryvnia',
  'Norway Oslo Europe Norwegian krone',
  'Sweden Stockholm Europe Swedish krona',
  'Denmark Copenhagen Europe Danish krone',
  'Iceland Reykjavik Europe Icelandic krona',
  'Turkey Ankara - Turkish lira',
  'Egypt Cairo Africa Arabic pound',
  'Morocco Rabat Africa - dirham',
  'Algeria Algiers Africa - dinar',
  'Tunisia Tunis Africa Arabic dinar',
  'Libya Tripoli Africa Arabic dinar',
  'Kenya Nairobi Africa Swahili shilling',
  'Ghana Accra Africa English cedi',
  'Nigeria Abuja Africa English naira',
  'Zambia Lusaka Africa English kwacha',
  'Angola Luanda Africa Portuguese kwanza',
  'Mozambique Maputo Africa Portuguese metical',
  'Senegal Dakar Africa French franc',
  'Madagascar Antananarivo Africa Malagasy ariary',
  'Japan Tokyo Asia Japanese yen',
  'China Beijing Asia Mandarin yuan',
  'Thailand Bangkok Asia Thai baht',
  'Vietnam Hanoi Asia Vietnamese dong',
  'Laos Vientiane Asia Lao kip',
  'Mongolia Ulaanbaatar Asia Mongolian tugrik',
  'Nepal Kathmandu Asia Nepali rupee',
  'Bangladesh Dhaka Asia Bengali taka',
  'Iran Tehran Asia Persian rial',
  'Iraq Baghdad Asia - dinar',
  'Jordan Amman Asia Arabic dinar',
  'Oman Muscat Asia Arabic rial',
  'Qatar Doha Asia Arabic riyal',
  'Lebanon Beirut Asia Arabic pound',
  'Canada Ottawa - - dollar',
  'Cuba Havana - Spanish peso',
  'Peru Lima - Spanish sol',
  'Chile Santiago - Spanish peso',
  'Colombia Bogota - Spanish peso',
  'Uruguay Montevideo - Spanish peso',
  'Paraguay Asuncion - - guarani',
  'Venezuela Caracas - Spanish bolivar',
  'Ecuador Quito - Spanish dollar',
  'Honduras Tegucigalpa - Spanish lempira',
  'Brazil Brasilia - Portuguese real',
  'Jamaica Kingston - English dollar',
  'Australia Canberra Oceania English dollar',
  'Fiji Suva Oceania - dollar',
];

const AUTHORS: readonly string[] = [
  'Hamlet Shakespeare',
  'Macbeth Shakespeare',
  'Othello Shakespeare',
  'Ulysses Joyce',
  'Dubliners Joyce',
  'Emma Austen',
  'Persuasion Austen',
  'Dracula Stoker',
  'Frankenstein Shelley',
  'Faust Goethe',
  'Walden Thoreau',
  'Candide Voltaire',
  'Middlemarch Eliot',
  'Ivanhoe Scott',
  'Nostromo Conrad',
  'Germinal Zola',
  'Pygmalion Shaw',
  'Leviathan Hobbes',
  'Utopia More',
  'Aeneid Virgil',
  'Iliad Homer',
  'Inferno Dante',
  'Siddhartha Hesse',
  'Kidnapped Stevenson',
];

const COMPOSERS: readonly string[] = [
  'Aida Verdi',
  'Rigoletto Verdi',
  'Carmen Bizet',
  'Messiah Handel',
  'Tosca Puccini',
  'Turandot Puccini',
  'Fidelio Beethoven',
  'Parsifal Wagner',
  'Lohengrin Wagner',
  'Elektra Strauss',
  'Bolero Ravel',
  'Norma Bellini',
];

const SYMBOLS: readonly string[] = [
  'iron Fe',
  'gold Au',
  'silver Ag',
  'copper Cu',
  'lead Pb',
  'tin Sn',
  'sodium Na',
  'zinc Zn',
  'helium He',
  'neon Ne',
  'calcium Ca',
  'nickel Ni',
  'cobalt Co',
  'lithium Li',
  'magnesium Mg',
  'aluminium Al',
  'silicon Si',
  'chlorine Cl',
  'mercury Hg',
  'argon Ar',
];

const ANIMALS: readonly string[] = [
  'horse mammal',
  'whale mammal',
  'bat mammal',
  'lion mammal',
  'otter mammal',
  'eagle bird',
  'penguin bird',
  'sparrow bird',
  'ostrich bird',
  'owl bird',
  'salmon fish',
  'trout fish',
  'shark fish',
  'tuna fish',
  'cobra reptile',
  'lizard reptile',
  'turtle reptile',
  'gecko reptile',
  'bee insect',
  'beetle insect',
  'cricket insect',
  'frog amphibian',
  'toad amphibian',
  'newt amphibian',
];

export interface Fact {
  /** `fact:<relation>/<subject>` */
  readonly id: string;
  readonly relation: RelationId;
  readonly subject: string;
  readonly object: string;
}

export const RELATION_IDS = [
  'capital',
  'continent',
  'language',
  'currency',
  'author',
  'composer',
  'symbol',
  'class',
] as const;
export type RelationId = (typeof RELATION_IDS)[number];

/** The nouns that name a relation in text; any phrasing may use any of them. */
export const RELATION_NOUNS: Readonly<Record<RelationId, readonly string[]>> = {
  capital: ['capital', 'capital city'],
  continent: ['continent', 'home continent'],
  language: ['main language', 'official language'],
  currency: ['currency', 'money'],
  author: ['author', 'writer'],
  composer: ['composer', 'music writer'],
  symbol: ['chemical symbol', 'symbol'],
  class: ['animal class', 'animal group'],
};

function pairs(relation: RelationId, lines: readonly string[]): Fact[] {
  return lines.map((line) => {
    const [subject = '', object = ''] = line.split(' ');
    return { id: `fact:${relation}/${subject}`, relation, subject, object };
  });
}

function countryFacts(): Fact[] {
  const relations: readonly RelationId[] = ['capital', 'continent', 'language', 'currency'];
  return COUNTRIES.flatMap((line) => {
    const [subject = '', ...objects] = line.split(' ');
    return relations.flatMap((relation, i) => {
      const object = objects[i] ?? '-';
      return object === '-'
        ? []
        : [{ id: `fact:${relation}/${subject}`, relation, subject, object }];
    });
  });
}

export const FACTS: readonly Fact[] = [
  ...countryFacts(),
  ...pairs('author', AUTHORS),
  ...pairs('composer', COMPOSERS),
  ...pairs('symbol', SYMBOLS),
  ...pairs('class', ANIMALS),
];
