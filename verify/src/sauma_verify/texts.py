"""What is said of every check and finding, in Finnish, Swedish and English."""

from sauma_verify.verdict import Code, State

LANGUAGES = ("fi", "sv", "en")

CHECKS: dict[str, tuple[str, str, str]] = {
    "key": ("Lokin avain", "Loggens nyckel", "The log's key"),
    "checkpoint": ("Allekirjoitettu tila", "Undertecknat läge", "Signed checkpoint"),
    "witnesses": ("Todistajat", "Vittnen", "Witnesses"),
    "tree": ("Merkinnät muodostavat puun", "Posterna bildar trädet", "Entries make the tree"),
    "tiles": ("Tiivistelaatat", "Hashplattor", "Tiles"),
    "history": ("Aiemmat tilat", "Tidigare lägen", "Older checkpoints"),
    "entries": ("Merkintöjen muoto ja tunnukset", "Posternas form och id", "Shape and ids of entries"),
    "time": ("Aikajärjestys", "Tidsordning", "Order of time"),
    "writers": ("Kirjoittajien ketjut", "Skribenternas kedjor", "Writers' chains"),
    "proofs": ("Kuulumistodistukset", "Inklusionsbevis", "Inclusion proofs"),
    "receipts": ("Kuitit", "Kvitton", "Receipts"),
    "payloads": ("Paljastetut sisällöt", "Avslöjat innehåll", "Revealed payloads"),
}

STATES: dict[State, tuple[str, str, str]] = {
    State.OK: ("kunnossa", "i sin ordning", "ok"),
    State.SKIP: ("ei tarkistettu", "inte kontrollerat", "not checked"),
    State.WARN: ("huomaa", "observera", "note"),
    State.WRONG: ("VÄÄRIN", "FEL", "WRONG"),
}

VERDICTS: dict[State, tuple[str, str, str]] = {
    State.OK: (
        "Kaikki tarkistettu on kunnossa.",
        "Allt som kontrollerades är i sin ordning.",
        "All checked is in order.",
    ),
    State.WARN: (
        "Mitään väärää ei löytynyt, mutta kaikkea ei voitu tarkistaa.",
        "Inget fel hittades, men allt kunde inte kontrolleras.",
        "Nothing wrong was found, but not all could be checked.",
    ),
    State.WRONG: (
        "Loki ei ole se, joksi se väittää.",
        "Loggen är inte den som den påstår.",
        "The log is not what it claims.",
    ),
}

