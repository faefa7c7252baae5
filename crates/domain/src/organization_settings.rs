//! A change of an organization's settings (contract section 5). For each field, `None` leaves it unchanged and
//! `Some(None)` clears it. If the result is invalid, nothing changes.

use super::email::EmailAddress;
use super::organization::Organization;
use super::region::Region;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsChange {
    pub contact_email: Option<Option<EmailAddress>>,
    pub default_region: Option<Option<Region>>,
    /// In this order.
    pub allowed_regions: Option<Vec<Region>>,
}

/// Why the settings would be invalid; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenSettings {
    #[error("must have at least one region")]
    NoRegion,
    #[error("must not have `{0}` twice")]
    RegionTwice(Region),
    /// The default region is not among the allowed ones.
    #[error("must be null or one of the allowed regions; change it in the same request")]
    DefaultNotAllowed,
}

impl BrokenSettings {
    /// The invalid setting.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::NoRegion | Self::RegionTwice(_) => "allowed_regions",
            Self::DefaultNotAllowed => "default_region",
        }
    }
}

impl SettingsChange {
    /// Applies the change.
    ///
    /// # Errors
    ///
    /// The result would be invalid; the organization is unchanged.
    pub fn apply(&self, organization: &mut Organization) -> Result<(), BrokenSettings> {
        let allowed = match &self.allowed_regions {
            Some(regions) => names(regions)?,
            None => organization.allowed_regions.clone(),
        };
        let default = match self.default_region {
            Some(region) => region.map(|region| region.as_str().to_owned()),
            None => organization.default_region.clone(),
        };
        if default
            .as_ref()
            .is_some_and(|default| !allowed.contains(default))
        {
            return Err(BrokenSettings::DefaultNotAllowed);
        }
        if let Some(email) = &self.contact_email {
            organization.contact_email = email.as_ref().map(ToString::to_string);
        }
        organization.allowed_regions = allowed;
        organization.default_region = default;
        Ok(())
    }
}

fn names(regions: &[Region]) -> Result<Vec<String>, BrokenSettings> {
    if regions.is_empty() {
        return Err(BrokenSettings::NoRegion);
    }
    for (at, region) in regions.iter().enumerate() {
        if regions.iter().take(at).any(|other| other == region) {
            return Err(BrokenSettings::RegionTwice(*region));
        }
    }
    Ok(regions.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::OrganizationId;
    use crate::metadata::Metadata;
    use crate::organization::PlanTier;
    use crate::text::Name;
    use crate::timestamp;

    fn organization(allowed: &[Region], default: Option<Region>) -> Organization {
        let at = timestamp::parse("2025-09-30T12:00:00Z").expect("a time");
        Organization {
            id: OrganizationId::from_uuid(uuid::Uuid::from_u128(1)),
            code: "a1b2c3".parse().expect("a code"),
            slug: "acme".to_owned(),
            name: Name::parse("Acme").expect("a name"),
            contact_email: Some("old@example.com".to_owned()),
            default_region: default.map(|region| region.to_string()),
            allowed_regions: allowed.iter().map(ToString::to_string).collect(),
            plan_tier: PlanTier::Free,
            monthly_doc_limit: 100,
            is_active: true,
            deactivated_at: None,
            metadata: Metadata::default(),
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    /// All lists of up to three regions, including duplicates.
    fn lists() -> Vec<Vec<Region>> {
        let mut all: Vec<Vec<Region>> = vec![vec![]];
        for length in 0..3 {
            let longer: Vec<_> = all
                .iter()
                .filter(|list| list.len() == length)
                .flat_map(|list| Region::ALL.map(|more| [list.as_slice(), &[more]].concat()))
                .collect();
            all.extend(longer);
        }
        all
    }

    fn holds(organization: &Organization) -> bool {
        let allowed = &organization.allowed_regions;
        let known = allowed.iter().all(|name| Region::parse(name).is_some());
        let once = allowed
            .iter()
            .enumerate()
            .all(|(at, name)| !allowed[..at].contains(name));
        let default = organization.default_region.as_ref();
        !allowed.is_empty() && known && once && default.is_none_or(|name| allowed.contains(name))
    }

    #[test]
    fn every_change_of_every_state_keeps_the_rules_or_changes_nothing() {
        let defaults: Vec<Option<Region>> =
            Region::ALL.into_iter().map(Some).chain([None]).collect();
        let emails = [
            None,
            Some(None),
            Some(Some(EmailAddress::from_stored(
                "new@example.com".to_owned(),
            ))),
        ];
        let (mut applied, mut refused) = (0, 0);
        for stored in lists() {
            for stored_default in &defaults {
                let before = organization(&stored, *stored_default);
                if !holds(&before) {
                    continue;
                }
                for allowed in lists().into_iter().map(Some).chain([None]) {
                    for default in defaults.iter().copied().map(Some).chain([None]) {
                        for email in &emails {
                            let change = SettingsChange {
                                contact_email: email.clone(),
                                default_region: default,
                                allowed_regions: allowed.clone(),
                            };
                            let mut after = before.clone();
                            if change.apply(&mut after).is_ok() {
                                assert!(holds(&after), "{change:?} on {before:?}");
                                applied += 1;
                            } else {
                                assert_eq!(after, before);
                                refused += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(
            applied > 1_000 && refused > 1_000,
            "{applied} and {refused}"
        );
    }

    #[test]
    fn absent_is_not_null() {
        let all = Region::ALL;
        let mut organization = organization(&all, Some(Region::UsEast2));
        let nothing = SettingsChange::default();
        let before = organization.clone();
        assert_eq!(nothing.apply(&mut organization), Ok(()));
        assert_eq!(organization, before);
        let dropped = SettingsChange {
            allowed_regions: Some(vec![Region::EuCentral1]),
            ..SettingsChange::default()
        };
        assert_eq!(
            dropped.apply(&mut organization),
            Err(BrokenSettings::DefaultNotAllowed)
        );
        let cleared = SettingsChange {
            default_region: Some(None),
            ..dropped
        };
        assert_eq!(cleared.apply(&mut organization), Ok(()));
        assert_eq!(organization.default_region, None);
        assert_eq!(
            organization.contact_email.as_deref(),
            Some("old@example.com")
        );
    }
}
