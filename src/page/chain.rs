//! The chain below the stage: one box per block, where heights have several blocks (a fork) one below the other.

use crate::scene::layout::STRIP;
use crate::scene::stage::{BlockMark, StageState};
use yew::prelude::*;

/// Width of a box and of its way to the next one.
const BOX: f32 = 108.0;
const WAY: f32 = 24.0;
const LEFT: f32 = 84.0;
/// Height of a column, and of a box that shares it.
const TALL: f32 = 44.0;
const HALF: f32 = 21.0;

/// Middle of a box, below the top of the strip.
fn middle(row: usize, rows: usize) -> f32 {
    if rows < 2 { TALL / 2.0 } else { HALF / 2.0 + row as f32 * (TALL - HALF) }
}

/// A column, and its way from the one before; without that one blocks are left out between.
fn drawn(column: &[BlockMark], before: Option<&[BlockMark]>, (x, y): (f32, f32)) -> Html {
    let link = if before.is_some() { "chainlink" } else { "chainlink gap" };
    let before = before.unwrap_or_default();
    let rows = column.len().min(2);
    let one = |(row, block): (usize, &BlockMark)| {
        let from = before.iter().take(2).position(|b| b.header == block.parent).unwrap_or(0);
        let (there, here) = (y + middle(from, before.len()), y + middle(row, column.len()));
        let (high, top) = if rows < 2 { (TALL, y) } else { (HALF, y + middle(row, 2) - HALF / 2.0) };
        let class = if rows < 2 { "block" } else { "block forked" };
        let holders = format!("{} {} CSS", block.header.short(4), block.holders);
        let line = |class: &'static str, y: f32, text: String| html! { <text {class} x={format!("{:.0}", x + 8.0)} y={format!("{y:.0}")}>{ text }</text> };
        html! {
            <g {class} key={block.header.to_string()}>
                <path class={link} d={format!("M{:.0} {there:.0} L{x:.0} {here:.0}", x - WAY)} />
                <rect x={format!("{x:.0}")} y={format!("{top:.0}")} width={format!("{BOX:.0}")} height={format!("{high:.0}")} rx="4" />
                if rows < 2 {
                    { line("", y + 19.0, format!("Block {}", block.height)) }
                    { line("mono", y + 36.0, holders) }
                } else {
                    { line("mono", here + 4.0, format!("#{} {holders}", block.height)) }
                }
            </g>
        }
    };
    html! { <>{ for column.iter().take(2).enumerate().map(one) }</> }
}

/// The newest blocks that the width has room for.
pub fn chain(stage: &StageState, (width, height): (f32, f32)) -> Html {
    let y = height - STRIP + 12.0;
    let columns = stage.columns();
    let room = (((width - 100.0) / (BOX + WAY)) as usize).max(2) - 1;
    let skip = columns.len().saturating_sub(room);
    let x = |column: usize| LEFT + (BOX + WAY) * column as f32;
    let before = |i: usize| match i.checked_sub(1) {
        None => Some(&[][..]),
        Some(_) if i == skip => None,
        Some(last) => columns.get(last).map(Vec::as_slice),
    };
    html! {
        <g class="chain" aria-hidden="true">
            <text class="zone" x="14" y={format!("{:.0}", y + 26.0)}>{ "Chain" }</text>
            if stage.genesis {
                <g class="block">
                    <rect x={format!("{LEFT:.0}")} y={format!("{y:.0}")} width={format!("{BOX:.0}")} height={format!("{TALL:.0}")} rx="4" />
                    <text x={format!("{:.0}", LEFT + 8.0)} y={format!("{:.0}", y + 19.0)}>{ "Genesis" }</text>
                    <text class="mono" x={format!("{:.0}", LEFT + 8.0)} y={format!("{:.0}", y + 36.0)}>{ "rules, voters" }</text>
                </g>
            }
            { for columns.iter().enumerate().skip(skip).map(|(i, column)| drawn(column, before(i), (x(i - skip + 1), y))) }
        </g>
    }
}
