//! `voltcast audit`: runs a scenario and traces every last bill to its orders, blocks and meter (WORLD.md §4, §11).

use super::{Chosen, RunArgs, choose, play, print};
use voltcast::sim::audit;
use voltcast::sim::timelines::BranchId;

/// Whether nothing differs, or what was wrong with the arguments.
pub fn command(args: &[String]) -> Result<bool, String> {
    let args = RunArgs::parse(args)?;
    if args.json.is_some() || args.quiet {
        return Err("`audit` takes neither `--json` nor `--quiet`".into());
    }
    let Chosen { scenario, interventions, .. } = choose(&args)?;
    let timelines = play(scenario, interventions)?.whole()?;
    let found = audit::audit(timelines.world(BranchId(0)), timelines.trace(BranchId(0)));
    print(audit::text(&found).trim_end())?;
    Ok(found.holds())
}
