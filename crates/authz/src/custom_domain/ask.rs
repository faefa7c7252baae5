//! Answers a question.

use cedar_policy::Request;

use super::load::CustomDomain;
use super::one_entity::{about_one, placed};
use super::question::{Answered, DomainQuestion, Unasked};
use super::weight;
use crate::combined_response::CombinedResponse;
use crate::decision::PolicyVerdict;
use crate::json::Uid;

impl CustomDomain {
    /// # Errors
    ///
    /// [`Unasked`]: what the question names is unknown, or a property has another type than the schema declares.
    pub fn ask(&self, question: &DomainQuestion<'_>) -> Result<PolicyVerdict, Unasked> {
        self.answer(question).map(|answered| answered.verdict)
    }

    /// The same, with what was asked.
    ///
    /// # Errors
    ///
    /// As [`CustomDomain::ask`].
    pub fn answer(&self, question: &DomainQuestion<'_>) -> Result<Answered, Unasked> {
        let declared = self.declared_of(question).map_err(Unasked::Bad)?;
        let asked = &declared.of(question);
        let said = self.said_of_one(asked).map_err(Unasked::Bad)?;
        let question = &said.as_ref().map_or(*asked, |said| about_one(asked, said));
        let (subject, resource) = (question.subject, question.resource);
        let unknown = |text: String| Unasked::Unknown(text);
        let action = self
            .actions
            .get(question.action)
            .ok_or_else(|| unknown(format!("there is no action `{}`", question.action)))?;
        for (entity, at) in [(subject, "subject"), (resource, "resource")] {
            if self.types.get(entity.of).is_none() {
                let uid = Uid {
                    of: entity.of.to_owned(),
                    id: entity.id.to_owned(),
                };
                return Err(unknown(format!("there is no {at} `{uid}`")));
            }
        }
        if !action.applies_to(subject.of, resource.of) {
            return Err(unknown(format!(
                "`{}` is not asked by a `{}` about a `{}`",
                question.action, subject.of, resource.of
            )));
        }
        let entities = self.entities(question);
        let entities = entities.map_err(|error| placed(error, asked))?;
        let context = self.context(action, question)?;
        let uid = |of: &str, id: &str| {
            let (of, id) = (of.to_owned(), id.to_owned());
            Uid { of, id }
                .to_cedar()
                .map_err(|error| unknown(error.to_string()))
        };
        let schema = Some(self.snapshot.schema());
        let (principal, about) = (uid(subject.of, subject.id)?, uid(resource.of, resource.id)?);
        let of_principal = self.index.of_principal(&principal, &entities);
        let request = Request::new(
            principal,
            action.uid.clone(),
            about.clone(),
            context,
            schema,
        )
        .map_err(|error| unknown(error.to_string()))?;
        let kind = (action.number, subject.of.to_owned(), resource.of.to_owned());
        let candidates =
            self.index
                .candidates_of(&kind, action.number, &of_principal, &about, &entities);
        let response =
            CombinedResponse::of(&self.snapshot.authorizer, candidates, &request, &entities);
        Ok(Answered {
            verdict: response.into_verdict(&self.snapshot.policies),
            bytes: weight::of(question, &entities),
            request,
            entities,
        })
    }
}
