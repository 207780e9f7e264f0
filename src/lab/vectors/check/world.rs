//! What all cases of a file share.

use super::read::{arr, int, narrow, same, text, user};
use crate::clmmsc::keys::{KeyPair, Wanted};
use crate::clmmsc::kgc::MasterKey;
use crate::clmmsc::pseudonym::Identity;
use crate::clmmsc::record::{PublicRecord, Record};
use crate::clmmsc::{Params, Policy, group};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) struct Known {
    pub(super) record: Record,
    pub(super) public: PublicRecord,
    pub(super) pair: Option<KeyPair>,
}

/// Parameters, KGC and records of a file.
pub struct World {
    pub(super) params: Params,
    pub(super) master: MasterKey,
    kgc: String,
    records: BTreeMap<String, Known>,
}

impl World {
    /// Reads and checks them.
    ///
    /// # Errors
    /// What is missing or does not fit, and in which record.
    pub fn read(file: &Value) -> Result<World, String> {
        let p = &file["params"];
        let policy = Policy {
            epoch_len: narrow(&p["epoch_len"])?,
            skew: narrow(&p["skew"])?,
            ttl_max: narrow(&p["ttl_max"])?,
            max_bytes: int(&p["max_bytes"])?,
        };
        let params = Params::new(text(&p["net"])?, &arr(&p["ppub"])?, policy).map_err(|e| e.to_string())?;
        same("params_id", &params.id, &p["params_id"])?;
        let k = &file["kgc"];
        let master = MasterKey::from_scalar(&arr(&k["s"])?, arr(&k["kf"])?).map_err(|e| e.to_string())?;
        let mut world = World { params, master, kgc: text(&k["id"])?.into(), records: BTreeMap::new() };
        for (name, r) in file["records"].as_object().ok_or("no records")? {
            let known = world.record(r).map_err(|e| format!("record {name}: {e}"))?;
            world.records.insert(name.clone(), known);
        }
        Ok(world)
    }

    fn record(&self, r: &Value) -> Result<Known, String> {
        let record = Record(arr(&r["rec"])?);
        let public = record.derive(&self.params).map_err(|e| e.to_string())?;
        same("rid", &public.rid.0, &r["rid"])?;
        same("h", public.h.as_bytes(), &r["h"])?;
        same("g", public.g.as_bytes(), &r["g"])?;
        same("pk", &group::enc(&public.pk), &r["pk"])?;
        let (class, role) = (record.class().ok_or("class")?, record.role().ok_or("role")?);
        let (from, to) = (record.valid_from(), record.valid_to());
        let secret = if r["x"].is_null() { None } else { Some(user(&r["x"])?) };
        let mut pair = None;
        if let (Some(secret), false) = (&secret, r["d"].is_null()) {
            let want = Wanted { class, role, from, to };
            let made =
                KeyPair::accept(&self.params, &want, secret, &record, &arr(&r["d"])?).map_err(|e| e.to_string())?;
            same("sk", &made.expose_sk(), &r["sk"])?;
            pair = Some(made);
        }
        if !r["uid"].is_null() {
            let identity = Identity { uid: int(&r["uid"])?, valid_from: from, ctr: narrow(&r["ctr"])? };
            if self.master.pseudonym(class, role, &identity) != record.f() {
                return Err("f differs".into());
            }
        }
        Ok(Known { record, public, pair })
    }

    pub(super) fn known(&self, name: &Value) -> Result<&Known, String> {
        self.records.get(text(name)?).ok_or(format!("no record {name}"))
    }

    pub(super) fn pair(&self, name: &Value) -> Result<&KeyPair, String> {
        self.known(name)?.pair.as_ref().ok_or(format!("no key of {name}"))
    }

    pub(super) fn kgc_pair(&self) -> Result<&KeyPair, String> {
        self.pair(&Value::from(self.kgc.as_str()))
    }
}
