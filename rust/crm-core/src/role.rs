use std::fmt;
use std::str::FromStr;

use crate::{Error, Result, nearest_name};

macro_rules! roles {
    ($($variant:ident $name:literal $list:literal $doc:literal),* $(,)?) => {
        /// What a column of a contact means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Role { $(#[doc = $doc] $variant),* }

        impl Role {
            /// All roles, in the order in which golden records show them.
            pub const ALL: &'static [Role] = &[$(Role::$variant),*];

            /// The canonical column name.
            pub fn name(self) -> &'static str {
                match self { $(Role::$variant => $name),* }
            }

            /// Whether a golden record may hold several values of it.
            pub fn is_list(self) -> bool {
                match self { $(Role::$variant => $list),* }
            }
        }
    };
}

roles! {
    Source "source" false "The system a record came from.",
    SourceKey "source_key" false "The record's key within its source.",
    ContactType "contact_type" false "`person` or `company`.",
    FullName "full_name" false "A person's whole name in one cell.",
    FamilyName "family_name" false "Surname.",
    GivenName "given_name" false "First name.",
    MiddleName "middle_name" false "Middle name, initial or patronymic.",
    Suffix "suffix" false "Jr, Sr, III.",
    Gender "gender" false "`female`, `male`, or as the source says it.",
    BirthDate "birth_date" false "Date of birth.",
    CompanyName "company_name" false "Name of the company, or the employer of a person.",
    JobTitle "job_title" false "Position or occupation.",
    TaxId "tax_id" false "A number the state gives to one person or company: INN, registration number, VAT, SSN.",
    Email "email" true "E-mail address.",
    Phone "phone" true "Telephone number.",
    Website "website" true "Web address.",
    Social "social" true "Handle or link in a social network.",
    Country "country" false "Country.",
    Region "region" false "State, oblast, county.",
    City "city" false "City or town.",
    Street "street" false "Street, house and flat.",
    Postcode "postcode" false "Postal code.",
    Latitude "latitude" false "Degrees north.",
    Longitude "longitude" false "Degrees east.",
    Language "language" false "Language of contact.",
    Owner "owner" false "The employee who keeps the contact.",
    Channel "channel" false "Where the contact came from.",
    Status "status" false "State of the contact in its source.",
    Tags "tags" true "Labels.",
    MarketingConsent "marketing_consent" false "Whether marketing may be sent; opt-out wins.",
    Note "note" false "Free text.",
    CreatedAt "created_at" false "When the source created the record.",
    UpdatedAt "updated_at" false "When the source last changed the record.",
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Role::ALL.iter().copied().find(|role| role.name() == name).ok_or_else(|| {
            let hint = nearest_name(name, Role::ALL.iter().map(|role| role.name()));
            let hint = hint.map(|hint| format!("; did you mean '{hint}'?")).unwrap_or_default();
            Error::config(format!("'{name}' is not a role{hint}"))
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_found_by_its_name() {
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>().unwrap(), *role);
        }
    }

    #[test]
    fn a_mistyped_role_names_the_nearest() {
        let error = "famly_name".parse::<Role>().unwrap_err();
        assert_eq!(error.message(), "'famly_name' is not a role; did you mean 'family_name'?");
    }
}
