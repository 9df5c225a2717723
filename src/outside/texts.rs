//! What came of checking a receipt, in one plain sentence, in Haitian Creole, French, English and Spanish.
//!
//! The Haitian Creole awaits a reader who grew up with it.

use chrono::{DateTime, Utc};

use super::Verdict;
use crate::coa::Language;

/// What came of checking a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It proves that a complaint was registered.
    Registered {
        /// The log's name.
        log: String,
        /// When, by the log's clock.
        at: DateTime<Utc>,
        /// The entry's place.
        number: u64,
    },
    /// It proves that a complaint was registered, in the words that were given.
    RegisteredInTheseWords {
        /// The log's name.
        log: String,
        /// When, by the log's clock.
        at: DateTime<Utc>,
        /// The entry's place.
        number: u64,
    },
    /// It is genuine, but the words are others.
    OtherWords {
        /// The log's name.
        log: String,
        /// When, by the log's clock.
        at: DateTime<Utc>,
        /// The entry's place.
        number: u64,
    },
    /// It is genuine, but its entry says nothing of words, so that none can be compared.
    NoWords {
        /// The log's name.
        log: String,
        /// When, by the log's clock.
        at: DateTime<Utc>,
        /// The entry's place.
        number: u64,
    },
    /// It is genuine, but the file of words cannot be read.
    WordsUnreadable {
        /// The log's name.
        log: String,
        /// When, by the log's clock.
        at: DateTime<Utc>,
        /// The entry's place.
        number: u64,
        /// Why not.
        why: String,
    },
    /// The file is no receipt, or cannot be read.
    NotAReceipt {
        /// Why not.
        why: String,
    },
    /// What was given as a key is none.
    NoKey {
        /// Why not.
        why: String,
    },
    /// The key that was given did not sign it.
    NotSigned,
    /// It is of a log whose key was not given.
    OtherLog {
        /// That log's name, which nobody vouches for.
        log: String,
    },
    /// Its entry is not in the tree that was signed.
    NotInLog,
    /// Its entry is in the log, but is not about the arrival of a complaint.
    NoArrival {
        /// The log's name.
        log: String,
        /// What is wrong with it.
        why: String,
    },
    /// Too few of the trusted witnesses signed.
    FewWitnesses {
        /// How many did.
        count: usize,
        /// How many must.
        needed: usize,
    },
    /// A signature in the name of a trusted witness is false.
    FalseWitness {
        /// The witness.
        witness: String,
    },
}

