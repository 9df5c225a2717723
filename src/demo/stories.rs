//! The complaints of the demonstration: none of it happened, and nobody in it exists.

use uuid::Uuid;

use crate::coa::{Language, Policy};
use crate::commands::Failed;
use crate::complaints::Precision;
use crate::complaints::particulars::{Alleged, Identities, Incident, Particulars, ReporterIdentity, Victim};
use crate::complaints::submission::{Keyed, Submission};
use crate::values::Words;

/// One made-up complaint, in words of the policy.
pub(super) struct Story {
    channel: &'static str,
    language: Language,
    allegation: Option<&'static str>,
    department: &'static str,
    relation: &'static str,
    /// The age band of a victim.
    victim: Option<&'static str>,
    /// The reporter, who then is known to intake alone.
    name: Option<&'static str>,
    narrative: &'static str,
}

/// All of them: four languages, five channels, every category.
pub(super) const ALL: [Story; 6] = [
    Story {
        channel: "web_form",
        language: Language::Ht,
        allegation: Some("excessive_use_of_force"),
        department: "HT-OU",
        relation: "witness",
        victim: Some("25-59"),
        name: None,
        narrative: "(Istwa envante, pou demonstrasyon.) Yè swa, nan pòt mache a, yon patwouy te pouse yon machann atè epi yo te \
                    frape l ak kròs zam nan. Li pa t fè anyen. Mwen te wè sa ak je m.",
    },
    Story {
        channel: "hotline",
        language: Language::Fr,
        allegation: Some("corruption_bribery_extortion"),
        department: "HT-AR",
        relation: "victim",
        victim: None,
        name: Some("Célestine Fictive"),
        narrative: "(Récit inventé pour la démonstration.) Au barrage, deux agents en uniforme m'ont demandé de l'argent pour \
                    laisser passer mon camion. J'ai payé deux fois cette semaine.",
    },
    Story {
        channel: "community_mechanism",
        language: Language::Ht,
        allegation: Some("transactional_sex"),
        department: "HT-OU",
        relation: "ngo",
        victim: Some("15-17"),
        name: None,
        narrative: "(Istwa envante, pou demonstrasyon.) Yon tifi nan katye a di yon manm misyon an te ofri l manje ak lajan \
                    pou l te ka dòmi avè l. Li pè pale. Tanpri pa chèche l nan lekòl la.",
    },
    Story {
        channel: "email",
        language: Language::En,
        allegation: Some("traffic"),
        department: "HT-ND",
        relation: "community_leader",
        victim: None,
        name: Some("Bertrand Imagined"),
        narrative: "(Made up for the demonstration.) Every morning one of the white vehicles drives through our street far too \
                    fast while the children walk to school. Please ask the drivers to slow down.",
    },
    Story {
        channel: "complaint_box",
        language: Language::Es,
        allegation: None,
        department: "HT-NE",
        relation: "other",
        victim: None,
        name: None,
        narrative: "(Relato inventado para la demostración.) Quiero contar algo que pasó cerca de la frontera con una patrulla, \
                    pero no sé si es una falta. ¿Con quién puedo hablar sin que nadie lo sepa?",
    },
    Story {
        channel: "web_form",
        language: Language::Fr,
        allegation: Some("abusive_language"),
        department: "HT-SD",
        relation: "journalist",
        victim: None,
        name: None,
        narrative: "(Récit inventé pour la démonstration.) Pendant un contrôle, un agent m'a insultée et a menacé de casser mon \
                    appareil photo. Il ne l'a pas fait, mais plusieurs personnes l'ont entendu.",
    },
];

impl Story {
    /// The submission that it makes under `policy`.
    pub(super) fn submission(&self, policy: &Policy) -> Result<Submission, Failed> {
        let types = || self.allegation.into_iter();
        let mut flags: Vec<String> = policy.flags_of(types()).into_iter().map(str::to_owned).collect();
        if policy.is_child(self.victim, []) && !flags.iter().any(|flag| flag == "child") {
            flags.push("child".to_owned());
        }
        let incident = Incident {
            precision: Precision::Unknown,
            department: policy.department(self.department).map(|department| department.word.clone()),
            ..Incident::default()
        };
        let said = Particulars {
            relation: Some(self.relation.to_owned()),
            incident: incident.clone(),
            victims: self
                .victim
                .map(|band| Victim {
                    sex: Some("f".to_owned()),
                    age_band: Some(band.to_owned()),
                    vulnerabilities: Vec::new(),
                })
                .into_iter()
                .collect(),
            allegations: types().map(|word| Alleged { r#type: word.to_owned() }).collect(),
            ..Particulars::default()
        };
        let reporter = self.name.map(|name| ReporterIdentity { name: Some(name.to_owned()), contact: None });
        Ok(Submission {
            id: Uuid::now_v7(),
            keyed: Keyed::ByNothing,
            channel: self.channel.to_owned(),
            language_stated: true,
            language: self.language,
            narrative: Words::parse(self.narrative.to_owned()).map_err(Failed::new)?,
            reported_category: None,
            category: policy.first_category(None, types()).to_owned(),
            priority: policy.initial_priority().to_owned(),
            flags,
            anonymity: if self.name.is_some() { "confidential" } else { "anonymous" }.to_owned(),
            incident,
            country: None,
            captured_at: None,
            said,
            names: Identities { reporter, ..Identities::default() },
        })
    }

    /// Whether the policy knows every word of it.
    #[cfg(test)]
    pub(super) fn check(&self, policy: &Policy) {
        use crate::coa::Vocabulary as V;
        let words = [
            (V::Channel, Some(self.channel)),
            (V::AllegationType, self.allegation),
            (V::Department, Some(self.department)),
            (V::ReporterRelation, Some(self.relation)),
            (V::AgeBand, self.victim),
        ];
        for (vocabulary, word) in words {
            assert!(word.is_none_or(|word| policy.knows(vocabulary, word)), "{word:?}");
        }
    }
}