FINDINGS: dict[Code, tuple[str, str, str]] = {
    Code.KEY_UNTRUSTED: (
        "avain on otettu tarkistettavasta aineistosta itsestään; anna se muualta",
        "nyckeln togs ur själva materialet; ge den från annat håll",
        "the key was taken from what is being checked; give it from elsewhere",
    ),
    Code.KEY_MISSING: ("avainta ei ole annettu", "ingen nyckel har getts", "no key was given"),
    Code.KEY_MALFORMED: ("avain on virheellinen", "nyckeln är felaktig", "the key is malformed"),
    Code.NOTE_MALFORMED: ("muoto on virheellinen", "formen är felaktig", "malformed"),
    Code.CHECKPOINT_MISSING: ("allekirjoitettu tila puuttuu", "undertecknat läge saknas", "there is no checkpoint"),
    Code.SIGNATURE: (
        "allekirjoitus puuttuu tai on väärä",
        "underskriften saknas eller är falsk",
        "the signature is missing or false",
    ),
    Code.FILE_MISSING: ("tiedosto puuttuu", "filen saknas", "the file is missing"),
    Code.PRUNED: ("poistettu säilytysajan jälkeen", "gallrad efter förvaringstiden", "pruned after its retention"),
    Code.BUNDLE_SHAPE: ("merkintätiedosto on rikki", "postfilen är trasig", "the entry bundle is broken"),
    Code.ENTRY_TAMPERED: (
        "merkintä ei ole se, joka allekirjoitettiin",
        "posten är inte den som undertecknades",
        "the entry is not the one that was signed",
    ),
    Code.RANGE_TAMPERED: (
        "jokin näistä merkinnöistä ei ole se, joka allekirjoitettiin",
        "någon av dessa poster är inte den som undertecknades",
        "one of these entries is not the one that was signed",
    ),
    Code.TILE_TAMPERED: (
        "laatta ei vastaa merkintöjä",
        "plattan motsvarar inte posterna",
        "the tile is not what the entries make",
    ),
    Code.ROOT: (
        "merkinnöistä laskettu juuri ei ole allekirjoitettu juuri",
        "roten som posterna ger är inte den undertecknade",
        "the root the entries make is not the signed one",
    ),
    Code.NOT_REBUILT: ("ei voitu laskea", "kunde inte beräknas", "could not be computed"),
    Code.SURPLUS: (
        "tiedosto ei kuulu tähän puuhun",
        "filen hör inte till detta träd",
        "the file does not belong to this tree",
    ),
    Code.ROLLBACK: (
        "aiempi tila on suurempi: lokista on poistettu loppu",
        "ett tidigare läge är större: slutet har tagits bort",
        "an older checkpoint is larger: the end was taken away",
    ),
    Code.FORK: (
        "aiempi tila on toisesta puusta: lokia on muutettu",
        "ett tidigare läge är av ett annat träd: loggen har ändrats",
        "an older checkpoint is of another tree: the log was rewritten",
    ),
    Code.CONSISTENCY_FALSE: (
        "jatkuvuustodistus on väärä",
        "kontinuitetsbeviset är falskt",
        "the consistency proof is malformed or false",
    ),
    Code.LEAF_SHAPE: ("merkintä ei ole oikeaa muotoa", "posten har fel form", "the entry is not of its form"),
    Code.ID_TWICE: ("sama tunnus kahdesti", "samma id två gånger", "the same id twice"),
    Code.ID_TIME: (
        "tunnuksen aika on toinen kuin merkinnän",
        "id:ts tid är en annan än postens",
        "the time in the id is not the entry's",
    ),
    Code.TIME_ORDER: (
        "päivätty selvästi edellään olevaa aiemmaksi",
        "daterad klart före en post framför den",
        "dated well before an entry in front of it",
    ),
    Code.STALE: ("uusin merkintä on liian vanha", "den nyaste posten är för gammal", "the newest entry is too old"),
    Code.WRITER_START: (
        "kirjoittajan ensimmäinen merkintä ei ole sen aloitus",
        "skribentens första post är inte dess start",
        "a writer's first entry is not its start",
    ),
    Code.WRITER_TWICE: ("kirjoittajan numero kahdesti", "skribentens nummer två gånger", "a writer's number twice"),
    Code.WRITER_GAP: (
        "kirjoittajan merkintä puuttuu",
        "en post av skribenten saknas",
        "an entry of a writer is missing",
    ),
    Code.WRITER_LINK: (
        "merkintä ei viittaa kirjoittajan edelliseen",
        "posten hänvisar inte till skribentens föregående",
        "the entry does not link to its writer's previous one",
    ),
    Code.WRITER_END: (
        "kirjoittajan loppu puuttuu tai on toinen kuin sen seuraaja sanoo",
        "skribentens slut saknas eller är ett annat än efterföljaren säger",
        "a writer's end is missing or other than its successor says",
    ),
    Code.PROOF_MALFORMED: ("todistus on virheellinen", "beviset är felaktigt", "the proof is malformed"),
    Code.PROOF_FALSE: (
        "todistus ei todista tätä merkintää",
        "beviset bevisar inte denna post",
        "the proof does not prove this entry",
    ),
    Code.LEAF_UNKNOWN: (
        "merkintää ei ole aineistossa, joten sitä ei voitu verrata",
        "posten finns inte i materialet och kunde inte jämföras",
        "the entry is not here to be compared with",
    ),
    Code.RECEIPT_MALFORMED: ("kuitti on virheellinen", "kvittot är felaktigt", "the receipt is malformed"),
    Code.RECEIPT_SIGNATURE: (
        "kuitin allekirjoitus on väärä tai tuntemattoman avaimen",
        "kvittots underskrift är falsk eller av en okänd nyckel",
        "the receipt's signature is false or of an unknown key",
    ),
    Code.RECEIPT_ABSENT: (
        "kuitattu merkintä ei ole lokissa",
        "den kvitterade posten finns inte i loggen",
        "the entry of the receipt is not in the log",
    ),
    Code.RECEIPT_PENDING: (
        "kuitattu merkintä on uudempi kuin tämä tila; tarkista uudelleen",
        "den kvitterade posten är nyare än detta läge; kontrollera på nytt",
        "the entry of the receipt is newer than this checkpoint; check again later",
    ),
    Code.RECEIPT_LEAF: (
        "kuitattu merkintä on lokissa toisena",
        "den kvitterade posten står i loggen som en annan",
        "the entry of the receipt stands in the log as another",
    ),
    Code.REVEAL_ABSENT: (
        "sisällön merkintä ei ole lokissa",
        "innehållets post finns inte i loggen",
        "the entry of this content is not in the log",
    ),
    Code.REVEAL_FALSE: (
        "sisältö ei ole se, johon merkintä sitoutuu",
        "innehållet är inte det som posten förbinder sig till",
        "the content is not what the entry commits to",
    ),
    Code.POLICY_MALFORMED: ("käytäntötiedosto on virheellinen", "policyfilen är felaktig", "the policy is malformed"),
    Code.QUORUM: (
        "liian harva todistaja on allekirjoittanut",
        "för få vittnen har undertecknat",
        "too few witnesses signed",
    ),
}


def said(texts: tuple[str, str, str], language: str) -> str:
    """The text in one of the languages."""
    return texts[LANGUAGES.index(language)]