impl Said {
    /// Whether that is good.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Registered { .. } | Self::RegisteredInTheseWords { .. } => Verdict::Good,
            Self::NoWords { .. }
            | Self::WordsUnreadable { .. }
            | Self::NotAReceipt { .. }
            | Self::NoKey { .. } => Verdict::Unchecked,
            Self::OtherWords { .. }
            | Self::NotSigned
            | Self::OtherLog { .. }
            | Self::NotInLog
            | Self::NoArrival { .. }
            | Self::FewWitnesses { .. }
            | Self::FalseWitness { .. } => Verdict::Tampered,
        }
    }

    /// The cause, in English, for whoever wants to mend it.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::WordsUnreadable { why, .. }
            | Self::NotAReceipt { why }
            | Self::NoKey { why }
            | Self::NoArrival { why, .. } => Some(why),
            _ => None,
        }
    }

    /// The sentence.
    pub fn say(&self, language: Language) -> String {
        let [ht, fr, en, es] = self.sentences();
        let sentence = match language {
            Language::Ht => ht,
            Language::Fr => fr,
            Language::En => en,
            Language::Es => es,
        };
        let mut said = sentence.to_owned();
        for (slot, value) in self.values() {
            said = said.replace(slot, &value);
        }
        said
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Registered { log, at, number }
            | Self::RegisteredInTheseWords { log, at, number }
            | Self::OtherWords { log, at, number }
            | Self::NoWords { log, at, number }
            | Self::WordsUnreadable { log, at, number, .. } => vec![
                ("{time}", at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
                ("{number}", number.to_string()),
                // Last: a name may look like a slot.
                ("{log}", log.clone()),
            ],
            Self::OtherLog { log } | Self::NoArrival { log, .. } => vec![("{log}", log.clone())],
            Self::FewWitnesses { count, needed } => {
                vec![("{count}", count.to_string()), ("{needed}", needed.to_string())]
            }
            Self::FalseWitness { witness } => vec![("{witness}", witness.clone())],
            Self::NotAReceipt { .. } | Self::NoKey { .. } | Self::NotSigned | Self::NotInLog => Vec::new(),
        }
    }

    /// In the order of [`Language::ALL`].
    const fn sentences(&self) -> [&'static str; 4] {
        match self {
            Self::Registered { .. } => [
                "Resi sa a bon: rejis {log} te anrejistre yon plent {time}, sou nimewo {number}; li pa ka nye sa ni chanje l san moun pa wè sa.",
                "Ce reçu est authentique : le registre {log} a enregistré une plainte ({time}), sous le numéro {number} ; il ne peut ni le nier ni le changer sans que cela se voie.",
                "This receipt is genuine: the log {log} registered a complaint at {time}, as number {number}; it cannot deny or change that unnoticed.",
                "Este recibo es auténtico: el registro {log} registró una denuncia ({time}) con el número {number}; no puede negarlo ni cambiarlo sin que se note.",
            ],
            Self::RegisteredInTheseWords { .. } => [
                "Resi sa a bon: rejis {log} te anrejistre yon plent {time}, sou nimewo {number}, ak egzakteman mo ki nan fichye ou a; li pa ka nye sa ni chanje l san moun pa wè sa.",
                "Ce reçu est authentique : le registre {log} a enregistré une plainte ({time}), sous le numéro {number}, avec exactement les mots de votre fichier ; il ne peut ni le nier ni le changer sans que cela se voie.",
                "This receipt is genuine: the log {log} registered a complaint at {time}, as number {number}, in exactly the words of your file; it cannot deny or change that unnoticed.",
                "Este recibo es auténtico: el registro {log} registró una denuncia ({time}) con el número {number}, exactamente con las palabras de su archivo; no puede negarlo ni cambiarlo sin que se note.",
            ],
            Self::OtherWords { .. } => [
                "Resi a bon (rejis {log}, {time}, nimewo {number}), men mo ki nan fichye ou a pa mo ki te anrejistre yo: pa gen yon sèl lèt ki dwe diferan.",
                "Le reçu est authentique (registre {log}, {time}, numéro {number}), mais les mots de votre fichier ne sont pas ceux qui ont été enregistrés : pas une lettre ne doit différer.",
                "The receipt is genuine (log {log}, {time}, number {number}), but the words of your file are not those that were registered: not one letter may differ.",
                "El recibo es auténtico (registro {log}, {time}, número {number}), pero las palabras de su archivo no son las que se registraron: no puede cambiar ni una letra.",
            ],
            Self::NoWords { .. } => [
                "Resi a bon (rejis {log}, {time}, nimewo {number}), men li pa gen anprent mo yo, kidonk nou pa t ka konpare yo.",
                "Le reçu est authentique (registre {log}, {time}, numéro {number}), mais il ne contient pas d'empreinte des mots ; ils n'ont donc pas pu être comparés.",
                "The receipt is genuine (log {log}, {time}, number {number}), but it holds no fingerprint of the words, so these could not be compared.",
                "El recibo es auténtico (registro {log}, {time}, número {number}), pero no contiene una huella de las palabras, así que no se pudieron comparar.",
            ],
            Self::WordsUnreadable { .. } => [
                "Resi a bon (rejis {log}, {time}, nimewo {number}), men nou pa t ka li fichye ki ta dwe gen mo ou yo ladan l.",
                "Le reçu est authentique (registre {log}, {time}, numéro {number}), mais le fichier qui devrait contenir vos mots n'a pas pu être lu.",
                "The receipt is genuine (log {log}, {time}, number {number}), but the file that should hold your words could not be read.",
                "El recibo es auténtico (registro {log}, {time}, número {number}), pero no se pudo leer el archivo que debería contener sus palabras.",
            ],
            Self::NotAReceipt { .. } => [
                "Nou pa t ka verifye: fichye a pa yon resi nou ka li, oswa li gate.",
                "La vérification n'a pas pu se faire : le fichier n'est pas un reçu que l'on puisse lire, ou il est endommagé.",
                "This could not be checked: the file is not a receipt that can be read, or it is damaged.",
                "No se pudo verificar: el archivo no es un recibo que se pueda leer, o está dañado.",
            ],
            Self::NoKey { .. } => [
                "Nou pa t ka verifye: sa ou bay kòm kle a pa yon kle nou ka li.",
                "La vérification n'a pas pu se faire : ce qui a été donné comme clé n'est pas une clé que l'on puisse lire.",
                "This could not be checked: what was given as a key is not one that can be read.",
                "No se pudo verificar: lo que se dio como clave no es una clave que se pueda leer.",
            ],
            Self::NotSigned => [
                "Resi sa a pa pwouve anyen: yo pa t siyen l ak kle ou bay la, oswa yon moun chanje l apre sa.",
                "Ce reçu ne prouve rien : il n'a pas été signé avec la clé donnée, ou il a été changé après.",
                "This receipt proves nothing: it was not signed with the key that was given, or it was changed afterwards.",
                "Este recibo no prueba nada: no se firmó con la clave que se dio, o se cambió después.",
            ],
            Self::OtherLog { .. } => [
                "Resi sa a pa pwouve anyen ak kle sa a: li di l soti nan rejis {log}, men kle a se pou yon lòt rejis.",
                "Ce reçu ne prouve rien avec cette clé : il dit venir du registre {log}, et la clé est celle d'un autre.",
                "This receipt proves nothing with this key: it says that it is of the log {log}, and the key is of another one.",
                "Este recibo no prueba nada con esta clave: dice que es del registro {log}, y la clave es de otro.",
            ],
            Self::NotInLog => [
                "Resi sa a pa pwouve anyen: sa ki ekri ladan l pa nan rejis ki te siyen an, kidonk yon moun chanje youn nan de yo.",
                "Ce reçu ne prouve rien : ce qu'il contient n'est pas dans le registre signé ; l'un des deux a donc été changé.",
                "This receipt proves nothing: its entry is not in the log that was signed, so one of the two was changed.",
                "Este recibo no prueba nada: lo que contiene no está en el registro firmado, así que uno de los dos se cambió.",
            ],
            Self::NoArrival { .. } => [
                "Sa pa pwouve gen yon plent: sa ki ekri a nan rejis {log}, men li pa di yo te anrejistre yon plent.",
                "Ceci ne prouve pas de plainte : l'inscription est dans le registre {log}, mais elle ne dit pas qu'une plainte a été enregistrée.",
                "This proves no complaint: the entry is in the log {log}, but it does not say that a complaint was registered.",
                "Esto no prueba ninguna denuncia: la anotación está en el registro {log}, pero no dice que se haya registrado una denuncia.",
            ],
            Self::FewWitnesses { .. } => [
                "Resi sa a pa ase: {count} nan temwen ou fè konfyans yo te siyen l, men fòk gen {needed}.",
                "Ce reçu ne suffit pas : {count} des témoins auxquels vous faites confiance l'ont signé, il en faut {needed}.",
                "This receipt is not enough: {count} of the witnesses whom you trust signed it, and {needed} must.",
                "Este recibo no basta: lo firmaron {count} de los testigos en los que usted confía, y hacen falta {needed}.",
            ],
            Self::FalseWitness { .. } => [
                "Pa fè resi sa a konfyans: siyati ki sou non temwen {witness} fo.",
                "Ne vous fiez pas à ce reçu : la signature au nom du témoin {witness} est fausse.",
                "Do not trust this receipt: the signature in the name of the witness {witness} is false.",
                "No confíe en este recibo: la firma a nombre del testigo {witness} es falsa.",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Said> {
        let (log, at, number) = ("log.example".to_owned(), DateTime::UNIX_EPOCH, 7);
        let why = "of a cause".to_owned();
        vec![
            Said::Registered { log: log.clone(), at, number },
            Said::RegisteredInTheseWords { log: log.clone(), at, number },
            Said::OtherWords { log: log.clone(), at, number },
            Said::NoWords { log: log.clone(), at, number },
            Said::WordsUnreadable { log: log.clone(), at, number, why: why.clone() },
            Said::NotAReceipt { why: why.clone() },
            Said::NoKey { why: why.clone() },
            Said::NotSigned,
            Said::OtherLog { log: log.clone() },
            Said::NotInLog,
            Said::NoArrival { log, why },
            Said::FewWitnesses { count: 1, needed: 2 },
            Said::FalseWitness { witness: "witness.example".to_owned() },
        ]
    }

    #[test]
    fn every_outcome_is_one_sentence_in_each_language() {
        for said in every() {
            let mut all: Vec<String> = Language::ALL.iter().map(|language| said.say(*language)).collect();
            for sentence in &all {
                assert!(!sentence.contains(['{', '}', '\n']), "{sentence}");
                assert!(sentence.ends_with('.') && sentence.matches(". ").count() == 0, "{sentence}");
                for (_, value) in said.values() {
                    assert!(sentence.contains(&value), "{sentence} does not say {value}");
                }
            }
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 4);
        }
    }

    #[test]
    fn a_name_cannot_put_words_into_the_sentence() {
        let log = "{number}{time}".to_owned();
        let said = Said::Registered { log, at: DateTime::UNIX_EPOCH, number: 7 }.say(Language::En);
        assert!(
            said.contains("the log {number}{time} registered a complaint at 1970-01-01 00:00:00 UTC"),
            "{said}"
        );
    }
}
