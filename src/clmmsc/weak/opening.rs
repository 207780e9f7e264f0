//! Receivers that miss one check of the opening (CLMMSC.md §8.2).

use crate::clmmsc::hash::{h32, label};
use crate::clmmsc::open::{EntryKey, Opened, Receiver, locate, open};
use crate::clmmsc::secret::Secret;
use crate::clmmsc::signcrypt::entry_keys;
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::wire::{PLAIN_EXTRA, TAG, take};
use crate::clmmsc::{Check, Error, Failure, Params, Record, aead};

/// R1–R10 without R6: whatever pseudo-identity the entry names is taken for the receiver's own.
pub(crate) fn of_any_pseudonym(
    params: &Params,
    sigma: &VerifiedSigma,
    who: &Receiver<'_>,
    k: &EntryKey,
) -> Result<Opened, Failure> {
    let mut record = *who.record;
    record.0[10..42].copy_from_slice(&take::<32>(&plain(sigma, k)?, 16));
    open(params, sigma, &Receiver { record: &record, ..*who }, k)
}

/// R4, R5, R8 and no more: the record in the capsule is taken for the sender's, its signature is not looked at. Gives
/// that record and the message.
pub(crate) fn by_any_author(sigma: &VerifiedSigma, k: &EntryKey) -> Result<(Record, Vec<u8>), Failure> {
    let plain = plain(sigma, k)?;
    let capsule = aead::open(&h32(label::CAP, &[&plain[..16], sigma.head().context()]), &sigma.header().capsule);
    let capsule = capsule.ok_or(Failure { check: Check::R8, error: Error::CapsuleAuth })?;
    let len = u32::from_le_bytes(take(&plain, PLAIN_EXTRA - 4)) as usize;
    Ok((Record(take(&capsule, 0)), plain[PLAIN_EXTRA..].iter().take(len).copied().collect()))
}

/// R4 and R5.
fn plain(sigma: &VerifiedSigma, k: &EntryKey) -> Result<Secret<Vec<u8>>, Failure> {
    let entry = sigma.entry(locate(sigma, k)?.index);
    let opened = aead::open(&entry_keys(k.as_bytes()).1, &entry[TAG..]);
    opened.ok_or(Failure { check: Check::R5, error: Error::EntryAuth })
}

/// Bits of a toy tag.
pub(crate) const BITS: usize = 16;

/// R5 for the first entry whose tag has the same first bits as the key's: nothing ties the entry to the key but the AEAD.
///
/// # Errors
/// [`Error::NotAReceiver`], [`Error::EntryAuth`].
pub(crate) fn bare(sigma: &VerifiedSigma, k: &EntryKey) -> Result<Secret<Vec<u8>>, Failure> {
    let (tag, ke) = entry_keys(k.as_bytes());
    let found = (0..sigma.header().n).find(|j| sigma.tag(*j)[..BITS / 8] == tag[..BITS / 8]);
    let entry = sigma.entry(found.ok_or(Failure { check: Check::R4, error: Error::NotAReceiver })?);
    aead::open(&ke, &entry[TAG..]).ok_or(Failure { check: Check::R5, error: Error::EntryAuth })
}

/// R4 with a toy tag, R5, R6.
///
/// # Errors
/// The first failing check.
pub(crate) fn by_short_tag(sigma: &VerifiedSigma, record: &Record, k: &EntryKey) -> Result<Vec<u8>, Failure> {
    let plain = bare(sigma, k)?;
    if take::<32>(&plain, 16) != record.f() {
        return Err(Failure { check: Check::R6, error: Error::PseudonymMismatch });
    }
    Ok(plain.to_vec())
}
