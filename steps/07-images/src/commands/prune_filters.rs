//! Which of those that nobody needs `prune --filter` means.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::listing::{Filter, Filters};
use crate::moment::moment;
use crate::records::now;

/// What was said: `until=24h`, made before that time; `label=KEY[=VALUE]`; `label!=KEY[=VALUE]`.
#[derive(Debug, Clone)]
pub(super) struct Meant {
    filters: Vec<Filter>,
    until: Option<f64>,
}

// ANCHOR: meant
impl Meant {
    /// Reads the filters.
    ///
    /// # Errors
    /// One is not known, or its time makes no sense.
    pub fn new(filters: &[Filter]) -> Result<Self> {
        let known = Filters(filters);
        known.check(&["until", "label", "label!"])?;
        let until = match known.values("until").collect::<Vec<_>>()[..] {
            [] => None,
            [text] => Some(moment(text, now())?),
            _ => bail!("more than one until filter specified"),
        };
        Ok(Self { filters: filters.to_vec(), until })
    }

    /// Whether all of them fit something. `created` is in seconds since 1970.
    pub fn fits(&self, created: f64, labels: &BTreeMap<String, String>) -> bool {
        self.until.is_none_or(|until| created <= until) && Filters(&self.filters).labels_for_prune(labels)
    }

    /// Whether one of them is about time.
    pub fn has_until(&self) -> bool {
        self.until.is_some()
    }

    /// As they were said.
    pub fn filters(&self) -> Filters<'_> {
        Filters(&self.filters)
    }
}
// ANCHOR_END: meant
