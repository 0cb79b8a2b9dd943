"""The vocabulary of the simulated press: names made of ordinary words, topics, places, figures.

Every name is put together from a few hundred common words, so that there are hundreds of thousands of names and still
each part of one is a single token that turns up in other names too. No real company, product or person is meant.
"""

from __future__ import annotations


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split())


NAME_WORDS: tuple[str, ...] = _split(
    """
    Acorn Alder Amber Anchor Apple Arbor Arrow Ash Aspen Atlas Aurora Autumn Badger Bamboo Banner Basin Bay Beacon Bell
    Birch Bison Blue Bold Branch Brass Brave Breeze Brick Bridge Bright Bronze Brook Calm Candle Canyon Cape Cedar
    Chalk Cherry Cinder Clay Clear Cliff Cloud Clover Coast Cobalt Comet Copper Coral Cotton Cove Crane Creek Crest
    Crimson Crown Crystal Curlew Dale Dawn Deep Delta Dove Drift Dune Dusk Eagle Early East Echo Elder Elm Ember
    Emerald Falcon Fallow Far Feather Fern Field Finch Fir First Flint Flora Forest Fox Frost Garden Gate Gentle Ginger
    Glacier Glade Glass Golden Granite Grape Gravel Green Grove Gull Harbor Harvest Haven Hawk Hazel Heath Heron High
    Hill Hollow Honey Horizon Iris Iron Island Ivory Ivy Jade Jasper Juniper Kestrel Kind Kite Lake Lantern Lark Laurel
    Lemon Level Light Lilac Lily Linden Linen Lotus Lumen Lunar Lynx Maple Marble Marsh Meadow Mellow Merlin Meteor Mill
    Mint Mirror Moon Moss Myrtle Nectar Night Noble North Nova Oak Oasis Ocean Olive Opal Orange Orbit Orchid Osprey
    Otter Owl Oxbow Palm Paper Peak Pearl Pebble Pepper Pilot Pine Plain Plum Polar Pond Poplar Prairie Prism Quartz
    Quick Quiet Quill Rain Rapid Raven Red Reed Ridge River Robin Rocket Rose Rowan Ruby Rush Sable Saddle Saffron Sage
    Sail Salt Sand Sea Shade Shore Silver Sky Slate Snow Solar Solid South Spark Sparrow Spring Spruce Star Steady Stone
    Storm Straw Summer Summit Sun Swan Swift Teal Thistle Thorn Thunder Tidal Timber Topaz Torch Tower Trail Tulip Umber
    Vale Valley Velvet Violet Vista Walnut Warm Water Wave West Wheat White Wild Willow Wind Winter Wood Wren Yarrow
    Yellow Zephyr
    """
)
COMPANY_ENDINGS: tuple[str, ...] = ("Labs", "Robotics", "Systems", "Works", "Research", "Health")
PRODUCT_ENDINGS: tuple[str, ...] = ("Studio", "Flow", "Lens", "Core", "Mini", "Pro", "Desk", "Guide")
FUND_ENDINGS: tuple[str, ...] = ("Capital", "Ventures", "Partners")
TEST_ENDINGS: tuple[str, ...] = ("Bench", "Arena", "Exam", "Trial")

