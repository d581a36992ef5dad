//! Addresses of the net.
use crate::normalize::{looks_like_email, looks_like_website};

/// Whether the text looks like an e-mail address, alone or the first of a list.
pub fn is_email(text: &str) -> bool {
    looks_like_email(text.trim().trim_start_matches("mailto:"))
}

/// Whether it looks like a web address or a bare domain.
pub fn is_website(text: &str) -> bool {
    looks_like_website(text)
}

/// Whether it is a profile in a social network or a handle.
pub fn is_social(text: &str) -> bool {
    const HOSTS: &[&str] = &[
        "facebook.com",
        "linkedin.com",
        "vk.com",
        "t.me/",
        "twitter.com",
        "x.com/",
        "instagram.com",
        "ok.ru",
        "tiktok.com",
        "youtube.com",
        "telegram.me",
        "draugiem.lv",
    ];
    let lower = text.trim().to_lowercase();
    HOSTS.iter().any(|host| lower.contains(host))
        || (lower.starts_with('@') && lower.len() > 3 && !lower.contains(' ') && !lower[1..].contains('@'))
}
