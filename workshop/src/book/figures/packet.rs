//! The way of a packet to a published port: a rule of nft's with `dnat to`, and the address that the server sees.

use std::net::Ipv4Addr;

use super::drawing::{Drawing, Pen};
use super::{Printed, list};

/// Draws the stations from top to bottom, and what stands in the packet at each.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let lines = || printed.iter().flat_map(|printed| &printed.lines);
    let rule = lines().find(|line| line.contains(" dnat to ")).ok_or("no rule with `dnat to` is printed")?;
    let behind = |word: &str| {
        let mut words = rule.split_whitespace().skip_while(|it| *it != word);
        words.nth(1).ok_or(format!("the rule has no {word}: {}", rule.trim()))
    };
    let (host, port, server) = (behind("daddr")?, behind("dport")?, behind("to")?);
    let seen = lines().map(|line| line.trim()).find(|line| line.parse::<Ipv4Addr>().is_ok());
    let seen = seen.ok_or("no address is printed, as whom the server sees")?;
    let asked = format!("{host}:{port}");
    // The station, from, to, and which of both has just been changed.
    let stations = [
        ("a program asks", host, asked.as_str(), (false, false), Pen::Thin),
        ("output: dnat", host, server, (false, true), Pen::Thick),
        ("postrouting: masq.", seen, server, (true, false), Pen::Thick),
        ("bridge, cable", seen, server, (false, false), Pen::Thin),
        ("the container", server, seen, (false, false), Pen::Broken),
        ("undone, both", &asked, host, (true, true), Pen::Thick),
        ("the answer", &asked, host, (false, false), Pen::Thin),
    ];
    let mut drawing = Drawing::new("The way of a packet to a published port, and back");
    drawing.word((138, 14), 90, "from");
    drawing.word((250, 14), 90, "to");
    for (y, (station, from, to, (from_is_new, to_is_new), pen)) in (24..).step_by(48).zip(stations) {
        drawing.frame((4, y), (124, 26), pen, station);
        if y > 24 {
            drawing.path(&format!("M66 {}V{y}M62 {}L66 {y}L70 {}", y - 22, y - 6, y - 6), Pen::Thin);
        }
        let mut changed = Vec::new();
        for (x, what, text, is_new) in [(138, "from", from, from_is_new), (250, "to", to, to_is_new)] {
            if is_new {
                drawing.bold((x, y + 17), 110, text);
                changed.push(what);
            } else {
                drawing.word((x, y + 17), 110, text);
            }
        }
        let changed =
            if changed.is_empty() { String::new() } else { format!(", {} changed", list(&changed)) };
        drawing.say(format!("{station}: from {from} to {to}{changed}."));
    }
    drawing.say("The last change has no rule: the kernel remembers the connection.");
    Ok(drawing)
}
