//! `voltcast diagram`: a stretch of agreement as a sequence diagram.

use voltcast::sim::diagram::{Subject, mermaid};
use voltcast::sim::timelines::BranchId;

/// `--scenario NAME|FILE` and one of `--slot S`, `--view V`.
pub fn command(args: &[String]) -> Result<bool, String> {
    let (mut scenario, mut subject) = (None, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("`{arg}` needs a value"))?;
        let twice = match arg.as_str() {
            "--scenario" => scenario.replace(value.as_str()).is_some(),
            "--slot" => subject.replace(Subject::Slot(super::number(arg, value)?)).is_some(),
            "--view" => subject.replace(Subject::View(super::number(arg, value)?)).is_some(),
            other => return Err(format!("`diagram` does not know `{other}`; try `voltcast help`")),
        };
        if twice {
            return Err("`diagram` draws one slot or one view of one scenario".into());
        }
    }
    let name = scenario.ok_or("`diagram` needs `--scenario NAME|FILE`")?;
    let subject = subject.ok_or("`diagram` needs `--slot S` or `--view V`")?;
    let (scenario, _, _) = super::load(name)?;
    let timelines = super::play(scenario, Vec::new())?.whole()?;
    let text = mermaid(timelines.trace(BranchId(0)), subject).ok_or("nothing of that happens in this run")?;
    super::print(text.trim_end())?;
    Ok(true)
}
