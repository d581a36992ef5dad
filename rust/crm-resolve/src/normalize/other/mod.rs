//! Web addresses, social handles, yes and no.
mod website;

use super::text::placeholder_reason;
use super::{Reason, fold_into};
pub use website::{looks_like_website, parse_website, split_websites, website_into};

/// Replaces `out` with `network:handle` for a link or handle of a social network: LinkedIn, Facebook, Instagram, X, VK, Telegram, OK, TikTok, YouTube, WhatsApp, Skype, Viber,
/// GitHub, Xing. A bare `@handle` becomes `handle`, its network not known; another link its web address.
///
/// ```
/// use crm_resolve::normalize::parse_social;
/// let mut handle = String::new();
/// parse_social("https://www.linkedin.com/in/Anna-Berzina/?x=1", &mut handle).unwrap();
/// assert_eq!(handle, "linkedin:in/anna-berzina");
/// parse_social("t.me/anna", &mut handle).unwrap();
/// assert_eq!(handle, "telegram:anna");
/// parse_social("https://twitter.com/Anna", &mut handle).unwrap();
/// assert_eq!(handle, "x:anna");
/// ```
pub fn parse_social(raw: &str, out: &mut String) -> Result<(), Reason> {
    out.clear();
    if raw.len() > 2048 {
        return Err(Reason::TooLong);
    }
    let text = raw.trim();
    if let Some(reason) = placeholder_reason(text) {
        return Err(reason);
    }
    if let Some(handle) = text.strip_prefix('@') {
        let handle = handle.trim();
        if handle.is_empty() || handle.contains(char::is_whitespace) {
            return Err(Reason::BadFormat);
        }
        out.extend(handle.chars().flat_map(char::to_lowercase));
        return Ok(());
    }
    let mut site = String::new();
    if parse_website(text, &mut site).is_err() {
        if text.contains(char::is_whitespace) || text.len() > 64 {
            return Err(Reason::BadFormat);
        }
        out.extend(text.chars().flat_map(char::to_lowercase));
        return Ok(());
    }
    let (host, path) = site.split_once('/').unwrap_or((&site, ""));
    let host = ["m.", "mobile.", "ru.", "en.", "lv.", "de.", "uk.", "us.", "fr.", "web.", "ru-ru.", "lv-lv."]
        .iter()
        .find_map(|prefix| host.strip_prefix(prefix))
        .unwrap_or(host);
    let network = match host {
        "linkedin.com" | "lnkd.in" => "linkedin",
        "facebook.com" | "fb.com" | "fb.me" => "facebook",
        "instagram.com" | "instagr.am" => "instagram",
        "twitter.com" | "x.com" => "x",
        "vk.com" | "vk.ru" | "vkontakte.ru" => "vk",
        "t.me" | "telegram.me" | "telegram.org" => "telegram",
        "ok.ru" | "odnoklassniki.ru" => "ok",
        "tiktok.com" => "tiktok",
        "youtube.com" => "youtube",
        "wa.me" | "whatsapp.com" => "whatsapp",
        "github.com" => "github",
        "xing.com" => "xing",
        "draugiem.lv" => "draugiem",
        _ => {
            out.push_str(&site);
            return Ok(());
        }
    };
    let path = path.trim_start_matches(['@', '/']).trim_start_matches("#!/");
    if path.is_empty() {
        return Err(Reason::BadFormat);
    }
    out.push_str(network);
    out.push(':');
    if let Some((_, id)) = text.split_once("profile.php?id=").filter(|_| network == "facebook") {
        out.extend(id.chars().take_while(char::is_ascii_digit));
        return Ok(());
    }
    // Only the profile, not the page inside it; LinkedIn's in/ and company/ are part of it.
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or("");
    out.push_str(first);
    if matches!(first, "in" | "company" | "pub" | "profile" | "groups" | "channel" | "c" | "people" | "pages" | "user" | "school")
        && let Some(second) = parts.next()
    {
        out.push('/');
        out.push_str(second);
    }
    Ok(())
}

/// Reads yes or no in English, Russian, Latvian, German and others, ticks, 1 and 0, and the words of consent (subscribed, opted out, отписан).
///
/// ```
/// use crm_resolve::normalize::parse_boolean;
/// assert_eq!(parse_boolean("Да"), Ok(true));
/// assert_eq!(parse_boolean("unsubscribed"), Ok(false));
/// assert!(parse_boolean("maybe").is_err());
/// ```
pub fn parse_boolean(raw: &str) -> Result<bool, super::Reason> {
    let text = raw.trim();
    match text {
        "1" | "true" | "True" | "TRUE" | "yes" | "Yes" | "Y" | "y" | "+" | "✓" | "✔" | "☑" | "✅" | "x" | "X" => return Ok(true),
        "0" | "false" | "False" | "FALSE" | "no" | "No" | "N" | "n" | "-" | "☐" | "✗" | "✘" | "❌" => return Ok(false),
        "" => return Err(Reason::Empty),
        _ => {}
    }
    if text.len() > 64 {
        return Err(Reason::Unknown);
    }
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    match folded.as_str() {
        "t" | "yes" | "y" | "on" | "true" | "ok" | "1" | "1 0" | "да" | "д" | "истина" | "есть" | "ja" | "j" | "patiess" | "wahr"
        | "oui" | "vrai" | "si" | "verdadero" | "tak" | "taip" | "jah" | "subscribed" | "opted in" | "opt in" | "optin" | "granted"
        | "consent" | "consented" | "allowed" | "agree" | "agreed" | "accepted" | "active" | "enabled" | "checked" | "согласен"
        | "согласна" | "подписан" | "подписана" | "разрешено" | "piekrit" | "atlauts" => Ok(true),
        "f"
        | "no"
        | "n"
        | "off"
        | "false"
        | "0"
        | "0 0"
        | "нет"
        | "н"
        | "ложь"
        | "не"
        | "ne"
        | "nein"
        | "aplams"
        | "falsch"
        | "non"
        | "faux"
        | "falso"
        | "nie"
        | "ei"
        | "unsubscribed"
        | "opted out"
        | "opt out"
        | "optout"
        | "denied"
        | "withdrawn"
        | "revoked"
        | "refused"
        | "declined"
        | "disagree"
        | "never"
        | "none"
        | "inactive"
        | "disabled"
        | "unchecked"
        | "bounced"
        | "do not contact"
        | "не согласен"
        | "не согласна"
        | "отписан"
        | "отписана"
        | "отказ"
        | "запрещено"
        | "nepiekrit"
        | "liegts" => Ok(false),
        _ => Err(placeholder_reason(text).unwrap_or(Reason::Unknown)),
    }
}
