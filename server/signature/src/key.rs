//! The master's key and the servers' keys that are derived from it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

/// What a server's key is derived under; the instance id follows.
const DERIVED: &str = "ebbtide session endpoint, version 1: ";
const LEAST_CHARACTERS: usize = 32;
const BYTES: usize = 32;

/// The secret of a service, from which every server's key is derived. Whoever has it can seal every server.
pub struct Master(SecretString);

/// A master is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signing secret has {0} characters; give it at least {LEAST_CHARACTERS} random ones, for instance those of \
     `openssl rand -hex 32`"
)]
pub struct WeakMaster(usize);

impl Master {
    /// A master of this text, without white space around it.
    ///
    /// # Errors
    /// If it has fewer than 32 characters.
    pub fn new(text: &SecretString) -> Result<Self, WeakMaster> {
        let text = text.expose_secret().trim();
        match text.chars().count() {
            LEAST_CHARACTERS.. => Ok(Self(text.into())),
            few => Err(WeakMaster(few)),
        }
    }

    /// The key of the server on this instance: HMAC-SHA256 of its id. A server that is stolen gives away its own alone.
    pub fn key_of(&self, instance: &str) -> Key {
        let text = format!("{DERIVED}{instance}");
        Key::of(mac(self.0.expose_secret().as_bytes(), text.as_bytes()))
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Master(…)")
    }
}

/// What one server signs and verifies with.
pub struct Key {
    id: String,
    secret: SecretBox<[u8; BYTES]>,
}

/// A text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NoKey;

impl Key {
    fn of(secret: [u8; BYTES]) -> Self {
        let id = mac(&secret, b"id");
        Self {
            id: hexadecimal(&id[..8]),
            secret: SecretBox::new(Box::new(secret)),
        }
    }

    /// Reads a key as [`Key::write`] wrote it.
    ///
    /// # Errors
    /// If it is none; the error does not repeat the text.
    pub fn read(text: &str) -> Result<Self, NoKey> {
        let digits = text.as_bytes();
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NoKey);
        if digits.len() != 2 * BYTES {
            return Err(NoKey);
        }
        let mut secret = Zeroizing::new([0; BYTES]);
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            let value = digit(pair[0])? * 16 + digit(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| NoKey)?;
        }
        Ok(Self::of(*secret))
    }

    /// 64 hexadecimal digits.
    pub fn write(&self) -> SecretString {
        hexadecimal(self.secret.expose_secret()).into()
    }

    /// Names the key in signatures and messages, and says nothing of it: 16 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn sign(&self, base: &str) -> [u8; BYTES] {
        mac(self.secret.expose_secret(), base.as_bytes())
    }

    /// In constant time.
    pub(crate) fn has_signed(&self, base: &str, signature: &[u8]) -> bool {
        let mac = started(self.secret.expose_secret(), base.as_bytes());
        mac.verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; BYTES] {
    started(key, text).finalize().into_bytes().into()
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length, says its documentation"
)]
fn started(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "correct horse battery staple and more";

    fn master(text: &str) -> Result<Master, WeakMaster> {
        Master::new(&text.into())
    }

    #[test]
    fn each_instance_and_each_master_has_a_key_of_its_own() {
        let key = |text: &str, instance: &str| master(text).unwrap().key_of(instance).write();
        let one = key(MASTER, "i-1");
        // As openssl says: printf '%s' 'ebbtide session endpoint, version 1: i-1' | openssl dgst -sha256 -hmac …
        let of_openssl = "9d7a97725312584bd031f85d257f81a92882d58f2d9fc18e804b5677dceb72c8";
        assert_eq!(one.expose_secret(), of_openssl);
        assert_eq!(
            key(&format!(" {MASTER}\n"), "i-1").expose_secret(),
            of_openssl
        );
        assert_ne!(one.expose_secret(), key(MASTER, "i-2").expose_secret());
        let other = key("another master of thirty-two characters", "i-1");
        assert_ne!(one.expose_secret(), other.expose_secret());
    }

    /// https://www.rfc-editor.org/rfc/rfc9421.html#appendix-B.2.5
    #[test]
    fn a_signature_is_the_one_of_the_rfc() {
        let key = "bb3bc97c1e2edcdd09cb84fb359ef930355cafccd24c89de749b6481cbb8e985\
                   b85c1cb33498f105db635247493c1b5b9878480e2ea9725f23b1ab2395332d0d";
        let key: Vec<u8> = (0..64)
            .map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
            \"@authority\": example.com\n\
            \"content-type\": application/json\n\
            \"@signature-params\": (\"date\" \"@authority\" \"content-type\")\
            ;created=1618884473;keyid=\"test-shared-secret\"";
        let of_the_rfc = "a71710c3a1b7023b4c0508f0a3c5f39197ff6f0b392de95b68c939ac6206b44f";
        assert_eq!(hexadecimal(&mac(&key, base.as_bytes())), of_the_rfc);
    }

    #[test]
    fn a_short_master_is_refused_with_what_to_do() {
        let refused = master(&format!("  {}  ", "x".repeat(31))).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("has 31 characters; give it at least 32")
        );
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        let key = master(MASTER).unwrap().key_of("i-1");
        let again = Key::read(key.write().expose_secret()).unwrap();
        assert_eq!(again.write().expose_secret(), key.write().expose_secret());
        assert_eq!(again.id(), key.id());
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32)] {
            assert!(Key::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let master = master(MASTER).unwrap();
        let key = master.key_of("i-1");
        assert_eq!(format!("{master:?}"), "Master(…)");
        assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
        let printed = format!("{master:?} {key:?} {:?}", key.write());
        assert!(!printed.contains("horse"));
        assert!(!printed.contains(key.write().expose_secret()));
        assert_eq!(key.id().len(), 16);
        assert!(!key.write().expose_secret().contains(key.id()));
    }
}