FIRST_NAMES: tuple[str, ...] = _split(
    """
    Ada Alma Amir Anna Bela Boris Carla Chen Clara Dana David Diego Elena Elif Emil Erik Eva Farah Felix Grace Hana
    Hugo Ines Ivan Jana Jonas Julia Kaito Karim Laila Lars Leo Lina Lucas Maja Marco Maria Mateo Maya Mila Nadia Nina
    Noah Nora Olga Omar Oscar Paula Pedro Petra Priya Rafael Rosa Ruth Samir Sara Sofia Tara Thomas Vera Viktor Yuki
    """
)
LAST_NAMES: tuple[str, ...] = _split(
    """
    Abbott Adler Alvarez Barros Becker Bennett Berg Castro Cohen Costa Dalton Demir Diaz Duarte Ellis Farkas Fischer
    Foster Garcia Greene Haas Hansen Haddad Horvat Hughes Ibarra Ito Jansen Keller Khan Kimura Kovacs Kumar Larsen
    Lindqvist Lopez Marino Mendes Meyer Moreau Moretti Nakamura Nielsen Novak Okafor Olsen Ortega Pereira Petrov Quinn
    Ramos Rossi Sato Schmidt Silva Singh Sousa Tanaka Torres Vargas Weber Winters Yilmaz Zhang
    """
)
REGIONS: tuple[str, ...] = _split(
    """
    Argentina Austria Belgium Brazil Bulgaria California Canada Chile Colombia Croatia Denmark Egypt Estonia Finland
    France Georgia Germany Ghana Greece Hungary Iceland India Indonesia Ireland Israel Italy Japan Kenya Latvia
    Lithuania Malaysia Malta Mexico Morocco Nevada Nigeria Norway Ontario Oregon Peru Poland Portugal Quebec Romania
    Rwanda Scotland Serbia Singapore Slovakia Slovenia Spain Sweden Switzerland Taiwan Texas Thailand Turkey Uruguay
    Vietnam
    """
)
CITIES: tuple[str, ...] = _split(
    """
    Amsterdam Athens Austin Barcelona Berlin Bogota Boston Brussels Chicago Copenhagen Denver Dublin Geneva Helsinki
    Lagos Lima Lisbon London Madrid Melbourne Milan Montreal Nairobi Oslo Paris Prague Riga Rome Seattle Seoul Stockholm
    Sydney Tallinn Tokyo Toronto Vienna Warsaw Zurich
    """
)
TOPICS: tuple[str, ...] = (
    "code review", "medical imaging", "legal search", "customer support", "video editing", "music generation",
    "drug discovery", "fraud detection", "weather forecasts", "translation", "tax filing", "warehouse robots",
    "tutoring", "recruiting", "protein design", "chip design", "crop monitoring", "meeting notes", "data cleaning",
    "game design", "satellite images", "podcast editing", "route planning", "contract review", "voice cloning",
    "bookkeeping", "travel planning", "spam filtering", "quality control", "home energy", "flood warnings",
    "job matching", "price forecasts", "language learning", "sign language", "news search", "photo editing",
    "elderly care", "traffic control", "battery research",
)  # fmt: skip
# Subjects that a specialist shortens. An article that gives the short form in brackets tempts a careless writer.
ACRONYMS: dict[str, str] = {
    "novel view synthesis": "NVS", "speech recognition": "ASR", "speech synthesis": "TTS", "text recognition": "OCR",
    "image generation": "TTI", "video generation": "TTV", "visual search": "CBIR", "object tracking": "MOT",
    "robot control": "VLA", "graph learning": "GNN", "model compression": "KD", "document search": "RAG",
    "preference tuning": "DPO", "expert routing": "MOE", "time series forecasts": "TSF", "scene mapping": "SLAM",
    "image questions": "VQA", "grammar correction": "GEC", "emotion recognition": "SER", "name recognition": "NER",
    "anomaly detection": "OOD", "federated training": "FL", "cheap fine-tuning": "PEFT", "settings search": "HPO",
    "deepfake detection": "DFD", "activity recognition": "HAR", "lip reading": "VSR", "step-by-step reasoning": "COT",
    "pose estimation": "HPE", "depth estimation": "MDE",
}  # fmt: skip
USERS: tuple[str, ...] = (
    "hospitals", "small teams", "developers", "designers", "teachers", "law firms", "banks", "farmers", "researchers",
    "retailers", "newsrooms", "insurers", "students", "factories", "libraries", "airlines", "city councils", "shops",
)  # fmt: skip
QUALITIES: tuple[str, ...] = (
    "faster", "cheaper", "smaller", "more private", "more reliable", "easier to check", "simpler to use",
)  # fmt: skip
ITEMS: tuple[str, ...] = ("images", "recordings", "clips", "documents", "conversations", "examples", "maps", "letters")
LAWS: tuple[str, ...] = ("new rules", "a test duty", "fines", "a licence", "yearly audits", "a label", "a register")
FLAWS: tuple[str, ...] = ("data leak", "login flaw", "prompt flaw", "model theft", "backdoor", "billing flaw")
ROUNDS: tuple[str, ...] = ("seed", "first", "second", "third", "late")
DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
MONTHS: tuple[str, ...] = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
SMALL: tuple[str, ...] = tuple(str(n) for n in range(3, 100))
SUMS: tuple[str, ...] = (*SMALL, *(str(n) for n in range(100, 200, 5)), *(str(n) for n in range(200, 620, 20)))
COUNTS: tuple[str, ...] = tuple(str(n) for n in range(3, 26))
